"""Mistakes that are tried in the formula of a value that is not given, in every block at once, by
what they do to the rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lstm.comparison.changes import Changes
from tinygrad_lstm.comparison.combined import Guess, Term, places
from tinygrad_lstm.comparison.everywhere import FAILED
from tinygrad_lstm.comparison.progress import Progress
from tinygrad_lstm.comparison.search import Search
from tinygrad_lstm.comparison.steps import RULE
from tinygrad_lstm.comparison.tree import Change, Tree
from tinygrad_lstm.engine.gradients import Part

__all__ = ["Found", "Trials"]

MADE = 30  # of it, for the mistakes in the formula of one branch, which have to be made first
BUDGET = 8_000  # mistakes in one formula that are tried; then the search ends
CLOSE = 1e-8  # how closely the rows have to be met, in parts of the largest difference


class Found(NamedTuple):
    """A mistake, and a value in whose formula it is."""

    value: Any
    guess: Guess


class Step(NamedTuple):
    """The derivative by a value of one block, as a sum of branches."""

    value: Any
    columns: slice
    terms: list[Term]
    changes: list[Changes]


class Trials:
    """The mistakes in a value that is not given.

    Backward is linear, so what a mistake adds in one block moves the gradients that arrive in the
    blocks before it by a matrix: no rule has to run again but that of the value itself.

    Parameters
    ----------
    search : Search
        What is known of the formulas.
    """

    def __init__(self, search: Search) -> None:
        self.search, self.chain = search, search.chain
        self.left, self.progress = BUDGET, Progress()

    def guess(
        self,
        values: Sequence[Any],
        matrix: np.ndarray,
        totals: dict[int, np.ndarray],
        missing: np.ndarray,
    ) -> Found | None:
        """The simplest mistake in the derivatives by some values that makes the rows what they
        are; `matrix` and `totals` are what answers to them."""
        if self.left <= 0:
            return None
        steps = list(self._steps(values))
        self.left -= MADE * sum(len(step.terms) for step in steps)
        tolerance = CLOSE * np.max(np.abs(missing))
        for place, changes in self._places(steps).items():
            for label, change in changes.labels.items():
                if self.left <= 0:
                    return None
                self.progress.step(1 - self.left / BUDGET)
                try:
                    off = self._additions(steps, totals, place, label)
                except FAILED:
                    continue
                if off is not None and np.max(np.abs(matrix @ off - missing)) <= tolerance:
                    return self._found(steps, place, change)
        return None

    def _steps(self, values: Sequence[Any]) -> Iterator[Step]:
        start = 0
        for x in values:
            columns = slice(start, start := start + x._array.size)
            terms = self.search.terms(Part(x, self.chain.gradients.branches(x), "total"))
            changes = [self.search.changes(term.branch, RULE) for term in terms]
            yield Step(x, columns, terms, changes)

    def _places(self, steps: Sequence[Step]) -> dict[Any, Changes]:
        """The formula of each branch in the middle of the blocks in which it is there."""
        found: dict[Any, list[Changes]] = defaultdict(list)
        for step in steps:
            for term, changes in zip(step.terms, step.changes, strict=True):
                found[self.search.place(term.branch)].append(changes)
        return {place: changes[len(changes) // 2] for place, changes in found.items()}

    def _additions(
        self, steps: Sequence[Step], totals: dict[int, np.ndarray], place: Any, label: Any
    ) -> np.ndarray | None:
        """What a mistake adds to the derivatives by the values; None where it adds nothing."""
        width = steps[-1].columns.stop
        off = np.zeros(width)
        for step in steps:
            for term, changes in zip(step.terms, step.changes, strict=True):
                change = changes.labels.get(label)
                if change is None or self.search.place(term.branch) != place:
                    continue
                self.left -= 1
                given = self._moved(changes.tree, change, totals, off)
                other = changes.tree.run(change.changed, given)
                right = changes.tree.run({}, given)
                if other.shape != right.shape:
                    return None
                off[step.columns] += np.ravel(other - right)
        return off if off.any() else None

    def _moved(
        self, tree: Tree, change: Change, totals: dict[int, np.ndarray], off: np.ndarray
    ) -> dict[int, np.ndarray]:
        """The gradients that arrive, with what was added in later blocks."""
        if not off.any():
            return {}
        moved = {}
        for leaf in self.search.formulas.gradients_in(tree, change):
            source = self.search.formulas.source.get(leaf)
            if source is not None and id(source) in totals:
                by = totals[id(source)] @ off
                moved[id(leaf)] = self.chain.totals[id(source)] + by.reshape(leaf.shape)
        return moved

    def _found(self, steps: Sequence[Step], place: Any, change: Change) -> Found:
        """The explanation, in the first block in which the mistake can be made."""
        formulas = self.search.formulas
        for step in steps:
            for term, changes in zip(step.terms, step.changes, strict=True):
                own = changes.labels.get(change.label)
                if own is None or self.search.place(term.branch) != place:
                    continue
                node, rule = term.branch.stage.output, changes.tree
                arriving = formulas.gradient(node)
                changed, right_ = (
                    formulas.through(formulas.put(e, node, arriving))
                    for e in (rule.formula(own.changed), rule.root)
                )
                if len(step.terms) == 1:
                    yours, right = formulas.text(changed), formulas.text(right_)
                else:
                    yours = places(step.terms, term, changed)
                    right = places(step.terms, term, right_)
                return Found(step.value, Guess(own.kind, yours, right, own.said, np.empty(0)))
        raise KeyError(place)
