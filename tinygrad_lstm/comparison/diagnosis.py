"""What a wrong derivative looks like: a search for the simplest mistake that reproduces it."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_lstm.comparison.chain import Chain, edge
from tinygrad_lstm.comparison.guesses import (
    Guess,
    Term,
    added,
    beside,
    combined,
    places,
    scaled,
    summed,
    whole,
)
from tinygrad_lstm.comparison.mistakes import Mistake, Mistakes
from tinygrad_lstm.comparison.rows import Entry, Judge
from tinygrad_lstm.derivation.expression import Expression
from tinygrad_lstm.derivation.notation import TEXT
from tinygrad_lstm.engine.gradients import Part
from tinygrad_lstm.engine.memory import array_of
from tinygrad_lstm.engine.tape import Branch
from tinygrad_lstm.errors import Error

__all__ = ["Diagnosis", "diagnose"]

CLOSE = {
    2: 1e-2,
    4: 1e-5,
    8: 1e-9,
}  # by the bytes of a number: how closely an explanation has to reproduce the hand value
MANY_NUMBERS = 2  # from more on, a tolerance that the user gave holds for explanations too
DIGITS = 3  # so few of them agree with much by chance ..
SURE = (
    "sign",
    "factor",
    "zero",
    "transpose",
    "branch missing",
    "branch doubled",
    "one branch only",
    "accumulation",
)  # .. but not with these
STAGES = 4  # that a derivation may go past in one step
FEW = 16  # branches; among more only the simple mistakes are tried
# stages of a tape that is searched for a mistake above the row, where what lies between is not
# given
LONGEST = 300


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with one quantity.

    Attributes
    ----------
    name : str
        The quantity.
    kind : str
        The kind of mistake: ``sign``, ``factor``, ``transpose``, ``halves``, ``blocks permuted``,
        ``branch missing``, ``one branch only``, ``branch doubled``, ``accumulation``, ``chain
        rule``, ``local factor``, ``local form``, ``extra factor``, ``sum for product``, ``wrong
        value``, ``wrong block``, ``wrong gradient``, ``another derivative``, ``matrix product``,
        ``elementwise``, ``batch sum``, ``initial state``, ``term missing``, ``zero``, ``not
        finite``, or ``unexplained``.
    yours : str
        A formula that gives the value by hand.
    correct : str
        The right formula, in the notation of :func:`explain`.
    looks_like : str
        The mistake in words.
    downstream : int
        How many rows inherit from this one.
    """

    name: str
    kind: str
    yours: str
    correct: str
    looks_like: str
    downstream: int


def diagnose(judge: Judge, chain: Chain, found: Sequence[Entry]) -> tuple[Diagnosis, ...]:
    """A diagnosis of every row that is wrong by itself, in their order."""
    search = Search(judge, chain)
    return tuple(search.diagnosis(entry, found) for entry in found if entry.row.own)


