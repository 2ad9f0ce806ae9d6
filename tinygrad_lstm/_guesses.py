"""Explanations of a wrong value that need no stage: branches missing or counted twice, and what was done to the value as a whole."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tinygrad_lstm._gradients import Part
from tinygrad_lstm._locate import in_blocks
from tinygrad_lstm._tape import Branch, Tape

__all__ = ["Guess", "Term", "added", "beside", "combined", "places", "scaled", "summed", "whole"]

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
    text: str
    array: np.ndarray


def places(terms: Sequence[Term], changed: Term | None = None, text: str = "") -> str:
    """A sum of branches by name, one of them written as `text`."""
    return "  +  ".join(text if term is changed else term.place for term in terms)


def beside(terms: Sequence[Term], changed: Term) -> str:
    return places(terms, changed, changed.text)


def summed(terms: Sequence[Term]) -> np.ndarray:
    """What the branches send back together."""
    return np.asarray(sum((term.array for term in terms[1:]), terms[0].array))


def added(texts: Sequence[str]) -> str:
    """A sum, written out where it is short."""
    return "  +  ".join(texts if len(texts) <= WRITTEN_OUT else [texts[0], "..", texts[-1]])


def _bracketed(part: Part, text: str) -> str:
    """A formula, in brackets where it is a sum."""
    return f"({text})" if len(part.branches) > 1 else text


def combined(part: Part, terms: Sequence[Term], correct: str) -> Iterator[Guess]:
    """Branches that are missing, alone, counted twice, or of the wrong sign."""
    total = summed(terms)
    blocks = in_blocks(part)
    if part.kind == "total" and part.value._op is None and len(blocks) > 1:
        for word, branches in (("last", blocks[-1]), ("first", blocks[0])):
            chosen = [term for term in terms if term.branch in branches]
            array = np.asarray(sum(term.array for term in chosen))
            looks = f"only the {word} block's share is there: = where += belongs (the sum over time is missing)"
            yield Guess("accumulation", "  +  ".join(term.text for term in chosen), correct, looks, array)
    for term in terms:
        rest = [other for other in terms if other is not term]
        if len(rest) == 1:
            yield Guess("branch missing", places(rest), beside(terms, term), f"{term.place} of the fork is missing", rest[0].array)
        else:
            yield Guess("branch missing", places(rest), beside(terms, term), f"{term.place} of the fork is missing", total - term.array)
            yield Guess("one branch only", term.text, correct, f"only {term.place} of the fork is there", term.array)
    for term in terms:
        correct = beside(terms, term)
        yield Guess("branch doubled", places(terms, term, f"2 · {term.text}"), correct, f"{term.place} was counted twice", total + term.array)
        yield Guess("sign", places(terms, term, f"(−{term.text})"), correct, f"the sign of {term.place} is flipped", total - 2 * term.array)


def whole(tape: Tape, part: Part, right: np.ndarray, correct: str) -> Iterator[Guess]:
    """The sign, the axes, and the order of the parts of the whole value."""
    text = _bracketed(part, correct)
    yield Guess("sign", f"−{text}", correct, "the sign is flipped", -right)
    if right.ndim == 2:
        yield Guess("transpose", f"({correct})ᵀ", correct, "the matrix is transposed", right.T)
    if right.ndim > 2:
        for axes in itertools.permutations(range(right.ndim)):
            yield Guess("transpose", f"transpose({correct}, {axes})", correct, "the axes are in another order", right.transpose(axes))
    for axis, n in enumerate(right.shape):
        for k in _joints(tape, n):
            looks = f"the parts of a concatenation are swapped: entries from {k} on come first, along axis {axis}"
            yield Guess("halves", f"{text} with its parts swapped", correct, looks, np.roll(right, -k, axis))
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
                    looks = f"the {n} blocks along axis {axis} (gates) are in another order: {shown}"
                    yield Guess("blocks permuted", f"{text} in the order {shown}", correct, looks, np.concatenate([blocks[i] for i in order], axis))


def scaled(tape: Tape, part: Part, hand: np.ndarray, right: np.ndarray, correct: str) -> Iterator[Guess]:
    """Nothing, or a constant factor."""
    if hand.shape != right.shape or not right.any():
        return
    if not hand.any():
        yield Guess("zero", "0", correct, "the whole derivative is missing", np.zeros_like(right))
        return
    ratio = float(np.vdot(right, hand) / np.vdot(right, right))
    text = _bracketed(part, correct)
    for n, words in _sizes(tape, right).items():
        if np.isclose(ratio, n, rtol=1e-6, atol=0):
            yield Guess("factor", f"{n} · {text}", correct, f"{n} times the correct value; {n} is {words}", n * right)
        if np.isclose(ratio, 1 / n, rtol=1e-6, atol=0):
            looks = f"1/{n} of the correct value: a mean where the sum belongs? {n} is {words}"
            yield Guess("factor", f"1/{n} · {text}", correct, looks, right / n)
    if right.size > 1:
        yield Guess("factor", f"{ratio:.6g} · {text}", correct, f"every entry is {ratio:.6g} times the correct one", ratio * right)


def _sizes(tape: Tape, right: np.ndarray) -> dict[int, str]:
    """Numbers that sums and means are made with, in words."""
    sizes: dict[int, list[str]] = defaultdict(list)
    steps = len({stage.block for stage in tape.stages} - {None})
    for stage in tape.stages:
        if stage.output.ndim == 0:
            for x in stage.output._values:
                shape = np.shape(x)
                if shape:
                    sizes[shape[0]].append("the number of rows of the batch" if len(shape) > 1 else "the number of entries")
                    sizes[shape[-1]].append("the number of units")
                    sizes[int(np.prod(shape))].append("the number of entries of an output")
                    sizes[int(np.prod(shape)) * steps].append("the number of entries of all outputs")
    sizes[steps].append("the number of blocks")
    for n in right.shape:
        sizes[n].append("the length of an axis")
    sizes[2].append("what the square leaves in front of its derivative")
    return {n: " or ".join(dict.fromkeys(words[:1] if n != 2 else words[-1:])) for n, words in sizes.items() if n > 1}
