"""A line on a terminal, while a search is long."""

from __future__ import annotations

import sys

__all__ = ["Progress"]

SHOWN = 100  # mistakes between two lines


class Progress:
    """How many mistakes further up were tried, shown where somebody watches.

    Attributes
    ----------
    tried : int
        How many there were.
    """

    tried: int

    def __init__(self) -> None:
        self.tried = 0

    def step(self, share: float) -> None:
        """One more was tried, and so much of the budget is spent."""
        self.tried += 1
        if self.tried % SHOWN == 0 and sys.stderr.isatty():
            text = f"\rcompare: {self.tried} mistakes further up tried, {min(share, 1):.0%} of the "
            print(text + "budget", end="", file=sys.stderr, flush=True)

    def done(self) -> None:
        """Take the line away."""
        if self.tried >= SHOWN and sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
