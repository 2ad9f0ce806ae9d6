"""Arrays: who owns one, who may write to it, and the array in what is given.

A stage and its owner never share memory that can be written: `own` copies what comes in, `frozen`
what a stage keeps, and `read_only` is what is handed out.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_lstm.errors import DtypeError

__all__ = [
    "NUMBERS",
    "SCALARS",
    "add_at",
    "array_like",
    "array_of",
    "by_shape",
    "conjugated",
    "finite",
    "fitting",
    "floats",
    "frozen",
    "kept",
    "loan",
    "own",
    "read_only",
    "repeats",
    "same",
    "unbroadcast",
]

SCALARS = (
    int,
    float,
    complex,
    np.generic,
)  # immutable: stages keep them as they are, so that Python's stay weak (NEP 50)

KNOWN = (np.ndarray, *SCALARS)  # what has its entries at hand

DOUBLE = np.dtype(float)

NUMBERS = "biufc"  # the kinds of dtype that a Tensor can have


def own(value: Any, dtype: Any = None) -> np.ndarray:
    """A copy of `value` as an array of numbers in native byte order."""
    if type(value) is np.ndarray:
        pass
    elif by_shape(value):  # known by shape and dtype only: nothing writes to it
        return value if dtype is None else value.astype(np.dtype(dtype))  # type: ignore[no-any-return]
    elif isinstance(value, np.ma.MaskedArray):
        do = "say what stands for masked entries: .filled(0.0)"
        raise DtypeError("the mask of a masked array would be lost", where="Tensor(...)", do=do)
    try:
        array = np.array(value)
        wanted = array.dtype if dtype is None else np.dtype(dtype)
    except (ValueError, TypeError, RuntimeError) as error:  # ragged lists; what has no array
        raise DtypeError(f"no Tensor can be made of this: {error}", where="Tensor(...)") from error
    if array.dtype.kind not in NUMBERS or wanted.kind not in NUMBERS:
        kind = array.dtype if array.dtype.kind not in NUMBERS else wanted
        raise DtypeError(
            "a Tensor holds numbers",
            expected="a number, an array or nested lists of numbers",
            got=f"dtype {kind}",
        )
    if array.dtype.kind == "c" and wanted.kind != "c":
        raise DtypeError(
            "the imaginary part would be lost",
            where="Tensor(...)",
            expected=f"real numbers, for {wanted}",
            got=array.dtype,
        )
    if not wanted.isnative:
        wanted = wanted.newbyteorder("=")
    return array if array.dtype is wanted else array.astype(wanted)


def frozen(value: Any) -> Any:
    """A parameter as a stage can keep it: lists and arrays in it are copied, since their owner may
    edit them later."""
    if isinstance(value, np.ndarray):
        value = value.copy()
        value.setflags(write=False)
        return value
    try:
        hash(value)  # what has a hash cannot be edited
        return value
    except TypeError:
        pass
    if isinstance(value, (list, tuple)):
        value = type(value)(map(frozen, value))
    elif isinstance(value, slice):
        value = slice(frozen(value.start), frozen(value.stop), frozen(value.step))
    elif isinstance(value, dict):
        value = {key: frozen(v) for key, v in value.items()}
    return value


def read_only(array: np.ndarray) -> np.ndarray:
    """The same memory, for somebody who may look at it and keep it, but not write."""
    view = array.view()
    view.flags.writeable = False
    return view


def by_shape(value: Any) -> bool:
    """Whether only the shape and the dtype of an array are known: it is being recorded."""
    return getattr(value, "abstract", False) is True


def loan(array: np.ndarray) -> np.ndarray:
    """An array of the same memory that all views of it keep alive.

    Views of an array refer to the one that owns the memory, and so would not be noticed; but not
    beyond one whose memory belongs to something else.
    """
    memory: Any = array
    return np.asarray(memoryview(memory))


def kept(value: Any) -> Any:
    """An array that nobody writes to."""
    return value if by_shape(value) else frozen(np.asarray(value))


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays are the same in every bit."""
    if by_shape(a):
        return bool(a.stands_for(b))  # type: ignore[attr-defined]
    return (
        a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()
    )  # bytes: a NaN is equal to itself


def array_of(value: Any) -> Any:
    """The array of a Tensor, for looking at; anything else as it is."""
    return getattr(value, "_array", value)


def array_like(value: Any) -> Any:
    """An array of a list of numbers, which has no shape of its own; anything else as it is."""
    return np.asarray(value) if isinstance(value, (list, tuple)) else value


def conjugated(x: Any) -> Any:
    """The conjugate of a complex value, an array or a Tensor; a real one as it is."""
    return np.conjugate(x) if x.dtype.kind == "c" else x


def finite(x: Any) -> bool:
    """Whether all entries are finite; those of an array that is known by its shape alone are taken
    to be. An overflow of the squares is a harmless False."""
    if type(x) is not np.ndarray:
        x = array_of(x)
        if not isinstance(x, KNOWN):
            return True
    return math.isfinite(np.vdot(x, x).real)  # the cheapest test of all entries at once


def fitting(gradient: Any, dtype: np.dtype[Any]) -> Any:
    """A gradient, an array or a Tensor, of a value of this dtype: of a real value the imaginary
    part cannot change."""
    return gradient.real if gradient.dtype.kind == "c" and dtype.kind != "c" else gradient


def floats(x: Any, like: Any = None) -> Any:
    """`x` in floating point; integers and truth values in the dtype of `like`, where that is one.

    NumPy's integers have no -inf, unsigned ones wrap around below 0, and small ones are computed
    with in float16.
    """
    if getattr(x, "dtype", DOUBLE).kind in "fc":
        return x
    wanted = getattr(like, "dtype", DOUBLE)
    return x.astype(wanted if wanted.kind in "fc" else DOUBLE)


def unbroadcast(gradient: Any, x: Any) -> Any:
    """Sum `gradient` over the axes along which NumPy broadcast `x`, so that it has the shape of `x`
    again."""
    if gradient.shape == x.shape:
        return gradient
    if type(gradient) is np.ndarray and gradient.size == x.size:  # over axes of length 1
        return gradient.reshape(x.shape)
    lead = gradient.ndim - x.ndim
    stretched = [
        lead + i for i, n in enumerate(x.shape) if n == 1 and gradient.shape[lead + i] != 1
    ]
    return gradient.sum(axis=(*range(lead), *stretched)).reshape(x.shape)


def add_at(total: np.ndarray, x: Any, key: Any = ...) -> None:
    """``total[key] += x``, in place, with repeated indices adding up."""
    if repeats(key):
        np.add.at(total, key, x)
    else:
        total[key] += x


def repeats(key: Any) -> bool:
    """Whether an index may pick an entry twice: slices, integers and masks never do."""
    keys = key if isinstance(key, tuple) else (key,)
    return any(isinstance(k, np.ndarray) and k.dtype != bool for k in keys)
