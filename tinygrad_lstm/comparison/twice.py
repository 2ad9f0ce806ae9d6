"""Two mistakes at once in one row: a factor on top of another mistake, and pairs of mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tinygrad_lstm.comparison.combined import Guess, Words
from tinygrad_lstm.comparison.tree import Change

__all__ = ["scaled_change", "two_changes"]

CLOSE = 1e-9  # how closely a pair has to fit, at least
LOOSE = 1e-2  # of the largest entry, by which what is told at all is off
Tried = Sequence[tuple[Change, np.ndarray]]  # mistakes, and the value with each


def scaled_change(
    tried: Tried, hand: np.ndarray, sizes: Mapping[int, str], correct: Words
) -> Iterator[tuple[Guess, Sequence[Change]]]:
    """A mistake with a wrong sign or a factor of a mean or a sum on top of it."""
    named = {-1.0: "the sign is flipped", 0.5: "the half of it is there", 2.0: "it is there twice"}
    named |= {1 / n: f"it is divided by {n}, {words}" for n, words in sizes.items()}
    named |= {float(n): f"it is multiplied by {n}, {words}" for n, words in sizes.items()}
    for change, array in tried:
        size = float(np.vdot(array, array))
        if not size:
            continue
        ratio = float(np.vdot(array, hand)) / size
        for factor, how in named.items():
            if abs(ratio - factor) <= 1e-6 * abs(factor):
                looks = f"two mistakes: {change.said}; and {how}"
                yield Guess("two mistakes", "", correct, looks, factor * array), (change,)


def two_changes(
    tried: Tried, hand: np.ndarray, right: np.ndarray, correct: Words
) -> Iterator[tuple[Guess, Sequence[Change]]]:
    """Two mistakes in two terms, whose differences add up; or in two factors of a product, whose
    ratios multiply."""
    kept = [(change, array) for change, array in tried if not np.array_equal(array, right)]
    if len(kept) < 2:
        return
    arrays = np.stack([np.ravel(array) for _, array in kept]).astype(float)
    base, goal = np.ravel(right).astype(float), np.ravel(hand).astype(float)
    for i, j in _pairs(arrays, goal, base):
        for array in (arrays[i] + arrays[j] - base, arrays[i] * arrays[j] / base):
            if np.max(np.abs(array - goal)) <= LOOSE * np.max(np.abs(goal)):
                looks = f"two mistakes: {kept[i][0].said}; and {kept[j][0].said}"
                guess = Guess("two mistakes", "", correct, looks, array.reshape(hand.shape))
                yield guess, (kept[i][0], kept[j][0])


def _pairs(arrays: np.ndarray, goal: np.ndarray, base: np.ndarray) -> Iterator[tuple[int, int]]:
    """Pairs that fit in three entries, by sum or by product."""
    at = np.argsort(np.abs(base))[::-1][:3]
    size = np.max(np.abs(goal))
    for i in range(len(arrays)):
        sums = arrays[i, at] + arrays[i:, at] - base[at] - goal[at]
        products = arrays[i, at] * arrays[i:, at] - goal[at] * base[at]
        fit = np.all(np.abs(sums) <= CLOSE * size, axis=1)
        fit |= np.all(np.abs(products) <= CLOSE * size * np.abs(base[at]), axis=1)
        yield from ((i, i + int(k)) for k in np.flatnonzero(fit) if k)
