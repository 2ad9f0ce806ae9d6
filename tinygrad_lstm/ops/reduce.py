"""Operations that reduce or accumulate a value along axes.

``axis`` is None (all axes), a number or a tuple of numbers, negative ones counted from the end, as
in NumPy. At a tie (max, min, median, the norm of order inf) the gradient is shared equally among
the tied entries.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_lstm.engine.memory import conjugated, floats
from tinygrad_lstm.engine.operation import operation
from tinygrad_lstm.ops.elementwise import quotient

__all__ = [
    "add_n",
    "cumprod",
    "cumsum",
    "log_softmax",
    "logsumexp",
    "max",
    "mean",
    "median",
    "min",
    "nanmean",
    "nansum",
    "prod",
    "softmax",
    "std",
    "sum",
    "var",
]


def axes_of(x: Any, axis: Any) -> tuple[int, ...]:
    """The axes that `axis` stands for, counted from the front."""
    axes = range(x.ndim) if axis is None else (axis,) if np.ndim(axis) == 0 else axis
    return tuple(i % x.ndim for i in axes) if x.ndim else ()


def restore(g: Any, x: Any, axis: Any, keepdims: bool = False) -> Any:
    """The gradient `g` of a reduction of `x`, with the reduced axes as axes of length one again."""
    if keepdims or x.ndim == 0:
        return g
    reduced = axes_of(x, axis)
    return g.reshape(tuple(1 if i in reduced else n for i, n in enumerate(x.shape)))


def count(x: Any, y: Any) -> int:
    """How many entries of `x` each entry of its reduction `y` stands for."""
    return int((x.size or 1) // (y.size or 1))


def wide(n: int, x: Any) -> Any:
    """A count of entries of `x`, as a number by which float16 can be divided too, which ends at
    65,504: NumPy computes in float32 then."""
    return np.float32(n) if x.dtype == np.float16 else n


@operation(np.sum, analytic=True, kind="reduction")
def sum(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """The sum along `axis`, as :func:`numpy.sum`."""
    return np.sum(x, axis=axis, keepdims=keepdims)


@sum.rule
def sum_x(g: Any, y: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return np.broadcast_to(restore(g, x, axis, keepdims), x.shape)


@operation(np.mean, analytic=True, kind="reduction")
def mean(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """The mean along `axis`, as :func:`numpy.mean`."""
    return np.mean(x, axis=axis, keepdims=keepdims)


@mean.rule
def mean_x(g: Any, y: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return np.broadcast_to(restore(g / wide(count(x, y), x), x, axis, keepdims), x.shape)


@operation(analytic=True, kind="arithmetic")
def add_n(*values: Any) -> Any:
    """The sum of any number of values of one shape, as one stage: the total Error of its blocks'
    Errors."""
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total


@add_n.rule
def add_n_i(g: Any, y: Any, values: tuple[Any, ...], argument: int) -> Any:
    return g


# Spread.


@operation(np.var, kind="reduction")
def var(x: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    """The mean squared distance from the mean, as :func:`numpy.var`.

    Parameters
    ----------
    x : Tensor or array_like
    axis : int or tuple of int, optional
        The axes; all by default.
    ddof : float, default 0
        What is subtracted from the number of entries N: the divisor is ``N - ddof``. Without a
        positive divisor the value and its gradient are NaN.
    keepdims : bool, default False
        Whether the reduced axes stay, with length one.
    """
    return np.var(x, axis=axis, ddof=ddof, keepdims=keepdims)


@var.rule
def var_x(g: Any, y: Any, x: Any, axis: Any = None, ddof: float = 0, keepdims: bool = False) -> Any:
    return restore(g, x, axis, keepdims) * deviation(x, axis, 2, count(x, y) - ddof)


@operation(np.std, kind="reduction")
def std(x: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    """The square root of :func:`var`, as :func:`numpy.std`. Where all entries are equal the
    gradient is 0."""
    return np.std(x, axis=axis, ddof=ddof, keepdims=keepdims)


@std.rule
def std_x(g: Any, y: Any, x: Any, axis: Any = None, ddof: float = 0, keepdims: bool = False) -> Any:
    y = restore(y, x, axis, keepdims)
    return restore(g, x, axis, keepdims) * quotient(deviation(x, axis, 1, count(x, y) - ddof), y)


def deviation(x: Any, axis: Any, factor: float, divisor: float) -> Any:
    """``factor * (x - mean(x)) / divisor``, NaN without a positive divisor, as the variance
    itself."""
    return conjugated(x - np.mean(x, axis=axis, keepdims=True)) * (
        factor / divisor if divisor > 0 else np.nan
    )


# The largest, the smallest, the one in the middle.


@operation(np.max, np.amax, kind="reduction")
def max(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """The largest entry along `axis`, as :func:`numpy.max`. Entries that tie share the gradient
    equally."""
    return np.max(x, axis=axis, keepdims=keepdims)


@max.rule
def max_x(g: Any, y: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return restore(g, x, axis, keepdims) * share(x, restore(y, x, axis, keepdims), axis)


@operation(np.min, np.amin, kind="reduction")
def min(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """The smallest entry along `axis`, as :func:`numpy.min`. Entries that tie share the gradient
    equally."""
    return np.min(x, axis=axis, keepdims=keepdims)


@min.rule
def min_x(g: Any, y: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return restore(g, x, axis, keepdims) * share(x, restore(y, x, axis, keepdims), axis)


def share(x: Any, value: Any, axis: Any) -> Any:
    """1 for the entry of `x` that is `value`, equal parts for several: NaNs where there are any, as
    in the value."""
    tied = (np.equal(x, value) + np.not_equal(x, x)).astype(np.result_type(x.dtype, np.float32))
    return tied / tied.sum(axis=axis, keepdims=True)


@operation(np.median, kind="reduction")
def median(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """The entry in the middle of the sorted entries, or the mean of the two there, as
    :func:`numpy.median`.

    Each of the two receives half of the gradient, shared equally with the entries that tie with it.
    """
    return np.median(x, axis=axis, keepdims=keepdims)


@median.rule
def median_x(g: Any, y: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    if not x.size:
        return np.zeros_like(x)
    lower, upper = (
        share(x, middle(x, axis=axis, method=method), axis) for method in ("lower", "higher")
    )
    return restore(g, x, axis, keepdims) * (lower + upper) / 2


@operation()
def middle(x: Any, axis: Any = None, method: str = "lower") -> Any:
    """The entry below or above the middle; a constant, since only its place is asked for."""
    return np.quantile(x, 0.5, axis=axis, method=method, keepdims=True)  # type: ignore[call-overload]


# Exponentials, shifted by the largest entry so that none overflows.


@operation(kind="reduction")
@np.errstate(divide="ignore")  # log(0) is the -inf that is meant
def logsumexp(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """``log(sum(exp(x)))`` along `axis`, finite wherever it is in mathematics.

    Parameters
    ----------
    x : Tensor or array_like
        Real numbers. Entries may be -inf, which adds nothing; if all are, the result is -inf and
        the gradient 0.
    axis : int or tuple of int, optional
        The axes; all by default.
    keepdims : bool, default False
        Whether the reduced axes stay, with length one.
    """
    x = floats(x)
    top = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0)
    y = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return y if keepdims else np.squeeze(y, axes_of(y, axis))


@logsumexp.rule
def logsumexp_x(g: Any, y: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    nothing = np.equal(restore(y, x, axis, keepdims), -np.inf)
    parts = softmax(
        np.where(nothing, 0, x), axis=axis
    )  # more digits than exp(x - y), where y is large
    return restore(g, x, axis, keepdims) * np.where(nothing, 0, parts)


@operation(analytic=True, kind="function")
def softmax(x: Any, axis: Any = -1) -> Any:
    """``exp(x) / sum(exp(x))`` along `axis`: positive parts of 1.

    Parameters
    ----------
    x : Tensor or array_like
        Real numbers. An entry of -inf has the part 0.
    axis : int, tuple of int or None, default -1
        The axes over which the parts add up to 1; None for all.
    """
    x = floats(x)
    exps = np.exp(x - np.max(x, axis=axis, keepdims=True, initial=-np.inf))
    return exps / exps.sum(axis=axis, keepdims=True)


@softmax.rule
def softmax_x(g: Any, y: Any, x: Any, axis: Any = -1) -> Any:
    return y * (g - (g * y).sum(axis=axis, keepdims=True))


@operation(kind="function")
@np.errstate(divide="ignore")  # the log of a sum over no entries, which is read nowhere
def log_softmax(x: Any, axis: Any = -1) -> Any:
    """The logarithm of :func:`softmax`, finite where that has rounded to 0."""
    x = floats(x)
    shifted = x - np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


@log_softmax.rule
def log_softmax_x(g: Any, y: Any, x: Any, axis: Any = -1) -> Any:
    return g - np.exp(y) * g.sum(axis=axis, keepdims=True)


# Products and running totals. No rule divides by an entry: an entry may be 0.


@operation(np.prod, analytic=True, kind="reduction")
def prod(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """The product along `axis`, as :func:`numpy.prod`. The derivative by an entry is the product of
    the others."""
    return np.prod(x, axis=axis, keepdims=keepdims)


@prod.rule
def prod_x(g: Any, y: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return restore(g, x, axis, keepdims) * others(x, axes_of(x, axis))


def others(x: Any, axes: tuple[int, ...]) -> Any:
    """For each entry the product of the others along `axes`: of those before it and of those after
    it."""
    order = (*(i for i in range(x.ndim) if i not in axes), *axes)
    moved = np.transpose(x, order)
    row = moved.reshape((*moved.shape[: x.ndim - len(axes)], math.prod(x.shape[i] for i in axes)))
    before, after = (
        shifted(np.cumprod(row, axis=-1), 1),
        reverse(shifted(np.cumprod(reverse(row), axis=-1), 1)),
    )
    return np.transpose(
        (before * after).reshape(moved.shape), tuple(order.index(i) for i in range(x.ndim))
    )


@operation(np.cumsum, analytic=True, kind="reduction")
def cumsum(x: Any, axis: Any = None) -> Any:
    """The running sum along `axis`, or of the entries in one row, as :func:`numpy.cumsum`."""
    return np.cumsum(x, axis=axis)


@cumsum.rule
def cumsum_x(g: Any, y: Any, x: Any, axis: Any = None) -> Any:
    axis = 0 if axis is None else axis
    return reverse(np.cumsum(reverse(g, axis), axis=axis), axis).reshape(x.shape)


@operation(np.cumprod, analytic=True, kind="reduction")
def cumprod(x: Any, axis: Any = None) -> Any:
    """The running product along `axis`, or of the entries in one row, as :func:`numpy.cumprod`."""
    return np.cumprod(x, axis=axis)


@cumprod.rule
def cumprod_x(g: Any, y: Any, x: Any, axis: Any = None) -> Any:
    row, axis = (x.reshape(y.shape), 0) if axis is None else (x, axis)
    return (shifted(y, 1, axis) * recur_back(row, g, axis)).reshape(x.shape)


@operation()
def recurrence(a: Any, b: Any, axis: int = -1) -> Any:
    """``h[i] = a[i] * h[i - 1] + b[i]`` along `axis`, with 0 before the first."""
    a, h = np.moveaxis(a, axis, 0), np.moveaxis(b, axis, 0).copy()
    for i in range(1, len(h)):
        h[i] += a[i] * h[i - 1]
    return np.moveaxis(h, 0, axis)


@recurrence.rule
def recurrence_a(g: Any, y: Any, a: Any, b: Any, axis: int = -1) -> Any:
    return recur_back(a, g, axis) * shifted(y, 0, axis)


@recurrence.rule
def recurrence_b(g: Any, y: Any, a: Any, b: Any, axis: int = -1) -> Any:
    return recur_back(a, g, axis)


def recur_back(a: Any, g: Any, axis: int) -> Any:
    """``h[i] = g[i] + a[i + 1] * h[i + 1]``: how the gradient of a running total comes back."""
    return reverse(
        recurrence(shifted(reverse(a, axis), 0, axis), reverse(g, axis), axis=axis), axis
    )


def along(x: Any, axis: int, part: slice) -> Any:
    """``x[part]`` on one axis."""
    return x[(slice(None),) * (axis % x.ndim) + (part,)]


def reverse(x: Any, axis: int = -1) -> Any:
    """`x` from its last entry to its first."""
    return along(x, axis, slice(None, None, -1))


def shifted(x: Any, first: float, axis: int = -1) -> Any:
    """`x` moved on by one place: `first` comes in, the last entry goes out."""
    head = along(x, axis, slice(0, 1))
    return np.concatenate(
        [np.full(head.shape, first, x.dtype), along(x, axis, slice(0, -1))], axis=axis
    )


# Without what is not a number.


@operation(np.nansum, kind="reduction")
def nansum(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """The sum of what is not NaN, as :func:`numpy.nansum`. A NaN receives no gradient."""
    return np.nansum(x, axis=axis, keepdims=keepdims)


@nansum.rule
def nansum_x(g: Any, y: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return np.where(np.isnan(x), 0, restore(g, x, axis, keepdims))


@operation(np.nanmean, kind="reduction")
def nanmean(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """The mean of what is not NaN, as :func:`numpy.nanmean`. A NaN receives no gradient."""
    return np.nanmean(x, axis=axis, keepdims=keepdims)


@nanmean.rule
def nanmean_x(g: Any, y: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    numbers = np.logical_not(np.isnan(x))
    share = g / np.sum(numbers, axis=axis, keepdims=keepdims).astype(y.dtype)
    return np.where(numbers, restore(share, x, axis, keepdims), 0)
