"""Products by the BLAS that NumPy brings, through its own interface: it can add to what is there.

Which symbol that is differs between builds, so each is tried on a small product first. Where none
is found, products are NumPy's, and what they are added to is added by another call.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import starmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_lstm.compiler.graph import Dtype, Shape
from tinygrad_lstm.compiler.views import View

__all__ = ["TYPES", "Gemm", "gemm", "layout", "leading", "threads"]

Array = NDArray[Any]

TYPES: dict[Dtype, str] = {np.dtype("f4"): "float", np.dtype("f8"): "double"}
ROW_MAJOR, PLAIN, TRANSPOSED = 101, 111, 112


@dataclass(frozen=True)
class Gemm:
    """The product of matrices of one dtype.

    Attributes
    ----------
    address : int
        Where the function is.
    ints : {"i32", "i64"}
        The type of its whole numbers.
    call : callable
        The function.
    """

    address: int
    ints: str
    call: Any

    def reads(self, *matrices: Array | View) -> bool:
        """Whether two factors and their product lie as a BLAS can read them."""
        return all(x.size for x in matrices) and _layout(matrices) is not None

    def added(self, a: Array, b: Array, out: Array) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """The call that computes ``out += a @ b``."""
        found = _layout((a, b, out))
        assert found is not None
        flags, (lda, ldb, ldc) = found
        number = ctypes.c_double if a.dtype == np.float64 else ctypes.c_float
        whole = ctypes.c_int64 if self.ints == "i64" else ctypes.c_int32
        pointers = [ctypes.c_void_p(int(x.__array_interface__["data"][0])) for x in (a, b, out)]
        sizes = [whole(n) for n in (*out.shape, a.shape[1])]
        return self.call, (
            *(ctypes.c_int(ROW_MAJOR), *map(ctypes.c_int, flags), *sizes),
            *(number(1.0), pointers[0], whole(lda), pointers[1], whole(ldb)),
            *(number(1.0), pointers[2], whole(ldc)),
        )


def _layout(matrices: Iterable[Array | View]) -> tuple[Shape, Shape] | None:
    """As `layout`, of arrays."""
    return layout((tuple([s // x.dtype.itemsize for s in x.strides]), x.shape) for x in matrices)


def leading(strides: Shape, shape: Shape) -> tuple[int, int] | None:
    """Whether a matrix is transposed for a BLAS or plain, and its leading dimension."""
    (rows, cols), (row, col) = shape, strides
    if (col == 1 or cols == 1) and (row >= cols or rows == 1):
        return PLAIN, max(row, cols)
    if (row == 1 or rows == 1) and (col >= rows or cols == 1):
        return TRANSPOSED, max(col, rows)
    return None


def layout(matrices: Iterable[tuple[Shape, Shape]]) -> tuple[Shape, Shape] | None:
    """How a BLAS reads two factors and writes their product, given by strides in entries and
    shapes: whether each factor is transposed, and the three leading dimensions. None where it
    cannot."""
    found = [f for f in starmap(leading, matrices) if f is not None]
    if len(found) < 3 or found[2][0] != PLAIN:
        return None
    flags, steps = zip(*found, strict=True)
    return flags[:2], steps


@functools.cache
def gemm(dtype: Dtype) -> Gemm | None:
    """The product of a dtype, if there is one that computes it rightly."""
    if dtype not in TYPES:
        return None
    return next((found for found in _candidates(dtype) if _right(found, dtype)), None)


def _candidates(dtype: Dtype) -> Iterator[Gemm]:
    """What the library that NumPy is linked to may call its product."""
    letter, blas = "d" if dtype == np.float64 else "s", _library()
    for prefix in ("scipy_cblas_", "cblas_"):
        for suffix, ints in (("64_", "i64"), ("", "i32")):
            call = getattr(blas, f"{prefix}{letter}gemm{suffix}", None)
            if call is not None:
                call.restype = None
                yield Gemm(int(ctypes.cast(call, ctypes.c_void_p).value or 0), ints, call)


@functools.cache
def _library() -> Any:
    """What has the symbols of the BLAS; nothing where there is none."""
    try:
        return ctypes.CDLL(np._core._multiarray_umath.__file__)  # type: ignore[attr-defined]
    except (OSError, AttributeError):
        return None


def threads() -> int | None:
    """On how many threads the BLAS computes large products; None where it does not say."""
    for prefix in ("scipy_openblas", "openblas"):
        for suffix in ("64_", ""):
            asked = getattr(_library(), f"{prefix}_get_num_threads{suffix}", None)
            if asked is not None:
                return int(asked())
    return None


def _right(found: Gemm, dtype: Dtype) -> bool:
    rng = np.random.default_rng(0)
    a, b, out = (rng.normal(size=shape).astype(dtype) for shape in ((5, 3), (4, 3), (5, 4)))
    expected = a @ b.T + out
    function, operands = found.added(a, b.T, out)
    function(*operands)
    return bool(np.allclose(out, expected, rtol=1e-5))
