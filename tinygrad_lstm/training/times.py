"""When the rows of a series were, and when the next ones will be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["following", "whole"]

DATES = ("M8[Y]", "M8[M]", "M8[us]")  # years and months are not of one length in days


def following(times: Sequence[str] | None, steps: int) -> list[str]:
    """What would stand in the first column of the next rows.

    Parameters
    ----------
    times : sequence of str or None
        What stands there. Whole numbers go on, and so do dates and times as ISO 8601 writes them,
        where all are as far from each other: so many years, months, or days and seconds. Everything
        else is counted from 1.
    steps : int
        How many rows.
    """
    numbers = _numbers(times or ())
    gap = numbers[1] - numbers[0] if len(numbers) > 1 else 1
    if gap and numbers and numbers == _counted(numbers, gap, len(numbers)):
        return [str(n) for n in _counted(numbers, gap, len(numbers) + steps)[-steps:]]
    return _dates(times or (), steps) or [str(k) for k in range(1, steps + 1)]


def whole(times: Sequence[str] | None) -> list[int]:
    """The times, if each is a whole number, and one more than the one before."""
    numbers = _numbers(times or ())
    return numbers if numbers and numbers == _counted(numbers, 1, len(numbers)) else []


def _numbers(times: Sequence[str]) -> list[int]:
    """The times as whole numbers; none if one is something else."""
    try:
        return [int(t) for t in times]
    except ValueError:
        return []


def _counted(numbers: list[int], gap: int, count: int) -> list[int]:
    return [numbers[0] + gap * k for k in range(count)]


def _dates(times: Sequence[str], steps: int) -> list[str]:
    """The next dates; none where these are no dates, or not as far from each other."""
    try:
        if any(t.lower() in ("", "nat") for t in times):  # NumPy's marks of a missing date
            return []
        dates: Any = np.array(times, "M8")
    except ValueError:
        return []
    for unit in DATES:
        grid = dates.astype(unit)
        gaps = np.diff(grid)
        if (grid == dates).all() and len(gaps) and (gaps == gaps[0]).all() and gaps[0].astype(int):
            found = (grid[-1] + gaps[0] * np.arange(1, steps + 1)).astype(dates.dtype)
            return [str(t).replace("T", times[-1][10:11] or "T") for t in found]
    return []
