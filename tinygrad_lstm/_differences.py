"""Derivatives from differences of values, with an estimate of their error (Ridders, 1982), and what tells a kink."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

__all__ = ["differentiate", "weighted"]

FLOAT64 = np.finfo(np.float64)


@np.errstate(all="ignore")
def differentiate(value: Callable[[float], np.ndarray], sizes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The derivatives at 0 of weighted sums of the entries of ``value(h)``, by central differences.

    The steps go down in quarters, from large ones to some that are tiny beside what h is added to. The same values give the
    slope on either side: where the two differ by much more than their errors, and what lies between is their mean,
    there is a kink.

    Parameters
    ----------
    value : callable
        Takes a step and returns an array.
    sizes : ndarray
        The magnitudes of what the step is added to.
    weights : ndarray, shape (K, M)
        K sums of the M entries of a value.

    Returns
    -------
    ndarray, shape (4, K)
        The derivatives, their estimated errors, and at a kink the slopes from the left and from the right (elsewhere NaN).
    """
    size, least = float(np.max(sizes)), float(np.min(sizes))
    top, bottom = 0.1 * max(1.0, size), 1e-9 * min(1.0, least or 1.0)
    steps = top * 0.25 ** np.arange(math.log(top / bottom, 4))[:, np.newaxis]
    middle, ups, downs = value(0.0).ravel(), *([value(sign * h).ravel() for h in steps[:, 0]] for sign in (1, -1))
    rounding = np.array([weighted(np.abs(weights), np.fmax(np.abs(up), np.abs(down))) for up, down in zip(ups, downs, strict=True)])

    def slopes(after: list[np.ndarray], before: list[np.ndarray], width: int) -> tuple[np.ndarray, np.ndarray]:
        found = np.array([weighted(weights, a - b) for a, b in zip(after, before, strict=True)]) / (width * steps)
        noise = 8 / width * (FLOAT64.eps * (rounding + size * np.abs(found)) + FLOAT64.smallest_subnormal) / steps
        return _extrapolated(found, noise, order=width)

    middles = [middle] * len(steps)
    slope, error = slopes(ups, downs, 2)
    (left, left_error), (right, right_error) = slopes(middles, downs, 1), slopes(ups, middles, 1)
    doubt = 10 * (left_error + right_error) + 1e-3 * np.fmax(np.abs(left), np.abs(right))
    is_kink = (np.abs(right - left) > doubt) & (np.abs(left + right - 2 * slope) <= doubt + 20 * error)
    return np.array([slope, error, np.where(is_kink, left, np.nan), np.where(is_kink, right, np.nan)])


def weighted(weights: np.ndarray, value: np.ndarray) -> np.ndarray:
    """The weighted sums of the entries of a value. An entry of weight 0 takes no part, be it infinite."""
    return np.asarray(np.sum(weights * value, axis=1, where=weights != 0))


def _extrapolated(slopes: np.ndarray, noise: np.ndarray, order: int) -> tuple[np.ndarray, np.ndarray]:
    """The best of the slopes (a row for each step, a quarter of the one before), and its estimated error.

    Neighbours are extrapolated (Richardson). The error of a pair is its distance to the pair before, plus what rounding does
    at its step; the pair with the smallest error is taken.
    """
    better = slopes[1:] + (slopes[1:] - slopes[:-1]) / (4**order - 1)
    errors = np.abs(better[1:] - better[:-1]) + noise[2:]
    errors[~np.isfinite(errors)] = np.inf
    errors += _missed(better[1:], errors)
    best = np.argmin(errors, axis=0), np.arange(slopes.shape[1])
    return better[1:][best], errors[best]


def _missed(better: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """How far the slopes at smaller steps lie from each slope, beyond what rounding can have done to them.

    A function that oscillates faster than the large steps looks smooth to them, and their slopes agree. Rounding quadruples
    from one step to the next; as much of it as any smaller step shows is granted.
    """
    quarters = 4.0 ** np.arange(len(errors))[:, np.newaxis]
    granted = 4 * np.maximum.accumulate((errors / quarters)[::-1])[::-1] * quarters
    apart = np.abs(better - better[:, np.newaxis]) - granted  # [k, m]: of the slope at step k, seen from step m
    smaller = np.triu(np.ones((len(errors), len(errors)), bool), 1)[..., np.newaxis]
    return np.asarray(np.max(apart, axis=1, initial=0, where=smaller & np.isfinite(apart)))
