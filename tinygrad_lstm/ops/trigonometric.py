"""Trigonometric and hyperbolic functions; tanh, which the LSTM needs, is among the element-wise
operations.

Source of the derivatives: any table of elementary derivatives.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lstm.engine.operation import operation, unbroadcast
from tinygrad_lstm.ops.elementwise import quotient

__all__ = [
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "cos",
    "cosh",
    "deg2rad",
    "degrees",
    "rad2deg",
    "radians",
    "sin",
    "sinc",
    "sinh",
    "tan",
]


@operation(np.sin, analytic=True, elementwise=True, kind="function")
def sin(x: Any) -> Any:
    """The sine of an angle in radians, as :func:`numpy.sin`."""
    return np.sin(x)


@sin.rule
def sin_x(g: Any, y: Any, x: Any) -> Any:
    return g * np.cos(x)


@operation(np.cos, analytic=True, elementwise=True, kind="function")
def cos(x: Any) -> Any:
    """The cosine of an angle in radians, as :func:`numpy.cos`."""
    return np.cos(x)


@cos.rule
def cos_x(g: Any, y: Any, x: Any) -> Any:
    return -g * np.sin(x)


@operation(np.tan, analytic=True, elementwise=True, kind="function")
def tan(x: Any) -> Any:
    """The tangent of an angle in radians, as :func:`numpy.tan`."""
    return np.tan(x)


@tan.rule
def tan_x(g: Any, y: Any, x: Any) -> Any:
    return g * (1 + y * y)


@operation(np.arcsin, analytic=True, elementwise=True, kind="function")
def arcsin(x: Any) -> Any:
    """The angle in radians whose sine is `x`, as :func:`numpy.arcsin`. The derivative at -1 and 1
    is infinite."""
    return np.arcsin(x)


@arcsin.rule
def arcsin_x(g: Any, y: Any, x: Any) -> Any:
    return g / np.sqrt((1 - x) * (1 + x))  # 1 - x * x would cancel near the ends


@operation(np.arccos, analytic=True, elementwise=True, kind="function")
def arccos(x: Any) -> Any:
    """The angle in radians whose cosine is `x`, as :func:`numpy.arccos`. The derivative at -1 and 1
    is infinite."""
    return np.arccos(x)


@arccos.rule
def arccos_x(g: Any, y: Any, x: Any) -> Any:
    return -g / np.sqrt((1 - x) * (1 + x))


@operation(np.arctan, analytic=True, elementwise=True, kind="function")
def arctan(x: Any) -> Any:
    """The angle in radians whose tangent is `x`, as :func:`numpy.arctan`."""
    return np.arctan(x)


@arctan.rule
@np.errstate(over="ignore")  # x * x is inf where the slope is 0
def arctan_x(g: Any, y: Any, x: Any) -> Any:
    return g / (1 + x * x)


@operation(np.arctan2, elementwise=True)
def arctan2(a: Any, b: Any) -> Any:
    """The angle in radians of the point with ordinate `a` and abscissa `b`, as
    :func:`numpy.arctan2`. Both derivatives are 0 at the origin."""
    return np.arctan2(a, b)


@arctan2.rule
def arctan2_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    radius = np.hypot(a, b)
    return unbroadcast(g * quotient(quotient(b, radius), radius), a)


@arctan2.rule
def arctan2_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    radius = np.hypot(a, b)
    return unbroadcast(-g * quotient(quotient(a, radius), radius), b)


@operation(np.sinh, analytic=True, elementwise=True, kind="function")
def sinh(x: Any) -> Any:
    """The hyperbolic sine, as :func:`numpy.sinh`."""
    return np.sinh(x)


@sinh.rule
@np.errstate(over="ignore")
def sinh_x(g: Any, y: Any, x: Any) -> Any:
    return g * np.cosh(x)


@operation(np.cosh, analytic=True, elementwise=True, kind="function")
def cosh(x: Any) -> Any:
    """The hyperbolic cosine, as :func:`numpy.cosh`."""
    return np.cosh(x)


@cosh.rule
@np.errstate(over="ignore")
def cosh_x(g: Any, y: Any, x: Any) -> Any:
    return g * np.sinh(x)


@operation(np.arcsinh, analytic=True, elementwise=True, kind="function")
def arcsinh(x: Any) -> Any:
    """The inverse of :func:`sinh`, as :func:`numpy.arcsinh`."""
    return np.arcsinh(x)


@arcsinh.rule
@np.errstate(over="ignore")  # x * x is inf where the slope is 0
def arcsinh_x(g: Any, y: Any, x: Any) -> Any:
    return g / np.sqrt(1 + x * x)


@operation(np.arccosh, analytic=True, elementwise=True, kind="function")
def arccosh(x: Any) -> Any:
    """The inverse of :func:`cosh`, as :func:`numpy.arccosh`. The derivative at 1 is infinite."""
    return np.arccosh(x)


@arccosh.rule
def arccosh_x(g: Any, y: Any, x: Any) -> Any:
    return g / (
        np.sqrt(x - 1) * np.sqrt(x + 1)
    )  # two roots: on complex values that of the product has another branch


@operation(np.arctanh, analytic=True, elementwise=True, kind="function")
def arctanh(x: Any) -> Any:
    """The inverse of :func:`tanh`, as :func:`numpy.arctanh`. The derivative at -1 and 1 is
    infinite."""
    return np.arctanh(x)


@arctanh.rule
def arctanh_x(g: Any, y: Any, x: Any) -> Any:
    return g / ((1 - x) * (1 + x))


@operation(np.radians, np.deg2rad, analytic=True, elementwise=True, kind="function")
def radians(x: Any) -> Any:
    """Degrees as radians, as :func:`numpy.radians`."""
    return x * (np.pi / 180)


@radians.rule
def radians_x(g: Any, y: Any, x: Any) -> Any:
    return g * (np.pi / 180)


@operation(np.degrees, np.rad2deg, analytic=True, elementwise=True, kind="function")
def degrees(x: Any) -> Any:
    """Radians as degrees, as :func:`numpy.degrees`."""
    return x * (180 / np.pi)


@degrees.rule
def degrees_x(g: Any, y: Any, x: Any) -> Any:
    return g * (180 / np.pi)


deg2rad, rad2deg = radians, degrees

NEAR_ZERO = 1e-3  # up to which three terms of the series are exact in double precision


@operation(np.sinc, elementwise=True, kind="function")
def sinc(x: Any) -> Any:
    """``sin(pi x) / (pi x)``, and 1 at 0, as :func:`numpy.sinc`."""
    return np.sinc(x)


@sinc.rule
def sinc_x(g: Any, y: Any, x: Any) -> Any:
    near = np.abs(x) < NEAR_ZERO
    square = (np.pi * x) ** 2
    series = -(np.pi**2) * x * (1 / 3 - square * (1 / 30 - square / 840))
    return g * np.where(near, series, (np.cos(np.pi * x) - y) / np.where(near, 1, x))
