"""Series of numbers: a column of a CSV file as people have it, of a DataFrame, or an array; and the
one that comes with the package."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_lstm.errors import DataError
from tinygrad_lstm.training.csvfile import SHIPPED, Table, read_table
from tinygrad_lstm.training.loop import Batch, batches
from tinygrad_lstm.training.numbers import numbers
from tinygrad_lstm.training.windows import Scaling, windows

__all__ = ["MISSING", "SHIPPED", "Series", "gaps", "read_series", "scale"]

MISSING = ("refuse", "linear", "previous")


@dataclass(frozen=True)
class Series:
    """Numbers in the order of time.

    Attributes
    ----------
    values : ndarray, shape (rows,)
        The numbers, as float64.
    name : str
        The name of the column, or its number.
    times : list of str or None
        What stands in the first column, if that is another one.
    filled : int
        How many values were missing and have been filled.
    """

    values: np.ndarray
    name: str
    times: list[str] | None = None
    filled: int = 0

    def __len__(self) -> int:
        return len(self.values)

    def between(self, start: int, end: int) -> np.ndarray:
        """The values of some rows."""
        return self.values[start:end]

    def known(self, end: int) -> np.ndarray:
        """What baselines are fitted on: all before a row."""
        return self.values[:end]

    def scaling(self, end: int | None = None) -> Scaling:
        """That of the values before a row; by default of all."""
        return Scaling.fitted(self.values[:end])

    def batches(
        self,
        seed: Any,
        size: int,
        window: int,
        horizon: int = 1,
        end: int | None = None,
        scaling: Scaling | None = None,
    ) -> Iterable[Batch]:
        """The windows of all values before a row, and what follows each, some at a time, in a
        random order; see :meth:`LargeSeries.batches`."""
        values = self.values[:end]
        scaled = scaling.there(values) if scaling else values
        return batches(seed, size, *windows(scaled, window, horizon, 0, len(values)))

    def state(self) -> dict[str, Any]:
        """All of it, for a checkpoint."""
        return vars(self)


def read_series(
    source: Any,
    column: str | int | None = None,
    *,
    missing: str = "refuse",
    decimal: str | None = None,
) -> Series:
    """Read one column.

    The cells of a file are separated by commas, semicolons, tabs or vertical bars. A first line
    without a single number is a header, and so is one that holds the name asked for beside other
    words. A comma inside the cells is a decimal comma where no cell of the column has a decimal
    point; ``1,234`` may part thousands as well, and is refused where nothing tells.

    Parameters
    ----------
    source : str, path, DataFrame, Series of pandas, or array_like
        A file in UTF-8, which may be compressed by gzip; or ``"sunspots"``: the yearly mean sunspot
        numbers that come with the package (``./sunspots`` is a file of that name).
    column : str or int, optional
        The name of a column, or its number, counted from 1, in a file without a header. The last
        one by default.
    missing : {"refuse", "linear", "previous"}, default "refuse"
        What is done where a cell is empty or says NA, NaN, null, none, - or ?: an error; the
        straight line between the neighbours; the value before. At the ends the nearest is taken.
    decimal : {".", ","}, optional
        What stands before the decimals, where the rule above does not say.

    Returns
    -------
    Series

    Raises
    ------
    DataError
        If the file cannot be read or is not a table, if there is no such column, or if a cell holds
        no finite number.

    Examples
    --------
    >>> from tinygrad_lstm.training import read_series
    >>> series = read_series("sunspots")
    >>> series.name, len(series), series.values[:3], series.times[:2]
    ('sunspots', 309, array([ 5., 11., 16.]), ['1700', '1701'])
    """
    if missing not in MISSING:
        raise DataError(
            "no such rule",
            where="read_series(missing=...)",
            expected=", ".join(MISSING),
            got=repr(missing),
        )
    if hasattr(source, "iloc") or not (isinstance(source, str) or hasattr(source, "__fspath__")):
        values, name, times, rows = *_given(source, column), None
    else:
        column = column if column is None else str(column)
        table = read_table(source, column)
        values, name, times, rows = *_column(table, column, decimal), table.lines
    where = f"{source if rows is not None else 'the series'}, column {name}"
    filled, count = _filled(values, missing, rows, where)
    return Series(filled, name, times, count)


def _column(
    table: Table, column: str | None, decimal: str | None
) -> tuple[np.ndarray, str, list[str] | None]:
    """The numbers of a column, NaN where they are missing, its name, and the first column."""
    i = table.position(column)
    cells = [row[i] for row in table.rows]
    values = numbers(cells, table, i, decimal)
    return values, table.names[i], [row[0] for row in table.rows] if i else None


def _given(source: Any, column: Any) -> tuple[np.ndarray, str, list[str] | None]:
    """The same of a DataFrame, a Series of pandas, or an array."""
    times = None
    if hasattr(source, "columns"):
        source, times = _of_frame(source, column)
    elif hasattr(source, "index") and hasattr(source, "iloc"):
        times = [str(t) for t in source.index]
    name = getattr(source, "name", None)
    where = "the series" if name is None else f"column {name}"
    try:
        if getattr(getattr(source, "dtype", None), "kind", None) in ("m", "M"):
            raise TypeError("dates")
        masked = isinstance(source, np.ma.MaskedArray)
        values = np.ma.filled(source.astype(float), np.nan) if masked else np.array(source, float)
    except (TypeError, ValueError) as error:
        raise DataError("a series holds numbers", where=where, got=str(error)) from error
    if values.ndim != 1 or not len(values):
        raise DataError(
            "a series has one axis and at least one value",
            where=where,
            expected="(rows,)",
            got=values.shape,
            do="choose a column: values[:, 0]" if values.ndim == 2 else None,
        )
    if np.isinf(values).any():
        at = int(np.flatnonzero(np.isinf(values))[0])
        raise DataError("a value is infinite", where=f"{where}, row {at}")
    return values, str(name if name is not None else "1"), times


def _of_frame(frame: Any, column: Any) -> tuple[Any, list[str]]:
    """A column of a DataFrame, and when its rows were: its index, or the first column where the
    rows are only numbered."""
    names = [str(c) for c in frame.columns]
    wanted = names[-1] if column is None and names else str(column)
    if names.count(wanted) != 1:
        raise DataError(
            "there is no such column",
            where="the DataFrame",
            expected=f"one of {', '.join(names)}",
            got=repr(column),
        )
    numbered = type(frame.index).__name__ == "RangeIndex" and names[0] != wanted
    times = frame.iloc[:, 0] if numbered else frame.index
    return frame.iloc[:, names.index(wanted)], [str(t) for t in times]


def _filled(
    values: np.ndarray, missing: str, lines: list[int] | None, where: str
) -> tuple[np.ndarray, int]:
    """The values without gaps, and how many there were."""
    lost = np.isnan(values)
    if not lost.any():
        return values, 0
    first = int(np.flatnonzero(lost)[0])
    row = f"line {lines[first]}" if lines is not None else f"row {first}"
    if missing == "refuse" or lost.all():
        raise DataError(
            "all values are missing"
            if lost.all()
            else f"{lost.sum()} of {len(lost)} values are missing",
            where=f"{where}, {row}",
            do="fill them by a rule: missing='linear' or 'previous' (--missing)",
        )
    there, at = np.flatnonzero(~lost), np.arange(len(values))
    if missing == "previous":
        return gaps(values, float(values[there[0]])), int(lost.sum())
    return np.interp(at, there, values[there]), int(lost.sum())


def gaps(values: np.ndarray, before: float) -> np.ndarray:
    """Values in which the one before stands where one is missing; `before` stands before the
    first."""
    if not np.isnan(values).any():
        return values
    at = np.maximum.accumulate(np.where(np.isnan(values), -1, np.arange(len(values))))
    return np.where(at < 0, before, values[np.maximum(at, 0)])


def scale(values: np.ndarray, label: str) -> np.ndarray:
    """`values` scaled linearly, so that the smallest is -1 and the largest 1.

    Raises
    ------
    DataError
        If all values are the same, or lie too far apart.
    """
    low, high = float(values.min()), float(values.max())
    if not 0 < high - low < math.inf:
        raise DataError(
            "the values cannot be scaled to [-1, 1]",
            where=f"column {label}",
            expected="at least two different numbers",
            got=f"{low:g} to {high:g}",
        )
    return np.asarray(2 * ((values - low) / (high - low)) - 1)
