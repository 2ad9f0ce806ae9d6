"""The searches of one comparison, as they are handed out: some rows, or one mistake further up.

What is found does not depend on who searches. Rows go together where what explains one is tried
first in the next: those whose branches have a place in common, or whose values a name.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

import numpy as np

from tinygrad_lstm.comparison.blame import locate
from tinygrad_lstm.comparison.candidates import Outcome, Where
from tinygrad_lstm.comparison.chain import Chain
from tinygrad_lstm.comparison.combined import Guess, written
from tinygrad_lstm.comparison.everywhere import FAILED
from tinygrad_lstm.comparison.pairs import Pairs
from tinygrad_lstm.comparison.rows import Entry, Judge, entries
from tinygrad_lstm.comparison.search import Search
from tinygrad_lstm.engine.memory import array_of
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.parallel.tapes import packed_tape, read_tape

__all__ = ["Rows", "Try", "Work", "begun", "each_safely", "safely", "told"]

P = ParamSpec("P")
R = TypeVar("R")

Known = tuple[Any, ...]  # what explained a row: where, and the label of the change


def safely(search: Callable[P, R], *args: P.args, **options: P.kwargs) -> R | None:
    """What a search finds; nothing, where a shape or a rule does not bear it: an explanation that
    is missing must not cost the table."""
    try:
        return search(*args, **options)
    except FAILED:
        return None


def each_safely(found: Iterable[R]) -> Iterator[R]:
    """The same of what a search finds one after another: all up to there."""
    with contextlib.suppress(*FAILED):
        yield from found


@dataclass(frozen=True)
class Rows:
    """The search in the formulas of some rows.

    Attributes
    ----------
    numbers : tuple of int
        Which of the wrong rows.
    deep : bool
        Whether everything is tried.
    known : tuple
        What has explained rows of these before.
    allowed : float
        How many formulas may be computed.
    """

    numbers: tuple[int, ...]
    deep: bool = False
    known: tuple[Known, ...] = ()
    allowed: float = math.inf

    def __call__(self, work: Work) -> tuple[list[Guess | None], tuple[Known, ...], bool]:
        """What is found for each row, what has explained some of them, and whether the search ended
        at what was allowed."""
        with work.desk() as desk:
            desk.search.begin(self.known, self.allowed)
            guesses = [self._guess(desk.search, work.wrong[i]) for i in self.numbers]
            return guesses, tuple(desk.search.known), desk.search.allowed < 0

    def _guess(self, search: Search, entry: Entry) -> Guess | None:
        guess = safely(search.guess, entry, deep=self.deep)
        if guess is None and self.deep:
            guess = safely(search.second, entry)
        return guess and told(guess)


@dataclass(frozen=True)
class Try:
    """Mistakes that are tried further up.

    Attributes
    ----------
    among : tuple of int
        Which of the wrong rows may be explained.
    group : tuple of Where
        The mistakes.
    """

    among: tuple[int, ...]
    group: tuple[Where, ...]

    def __call__(self, work: Work) -> list[Outcome]:
        """What is found there."""
        with work.desk() as desk:
            outcomes = desk.above(self.among).tried(self.group)
            return [o._replace(guess=o.guess and told(o.guess)) for o in outcomes]


def told(guess: Guess) -> Guess:
    """An explanation in words alone."""
    yours, correct = written(guess.yours), written(guess.correct)
    return guess._replace(yours=yours, correct=correct, array=np.empty(0))


class Desk:
    """What one who searches needs for himself, since it remembers.

    Parameters
    ----------
    work : Work
        What is searched.
    """

    def __init__(self, work: Work) -> None:
        self._work, self.search = work, Search(work.judge, work.chain)
        self._above: dict[tuple[int, ...], Pairs] = {}
        for entry in work.wrong:
            self.search.weigh(entry)

    def above(self, among: tuple[int, ...]) -> Pairs:
        """The search further up for some rows."""
        if among not in self._above:
            rows = [self._work.wrong[i] for i in among]
            self._above = {among: Pairs(self.search, rows, self._work.found)}
        return self._above[among]


class Work:
    """What is searched in one comparison. A worker makes its own from the tape.

    Parameters
    ----------
    judge : Judge
        The tape's side, and the tolerance.
    chain : Chain
        The chain rule on the values by hand.
    found : sequence of Entry
        All rows.
    hand : mapping
        The values by hand, by the keys of the user.
    """

    judge: Judge
    chain: Chain
    found: Sequence[Entry]
    wrong: list[Entry]

    def __init__(
        self, judge: Judge, chain: Chain, found: Sequence[Entry], hand: Mapping[Any, Any]
    ) -> None:
        self.judge, self.chain, self.found, self._hand = judge, chain, found, hand
        self.wrong = [entry for entry in found if entry.row.own and entry.part is not None]
        self._desks: list[Desk] = []

    def __call__(self, job: Callable[[Work], R]) -> R:
        """What a job finds."""
        with np.errstate(all="ignore"):  # what is tried may overflow
            return job(self)

    def __reduce__(self) -> tuple[Any, ...]:
        values = {id(x) for x in self.judge.gradients.tape.values}
        hand = [
            (key, value if value is None else np.asarray(array_of(value)))
            for key, value in self._hand.items()
            if not isinstance(key, Node) or id(key) in values  # others have no derivative
        ]
        return _read, (packed_tape(self.judge.gradients, (hand, self.judge.rtol)),)

    @contextlib.contextmanager
    def desk(self) -> Iterator[Desk]:
        """A desk that nobody else is at."""
        try:
            desk = self._desks.pop()
        except IndexError:
            desk = Desk(self)
        try:
            yield desk
        finally:
            self._desks.append(desk)

    def groups(self) -> list[tuple[int, ...]]:
        """The wrong rows that go together."""
        groups: list[tuple[set[Any], list[int]]] = []
        with self.desk() as desk:
            for i, entry in enumerate(self.wrong):
                assert entry.part is not None
                marks: set[Any] = {desk.search.formulas.base(entry.part.value)}
                marks |= {desk.search.place(branch) for branch in entry.part.branches}
                mine = [group for group in groups if group[0] & marks]
                groups = [group for group in groups if not group[0] & marks]
                rows = [k for _, those in mine for k in those]
                groups.append((marks.union(*(m for m, _ in mine)), [*rows, i]))
        return [tuple(sorted(rows)) for _, rows in groups]


def begun(judge: Judge, hand: Mapping[Any, Any]) -> Work:
    """The work of a comparison: its rows, and where the mistakes are."""
    found = entries(judge, hand)
    return Work(judge, locate(judge, found), found, hand)


def _read(content: bytes) -> Work:
    gradients, (hand, rtol) = read_tape(content)
    return begun(Judge(gradients, rtol), dict(hand))