class Search:
    """Tries the explanations of a wrong value, the simplest first."""

    def __init__(self, judge: Judge, chain: Chain) -> None:
        self.judge, self.chain, self.tape = judge, chain, judge.gradients.tape
        self.mistakes = Mistakes(chain)
        self._found: list[
            list[tuple[Branch, Mistake]]
        ] = []  # what explained an earlier row is tried first
        self._tried: list[tuple[Branch, Mistake]] = []

    def diagnosis(self, entry: Entry, found: Sequence[Entry]) -> Diagnosis:
        """What is wrong with a row."""
        name, part = entry.row.name, entry.part
        assert part is not None
        downstream = sum(other.row.because == name for other in found if not other.row.own)
        with np.errstate(all="ignore"):  # what is tried may overflow
            guess = self._guess(part, entry)
        return Diagnosis(name, guess.kind, guess.yours, guess.correct, guess.looks_like, downstream)

    def _guess(self, part: Part, entry: Entry) -> Guess:
        hand, right, self._tried = entry.hand, self.chain.follows(part), []
        if entry.row.verdict == "not finite":
            return Guess(
                "not finite",
                "",
                self._correct(self._terms(part)),
                "a NaN or an infinity: a division by 0, or an overflow",
                hand,
            )
        if (
            right.dtype.kind == "c"
            or not part.branches
            or any(b.stage.output.dtype.kind == "c" for b in part.branches)
        ):
            return self._unexplained(part, hand, right)
        for guess in itertools.chain(self._guesses(part, hand, right), self._above(part)):
            if self._fits(guess.array, hand) and (
                hand.any() or guess.kind in ("initial state", "zero")
            ):
                if self._tried:
                    self._found.append(self._tried)
                return (
                    self._with_others(guess, part, hand, right)
                    if _vague(hand) and guess.kind not in SURE
                    else guess
                )
        return self._unexplained(part, hand, right)

    def _with_others(self, guess: Guess, part: Part, hand: np.ndarray, right: np.ndarray) -> Guess:
        """An explanation of a few round numbers, and what else gives them."""
        others = (
            other.looks_like
            for other in self._guesses(part, hand, right)
            if self._fits(other.array, hand)
        )
        words = itertools.islice(dict.fromkeys((guess.looks_like, *others)), 3)
        return guess._replace(looks_like=", or ".join((*words, "the numbers agree by chance")))

    def _fits(self, array: np.ndarray, hand: np.ndarray) -> bool:
        """Whether an explanation reproduces the hand value to rounding."""
        if array.shape != hand.shape:
            return False
        close = CLOSE[
            min(array.dtype.itemsize, hand.dtype.itemsize if hand.dtype.kind == "f" else 8, 8)
        ]
        if (
            hand.size > MANY_NUMBERS
        ):  # one or two numbers written with few digits agree with too much
            close = max(close, min(self.judge.rtol or 0, 1e-3))
        return bool(
            np.max(np.abs(array - hand), initial=0) <= close * np.max(np.abs(hand), initial=0)
        )

    def _guesses(self, part: Part, hand: np.ndarray, right: np.ndarray) -> Iterator[Guess]:
        terms = self._terms(part)
        correct = self._correct(terms)
        formula = added([term.formula for term in terms])
        nothing = sum(not term.array.any() for term in terms)
        if len(terms) - nothing > 1:  # else one branch is the whole
            yield from combined(part, terms, correct)
        yield from whole(self.tape, right, formula)
        factor = scaled(self.tape, hand, right, formula)
        if nothing:  # a wrong form of such a branch may be anything, even as much as the whole
            yield from factor
        yield from self._in_branches(part, terms, correct)
        yield from self._past(part)
        yield from self._another(part, correct)
        yield from factor

    # The right formula.

    def _terms(self, part: Part) -> list[Term]:
        terms = []
        for i, branch in enumerate(self.chain.gradients.branches(part.value), 1):
            if any(edge(branch) == edge(b) for b in part.branches):
                formula, _ = self.mistakes.correct(branch)
                array = self.chain.follows(Part(part.value, (branch,), "branch"))
                hand = (
                    self.chain.given.get(Part(part.value, (branch,), "branch").id)
                    if part.kind != "branch"
                    else None
                )
                place = f"branch {i} (through {self.tape.label(branch.stage.output)})"
                terms.append(Term(branch, place, formula, array if hand is None else hand))
        return terms

    def _correct(self, terms: Sequence[Term]) -> str:
        return (
            TEXT.write(added([term.formula for term in terms]))
            if terms
            else "the gradient that backward starts with"
        )

    # A mistake in a branch.

    def _in_branches(self, part: Part, terms: Sequence[Term], correct: str) -> Iterator[Guess]:
        """One mistake in one branch, or the same in all of them."""
        total = summed(terms)
        everywhere: dict[tuple[str, str], list[tuple[Expression, np.ndarray, str]]] = defaultdict(
            list
        )
        for term in terms:
            g = self.mistakes.gradient(term.branch.stage.output)
            for mistake in (
                self.mistakes.of(term.branch)
                if len(terms) <= FEW
                else self.mistakes.simple(term.branch)
            ):
                try:
                    formula, array = mistake.run(g)
                except (Error, ValueError, TypeError):  # shapes that do not fit this mistake
                    continue
                everywhere[mistake.kind, mistake.label].append((formula, array, mistake.words))
                if len(terms) == 1:
                    yield Guess(mistake.kind, TEXT.write(formula), correct, mistake.words, array)
                elif array.shape == total.shape:
                    yield Guess(
                        mistake.kind,
                        places(terms, term, formula),
                        beside(terms, term),
                        mistake.words,
                        total - term.array + array,
                    )
        for (kind, _), changed in everywhere.items():
            if (
                len(changed) == len(terms) > 1
                and len({array.shape for _, array, _ in changed}) == 1
            ):
                yours = TEXT.write(added([formula for formula, _, _ in changed]))
                array = np.asarray(sum((array for _, array, _ in changed[1:]), changed[0][1]))
                yield Guess(kind, yours, correct, f"{changed[0][2]}; and so in every branch", array)

    def _past(self, part: Part) -> Iterator[Guess]:
        """The derivative by a value some stages above plus that value's derivative by this one,
        where the product belongs."""
        way: list[Branch] = []
        above = part.branches
        while len(above) == 1 and len(way) < STAGES and above[0].stage.output._op.elementwise:
            way += above
            top = way[-1].stage.output
            local = np.ones_like(top._array)
            for branch in reversed(way):
                local = self.chain.rule(branch, local)
            if len(way) > 1 and top.shape == local.shape:
                g, name, x = (
                    self.mistakes.gradient_name(top),
                    self.tape.label(top),
                    self.tape.label(part.value),
                )
                looks = (
                    f"the local derivative was added to {g}, where the two have to be multiplied"
                )
                array = self.chain.totals[id(top)] + local
                yield Guess(
                    "sum for product", f"{g} + ∂{name}/∂{x}", f"{g} ∘ ∂{name}/∂{x}", looks, array
                )
            above = self.chain.gradients.branches(top)

    # The derivative by something else.

    def _another(self, part: Part, correct: str) -> Iterator[Guess]:
        for x in self.chain.order:
            if x is not part.value or part.kind != "total":
                name, total = (
                    self.mistakes.gradient_name(x),
                    np.asarray(array_of(self.chain.gradients[x])),
                )
                yield Guess(
                    "another derivative",
                    name,
                    correct,
                    f"this is {name}, the derivative by another value",
                    total,
                )
        for branch in self.chain.gradients.branches(part.value):
            if all(edge(branch) != edge(b) for b in part.branches):
                other = self.tape.label(branch.stage.output)
                array = np.asarray(array_of(branch.gradient))
                yield Guess(
                    "another derivative",
                    TEXT.write(self.mistakes.correct(branch)[0]),
                    correct,
                    f"this comes back through {other}",
                    array,
                )

    # A mistake further up, in what is not given.

    def _above(self, part: Part) -> Iterator[Guess]:
        """One mistake in a stage above this row, in every block alike: in what is not given, or is
        given but was not used."""
        ways = (frozenset[int](), self.chain.skipped(part)) if len(self.tape) <= LONGEST else ()
        for skipped, changed in itertools.product(ways, self._found):
            yield from self._once(part, skipped, changed)
        for skipped in ways:
            between = self.chain.between(part, skipped)
            groups: dict[tuple[Any, ...], list[tuple[Branch, Mistake]]] = defaultdict(list)
            for x, branch in between:
                place = (
                    self.mistakes.base(branch.stage.output),
                    self.mistakes.base(x),
                    branch.argument,
                )
                for mistake in (
                    self.mistakes.of(branch)
                    if len(between) <= FEW
                    else self.mistakes.simple(branch)
                ):
                    groups[(*place, mistake.kind, mistake.label)].append((branch, mistake))
            for changed in groups.values():
                for guess in self._once(part, skipped, changed):
                    self._tried = changed
                    yield guess

    def _once(
        self, part: Part, skipped: Set[int], changed: list[tuple[Branch, Mistake]]
    ) -> Iterator[Guess]:
        """What follows from the same mistake in some branches."""
        branch, mistake = changed[0]
        try:
            array = self.chain.changed(
                part, skipped, {edge(b): self._run(b, m) for b, m in changed}
            )
            formula = TEXT.write(mistake.run(self.mistakes.gradient(branch.stage.output))[0])
        except (Error, ValueError, TypeError):  # shapes that do not fit this mistake
            return
        value = self.mistakes.gradient_name(branch.stage.output._inputs[branch.argument])
        head = f"{value} through {self.tape.label(branch.stage.output)} = "
        also = " (and so in the other blocks)" if len(changed) > 1 else ""
        looks = f"further up, at {self.tape.label(branch.stage.output)}: {mistake.words}{also}"
        yield Guess(
            mistake.kind,
            f"what follows from {head}{formula}",
            head + TEXT.write(self.mistakes.correct(branch)[0]),
            looks,
            array,
        )

    def _run(self, branch: Branch, mistake: Mistake) -> Callable[[np.ndarray], np.ndarray]:
        node = branch.stage.output
        return lambda g: mistake.run(self.mistakes.arriving(node, g))[1]

    # Nothing fits.

    def _unexplained(self, part: Part, hand: np.ndarray, right: np.ndarray) -> Guess:
        correct = self._correct(self._terms(part)) if right.dtype.kind != "c" else ""
        if hand.shape != right.shape:
            return Guess(
                "unexplained",
                "",
                correct,
                f"no simple mistake gives it; its shape is {hand.shape}, and {right.shape} is "
                "right",
                hand,
            )
        looks = f"{self._searched(part)}; {_deviation(hand, right)}"
        return Guess("unexplained", "", correct, looks, hand)

    def _searched(self, part: Part) -> str:
        """That nothing was found, and what was not searched."""
        between = len(self.chain.between(part, frozenset()))
        above = dict.fromkeys(
            b.stage.output
            for b in reversed(part.branches)
            if not self.chain.is_given(b.stage.output)
        )
        if not above or (between <= FEW and len(self.tape) <= LONGEST):
            return "no simple mistake gives it"
        extent = (
            "were not searched"
            if len(self.tape) > LONGEST
            else "were searched for the simplest mistakes only"
        )
        names = [self.mistakes.gradient_name(x) for x in above]
        give = ", ".join(names if len(names) <= 3 else [*names[:2], ".."])
        above_it = (
            f"the {between - len(part.branches)} branches further up {extent}, as they are too many"
        )
        return f"no simple mistake in the last step gives it; {above_it}: give {give} too"


def _vague(hand: np.ndarray) -> bool:
    """Whether there are only one or two different numbers, with few digits."""
    numbers = np.unique(hand)
    return numbers.size <= MANY_NUMBERS and all(
        float(f"{v:.{DIGITS}g}") == v for v in numbers.tolist()
    )


def _deviation(hand: np.ndarray, right: np.ndarray) -> str:
    """Where two arrays of one shape differ most, and by how much."""
    off = np.abs(hand - right)
    if not off.shape:
        return f"it is {_beside(hand[()], right[()])}"
    places = [
        tuple(int(i) for i in np.unravel_index(k, off.shape))
        for k in np.argsort(off, axis=None)[::-1][:3]
        if off.flat[k]
    ]
    shown = "; ".join(f"{list(at)} is {_beside(hand[at], right[at])}" for at in places)
    few = int(np.count_nonzero(off > 1e-6 * np.max(off, initial=0)))
    return f"{few} of {off.size} entries differ{'s' if few == 1 else ''}, most of all {shown}"


def _beside(hand: Any, right: Any) -> str:
    """A number beside the correct one."""
    ratio = f", ratio {hand / right:.4g}" if right else ""
    return f"{hand:.6g}, correct {right:.6g} (difference {hand - right:.4g}{ratio})"
