"""A piece of a series: some rows, which are read when they are asked for, and their windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_lstm.errors import DataError, Error
from tinygrad_lstm.training.series import gaps
from tinygrad_lstm.training.windows import Scaling, windows

__all__ = ["Piece", "PieceWindows", "tried"]


@dataclass(frozen=True)
class Piece:
    """Some rows of a column, which are read when they are asked for.

    Attributes
    ----------
    where : str
        The file, for messages.
    lazy : Delayed
        What Dask reads, a Series of pandas.
    """

    where: str
    lazy: Any

    def values(self) -> np.ndarray:
        """The numbers, as float64, NaN where they are missing.

        Raises
        ------
        DataError
            If a cell holds no finite number.
        """
        return _numbers(self.where, tried(self.where, self._read))

    def _read(self) -> Any:
        return self.lazy.compute(scheduler="synchronous")


def _numbers(where: str, column: Any) -> np.ndarray:
    """A column of pandas as numbers."""
    if getattr(column.dtype, "kind", "O") not in "iufb":
        raise DataError("a series holds numbers", where=where, got=str(column.dtype))
    values: np.ndarray = column.to_numpy(np.float64, na_value=np.nan)
    if np.isinf(values).any():
        raise DataError("a value is infinite", where=where)
    return values


@dataclass(frozen=True)
class PieceWindows:
    """The windows of a piece, on the worker that has read it.

    Attributes
    ----------
    where : str
        The file.
    before : ndarray
        The values before the piece that its windows reach.
    last : float
        The value before it, which stands where its first ones are missing.
    window, horizon : int
        How many values are read, and how many then have to be said.
    scaling : Scaling or None
        How the values are scaled.
    """

    where: str
    before: np.ndarray
    last: float
    window: int
    horizon: int
    scaling: Scaling | None

    def __call__(self, column: Any) -> tuple[np.ndarray, np.ndarray]:
        piece = gaps(_numbers(self.where, column), self.last)
        values = np.concatenate([self.before, piece])
        scaled = self.scaling.there(values) if self.scaling else values
        return windows(scaled, self.window, self.horizon, 0, len(values))


def tried(where: str, read: Callable[[], Any]) -> Any:
    """What is read; where that fails, the file is named, in one line."""
    try:
        return read()
    except Error:
        raise
    except Exception as error:  # of whichever reader there is
        words = str(error).strip().splitlines() or [type(error).__name__]
        raise DataError(
            "the file cannot be read as numbers",
            where=where,
            got=words[-1].removeprefix("Original Message: "),
        ) from error
