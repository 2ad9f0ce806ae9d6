"""Operations that only move entries: their derivatives move the gradient's entries back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_lstm._operation import implements, operation, unbroadcast


@operation(np.reshape, analytic=True)
def reshape(x: Any, shape: Any = -1) -> Any:
    """The same entries in another shape, as :func:`numpy.reshape`."""
    return np.reshape(x, shape)


@reshape.rule
def reshape_x(g: Any, y: Any, x: Any, shape: Any = -1) -> Any:
    return g.reshape(x.shape)


@operation(np.transpose, analytic=True)
def transpose(x: Any, axes: Any = None) -> Any:
    """The axes in reverse order, or in the order `axes`, as :func:`numpy.transpose`."""
    return np.transpose(x, axes)


@transpose.rule
def transpose_x(g: Any, y: Any, x: Any, axes: Any = None) -> Any:
    return g.transpose() if axes is None else g.transpose(tuple(int(i) for i in np.argsort(np.mod(axes, x.ndim))))


@operation(np.swapaxes, analytic=True)
def swapaxes(x: Any, axis1: int = -1, axis2: int = -2) -> Any:
    """Two axes exchanged, as :func:`numpy.swapaxes`."""
    return np.swapaxes(x, axis1, axis2)


@swapaxes.rule
def swapaxes_x(g: Any, y: Any, x: Any, axis1: int = -1, axis2: int = -2) -> Any:
    return g.swapaxes(axis1, axis2)


@operation(np.broadcast_to, analytic=True)
def broadcast_to(x: Any, shape: Any = ()) -> Any:
    """`x` repeated along new axes and axes of length one, as :func:`numpy.broadcast_to`."""
    return np.broadcast_to(x, shape)


@broadcast_to.rule
def broadcast_to_x(g: Any, y: Any, x: Any, shape: Any = ()) -> Any:
    return unbroadcast(g, x)


@operation(analytic=True)
def index(x: Any, key: Any = ...) -> Any:
    """``x[key]``: slices, integers, masks, index arrays, as NumPy's indexing."""
    return x[key]


@index.rule
def index_x(g: Any, y: Any, x: Any, key: Any = ...) -> Any:
    return scatter(g, key=key, shape=x.shape)


@operation(analytic=True)
def scatter(x: Any, key: Any = ..., shape: Any = ()) -> Any:
    """Zeros of `shape` with `x` added at ``[key]``, repeated indices adding up: the adjoint of :func:`index`."""
    out = np.zeros(shape, x.dtype)
    if any(isinstance(k, np.ndarray) for k in (key if isinstance(key, tuple) else (key,))):
        np.add.at(out, key, x)
    else:  # slices and integers never repeat
        out[key] = x
    return out


@scatter.rule
def scatter_x(g: Any, y: Any, x: Any, key: Any = ..., shape: Any = ()) -> Any:
    return g[key]


@operation(name="concatenate", analytic=True)
def join(*arrays: Any, axis: int, starts: list[int]) -> Any:
    return np.concatenate(arrays, axis=axis)


@join.rule
def concatenate_i(g: Any, y: Any, arrays: tuple[Any, ...], argument: int, axis: int, starts: list[int]) -> Any:
    return g[(slice(None),) * (axis % y.ndim) + (slice(starts[argument], starts[argument + 1]),)]


@implements(np.concatenate)
def concatenate(arrays: Sequence[Any], axis: int = 0) -> Any:
    """Join values along an axis, as :func:`numpy.concatenate`.

    Parameters
    ----------
    arrays : sequence of Tensor or array_like
        Values of one shape but for `axis`.
    axis : int, default 0
        The axis along which they are joined.

    Returns
    -------
    Tensor or ndarray
        A Tensor where one of `arrays` is one.
    """
    starts = [0]
    for a in arrays:
        starts.append(starts[-1] + (a.shape if hasattr(a, "shape") else np.shape(a))[axis])
    return join(*arrays, axis=axis, starts=starts)


@operation(name="stack", analytic=True)
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
