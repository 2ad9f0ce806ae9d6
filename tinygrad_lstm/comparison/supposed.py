"""What stands by hand if there is one mistake, and it is made in one place.

Backward is linear in the gradients, so the mistake adds something to what the place sends back in
each block, and the rows are as many equations as they have entries for what that is. Where they
have no solution, the mistake is made elsewhere, whatever it is. Where they have one, all gradients
by hand are known, and a formula can be held against them without another run of the chain rule.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from tinygrad_lstm.comparison.chain import Edge, edge
from tinygrad_lstm.comparison.effects import Effects
from tinygrad_lstm.comparison.places import Place, Places
from tinygrad_lstm.comparison.pointing import Supposed
from tinygrad_lstm.comparison.responses import solved
from tinygrad_lstm.comparison.rows import Entry
from tinygrad_lstm.comparison.search import Search
from tinygrad_lstm.comparison.steps import WHOLES
from tinygrad_lstm.engine.tape import Branch

__all__ = ["Supposing"]

FREE = 1e-6  # of what is added: what has less of what may be added besides is determined
WAYS = 6  # in which the gradients by hand may be others, that are followed
LONG = 5000  # stages of a tape that is not gone along for each place
MOST = 600  # numbers that are looked for at once
ENOUGH = 3  # rows, of which one may have a mistake of its own
LEFT, RIDGE = 1e-5, 1e-10  # of a right side that is matched; what keeps overlapping spans apart
CLOSE = {4: 1e-2, 8: 1e-6}  # how closely the rows are known, by the bytes of a number

Addition = tuple[tuple[int, ...], np.ndarray]  # the shape of what is added, and what it does
Unknown = Mapping[Edge | int, Addition]  # by the branch, or the `id` of a value


class Supposing(Places):
    """What follows if a mistake is made here or there; the parameters are those of
    :class:`Places`.

    Attributes
    ----------
    open_ : int
        The rows that nothing explains so far, as bits.
    apart : bool
        Whether one row may have a mistake of its own besides.
    """

    open_: int
    apart: bool

    def __init__(self, search: Search, open_: Sequence[Entry], found: Sequence[Entry]) -> None:
        super().__init__(search, open_, found)
        self.open_, self.apart = (1 << len(self.rows)) - 1, False
        bytes_ = min((e.hand.dtype.itemsize for e in self.rows), default=8)
        self._close = CLOSE.get(bytes_, CLOSE[8])
        self._worlds: dict[Any, Supposed | None] = {}

    @cached_property
    def effects(self) -> Effects:
        """What additions do to the rows, wrong and right."""
        parts = [*self.parts, *self.right]
        missing = [
            e.hand - self.chain.follows(part) for e, part in zip(self.rows, self.parts, strict=True)
        ]
        missing += [np.zeros(part.value.shape) for part in self.right]
        return Effects(self.chain, parts, missing, len(self.rows))

    def directions(self, rows: int, of: np.ndarray, right: int = -1) -> np.ndarray:
        """Which directions are of some wrong rows and some right ones, all of these by default."""
        mask = rows | right << len(self.rows)
        return np.array([mask >> int(i) & 1 for i in of], bool)

    def supposed(self, place: Place) -> Supposed | None:
        """What follows if the mistake is made in a place; None if it cannot be there, or what can
        be there has been looked at before rows were held `apart`."""
        unknown, rows = self._unknown(place), place.rows & self.open_
        known = frozenset(unknown), rows
        if self.apart and self._worlds.get((*known, False), ()) is not None:
            return None
        key = *known, self.apart
        if key not in self._worlds:
            telling: int | None = rows
            if self.apart:
                several = rows.bit_count() >= ENOUGH and not place.spoiled
                telling = self._all_but_one(unknown, rows) if several else None
            world = self._world(unknown, telling, place.spoiled) if telling else None
            if world is not None and not world.every:
                world = self._row_by_row(place, world)
            self._worlds[key] = world
        return self._worlds[key]

    def _row_by_row(self, place: Place, world: Supposed) -> Supposed:
        """Where rows do not tell the gradients by hand: which are as they follow, wherever the
        mistake is made in a place, as nothing comes back to them from there."""
        first = world.rows & -world.rows  # what is tried has to explain this one
        if not self.directions(first, self.effects.row, 0).any():
            return world
        masks, bit = self._comes_back, 1 << self._numbers[id(place)]
        open_ = frozenset(key for key, mask in masks.items() if mask & bit)
        return Supposed(world.rows, world.moved, open_, (world.moved,), first)

    @cached_property
    def _numbers(self) -> dict[int, int]:
        return {id(place): k for k, place in enumerate(self.places)}

    @cached_property
    def _comes_back(self) -> dict[int, int]:
        """The places, as bits, from which a mistake changes the derivative by each value."""
        begun: dict[Edge | int, int] = defaultdict(int)
        for k, place in enumerate(self.places):
            for x, branch in place.edges:
                begun[self.key(place, x, branch)] |= 1 << k
        return self.rerun.reached(begun)

    def _unknown(self, place: Place) -> Unknown:
        """What is added in a place, with what that does to the rows."""
        found = {}
        for x, branch in place.edges:
            whole = place.level in WHOLES or self.effects.is_whole(x, branch)
            answer = self.effects.on(x) if whole else self.effects.of(x, branch)
            if answer is not None:
                found[id(x) if whole else edge(branch)] = x.shape, answer
        return found

    def elsewhere(self, entry: Entry) -> bool:
        """Whether nothing that is made in one place, before the last step of an open row, explains
        the rows that inherit from it."""
        mine = [1 << i for i, e in enumerate(self.rows) if e is entry]
        places = [
            p
            for p in self.places
            if mine and p.rows & self.open_ & ~mine[0] and p.rows & mine[0] and not p.calls
        ]
        return bool(places) and all(self.supposed(place) is None for place in places)

    def supposed_in(self, roles: Sequence[str]) -> Supposed | None:
        """What follows if the mistakes are made in the derivatives by the values of some names;
        None if they cannot be there."""
        unknown = {key: found for role in roles for key, found in self.roles[role].items()}
        return self._world(unknown, self.open_, -1)

    @cached_property
    def roles(self) -> dict[str, dict[Edge | int, Addition]]:
        """The values to whose derivatives the rows answer, by name, and how."""
        found: dict[str, dict[Edge | int, Addition]] = defaultdict(dict)
        for x in self.chain.order:
            if (answer := self.effects.on(x)) is not None:
                found[self.formulas.base(x)][id(x)] = x.shape, answer
        return found

    def grounds(self) -> Iterator[tuple[str, str]]:
        """Two names, in the derivatives by whose values all that is wrong can begin; a name twice,
        if it can in these alone."""
        looked = self.directions(self.open_, self.effects.row_of)
        missing, spans = self.effects.equations[looked], {}
        for role, unknown in self.roles.items():
            if sum(answer.shape[1] for _, answer in unknown.values()) < len(missing):
                spans[role] = np.linalg.qr(_beside(unknown)[looked])[0]
        yield from ((role, role) for role, span in spans.items() if _gives(span, missing))
        for one, other in itertools.combinations(spans, 2):
            a, b = spans[one], spans[other]
            common, mine = a.T @ b, a.T @ missing
            more = b.T @ missing - common.T @ mine
            left = missing @ missing - mine @ mine - _matched(common.T @ common, more)
            if a.shape[1] + b.shape[1] < len(missing) and left <= LEFT * (missing @ missing):
                yield one, other

    @staticmethod
    def key(place: Place, x: Any, branch: Branch) -> Edge | int:
        """What is changed in a place: what a branch sends back, or the whole of the sum that it
        begins."""
        return id(x) if place.level in WHOLES else edge(branch)

    def answer(self, place: Place, branches: Sequence[Branch]) -> np.ndarray | None:
        """What an addition to some branches of a place does to the rows; None where that is not
        known."""
        effects, whole = self.effects, place.level in WHOLES
        values = {edge(b): x for x, b in place.edges}
        at = [(values[edge(b)], b) for b in branches]
        found = [effects.on(x) if whole else effects.of(x, b) for x, b in at]
        if effects.some and any(answer is not None for answer in found):
            nothing = (np.zeros((len(effects.row_of), x._array.size)) for x, _ in at)
            found = [a if b is None else b for a, b in zip(nothing, found, strict=True)]
        answers = [answer for answer in found if answer is not None]
        known = len(answers) == len(found) and len(effects.row)
        return np.concatenate(answers, axis=1) if known else None

    def _world(self, unknown: Unknown, rows: int, right: int) -> Supposed | None:
        """What follows from some rows, if something is added in a place; None if nothing that is
        added there gives them."""
        looked = self.directions(rows, self.effects.row_of, right)
        width, missing = (
            sum(a.shape[1] for _, a in unknown.values()),
            self.effects.equations[looked],
        )
        if not unknown or width > MOST:
            return Supposed(rows, {})
        answer, enough = _beside(unknown)[looked], len(missing) > width
        close = self._close * float(np.max(np.abs(missing), initial=0))
        if enough and not _consistent(answer, missing, close):
            return None
        if len(self.chain.order) > LONG:
            return Supposed(rows, {})
        off, added, free = solved(answer, missing)
        if off > close:
            return None
        several = enough and 0 < free.shape[1] <= WAYS  # of more, what is open shows everywhere
        if not several:  # one of them tells what is open
            free = free @ np.random.default_rng(0).normal(size=(free.shape[1], 1))
        by = self.rerun.spread(_shaped(np.stack([added, *free.T]), unknown))
        size = max((float(np.max(np.abs(b[0]), initial=0)) for b in by.values()), default=0.0)
        open_ = {key for key, b in by.items() if np.max(np.abs(b[1:]), initial=0) > FREE * size}
        moved = {key: b[0] for key, b in by.items()}
        known = {key: b for key, b in moved.items() if key not in open_}
        others = range(1, 1 + free.shape[1] * (several and bool(open_)))
        every = ({key: b[0] + b[k] for key, b in by.items()} for k in others)
        first = moved if several or not open_ else known
        return Supposed(rows, known, frozenset(open_), (first, *every))

    def _all_but_one(self, unknown: Unknown, rows: int) -> int | None:
        """The rows that something is added in a place gives, if it gives all but one of them."""
        looked = self.directions(rows, self.effects.row_of, 0)
        of, missing = self.effects.row_of[looked], self.effects.equations[looked]
        width = sum(a.shape[1] for _, a in unknown.values())
        if not unknown or width >= min(len(missing), MOST):
            return None
        span = np.linalg.qr(_beside(unknown)[looked])[0]
        left = missing - span @ (span.T @ missing)
        for i in self.rerun.rows_in(rows):
            own = of == i
            others = float(left @ left) - _matched(span[own] @ span[own].T, left[own])
            if others <= LEFT * (missing @ missing) and width < len(missing) - own.sum():
                return rows & ~(1 << i)
        return None


def _gives(span: np.ndarray, missing: np.ndarray) -> bool:
    """Whether a right side is within the span of columns."""
    mine = span.T @ missing
    return bool(missing @ missing - mine @ mine <= LEFT * (missing @ missing))


def _beside(unknown: Unknown) -> np.ndarray:
    """What the rows answer to all that is added, a column for each number."""
    return np.concatenate([answer for _, answer in unknown.values()], axis=1)


def _shaped(added: np.ndarray, unknown: Unknown) -> dict[Edge | int, np.ndarray]:
    """What is added where, of several additions."""
    ends = np.cumsum([0, *(answer.shape[1] for _, answer in unknown.values())]).tolist()
    pairs = zip(unknown.items(), itertools.pairwise(ends), strict=True)
    return {key: added[:, a:b].reshape(len(added), *shape) for (key, (shape, _)), (a, b) in pairs}


def _matched(within: np.ndarray, right: np.ndarray) -> float:
    """How much of what is left, squared, unit columns give beside those of a span: `within` is how
    much of their products is in it, and `right` their products with what is left."""
    inner = -within
    inner.flat[:: len(inner) + 1] += 1 + RIDGE
    return float(right @ np.linalg.solve(inner, right))


def _consistent(answer: np.ndarray, missing: np.ndarray, close: float) -> bool:
    """Whether more equations than unknowns have a solution: what is left of the right side is the
    last entry of the triangle."""
    triangle = np.linalg.qr(np.column_stack([answer, missing]), mode="r")
    return bool(abs(triangle[-1][-1]) <= 10 * close * len(missing))
