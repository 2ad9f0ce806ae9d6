"""The search for the simplest mistake that reproduces a wrong row, in the formula of the row."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_lstm.comparison.branches import Term, places, sum_of, summed
from tinygrad_lstm.comparison.chain import Chain
from tinygrad_lstm.comparison.changes import NEAR
from tinygrad_lstm.comparison.combined import Guess, Words, combined
from tinygrad_lstm.comparison.crossed import crossed
from tinygrad_lstm.comparison.deviation import deviation
from tinygrad_lstm.comparison.elsewhere import Elsewhere
from tinygrad_lstm.comparison.everywhere import TOGETHER
from tinygrad_lstm.comparison.rows import Entry, Judge
from tinygrad_lstm.comparison.second import FEW, MOST, SHARE, STAGES, Second
from tinygrad_lstm.comparison.steps import MANY_NUMBERS, MET, OPEN, RULE, SUM
from tinygrad_lstm.comparison.sums import OF_A_ROW
from tinygrad_lstm.comparison.tree import Change, Tree
from tinygrad_lstm.comparison.whole import limited, scaled, whole
from tinygrad_lstm.engine.gradients import Part

__all__ = ["Search"]

DIGITS = 3  # so few of them agree with much by chance ..
SURE = (
    *("sign", "factor", "zero", "transpose"),
    *("branch missing", "branch doubled", "one branch only", "accumulation"),
)  # .. but not with these
LEVELS = (0, STAGES, OPEN)
PATIENCE = 8  # rows of one name without an explanation, after which few of the others are searched


class Search(Second):
    """Tries the explanations of a wrong value, the simplest first.

    Parameters
    ----------
    judge : Judge
        The tape's side, and the tolerance.
    chain : Chain
        The chain rule on the values by hand.
    """

    def __init__(self, judge: Judge, chain: Chain, close: float = 0.0) -> None:
        super().__init__(judge, chain, close)
        self._found: dict[tuple[Any, ...], None] = {}  # what explained earlier rows, tried first
        self._said: dict[tuple[str, str], None] = {}  # of which values: how rows were explained
        self._elsewhere = Elsewhere(self)

    @property
    def known(self) -> list[tuple[Any, ...]]:
        """What has explained rows so far: where, and the label of the change."""
        return list(self._found)

    def begin(self, known: Iterable[tuple[Any, ...]], allowed: float) -> None:
        """Begin with rows that go together, some of which have been explained before; for these so
        many formulas may be computed."""
        self._found, self.failed, self.allowed = dict.fromkeys(known), {}, allowed
        self._said = {}
        self.twice, self.most = [], min(MOST, SHARE * allowed)

    def guess(
        self, entry: Entry, deep: bool = False, levels: Sequence[int] | None = None
    ) -> Guess | None:
        """The simplest explanation of a row; None where the formula of the row has none.

        Unless it is to be `deep`, the branches of a row that is computed from gradients which are
        not given are only looked at as wholes. Formulas are written past so many stages as `levels`
        says.
        """
        part, hand = entry.part, entry.hand
        assert part is not None
        right = self.chain.follows(part)
        if entry.row.verdict == "not finite":
            looks = "a NaN or an infinity: a division by 0, or an overflow"
            return Guess("not finite", "", self.correct(part), looks, hand)
        if self.opaque(part, right):
            return None
        if self.fits(right, hand):
            looks = f"it departs in small entries only: {deviation(hand, right)}"
            return Guess("small entries", "", self.correct(part), looks, hand)
        terms = self.terms(part)
        known = self._known(part, terms, hand, right)
        if known is not None:
            return known
        name = self.formulas.base(part.value)
        failed = self.failed.get(name, 0)
        if failed < PATIENCE or failed.bit_count() == 1:
            for guess in self._guesses(part, terms, hand, right, deep, levels or LEVELS):
                if self.fits(guess.array, hand) and (
                    hand.any() or guess.kind in ("initial state", "zero")
                ):
                    self.failed[name] = 0
                    self._said[name, guess.looks_like] = None
                    vague = _vague(hand) and guess.kind not in SURE
                    return self._with_others(guess, part, terms, hand, right) if vague else guess
        if deep or all(map(self.closed, terms)):
            self.failed[name] = failed + 1
        return None

    def _with_others(
        self, guess: Guess, part: Part, terms: list[Term], hand: np.ndarray, right: np.ndarray
    ) -> Guess:
        """An explanation of a few round numbers, and what else gives them."""
        others = (
            other.looks_like
            for other in self._guesses(part, terms, hand, right)
            if self.fits(other.array, hand)
        )
        words = itertools.islice(dict.fromkeys((guess.looks_like, *others)), 3)
        return guess._replace(looks_like=", or ".join((*words, "the numbers agree by chance")))

    def _guesses(
        self,
        part: Part,
        terms: list[Term],
        hand: np.ndarray,
        right: np.ndarray,
        deep: bool = True,
        levels: Sequence[int] = LEVELS,
    ) -> Iterator[Guess]:
        correct = self.correct(part, terms)
        formula = sum_of(terms)
        something = [term for term in terms if term.array.any()]
        if len(something) > 1:  # else one branch is the whole
            yield from combined(part, terms, correct, hand, self._alike(terms))
        yield from whole(self.sizes, right, formula)
        factors = list(scaled(self.sizes, hand, right, formula))
        yield from (guess for guess in factors if not guess.fitted)
        alone = deep or part.value._op is not None or all(map(self.closed, terms))
        for level in levels if len(terms) <= FEW else ():
            if level != OPEN:
                yield from self._in_blocks(terms, level or RULE, correct, hand, deep)
            if alone:
                yield from self._in_terms(something or terms, terms, level, correct, hand, deep)
            if level == 0 and (part.value._op is not None or self.formulas.loop):  # without blocks
                yield from self._in_blocks(terms, level, correct, hand, deep)
        yield from self._elsewhere.of(part, correct, hand)
        if part.kind == "total" and part.value._op is not None and OPEN in levels:
            yield from self._as_one(part, terms, correct, hand)
        if 1 < len(terms) <= FEW and part.value._op is not None:  # a parameter's are blocks
            yield from crossed(self, terms, correct)
        yield from (guess for guess in factors if guess.fitted)
        if alone and 0 < len(something) < len(terms) <= FEW:  # wrong forms of 0 may be anything
            nothing = [term for term in terms if not term.array.any()]
            for level in levels:
                yield from self._in_terms(nothing, terms, level, correct, hand, deep)
        yield from self._limited(part, terms, hand, right)

    def _limited(
        self, part: Part, terms: list[Term], hand: np.ndarray, right: np.ndarray
    ) -> Iterator[Guess]:
        """The row clipped, or with a multiple of the value added."""
        if part.kind == "total":
            name, x = self.formulas.label(part.value), part.value._array
            yield from limited(hand, right, x, sum_of(terms), name)

    def _as_one(
        self, part: Part, terms: list[Term], correct: Words, hand: np.ndarray
    ) -> Iterator[Guess]:
        """Mistakes in the whole of a row, as it is written in one line."""
        if 1 < len(terms) <= TOGETHER:
            yield from self._in_whole(terms, SUM, OF_A_ROW, correct, hand)
        if len(terms) <= TOGETHER and self.formulas.meets(part.value):
            yield from self._in_whole(terms, MET, NEAR, correct, hand)
            yield from self._in_several(terms, correct, hand)

    def _in_terms(
        self,
        changed: Sequence[Term],
        terms: list[Term],
        level: int,
        correct: Words,
        hand: np.ndarray,
        deep: bool,
    ) -> Iterator[Guess]:
        total = summed(terms)
        for term in changed:
            if not deep and not self.closed(term):
                continue
            changes = self.changes(term.branch, level, hand.shape == total.shape)
            if level and changes.tree.structure == self.changes(term.branch, 0).tree.structure:
                continue
            for sort, change in changes.all():
                if not self.within():
                    return
                array = self._changed(term, terms, total, changes.tree, change)
                if array is not None and self.fits(array, hand):
                    for label in changes.alike(sort, change.label):
                        self._found[(*self.place(term.branch), level, sort, label)] = None
                    yield self._told(term, terms, changes.tree, change, correct, array)

    def _told(
        self,
        term: Term,
        terms: list[Term],
        tree: Tree,
        change: Change,
        correct: Words,
        array: np.ndarray,
    ) -> Guess:
        formula = tree.formula(change.changed)
        if len(terms) == 1:
            right = self.formulas.text(tree.root)
            return Guess(change.kind, self.formulas.text(formula), right, change.said, array)
        through = self.formulas.through
        yours, right = (places(terms, term, through(e)) for e in (formula, tree.root))
        return Guess(change.kind, yours, right, change.said, array)

    def _alike(self, terms: Sequence[Term]) -> list[list[Term]]:
        """The branches that a derivation has in one line, together."""
        groups: dict[Any, list[Term]] = defaultdict(list)
        for term in terms:
            groups[self.kind(term.branch)].append(term)
        return list(groups.values())

    def _known(
        self, part: Part, terms: list[Term], hand: np.ndarray, right: np.ndarray
    ) -> Guess | None:
        """A row that has the same mistake as an earlier one."""
        name = self.formulas.base(part.value)
        for guess in self._limited(part, terms, hand, right) if self._said else ():
            if (name, guess.looks_like) in self._said and self.fits(guess.array, hand):
                return guess
        total = summed(terms) if terms else hand
        for *place, level, sort, label in self._found:
            for term in terms:
                if list(self.place(term.branch)) != place:
                    continue
                changes = self.changes(term.branch, level)
                change = changes.sort(sort).get(label)
                array = change and self._changed(term, terms, total, changes.tree, change)
                if change is not None and array is not None and self.fits(array, hand):
                    correct = self.correct(part, terms)
                    return self._told(term, terms, changes.tree, change, correct, array)
        return None

    def unexplained(self, entry: Entry, not_searched: str, allowed: float | None) -> Guess:
        """What is said where nothing fits, and after how many formulas the search ended, if it
        did."""
        part, hand = entry.part, entry.hand
        assert part is not None
        right = self.chain.follows(part)
        correct = self.correct(part) if right.dtype.kind != "c" else ""
        words = not_searched or "no simple mistake gives it"
        if allowed is not None:
            words += f"; the search in its own formula ended after {allowed:,.0f} forms of it"
        return Guess("unexplained", "", correct, f"{words}; {deviation(hand, right)}", hand)


def _vague(hand: np.ndarray) -> bool:
    """Whether there are only one or two different numbers, with few digits."""
    numbers = np.unique(hand)
    return numbers.size <= MANY_NUMBERS and all(
        float(f"{v:.{DIGITS}g}") == v for v in numbers.tolist()
    )
