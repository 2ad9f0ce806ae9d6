"""Mistakes that are worth a try, those first whose effect points where the rows are wrong; what is
tried, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tinygrad_lstm.comparison.combined import Guess
from tinygrad_lstm.comparison.stages import LAST, Stage

__all__ = ["Candidate", "Outcome", "Several", "Where", "cheap", "near", "nearest", "waits"]

POINTING = 0.3  # how far off a mistake may be, to be tried before more are looked at


class Candidate(NamedTuple):
    """A mistake that is worth a try: how far off its effect points, the more so the more
    far-fetched it is, and where it is made."""

    off: float
    fetched: float
    place: int
    label: Any


class Where(NamedTuple):
    """What is to be tried: a mistake in a place, for the rows that nothing explains so far."""

    place: int
    label: Any
    open_: int


class Outcome(NamedTuple):
    """What a try has found: the rows that are explained, as bits, and the explanation."""

    rows: int
    guess: Guess | None
    spent: float


Several = Callable[[Sequence[Sequence[Where]]], Sequence[Sequence[Outcome]]]


def nearest(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those whose effect points where the rows are wrong come first."""
    return sorted(candidates, key=lambda c: (c.off, c.fetched))


def cheap(later: Sequence[Stage]) -> bool:
    """Whether there are mistakes that cost little to look at, and have not been."""
    return bool(later) and later[-1][:2] not in LAST


def near(asked: Sequence[Candidate]) -> Sequence[Candidate]:
    """Those that are tried before more are looked at."""
    return [c for c in asked if c.off <= POINTING]


def waits(asked: Sequence[Candidate], later: Sequence[Stage]) -> bool:
    """Whether nothing is near, and the next mistakes cost little to look at."""
    return cheap(later) and not near(asked)
