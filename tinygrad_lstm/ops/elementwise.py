"""Operations that work entry by entry, with NumPy's broadcasting.

Source of the derivatives: any table of elementary derivatives; those of the LSTM are B1 to B10 of
its derivation.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_lstm.engine.memory import SCALARS, conjugated, floats
from tinygrad_lstm.engine.operation import implements, operation, unbroadcast

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
    "exp2",
    "expm1",
    "floor",
    "floor_divide",
    "fmax",
    "fmin",
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
    "logaddexp2",
    "maximum",
    "minimum",
    "multiply",
    "nan_to_num",
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


def quotient(a: Any, b: Any) -> Any:
    """``a / b``, and 0 where `a` and `b` are 0."""
    undefined = np.logical_and(np.equal(a, 0), np.equal(b, 0))
    return np.where(undefined, 0, a / np.where(undefined, 1, b))


@operation(np.add, analytic=True, elementwise=True, kind="arithmetic")
def add(a: Any, b: Any) -> Any:
    """``a + b``, as :func:`numpy.add`."""
    return a + b


@add.rule
def add_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(g, a)


@add.rule
def add_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(g, b)


@operation(np.subtract, analytic=True, elementwise=True, kind="arithmetic")
def subtract(a: Any, b: Any) -> Any:
    """``a - b``, as :func:`numpy.subtract`."""
    return a - b


@subtract.rule
def subtract_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(g, a)


@subtract.rule
def subtract_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(-g, b)


@operation(np.multiply, analytic=True, elementwise=True, kind="arithmetic")
def multiply(a: Any, b: Any) -> Any:
    """``a * b``, entry by entry, as :func:`numpy.multiply`."""
    return a * b


@multiply.rule
def multiply_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(g * b, a)


@multiply.rule
def multiply_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(g * a, b)


@operation(np.divide, analytic=True, elementwise=True, kind="arithmetic")
def divide(a: Any, b: Any) -> Any:
    """``a / b``, as :func:`numpy.divide`."""
    return a / b


@divide.rule
def divide_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(g / b, a)


@divide.rule
def divide_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(-g * y / b, b)


@operation(np.power, analytic=True, elementwise=True, kind="arithmetic")
def power(a: Any, b: Any) -> Any:
    """``a ** b``, as :func:`numpy.power`.

    The derivative by `a` is 0 where `b` is 0. That by `b` is 0 where `a` is 0 and `b` is not
    negative (so both are 0 at ``0 ** 0``), and undefined, a NaN, where `a` is negative.
    """
    return a**b


@power.rule
def power_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    if isinstance(b, SCALARS):
        n: Any = b
        return g * (n * a ** (n - 1)) if n else np.zeros_like(a)
    zero = np.equal(b, 0)
    return unbroadcast(np.where(zero, 0, g * (b * a ** np.where(zero, 1, b - 1))), a)


@power.rule
def power_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    zero = np.logical_and(np.equal(a, 0), np.greater_equal(b, 0))
    return unbroadcast(np.where(zero, 0, g * (y * np.log(np.where(zero, 1, a)))), b)


@operation(np.negative, analytic=True, elementwise=True, kind="arithmetic")
def negative(x: Any) -> Any:
    """``-x``, as :func:`numpy.negative`."""
    return -x


@negative.rule
def negative_x(g: Any, y: Any, x: Any) -> Any:
    return -g


@operation(np.square, analytic=True, elementwise=True, kind="function")
def square(x: Any) -> Any:
    """``x * x`` as one stage with one edge, as :func:`numpy.square`."""
    return np.square(x)


@square.rule
def square_x(g: Any, y: Any, x: Any) -> Any:
    return g * (2 * x)


@operation(np.sqrt, analytic=True, elementwise=True, kind="function")
def sqrt(x: Any) -> Any:
    """The square root, as :func:`numpy.sqrt`. The derivative at 0 is infinite."""
    return np.sqrt(x)


@sqrt.rule
def sqrt_x(g: Any, y: Any, x: Any) -> Any:
    return g / (2 * y)


@operation(np.cbrt, elementwise=True, kind="function")
def cbrt(x: Any) -> Any:
    """The cube root, as :func:`numpy.cbrt`. The derivative at 0 is infinite."""
    return np.cbrt(x)


@cbrt.rule
def cbrt_x(g: Any, y: Any, x: Any) -> Any:
    return g / (3 * y * y)


@operation(np.reciprocal, analytic=True, elementwise=True, kind="arithmetic")
def reciprocal(x: Any) -> Any:
    """``1 / x``, as :func:`numpy.reciprocal`."""
    return np.reciprocal(x)


@reciprocal.rule
def reciprocal_x(g: Any, y: Any, x: Any) -> Any:
    return -g * (y * y)


@operation(np.hypot, elementwise=True)
def hypot(a: Any, b: Any) -> Any:
    """``sqrt(a**2 + b**2)``, as :func:`numpy.hypot`. Both derivatives are 0 where both are 0."""
    return np.hypot(a, b)


@hypot.rule
def hypot_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(g * quotient(a, y), a)


@hypot.rule
def hypot_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(g * quotient(b, y), b)


@operation(np.absolute, np.fabs, elementwise=True, kind="function")
def abs(x: Any) -> Any:
    """The absolute value, as :func:`numpy.absolute`. The derivative at 0 is 0."""
    return np.absolute(x)


@abs.rule
def abs_x(g: Any, y: Any, x: Any) -> Any:
    return g * conjugated(np.sign(x))


@operation(np.exp, analytic=True, elementwise=True, kind="function")
def exp(x: Any) -> Any:
    """The exponential, as :func:`numpy.exp`."""
    return np.exp(x)


@exp.rule
def exp_x(g: Any, y: Any, x: Any) -> Any:
    return g * y


@operation(np.expm1, analytic=True, elementwise=True, kind="function")
def expm1(x: Any) -> Any:
    """``exp(x) - 1`` without cancellation, as :func:`numpy.expm1`."""
    return np.expm1(x)


@expm1.rule
@np.errstate(over="ignore")  # forward has warned of it
def expm1_x(g: Any, y: Any, x: Any) -> Any:
    return g * np.exp(x)  # y + 1 would be 0 from x = -37 on


@operation(np.log, analytic=True, elementwise=True, kind="function")
def log(x: Any) -> Any:
    """The natural logarithm, as :func:`numpy.log`."""
    return np.log(x)


@log.rule
def log_x(g: Any, y: Any, x: Any) -> Any:
    return g / x


@operation(np.log1p, analytic=True, elementwise=True, kind="function")
def log1p(x: Any) -> Any:
    """``log(1 + x)`` without cancellation, as :func:`numpy.log1p`."""
    return np.log1p(x)


@log1p.rule
def log1p_x(g: Any, y: Any, x: Any) -> Any:
    return g / (1 + x)


@operation(np.log2, analytic=True, elementwise=True, kind="function")
def log2(x: Any) -> Any:
    """The logarithm to base 2, as :func:`numpy.log2`."""
    return np.log2(x)


@log2.rule
def log2_x(g: Any, y: Any, x: Any) -> Any:
    return g / (x * math.log(2))


@operation(np.log10, analytic=True, elementwise=True, kind="function")
def log10(x: Any) -> Any:
    """The logarithm to base 10, as :func:`numpy.log10`."""
    return np.log10(x)


@log10.rule
def log10_x(g: Any, y: Any, x: Any) -> Any:
    return g / (x * math.log(10))


@operation(np.logaddexp, elementwise=True)
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
    return unbroadcast(g * sigmoid(gap(a, b)), a)


@logaddexp.rule
def logaddexp_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(g * sigmoid(gap(b, a)), b)


@operation(np.logaddexp2, elementwise=True)
def logaddexp2(a: Any, b: Any) -> Any:
    """``log2(2**a + 2**b)`` without overflow, as :func:`numpy.logaddexp2`. Two equal infinities
    share the gradient equally."""
    return np.logaddexp2(a, b)


@logaddexp2.rule
def logaddexp2_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(g * sigmoid(np.log(2) * gap(a, b)), a)


@logaddexp2.rule
def logaddexp2_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(g * sigmoid(np.log(2) * gap(b, a)), b)


@operation(np.tanh, analytic=True, elementwise=True, kind="function")
def tanh(x: Any) -> Any:
    """The hyperbolic tangent, as :func:`numpy.tanh`."""
    return np.tanh(x)


@tanh.rule
def tanh_x(g: Any, y: Any, x: Any) -> Any:
    return g * (1.0 - y * y)


@operation(analytic=True, elementwise=True, kind="function")
@np.errstate(over="ignore")  # exp(-x) is inf where the result is 0
def sigmoid(x: Any) -> Any:
    """The logistic function ``1 / (1 + exp(-x))``, to full relative precision at both ends."""
    return np.reciprocal(1.0 + np.exp(-floats(x)))


@sigmoid.rule
def sigmoid_x(g: Any, y: Any, x: Any) -> Any:
    return g * (y * (1.0 - y))


@operation(elementwise=True, kind="function")
def relu(x: Any) -> Any:
    """``max(x, 0)``. The derivative at 0 is 0."""
    return np.maximum(x, 0)


@relu.rule
def relu_x(g: Any, y: Any, x: Any) -> Any:
    return np.where(y <= 0, 0, g)  # a NaN passes the gradient on


@operation(np.maximum, elementwise=True)
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


@operation(np.minimum, elementwise=True)
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


@operation(name="clip", elementwise=True)
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


@operation(np.where, elementwise=True, kind="move")
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


@operation(name="astype", elementwise=True, kind="move")
def cast(x: Any, dtype: Any = None) -> Any:
    return x.astype(dtype)


@cast.rule
def astype_x(g: Any, y: Any, x: Any, dtype: Any = None) -> Any:
    return g  # backward gives every gradient the dtype of its value


@operation(name="astype", elementwise=True, kind="move")
def cast_to_constant(x: Any, dtype: Any = None) -> Any:
    return x.astype(dtype)


def astype(x: Any, dtype: Any = None) -> Any:
    """The same numbers in another dtype, as :meth:`numpy.ndarray.astype`. Integers and bool have no
    derivative: they are constants."""
    return (cast if np.dtype(dtype).kind in "fc" else cast_to_constant)(x, dtype=dtype)


# Flat between their jumps: the derivative is 0, also at a jump.


@operation(np.sign, elementwise=True)
def sign(x: Any) -> Any:
    """-1, 0 or 1, and of complex values ``x / abs(x)``, as :func:`numpy.sign`. The derivative by
    real values is 0."""
    return np.sign(x)


@sign.rule
def sign_x(g: Any, y: Any, x: Any) -> Any:
    return (
        (g - np.conjugate(g * y * y)) / (2 * np.absolute(x))
        if x.dtype.kind == "c"
        else np.zeros_like(x)
    )


@operation(np.floor, elementwise=True)
def floor(x: Any) -> Any:
    """The next integer below, as :func:`numpy.floor`. The derivative is 0."""
    return np.floor(x)


@floor.rule
def floor_x(g: Any, y: Any, x: Any) -> Any:
    return np.zeros_like(x)


@operation(np.ceil, elementwise=True)
def ceil(x: Any) -> Any:
    """The next integer above, as :func:`numpy.ceil`. The derivative is 0."""
    return np.ceil(x)


@ceil.rule
def ceil_x(g: Any, y: Any, x: Any) -> Any:
    return np.zeros_like(x)


@operation(np.trunc, elementwise=True)
def trunc(x: Any) -> Any:
    """The next integer towards 0, as :func:`numpy.trunc`. The derivative is 0."""
    return np.trunc(x)


@trunc.rule
def trunc_x(g: Any, y: Any, x: Any) -> Any:
    return np.zeros_like(x)


@operation(np.round, np.around, elementwise=True)
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


@operation(np.floor_divide, elementwise=True, kind="arithmetic")
def floor_divide(a: Any, b: Any) -> Any:
    """``a // b``, as :func:`numpy.floor_divide`. Both derivatives are 0."""
    return a // b


