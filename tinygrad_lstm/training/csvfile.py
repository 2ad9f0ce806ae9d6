"""A CSV file as a table: delimiter, header, quotes, BOM, line ends, gzip."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from tinygrad_lstm.errors import DataError
from tinygrad_lstm.training.numbers import number

__all__ = ["GZIP", "SHIPPED", "Table", "read_table", "table_in"]

SHIPPED = ("sunspots",)
DELIMITERS = (";", "\t", "|", ",")  # a comma may be a decimal comma, so it is tried last
GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Table:
    """The cells of a file.

    Attributes
    ----------
    path : str
        The file.
    names : list of str
        The columns.
    rows : list of list of str
        The cells, stripped of blanks.
    lines : list of int
        In which line of the file each row ends.
    delimiter : str
        What stands between the cells.
    header : bool
        Whether the first line names the columns, which are numbered else.
    """

    path: str
    names: list[str]
    rows: list[list[str]]
    lines: list[int]
    delimiter: str
    header: bool

    def position(self, column: str | None) -> int:
        """Where a column is; the last one without a name."""
        if column is None:
            return len(self.names) - 1
        if self.names.count(column) != 1:
            known = column in self.names
            raise DataError(
                "several columns have this name" if known else "there is no such column",
                where=self.path,
                expected=f"one of {', '.join(self.names)}",
                got=repr(column),
            )
        return self.names.index(column)

    def where(self, row: int, i: int) -> str:
        """A cell, in words."""
        return f"{self.path}, line {self.lines[row]}, column {self.names[i]}"


def read_table(path: Any, column: str | None = None) -> Table:
    """The table in a file; `column` is the name asked for, which may tell the header."""
    table = table_in(_text(path), str(path), column)
    if not table.rows:
        raise DataError("there is a header, and no row", where=str(path))
    return table


def table_in(text: str, path: str, column: str | None = None) -> Table:
    """The table in a text, such as the first lines of a file; the arguments are those of
    :func:`read_table`."""
    if not text:
        raise DataError("the file is empty", where=path, expected="a CSV file, one row a line")
    delimiter = _delimiter(text)
    rows, lines = _cells(text, delimiter, path)
    width = len(rows[0])
    for row, line in zip(rows, lines, strict=True):
        if len(row) != width:
            raise DataError(
                "the line is longer or shorter than the first",
                where=f"{path}, line {line}",
                expected=f"{width} cells",
                got=len(row),
            )
    if width > 1 and not any(row[-1] for row in rows):  # a delimiter at the end of every line
        rows = [row[:-1] for row in rows]
    if _is_header(rows[0], column):
        return Table(path, rows[0], rows[1:], lines[1:], delimiter, True)
    names = [str(i) for i in range(1, len(rows[0]) + 1)]
    return Table(path, names, rows, lines, delimiter, False)


def _is_header(first: list[str], column: str | None) -> bool:
    are_numbers = [number(cell.replace(",", ".")) is not None for cell in first]
    return not any(are_numbers) or (column in first and not all(are_numbers))


def _text(path: Any) -> str:
    """What stands in a file, without line ends at its end."""
    source = files("tinygrad_lstm.data").joinpath(f"{path}.csv") if path in SHIPPED else Path(path)
    try:
        content = source.read_bytes()
        if content.startswith(GZIP):
            content = gzip.decompress(content)
        return content.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise DataError(
            "the file is not text in UTF-8",
            where=str(path),
            got=str(error),
            do="save it as CSV in UTF-8",
        ) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            "the file is not whole: gzip cannot unpack it", where=str(path), got=str(error)
        ) from error
    except OSError as error:
        raise DataError(
            "the file cannot be read",
            where=str(path),
            got=error.strerror,
            do=f"give the path of a CSV file, or {' or '.join(SHIPPED)}",
        ) from error


def _cells(text: str, delimiter: str, path: str) -> tuple[list[list[str]], list[int]]:
    """The rows, and the lines in which they end. A blank line is none, or a missing value where
    there is one column."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        for row in reader:
            if row or (rows and len(rows[0]) == 1):
                rows.append([cell.strip() for cell in row or [""]])
                lines.append(reader.line_num)
    except csv.Error as error:
        raise DataError(
            "the line is not CSV", where=f"{path}, line {reader.line_num}", got=str(error)
        ) from error
    return rows, lines


def _delimiter(text: str) -> str:
    """What stands between the cells of the first line, quoted ones left alone."""
    unquoted = re.sub('"[^"]*"', "", text.split("\n", 1)[0])
    return next((d for d in DELIMITERS if d in unquoted), ",")
