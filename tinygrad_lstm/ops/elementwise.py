"""Operations that work entry by entry, with NumPy's broadcasting.

Source of the derivatives: any table of elementary derivatives; those of the LSTM are B1 to B10 of
its derivation.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_lstm.engine.node import SCALARS
from tinygrad_lstm.engine.operation import implements, operation, unbroadcast
from tinygrad_lstm.engine.recorder import recorder

__all__ = [
    "abs",
    "add",
    "astype",
    "cbrt",
    "ceil",
    "clip",
    "divide",
    "equal",
    "exp",
    "expm1",
    "floor",
    "floor_divide",
    "greater",
    "greater_equal",
    "hypot",
    "less",
    "less_equal",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "not_equal",
    "ones_like",
    "power",
    "reciprocal",
    "relu",
    "remainder",
    "rint",
    "round",
    "sigmoid",
    "sign",
    "sqrt",
    "square",
    "subtract",
    "tanh",
    "trunc",
    "where",
    "zeros_like",
]

NUMBERS = (np.ndarray, *SCALARS)


def finite(x: Any) -> bool:
    """Whether all entries are finite; those of a symbol are taken to be. An overflow of the squares
    is a harmless False."""
    if type(x) is not np.ndarray:
        x = getattr(x, "_array", x)
        if not isinstance(x, NUMBERS):
            return True
    return math.isfinite(np.vdot(x, x).real)  # the cheapest test of all entries at once


def times(g: Any, slope: Any) -> Any:
    """``g * slope``, but 0 where no gradient arrives at an infinite or undefined slope, which 0 *
    inf would make a NaN.

    Such a zero comes from a branch that was not taken: what happened there has no influence. Only
    those entries are touched, since elsewhere the product has to remain differentiable by `g`. A
    tape without a stage that selects entries has no such branch, and is not searched.
    """
    if not recorder.selecting or finite(slope):
        return g * slope
    return g * np.where(
        np.logical_and(np.equal(g, 0), np.logical_not(np.isfinite(slope))), 0, slope
    )


def over(g: Any, d: Any) -> Any:
    """``g / d``, but 0 where no gradient arrives at a `d` of 0 or NaN; see :func:`times`. Another
    gradient becomes infinite there."""
    if finite(d) and np.all(getattr(d, "_array", d)):
        return g / d
    with np.errstate(divide="ignore"):  # an infinite slope is the answer
        return g / np.where(np.logical_and(np.equal(g, 0), np.logical_not(np.abs(d) > 0)), 1, d)


@operation(np.add, analytic=True)
def add(a: Any, b: Any) -> Any:
    """``a + b``, as :func:`numpy.add`."""
    return a + b


@add.rule
def add_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(g, a)


@add.rule
def add_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(g, b)


@operation(np.subtract, analytic=True)
def subtract(a: Any, b: Any) -> Any:
    """``a - b``, as :func:`numpy.subtract`."""
    return a - b


@subtract.rule
def subtract_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(g, a)


@subtract.rule
def subtract_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(-g, b)


@operation(np.multiply, analytic=True, elementwise=True)
def multiply(a: Any, b: Any) -> Any:
    """``a * b``, entry by entry, as :func:`numpy.multiply`."""
    return a * b


@multiply.rule
def multiply_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(g * b, a)


@multiply.rule
def multiply_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(g * a, b)


@operation(np.divide, analytic=True)
def divide(a: Any, b: Any) -> Any:
    """``a / b``, as :func:`numpy.divide`."""
    return a / b


@divide.rule
def divide_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(over(g, b), a)


@divide.rule
def divide_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(over(times(-g, y), b), b)


@operation(np.power, analytic=True)
def power(a: Any, b: Any) -> Any:
    """``a ** b``, as :func:`numpy.power`.

    The derivative by `a` is 0 where `b` is 0. That by `b` is 0 where `a` is 0 and `b` is not
    negative (so both are 0 at ``0 ** 0``), and undefined, a NaN, where `a` is negative.
    """
    return a**b


@power.rule
@np.errstate(divide="ignore")  # 0 ** -0.5: an infinite slope is the answer
def power_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    if isinstance(b, SCALARS):
        n: Any = b
        return times(g, n * a ** (n - 1)) if n else np.zeros_like(a)
    zero = np.equal(b, 0)
    return unbroadcast(np.where(zero, 0, times(g, b * a ** np.where(zero, 1, b - 1))), a)


@power.rule
@np.errstate(divide="ignore", invalid="ignore")  # log of a negative base: the NaN is the answer
def power_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    zero = np.logical_and(np.equal(a, 0), np.greater_equal(b, 0))
    return unbroadcast(np.where(zero, 0, times(g, y * np.log(np.where(zero, 1, a)))), b)


@operation(np.negative, analytic=True)
def negative(x: Any) -> Any:
    """``-x``, as :func:`numpy.negative`."""
    return -x


@negative.rule
def negative_x(g: Any, y: Any, x: Any) -> Any:
    return -g


@operation(np.square, analytic=True)
def square(x: Any) -> Any:
    """``x * x`` as one stage with one edge, as :func:`numpy.square`."""
    return np.square(x)


@square.rule
def square_x(g: Any, y: Any, x: Any) -> Any:
    return times(g, 2 * x)


@operation(np.sqrt, analytic=True)
def sqrt(x: Any) -> Any:
    """The square root, as :func:`numpy.sqrt`. The derivative at 0 is infinite."""
    return np.sqrt(x)


@sqrt.rule
def sqrt_x(g: Any, y: Any, x: Any) -> Any:
    return over(g, 2 * y)


@operation(np.cbrt)
def cbrt(x: Any) -> Any:
    """The cube root, as :func:`numpy.cbrt`. The derivative at 0 is infinite."""
    return np.cbrt(x)


@cbrt.rule
def cbrt_x(g: Any, y: Any, x: Any) -> Any:
    return over(g, 3 * y * y)


@operation(np.reciprocal, analytic=True)
def reciprocal(x: Any) -> Any:
    """``1 / x``, as :func:`numpy.reciprocal`."""
    return np.reciprocal(x)


@reciprocal.rule
def reciprocal_x(g: Any, y: Any, x: Any) -> Any:
    return times(-g, y * y)


@operation(np.hypot)
def hypot(a: Any, b: Any) -> Any:
    """``sqrt(a**2 + b**2)``, as :func:`numpy.hypot`. Both derivatives are 0 where both are 0."""
    return np.hypot(a, b)


@hypot.rule
def hypot_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(times(g, over(a, y)), a)


@hypot.rule
def hypot_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(times(g, over(b, y)), b)


@operation(np.absolute, np.fabs)
def abs(x: Any) -> Any:
    """The absolute value, as :func:`numpy.absolute`. The derivative at 0 is 0."""
    return np.absolute(x)


@abs.rule
def abs_x(g: Any, y: Any, x: Any) -> Any:
    return times(g, np.conjugate(np.sign(x)) if x.dtype.kind == "c" else np.sign(x))


@operation(np.exp, analytic=True)
def exp(x: Any) -> Any:
    """The exponential, as :func:`numpy.exp`."""
    return np.exp(x)


@exp.rule
def exp_x(g: Any, y: Any, x: Any) -> Any:
    return times(g, y)


@operation(np.expm1, analytic=True)
def expm1(x: Any) -> Any:
    """``exp(x) - 1`` without cancellation, as :func:`numpy.expm1`."""
    return np.expm1(x)


@expm1.rule
@np.errstate(over="ignore")  # forward has warned of it
def expm1_x(g: Any, y: Any, x: Any) -> Any:
    return times(g, np.exp(x))  # y + 1 would be 0 from x = -37 on


@operation(np.log, analytic=True)
def log(x: Any) -> Any:
    """The natural logarithm, as :func:`numpy.log`."""
    return np.log(x)


@log.rule
def log_x(g: Any, y: Any, x: Any) -> Any:
    return over(g, x)


@operation(np.log1p, analytic=True)
def log1p(x: Any) -> Any:
    """``log(1 + x)`` without cancellation, as :func:`numpy.log1p`."""
    return np.log1p(x)


@log1p.rule
def log1p_x(g: Any, y: Any, x: Any) -> Any:
    return over(g, 1 + x)


@operation(np.log2, analytic=True)
def log2(x: Any) -> Any:
    """The logarithm to base 2, as :func:`numpy.log2`."""
    return np.log2(x)


@log2.rule
def log2_x(g: Any, y: Any, x: Any) -> Any:
    return over(g, x * math.log(2))


@operation(np.log10, analytic=True)
def log10(x: Any) -> Any:
    """The logarithm to base 10, as :func:`numpy.log10`."""
    return np.log10(x)


@log10.rule
def log10_x(g: Any, y: Any, x: Any) -> Any:
    return over(g, x * math.log(10))


@operation(np.logaddexp)
def logaddexp(a: Any, b: Any) -> Any:
    """``log(exp(a) + exp(b))`` without overflow, as :func:`numpy.logaddexp`. Two equal infinities
    share the gradient equally."""
    return np.logaddexp(a, b)


def gap(a: Any, b: Any) -> Any:
    """``a - b``, but 0 for two equal infinities."""
    same = np.logical_and(np.isinf(a), np.equal(a, b))
    return np.where(same, 0, a) - np.where(same, 0, b)


@logaddexp.rule
def logaddexp_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(times(g, sigmoid(gap(a, b))), a)


@logaddexp.rule
def logaddexp_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(times(g, sigmoid(gap(b, a))), b)


@operation(np.tanh, analytic=True, elementwise=True)
def tanh(x: Any) -> Any:
    """The hyperbolic tangent, as :func:`numpy.tanh`."""
    return np.tanh(x)


@tanh.rule
def tanh_x(g: Any, y: Any, x: Any) -> Any:
    return g * (1 - y * y)


@operation(analytic=True, elementwise=True)
@np.errstate(over="ignore")  # exp(-x) is inf where the result is 0
def sigmoid(x: Any) -> Any:
    """The logistic function ``1 / (1 + exp(-x))``, to full relative precision at both ends."""
    return np.reciprocal(1 + np.exp(-x))


@sigmoid.rule
def sigmoid_x(g: Any, y: Any, x: Any) -> Any:
    return g * (y * (1 - y))


@operation(selects=True)
def relu(x: Any) -> Any:
    """``max(x, 0)``. The derivative at 0 is 0."""
    return np.maximum(x, 0)


@relu.rule
def relu_x(g: Any, y: Any, x: Any) -> Any:
    return np.where(y <= 0, 0, g)  # a NaN passes the gradient on


@operation(np.maximum, selects=True)
def maximum(a: Any, b: Any) -> Any:
    """The larger of the two, as :func:`numpy.maximum`.

    Where they are equal each side receives half of the gradient, where one is NaN both receive all
    of it.
    """
    return np.maximum(a, b)


@maximum.rule
def maximum_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(np.where(a < b, 0, np.where(np.equal(a, b), g / 2, g)), a)


@maximum.rule
def maximum_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(np.where(b < a, 0, np.where(np.equal(a, b), g / 2, g)), b)


@operation(np.minimum, selects=True)
def minimum(a: Any, b: Any) -> Any:
    """The smaller of the two, as :func:`numpy.minimum`.

    Where they are equal each side receives half of the gradient, where one is NaN both receive all
    of it.
    """
    return np.minimum(a, b)


@minimum.rule
def minimum_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(np.where(a > b, 0, np.where(np.equal(a, b), g / 2, g)), a)


@minimum.rule
def minimum_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(np.where(b > a, 0, np.where(np.equal(a, b), g / 2, g)), b)


@operation(name="clip", selects=True)
def bound(x: Any, low: Any, high: Any) -> Any:
    return np.minimum(np.maximum(x, low), high)


@bound.rule
def clip_x(g: Any, y: Any, x: Any, low: Any, high: Any) -> Any:
    return unbroadcast(np.where(np.logical_or(x < low, x > high), 0, g), x)


@bound.rule
def clip_low(g: Any, y: Any, x: Any, low: Any, high: Any) -> Any:
    return unbroadcast(np.where(np.logical_and(x < low, low < high), g, 0), low)


@bound.rule
def clip_high(g: Any, y: Any, x: Any, low: Any, high: Any) -> Any:
    return unbroadcast(np.where(np.logical_or(x > high, high < low), g, 0), high)


@implements(np.clip)
def clip(x: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    """Values below the lower bound raised to it, and those above the upper bound lowered to it, as
    :func:`numpy.clip`.

    Inside and at the bounds `x` receives the gradient, outside the bound does. Where the lower
    bound exceeds the upper one, the result is the upper one.

    Parameters
    ----------
    x : Tensor or array_like
        Values.
    a_min, a_max : Tensor, array_like or None
        The lower and the upper bound, of shapes that broadcast with `x`. None is no bound.
    min, max : Tensor, array_like or None
        NumPy's other names for the bounds.

    Returns
    -------
    Tensor or ndarray
        Of the shape to which `x` and the bounds broadcast.
    """
    low, high = (b if a is None else a for a, b in ((a_min, min), (a_max, max)))
    lowest, highest = _range(x)
    return bound(x, lowest if low is None else low, highest if high is None else high)


def _range(x: Any) -> tuple[Any, Any]:
    dtype = getattr(x, "dtype", None) or np.asarray(x).dtype
    return (
        (np.iinfo(dtype).min, np.iinfo(dtype).max) if dtype.kind in "iu" else (-math.inf, math.inf)
    )


@operation(np.where, selects=True)
def where(condition: Any, a: Any, b: Any) -> Any:
    """`a` where `condition` holds, else `b`, as :func:`numpy.where`. The branch not taken receives
    0."""
    return np.where(condition, a, b)


@where.rule
def where_condition(g: Any, y: Any, condition: Any, a: Any, b: Any) -> Any:
    return np.zeros_like(condition)


@where.rule
def where_a(g: Any, y: Any, condition: Any, a: Any, b: Any) -> Any:
    return unbroadcast(np.where(condition, g, 0), a)


@where.rule
def where_b(g: Any, y: Any, condition: Any, a: Any, b: Any) -> Any:
    return unbroadcast(np.where(condition, 0, g), b)


@operation(name="astype")
def cast(x: Any, dtype: Any = None) -> Any:
    return x.astype(dtype)


@cast.rule
def astype_x(g: Any, y: Any, x: Any, dtype: Any = None) -> Any:
    return g  # backward gives every gradient the dtype of its value


@operation(name="astype")
def cast_to_constant(x: Any, dtype: Any = None) -> Any:
    return x.astype(dtype)


def astype(x: Any, dtype: Any = None) -> Any:
    """The same numbers in another dtype, as :meth:`numpy.ndarray.astype`. Integers and bool have no
    derivative: they are constants."""
    return (cast if np.dtype(dtype).kind in "fc" else cast_to_constant)(x, dtype=dtype)


# Flat between their jumps: the derivative is 0, also at a jump.


@operation(np.sign)
def sign(x: Any) -> Any:
    """-1, 0 or 1, and of complex values ``x / abs(x)``, as :func:`numpy.sign`. The derivative by
    real values is 0."""
    return np.sign(x)


@sign.rule
def sign_x(g: Any, y: Any, x: Any) -> Any:
    return (
        over(g - np.conjugate(g * y * y), 2 * np.absolute(x))
        if x.dtype.kind == "c"
        else np.zeros_like(x)
    )


@operation(np.floor)
def floor(x: Any) -> Any:
    """The next integer below, as :func:`numpy.floor`. The derivative is 0."""
    return np.floor(x)


@floor.rule
def floor_x(g: Any, y: Any, x: Any) -> Any:
    return np.zeros_like(x)


@operation(np.ceil)
def ceil(x: Any) -> Any:
    """The next integer above, as :func:`numpy.ceil`. The derivative is 0."""
    return np.ceil(x)


@ceil.rule
def ceil_x(g: Any, y: Any, x: Any) -> Any:
    return np.zeros_like(x)


@operation(np.trunc)
def trunc(x: Any) -> Any:
    """The next integer towards 0, as :func:`numpy.trunc`. The derivative is 0."""
    return np.trunc(x)


@trunc.rule
def trunc_x(g: Any, y: Any, x: Any) -> Any:
    return np.zeros_like(x)


@operation(np.round, np.around)
def round(x: Any, decimals: int = 0) -> Any:
    """Rounded to `decimals`, halves to even, as :func:`numpy.round`. The derivative is 0."""
    return np.round(x, decimals)


@round.rule
def round_x(g: Any, y: Any, x: Any, decimals: int = 0) -> Any:
    return np.zeros_like(x)


@implements(np.rint)
def rint(x: Any) -> Any:
    """The nearest integer, halves to even, as :func:`numpy.rint`: the stage :func:`round`. The
    derivative is 0."""
    return round(x)


@operation(np.floor_divide)
def floor_divide(a: Any, b: Any) -> Any:
    """``a // b``, as :func:`numpy.floor_divide`. Both derivatives are 0."""
    return a // b


