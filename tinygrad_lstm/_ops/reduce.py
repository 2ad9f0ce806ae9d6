"""Operations that reduce a value along axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lstm._operation import operation


def restore(g: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """The gradient `g` of a reduction of `x`, with the reduced axes as axes of length one again."""
    if keepdims or x.ndim == 0:
        return g
    axes = range(x.ndim) if axis is None else (axis,) if np.ndim(axis) == 0 else axis
    reduced = {i % x.ndim for i in axes}
    return g.reshape(tuple(1 if i in reduced else n for i, n in enumerate(x.shape)))


@operation(np.sum, analytic=True)
def sum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The sum along `axis`, as :func:`numpy.sum`."""
    return np.sum(x, axis=axis, keepdims=keepdims)


@sum.rule
def sum_x(g: Any, y: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return np.broadcast_to(restore(g, x, axis, keepdims), x.shape)


@operation(np.mean, analytic=True)
def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The mean along `axis`, as :func:`numpy.mean`."""
    return np.mean(x, axis=axis, keepdims=keepdims)


@mean.rule
def mean_x(g: Any, y: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    count = max(x.size, 1) // max(y.size, 1)
    return np.broadcast_to(restore(g / count, x, axis, keepdims), x.shape)


@operation(analytic=True)
def add_n(*values: Any) -> Any:
    """The sum of any number of values of one shape, as one stage: the total Error of its blocks' Errors."""
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total


@add_n.rule
def add_n_i(g: Any, y: Any, values: tuple[Any, ...], argument: int) -> Any:
    return g
