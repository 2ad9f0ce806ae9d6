"""One equation of a view, as it is written."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Row"]


class Row(NamedTuple):
    """One equation: its left side, the steps on its right, and what is to be said about it."""

    left: str
    rights: tuple[str, ...]
    note: str = ""
