"""The search for mistakes further up: in the formulas of what is not given, all rows at once.

For a mistake that is worth a try the chain rule runs once more, with the change in every block, and
what comes out is held against the values by hand.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lstm.comparison import likely
from tinygrad_lstm.comparison.chain import Edge, edge
from tinygrad_lstm.comparison.combined import Guess
from tinygrad_lstm.comparison.everywhere import EVERYWHERE, FAILED, beyond
from tinygrad_lstm.comparison.likely import Likely, nearest
from tinygrad_lstm.comparison.places import Place
from tinygrad_lstm.comparison.rows import Entry
from tinygrad_lstm.comparison.steps import LINE, RULE
from tinygrad_lstm.comparison.tree import Change, Tree
from tinygrad_lstm.engine.tape import Branch

__all__ = ["Above", "Outcome", "Where"]

ALIKE = " (and so in the others like it)"
AHEAD = 8  # mistakes that are tried at once

Altered = tuple[Branch, Tree, Mapping[int, Any]]  # a branch, its formula, what is changed in it


class Where(NamedTuple):
    """What is to be tried: a mistake in a place, for the rows that nothing explains so far."""

    place: int
    label: Any
    open_: int


class Outcome(NamedTuple):
    """What a try has found: the rows that are explained, as bits, and the explanation."""

    rows: int
    guess: Guess | None
    spent: float


Several = Callable[[Sequence[Where]], Sequence[Outcome]]


class Above(Likely):
    """The search; the parameters are those of :class:`Places`."""

    def explained(self, several: Several | None = None) -> Iterator[tuple[Entry, Guess]]:
        """The rows that are explained, each with its explanation.

        Parameters
        ----------
        several : callable, optional
            Tries several mistakes at once: what it takes is a list of arguments of :meth:`tried`.
            What comes after a find is asked for again, so that the same is found as without it.
        """
        open_ = (1 << len(self.rows)) - 1
        asked: list[likely.Candidate] = []
        levels, begun = [LINE, RULE] if self.rows else [], 0.0
        while (asked or levels) and open_ and not self.ended:
            if levels and (not asked or self.spent > begun + likely.RULES * likely.BUDGET):
                asked = nearest([*asked, *self._candidates(levels.pop())])
                begun = self.spent
            now = [Where(c.place, c.label, open_) for c in asked[: AHEAD if several else 1]]
            for outcome in several(now) if several else map(self.tried, now):
                asked.pop(0)
                self.spent += outcome.spent
                self.progress.step(self.spent / likely.BUDGET)
                if outcome.guess is not None:
                    open_ &= ~outcome.rows
                    asked = [c for c in asked if self.places[c.place].rows & open_]
                    for i in self.rerun.rows_in(outcome.rows):
                        yield self.rows[i], outcome.guess
                if outcome.guess is not None or self.ended:
                    break
        self.progress.done()

    def tried(self, where: Where) -> Outcome:
        """Run the chain rule again with a mistake."""
        place = self.places[where.place]
        _, changes = self._pattern(where.place)
        change = changes.labels[where.label]
        with self.rerun.running(), contextlib.suppress(*FAILED):
            altered = list(self._everywhere(where.place, change))
            rows, spent = self._fitting(place, altered, where.open_)
            guess = self._told(altered, change, rows, where.place) if rows else None
            return Outcome(rows, guess, spent * self._rule_cost)
        return Outcome(0, None, self._rule_cost * len(place.edges))

    def _everywhere(self, number: int, change: Change) -> Iterator[Altered]:
        """The same change in every block in which it can be made."""
        blocks, _ = self._pattern(number)
        alike = {edge(b): n for n, b in enumerate(blocks.branches)}
        for _, branch in self.places[number].edges:
            n = alike.get(edge(branch))
            changed = blocks.placed(change, n) if n is not None else None
            if changed is not None and n is not None:
                yield branch, self._tree(blocks, n), changed
                continue
            changes = self.search.changes(branch, self.places[number].level)
            other = changes.labels.get(change.label)
            other = other or beyond(changes.tree, change)
            if other is not None:
                yield branch, changes.tree, other.changed

    def _fitting(self, place: Place, altered: list[Altered], open_: int) -> tuple[int, int]:
        """The rows that a change explains: all that inherit from it, or those that do fit; and how
        many rules ran."""
        changed: dict[Edge, Any] = {edge(b): (tree, change) for b, tree, change in altered}
        asked = self.rerun.rows_in(place.rows & open_)
        fitting = spent = 0
        for rows in (asked[:1], asked[1:]):  # most mistakes show in the first
            arrays, cost = self.rerun.values(sum(1 << i for i in rows), changed)
            spent += cost
            fits = [i for i in rows if self.search.fits(arrays[i], self.rows[i].hand)]
            fitting |= sum(1 << i for i in fits)
            if len(fits) < len(rows):
                alone = place.spoiled == 0 and fitting.bit_count() > 1
                return (fitting if alone else 0), spent
        return fitting, spent

    def _told(self, altered: list[Altered], change: Change, rows: int, number: int) -> Guess:
        """The explanation of some rows, by the formula of one branch."""
        _, pattern = self._pattern(number)
        branch, tree = pattern.branch, pattern.tree
        node = branch.stage.output
        blocks = {self.search.vocabulary.at(b) for b, _, _ in altered}
        also = "" if len(altered) < 2 else EVERYWHERE if len(blocks) > 1 else ALIKE
        arriving, text = self.formulas.gradient(node), self.formulas.text
        changed, correct = tree.formula(change.changed), tree.root
        if self.places[number].level != LINE:
            changed = self.formulas.put(changed, node, arriving)
            correct = self.formulas.correct(branch)
        yours, right = text(changed), text(correct)
        if self._in_the_row(altered, rows):
            return Guess(change.kind, yours, right, change.said + also, np.empty(0))
        value = self.formulas.gradient_name(node._inputs[branch.argument])
        stage = self.formulas.stage(node)
        head = f"{value} through {stage} = "
        looks = f"further up, at {stage}: {change.said}{also}"
        follows = f"what follows from {head}{yours}"
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
        tried = self.progress.tried
        searched = f"nor does one of {tried} mistakes further up"
        if self.ended:
            budget = f"its budget of {likely.BUDGET:,} rules"
            searched = f"further up, the search ended at {budget}, after {tried} mistakes"
        return f"no simple mistake in the last step gives it; {searched}: give {give} too"