@floor_divide.rule
def floor_divide_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    return np.zeros_like(a)


@floor_divide.rule
def floor_divide_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    return np.zeros_like(b)


@operation(np.remainder, np.mod)
def remainder(a: Any, b: Any) -> Any:
    """``a % b`` with the sign of `b`, as :func:`numpy.remainder`. The derivatives are those of ``a
    - b * (a // b)``."""
    return a % b


@remainder.rule
def remainder_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(g, a)


@remainder.rule
def remainder_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(-g * np.floor_divide(a, b), b)


# Without a derivative: the results are constants.


@operation(np.greater)
def greater(a: Any, b: Any) -> Any:
    """``a > b``, as :func:`numpy.greater`."""
    return np.greater(a, b)


@operation(np.greater_equal)
def greater_equal(a: Any, b: Any) -> Any:
    """``a >= b``, as :func:`numpy.greater_equal`."""
    return np.greater_equal(a, b)


@operation(np.less)
def less(a: Any, b: Any) -> Any:
    """``a < b``, as :func:`numpy.less`."""
    return np.less(a, b)


@operation(np.less_equal)
def less_equal(a: Any, b: Any) -> Any:
    """``a <= b``, as :func:`numpy.less_equal`."""
    return np.less_equal(a, b)


@operation(np.equal)
def equal(a: Any, b: Any) -> Any:
    """``a == b``, as :func:`numpy.equal`."""
    return np.equal(a, b)


@operation(np.not_equal)
def not_equal(a: Any, b: Any) -> Any:
    """``a != b``, as :func:`numpy.not_equal`."""
    return np.not_equal(a, b)


@operation(np.zeros_like)
def zeros_like(x: Any) -> Any:
    """Zeros of the shape and dtype of `x`, as :func:`numpy.zeros_like`."""
    return np.zeros_like(x)


@operation(np.ones_like)
def ones_like(x: Any) -> Any:
    """Ones of the shape and dtype of `x`, as :func:`numpy.ones_like`."""
    return np.ones_like(x)
