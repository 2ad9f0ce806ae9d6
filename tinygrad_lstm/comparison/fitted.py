"""Numbers that are taken from a value by hand: a factor, a limit."""

from __future__ import annotations

import numpy as np

__all__ = ["is_round", "multiple"]


def is_round(number: float) -> bool:
    """Whether it has three digits at most, as numbers that people choose."""
    return float(f"{number:.3g}") == round(number, 12)


def multiple(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether `x` is `y` with a factor, which is a simpler reading than others."""
    size = float(np.vdot(y, y))
    ratio = float(np.vdot(y, x)) / size if size else 0.0
    return ratio != 0 and np.allclose(ratio * y, x, rtol=1e-9, atol=0)
