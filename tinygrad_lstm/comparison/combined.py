"""Explanations of a wrong sum over branches: some are missing, counted twice, of the wrong sign, or
written over each other."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lstm.comparison.branches import Term, beside, otherwise, places, sum_of, summed
from tinygrad_lstm.comparison.chain import in_blocks
from tinygrad_lstm.comparison.fitted import is_round, multiple
from tinygrad_lstm.comparison.paper import on_paper
from tinygrad_lstm.comparison.tree import Tree, flipped, times
from tinygrad_lstm.derivation.expression import Apply, Expression, number
from tinygrad_lstm.engine.gradients import Part
from tinygrad_lstm.engine.memory import repeats

__all__ = [
    *("FOLLOWS", "MULTIPLIED", "Guess", "Words"),
    "combined",
    "written",
]

FOLLOWS = "what follows from "  # something further up: how what stands by hand begins then
NAMED = 3  # branches that are named where several are missing
MULTIPLIED = "{} and {} were multiplied, where they have to be added"
LINES = 4  # of a loop that add to one value, of which all choices are tried
FITTED = 64  # branches whose coefficients are solved for


Words = str | Expression | Callable[[], str]


def written(words: Words) -> str:
    """What is said; a formula is written only when it is."""
    if isinstance(words, str):
        return words
    return words() if callable(words) else on_paper(words)


class Guess(NamedTuple):
    """An explanation that is to be tried.

    Attributes
    ----------
    fitted : bool
        Whether a number in it was taken from the value by hand, and is none that people choose.
    """

    kind: str
    yours: Words
    correct: Words
    looks_like: str
    array: np.ndarray
    fitted: bool = False


def combined(
    part: Part,
    terms: Sequence[Term],
    correct: Words,
    hand: np.ndarray,
    groups: Sequence[Sequence[Term]] = (),
) -> Iterator[Guess]:
    """Branches that are missing, alone, counted twice, of the wrong sign, or written over; one by
    one, and in `groups` of those that a derivation has in one line."""
    yield from _accumulated(part, terms, correct)
    together = summed(terms)
    if len(terms) <= FITTED:
        for term in terms:
            yield from _missing(term, terms, together, correct)
        for term in terms:
            yield from _twice(term, terms, together)
        yield from _multiplied(terms, correct)
        yield from _scaled(terms, together, hand)
        yield from _clipped(terms, together, hand)
    yield from _begun_again(part, groups, correct)
    yield from _fitted(part, [[term] for term in terms], correct, hand)
    if 1 < len(groups) < len(terms):
        yield from _fitted(part, groups, correct, hand)
    yield from _written_over(terms, correct)


def _accumulated(part: Part, terms: Sequence[Term], correct: Words) -> Iterator[Guess]:
    blocks = in_blocks(part)
    if part.kind != "total" or part.value._op is not None or len(blocks) < 2:
        return
    for word, branches in (("last", blocks[-1]), ("first", blocks[0])):
        chosen = [term for term in terms if term.branch in branches]
        looks = (
            f"only the {word} block's share is there: = where += belongs (the sum over time is "
            "missing)"
        )
        yours = sum_of(chosen)
        yield Guess("accumulation", yours, correct, looks, summed(chosen))


def _begun_again(part: Part, groups: Sequence[Sequence[Term]], correct: Words) -> Iterator[Guess]:
    """One line of a loop with = where += belongs: what was added before it ran for the last time is
    lost, and of the other lines what comes later stays."""
    if part.value._op is not None or not 1 < len(groups) <= LINES:
        return
    for end in (-1, 0):
        for line in (group for group in groups if len(group) > 1):
            others = [group for group in groups if group is not line]
            for kept in itertools.product((0, 1, 2), repeat=len(others)):
                chosen = [line[end]]
                for group, how in zip(others, kept, strict=True):
                    chosen += group if how == 1 else [group[end]] if how == 2 else []
                looks = f"{line[end].place} has written over what was there: = where += belongs"
                yours = sum_of(chosen)
                yield Guess("accumulation", yours, correct, looks, summed(chosen))


def _missing(
    term: Term, terms: Sequence[Term], together: np.ndarray, correct: Words
) -> Iterator[Guess]:
    rest = [other for other in terms if other is not term]
    looks = f"{term.place} of the fork is missing"
    left = rest[0].array if len(rest) == 1 else together - term.array
    yield Guess("branch missing", partial(places, rest), partial(beside, terms, term), looks, left)
    if len(rest) > 1:
        looks = f"only {term.place} of the fork is there"
        yield Guess("one branch only", term.text, correct, looks, term.array)


def _twice(term: Term, terms: Sequence[Term], together: np.ndarray) -> Iterator[Guess]:
    correct = partial(beside, terms, term)
    doubled, opposite = (
        partial(otherwise, terms, term, how) for how in (partial(times, number(2)), flipped)
    )
    looks = f"{term.place} was counted twice"
    yield Guess("branch doubled", doubled, correct, looks, together + term.array)
    looks = f"the sign of {term.place} is flipped"
    yield Guess("sign", opposite, correct, looks, together - 2 * term.array)


def _multiplied(terms: Sequence[Term], correct: Words) -> Iterator[Guess]:
    """Two branches that were multiplied where they have to be added."""
    if len(terms) == 2:
        one, other = terms
        looks = MULTIPLIED.format(one.place, other.place)
        yours = partial(_product, one, other)
        yield Guess("sum for product", yours, correct, looks, one.array * other.array)


def _product(one: Term, other: Term) -> str:
    return on_paper(times(one.formula, other.formula))


def _scaled(terms: Sequence[Term], together: np.ndarray, hand: np.ndarray) -> Iterator[Guess]:
    """One branch that is there with a constant factor, where it is not all of them."""
    if hand.shape != together.shape or hand.size <= 2 or multiple(hand, together):
        return
    for term in terms:
        size = float(np.vdot(term.array, term.array))
        if size:
            ratio = float(np.vdot(term.array, hand - together) / size) + 1
            factor = number(float(f"{ratio:.6g}"))
            yours = partial(otherwise, terms, term, partial(times, factor))
            mean = f" (1/{round(1 / ratio)} of it)" if 0 < ratio < 1 else ""
            looks = f"{term.place} is there {ratio:.6g} times{mean}, beside the others"
            array = together + (ratio - 1) * term.array
            right = partial(beside, terms, term)
            yield Guess("factor", yours, right, looks, array, not is_round(ratio))


def _clipped(terms: Sequence[Term], together: np.ndarray, hand: np.ndarray) -> Iterator[Guess]:
    """One branch that was clipped, or all but one."""
    for term in terms if hand.shape == together.shape and hand.size > 2 else ():
        others = together - term.array
        for one, rest, said in (
            (term.array, others, f"{term.place} is"),
            (others, term.array, f"all but {term.place} is"),
        ):
            limit = float(np.max(np.abs(hand - rest)))
            clipped = np.clip(one, -limit, limit)
            if 0 < limit < np.max(np.abs(one)) and not multiple(clipped, one):
                looks, right = f"{said} clipped to ±{limit:.6g}", partial(beside, terms, term)
                yield Guess("clipped", "", right, looks, rest + clipped, not is_round(limit))


def _fitted(
    part: Part, groups: Sequence[Sequence[Term]], correct: Words, hand: np.ndarray
) -> Iterator[Guess]:
    """Several branches at once that are missing or of the wrong sign: how often each is there is
    solved for."""
    terms = [term for group in groups for term in group]
    arrays = [summed(group) for group in groups]
    kept = [k for k, array in enumerate(arrays) if array.any()]  # of nothing it is unknown
    n, least = len(kept), 2 if len(groups) < len(terms) else 3  # of two, each is told by itself
    solvable = least <= n <= min(FITTED, hand.size - 1) and hand.shape == terms[0].array.shape
    if not solvable or not np.isfinite(hand).all():
        return
    columns = np.stack([np.ravel(arrays[k]) for k in kept], axis=1).astype(float)
    found, _, rank, _ = np.linalg.lstsq(columns, np.ravel(hand).astype(float), rcond=None)
    counts = np.asarray(np.round(found))
    if rank < n or not np.allclose(found, counts, atol=1e-4) or np.any(np.abs(counts) > 2):
        return
    array = np.asarray(sum(c * arrays[k] for c, k in zip(counts, kept, strict=True)))
    times_ = [(int(c), term) for c, k in zip(counts, kept, strict=True) for term in groups[k]]
    odd = [(c, term) for c, term in times_ if c != 1]
    if not odd or len(set(counts)) == 1:  # of all alike the whole tells
        return
    kind = "branch missing" if all(c == 0 for c, _ in odd) else "branches"
    yours = places([t for c, t in times_ if c == 1] or [terms[0]])
    yield Guess(kind, yours, correct, _odd(part, terms, odd), array)


def _odd(part: Part, terms: Sequence[Term], odd: list[tuple[int, Term]]) -> str:
    """What is said of branches that are there another number of times than once."""
    block = part.value.block
    later = [t for t in terms if block is not None and (t.branch.stage.block or 0) > block]
    if later and all(c == 0 for c, _ in odd) and [t for _, t in odd] == later:
        return "all branches from the next block are missing: nothing is carried back through time"
    words = {0: "missing", -1: "of the wrong sign", 2: "counted twice", -2: "there −2 times"}
    named = [f"{t.place} is {words[c]}" for c, t in odd[:NAMED]]
    return ", ".join(named) + f" and {len(odd) - NAMED} more" * (len(odd) > NAMED)


def _written_over(terms: Sequence[Term], correct: Words) -> Iterator[Guess]:
    """Entries into which branches wrote what they send back, over what was there."""
    keys = [_written_at(term) for term in terms]
    if len(terms) < 2 or all(key is None for key in keys):
        return
    both = list(zip(terms, keys, strict=True))
    for order, word in ((both, "last"), (both[::-1], "first")):
        array = np.zeros_like(terms[0].array)
        for term, key in order:
            if key is None:
                array = array + term.array
                continue
            assert isinstance(term.formula, Apply)
            array = array.copy()
            array[key] = (np.zeros_like(array) if repeats(key) else term.array)[key]
            if repeats(key):  # the last stays
                array[key] = Tree(term.formula.args[0]).array
        looks = (
            "entries that several branches send to were written over, = where += belongs: only "
            f"what the {word} branch sends is there where they overlap"
        )
        yield Guess("overwritten", "the last of them in each entry", correct, looks, array)


def _written_at(term: Term) -> Any:
    """Where a branch adds what it sends; None where that is everywhere."""
    if term.array.all():
        return None
    e = term.formula
    return e.params["key"] if isinstance(e, Apply) and e.op.name == "scatter" else None
