"""What the mistakes of one place do to the rows, all blocks at once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import NamedTuple

import numpy as np

from tinygrad_lstm.comparison.everywhere import FAILED
from tinygrad_lstm.comparison.stacked import Blocks, Columns, Stacked, taken_from
from tinygrad_lstm.comparison.tree import Change
from tinygrad_lstm.derivation.expression import Expression, leaves

__all__ = ["EXACT", "Effect", "Pointing", "Supposed", "Target", "differs", "together"]

LEAST = 1e-3  # of what is missing: if less is left beside other blocks, these may be all of it
EXACT = 1e-4  # how far off is nothing but rounding, where the gradients by hand are known


class Supposed(NamedTuple):
    """The gradients by hand, if there is a mistake in one place and nowhere else.

    Attributes
    ----------
    rows : int
        The rows that tell it, as bits.
    moved : mapping of int to ndarray
        By how much the derivatives differ from what follows, by the ``id`` of the value, where the
        rows determine that.
    open : frozenset of int
        The values of whose derivatives they do not.
    every : sequence of mapping
        The same for all derivatives: one of the possibilities, and others, as many as it takes to
        make all of them; just the first, if there are no others, or too many. None, if nothing is
        known.
    first : int
        The row that a mistake has to explain, as a bit, where the others may have other ones; 0,
        where it has to explain all of these rows.
    """

    rows: int
    moved: Mapping[int, np.ndarray]
    open: frozenset[int] = frozenset()
    every: tuple[Mapping[int, np.ndarray], ...] = ()
    first: int = 0


class Effect(NamedTuple):
    """What a mistake does to the rows.

    Attributes
    ----------
    points : list of ndarray
        In the directions in which they are looked at; twice, where it is not said what the first
        block or the last has, of which there is no value to be taken.
    along : ndarray
        And what it does besides, as the gradients by hand may be others too: a line for each.
    known : bool
        Whether that is all; else to first order.
    """

    points: list[np.ndarray]
    along: np.ndarray
    known: bool


def together(one: Effect | None, other: Effect | None) -> Effect | None:
    """What two mistakes do that are made at once; None if one of them cannot be made."""
    if one is None or other is None:
        return None
    few, more = sorted((one.along, other.along), key=len)
    along = more.copy()
    along[: len(few)] += few
    points = [one.points[0] + other.points[0]]
    return Effect(points, along, one.known and other.known)


class Pointing:
    """The mistakes of a place.

    Parameters
    ----------
    blocks : Blocks
        The place.
    answer : ndarray
        What an addition in its blocks does to the rows.
    world : Supposed
        The gradients by hand.
    tells : bool
        Whether these tell what is right; else all is to first order.
    plain : Columns
        Values of other places, as they follow.

    Attributes
    ----------
    stacked : Stacked
        The formula in all blocks.
    runs : int
        How often it was computed.
    """

    stacked: Stacked
    runs: int

    def __init__(
        self, blocks: Blocks, answer: np.ndarray, world: Supposed, tells: bool, plain: Columns
    ) -> None:
        self._blocks, self._answer, self._world, self._plain = blocks, answer, world, plain
        columns = [plain.moved(moved) for moved in world.every] if tells else []
        self._every = [Stacked(blocks, each) for each in columns]
        self.stacked = self._every[0] if self._every else self._first
        self._open, self.runs = self._left_open(blocks.order, ""), 0

    @cached_property
    def _first(self) -> Stacked:
        """To first order: with the gradients that are known by hand, and else as they follow."""
        if self._every and self._world.every[0] is self._world.moved:
            return self._every[0]
        return Stacked(self._blocks, self._plain.moved(self._world.moved))

    def of(self, change: Change) -> Effect | None:
        """What a mistake does; None if that is nothing, or it cannot be made."""
        how = taken_from(change.label)
        open_ = self._open or self._left_open(change.changed.values(), how)
        none = np.empty((0, len(self._answer)))
        if self._every and not (open_ and len(self._every) == 1):
            points = self._points(self._every[0], change)
            others = self._every[1:] if open_ and points else []
            found = [self._points(each, change) for each in others]
            if points and all(found):
                along = np.array([each[0] - points[0] for each in found if each])
                return Effect(points, along if len(along) else none, True)
            if not points:
                return None
        points = self._points(self._first, change)
        return Effect(points[:1], none, False) if points else None

    def _points(self, stacked: Stacked, change: Change) -> list[np.ndarray] | None:
        self.runs += 1
        with contextlib.suppress(*FAILED):  # shapes that do not fit this mistake
            added = stacked.changed(change) - stacked.array
            if added.shape != stacked.array.shape or not np.any(added):
                return None
            there = stacked.there.reshape(-1, *(1,) * (added.ndim - 1))
            every = [added] if there.all() else [added, added * there]
            return [self._answer @ np.ravel(each) for each in every]
        return None

    def _left_open(self, formulas: Iterable[Expression], how: str) -> bool:
        """Whether there are gradients in some formulas, in any block, that the rows leave open."""
        if not self._world.open:
            return False
        source = self._blocks.formulas.source
        read = dict.fromkeys(leaf for e in formulas for leaf in leaves(e) if leaf.gradient)
        every = (other for leaf in read for other in self._blocks.everywhere(leaf, how) if other)
        return any(id(source.get(leaf)) in self._world.open for leaf in every)


class Target:
    """What the effect of a mistake has to be.

    Parameters
    ----------
    missing : ndarray
        What the rows differ by, in the directions in which they are looked at.
    looked : ndarray of bool
        The directions of the rows that count.
    beside : ndarray or None
        What may be added to it by blocks whose formula is another one, such as the last: a column
        for each number.

    Attributes
    ----------
    tells : bool
        Whether there is enough left to tell mistakes apart.
    """

    tells: bool

    def __init__(self, missing: np.ndarray, looked: np.ndarray, beside: np.ndarray | None) -> None:
        self._looked, self._span = looked, None
        if beside is not None:
            self._span = np.linalg.qr(beside[looked])[0]
        self._left = self._beside(missing[looked])
        size, self._size = (
            float(np.linalg.norm(self._left)),
            float(np.max(np.abs(self._left), initial=0)),
        )
        self.tells = beside is None or (
            2 * beside.shape[1] <= looked.sum()
            and size > LEAST * float(np.linalg.norm(missing[looked]))
        )

    def off(self, effect: Effect) -> float:
        """How far off an effect is."""
        along = [self._beside(points[self._looked]) for points in effect.along]
        span = np.linalg.qr(np.stack(along, axis=1))[0] if along else None
        wanted = _without(span, self._left)
        every = [self._beside(points[self._looked]) for points in effect.points]
        return min(differs(_without(span, points), wanted, self._size) for points in every)

    def _beside(self, points: np.ndarray) -> np.ndarray:
        return _without(self._span, points)


def _without(span: np.ndarray | None, points: np.ndarray) -> np.ndarray:
    """What is left of an effect beside all that columns give."""
    return points if span is None else points - span @ (span.T @ points)


def differs(points: np.ndarray, missing: np.ndarray, size: float = 0.0) -> float:
    """By how much an effect differs from what is missing, in parts of that, or of a size."""
    size = size or float(np.max(np.abs(missing), initial=0)) or 1.0
    return float(np.max(np.abs(points - missing), initial=0)) / size
