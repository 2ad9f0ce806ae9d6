"""What a forecast has to beat: persistence, seasonal persistence, and a linear autoregression."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["autoregression", "baselines", "persistence", "rmse", "season", "seasonal"]

Forecast = Callable[[np.ndarray], np.ndarray]
"""Windows (count, window) to what follows them (count, horizon)."""


def rmse(forecast: np.ndarray, targets: np.ndarray) -> float:
    """The root of the mean squared error."""
    return float(np.sqrt(np.mean((forecast - targets) ** 2)))


def persistence(horizon: int) -> Forecast:
    """The last value goes on."""
    return lambda x: np.repeat(x[:, -1:], horizon, axis=1)


def seasonal(period: int, horizon: int) -> Forecast:
    """What was a period ago comes again; the last period, as often as it takes."""
    return lambda x: np.stack([x[:, k % period - period] for k in range(horizon)], axis=1)


def season(values: np.ndarray, longest: int) -> int:
    """The period of a series: where its autocorrelation has its first peak after it fell below 0.

    The last value that is tried is `longest`; 1 if there is no peak.
    """
    v = values - values.mean()
    spectrum = np.abs(np.fft.rfft(v, 2 * len(v))) ** 2
    correlation = np.fft.irfft(spectrum)[: min(longest + 2, len(v))]
    below = np.flatnonzero(correlation < 0)
    if not len(below):
        return 1
    tail = correlation[below[0] :]
    peaks = np.flatnonzero((tail[1:-1] >= tail[:-2]) & (tail[1:-1] > tail[2:]) & (tail[1:-1] > 0))
    return int(below[0] + 1 + peaks[np.argmax(tail[1 + peaks])]) if len(peaks) else 1


def autoregression(x: np.ndarray, targets: np.ndarray) -> Forecast:
    """A constant and a weight for each of the last values, fitted by least squares for each step of
    the horizon. Of all orders up to the window, that with the smallest Bayesian information
    criterion is taken.

    Notes
    -----
    Source of the criterion: Schwarz, Estimating the dimension of a model, 1978.
    """
    count, best = len(x), (np.inf, np.zeros((0, 0)))
    for order in range(1, min(x.shape[1], count // 2) + 1):
        inputs = np.column_stack([np.ones(count), x[:, -order:]])
        weights, *_ = np.linalg.lstsq(inputs, targets, rcond=None)
        error = max(float(np.mean((inputs @ weights - targets) ** 2)), np.finfo(float).tiny)
        best = min(best, (count * np.log(error) + order * np.log(count), weights), key=_first)
    weights = best[1]
    order = len(weights) - 1
    return lambda x: np.column_stack([np.ones(len(x)), x[:, -order:]]) @ weights


def _first(pair: tuple[float, np.ndarray]) -> float:
    return pair[0]


def baselines(
    values: np.ndarray, x: np.ndarray, targets: np.ndarray, known: int
) -> dict[str, Forecast]:
    """The three, fitted on what is known before the held-out part.

    Parameters
    ----------
    values : ndarray, shape (rows,)
        The series.
    x, targets : ndarray
        The windows of the known part.
    known : int
        How many values that is.
    """
    window, horizon = x.shape[1], targets.shape[1]
    period = season(values[:known], window)
    return {
        "persistence": persistence(horizon),
        f"seasonal persistence, period {period}": seasonal(period, horizon),
        "linear autoregression": autoregression(x, targets),
    }