@floor_divide.rule
def floor_divide_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    return np.zeros_like(a)


@floor_divide.rule
def floor_divide_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    return np.zeros_like(b)


@operation(np.remainder, np.mod, elementwise=True, kind="arithmetic")
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


@operation(np.greater, elementwise=True)
def greater(a: Any, b: Any) -> Any:
    """``a > b``, as :func:`numpy.greater`."""
    return np.greater(a, b)


@operation(np.greater_equal, elementwise=True)
def greater_equal(a: Any, b: Any) -> Any:
    """``a >= b``, as :func:`numpy.greater_equal`."""
    return np.greater_equal(a, b)


@operation(np.less, elementwise=True)
def less(a: Any, b: Any) -> Any:
    """``a < b``, as :func:`numpy.less`."""
    return np.less(a, b)


@operation(np.less_equal, elementwise=True)
def less_equal(a: Any, b: Any) -> Any:
    """``a <= b``, as :func:`numpy.less_equal`."""
    return np.less_equal(a, b)


@operation(np.equal, elementwise=True)
def equal(a: Any, b: Any) -> Any:
    """``a == b``, as :func:`numpy.equal`."""
    return np.equal(a, b)


@operation(np.not_equal, elementwise=True)
def not_equal(a: Any, b: Any) -> Any:
    """``a != b``, as :func:`numpy.not_equal`."""
    return np.not_equal(a, b)


