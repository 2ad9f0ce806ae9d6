"""Activation functions, under PyTorch's names, and the error function that one of them needs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_lstm.engine.memory import floats
from tinygrad_lstm.engine.operation import operation
from tinygrad_lstm.errors import ShapeError
from tinygrad_lstm.ops.elementwise import sigmoid

__all__ = ["elu", "erf", "erfc", "gelu", "leaky_relu", "logsigmoid", "silu", "softplus"]


@operation(elementwise=True, kind="function")
def leaky_relu(x: Any, negative_slope: float = 0.01) -> Any:
    """`x` where it is positive, else ``negative_slope * x``. The derivative at 0 is
    `negative_slope`."""
    return np.where(x > 0, x, negative_slope * x)


@leaky_relu.rule
def leaky_relu_x(g: Any, y: Any, x: Any, negative_slope: float = 0.01) -> Any:
    return np.where(x > 0, g, negative_slope * g)


def nonpositive(x: Any) -> Any:
    """`x`, and 0 where it is positive."""
    return np.where(x > 0, 0, x)


@operation(elementwise=True, kind="function")
def elu(x: Any, alpha: float = 1.0) -> Any:
    """`x` where it is positive, else ``alpha * (exp(x) - 1)``. The derivative at 0 is `alpha`.

    Source: Clevert, Unterthiner and Hochreiter, Fast and accurate deep network learning by
    exponential linear units, 2016.
    """
    x = floats(x)
    return np.where(x > 0, x, alpha * np.expm1(nonpositive(x)))


@elu.rule
def elu_x(g: Any, y: Any, x: Any, alpha: float = 1.0) -> Any:
    return np.where(x > 0, g, g * (alpha * np.exp(nonpositive(x))))


@operation(analytic=True, elementwise=True, kind="function")
def silu(x: Any) -> Any:
    """``x * sigmoid(x)``, also called swish.

    Source: Elfwing, Uchibe and Doya, Sigmoid-weighted linear units for neural network function
    approximation, 2018.
    """
    return x * sigmoid(x)


@silu.rule
def silu_x(g: Any, y: Any, x: Any) -> Any:
    s = sigmoid(x)
    return g * (s * (1 + x * (1 - s)))


@operation(elementwise=True, kind="function")
def softplus(x: Any, beta: float = 1.0) -> Any:
    """``log(1 + exp(beta * x)) / beta``, exact for every `x`: PyTorch's, but without a threshold
    above which it is `x`."""
    return np.logaddexp(beta * x, 0) / beta


@softplus.rule
def softplus_x(g: Any, y: Any, x: Any, beta: float = 1.0) -> Any:
    return g * sigmoid(beta * x)


@operation(elementwise=True, kind="function")
def logsigmoid(x: Any) -> Any:
    """``log(sigmoid(x))``, to full precision at both ends."""
    return -np.logaddexp(-floats(x), 0)


@logsigmoid.rule
def logsigmoid_x(g: Any, y: Any, x: Any) -> Any:
    return g * sigmoid(-x)


# The C library's error function, entry by entry: NumPy has none, and this one is right to the last
# digit.
_erf, _erfc = np.vectorize(math.erf, otypes=[float]), np.vectorize(math.erfc, otypes=[float])


@operation(elementwise=True, kind="function")
def erf(x: Any) -> Any:
    """The error function ``2/sqrt(pi)`` times the integral of ``exp(-t**2)`` from 0 to `x`, of real
    values."""
    return _erf(x).astype(np.result_type(x, 0.0))


@erf.rule
def erf_x(g: Any, y: Any, x: Any) -> Any:
    return g * (2 / math.sqrt(math.pi) * bell(x))


@operation(elementwise=True, kind="function")
def erfc(x: Any) -> Any:
    """``1 - erf(x)``, to full relative precision for large `x`."""
    return _erfc(x).astype(np.result_type(x, 0.0))


@erfc.rule
def erfc_x(g: Any, y: Any, x: Any) -> Any:
    return g * (-2 / math.sqrt(math.pi) * bell(x))


@np.errstate(over="ignore")  # x * x is inf where the result is 0
def bell(x: Any) -> Any:
    """``exp(-x**2)``."""
    return np.exp(-x * x)


TANH_FACTOR = math.sqrt(2 / math.pi)
TANH_CUBIC = 0.044715


@operation(elementwise=True, kind="function")
def gelu(x: Any, approximate: str = "none") -> Any:
    """`x` times the probability that a standard normal variable is below it.

    Parameters
    ----------
    x : Tensor or array_like
        Real values.
    approximate : {"none", "tanh"}
        ``"none"`` takes the probability from the error function, to full precision. ``"tanh"`` is
        the approximation ``x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x**3)))``, in error by up to
        5e-4.

    Returns
    -------
    Tensor or ndarray
        Of the shape of `x`.

    Raises
    ------
    ShapeError
        If `approximate` is something else.

    Notes
    -----
    Source: Hendrycks and Gimpel, Gaussian error linear units, 2016.
    """
    return x * probability(x, approximate)


@gelu.rule
@np.errstate(over="ignore")  # a cube that is inf where the slope is 0 or 1
def gelu_x(g: Any, y: Any, x: Any, approximate: str = "none") -> Any:
    p = probability(x, approximate)
    if approximate == "none":
        return g * (p + x * (bell(x * math.sqrt(0.5)) / math.sqrt(2 * math.pi)))
    return g * (p + x * (2 * p * (1 - p)) * (TANH_FACTOR * (1 + 3 * TANH_CUBIC * x * x)))


@np.errstate(over="ignore")
def probability(x: Any, approximate: str) -> Any:
    """What :func:`gelu` multiplies `x` with."""
    if approximate == "none":
        return 0.5 * erfc(-math.sqrt(0.5) * x)
    if approximate == "tanh":
        return sigmoid(
            2 * TANH_FACTOR * (x + TANH_CUBIC * x * x * x)
        )  # (1 + tanh(u)) / 2 without cancellation
    raise ShapeError(
        "an unknown approximation",
        where="gelu",
        expected='approximate "none" or "tanh"',
        got=repr(approximate),
    )
