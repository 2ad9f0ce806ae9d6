"""Numbers that are taken from a value by hand: a factor, a limit."""

from __future__ import annotations

import numpy as np

__all__ = ["is_round", "is_varied", "multiple"]


def is_round(number: float) -> bool:
    """Whether it has three digits at most, as numbers that people choose; or one of which it is the
    root, or by which it divides."""
    powers = (number**k for k in (1, 2, -1, -2)) if number else (number,)
    return any(float(f"{x:.3g}") == round(x, 12) for x in powers)


def is_varied(x: np.ndarray) -> bool:
    """Whether entries other than 0 differ in size, so that a factor for all of them tells."""
    sizes = np.abs(x[x != 0])
    return bool(sizes.size) and not np.allclose(sizes, sizes.flat[0], rtol=1e-6, atol=0)


def multiple(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether `x` is `y` with a factor, which is a simpler reading than others."""
    size = float(np.vdot(y, y))
    ratio = float(np.vdot(y, x)) / size if size else 0.0
    return ratio != 0 and np.allclose(ratio * y, x, rtol=1e-9, atol=0)
