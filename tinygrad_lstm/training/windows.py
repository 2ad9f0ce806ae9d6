"""A series cut into windows, split in time, and scaled by what the training part says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinygrad_lstm.errors import DataError

__all__ = ["Parts", "Scaling", "split", "windows"]


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
            centre, width = float(values.mean()), float(values.std())
        if not 0 < width < np.inf:
            raise DataError(
                "the values of the training part cannot be scaled",
                where="the series",
                expected="at least two different numbers",
                got=f"{values.min():g} to {values.max():g}",
            )
        return cls(centre, width)

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
