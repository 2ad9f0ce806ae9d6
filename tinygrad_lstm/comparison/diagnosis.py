"""What a wrong derivative looks like: the simplest mistake that reproduces it, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_lstm.comparison.candidates import Outcome, Where
from tinygrad_lstm.comparison.combined import Guess, written
from tinygrad_lstm.comparison.everywhere import FAR_FETCHED
from tinygrad_lstm.comparison.implied import Implied
from tinygrad_lstm.comparison.rows import Entry
from tinygrad_lstm.comparison.work import Rows, Try, Work, each_safely, safely, told
from tinygrad_lstm.parallel.spread import HandOut, spreading

__all__ = ["Diagnosis", "diagnose"]

DEEP, LEAST = 10_000, 1000  # formulas for all rows that are open at last, and for each at least


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
        form``, ``extra factor``, ``extra term``, ``sum for product``, ``parenthesis``, ``wrong
        value``, ``wrong block``, ``wrong gradient``, ``another derivative``, ``matrix product``,
        ``elementwise``, ``axis``, ``batch sum``, ``initial state``, ``term missing``, ``clipped``,
        ``weight decay``, ``zero``, ``two mistakes``, ``small entries``, ``not finite``, or
        ``unexplained``.
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


def diagnose(work: Work, executor: Any = None) -> tuple[Diagnosis, ...]:
    """A diagnosis of every row that is wrong by itself, in their order.

    Parameters
    ----------
    work : Work
        The comparison.
    executor : optional
        Who searches; see :func:`tinygrad_lstm.spread`.
    """
    with spreading(executor) as hand_out, np.errstate(all="ignore"):  # what is tried may overflow
        guesses = _guesses(work, hand_out, executor is not None)
    because = [entry.row.because for entry in work.found if not entry.row.own]
    pairs = zip(work.wrong, guesses, strict=True)
    return tuple(_diagnosis(entry, guess, because) for entry, guess in pairs)


def _guesses(work: Work, hand_out: HandOut, ahead: bool) -> list[Guess]:
    """The rows by themselves; what is further up; and everything, for what is left."""
    found: dict[int, Guess] = {}
    groups = [Rows(group) for group in work.groups()]
    outcomes = _searched(work, hand_out, groups, found)
    known = {group: known for group, (known, _) in zip(groups, outcomes, strict=True)}
    # a mistake further up is a better explanation than a number that was taken from the row itself
    doubtful = {i: found.pop(i) for i in list(found) if found[i].fitted}
    open_ = tuple(i for i in range(len(work.wrong)) if i not in found)
    with work.desk() as desk:
        implied = Implied(desk.search, [work.wrong[i] for i in open_], work.found)
        guesses = (safely(implied.explained) if open_ else None) or {}
        for i in open_:
            if guess := guesses.get(id(work.wrong[i])):
                far = guess.fitted or guess.kind in FAR_FETCHED
                (doubtful if far else found)[i] = told(guess)
        open_ = tuple(i for i in open_ if i not in found)
        above = desk.above(open_)

        def several(groups: Sequence[Sequence[Where]]) -> list[list[Outcome]]:
            jobs = [Try(open_, tuple(group)) for group in groups]
            outcomes: list[list[Outcome]] = hand_out(work, jobs, "compare, further up")
            return outcomes

        for entry, guess in each_safely(above.explained(several if ahead else None)):
            found[next(i for i in open_ if work.wrong[i] is entry)] = told(guess)
    found = doubtful | found
    left = {group: tuple(i for i in group.numbers if i not in found) for group in groups}
    allowed = max(LEAST, DEEP // max(sum(map(bool, left.values())), 1))
    rest = [Rows(rows, True, known[group], allowed) for group, rows in left.items() if rows]
    outcomes = _searched(work, hand_out, rest, found)
    _with_the_others(work, found)
    ended = {i for job, (_, end) in zip(rest, outcomes, strict=True) if end for i in job.numbers}
    for i, entry in enumerate(work.wrong):
        if i not in found:
            searched = allowed if i in ended else None
            found[i] = above.search.unexplained(entry, above.not_searched(entry), searched)
    return [found[i] for i in range(len(work.wrong))]


def _with_the_others(work: Work, found: dict[int, Guess]) -> None:
    """Look for one mistake further up that gives all wrong rows, where some of them have no
    explanation, and those that have tell more of it."""
    left = {i for i in range(len(work.wrong)) if i not in found}
    every = tuple(range(len(work.wrong)))
    if not 0 < len(left) < len(every):
        return
    with work.desk() as desk:
        for entry, guess in each_safely(desk.above(every).one()):
            found |= {i: told(guess) for i in left if work.wrong[i] is entry}


def _searched(
    work: Work, hand_out: HandOut, jobs: Sequence[Rows], found: dict[int, Guess]
) -> list[tuple[tuple[Any, ...], bool]]:
    """Let rows be searched, and keep what is found; what has explained some of each job's, and
    whether its search has ended at what was allowed."""
    outcomes = hand_out(work, jobs, "compare")
    for job, (guesses, _, _) in zip(jobs, outcomes, strict=True):
        pairs = zip(job.numbers, guesses, strict=True)
        found.update((i, guess) for i, guess in pairs if guess is not None)
    return [(known, ended) for _, known, ended in outcomes]


def _diagnosis(entry: Entry, guess: Guess, because: list[str]) -> Diagnosis:
    name = entry.row.name
    return Diagnosis(
        name,
        guess.kind,
        written(guess.yours),
        written(guess.correct),
        guess.looks_like,
        because.count(name),
    )
