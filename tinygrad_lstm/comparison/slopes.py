"""The forms in which local derivatives are remembered, rightly or wrongly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_lstm.comparison.tree import ONE, flipped, inverse, less, squared, times
from tinygrad_lstm.derivation.expression import Expression, apply, number
from tinygrad_lstm.ops.elementwise import (
    add,
    bound,
    exp,
    greater,
    less_equal,
    sigmoid,
    sign,
    tanh,
)

__all__ = ["BY_PROBABILITY", "FORMS", "LOSSES", "SLOPES"]

Form = Callable[[Expression], Expression]


def _one_plus(y: Expression) -> Expression:
    return apply(add.op, (ONE, y), {}, y.shape)


def _of(op: Any) -> Form:
    return lambda y: apply(op, (y,), {}, y.shape)


# The local derivative of a function of one value, in the forms in which it is remembered; y is what
# the function returned.
FORMS: dict[str, Form] = {
    "y": lambda y: y,
    "1 − y": lambda y: less(ONE, y),
    "y ∘ (1 − y)": lambda y: times(y, less(ONE, y)),
    "y²": squared,
    "1 − y²": lambda y: less(ONE, squared(y)),
    "(1 − y)²": lambda y: squared(less(ONE, y)),
    "1 + y²": lambda y: _one_plus(squared(y)),
    "−y": flipped,
    "y − 1": lambda y: less(y, ONE),
    "1 + y": _one_plus,
    "y ∘ (1 + y)": lambda y: times(y, _one_plus(y)),
}

# The derivative of a function at y, where y may be what the function returned already.
SLOPES: dict[str, Form] = {
    "σ(y) ∘ (1 − σ(y))": lambda y: FORMS["y ∘ (1 − y)"](_of(sigmoid.op)(y)),
    "1 − tanh(y)²": lambda y: FORMS["1 − y²"](_of(tanh.op)(y)),
    "y > 0": lambda y: apply(greater.op, (y, number(0.0)), {}, y.shape),
    "y ≤ 0": lambda y: apply(less_equal.op, (y, number(0.0)), {}, y.shape),
    "σ(y)": _of(sigmoid.op),
    "1 − σ(y)": lambda y: less(ONE, _of(sigmoid.op)(y)),
    "exp(y)": _of(exp.op),
    "tanh(y)": _of(tanh.op),
}

# The derivative of a loss by the error, or by what it is the logarithm of.
LOSSES: dict[str, Form] = {
    "half the squared error": lambda e: e,
    "the squared error": lambda e: times(number(2.0), e),
    "the absolute error": _of(sign.op),
    "the Huber loss": lambda e: apply(bound.op, (e, number(-1.0), number(1.0)), {}, e.shape),
    "the log of cosh": _of(tanh.op),
    "softplus": _of(sigmoid.op),
    "the log of a sigmoid": lambda e: less(ONE, _of(sigmoid.op)(e)),
    "a logarithm": inverse,
    "the negative logarithm": lambda e: flipped(inverse(e)),
}

# The same of a loss that is the logarithm of a probability, by which it is differentiated.
BY_PROBABILITY: dict[str, Form] = {
    "1 / σ(y)": lambda y: inverse(_of(sigmoid.op)(y)),
    "1 / (1 − σ(y))": lambda y: inverse(less(ONE, _of(sigmoid.op)(y))),
}
