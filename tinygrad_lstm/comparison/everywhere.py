"""The search for a mistake in all branches of one place at once, as it stands in a loop."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from tinygrad_lstm.comparison.combined import Guess, Term, Words, added, summed
from tinygrad_lstm.comparison.steps import Steps, unnumbered
from tinygrad_lstm.comparison.tree import Change, Tree
from tinygrad_lstm.derivation.expression import Expression, Leaf
from tinygrad_lstm.errors import Error

__all__ = ["EVERYWHERE", "FAILED", "FAR_FETCHED", "Everywhere", "beyond"]

EVERYWHERE = " (and so in the other blocks)"
FAILED = (Error, ValueError, TypeError, IndexError, KeyError, AttributeError, ArithmeticError)
FAR_FETCHED = ("wrong gradient", "another derivative", "factor")  # kinds: plain ones come first


def beyond(tree: Tree, change: Change) -> Change | None:
    """The change by which another gradient is used, where there is none, since nothing reads its
    value (the last state): it is 0."""
    leaf = tree.order[change.label[1]] if change.label[1] < len(tree.order) else None
    if change.label[0] != "δ" or not isinstance(leaf, Leaf) or not leaf.gradient:
        return None
    return change._replace(changed={id(leaf): Leaf(np.zeros(leaf.shape), "0")})


class Everywhere(Steps):
    """Changes in several branches; the parameters are those of :class:`Steps`."""

    def _in_blocks(
        self, terms: list[Term], level: int, correct: Words, hand: np.ndarray, deep: bool
    ) -> Iterator[Guess]:
        """The same mistake in all branches of one place, as it stands in a loop."""
        total, groups = summed(terms), defaultdict(list)
        for term in terms:
            groups[self.place(term.branch)].append(term)
            groups[self.kind(term.branch)].append(term)  # in a loop without blocks
        kinds = {frozenset(map(id, group)): group for group in groups.values()}
        for group in kinds.values():
            if len(group) < 2 or not (deep or all(map(self.closed, group))):
                continue
            every = {id(t): self.changes(t.branch, level, hand.shape == total.shape) for t in group}
            one = len({self.place(t.branch) for t in group}) == 1
            labels = {
                i: found if one else {unnumbered(k): v for k, v in found.items()} | found
                for i, found in ((i, changes.labels) for i, changes in every.items())
            }
            for label, change in labels[id(group[len(group) // 2])].items():
                altered = {
                    i: (changes.tree, labels[i][label])
                    for i, changes in every.items()
                    if label in labels[i]
                }
                array = self._altered(terms, total, altered)
                fits = array is not None and self.fits(array, hand)
                if not fits and label[0] == "δ" and len(altered) < len(every):
                    altered |= {
                        i: (changes.tree, ended)
                        for i, changes in every.items()
                        if i not in altered and (ended := beyond(changes.tree, change))
                    }
                    array = self._altered(terms, total, altered)
                    fits = array is not None and self.fits(array, hand)
                if array is not None and fits:
                    formulas = [
                        self._written(t, *altered[id(t)]) for t in group if id(t) in altered
                    ]
                    rest = [term.formula for term in terms if id(term) not in altered]
                    looks = change.said + EVERYWHERE * (len(altered) > 1)
                    yield Guess(change.kind, added(formulas + rest), correct, looks, array)

    def _written(self, term: Term, tree: Tree, change: Change) -> Expression:
        """A changed formula, with the gradient that arrives written through."""
        node = term.branch.stage.output
        formula = self.formulas.put(
            tree.formula(change.changed), node, self.formulas.gradient(node)
        )
        return self.formulas.through(formula)

    def _altered(
        self, terms: list[Term], total: np.ndarray, altered: dict[int, tuple[Tree, Change]]
    ) -> np.ndarray | None:
        """The value of a row with changes in some terms."""
        array = total
        for term in terms:
            if id(term) in altered:
                tree, change = altered[id(term)]
                try:
                    other = tree.run(change.changed)
                except FAILED:
                    return None
                if other.shape != total.shape:
                    return None
                array = array - term.array + other
        return array
