"""Questions about values and the logic of their answers. They have no derivative: the results are
constants."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lstm.engine.operation import operation

__all__ = [
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "invert",
    "isfinite",
    "isinf",
    "isnan",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "signbit",
]


@operation(np.isfinite, elementwise=True)
def isfinite(x: Any) -> Any:
    """Where `x` is neither infinite nor NaN, as :func:`numpy.isfinite`."""
    return np.isfinite(x)


@operation(np.isinf, elementwise=True)
def isinf(x: Any) -> Any:
    """Where `x` is infinite, as :func:`numpy.isinf`."""
    return np.isinf(x)


@operation(np.isnan, elementwise=True)
def isnan(x: Any) -> Any:
    """Where `x` is NaN, as :func:`numpy.isnan`."""
    return np.isnan(x)


@operation(np.signbit, elementwise=True)
def signbit(x: Any) -> Any:
    """Where the sign is set, that of -0.0 too, as :func:`numpy.signbit`."""
    return np.signbit(x)


@operation(np.logical_and, elementwise=True)
def logical_and(a: Any, b: Any) -> Any:
    """Where both hold, as :func:`numpy.logical_and`."""
    return np.logical_and(a, b)


@operation(np.logical_or, elementwise=True)
def logical_or(a: Any, b: Any) -> Any:
    """Where one of them holds, as :func:`numpy.logical_or`."""
    return np.logical_or(a, b)


@operation(np.logical_xor, elementwise=True)
def logical_xor(a: Any, b: Any) -> Any:
    """Where exactly one of them holds, as :func:`numpy.logical_xor`."""
    return np.logical_xor(a, b)


@operation(np.logical_not, elementwise=True)
def logical_not(x: Any) -> Any:
    """Where `x` does not hold, as :func:`numpy.logical_not`."""
    return np.logical_not(x)


@operation(np.bitwise_and, elementwise=True)
def bitwise_and(a: Any, b: Any) -> Any:
    """``a & b`` of masks or integers, as :func:`numpy.bitwise_and`."""
    return np.bitwise_and(a, b)


@operation(np.bitwise_or, elementwise=True)
def bitwise_or(a: Any, b: Any) -> Any:
    """``a | b`` of masks or integers, as :func:`numpy.bitwise_or`."""
    return np.bitwise_or(a, b)


@operation(np.bitwise_xor, elementwise=True)
def bitwise_xor(a: Any, b: Any) -> Any:
    """``a ^ b`` of masks or integers, as :func:`numpy.bitwise_xor`."""
    return np.bitwise_xor(a, b)


@operation(np.invert, elementwise=True)
def invert(x: Any) -> Any:
    """``~x`` of a mask or of integers, as :func:`numpy.invert`."""
    return np.invert(x)
