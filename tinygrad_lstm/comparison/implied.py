"""What the rows say of values that are not given: the derivatives that they must come from.

If a mistake in the derivative by ``z`` is the reason for all that is wrong, then one addition to
it in every block explains the rows. Where no other addition does, that is what stands there by
hand, and it is searched as if it had been given.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tinygrad_lstm.comparison.chain import Chain
from tinygrad_lstm.comparison.combined import FOLLOWS, Guess, written
from tinygrad_lstm.comparison.everywhere import EVERYWHERE, FAILED, FAR_FETCHED
from tinygrad_lstm.comparison.fitted import is_varied
from tinygrad_lstm.comparison.responses import Responses, TooLarge, solved
from tinygrad_lstm.comparison.rows import Entry, Row
from tinygrad_lstm.comparison.search import Search
from tinygrad_lstm.comparison.steps import RULE
from tinygrad_lstm.engine.gradients import Part
from tinygrad_lstm.engine.node import Node

__all__ = ["Implied"]

FREE = 1e-8  # of what may be added: what has less of it is determined
CLOSE = {4: 1e-3, 8: 1e-6}  # how closely what the rows imply is known, by the bytes of a number
UNKNOWN = 500  # numbers that are looked for at once
WORK = 3e8  # multiplications of a decomposition
FEW, MANY = 4_000, 20_000  # formulas for one explanation, at first and then
ALLOWED = 50_000  # .. and for all of values alone, and of pairs
LOOKS = (((RULE,), MANY), (None, FEW), (None, MANY))  # how formulas are written, and how many
BLOCKS = 4  # blocks in which an explanation has to hold
RULES = 100_000  # that run for explanations: the chain rule once for each

Levels: TypeAlias = "tuple[int, ...] | None"


class Suspect(NamedTuple):
    """Values of one name, an addition to whose derivatives explains rows.

    Attributes
    ----------
    values : list of Node
        The values that are not given, in the order of backward.
    wrong, right : list of (Node, ndarray)
        Their derivatives as far as the rows determine them, with those that are given.
    rows : tuple of Entry
        The rows that are explained.
    matrices : dict of int to ndarray
        What the rows answer, by the place of the row.
    totals : dict of int to ndarray
        And the derivatives by the values that answer, by ``id``.
    """

    values: list[Any]
    wrong: list[tuple[Any, np.ndarray]]
    right: list[tuple[Any, np.ndarray]]
    rows: tuple[Entry, ...]
    matrices: dict[int, np.ndarray]
    totals: dict[int, np.ndarray]


class Implied:
    """The search in what is not given.

    Parameters
    ----------
    search : Search
        What is known of the formulas.
    open_ : sequence of Entry
        The rows that nothing in their own formula explains.
    found : sequence of Entry
        All rows.
    """

    def __init__(self, search: Search, open_: Sequence[Entry], found: Sequence[Entry]) -> None:
        self.search, self.chain, self._rules = search, search.chain, 0
        self.open = {id(e) for e in open_}
        self.entries = [
            e
            for e in found
            if e.part and e.usable and e.hand.size and (id(e) in self.open or not e.row.own)
        ]
        self.responses = Responses(self.chain, [e.part for e in self.entries if e.part])
        self.missing = [
            np.ravel(e.hand - self.chain.follows(e.part)) for e in self.entries if e.part
        ]
        bytes_ = min((e.hand.dtype.itemsize for e in self.entries), default=8)
        self.close = CLOSE.get(bytes_, CLOSE[8])
        self._done: set[Any] = set()  # what has been searched to the end

    def explained(self) -> dict[int, Guess | None]:
        """The explanations that were found, by the ``id`` of the entry."""
        found: dict[int, Guess | None] = {}
        for groups in (self._alone(), self._pairs()):
            self.left = ALLOWED
            suspects = [s for roles in groups if (s := self._suspected(roles)) is not None]
            suspects.sort(key=lambda s: -len(s.rows))
            for levels, most in LOOKS:
                self._looked(levels, most, suspects, found)
            if len(found) == len(self.open):
                break
        return found

    def _looked(
        self,
        levels: Levels,
        most: int,
        suspects: Sequence[Suspect],
        found: dict[int, Guess | None],
    ) -> None:
        """Look for explanations in one way. One step may be written as a mistake in the next, with
        another gradient than the right one: that comes after plain ones."""
        later: list[tuple[Suspect, Guess]] = []
        for suspect in suspects:
            if all(id(entry) in found for entry in suspect.rows):
                continue
            guess = self._explanation(suspect, levels, most)
            if guess is not None and guess.kind in FAR_FETCHED:
                later.append((suspect, guess))
            elif guess is not None:
                found |= {id(e): guess for e in suspect.rows if id(e) not in found}
        for suspect, guess in later:
            found |= {id(e): guess for e in suspect.rows if id(e) not in found}

    @cached_property
    def roles(self) -> dict[str, list[Any]]:
        """The values that are not given, by name, in the order of backward; the names from those
        nearest to the rows on."""
        found: dict[str, list[Any]] = defaultdict(list)
        for x in reversed(self.chain.order):
            if x._op is not None and not self.chain.is_given(x) and x is not self.chain.order[0]:
                found[self.search.formulas.base(x)].insert(0, x)
        return {
            role: values
            for role, values in found.items()
            if not any(x.dtype.kind != "f" or x._hooks for x in values)
        }

    def _alone(self) -> list[tuple[str, ...]]:
        return [(role,) for role in self.roles]

    def _pairs(self) -> list[tuple[str, ...]]:
        """Those that a stage reads together: their derivatives are written in one line, and are
        taken for each other."""
        found: dict[tuple[str, ...], None] = {}
        for values in self.roles.values():
            read = dict.fromkeys(
                self.search.formulas.base(x) for x in values[0]._inputs if isinstance(x, Node)
            )
            pair = tuple(role for role in read if role in self.roles)
            if len(pair) == 2:
                found[pair] = None
        return list(found)

    def _suspected(self, roles: tuple[str, ...]) -> Suspect | None:
        with contextlib.suppress(TooLarge):
            return self._suspect(roles)
        return None

    def _suspect(self, roles: tuple[str, ...]) -> Suspect | None:
        values = sorted(
            (x for role in roles for x in self.roles[role]),
            key=lambda x: self.chain.places[id(x)],
        )
        unknown, known = (sum(map(np.size, a)) for a in ([x._array for x in values], self.missing))
        if unknown > min(known, UNKNOWN):
            raise TooLarge  # or too few numbers to determine anything
        rows, totals = self.responses.of(values)
        own = [e for e in self.entries if self._is_own(e, roles)]
        rows = {i: m for i, m in rows.items() if self.entries[i] not in own and m.any()}
        wrong = tuple(self.entries[i] for i in rows if id(self.entries[i]) in self.open)
        if not wrong:
            return None
        matrix = np.concatenate(list(rows.values()))
        if matrix.size * min(matrix.shape) > WORK:
            raise TooLarge
        missing = np.concatenate([self.missing[i] for i in rows])
        left, added, free = solved(matrix, missing)
        if left > self.close * np.max(np.abs(missing)):
            return None
        off, correct = self._determined(values, added, free, totals)
        off += [(e.part.value, e.hand) for e in own if e.part and e.row.own]
        correct += [(e.part.value, e.hand) for e in own if e.part and not e.row.own]
        wrong += tuple(e for e in own if id(e) in self.open)
        return Suspect(values, off, correct, wrong, rows, totals)

    def _is_own(self, entry: Entry, roles: tuple[str, ...]) -> bool:
        """Whether a row is the derivative by a value of those names, or by the state that the first
        block reads in its place."""
        part = entry.part
        if part is None or part.kind != "total":
            return False
        states = self.search.vocabulary.states.get(id(part.value), ())
        called = [self.search.formulas.base(part.value), *(role for role, _ in states)]
        return any(role in roles for role in called)

    def _determined(
        self, values: list[Any], added: np.ndarray, free: np.ndarray, totals: dict[int, np.ndarray]
    ) -> tuple[list[tuple[Any, np.ndarray]], list[tuple[Any, np.ndarray]]]:
        """The derivatives that the rows determine: the wrong ones, and the right ones."""
        found: list[tuple[Any, np.ndarray, float]] = []
        start = 0
        for x in values:
            own = slice(start, start := start + x._array.size)
            by = totals[id(x)]
            if nothing(free[own]) and nothing(by @ free):
                total = self.chain.totals[id(x)] + (by @ added).reshape(x.shape)
                off = float(np.max(np.abs(added[own])))
                found.append((x, np.asarray(total, x.dtype), off))
        size = max((np.max(np.abs(total)) for _, total, _ in found), default=0.0)
        wrong = [(x, total) for x, total, off in found if off > self.close * size]
        return wrong, [(x, total) for x, total, off in found if off <= self.close * size]

    def _explanation(self, suspect: Suspect, levels: Levels, most: int) -> Guess | None:
        """The mistake that gives what the rows imply, in every block."""
        key = id(suspect.values[0]), len(suspect.values), levels
        if not suspect.wrong or self._rules > RULES or key in self._done:
            return None
        self._rules += len(self.chain.order)
        parts = [
            (Part(x, self.chain.gradients.branches(x), "total"), total)
            for x, total in suspect.wrong + suspect.right
        ]
        given = {part.id: total for part, total in parts}
        chain = Chain(self.chain.gradients, {**self.chain.given, **given})
        search = Search(self.search.judge, chain, self.close)
        search.allowed = allowed = min(most, self.left)
        wrong = parts[: len(suspect.wrong)]
        found = _in_every_block(search, wrong, levels)
        self.left -= allowed - search.allowed
        if search.allowed >= 0:
            self._done.add(key)
        return found


def _in_every_block(
    search: Search, wrong: Sequence[tuple[Part, np.ndarray]], levels: Levels
) -> Guess | None:
    """What explains the derivative by hand in the first of some blocks, if others have an
    explanation too."""
    first: Guess | None = None
    for part, total in wrong[:BLOCKS]:
        row = Row("", total.shape, None, None, "first wrong")
        try:
            guess = search.guess(Entry(part, total, part, (0, 0, 0), row), True, levels)
        except FAILED:
            return None
        if guess is None:
            return None
        first = first or told(search, part.value, guess, len(wrong) > 1)
    return first


def told(search: Search, x: Any, guess: Guess, blocks: bool) -> Guess:
    """The explanation of rows by the derivative by a value further up."""
    head, yours = search.formulas.derivative(x), written(guess.yours)
    also = EVERYWHERE * (blocks and not guess.looks_like.endswith(EVERYWHERE))
    return Guess(
        guess.kind,
        f"{FOLLOWS}{head} = {yours}" if yours else "",
        f"{head} = {written(guess.correct)}",
        f"further up, in {head}: {guess.looks_like}{also}",
        np.empty(0),
        guess.fitted and not is_varied(guess.array),
    )


def nothing(free: np.ndarray) -> bool:
    """Whether what is not determined adds nothing."""
    return bool(np.max(np.abs(free), initial=0) <= FREE)
