"""Operations on shapes: the same entries with other axes, joined, or cut into pieces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.operation import implements, operation, unbroadcast
from tinygrad_lstm.errors import IndexingError

__all__ = [
    "append",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "broadcast_arrays",
    "broadcast_to",
    "column_stack",
    "concatenate",
    "dstack",
    "expand_dims",
    "full_like",
    "hstack",
    "matrix_transpose",
    "moveaxis",
    "ravel",
    "reshape",
    "rollaxis",
    "squeeze",
    "stack",
    "swapaxes",
    "transpose",
    "vstack",
]


@operation(np.ravel, analytic=True, kind="move")
def ravel(x: Any) -> Any:
    """All entries as one row, in C order, as :func:`numpy.ravel`."""
    return np.reshape(x, -1)


@ravel.rule
def ravel_x(g: Any, y: Any, x: Any) -> Any:
    return g.reshape(x.shape)


@operation(np.reshape, analytic=True, kind="move")
def reshape(x: Any, shape: Any = -1) -> Any:
    """The same entries in another shape, as :func:`numpy.reshape`."""
    return np.reshape(x, shape)


@reshape.rule
def reshape_x(g: Any, y: Any, x: Any, shape: Any = -1) -> Any:
    return g.reshape(x.shape)


@operation(np.transpose, analytic=True, kind="move")
def transpose(x: Any, axes: Any = None) -> Any:
    """The axes in reverse order, or in the order `axes`, as :func:`numpy.transpose`."""
    return np.transpose(x, axes)


@transpose.rule
def transpose_x(g: Any, y: Any, x: Any, axes: Any = None) -> Any:
    return (
        g.transpose()
        if axes is None
        else g.transpose(tuple(int(i) for i in np.argsort(np.mod(axes, x.ndim))))
    )


@operation(np.swapaxes, analytic=True, kind="move")
def swapaxes(x: Any, axis1: int = -1, axis2: int = -2) -> Any:
    """Two axes exchanged, as :func:`numpy.swapaxes`."""
    return np.swapaxes(x, axis1, axis2)


@swapaxes.rule
def swapaxes_x(g: Any, y: Any, x: Any, axis1: int = -1, axis2: int = -2) -> Any:
    return g.swapaxes(axis1, axis2)


@implements(np.matrix_transpose, np.linalg.matrix_transpose)
def matrix_transpose(x: Any, /) -> Any:
    """Each matrix of a stack transposed, as :func:`numpy.matrix_transpose`: the stage
    :func:`swapaxes`."""
    return swapaxes(x, axis1=-1, axis2=-2)


@operation(np.moveaxis, analytic=True, kind="move")
def moveaxis(x: Any, source: Any = None, destination: Any = None) -> Any:
    """The axes `source` moved to the places `destination`, as :func:`numpy.moveaxis`."""
    return np.moveaxis(x, source, destination)


@moveaxis.rule
def moveaxis_x(g: Any, y: Any, x: Any, source: Any = None, destination: Any = None) -> Any:
    return np.moveaxis(g, destination, source)


@implements(np.rollaxis)
def rollaxis(x: Any, axis: int, start: int = 0) -> Any:
    """The axis `axis` moved before the axis `start`, as :func:`numpy.rollaxis`."""
    before = start + np.ndim(x) if start < 0 else start
    place = before - (axis % max(np.ndim(x), 1) < before)  # without the axis, others move up
    return moveaxis(x, source=axis, destination=place)


@operation(np.expand_dims, analytic=True, kind="move")
def expand_dims(x: Any, axis: Any = None) -> Any:
    """New axes of length one, at the places `axis` of the result, as :func:`numpy.expand_dims`."""
    return np.expand_dims(x, axis)


@expand_dims.rule
def expand_dims_x(g: Any, y: Any, x: Any, axis: Any = None) -> Any:
    return g.reshape(x.shape)


@operation(np.squeeze, analytic=True, kind="move")
def squeeze(x: Any, axis: Any = None) -> Any:
    """Without the axes of length one, or without those named, as :func:`numpy.squeeze`."""
    return np.squeeze(x, axis)


@squeeze.rule
def squeeze_x(g: Any, y: Any, x: Any, axis: Any = None) -> Any:
    return g.reshape(x.shape)


def _reshaped(values: tuple[Any, ...], at_least: Any) -> Any:
    """Each value in the shape that NumPy's function `at_least` gives it; one that has it stays as
    it is."""
    out = []
    for x in values:
        shape = at_least(np.broadcast_to(0, np.shape(x))).shape
        out.append(x if hasattr(x, "shape") and x.shape == shape else reshape(x, shape=shape))
    return out[0] if len(out) == 1 else tuple(out)


@implements(np.atleast_1d)
def atleast_1d(*values: Any) -> Any:
    """Each value with one axis or more, as :func:`numpy.atleast_1d`: the stage :func:`reshape`
    where one is missing."""
    return _reshaped(values, np.atleast_1d)


@implements(np.atleast_2d)
def atleast_2d(*values: Any) -> Any:
    """Each value with two axes or more, as :func:`numpy.atleast_2d`: the stage :func:`reshape`
    where one is missing."""
    return _reshaped(values, np.atleast_2d)


@implements(np.atleast_3d)
def atleast_3d(*values: Any) -> Any:
    """Each value with three axes or more, as :func:`numpy.atleast_3d`: the stage :func:`reshape`
    where one is missing."""
    return _reshaped(values, np.atleast_3d)


@operation(np.broadcast_to, analytic=True, kind="move")
def broadcast_to(x: Any, shape: Any = ()) -> Any:
    """`x` repeated along new axes and axes of length one, as :func:`numpy.broadcast_to`."""
    return np.broadcast_to(x, shape)


@broadcast_to.rule
def broadcast_to_x(g: Any, y: Any, x: Any, shape: Any = ()) -> Any:
    return unbroadcast(g, x)


@implements(np.full_like)
def full_like(a: Any, fill_value: Any, dtype: Any = None, shape: Any = None) -> Any:
    """`fill_value` in every entry of an array of the shape and dtype of `a`, as
    :func:`numpy.full_like`: the stage :func:`broadcast_to`."""
    shape = np.shape(a) if shape is None else shape
    wanted = np.dtype(dtype or getattr(a, "dtype", None) or np.asarray(a).dtype)
    if not isinstance(fill_value, Node):
        return np.full(shape, fill_value, wanted)
    full = broadcast_to(fill_value, shape=shape)
    return full if full.dtype == wanted else full.astype(wanted)


@implements(np.broadcast_arrays)
def broadcast_arrays(*arrays: Any) -> tuple[Any, ...]:
    """Each value in the shape of all together, as :func:`numpy.broadcast_arrays`: a stage
    :func:`broadcast_to` each."""
    shape = np.broadcast_shapes(*map(np.shape, arrays))
    return tuple(broadcast_to(a, shape=shape) for a in arrays)


@operation(name="concatenate", analytic=True, kind="move")
def join(*arrays: Any, axis: int, starts: tuple[int, ...]) -> Any:
    return np.concatenate(arrays, axis=axis)


@join.rule
def concatenate_i(
    g: Any, y: Any, arrays: tuple[Any, ...], argument: int, axis: int, starts: tuple[int, ...]
) -> Any:
    return g[(slice(None),) * (axis % y.ndim) + (slice(starts[argument], starts[argument + 1]),)]


@implements(np.concatenate)
def concatenate(arrays: Sequence[Any], axis: int | None = 0) -> Any:
    """Join values along an axis, as :func:`numpy.concatenate`.

    Parameters
    ----------
    arrays : sequence of Tensor or array_like
        Values of one shape but for `axis`.
    axis : int or None, default 0
        The axis along which they are joined. None joins all their entries to one row; numbers are
        allowed then.

    Returns
    -------
    Tensor or ndarray
        A Tensor where one of `arrays` is one.

    Raises
    ------
    ShapeError
        If there is nothing to join or the shapes do not fit.
    IndexingError
        If there is no such axis.
    """
    if axis is None:
        arrays, axis = [ravel(a) for a in arrays], 0
    starts = [0]
    for a in arrays:
        shape = getattr(a, "shape", None)
        shape = np.shape(a) if shape is None else shape
        try:
            starts.append(starts[-1] + shape[axis])
        except IndexError:
            raise IndexingError(
                "there is no such axis",
                where="concatenate",
                expected=f"values with axis {axis}",
                got=f"shape {shape}",
                do="use stack",
            ) from None
    return join(*arrays, axis=axis, starts=tuple(starts))


@operation(name="stack", analytic=True, kind="move")
def pile(*arrays: Any, axis: int) -> Any:
    return np.stack(arrays, axis=axis)


@pile.rule
def stack_i(g: Any, y: Any, arrays: tuple[Any, ...], argument: int, axis: int) -> Any:
    return g[(slice(None),) * (axis % y.ndim) + (argument,)]


@implements(np.stack)
def stack(arrays: Sequence[Any], axis: int = 0) -> Any:
    """Join values of one shape along a new axis, as :func:`numpy.stack`.

    Parameters
    ----------
    arrays : sequence of Tensor or array_like
        Values of one shape.
    axis : int, default 0
        The place of the new axis in the result.

    Returns
    -------
    Tensor or ndarray
        A Tensor where one of `arrays` is one.
    """
    return pile(*arrays, axis=axis)


@implements(np.vstack)
def vstack(arrays: Sequence[Any]) -> Any:
    """Join values as rows, as :func:`numpy.vstack`: the stage :func:`concatenate` of values with
    two axes or more."""
    return concatenate([atleast_2d(a) for a in arrays], axis=0)


@implements(np.hstack)
def hstack(arrays: Sequence[Any]) -> Any:
    """Join values as columns, vectors end to end, as :func:`numpy.hstack`: the stage
    :func:`concatenate`."""
    arrays = [atleast_1d(a) for a in arrays]
    return concatenate(arrays, axis=0 if arrays and arrays[0].ndim == 1 else 1)


@implements(np.dstack)
def dstack(arrays: Sequence[Any]) -> Any:
    """Join values along a third axis, as :func:`numpy.dstack`: the stage :func:`concatenate` of
    values with three axes or more."""
    return concatenate([atleast_3d(a) for a in arrays], axis=2)


@implements(np.column_stack)
def column_stack(arrays: Sequence[Any]) -> Any:
    """Join vectors and matrices as columns, as :func:`numpy.column_stack`: the stage
    :func:`concatenate` of matrices."""
    return concatenate([a if np.ndim(a) > 1 else reshape(a, shape=(-1, 1)) for a in arrays], axis=1)


@implements(np.append)
def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """`values` behind `arr`, as :func:`numpy.append`: the stage :func:`concatenate`."""
    return concatenate([arr, values], axis=axis)
