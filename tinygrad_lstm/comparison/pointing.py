"""What the mistakes of one place do to the rows, all blocks at once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import NamedTuple

import numpy as np

from tinygrad_lstm.comparison.everywhere import FAILED
from tinygrad_lstm.comparison.stacked import Blocks, Columns, Stacked
from tinygrad_lstm.comparison.tree import Change
from tinygrad_lstm.derivation.expression import Expression, leaves

__all__ = ["EXACT", "Effect", "Pointing", "Supposed", "differs"]

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
        The same for all derivatives: two of the possibilities, or one if there are no others; or
        the same, where what is open is no use; none, if nothing is known.
    """

    rows: int
    moved: Mapping[int, np.ndarray]
    open: frozenset[int] = frozenset()
    every: tuple[Mapping[int, np.ndarray], ...] = ()


class Effect(NamedTuple):
    """What a mistake does to the rows.

    Attributes
    ----------
    points : list of ndarray
        In the directions in which they are looked at; twice, where it is not said what the first
        block or the last has, of which there is no value to be taken.
    known : bool
        Whether that is all; else to first order.
    """

    points: list[np.ndarray]
    known: bool


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
    whole : bool
        Whether the blocks are all of the place.
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
        self, blocks: Blocks, answer: np.ndarray, world: Supposed, whole: bool, plain: Columns
    ) -> None:
        self._blocks, self._answer, self._world, self._plain = blocks, answer, world, plain
        columns = [plain.moved(moved) for moved in world.every] if whole else []
        self._every = [Stacked(blocks, each) for each in columns]
        self.stacked = self._every[0] if self._every else self._first
        self._open, self.runs = self._left_open(self.stacked.order), 0

    @cached_property
    def _first(self) -> Stacked:
        """To first order: with the gradients that are known by hand, and else as they follow."""
        return Stacked(self._blocks, self._plain.moved(self._world.moved))

    def of(self, change: Change) -> Effect | None:
        """What a mistake does; None if that is nothing, or it cannot be made."""
        open_ = self._open or self._left_open(change.changed.values())
        if self._every and not (open_ and len(self._every) == 1):
            found = [self._points(each, change) for each in self._every[: 1 + open_]]
            if found[0] is None:
                return None
            if all(each and differs(each[0], found[0][0]) <= EXACT for each in found):
                return Effect(found[0], True)
        points = self._points(self._first, change)
        return Effect(points[:1], False) if points else None

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

    def _left_open(self, formulas: Iterable[Expression]) -> bool:
        """Whether there are gradients in some formulas that the rows leave open, in any block."""
        source, base = self._blocks.formulas.source, self._blocks.formulas.base
        read = (source.get(leaf) for e in formulas for leaf in leaves(e) if leaf.gradient)
        return any(x is not None and base(x) in self._named_open for x in read)

    @cached_property
    def _named_open(self) -> set[str]:
        """The names of the values whose derivatives are left open in a block."""
        formulas = self._blocks.formulas
        return {formulas.base(x) for x in formulas.chain.order if id(x) in self._world.open}


def differs(points: np.ndarray, missing: np.ndarray) -> float:
    """By how much an effect differs from what is missing, in parts of that."""
    size = float(np.max(np.abs(missing), initial=0)) or 1.0
    return float(np.max(np.abs(points - missing), initial=0)) / size
