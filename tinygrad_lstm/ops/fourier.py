"""Fourier transforms, as numpy.fft has them.

The matrix of the discrete transform is symmetric, so that what comes back through it is the
transform of what arrives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_lstm.engine.operation import implements, operation
from tinygrad_lstm.ops.move import pad, roll
from tinygrad_lstm.ops.select import index

__all__ = [
    "fft",
    "fft2",
    "fftn",
    "fftshift",
    "ifft",
    "ifft2",
    "ifftn",
    "ifftshift",
    "irfft",
    "rfft",
]


def _of_length(g: Any, n: int, axis: int) -> Any:
    """`g` cut, or with zeros behind it, so that it has n entries along an axis."""
    have = g.shape[axis]
    if have > n:
        return index(g, key=(slice(None),) * (axis % g.ndim) + (slice(n),))
    widths = [(0, 0)] * g.ndim
    widths[axis] = (0, n - have)
    return g if have == n else pad(g, widths)


@operation(np.fft.fft, analytic=True)
def fft(a: Any, n: Any = None, axis: int = -1, norm: Any = None) -> Any:
    """The discrete Fourier transform along an axis, as :func:`numpy.fft.fft`."""
    return np.fft.fft(a, n, axis, norm)


@fft.rule
def fft_a(g: Any, y: Any, a: Any, n: Any = None, axis: int = -1, norm: Any = None) -> Any:
    return _of_length(fft(g, axis=axis, norm=norm), a.shape[axis], axis)


@operation(np.fft.ifft, analytic=True)
def ifft(a: Any, n: Any = None, axis: int = -1, norm: Any = None) -> Any:
    """The inverse of :func:`fft`, as :func:`numpy.fft.ifft`."""
    return np.fft.ifft(a, n, axis, norm)


@ifft.rule
def ifft_a(g: Any, y: Any, a: Any, n: Any = None, axis: int = -1, norm: Any = None) -> Any:
    return _of_length(ifft(g, axis=axis, norm=norm), a.shape[axis], axis)


@operation(np.fft.rfft)
def rfft(a: Any, n: Any = None, axis: int = -1, norm: Any = None) -> Any:
    """The transform of real values, of which the second half says nothing new, as
    :func:`numpy.fft.rfft`."""
    return np.fft.rfft(a, n, axis, norm)


@rfft.rule
def rfft_a(g: Any, y: Any, a: Any, n: Any = None, axis: int = -1, norm: Any = None) -> Any:
    length = a.shape[axis] if n is None else n
    whole = fft(_of_length(g, length, axis), axis=axis, norm=norm)
    return np.real(_of_length(whole, a.shape[axis], axis))


@operation(np.fft.irfft)
def irfft(a: Any, n: Any = None, axis: int = -1, norm: Any = None) -> Any:
    """The inverse of :func:`rfft`, as :func:`numpy.fft.irfft`."""
    return np.fft.irfft(a, n, axis, norm)


@irfft.rule
def irfft_a(g: Any, y: Any, a: Any, n: Any = None, axis: int = -1, norm: Any = None) -> Any:
    length = y.shape[axis]
    opposite = {None: "forward", "backward": "forward", "forward": "backward"}.get(norm, norm)
    once = np.conjugate(rfft(g, axis=axis, norm=opposite))
    twice = np.full(once.shape[axis], 2.0)  # an entry stands for two, but for the first and ...
    twice[0] = 1
    if length % 2 == 0:
        twice[-1] = 1  # ... the last, where that has no partner
    shape = [1] * a.ndim
    shape[axis] = -1
    found = _of_length(once * twice.reshape(shape), a.shape[axis], axis)
    return found if a.dtype.kind == "c" else np.real(found)


# Along several axes.


def _along(transform: Callable[..., Any], a: Any, s: Any, axes: Any, norm: Any) -> Any:
    """A transform along one axis after the other."""
    axes = range(-(a.ndim if s is None else len(s)), 0) if axes is None else axes
    lengths = [None] * len(axes) if s is None else s
    for n, axis in zip(lengths, axes, strict=True):
        a = transform(a, n=n, axis=axis, norm=norm)
    return a


@implements(np.fft.fftn)
def fftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None) -> Any:
    """The transform along several axes, by default all, as :func:`numpy.fft.fftn`."""
    return _along(fft, a, s, axes, norm)


@implements(np.fft.ifftn)
def ifftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None) -> Any:
    """The inverse of :func:`fftn`, as :func:`numpy.fft.ifftn`."""
    return _along(ifft, a, s, axes, norm)


@implements(np.fft.fft2)
def fft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None) -> Any:
    """The transform along two axes, as :func:`numpy.fft.fft2`."""
    return _along(fft, a, s, axes, norm)


@implements(np.fft.ifft2)
def ifft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None) -> Any:
    """The inverse of :func:`fft2`, as :func:`numpy.fft.ifft2`."""
    return _along(ifft, a, s, axes, norm)


def _shifted(x: Any, axes: Any, halves: Callable[[int], int]) -> Any:
    shape = np.shape(x)
    axes = range(len(shape)) if axes is None else np.atleast_1d(axes).tolist()
    return roll(x, tuple(halves(shape[axis]) for axis in axes), axis=tuple(axes))


@implements(np.fft.fftshift)
def fftshift(x: Any, axes: Any = None) -> Any:
    """Frequency 0 in the middle, as :func:`numpy.fft.fftshift`."""
    return _shifted(x, axes, lambda n: n // 2)


@implements(np.fft.ifftshift)
def ifftshift(x: Any, axes: Any = None) -> Any:
    """The inverse of :func:`fftshift`, as :func:`numpy.fft.ifftshift`."""
    return _shifted(x, axes, lambda n: -(n // 2))
