"""The search for mistakes further up: in the formulas of what is not given, all rows at once.

For a mistake that is worth a try the chain rule runs once more, with the change in every block, and
what comes out is held against the values by hand.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from tinygrad_lstm.comparison import likely
from tinygrad_lstm.comparison.candidates import (
    Candidate,
    Outcome,
    Several,
    Where,
    cheap,
    near,
    nearest,
    waits,
)
from tinygrad_lstm.comparison.chain import Edge, edge
from tinygrad_lstm.comparison.combined import FOLLOWS, Guess
from tinygrad_lstm.comparison.everywhere import EVERYWHERE, FAILED, beyond
from tinygrad_lstm.comparison.likely import Likely
from tinygrad_lstm.comparison.rows import Entry
from tinygrad_lstm.comparison.stages import CHEAP, PLAIN, STAGES, Stage
from tinygrad_lstm.comparison.steps import RULE, TERMS, WHOLES
from tinygrad_lstm.comparison.tree import Change, Tree
from tinygrad_lstm.engine.tape import Branch

__all__ = ["Above", "Altered", "Changes"]

SEVERAL = (
    "nor can one mistake further up, whatever it is: there are several, or one in several places"
)
ALIKE = " (and so in the others like it)"
AHEAD = 8  # groups of mistakes that are tried at once, where others work
FIRST, MOST = 4, 64  # mistakes in the first group, and in a later one
SHARED = 0.25  # of what may be spent before more is looked at: a run of the chain rule is long
KEPT = 4_000_000  # numbers of a tape, for all mistakes of a group

Altered = tuple[Branch, Tree, Mapping[int, Any]]  # a branch, its formula, what is changed in it
Changes = Mapping[Edge | int, tuple[Tree, Mapping[int, Any]]]


class Above(Likely):
    """The search; the parameters are those of :class:`Places`."""

    pairs = 0  # of mistakes that were tried

    def explained(self, several: Several | None = None) -> Iterator[tuple[Entry, Guess]]:
        """The rows that are explained, each with its explanation.

        Parameters
        ----------
        several : callable, optional
            Tries several groups of mistakes at once: what it takes is a list of arguments of
            :meth:`tried`. What comes after a find is asked for again, so that the same is found as
            without it.
        """
        self.found: list[Where] = []
        yield from self.searched(STAGES, several)
        self.apart = True
        yield from self.searched([(*stage, PLAIN) for stage in CHEAP], several)
        self.apart = False

    def searched(
        self, stages: Sequence[Stage], several: Several | None
    ) -> Iterator[tuple[Entry, Guess]]:
        """The same, in some stages of the search, by what is still to be looked at."""
        asked: list[Candidate] = []
        later, until, size = list(stages) if self.rows else [], 0.0, self._at_first
        while (asked or later) and self.open_ and not self.ended:
            if later and (not asked or self.spent > until or waits(asked, later)):
                asked, size = nearest([*asked, *self._candidates(*later.pop())]), self._at_first
                until = self.spent + likely.RULES * self.budget
            first = near(asked) if cheap(later) else asked
            groups = list(
                itertools.islice(self._groups(first, size, self.open_), AHEAD if several else 1)
            )
            tries = several(groups) if several else map(self.tried, groups)
            for group, outcomes in zip(groups, tries, strict=True):
                self._count(outcomes)
                rows, guess, _ = outcomes[-1]
                asked, size = asked[len(outcomes) :], min(2 * size, self._most)
                if guess is not None:
                    self.found.append(group[len(outcomes) - 1])
                    self.open_, size = self.open_ & ~rows, self._at_first
                    asked = [c for c in asked if self.places[c.place].rows & self.open_]
                    later = list(STAGES) if self.begin_again() else later
                    yield from ((self.rows[i], guess) for i in self.rerun.rows_in(rows))
                next_ = later and (self.spent > until or waits(asked, later))
                if guess is not None or self.ended or next_:
                    break

    def _groups(self, asked: Sequence[Candidate], size: int, open_: int) -> Iterator[list[Where]]:
        """What is tried at once: few that are near, then more."""
        start = 0
        while start < len(asked):
            yield [Where(c.place, c.label, open_) for c in asked[start : start + size]]
            start, size = start + size, min(2 * size, self._most)

    @cached_property
    def _most(self) -> int:
        """How many mistakes are tried at once."""
        numbers: int = sum(x._array.size for x in self.chain.order)
        share = int(likely.RULES * self.budget / self._widest)
        return max(FIRST, min(MOST, KEPT // max(numbers, 1), share))

    @cached_property
    def _at_first(self) -> int:
        """How many are tried at first: few; on a long tape so many that they cost as much as what
        is run for all of them together."""
        shared = len(self.rerun.edges)
        many = shared // self._widest if shared > SHARED * likely.RULES * self.budget else FIRST
        return max(FIRST, min(self._most, many))

    @cached_property
    def _widest(self) -> int:
        """In how many blocks a mistake is made at most."""
        return max((len(place.edges) for place in self.places), default=1)

    def _count(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            self.spent += outcome.spent
            self.progress.step(self.spent / self.budget)

    def tried(self, group: Sequence[Where]) -> list[Outcome]:
        """Run the chain rule again with each of some mistakes, up to the first that explains
        rows."""
        changes = [self._change(where) for where in group]
        asked = [self.rerun.rows_in(self.places[w.place].rows & w.open_) for w in group]
        fitting, count = self._fits(asked, partial(self._edited, group, changes))
        spent = count * self._rule_cost / len(group)
        outcomes = []
        for where, change, rows, fit in zip(group, changes, asked, fitting, strict=True):
            explained = self._explained(where, rows, fit)
            guess = None
            if explained:
                guess = self._told(self._altered(where, change), change, explained, where.place)
            outcomes.append(Outcome(explained, guess, spent))
            if guess is not None:
                break
        return outcomes

    def _edited(
        self, group: Sequence[Where], changes: Sequence[Change], rows: Sequence[Sequence[int]]
    ) -> list[Changes]:
        """What mistakes change in a run of the chain rule, each where some rows inherit from it:
        where neighbours are given, one row does so from a few of all blocks."""
        return [
            self._edits(w.place, self._altered(w, change, sum(1 << i for i in each)))
            if each
            else {}
            for w, change, each in zip(group, changes, rows, strict=True)
        ]

    def _explained(self, where: Where, rows: Sequence[int], fit: int) -> int:
        """The rows that a mistake explains: all that inherit from it, or those that do fit."""
        every = fit.bit_count() == len(rows)
        alone = self.places[where.place].spoiled == 0 and fit.bit_count() > 1
        return fit if every or alone else 0

    def _change(self, where: Where) -> Change:
        _, changes = self._pattern(where.place)
        found = changes.labelled(where.label, changes)
        assert found is not None
        return found

    def _altered(self, where: Where, change: Change, rows: int = -1) -> list[Altered]:
        with contextlib.suppress(*FAILED):
            return list(self._everywhere(where.place, change, rows))
        return []

    def _everywhere(self, number: int, change: Change, rows: int) -> Iterator[Altered]:
        """The same change in every block in which it can be made, and from which some rows
        inherit."""
        blocks, like = self._pattern(number)
        alike = {edge(b): n for n, b in enumerate(blocks.branches)}
        called = {edge(b): names for edges, names in self.places[number].calls for _, b in edges}
        for _, branch in self.places[number].edges:
            if not self.rerun.inherits[edge(branch)] & rows:
                continue
            n = alike.get(edge(branch))
            changed = blocks.placed(change, n) if n is not None else None
            if changed is not None and n is not None:
                yield branch, self._tree(blocks, n), changed
                continue
            changes = self.search.changes(branch, self.places[number].level)
            found = changes.labelled(change.label, like, called.get(edge(branch)))
            other = found or beyond(changes.tree, change)
            if other is not None:
                yield branch, changes.tree, other.changed

    def _edits(self, number: int, altered: Sequence[Altered]) -> Changes:
        """What a mistake in a place changes in a run of the chain rule."""
        place = self.places[number]
        read = ((b.stage.output._inputs[b.argument], b) for b, _, _ in altered)
        keys = (self.key(place, x, b) for x, b in read)
        pairs = zip(keys, altered, strict=True)
        return {key: (tree, change) for key, (_, tree, change) in pairs}

    def _fits(
        self,
        asked: Sequence[Sequence[int]],
        changed: Callable[[Sequence[Sequence[int]]], Sequence[Changes]],
    ) -> tuple[list[int], int]:
        """Which of some rows each change explains, as bits, if it explains the first of them; and
        how many rules ran. What is changed for rows is asked for when they are looked at."""
        first = [rows[:1] for rows in asked]  # most mistakes show in the first
        fitting, count = self._compared(first, changed(first))
        rest = [rows[1:] if fit else [] for rows, fit in zip(asked, fitting, strict=True)]
        also, more = self._compared(rest, changed(rest))
        return [one | others for one, others in zip(fitting, also, strict=True)], count + more

    def _compared(
        self, asked: Sequence[Sequence[int]], changed: Sequence[Changes]
    ) -> tuple[list[int], int]:
        """Which of some rows each change explains, as bits; and how many rules ran."""
        numbers = [k for k, rows in enumerate(asked) if rows and changed[k]]
        if not numbers:
            return [0] * len(asked), 0
        mask = sum(1 << i for i in {i for k in numbers for i in asked[k]})
        arrays, count = self.rerun.values(mask, [changed[k] for k in numbers])
        found = [0] * len(asked)
        for n, k in enumerate(numbers):
            fits = (i for i in asked[k] if self.search.fits(arrays[i][n], self.rows[i].hand))
            found[k] = sum(1 << i for i in fits)
        return found, count

    def _told(self, altered: list[Altered], change: Change, rows: int, number: int) -> Guess:
        """The explanation of some rows, by the formula of one branch."""
        _, pattern = self._pattern(number)
        branch, tree = pattern.branch, pattern.tree
        node = branch.stage.output
        blocks = {self.search.vocabulary.at(b) for b, _, _ in altered}
        also = "" if len(altered) < 2 else EVERYWHERE if len(blocks) > 1 else ALIKE
        arriving, text = self.formulas.gradient(node), self.formulas.text
        changed, correct = tree.formula(change.changed), tree.root
        if self.places[number].level in WHOLES:
            if self.places[number].level == TERMS:
                correct = self.formulas.met(branch)  # the same, with common factors in front
            x = node._inputs[branch.argument]
            head = f"{self.formulas.gradient_name(x)} = "
            looks = f"further up, in {self.formulas.derivative(x)}: {change.said}{also}"
            follows = f"{FOLLOWS}{head}{text(changed)}"
            return Guess(change.kind, follows, head + text(correct), looks, np.empty(0))
        if self.places[number].level == RULE:
            changed = self.formulas.put(changed, node, arriving)
            correct = self.formulas.correct(branch)
        yours, right = text(changed), text(correct)
        if self._in_the_row(altered, rows):
            return Guess(change.kind, yours, right, change.said + also, np.empty(0))
        value = self.formulas.gradient_name(node._inputs[branch.argument])
        stage = self.formulas.stage(node)
        head = f"{value} through {stage} = "
        looks = f"further up, at {stage}: {change.said}{also}"
        follows = f"{FOLLOWS}{head}{yours}"
        return Guess(change.kind, follows, head + right, looks, np.empty(0))

    def _in_the_row(self, altered: list[Altered], rows: int) -> bool:
        """Whether the change is in the last step of the only row that it explains."""
        if rows.bit_count() != 1:
            return False
        part = self.rows[rows.bit_length() - 1].part
        own = {edge(b) for b in part.branches} if part else set()
        return all(edge(branch) in own for branch, _, _ in altered)

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
        tried, two = self.progress.tried, f" and {self.pairs} pairs" * bool(self.pairs)
        searched = f"nor does one of {tried} mistakes{two} further up"
        if self.ended:
            budget = f"its budget of {self.budget:,} rules"
            searched = f"further up, the search ended at {budget}, after {tried} mistakes{two}"
        if self.elsewhere(entry):
            searched = SEVERAL
        return f"no simple mistake in the last step gives it; {searched}: give {give} too"
