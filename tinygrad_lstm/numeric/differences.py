"""Derivatives from differences of values, with an estimate of their error (Ridders, 1982), and what
tells a kink."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

__all__ = ["differentiate", "weighted"]

FLOAT64 = np.finfo(np.float64)
SEEN = 1e-6  # of a value: a change so large stands out of its rounding by nine digits
# so many steps above the usual ones, each 16 times the one before, where a value barely changes
LARGER = 17
FAR = (
    16.0**LARGER
)  # how far the last of them reaches: where nothing has changed there, nothing depends on the input


@np.errstate(all="ignore")
def differentiate(
    value: Callable[[float], np.ndarray], sizes: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """The derivatives at 0 of weighted sums of the entries of ``value(h)``, by central differences.

    The steps go down in quarters, from large ones to some that are tiny beside what h is added to;
    where a value barely changes by the largest, there are larger ones. The same values give the
    slope on either side: where the two differ by much more than their errors, and what lies between
    is their mean, there is a kink.

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
        The derivatives, their estimated errors, and at a kink the slopes from the left and from the
        right (elsewhere NaN).
    """
    size, least = float(np.max(sizes)), float(np.min(sizes))
    top, bottom = 0.1 * max(1.0, size), 1e-9 * min(1.0, least or 1.0)
    middle = value(0.0).ravel()
    rungs = [
        (h, value(h).ravel(), value(-h).ravel())
        for h in top * 0.25 ** np.arange(math.log(top / bottom, 4))
    ]
    far, larger = _larger(value, middle, rungs[0], weights)
    rungs = larger + rungs
    steps = np.array([[h] for h, *_ in rungs])
    ups, downs = [up for _, up, _ in rungs], [down for *_, down in rungs]
    moved = _moved(middle, far, *rungs)
    rounding = np.array([_magnitude(weights * moved, rung) for rung in rungs])
    unseen = (
        FLOAT64.eps * _magnitude(weights * ~moved, far) / far[0]
    )  # what does not move so far has hardly a slope

    def slopes(after: list[np.ndarray], before: list[np.ndarray], width: int) -> Slope:
        found = np.array([weighted(weights, a - b) for a, b in zip(after, before, strict=True)]) / (
            width * steps
        )
        noise = (
            8
            / width
            * (
                (FLOAT64.eps * (rounding + size * np.abs(found)) + FLOAT64.smallest_subnormal)
                / steps
                + unseen
            )
        )
        return _extrapolated(found, noise, steps, order=width)

    middles = [middle] * len(steps)
    return _with_kinks(slopes(ups, downs, 2), slopes(middles, downs, 1), slopes(ups, middles, 1))


Slope = tuple[np.ndarray, np.ndarray]  # the best slopes, and their estimated errors


def _with_kinks(central: Slope, before: Slope, after: Slope) -> np.ndarray:
    """The derivatives, their errors, and the slopes from the left and from the right at a kink."""
    (slope, error), (left, left_error), (right, right_error) = central, before, after
    doubt = 10 * (left_error + right_error) + 1e-3 * np.fmax(np.abs(left), np.abs(right))
    is_kink = (np.abs(right - left) > doubt) & (
        np.abs(left + right - 2 * slope) <= doubt + 20 * error
    )
    return np.array(
        [slope, error, np.where(is_kink, left, np.nan), np.where(is_kink, right, np.nan)]
    )


Rung = tuple[float, np.ndarray, np.ndarray]  # a step h, and the values at h and at -h


def _larger(
    value: Callable[[float], np.ndarray], middle: np.ndarray, top: Rung, weights: np.ndarray
) -> tuple[Rung, list[Rung]]:
    """The farthest step, and those above the top one, largest first, until each of the sums changes
    enough to be seen.

    A derivative that is small beside the value is lost in its rounding, unless the step is large. A
    sum that does not change at all, however far its input moves, needs no more of them. Nor does
    one that cannot be computed there.
    """

    def at(h: float) -> Rung | None:
        try:
            return h, value(h).ravel(), value(-h).ravel()
        except Exception:  # whatever f does so far from its point
            return None

    def hardly_seen(rung: Rung) -> np.ndarray:
        _, up, down = rung
        return np.asarray(
            np.abs(weighted(weights, up - down)) < SEEN * _magnitude(weights * moved, rung)
        )

    moved, larger = np.ones(middle.shape, bool), [top]
    needed = hardly_seen(top)
    far = at(FAR * top[0]) if needed.any() else None
    if far is None:
        return top, []
    moved = _moved(middle, top, far)
    needed = hardly_seen(top)
    while needed.any() and len(larger) <= LARGER and (rung := at(16 * larger[0][0])):
        larger.insert(0, rung)
        needed &= hardly_seen(rung)
    return far, larger[:-1]


def _moved(middle: np.ndarray, *rungs: Rung) -> np.ndarray:
    """Which entries of the value change at all, at any of the steps."""
    return np.asarray(
        np.any([side != middle for _, up, down in rungs for side in (up, down)], axis=0)
    )


def _magnitude(weights: np.ndarray, rung: Rung) -> np.ndarray:
    """What the weighted sums of the two values at a step are at most: their rounding is in
    proportion."""
    _, up, down = rung
    return weighted(np.abs(weights), np.fmax(np.abs(up), np.abs(down)))


def weighted(weights: np.ndarray, value: np.ndarray) -> np.ndarray:
    """The weighted sums of the entries of a value. An entry of weight 0 takes no part, be it
    infinite."""
    return np.asarray(np.sum(weights * value, axis=1, where=weights != 0))


def _extrapolated(slopes: np.ndarray, noise: np.ndarray, steps: np.ndarray, order: int) -> Slope:
    """The best of the slopes (a row for each step, the largest first), and its estimated error.

    Neighbours are extrapolated (Richardson). The error of a pair is its distance to the pair
    before, plus what rounding does at its step; the pair with the smallest error is taken.
    """
    better = slopes[1:] + (slopes[1:] - slopes[:-1]) / ((steps[:-1] / steps[1:]) ** order - 1)
    errors = np.abs(better[1:] - better[:-1]) + noise[2:]
    errors[~np.isfinite(errors)] = np.inf
    errors += _missed(better[1:], errors, steps[2:])
    best = np.argmin(errors, axis=0), np.arange(slopes.shape[1])
    return better[1:][best], errors[best]


def _missed(better: np.ndarray, errors: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """How far the slopes at smaller steps lie from each slope, beyond what rounding can have done
    to them.

    A function that oscillates faster than the large steps looks smooth to them, and their slopes
    agree. Rounding grows as the step falls; as much of it as any smaller step shows is granted.
    """
    granted = 4 * np.maximum.accumulate((errors * steps)[::-1])[::-1] / steps
    apart = (
        np.abs(better - better[:, np.newaxis]) - granted
    )  # [k, m]: of the slope at step k, seen from step m
    smaller = np.triu(np.ones((len(errors), len(errors)), bool), 1)[..., np.newaxis]
    return np.asarray(np.max(apart, axis=1, initial=0, where=smaller & np.isfinite(apart)))
