"""Real and complex values. Rules of functions that are not analytic are written for ``dL/dx - i
dL/dy``, as backward carries it."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lstm.engine.memory import array_of
from tinygrad_lstm.engine.operation import implements, operation

__all__ = [
    "angle",
    "conj",
    "conjugate",
    "copy",
    "imag",
    "real",
    "real_if_close",
]


@operation(np.conjugate, elementwise=True)
def conj(x: Any) -> Any:
    """The complex conjugate, as :func:`numpy.conjugate`."""
    return np.conjugate(x)


@conj.rule
def conj_x(g: Any, y: Any, x: Any) -> Any:
    return np.conjugate(g)


conjugate = conj


@operation(np.real, elementwise=True)
def real(x: Any) -> Any:
    """The real part, as :func:`numpy.real`."""
    return np.real(x)


@real.rule
def real_x(g: Any, y: Any, x: Any) -> Any:
    return g.astype(x.dtype)


@operation(np.imag, elementwise=True)
def imag(x: Any) -> Any:
    """The imaginary part, as :func:`numpy.imag`."""
    return np.imag(x)


@imag.rule
def imag_x(g: Any, y: Any, x: Any) -> Any:
    return -1j * g  # backward keeps the real part of it, which is 0, where x is real


@operation(np.copy, analytic=True, elementwise=True, kind="move")
def copy(x: Any) -> Any:
    """The same entries in memory of their own, as :func:`numpy.copy`: a stage that passes its
    gradient on."""
    return np.copy(x)


@copy.rule
def copy_x(g: Any, y: Any, x: Any) -> Any:
    return g


@operation(name="angle", elementwise=True)
def argument(z: Any) -> Any:
    return np.angle(z)


@argument.rule
def angle_z(g: Any, y: Any, z: Any) -> Any:
    return -1j * g / z  # the imaginary part of the logarithm; of a real value a step


@implements(np.angle)
def angle(z: Any, deg: bool = False) -> Any:
    """The angle of a complex number, as :func:`numpy.angle`.

    Parameters
    ----------
    z : Tensor or array_like
        Of a real value the angle is 0 or pi, and the derivative 0.
    deg : bool, default False
        Whether it is in degrees.

    Returns
    -------
    Tensor or ndarray
        In radians, from -pi to pi.
    """
    return argument(z) * (180 / np.pi) if deg else argument(z)


@implements(np.real_if_close)
def real_if_close(a: Any, tol: float = 100) -> Any:
    """The real part, if all imaginary parts are close to 0, as :func:`numpy.real_if_close`."""
    kept = np.real_if_close(array_of(a), tol).dtype.kind == "c"
    return a if kept or not np.iscomplexobj(a) else real(a)
