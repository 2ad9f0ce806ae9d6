"""Explanations of a wrong value that need no stage: branches missing or counted twice, and what was
done to the value as a whole."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tinygrad_lstm.comparison.chain import in_blocks
from tinygrad_lstm.derivation.expression import Expression, Leaf, apply, number, total
from tinygrad_lstm.derivation.notation import SIGN, TEXT
from tinygrad_lstm.engine.gradients import Part
from tinygrad_lstm.engine.tape import Branch, Tape
from tinygrad_lstm.ops.elementwise import divide, multiply, negative
from tinygrad_lstm.ops.shape import transpose

__all__ = [
    "Guess",
    "Term",
    "added",
    "beside",
    "combined",
    "negated",
    "places",
    "scaled",
    "summed",
    "whole",
]

WRITTEN_OUT = 4  # branches; of more the report says which one is concerned


class Guess(NamedTuple):
    """An explanation that is to be tried."""

    kind: str
    yours: str
    correct: str
    looks_like: str
    array: np.ndarray


class Term(NamedTuple):
    """What a branch sends back when all is right."""

    branch: Branch
    place: str
    formula: Expression
    array: np.ndarray


def places(
    terms: Sequence[Term], changed: Term | None = None, formula: Expression | None = None
) -> str:
    """A sum of branches by name, one of them written as `formula`."""
    first, *others = (
        TEXT.write(formula) if formula is not None and term is changed else term.place
        for term in terms
    )
    return first + "".join(
        f"  −  {text[1:]}" if text.startswith("−") else f"  +  {text}" for text in others
    )


def beside(terms: Sequence[Term], changed: Term) -> str:
    return places(terms, changed, changed.formula)


def negated(formula: Expression) -> Expression:
    return apply(negative.op, (formula,), {}, formula.shape)


def _times(factor: float, formula: Expression) -> Expression:
    return apply(multiply.op, (number(factor), formula), {}, formula.shape)


def summed(terms: Sequence[Term]) -> np.ndarray:
    """What the branches send back together."""
    return np.asarray(sum((term.array for term in terms[1:]), terms[0].array))


def added(formulas: Sequence[Expression]) -> Expression:
    """A sum, written out where it is short."""
    first, last = formulas[0], formulas[-1]
    return total(
        formulas
        if len(formulas) <= WRITTEN_OUT
        else [first, Leaf(np.empty(first.shape), ".."), last]
    )


def combined(part: Part, terms: Sequence[Term], correct: str) -> Iterator[Guess]:
    """Branches that are missing, alone, counted twice, or of the wrong sign."""
    together = summed(terms)
    blocks = in_blocks(part)
    if part.kind == "total" and part.value._op is None and len(blocks) > 1:
        for word, branches in (("last", blocks[-1]), ("first", blocks[0])):
            chosen = [term for term in terms if term.branch in branches]
            array = np.asarray(sum(term.array for term in chosen))
            looks = (
                f"only the {word} block's share is there: = where += belongs (the sum over "
                "time is missing)"
            )
            yield Guess(
                "accumulation",
                TEXT.write(added([term.formula for term in chosen])),
                correct,
                looks,
                array,
            )
    for term in terms:
        rest = [other for other in terms if other is not term]
        if len(rest) == 1:
            yield Guess(
                "branch missing",
                places(rest),
                beside(terms, term),
                f"{term.place} of the fork is missing",
                rest[0].array,
            )
        else:
            yield Guess(
                "branch missing",
                places(rest),
                beside(terms, term),
                f"{term.place} of the fork is missing",
                together - term.array,
            )
            yield Guess(
                "one branch only",
                TEXT.write(term.formula),
                correct,
                f"only {term.place} of the fork is there",
                term.array,
            )
    for term in terms:
        correct = beside(terms, term)
        twice, opposite = (
            places(terms, term, formula)
            for formula in (_times(2, term.formula), negated(term.formula))
        )
        yield Guess(
            "branch doubled",
            twice,
            correct,
            f"{term.place} was counted twice",
            together + term.array,
        )
        yield Guess(
            "sign",
            opposite,
            correct,
            f"the sign of {term.place} is flipped",
            together - 2 * term.array,
        )


def whole(tape: Tape, right: np.ndarray, formula: Expression) -> Iterator[Guess]:
    """The sign, the axes, and the order of the parts of the whole value."""
    correct, text = TEXT.write(formula), TEXT(formula, SIGN)
    yield Guess("sign", TEXT.write(negated(formula)), correct, "the sign is flipped", -right)
    if right.ndim == 2:
        turned = apply(transpose.op, (formula,), {}, right.T.shape)
        yield Guess("transpose", TEXT.write(turned), correct, "the matrix is transposed", right.T)
    if right.ndim > 2:
        for axes in itertools.permutations(range(right.ndim)):
            other = right.transpose(axes)
            turned = apply(transpose.op, (formula,), {"axes": axes}, other.shape)
            yield Guess(
                "transpose", TEXT.write(turned), correct, "the axes are in another order", other
            )
    for axis, n in enumerate(right.shape):
        for k in _joints(tape, n):
            looks = (
                f"the parts of a concatenation are swapped: entries from {k} on come first, "
                f"along axis {axis}"
            )
            yield Guess(
                "halves", f"{text} with its parts swapped", correct, looks, np.roll(right, -k, axis)
            )
        yield from _permuted(text, correct, right, axis)


def _joints(tape: Tape, n: int) -> list[int]:
    """Where an axis of length `n` is joined of parts, by the concatenations of the tape."""
    found = set()
    for stage in tape.stages:
        if stage.op == "concatenate":
            axis = stage.output._params.get("axis", 0)
            lengths = [x.shape[axis] for x in stage.output._values]
            if sum(lengths) == n and len(lengths) == 2:
                found |= set(lengths)
    return sorted(found)


def _permuted(text: str, correct: str, right: np.ndarray, axis: int) -> Iterator[Guess]:
    """Equal blocks along an axis (the gates of a fused weight) in another order."""
    for n in (2, 3, 4):
        if right.shape[axis] >= 2 * n and right.shape[axis] % n == 0:
            blocks = np.split(right, n, axis)
            for order in itertools.permutations(range(n)):
                if list(order) != sorted(order):
                    shown = " ".join(str(i + 1) for i in order)
                    looks = (
                        f"the {n} blocks along axis {axis} (gates) are in another order: {shown}"
                    )
                    yield Guess(
                        "blocks permuted",
                        f"{text} in the order {shown}",
                        correct,
                        looks,
                        np.concatenate([blocks[i] for i in order], axis),
                    )


def scaled(tape: Tape, hand: np.ndarray, right: np.ndarray, formula: Expression) -> Iterator[Guess]:
    """Nothing, or a constant factor."""
    if hand.shape != right.shape or not right.any():
        return
    correct = TEXT.write(formula)
    if not hand.any():
        yield Guess("zero", "0", correct, "the whole derivative is missing", np.zeros_like(right))
        return
    ratio = float(np.vdot(right, hand) / np.vdot(right, right))
    for n, words in _sizes(tape, right).items():
        if np.isclose(ratio, n, rtol=1e-6, atol=0):
            yield Guess(
                "factor",
                TEXT.write(_times(n, formula)),
                correct,
                f"{n} times the correct value; {n} is {words}",
                n * right,
            )
        if np.isclose(ratio, 1 / n, rtol=1e-6, atol=0):
            looks = f"1/{n} of the correct value: a mean where the sum belongs? {n} is {words}"
            mean = apply(divide.op, (formula, number(n)), {}, formula.shape)
            yield Guess("factor", TEXT.write(mean), correct, looks, right / n)
    if right.size > 1:
        yours = TEXT.write(_times(float(f"{ratio:.6g}"), formula))
        yield Guess(
            "factor",
            yours,
            correct,
            f"every entry is {ratio:.6g} times the correct one",
            ratio * right,
        )


def _sizes(tape: Tape, right: np.ndarray) -> dict[int, str]:
    """Numbers that sums and means are made with, in words."""
    sizes: dict[int, list[str]] = defaultdict(list)
    steps = len({stage.block for stage in tape.stages} - {None})
    for stage in tape.stages:
        if stage.output.ndim == 0:
            for x in stage.output._values:
                shape = np.shape(x)
                if shape:
                    sizes[shape[0]].append(
                        "the number of rows of the batch"
                        if len(shape) > 1
                        else "the number of entries"
                    )
                    sizes[shape[-1]].append("the number of units")
                    sizes[int(np.prod(shape))].append("the number of entries of an output")
                    sizes[int(np.prod(shape)) * steps].append(
                        "the number of entries of all outputs"
                    )
    sizes[steps].append("the number of blocks")
    sizes[2].append("what the square leaves in front of its derivative")
    for n in right.shape:
        sizes[n] = sizes[n] or ["the length of an axis"]
    return {n: " or ".join(dict.fromkeys(words)) for n, words in sizes.items() if n > 1}
