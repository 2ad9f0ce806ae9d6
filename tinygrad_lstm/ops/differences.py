"""Differences between neighbours, and values between them: diff, gradient, interp, linspace."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lstm.engine.memory import array_like, array_of
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.operation import implements, operation
from tinygrad_lstm.errors import DtypeError, ShapeError
from tinygrad_lstm.ops.elementwise import where
from tinygrad_lstm.ops.move import pad
from tinygrad_lstm.ops.select import index, take
from tinygrad_lstm.ops.shape import concatenate, moveaxis

__all__ = ["diff", "gradient", "interp", "linspace"]

REACH = 2  # entries on either side from which a slope of numpy.gradient is computed


def _between(ndim: int, axis: int, start: Any, stop: Any) -> tuple[Any, ...]:
    """The key of a range of entries along one axis."""
    return (slice(None),) * (axis % ndim) + (slice(start, stop),)


@operation(name="diff", analytic=True)
def difference(x: Any, n: int = 1, axis: int = -1) -> Any:
    return np.diff(x, n=n, axis=axis)


@difference.rule
def diff_x(g: Any, y: Any, x: Any, n: int = 1, axis: int = -1) -> Any:
    widths = [(0, 0)] * x.ndim
    widths[axis] = (1, 1)
    for _ in range(n):
        g = -difference(pad(g, widths), axis=axis)
    return g


@implements(np.diff)
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """The differences between neighbours, as :func:`numpy.diff`.

    Parameters
    ----------
    a : Tensor or array_like
        The values.
    n : int, default 1
        How many times differences are taken.
    axis : int, default -1
        Along which axis.
    prepend, append : Tensor or array_like, optional
        What stands before and after `a`, of its other lengths; or one number.

    Returns
    -------
    Tensor or ndarray
    """
    ends = [prepend, a, append]
    parts = [
        x if x is a else _whole(x, a, axis) for x in ends if x is not None and x is not np._NoValue
    ]
    return difference(
        parts[0] if len(parts) == 1 else concatenate(parts, axis=axis), n=n, axis=axis
    )


def _whole(end: Any, a: Any, axis: int) -> Any:
    """What is put at an end, with an entry where it is one number."""
    if np.ndim(end):
        return end
    lengths = list(np.shape(a))
    lengths[axis] = 1
    return np.broadcast_to(end, tuple(lengths))


@operation(name="gradient", analytic=True)
def slope(x: Any, spacing: Any = 1.0, axis: int = -1, edge_order: int = 1) -> Any:
    return np.gradient(x, spacing, axis=axis, edge_order=edge_order)


@slope.rule
def gradient_x(
    g: Any, y: Any, x: Any, spacing: Any = 1.0, axis: int = -1, edge_order: int = 1
) -> Any:
    n, total = x.shape[axis], 0
    g = moveaxis(g, axis, -1)
    widths = [(0, 0)] * (g.ndim - 1)
    weights = _weights(n, spacing, edge_order).astype(x.dtype)
    for step, weight in zip(range(-REACH, REACH + 1), weights, strict=True):
        moved = pad(g * weight, [*widths, (max(step, 0), max(-step, 0))])
        total = total + index(moved, key=(..., slice(max(-step, 0), max(-step, 0) + n)))
    return moveaxis(total, -1, axis)


def _weights(n: int, spacing: Any, edge_order: int) -> np.ndarray:
    """With which weight each slope reads its neighbours, (2 REACH + 1, n): found by slopes of
    combs, one entry of each set of neighbours."""
    count, places = 2 * REACH + 1, np.arange(n)
    combs = (places % count == np.arange(count)[:, np.newaxis]).astype(float)
    slopes = np.gradient(combs, spacing, axis=-1, edge_order=edge_order)
    found = np.zeros((count, n))
    for row, step in enumerate(range(-REACH, REACH + 1)):
        inside = (places + step >= 0) & (places + step < n)
        found[row, inside] = slopes[(places[inside] + step) % count, places[inside]]
    return found


@implements(np.gradient)
def gradient(f: Any, *spacing: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """The slopes of a sampled function, by central differences, as :func:`numpy.gradient`.

    Parameters
    ----------
    f : Tensor or array_like
        The samples.
    *spacing : float or array_like
        The distance between samples, or where they are: one for all axes, or one for each.
    axis : int or tuple of int, optional
        Along which axes; all by default.
    edge_order : {1, 2}
        How exact slopes at the ends are.

    Returns
    -------
    Tensor or ndarray, or a tuple of them
        A tuple, one for each axis, unless there is just one.
    """
    chosen = tuple(range(f.ndim)) if axis is None else np.atleast_1d(axis).tolist()
    steps = spacing * len(chosen) if len(spacing) == 1 else spacing or (1.0,) * len(chosen)
    if len(steps) != len(chosen):
        got = f"{len(steps)} spacings for {len(chosen)} axes"
        raise ShapeError("a spacing for each axis, or one for all", where="gradient", got=got)
    if any(isinstance(step, Node) and step.requires_grad for step in steps):  # type: ignore[attr-defined]
        raise DtypeError("the derivative by the spacing is not known", where="gradient")
    pairs = zip(chosen, map(array_of, steps), strict=True)
    found = tuple(slope(f, spacing=step, axis=a, edge_order=edge_order) for a, step in pairs)
    return found[0] if len(found) == 1 else found


@implements(np.interp)
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None) -> Any:
    """The line through points, at x, as :func:`numpy.interp`.

    At a point the slope is that of the line to its right.

    Parameters
    ----------
    x : Tensor or array_like
        Where it is read.
    xp : Tensor or array_like, shape (n,)
        Where the points are, increasing.
    fp : Tensor or array_like, shape (n,)
        How high they are.
    left, right : number, optional
        The value before the first and behind the last point; by default theirs.

    Returns
    -------
    Tensor or ndarray
        Of the shape of `x`.
    """
    at, points = np.asarray(array_of(x)), np.asarray(array_of(xp))
    if points.ndim != 1 or len(points) != np.size(fp) or not (np.diff(points) > 0).all():
        expected = "increasing points, with a height for each"
        raise ShapeError("no line goes through these", where="interp", expected=expected)
    if len(points) == 1:
        inside = np.broadcast_to(index(fp, key=0), at.shape)
    else:
        i = np.clip(np.searchsorted(points, at, side="right") - 1, 0, len(points) - 2)
        (x0, x1), (y0, y1) = ((take(v, i), take(v, i + 1)) for v in (xp, fp))
        inside = y0 + (x - x0) * ((y1 - y0) / (x1 - x0))
    low = index(fp, key=0) if left is None else left
    high = index(fp, key=-1) if right is None else right
    return where(at < points[0], low, where(at > points[-1], high, inside))


@implements(np.linspace)
def linspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, axis: int = 0) -> Any:
    """Evenly spaced numbers from `start` to `stop`, as :func:`numpy.linspace`.

    Parameters
    ----------
    start, stop : Tensor or array_like
        The ends, which broadcast against each other.
    num : int, default 50
        How many numbers.
    endpoint : bool, default True
        Whether `stop` is one of them.
    axis : int, default 0
        Along which axis of the result they stand.

    Returns
    -------
    Tensor or ndarray
    """
    start, stop = array_like(start), array_like(stop)
    dtype = np.result_type(array_of(start), array_of(stop), 1.0)
    weights = np.linspace(0.0, 1.0, num, endpoint=endpoint, dtype=dtype)
    ndim = max(np.ndim(start), np.ndim(stop))
    weights = weights.reshape((num, *(1,) * ndim))
    found = start * (1 - weights) + stop * weights
    return found if axis == 0 else moveaxis(found, 0, axis)
