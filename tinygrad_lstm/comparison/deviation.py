"""Where a value departs from the right one, in words, where no mistake explains it."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["deviation"]

SMALL = 1e-6  # of the largest difference: what is below it is no difference


def deviation(hand: np.ndarray, right: np.ndarray) -> str:
    """Where two arrays differ, and by how much."""
    if hand.shape != right.shape:
        return f"its shape is {hand.shape}, and {right.shape} is right"
    off = np.abs(hand - right)
    if not off.shape:
        return f"it is {_beside(hand[()], right[()])}"
    differs = off > SMALL * np.max(off, initial=0)
    few = int(np.count_nonzero(differs))
    if few == off.size and few > 3:
        return (
            f"all {off.size} entries differ, without a common factor: check the formula as a whole"
        )
    worst = [
        tuple(int(i) for i in np.unravel_index(k, off.shape))
        for k in np.argsort(off, axis=None)[::-1][:3]
        if differs.flat[k]
    ]
    shown = "; ".join(f"{list(at)} is {_beside(hand[at], right[at])}" for at in worst)
    only = _lines(differs)
    where = f" ({only})" if only else ""
    return (
        f"{few} of {off.size} entries differ{'s' if few == 1 else ''}{where}, most of all {shown}"
    )


def _lines(differs: np.ndarray) -> str:
    """Which rows or columns hold all that differs."""
    for axis, word in ((0, "row"), (1, "column")):
        if differs.ndim < 2:
            return ""
        others = tuple(i for i in range(differs.ndim) if i != axis)
        found = np.flatnonzero(differs.any(axis=others))
        if len(found) < differs.shape[axis] and len(found) <= 3:
            plural = "s" * (len(found) > 1)
            return f"{word}{plural} {', '.join(map(str, found))} only"
    return ""


def _beside(hand: Any, right: Any) -> str:
    """A number beside the correct one."""
    ratio = f", ratio {hand / right:.4g}" if right and hand else ""
    return f"{hand:.6g}, correct {right:.6g} (difference {hand - right:.4g}{ratio})"
