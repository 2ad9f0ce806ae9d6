"""Norms of vectors and matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lstm.engine.memory import conjugated
from tinygrad_lstm.engine.operation import implements, operation
from tinygrad_lstm.errors import ShapeError
from tinygrad_lstm.ops.elementwise import quotient
from tinygrad_lstm.ops.reduce import axes_of, restore, share

__all__ = ["norm"]


@operation(name="norm", kind="reduction")
def vector_norm(x: Any, p: float = 2, axis: Any = None, keepdims: bool = False) -> Any:
    if p == 0:
        return np.sum(np.not_equal(x, 0), axis=axis, keepdims=keepdims).astype(x.dtype)
    size = np.abs(x)
    if p in (np.inf, -np.inf):
        return (np.max if p > 0 else np.min)(size, axis=axis, keepdims=keepdims)
    return np.sum(size**p, axis=axis, keepdims=keepdims) ** (1 / p)


@vector_norm.rule
def norm_x(g: Any, y: Any, x: Any, p: float = 2, axis: Any = None, keepdims: bool = False) -> Any:
    g, y = restore(g, x, axis, keepdims), restore(y, x, axis, keepdims)
    if p == 0:  # how many entries are not 0: flat between its jumps
        return np.zeros_like(x)
    if p == 2:
        return g * quotient(conjugated(x), y)
    if p == 1:
        return g * direction(x)
    if p in (np.inf, -np.inf):
        return g * direction(x) * share(np.abs(x), y, axis)
    zero = np.equal(x, 0)  # where |x| ** (p - 1) has no derivative, or is infinite
    return g * np.where(
        zero,
        0,
        direction(x) * (np.abs(np.where(zero, 1, x)) / np.where(np.equal(y, 0), 1, y)) ** (p - 1),
    )


def direction(x: Any) -> Any:
    """The derivative of the absolute value, 0 at 0."""
    return np.sign(x) if x.dtype.kind != "c" else quotient(conjugated(x), np.abs(x))


@implements(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """The norm of vectors or matrices, as :func:`numpy.linalg.norm`.

    Parameters
    ----------
    x : Tensor or ndarray
    ord : number or {"fro", "nuc"}, optional
        For vectors: p, for the p-norm; inf and -inf for the largest and the smallest absolute
        value. For matrices: 1 and inf for the largest sum of a column and a row, 2 for the largest
        singular value (negative: the smallest), "fro" for the root of the sum of squares, "nuc" for
        the sum of the singular values. By default the root of the sum of squares.
    axis : int or (int, int), optional
        The axis of the vectors, or the two of the matrices. By default `x` is one vector or one
        matrix.
    keepdims : bool, default False
        Whether the reduced axes stay, with length one.

    Returns
    -------
    Tensor or ndarray

    Raises
    ------
    ShapeError
        If `x` has neither the axes of a vector nor of a matrix, or there is no norm of this order.

    Notes
    -----
    The gradient at 0 is 0, a subgradient, and so is that by an entry of 0. Entries that tie for the
    largest or the smallest absolute value share the gradient equally.
    """
    axes = tuple(range(x.ndim)) if axis is None else (axis,) if np.ndim(axis) == 0 else tuple(axis)
    if (ord is None and (axis is None or len(axes) <= 2)) or (len(axes) == 2 and ord == "fro"):
        return vector_norm(x, p=2, axis=axes, keepdims=keepdims)
    if len(axes) == 1 and not isinstance(ord, str):
        return vector_norm(x, p=ord, axis=axes, keepdims=keepdims)
    if len(axes) == 2 and ord in (1, -1, 2, -2, np.inf, -np.inf, "nuc"):
        return matrix_norm(x, ord, axes, keepdims)
    what = f"there is no norm of order {ord!r} over {len(axes)} axes"
    raise ShapeError(
        what, where="norm", got=x.shape, do="give axis: one for vectors, two for matrices"
    )


def matrix_norm(x: Any, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    """The norm over two axes, composed of the stages that define it."""
    extreme = np.max if ord == "nuc" or ord > 0 else np.min
    if ord in (2, -2, "nuc"):
        values = np.linalg.svd(np.moveaxis(x, axes, (-2, -1)), compute_uv=False)
        y = values.sum(axis=-1) if ord == "nuc" else extreme(values, axis=-1)
    else:
        summed, compared = axes if abs(ord) == 1 else axes[::-1]
        sums = np.abs(x).sum(axis=summed, keepdims=True)
        y = extreme(sums, axis=(summed, compared))
    return np.expand_dims(y, axes_of(x, axes)) if keepdims else y
