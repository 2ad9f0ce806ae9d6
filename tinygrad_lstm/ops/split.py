"""Pieces of a value: each one is a slice, and a stage of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lstm.engine.operation import implements
from tinygrad_lstm.errors import IndexingError, ShapeError
from tinygrad_lstm.ops.select import index

__all__ = ["array_split", "dsplit", "hsplit", "split", "unstack", "vsplit"]


@implements(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Cut a value into pieces, as :func:`numpy.array_split`.

    Parameters
    ----------
    ary : Tensor or array_like
        What is cut.
    indices_or_sections : int or sequence of int
        Into how many pieces, as equal as possible, or where to cut.
    axis : int, default 0
        The axis along which it is cut.

    Returns
    -------
    list of Tensor or ndarray
        Slices, each one stage.

    Raises
    ------
    ShapeError
        If there are no pieces.
    """
    n = _length(ary, axis)
    if np.ndim(indices_or_sections) == 0:
        if indices_or_sections < 1:
            raise ShapeError(
                "a value is cut into one piece or more",
                where="split",
                expected="a whole number from 1",
                got=indices_or_sections,
            )
        cuts = np.cumsum(
            [len(piece) for piece in np.array_split(np.arange(n), indices_or_sections)]
        )[:-1].tolist()
    else:
        cuts = list(indices_or_sections)
    x, before = _with_shape(ary), (slice(None),) * (axis % np.ndim(ary))
    return [
        index(x, key=(*before, slice(start, stop)))
        for start, stop in zip([0, *cuts], [*cuts, n], strict=True)
    ]


def _length(x: Any, axis: int) -> int:
    shape = np.shape(x)
    if not -len(shape) <= axis < len(shape):
        raise IndexingError(
            "there is no such axis to cut along",
            where="split",
            expected=f"a value with axis {axis}",
            got=f"shape {shape}",
        )
    return int(shape[axis])


def _with_shape(x: Any) -> Any:
    return x if hasattr(x, "shape") else np.asarray(x)


@implements(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    """Cut a value into pieces of one length, or at given places, as :func:`numpy.split`; see
    :func:`array_split`."""
    if (
        np.ndim(indices_or_sections) == 0
        and indices_or_sections > 0
        and (n := _length(ary, axis)) % indices_or_sections
    ):
        raise ShapeError(
            "the pieces would not be equal",
            where="split",
            expected=f"a divisor of {n}",
            got=indices_or_sections,
            do="use array_split",
        )
    return array_split(ary, indices_or_sections, axis)


@implements(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> Any:
    """:func:`split` along the first axis of a value with two axes or more, as
    :func:`numpy.vsplit`."""
    return split(_with_axes(ary, 2, "vsplit"), indices_or_sections, 0)


@implements(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> Any:
    """:func:`split` along the second axis, or the only one, as :func:`numpy.hsplit`."""
    return split(_with_axes(ary, 1, "hsplit"), indices_or_sections, 1 if np.ndim(ary) > 1 else 0)


@implements(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> Any:
    """:func:`split` along the third axis, as :func:`numpy.dsplit`."""
    return split(_with_axes(ary, 3, "dsplit"), indices_or_sections, 2)


def _with_axes(x: Any, n: int, where: str) -> Any:
    if np.ndim(x) < n:
        raise ShapeError(
            "there are too few axes to cut along",
            where=where,
            expected=f"{n} or more",
            got=f"shape {np.shape(x)}",
        )
    return x


def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """The slices along an axis, without it, as NumPy 2.1's ``unstack``: each one a stage."""
    n = _length(x, axis)
    x, before = _with_shape(x), (slice(None),) * (axis % np.ndim(x))
    return tuple(index(x, key=(*before, i)) for i in range(n))


if hasattr(np, "unstack"):
    implements(np.unstack)(unstack)
