"""The search for a mistake further up where a tape is too large for matrices, that explains all
rows at once.

A mistake is made in every block alike, since it stands in a loop. So the chain rule runs once more
with the same change in all branches of one place, and what comes out at the rows is held against
the values by hand. Cheap changes come first, in the places from which just the wrong rows inherit.
"""

from __future__ import annotations

import contextlib
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lstm.comparison.chain import Edge, edge
from tinygrad_lstm.comparison.changes import Changes
from tinygrad_lstm.comparison.combined import Guess
from tinygrad_lstm.comparison.everywhere import FAILED
from tinygrad_lstm.comparison.rerun import Rerun
from tinygrad_lstm.comparison.rows import Entry
from tinygrad_lstm.comparison.search import Search
from tinygrad_lstm.comparison.tree import Change, Tree
from tinygrad_lstm.engine.tape import Branch

__all__ = ["Above", "Outcome"]

BUDGET = 10_000  # rules that run and changes that are made; a longer search ends, and says so
SHOWN = 100  # changes that are tried before there is a line of progress on a terminal
AHEAD = 16  # places that are searched at once


Altered = tuple[Branch, Tree, Change]  # a branch, its formula, and what is changed in it


class Place(NamedTuple):
    """The branches of one place in all blocks, and the wrong rows that inherit from them."""

    edges: list[tuple[Any, Branch]]
    rows: int  # as bits
    spoiled: int  # right rows that a mistake here would change


class Outcome(NamedTuple):
    """What the search in one place has found, each with the rows that it explains, as bits."""

    hits: list[tuple[Guess, int]]
    spent: int
    tried: int


Several = Callable[[Sequence[tuple[bool, int, int, int]]], Sequence[Outcome]]


