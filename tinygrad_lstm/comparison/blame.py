"""Which rows are wrong by themselves, and which only because of a row above them.

A row that follows from the values by hand of its neighbours has no mistake of its own, whether
those are right or wrong. A neighbour may also be right by its largest entry, and wrong in a small
one that the row reads: so what departs at all is passed on, as a mistake that does not show.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lstm.comparison.chain import Chain, in_blocks
from tinygrad_lstm.comparison.rows import Entry, Judge
from tinygrad_lstm.engine.gradients import Part

__all__ = ["locate"]

SMALL = 1e-6  # of an entry: a departure that is no rounding, though the row is right
SEEN = 64  # roundings of the largest entry, below which no departure counts
IN_SMALL = "right by its largest entry, wrong in small ones that other rows read"


class Taint(NamedTuple):
    """The mistake that a quantity inherits.

    Attributes
    ----------
    hidden : bool
        Whether it does not show in the rows above, which are right by their largest entries.
    place, name
        The row that made it.
    unusable : frozenset of str
        The verdicts of the rows above that have no number to go on with.
    """

    hidden: bool
    place: tuple[int, int, int]
    name: str
    unusable: frozenset[str] = frozenset()


def locate(judge: Judge, found: Sequence[Entry]) -> Chain:
    """Tell of each wrong row whether it is wrong by itself, or only because of a row above it. The
    rows are replaced.

    Returns
    -------
    Chain
        The chain rule on the values by hand.
    """
    given = {entry.part.id: entry.hand for entry in found if entry.part and entry.usable}
    chain = Chain(judge.gradients, given)
    blame = Blame(judge, chain, found)
    taints: dict[int, Taint | None] = {}
    for x in chain.order:
        part = Part(x, judge.gradients.branches(x), "total")
        shares = []
        for branches in in_blocks(part):
            each = (
                blame.judged(Part(x, (b,), "branch"), taints.get(id(b.stage.output)))
                for b in branches
            )
            shares.append(blame.judged(Part(x, branches, "share"), _merged(each)))
        taints[id(x)] = blame.judged(part, _merged(shares))
    return chain


def _merged(taints: Iterable[Taint | None]) -> Taint | None:
    present = [taint for taint in taints if taint is not None]
    if not present:
        return None
    return min(present)._replace(unusable=frozenset().union(*(t.unusable for t in present)))


class Blame:
    """What each row passes on, and its verdict.

    Parameters
    ----------
    judge : Judge
        The tape's side.
    chain : Chain
        The chain rule on the values by hand.
    found : sequence of Entry
        The rows.
    """

    judge: Judge
    chain: Chain
    places: dict[tuple[int, int, int], Entry]

    def __init__(self, judge: Judge, chain: Chain, found: Sequence[Entry]) -> None:
        self.judge, self.chain = judge, chain
        self.rows: dict[Any, list[Entry]] = defaultdict(list)
        for entry in found:
            if entry.part:
                self.rows[entry.part.id].append(entry)
        self.places = {entry.place: entry for entry in found}

    def judged(self, part: Part, inherited: Taint | None) -> Taint | None:
        """What the quantity passes on: where it is not given, what it has inherited."""
        for entry in self.rows.get(part.id, ()):
            inherited = self._verdict(entry, part, inherited)
        return inherited

    def _verdict(self, entry: Entry, part: Part, inherited: Taint | None) -> Taint | None:
        """Complete the verdict of a row, given what it inherits; return what it passes on."""
        row = entry.row
        if row.verdict == "right":
            return self._hidden(entry, part, inherited)
        unusable = frozenset() if entry.usable else frozenset({row.verdict})
        own = Taint(False, entry.place, row.name, unusable)
        if inherited is None:
            return own
        follows = self.chain.follows(part)
        if not entry.usable:
            if inherited.hidden or not _passed_on(row.verdict, inherited, follows):
                return own
            entry.row = replace(row, because=inherited.name)
            return inherited._replace(unusable=inherited.unusable | unusable)
        if inherited.unusable or self._agrees(entry, follows):
            entry.row = replace(row, verdict="wrong because of", because=inherited.name)
            if inherited.hidden:
                self._shown(inherited)
            return inherited._replace(unusable=frozenset(), hidden=False)
        if not inherited.hidden:
            entry.row = replace(row, note="wrong also by itself", because=inherited.name)
        return own

    def _agrees(self, entry: Entry, follows: np.ndarray) -> bool:
        return self.judge.agreement(entry.key, entry.hand, follows)[2] is not None

    def _hidden(self, entry: Entry, part: Part, inherited: Taint | None) -> Taint | None:
        """What a row passes on that is right, and may depart in small entries."""
        tape = np.asarray(self.chain.gradients[entry.key])
        if np.array_equal(entry.hand, tape):
            return None
        if inherited is not None and self._agrees(entry, self.chain.follows(part)):
            return inherited._replace(hidden=True, unusable=frozenset())
        return Taint(True, entry.place, entry.row.name)

    def _shown(self, taint: Taint) -> None:
        """Call a row wrong that is right by its largest entry, where others inherit from its small
        ones and it does not follow from its own neighbours."""
        entry = self.places.get(taint.place)
        if entry is None or entry.part is None or entry.row.verdict != "right":
            return
        follows = self.chain.follows(entry.part)
        off, size = np.abs(entry.hand - follows), np.abs(follows)
        seen = SEEN * np.finfo(follows.dtype).eps * np.max(size, initial=0)
        if np.any((off > SMALL * size) & (off > seen)):
            entry.row = replace(entry.row, verdict="first wrong", note=IN_SMALL)


def _passed_on(verdict: str, inherited: Taint, follows: np.ndarray) -> bool:
    """Whether a row has its wrong shape, or its NaN, from above: no number gives another shape, and
    few numbers give a NaN."""
    return verdict in inherited.unusable or (
        verdict == "not finite" and (bool(inherited.unusable) or not np.isfinite(follows).all())
    )
