"""Cells of a table as numbers: decimal points or commas, and what stands for a missing value."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from tinygrad_lstm.errors import DataError

__all__ = ["number", "numbers"]

GAPS = {"", "na", "n/a", "nan", "null", "none", "-", "?", "."}
GROUPED = re.compile(r"[+-]?\d{1,3}(\.\d{3})+(,\d*)?")  # 1.234.567,8


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
    if decimal not in (None, ".", ","):
        raise DataError(
            "no such sign before the decimals",
            where="read_series(decimal=...)",
            expected="'.' or ','",
            got=repr(decimal),
        )
    if decimal is None:
        plain = [c for c in cells if c.lower() not in GAPS]
        commas = any("," in c for c in plain)
        points = any("." in c and not GROUPED.fullmatch(c) for c in plain)
        decimal = "," if commas and not points else "."
    read = _with_comma if decimal == "," else number
    found = np.empty(len(cells))
    for k, cell in enumerate(cells):
        value = read(cell)
        if value is None or not math.isfinite(value):
            if cell.lower() not in GAPS:
                raise _no_number(cell, table.where(k, i), decimal)
            value = math.nan
        found[k] = value
    return found


def _with_comma(cell: str) -> float | None:
    """A cell with a decimal comma; points between groups of three digits are left out."""
    plain = cell.replace(".", "") if GROUPED.fullmatch(cell) else cell
    return None if "." in plain else number(plain.replace(",", "."))


def _no_number(cell: str, where: str, decimal: str) -> DataError:
    return DataError(
        "the cell holds no finite number",
        where=where,
        expected=f"a number such as 3{decimal}5, with a {'comma' if decimal == ',' else 'point'}",
        got=repr(cell),
        do="fill or remove the line",
    )
