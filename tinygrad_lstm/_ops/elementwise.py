"""Operations that work entry by entry, with NumPy's broadcasting.

Source of the derivatives: any table of elementary derivatives; those of the LSTM are B1 to B10 of its derivation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lstm._operation import operation, unbroadcast


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


@operation(np.multiply, analytic=True)
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
    return unbroadcast(g / b, a)


@divide.rule
def divide_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(-g * y / b, b)


@operation(np.power, np.float_power, analytic=True)
def power(a: Any, b: Any) -> Any:
    """``a ** b``, as :func:`numpy.power`. The derivative by `a` is 0 where ``b == 0``, that by `b` is 0 where ``a == 0``."""
    return a**b


@power.rule
def power_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    zero = np.equal(b, 0)
    return unbroadcast(np.where(zero, 0, g * b * a ** np.where(zero, 1, b - 1)), a)


@power.rule
def power_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    zero = np.equal(a, 0)
    return unbroadcast(np.where(zero, 0, g * y * np.log(np.where(zero, 1, a))), b)


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
    return g * (2 * x)


@operation(np.sqrt, analytic=True)
def sqrt(x: Any) -> Any:
    """The square root, as :func:`numpy.sqrt`."""
    return np.sqrt(x)


@sqrt.rule
def sqrt_x(g: Any, y: Any, x: Any) -> Any:
    return g / (2 * y)


@operation(np.exp, analytic=True)
def exp(x: Any) -> Any:
    """The exponential, as :func:`numpy.exp`."""
    return np.exp(x)


@exp.rule
def exp_x(g: Any, y: Any, x: Any) -> Any:
    return g * y


@operation(np.log, analytic=True)
def log(x: Any) -> Any:
    """The natural logarithm, as :func:`numpy.log`."""
    return np.log(x)


@log.rule
def log_x(g: Any, y: Any, x: Any) -> Any:
    return g / x


@operation(np.tanh, analytic=True)
def tanh(x: Any) -> Any:
    """The hyperbolic tangent, as :func:`numpy.tanh`."""
    return np.tanh(x)


@tanh.rule
def tanh_x(g: Any, y: Any, x: Any) -> Any:
    return g * (1 - y * y)


@operation(analytic=True)
@np.errstate(over="ignore")  # exp(-x) is inf where the result is 0
def sigmoid(x: Any) -> Any:
    """The logistic function ``1 / (1 + exp(-x))``, to full relative precision at both ends."""
    return np.reciprocal(1 + np.exp(-x))


@sigmoid.rule
def sigmoid_x(g: Any, y: Any, x: Any) -> Any:
    return g * (y * (1 - y))


@operation()
def relu(x: Any) -> Any:
    """``max(x, 0)``. The derivative at 0 is 0."""
    return np.maximum(x, 0)


@relu.rule
def relu_x(g: Any, y: Any, x: Any) -> Any:
    return g * (y > 0)


@operation(np.maximum)
def maximum(a: Any, b: Any) -> Any:
    """The larger of the two, as :func:`numpy.maximum`. Where they are equal each side receives half of the gradient."""
    return np.maximum(a, b)


@maximum.rule
def maximum_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(np.where(a > b, g, np.where(np.equal(a, b), g / 2, 0)), a)


@maximum.rule
def maximum_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(np.where(b > a, g, np.where(np.equal(a, b), g / 2, 0)), b)


@operation(np.minimum)
def minimum(a: Any, b: Any) -> Any:
    """The smaller of the two, as :func:`numpy.minimum`. Where they are equal each side receives half of the gradient."""
    return np.minimum(a, b)


@minimum.rule
def minimum_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(np.where(a < b, g, np.where(np.equal(a, b), g / 2, 0)), a)


@minimum.rule
def minimum_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(np.where(b < a, g, np.where(np.equal(a, b), g / 2, 0)), b)


@operation(np.where)
def where(condition: Any, a: Any, b: Any) -> Any:
    """`a` where `condition` holds, else `b`, as :func:`numpy.where`. The branch not taken receives 0."""
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


@operation()
def astype(x: Any, dtype: Any = None) -> Any:
    """The same numbers in another dtype, as :meth:`numpy.ndarray.astype`."""
    return x.astype(dtype)


@astype.rule
def astype_x(g: Any, y: Any, x: Any, dtype: Any = None) -> Any:
    return g.astype(x.dtype)


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
