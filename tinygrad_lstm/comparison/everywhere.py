"""The search for a mistake in all branches of one place at once, as it stands in a loop."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations

import numpy as np

from tinygrad_lstm.comparison.absent import ABSENT, Absent, Altered
from tinygrad_lstm.comparison.branches import Term, added, summed
from tinygrad_lstm.comparison.changes import Changes, Sort
from tinygrad_lstm.comparison.combined import Guess, Words
from tinygrad_lstm.comparison.steps import TERMS
from tinygrad_lstm.comparison.terms import EACH
from tinygrad_lstm.comparison.tree import Change, Tree
from tinygrad_lstm.comparison.twice import scaled_change
from tinygrad_lstm.derivation.expression import Expression, Leaf
from tinygrad_lstm.errors import Error

__all__ = ["EVERYWHERE", "FAILED", "FAR_FETCHED", "TOGETHER", "Everywhere", "beyond"]

EVERYWHERE = " (and so in the other blocks)"
FAILED = (Error, ValueError, TypeError, IndexError, KeyError, AttributeError, ArithmeticError)
TOGETHER = 6  # branches of a row that are written as one sum
FAR_FETCHED = ("wrong gradient", "another derivative", "factor", "extra term")  # plain kinds first


def beyond(tree: Tree, change: Change) -> Change | None:
    """The change by which another gradient is used, where there is none, since nothing reads its
    value (the last state): it is 0."""
    kind, *at = change.label
    later = kind == "δ" or (kind == "carry" and at[-1] == "later")
    leaf = tree.order[at[0]] if later and at[0] < len(tree.order) else None
    if not isinstance(leaf, Leaf) or not leaf.gradient:
        return None
    return change._replace(changed={id(leaf): Leaf(np.zeros(leaf.shape), "0")})


class Everywhere(Absent):
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
            for altered in self._alike_in(every, id(group[len(group) // 2]), one):
                array = self._altered(terms, total, altered)
                if array is None:
                    continue
                if self.fits(array, hand):
                    yield self._told_of_all(terms, group, altered, correct, array)
                    continue
                other = self.absent(every, altered, group, array, hand)
                if other is not None and self.fits(other, hand):
                    guess = self._told_of_all(terms, group, altered, correct, other)
                    yield guess._replace(looks_like=guess.looks_like + ABSENT)

    def _alike_in(self, every: Mapping[int, Changes], pattern: int, one: bool) -> Iterator[Altered]:
        """The changes of one formula, each with the same in the others: by their labels, in several
        places without the numbers in these."""
        for sort in every[pattern].sorts:
            if not self.within(0):
                return
            labels = {
                i: found if one else self._unlayered(changes, found)
                for i, changes in every.items()
                if (found := changes.sort(sort))
            }
            for label in labels.get(pattern, ()):
                if not self.within(len(every)):
                    return
                altered = {
                    i: (every[i].tree, found[label])
                    for i, found in labels.items()
                    if label in found
                }
                yield altered
                inside = self.inside(every, altered)
                if 0 < len(inside) < len(altered):
                    yield inside
                if label[0] in ("δ", "carry") and len(altered) < len(every):
                    _, change = altered[pattern]
                    left = ((i, every[i].tree) for i in every if i not in altered)
                    ended = {i: (tree, b) for i, tree in left if (b := beyond(tree, change))}
                    yield altered | ended

    def _in_whole(
        self,
        terms: list[Term],
        level: int,
        sorts: Sequence[str],
        correct: Words,
        hand: np.ndarray,
    ) -> Iterator[Guess]:
        """Mistakes in the sum of the branches as it is written: what stands in several of them."""
        changes, tried = self.changes(terms[0].branch, level), []
        for change in changes.of(sorts):
            if not self.within():
                return
            array = self._run(changes.tree, change)
            if array is None:
                continue
            if change.kind == "chain rule":
                tried.append((change, array))
            yours = partial(self._text_of, changes.tree, change)
            yield Guess(change.kind, yours, correct, change.said, array)
        for guess, _ in scaled_change(tried, hand, self.sizes.of(hand.shape), correct):
            yield guess

    def _in_several(self, terms: list[Term], correct: Words, hand: np.ndarray) -> Iterator[Guess]:
        """The same mistake in some of the terms that the whole is when it is multiplied out."""
        changes = self.changes(terms[0].branch, TERMS)
        total, alike = changes.tree.array, defaultdict(list)
        for change in changes.of(EACH):
            added = self._run(changes.tree, change)
            if added is not None and added.shape == hand.shape:
                alike[change.label[:2]].append((change.label[2], added - total))
        for label, found in alike.items():
            for n in range(1, min(len(found), TOGETHER) + 1):
                for chosen in combinations(found, n):
                    array = total + np.add.reduce([added for _, added in chosen])
                    both = (*label, tuple(k for (k,), _ in chosen))
                    if self.fits(array, hand) and (other := changes.labelled(both)):
                        yours = partial(self._text_of, changes.tree, other)
                        yield Guess(other.kind, yours, correct, other.said, array)

    @staticmethod
    def _run(tree: Tree, change: Change) -> np.ndarray | None:
        """The value of a formula with a change; None where it has none."""
        try:
            return tree.run(change.changed)
        except FAILED:  # shapes that do not fit this mistake
            return None

    def _text_of(self, tree: Tree, change: Change) -> str:
        return self.formulas.text(tree.formula(change.changed))

    def _unlayered(self, changes: Changes, found: Sort) -> Sort:
        """Mistakes by labels without what tells layers apart, too."""
        own = self.formulas.base(changes.branch.stage.output)
        nearest = reversed(found.items())  # of several steps away the nearest stays
        return {self.scopes.alike(label, own): c for label, c in nearest} | found

    def _told_of_all(
        self,
        terms: list[Term],
        group: list[Term],
        altered: Altered,
        correct: Words,
        array: np.ndarray,
    ) -> Guess:
        """The explanation by a change in several terms."""
        formulas = [self._written(t, *altered[id(t)]) for t in group if id(t) in altered]
        rest = [term.formula for term in terms if id(term) not in altered]
        _, change = altered.get(id(group[len(group) // 2])) or next(iter(altered.values()))
        looks = change.said + EVERYWHERE * (len(altered) > 1)
        return Guess(change.kind, added(formulas + rest), correct, looks, array)

    def _written(self, term: Term, tree: Tree, change: Change) -> Expression:
        """A changed formula, with the gradient that arrives written through."""
        node = term.branch.stage.output
        formula = self.formulas.put(
            tree.formula(change.changed), node, self.formulas.gradient(node)
        )
        return self.formulas.through(formula)

    def _altered(self, terms: list[Term], total: np.ndarray, altered: Altered) -> np.ndarray | None:
        """The value of a row with changes in some terms."""
        array = total
        for term in terms:
            if id(term) in altered:
                tree, change = altered[id(term)]
                other = self._run(tree, change)
                if other is None or other.shape != total.shape:
                    return None
                array = array - term.array + other
        return array

    def _changed(
        self, term: Term, terms: list[Term], total: np.ndarray, tree: Tree, change: Change
    ) -> np.ndarray | None:
        """The value of a row with a change in one of its terms."""
        array = self._run(tree, change)
        if array is None or len(terms) == 1:
            return array
        return total - term.array + array if array.shape == total.shape else None
