"""Cells of a table as numbers: decimal points or commas, and what stands for a missing value."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from tinygrad_lstm.errors import DataError

__all__ = ["GAPS", "decimal_of", "number", "numbers"]

GAPS = {"", "na", "n/a", "nan", "null", "none", "-", "?", "."}
GROUPED = {  # by what stands before the decimals
    ",": re.compile(r"[+-]?\d{1,3}(\.\d{3})+(,\d*)?"),  # 1.234.567,8
    ".": re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?"),  # 1,234,567.8
}


def number(cell: str) -> float | None:
    """A cell with a decimal point as a number; None if it is none."""
    try:
        return float(cell) if "_" not in cell else None
    except ValueError:
        return None


def numbers(cells: list[str], table: Any, i: int, decimal: str | None) -> np.ndarray:
    """The cells of column `i` as numbers, NaN where one is missing.

    Raises
    ------
    DataError
        For the first cell that is neither, with its line.
    """
    decimal = decimal_of(cells, table, i, decimal)
    found = np.empty(len(cells))
    for k, cell in enumerate(cells):
        value = _read(cell, decimal)
        if value is None or not math.isfinite(value):
            if cell.lower() not in GAPS:
                raise _no_number(cell, table.where(k, i), decimal)
            value = math.nan
        found[k] = value
    return found


def decimal_of(cells: list[str], table: Any, i: int, decimal: str | None) -> str:
    """What stands before the decimals of a column, unless it is given: a comma, where one does not
    part thousands and no point does anything else.

    Raises
    ------
    DataError
        If what is given is neither, or ``1,234`` may be both: the cells are not separated by
        semicolons, as they are where commas stand before decimals.
    """
    if decimal not in (None, ".", ","):
        raise DataError(
            "no such sign before the decimals",
            where="read_series(decimal=...)",
            expected="'.' or ','",
            got=repr(decimal),
        )
    if decimal is not None:
        return decimal
    with_comma = [k for k, cell in enumerate(cells) if "," in cell]
    if not with_comma:
        return "."
    with_point = [cell for cell in cells if "." in cell and cell not in GAPS]
    if not all(GROUPED["."].fullmatch(cells[k]) for k in with_comma):
        return "," if all(GROUPED[","].fullmatch(cell) for cell in with_point) else "."
    if with_point or any(cells[k].count(",") > 1 for k in with_comma):
        return "."
    if table.delimiter != ";":
        raise DataError(
            "the comma may part thousands, or stand before decimals",
            where=table.where(with_comma[0], i),
            got=repr(cells[with_comma[0]]),
            do="say what stands before decimals: decimal='.' or ',' (--decimal)",
        )
    return ","


def _read(cell: str, decimal: str) -> float | None:
    """A cell as a number, without what stands between groups of three digits."""
    group = "." if decimal == "," else ","
    if group in cell:
        if not GROUPED[decimal].fullmatch(cell):
            return None
        cell = cell.replace(group, "")
    return number(cell.replace(",", "."))


def _no_number(cell: str, where: str, decimal: str) -> DataError:
    return DataError(
        "the cell holds no finite number",
        where=where,
        expected=f"a number such as 3{decimal}5, with a {'comma' if decimal == ',' else 'point'}",
        got=repr(cell),
        do="fill or remove the line",
    )
