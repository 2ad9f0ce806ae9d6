"""The search for two mistakes at once in one row, where one explains nothing."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_lstm.comparison.branches import Term, summed
from tinygrad_lstm.comparison.chain import Chain
from tinygrad_lstm.comparison.changes import SIMPLE
from tinygrad_lstm.comparison.combined import Guess, Words
from tinygrad_lstm.comparison.everywhere import Everywhere
from tinygrad_lstm.comparison.rows import Entry, Judge
from tinygrad_lstm.comparison.tree import Change
from tinygrad_lstm.comparison.twice import scaled_change, two_changes

__all__ = ["FEW", "MOST", "SHARE", "STAGES", "Second"]

STAGES = 4  # that a derivation may go past in one step
FEW = 16  # branches of a row whose formulas are changed one by one
PAIRED = (*SIMPLE, "values", "gradients", "slices", "matrices", "extra")
MOST, SHARE = 3000, 0.3  # mistakes in a row that are looked at, and of the formulas allowed
GIVEN_UP = 2  # rows of one name, after which the others are not searched

Made = tuple[Any, Change, np.ndarray]  # where a mistake is made, the mistake, the row with it


class Second(Everywhere):
    """The search; the parameters are those of :class:`Search`.

    Attributes
    ----------
    failed : dict of str to int
        How many rows of a name nothing has explained.
    twice : list
        Where the mistakes were made that explained rows before, two by two.
    most : float
        How many mistakes in a row are looked at.
    """

    failed: dict[str, int]
    twice: list[Sequence[Any]]
    most: float

    def __init__(self, judge: Judge, chain: Chain, close: float = 0.0) -> None:
        super().__init__(judge, chain, close)
        self.failed, self.twice, self.most = {}, [], MOST

    def second(self, entry: Entry) -> Guess | None:
        """Two mistakes at once in one row, where one explains nothing."""
        part, hand = entry.part, entry.hand
        assert part is not None
        right = self.chain.follows(part)
        name = self.formulas.base(part.value) + " twice"
        if self.opaque(part, right) or hand.size < 3 or not np.isfinite(hand).all():
            return None
        terms = self.terms(part)
        if len(terms) > FEW:
            return None
        correct = self.correct(part, terms)
        for places in self.twice:  # what two mistakes were made in an earlier row
            made = [m for place in places for m in self._made_at(terms, place, hand)]
            guess = self._fitting(made, hand, right, correct)
            if guess is not None:
                return guess
        if self.failed.get(name, 0) >= GIVEN_UP:
            return None
        guess = self._fitting(list(self._all_made(terms, hand)), hand, right, correct)
        if guess is None:
            self.failed[name] = self.failed.get(name, 0) + 1
        return guess

    def _fitting(
        self, made: Sequence[Made], hand: np.ndarray, right: np.ndarray, correct: Words
    ) -> Guess | None:
        """The explanation by two of some mistakes, or by one and a factor."""
        places = {id(change): place for place, change, _ in made}
        tried = [(change, array) for _, change, array in made]
        for guess, changes in itertools.chain(
            scaled_change(tried, hand, self.sizes.of(right.shape), correct),
            two_changes(tried, hand, right, correct),
        ):
            if self.fits(guess.array, hand):
                found = [places[id(change)] for change in changes]
                self.twice += [found] * (found not in self.twice)
                return guess
        return None

    def _all_made(self, terms: list[Term], hand: np.ndarray) -> Iterator[Made]:
        """The row with each mistake that is worth a try."""
        for term in terms:
            changes = self.changes(term.branch, STAGES)
            every = ((s, change) for s in PAIRED for change in changes.sort(s).values())
            for sort, change in itertools.islice(every, int(self.most) // len(terms)):
                place = (self.place(term.branch), sort, change.label)
                yield from self._made(terms, term, place, change, hand)

    def _made_at(self, terms: list[Term], place: Any, hand: np.ndarray) -> Iterator[Made]:
        """The row with the mistake of a place."""
        where, sort, label = place
        for term in terms:
            if self.place(term.branch) == where:
                change = self.changes(term.branch, STAGES).sort(sort).get(label)
                if change is not None:
                    yield from self._made(terms, term, place, change, hand)

    def _made(
        self, terms: list[Term], term: Term, place: Any, change: Change, hand: np.ndarray
    ) -> Iterator[Made]:
        tree = self.changes(term.branch, STAGES).tree
        array = self._changed(term, terms, summed(terms), tree, change)
        if array is not None and array.shape == hand.shape and np.isfinite(array).all():
            yield place, change, array
