"""Series of numbers from CSV files, and the one that comes with the package."""

from __future__ import annotations

import csv
import io
import math
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_lstm.errors import DataError

__all__ = ["SHIPPED", "read_series", "scale"]

SHIPPED = ("sunspots",)
DELIMITERS = (";", "\t", ",")  # a comma may be a decimal comma, so it is tried last

Line = tuple[int, list[str]]  # the number of a line in the file, and its cells


def read_series(path: Any, column: str | None = None) -> tuple[np.ndarray, str]:
    """Read one column of a CSV file.

    The cells are separated by commas, semicolons or tabs. A first line without a single number is a
    header, and so is one that holds the name asked for beside other words.

    Parameters
    ----------
    path : str or path
        A file in UTF-8, or ``"sunspots"``: the yearly mean sunspot numbers that come with the
        package (``./sunspots`` is a file of that name).
    column : str, optional
        The name of a column, or its number, counted from 1, in a file without a header. The last
        one by default.

    Returns
    -------
    values : ndarray, shape (rows,)
        The numbers, as float64.
    label : str
        The name of the column, or its number.

    Raises
    ------
    DataError
        If the file cannot be read or is not a table, if there is no such column, or if a cell holds
        no finite number.

    Examples
    --------
    >>> from tinygrad_lstm.cli.series import read_series
    >>> values, label = read_series("sunspots")
    >>> label, len(values), values[:3]
    ('sunspots', 309, array([ 5., 11., 16.]))
    """
    lines = _table(path)
    names, rows = _split_header(lines, column)
    i = _position(names, column, str(path))
    return np.array(
        [_number(cells[i], f"{path}, line {line}, column {names[i]}") for line, cells in rows]
    ), names[i]


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


def _table(path: Any) -> list[Line]:
    """The lines of a file, all of one length."""
    source = files("tinygrad_lstm.data").joinpath(f"{path}.csv") if path in SHIPPED else Path(path)
    try:
        text = source.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(
            "the file cannot be read",
            where=str(path),
            got=error.strerror,
            do=f"give the path of a CSV file, or {' or '.join(SHIPPED)}",
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(
            "the file is not text in UTF-8",
            where=str(path),
            got=str(error),
            do="save it as CSV in UTF-8",
        ) from error
    lines = _cells(text.rstrip("\n"), str(path))
    for number, cells in lines:
        if len(cells) != len(lines[0][1]):
            raise DataError(
                "the line is longer or shorter than the first",
                where=f"{path}, line {number}",
                expected=f"{len(lines[0][1])} cells",
                got=len(cells),
            )
    return lines


def _cells(text: str, path: str) -> list[Line]:
    if not text:
        raise DataError("the file is empty", where=path, expected="a CSV file, one row a line")
    reader = csv.reader(io.StringIO(text), delimiter=_delimiter(text), strict=True)
    try:
        return [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise DataError(
            "the line is not CSV", where=f"{path}, line {reader.line_num}", got=str(error)
        ) from error


def _delimiter(text: str) -> str:
    """What stands between the cells of the first line, quoted ones left alone."""
    unquoted = re.sub('"[^"]*"', "", text.split("\n", 1)[0])
    return next((d for d in DELIMITERS if d in unquoted), ",")


def _split_header(lines: list[Line], column: str | None) -> tuple[list[str], list[Line]]:
    first = lines[0][1]
    numbers = [_parsed(cell) is not None for cell in first]
    if not any(numbers) or (column in first and not all(numbers)):
        return first, lines[1:]
    return [str(i) for i in range(1, len(first) + 1)], lines


def _position(names: list[str], column: str | None, path: str) -> int:
    if column is None:
        return len(names) - 1
    if names.count(column) != 1:
        raise DataError(
            "there is no such column" if column not in names else "several columns have this name",
            where=path,
            expected=f"one of {', '.join(names)}",
            got=repr(column),
        )
    return names.index(column)


def _parsed(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _number(cell: str, where: str) -> float:
    value = _parsed(cell)
    if value is None or not math.isfinite(value):
        raise DataError(
            "the cell holds no finite number",
            where=where,
            expected="a number such as 3.5, with a point",
            got=repr(cell) if cell else "an empty cell",
            do="fill or remove the line",
        )
    return value
