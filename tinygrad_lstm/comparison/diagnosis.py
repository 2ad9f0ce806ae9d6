"""What a wrong derivative looks like: the simplest mistake that reproduces it, in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import numpy as np

from tinygrad_lstm.comparison.above import Above
from tinygrad_lstm.comparison.chain import Chain
from tinygrad_lstm.comparison.combined import Guess, written
from tinygrad_lstm.comparison.rows import Entry, Judge
from tinygrad_lstm.comparison.search import FAILED, Search

__all__ = ["Diagnosis", "diagnose"]

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with one quantity.

    Attributes
    ----------
    name : str
        The quantity.
    kind : str
        The kind of mistake: ``sign``, ``factor``, ``transpose``, ``halves``, ``slice``, ``blocks
        permuted``, ``reversed``, ``branch missing``, ``one branch only``, ``branch doubled``,
        ``branches``, ``accumulation``, ``overwritten``, ``chain rule``, ``local factor``, ``local
        form``, ``extra factor``, ``sum for product``, ``parenthesis``, ``wrong value``, ``wrong
        block``, ``wrong gradient``, ``another derivative``, ``matrix product``, ``elementwise``,
        ``axis``, ``batch sum``, ``initial state``, ``term missing``, ``clipped``, ``weight decay``,
        ``zero``, ``two mistakes``, ``small entries``, ``not finite``, or ``unexplained``.
    yours : str
        A formula that gives the hand value, or an empty string.
    correct : str
        The formula of the rules.
    looks_like : str
        The mistake in words; where nothing simple explains the value, where it deviates most.
    downstream : int
        How many rows inherit from this one.
    """

    name: str
    kind: str
    yours: str
    correct: str
    looks_like: str
    downstream: int


def diagnose(judge: Judge, chain: Chain, found: Sequence[Entry]) -> tuple[Diagnosis, ...]:
    """A diagnosis of every row that is wrong by itself, in their order."""
    search = Search(judge, chain)
    wrong = [entry for entry in found if entry.row.own and entry.part is not None]
    guesses: dict[int, Guess | None] = {}
    with np.errstate(all="ignore"):  # what is tried may overflow
        for entry in wrong:
            guesses[id(entry)] = _safely(search.guess, entry)
        open_ = [entry for entry in wrong if guesses[id(entry)] is None]
        above = Above(search, open_, found)
        guesses |= _safely(above.explained) or {}
        for entry in open_:
            if guesses[id(entry)] is None:
                guesses[id(entry)] = _deep(search, above, entry)
    because = [entry.row.because for entry in found if not entry.row.own]
    return tuple(_diagnosis(entry, guesses[id(entry)], because) for entry in wrong)


def _safely(search: Callable[P, R], *args: P.args, **options: P.kwargs) -> R | None:
    """What a search finds; nothing, where a shape or a rule does not bear it: an explanation that
    is missing must not cost the table."""
    try:
        return search(*args, **options)
    except FAILED:
        return None


def _deep(search: Search, above: Above, entry: Entry) -> Guess:
    """What is left to try for a row by itself."""
    return (
        _safely(search.guess, entry, deep=True)
        or _safely(search.second, entry)
        or search.unexplained(entry, above.not_searched(entry))
    )


def _diagnosis(entry: Entry, guess: Guess | None, because: list[str]) -> Diagnosis:
    assert guess is not None
    name = entry.row.name
    return Diagnosis(
        name,
        guess.kind,
        written(guess.yours),
        written(guess.correct),
        guess.looks_like,
        because.count(name),
    )
