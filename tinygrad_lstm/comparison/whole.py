"""Explanations of a wrong value by what was done to it as a whole: its sign, its axes, a factor, a
limit, something added."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property, partial

import numpy as np

from tinygrad_lstm.comparison.combined import Guess, Words
from tinygrad_lstm.comparison.fitted import is_round
from tinygrad_lstm.comparison.paper import as_term
from tinygrad_lstm.comparison.tidy import tidy
from tinygrad_lstm.comparison.tree import flipped, times
from tinygrad_lstm.derivation.expression import Expression, apply, leaves, number, substitute
from tinygrad_lstm.derivation.notation import TEXT
from tinygrad_lstm.engine.memory import SCALARS
from tinygrad_lstm.engine.tape import Tape
from tinygrad_lstm.ops.elementwise import divide
from tinygrad_lstm.ops.shape import transpose

__all__ = ["Sizes", "limited", "scaled", "whole"]

MOST = 6  # numbers that a tape multiplies by
TINY = 1e-9  # of a number that is one part of a whole one


class Sizes:
    """Numbers that the sums, means and concatenations of a tape are made with.

    Parameters
    ----------
    tape : Tape
        The tape.
    """

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._known: dict[tuple[int, ...], dict[int, str]] = {}

    def of(self, shape: tuple[int, ...]) -> dict[int, str]:
        """Numbers in words, those of an array of a shape among them."""
        if shape not in self._known:
            found = {n: list(words) for n, words in self._counts.items()}
            for n in shape:
                found.setdefault(n, ["the length of an axis"])
            said = {n: " or ".join(dict.fromkeys(words)) for n, words in found.items() if n > 1}
            self._known[shape] = said
        return self._known[shape]

    @cached_property
    def factors(self) -> dict[float, str]:
        """Numbers that something may be multiplied by in error, in words: those of sums and means,
        and those that the tape multiplies by somewhere."""
        found: dict[float, str] = {}
        known = self.of(())
        for n, words in known.items():
            found[n], found[1 / n] = f"multiplied by {n}, {words}", f"divided by {n}, {words}"
        for n in (n for n in known if n > 2):
            for m in (n - 1, n + 1):
                found.setdefault(m / n, f"divided by {n}, where {m} is right")
        for c in self._constants:
            found.setdefault(c, f"multiplied by {c:g}, a number that belongs elsewhere")
            found.setdefault(1 / c, f"divided by {c:g}, a number that belongs elsewhere")
        return found

    @cached_property
    def _constants(self) -> list[float]:
        """The first numbers that something is multiplied or divided by."""
        read = (
            float(x.real)
            for stage in self._tape.stages
            if stage.op in ("multiply", "divide")
            for x in stage.output._inputs
            if isinstance(x, SCALARS) and abs(float(x.real)) not in (0, 1)
        )
        return list(itertools.islice(dict.fromkeys(read), MOST))

    def joints(self, n: int) -> list[int]:
        """Where an axis of length `n` is joined of two parts, by the concatenations of the tape."""
        return sorted({k for two in self._joined if sum(two) == n for k in two})

    @cached_property
    def _joined(self) -> set[tuple[int, ...]]:
        """The lengths of two parts of a concatenation."""
        found = set()
        for stage in self._tape.stages:
            if stage.op == "concatenate":
                axis = stage.output._params.get("axis", 0)
                found.add(tuple(np.shape(x)[axis] for x in stage.output._values))
        return {lengths for lengths in found if len(lengths) == 2}

    @cached_property
    def _counts(self) -> dict[int, list[str]]:
        found: dict[int, list[str]] = defaultdict(list)
        steps = len({stage.block for stage in self._tape.stages} - {None})
        for stage in self._tape.stages:
            if stage.output.ndim == 0:
                for shape in filter(None, map(np.shape, stage.output._values)):
                    rows = "the number of rows of the batch"
                    found[shape[0]].append(rows if len(shape) > 1 else "the number of entries")
                    found[shape[-1]].append("the number of units")
                    found[int(np.prod(shape))].append("the number of entries of an output")
                    every = "the number of entries of all outputs"
                    found[int(np.prod(shape)) * steps].append(every)
        found[steps].append("the number of blocks")
        found[2].append("what the square leaves in front of its derivative")
        return found


def whole(sizes: Sizes, right: np.ndarray, formula: Expression) -> Iterator[Guess]:
    """The sign, the axes, and the order of the parts of the whole value."""
    correct = formula
    yield Guess("sign", flipped(formula), correct, "the sign is flipped", -right)
    if right.ndim == 2:
        other = apply(transpose.op, (formula,), {}, right.T.shape)
        yield Guess("transpose", other, correct, "the matrix is transposed", right.T)
        yours = partial(_with, formula, f"{{}}ᵀ, reshaped to {right.shape}")
        looks = "it was reshaped, not transposed, to have the right shape"
        yield Guess("transpose", yours, correct, looks, right.T.reshape(right.shape))
    if right.ndim > 2:
        yield from _turned(formula, correct, right)
        yield from _turned_around(formula, right)
    for axis, n in enumerate(right.shape):
        for k in sizes.joints(n):
            looks = (
                f"the parts of a concatenation are swapped: entries from {k} on come first, "
                f"along axis {axis}"
            )
            array = np.roll(right, -k, axis)
            yield Guess(
                "halves",
                partial(_with, formula, "{} with its parts swapped"),
                correct,
                looks,
                array,
            )
        yield from _permuted(formula, correct, right, axis)
        looks = f"the entries along axis {axis} are in reverse order"
        yield Guess(
            "reversed", partial(_with, formula, "{} reversed"), correct, looks, np.flip(right, axis)
        )


def _turned_around(formula: Expression, right: np.ndarray) -> Iterator[Guess]:
    """The first two axes both in reverse order, as of a kernel, or exchanged."""
    yours = partial(_with, formula, "{} reversed along axes 0 and 1")
    looks = "the entries along axes 0 and 1 are in reverse order"
    yield Guess("reversed", yours, formula, looks, np.flip(right, (0, 1)))


def _turned(formula: Expression, correct: Words, right: np.ndarray) -> Iterator[Guess]:
    for order in itertools.permutations(range(right.ndim)):
        array = right.transpose(order)
        other = apply(transpose.op, (formula,), {"axes": order}, array.shape)
        looks = "the axes are in another order"
        yield Guess("transpose", other, correct, looks, array)


def _permuted(formula: Expression, correct: Words, right: np.ndarray, axis: int) -> Iterator[Guess]:
    """Equal blocks along an axis (the gates of a fused weight) in another order."""
    for n in (2, 3, 4):
        if right.shape[axis] < 2 * n or right.shape[axis] % n:
            continue
        blocks = np.split(right, n, axis)
        for order in itertools.permutations(range(n)):
            if list(order) == sorted(order):
                continue
            shown = " ".join(str(i + 1) for i in order)
            looks = f"the {n} blocks along axis {axis} (gates) are in another order: {shown}"
            array = np.concatenate([blocks[i] for i in order], axis)
            yield Guess(
                "blocks permuted",
                partial(_with, formula, f"{{}} in the order {shown}"),
                correct,
                looks,
                array,
            )


def scaled(
    sizes: Sizes, hand: np.ndarray, right: np.ndarray, formula: Expression
) -> Iterator[Guess]:
    """Nothing, or a constant factor."""
    if hand.shape != right.shape or not right.any():
        return
    correct = formula
    if not hand.any():
        looks = "the whole derivative is missing"
        yield Guess("zero", "0", correct, looks, np.zeros_like(right))
        return
    ratio = float(np.vdot(right, hand) / np.vdot(right, right))
    yield from _arriving(ratio, right, formula)
    for n, words in sizes.of(right.shape).items():
        if np.isclose(ratio, n, rtol=1e-6, atol=0):
            yours, looks = times(number(n), formula), f"{n} times the correct value; {n} is {words}"
            yield Guess("factor", yours, correct, looks, n * right)
        if np.isclose(ratio, 1 / n, rtol=1e-6, atol=0):
            looks = f"1/{n} of the correct value: a mean where the sum belongs? {n} is {words}"
            mean = apply(divide.op, (formula, number(n)), {}, formula.shape)
            yield Guess("factor", mean, correct, looks, right / n)
    if right.size > 1:
        yours = times(number(float(f"{ratio:.6g}")), formula)
        looks = f"every entry is {_fraction(ratio)} times the correct one"
        norm = float(np.linalg.norm(hand))
        clipped = ratio < 1 and is_round(norm)
        if clipped:
            looks += f": it was clipped to the norm {norm:.3g}?"
        fitted = not (clipped or is_round(ratio))
        yield Guess("factor", yours, correct, looks, ratio * right, fitted)


def _arriving(ratio: float, right: np.ndarray, formula: Expression) -> Iterator[Guess]:
    """The gradient that arrives is one number, and was left out."""
    for leaf in leaves(formula):
        value = float(leaf.array.flat[0]) if leaf.gradient and leaf.shape == () else 1.0
        if value not in (0, 1) and np.isclose(ratio * value, 1, rtol=1e-6, atol=0):
            size = abs(ratio) if abs(ratio) > 1 else abs(1 / ratio)
            looks = (
                f"the gradient that arrives, {TEXT.name(leaf)} = {_fraction(value)}, was left out: "
                f"yours is {size:.6g} times too {'large' if abs(ratio) > 1 else 'small'}"
            )
            yours = tidy(substitute(formula, {leaf: number(1.0)}))
            yield Guess("factor", yours, formula, looks, ratio * right)


def _fraction(value: float) -> str:
    """A number, as one part of a whole number where it is."""
    n = round(1 / value) if abs(value) > TINY else 0
    return f"1/{n}" if n > 1 and np.isclose(n * value, 1) else f"{value:.6g}"


def limited(
    hand: np.ndarray, right: np.ndarray, x: np.ndarray, formula: Expression, name: str
) -> Iterator[Guess]:
    """A value that was clipped, or a multiple of the parameter (weight decay) that was added."""
    if hand.shape != right.shape or right.size < 3:
        return
    correct = formula
    limit = float(np.max(np.abs(hand)))
    if 0 < limit < np.max(np.abs(right)):
        looks = f"the entries are clipped to ±{limit:.6g}"
        array = np.clip(right, -limit, limit)
        yield Guess(
            *("clipped", partial(_with, formula, f"clip({{}}, ±{limit:.6g})"), correct, looks),
            *(array, not is_round(limit)),
        )
    size = float(np.vdot(x, x))
    if size and x.shape == right.shape:
        factor = float(np.vdot(x, hand - right) / size)
        looks = f"{factor:.6g} times {name} was added (weight decay), which is not in this loss"
        yours = partial(_with, formula, f"{{}} + {factor:.6g} · {name}")
        array = right + factor * x
        yield Guess("weight decay", yours, correct, looks, array, not is_round(factor))


def _with(formula: Expression, text: str) -> str:
    return text.format(as_term(formula))