@operation(np.zeros_like, elementwise=True)
def zeros_like(x: Any) -> Any:
    """Zeros of the shape and dtype of `x`, as :func:`numpy.zeros_like`."""
    return np.zeros_like(x)


@operation(np.ones_like, elementwise=True)
def ones_like(x: Any) -> Any:
    """Ones of the shape and dtype of `x`, as :func:`numpy.ones_like`."""
    return np.ones_like(x)


@operation(np.exp2, analytic=True, elementwise=True, kind="function")
def exp2(x: Any) -> Any:
    """2 to the power x, as :func:`numpy.exp2`."""
    return np.exp2(x)


@exp2.rule
def exp2_x(g: Any, y: Any, x: Any) -> Any:
    return g * y * math.log(2)


@operation(np.fmax, elementwise=True)
def fmax(a: Any, b: Any) -> Any:
    """The larger of the two, and where one is NaN the other, as :func:`numpy.fmax`.

    Where they are equal each side receives half of the gradient.
    """
    return np.fmax(a, b)


@fmax.rule
def fmax_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(_to_the_chosen(g, y, a, b), a)


@fmax.rule
def fmax_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(_to_the_chosen(g, y, b, a), b)


@operation(np.fmin, elementwise=True)
def fmin(a: Any, b: Any) -> Any:
    """The smaller of the two, and where one is NaN the other, as :func:`numpy.fmin`.

    Where they are equal each side receives half of the gradient.
    """
    return np.fmin(a, b)


@fmin.rule
def fmin_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(_to_the_chosen(g, y, a, b), a)


@fmin.rule
def fmin_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(_to_the_chosen(g, y, b, a), b)


def _to_the_chosen(g: Any, y: Any, own: Any, other: Any) -> Any:
    """`g` where `y` is the one side, half of it where it is both."""
    return np.where(np.equal(own, other), g / 2, np.where(np.equal(own, y), g, 0))


@operation(np.nan_to_num, elementwise=True)
def nan_to_num(
    x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:
    """`x` with numbers in the place of NaN and infinities, as :func:`numpy.nan_to_num`. These
    receive no gradient."""
    return np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)


@nan_to_num.rule
def nan_to_num_x(
    g: Any,
    y: Any,
    x: Any,
    copy: bool = True,
    nan: Any = 0.0,
    posinf: Any = None,
    neginf: Any = None,
) -> Any:
    return np.where(np.isfinite(x), g, 0)
