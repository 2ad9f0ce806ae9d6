"""The rows of a comparison as lines of a table, and what the numbers in it mean."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from tinygrad_lstm.comparison.rows import Row

__all__ = ["HEAD", "MANY", "RUN", "UNTOLD", "Line", "foot", "lines_of", "one_line"]

HEAD = ("quantity", "shape", "largest error", "verdict")
MANY = 200  # rows; in a longer table those of one verdict that follow each other are one line
RUN = 4  # that are alike, from which on the first and the last stand for all
UNTOLD = ("missing", "not done yet")  # what is not given is one line below the table


class Line(NamedTuple):
    """A line of the table, and whether it is of a row that is wrong by itself."""

    own: bool
    cells: Sequence[str]


def lines_of(rows: Sequence[Row]) -> list[Line]:
    """The lines of the table."""
    told = [row for row in rows if row.verdict not in UNTOLD]
    if len(told) <= MANY:
        return [Line(row.own, _cells(row)) for row in told]
    lines: list[Line] = []
    for (own, *_), group in itertools.groupby(told, lambda r: (r.own, r.verdict, r.because)):
        alike = list(group)
        short = own or len(alike) < RUN
        lines += [Line(own, _cells(row)) for row in alike] if short else [Line(own, _run(alike))]
    return lines


def foot(rows: Sequence[Row]) -> list[str]:
    """How many rows there are of each verdict, what an error is, and what is not given."""
    told = [row for row in rows if row.verdict not in UNTOLD]
    counts = Counter(
        f"{row.verdict} another" if row.verdict == "wrong because of" else row.verdict
        for row in told
    )
    rtols = sorted({row.rtol for row in told if row.rtol is not None})
    tolerances = ", ".join(f"{rtol:.0e}" for rtol in rtols) or "rounding"
    lines = [
        f"{len(told)} row{'s' * (len(told) != 1)}: "
        f"{', '.join(f'{n} {verdict}' for verdict, n in counts.items())}",
        f"largest error = max|hand - tape| / max|tape|; right up to {tolerances}, "
        "or within what rounding does to the value",
    ]
    for verdict, words in zip(UNTOLD, ("not given", "not done yet"), strict=True):
        names = [row.name for row in rows if row.verdict == verdict]
        lines += [one_line(f"{words}: {', '.join(names)}")] * bool(names)
    return lines


def one_line(text: str) -> str:
    """Text in one line, whatever the names in it."""
    return " ".join(text.splitlines())


def _run(rows: list[Row]) -> tuple[str, str, str, str]:
    """The cells of several rows of one verdict."""
    errors = [row.error for row in rows if row.error is not None]
    verdict = _cells(replace(rows[0], note=""))[-1]
    names = one_line(f"{rows[0].name} .. {rows[-1].name}")
    return names, "", f"{max(errors):.2g}" if errors else "", f"{verdict} ({len(rows)} rows)"


def _cells(row: Row) -> tuple[str, str, str, str]:
    shape = "" if row.shape is None else str(row.shape)
    error = "" if row.error is None else f"{row.error:.2g}"
    verdict = f"{row.verdict} {row.because}" if row.verdict == "wrong because of" else row.verdict
    noted = f"{verdict} ({row.note})" if row.note else verdict
    return one_line(row.name), shape, error, one_line(noted)
