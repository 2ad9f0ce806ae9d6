"""A series cut into windows, split in time, and scaled by what the training part says."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tinygrad_lstm.errors import DataError

__all__ = ["Moments", "Parts", "Scaling", "split", "windows"]


@dataclass(frozen=True)
class Moments:
    """How many values there are, their mean, and the sum of their squared distances from it; those
    of two sets are added.

    Notes
    -----
    Source of the sum: Chan, Golub and LeVeque, Updating formulae and a pairwise algorithm for
    computing sample variances, 1979.
    """

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    @classmethod
    def of(cls, values: np.ndarray) -> Moments:
        """Those of an array."""
        if not len(values):
            return cls()
        mean = float(values.mean())
        return cls(len(values), mean, float(((values - mean) ** 2).sum()))

    def __add__(self, other: Moments) -> Moments:
        count = self.count + other.count
        if not self.count or not other.count:
            return self if self.count else other
        apart = other.mean - self.mean
        mean = self.mean + apart * other.count / count
        squares = self.squares + other.squares + apart**2 * self.count * other.count / count
        return Moments(count, mean, squares)


@dataclass(frozen=True)
class Scaling:
    """Numbers with mean 0 and standard deviation 1, as they are in the training part."""

    centre: float
    width: float

    @classmethod
    def fitted(cls, values: np.ndarray) -> Scaling:
        """That of the values of the training part.

        Raises
        ------
        DataError
            If they are all the same, or too large to be squared.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            return cls.of(Moments.of(values))

    @classmethod
    def of(cls, moments: Moments) -> Scaling:
        """That of values with such moments; as :meth:`fitted`."""
        width = math.sqrt(moments.squares / max(1, moments.count))
        if not 0 < width < np.inf:
            raise DataError(
                "the values of the training part cannot be scaled",
                where="the series",
                expected="at least two different numbers",
                got=f"{moments.count} with mean {moments.mean:g} and deviation {width:g}",
            )
        return cls(moments.mean, width)

    def there(self, values: np.ndarray) -> np.ndarray:
        """As the model reads them."""
        return (values - self.centre) / self.width

    def back(self, values: np.ndarray) -> np.ndarray:
        """As they are in the series."""
        return values * self.width + self.centre


@dataclass(frozen=True)
class Parts:
    """Where the parts of a series begin: training is before `validation`, that before `test`."""

    validation: int
    test: int
    end: int


def split(rows: int, window: int, horizon: int, validation: int, test: int) -> Parts:
    """The parts of a series, the latest values last.

    Raises
    ------
    DataError
        If there are too few rows for at least ten windows of the training part.
    """
    needed = window + horizon + 9 + validation + test
    if rows < needed or validation < horizon or test < horizon:
        raise DataError(
            "the series is too short for its parts",
            where="the series",
            expected=f"at least {needed} rows, and {horizon} in each part",
            got=f"{rows} rows, {validation} for validation, {test} held out",
            do="choose a shorter window or smaller parts",
        )
    return Parts(rows - test - validation, rows - test, rows)


def windows(
    values: np.ndarray, window: int, horizon: int, start: int, end: int
) -> tuple[np.ndarray, np.ndarray]:
    """All windows whose targets lie in a part.

    Parameters
    ----------
    values : ndarray, shape (rows,)
        The whole series: a window may reach back over the start of the part.
    window, horizon : int
        How many values are read, and how many then have to be said.
    start, end : int
        The part.

    Returns
    -------
    x : ndarray, shape (count, window)
    targets : ndarray, shape (count, horizon)
    """
    first = max(start, window) - window
    whole = np.lib.stride_tricks.sliding_window_view(values[first:end], window + horizon)
    return whole[:, :window], whole[:, window:]