class Above:
    """The search.

    Parameters
    ----------
    search : Search
        What is known of the formulas.
    open_ : sequence of Entry
        The rows that nothing in their own formula explains.
    found : sequence of Entry
        All rows.
    """

    search: Search
    rows: list[Entry]
    rerun: Rerun
    places: list[Place]
    tried: int
    ended: bool

    def __init__(self, search: Search, open_: Sequence[Entry], found: Sequence[Entry]) -> None:
        self.search, self.formulas, self.chain = search, search.formulas, search.chain
        self.rows = [entry for entry in open_ if self._usable(entry)]
        parts = [entry.part for entry in self.rows if entry.part]
        self.rerun = Rerun(self.chain, parts, self.formulas)
        right = [e.part for e in found if e.part and e.row.verdict == "right"]
        self.places = self._places([part.value for part in right if part.kind == "total"])
        self.tried, self.ended = 0, False
        self._spent, self._tried, self._limit = 0, 0, BUDGET
        self._trees: dict[Edge, Changes] = {}
        self._labels: dict[tuple[Edge, bool], dict[Any, Change]] = {}

    def _usable(self, entry: Entry) -> bool:
        assert entry.part is not None
        right = self.chain.follows(entry.part)
        finite = entry.row.verdict not in ("not finite", "wrong shape")
        return finite and not self.search.opaque(entry.part, right) and bool(entry.hand.size)

    def _places(self, right: list[Any]) -> list[Place]:
        """The places from which wrong rows inherit: first those from which all do, and no right
        one."""
        spoiled = {id(x): 1 << i for i, x in enumerate(right) if x._op is None}
        below = self.rerun.masks(spoiled)
        groups: dict[Any, list[tuple[Any, Branch]]] = defaultdict(list)
        for x, branch in self.rerun.edges:
            groups[self.search.place(branch)].append((x, branch))
        places = []
        for edges in groups.values():
            rows = spoils = 0
            for x, branch in edges:
                rows |= self.rerun.inherits[edge(branch)]
                spoils |= below.get(id(x), 0)
            places.append(Place(edges, rows, spoils))
        every = (1 << len(self.rows)) - 1
        places.sort(key=lambda p: (p.rows != every, p.spoiled.bit_count(), -p.rows.bit_count()))
        return places

    def explained(self, several: Several | None = None) -> Iterator[tuple[Entry, Guess]]:
        """The rows that are explained, each with its explanation.

        Parameters
        ----------
        several : callable, optional
            Searches in several places at once, for the rows that are open when it is asked: what it
            takes is a list of arguments of :meth:`searched`. What comes after a find is asked for
            again, so that the same is found as without it.
        """
        spent, open_ = 0, (1 << len(self.rows)) - 1
        asked = [(simple, k) for simple in (True, False) for k in range(len(self.places))]
        while asked and spent <= BUDGET:
            asked = [(simple, k) for simple, k in asked if self.places[k].rows & open_]
            ahead = asked[: AHEAD if several else 1]
            now = [(simple, k, open_, BUDGET - spent) for simple, k in ahead]
            outcomes = several(now) if several else [self.searched(*where) for where in now]
            for (simple, k, *_), outcome in zip(now, outcomes, strict=True):
                if spent + outcome.spent > BUDGET and several:  # those before have spent some of it
                    outcome = self.searched(simple, k, open_, BUDGET - spent)
                asked.pop(0)
                spent, self.tried = spent + outcome.spent, self.tried + outcome.tried
                self._progress(spent)
                for guess, rows in outcome.hits:
                    open_ &= ~rows
                    yield from ((self.rows[i], guess) for i in self.rerun.rows_in(rows))
                if outcome.hits or spent > BUDGET:
                    break
        self.ended = spent > BUDGET
        self._progress(done=True)

    def searched(self, simple: bool, number: int, open_: int, limit: int) -> Outcome:
        """The search in one place.

        Parameters
        ----------
        simple : bool
            Whether the simple mistakes are tried, or the others.
        number : int
            Which of `places`.
        open_ : int
            The rows that nothing explains so far, as bits.
        limit : int
            What may be spent.
        """
        place, hits = self.places[number], []
        self._spent, self._tried, self._limit, self._labels = 0, 0, limit, {}
        with self.rerun.running(), contextlib.suppress(*FAILED):
            for guess, rows in self._in_place(place, open_, simple):
                hits.append((guess, rows))
                open_ &= ~rows
                if not place.rows & open_:
                    break
        return Outcome(hits, self._spent, self._tried)

    @property
    def _over(self) -> bool:
        return self._spent > self._limit

    def _in_place(self, place: Place, open_: int, simple: bool) -> Iterator[tuple[Guess, int]]:
        _, first = place.edges[len(place.edges) // 2]
        changes = self._changes(first)
        seen = {c.label for c in changes.simple()} if not simple else set()
        for change in changes.simple() if simple else changes.all():
            if change.label in seen or self._over:
                continue
            altered = list(self._everywhere(place, change.label, simple))
            self._spent += 5 * len(altered)
            try:
                rows = self._fitting(place, altered, open_)
            except FAILED:  # shapes that do not fit this mistake
                continue
            if rows:
                yield self._told(first, change, altered, rows), rows
                if not place.rows & open_ & ~rows:
                    return
                open_ &= ~rows

    def _changes(self, branch: Branch) -> Changes:
        key = edge(branch)
        if key not in self._trees:
            tree = Tree(self.formulas.rule(branch))
            self._trees[key] = Changes(tree, self.search.vocabulary, branch)
        return self._trees[key]

    def _everywhere(self, place: Place, label: Any, simple: bool) -> Iterator[Altered]:
        """The same change in every block in which it can be made."""
        for _, branch in place.edges:
            key = edge(branch), simple
            changes = self._changes(branch)
            if key not in self._labels:
                made = changes.simple() if simple else changes.all()
                self._labels[key] = {c.label: c for c in made}
                self._spent += 5 * len(self._labels[key])
            change = self._labels[key].get(label)
            if change is not None:
                yield branch, changes.tree, change

    def _fitting(self, place: Place, altered: list[Altered], open_: int) -> int:
        """The rows that a change explains: all that inherit from it, or those that do fit."""
        changed = {edge(branch): (tree, change) for branch, tree, change in altered}
        wanted = place.rows & open_
        fitting = 0
        self._tried += 1
        for i in self.rerun.rows_in(wanted):
            array, cost = self.rerun.value(i, changed)
            self._spent += cost
            if not self.search.fits(array, self.rows[i].hand):
                return fitting if place.spoiled == 0 and fitting.bit_count() > 1 else 0
            fitting |= 1 << i
        return fitting

    def _told(self, branch: Branch, change: Change, altered: list[Altered], rows: int) -> Guess:
        """The explanation of some rows, by the formula of one branch."""
        node, tree = branch.stage.output, self._changes(branch).tree
        also = " (and so in the other blocks)" if len(altered) > 1 else ""
        changed, right = tree.formula(change.changed), self.formulas.correct(branch)
        if self._in_the_row(altered, rows):
            yours = self.formulas.put(changed, node, self.formulas.gradient(node))
            text = self.formulas.text
            return Guess(change.kind, text(yours), text(right), change.said + also, np.empty(0))
        value = self.formulas.gradient_name(node._inputs[branch.argument])
        stage = self.formulas.tape.label(node)
        head = f"{value} through {stage} = "
        looks = f"further up, at {stage}: {change.said}{also}"
        follows = f"what follows from {head}{self.formulas.text(changed)}"
        return Guess(change.kind, follows, head + self.formulas.text(right), looks, np.empty(0))

    def _in_the_row(self, altered: list[Altered], rows: int) -> bool:
        """Whether the change is in the last step of the only row that it explains."""
        if rows.bit_count() != 1:
            return False
        part = self.rows[rows.bit_length() - 1].part
        own = {edge(b) for b in part.branches} if part else set()
        return all(edge(branch) in own for branch, _, _ in altered)

    def _progress(self, spent: int = 0, done: bool = False) -> None:
        """A line on a terminal, while the search is long."""
        if not sys.stderr.isatty() or self.tried < SHOWN:
            return
        share = min(spent / BUDGET, 1)
        text = f"compare: {self.tried} mistakes further up tried, {share:.0%} of the budget"
        print(f"\r{text}" if not done else "\r\x1b[K", end="", file=sys.stderr, flush=True)

    def not_searched(self, entry: Entry) -> str:
        """That nothing was found for a row, and what was not searched."""
        part = entry.part
        assert part is not None
        above = dict.fromkeys(
            b.stage.output
            for b in reversed(part.branches)
            if not self.chain.is_given(b.stage.output)
            and b.stage.output is not self.formulas.tape.root
        )
        if not above:
            return ""
        names = [self.formulas.gradient_name(x) for x in above]
        give = ", ".join(names if len(names) <= 3 else [*names[:2], ".."])
        searched = (
            f"further up, the search ended at its budget, after {self.tried} mistakes"
            if self.ended
            else f"nor does one of {self.tried} mistakes further up"
        )
        return f"no simple mistake in the last step gives it; {searched}: give {give} too"
