"""A folder of CSV or Parquet files as pieces of a series, read by Dask one at a time."""

from __future__ import annotations

import gzip
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_lstm.errors import DataError
from tinygrad_lstm.training.csvfile import GZIP, Table, table_in
from tinygrad_lstm.training.numbers import GAPS, decimal_of
from tinygrad_lstm.training.pieces import Piece, tried

__all__ = ["pieces_of"]

CSV, PARQUET = (".csv", ".tsv", ".txt", ".csv.gz"), (".parquet", ".pq")
HEAD = 1 << 16  # bytes of a file from which its columns are told


def pieces_of(
    source: Any, column: str | None, decimal: str | None, size: int | str
) -> tuple[list[Piece], str]:
    """The pieces of a folder, or of a DataFrame of Dask, and the name of the column.

    Raises
    ------
    DataError
        If Dask is missing, if there are no such files, or if they have no such column.
    """
    if hasattr(type(source), "to_delayed"):
        name = _one_of([str(c) for c in source.columns], column, "the DataFrame")
        lazy = source[source.columns[list(map(str, source.columns)).index(name)]].to_delayed()
        return [Piece(f"partition {i}", part) for i, part in enumerate(lazy, 1)], name
    folder = Path(source)
    files = _files(folder)
    if not files:
        expected = f"files that end in {', '.join((*CSV, *PARQUET))}"
        raise DataError("there is nothing to read", where=str(folder), expected=expected)
    tables = [path for path in files if path.name.lower().endswith(CSV)]
    if tables and len(tables) < len(files):
        got = f"{tables[0].name} and {next(p for p in files if p not in tables).name}"
        raise DataError(
            "the files are of two kinds", where=str(folder), expected="CSV or Parquet", got=got
        )
    read = _from_csv if tables else _from_parquet
    return read(files, column, decimal, size)


def _files(folder: Path) -> list[Path]:
    """The files in a folder and those below it, in the order of their names, 2 before 10."""
    found = [p for p in folder.rglob("*") if p.name.lower().endswith((*CSV, *PARQUET))]
    visible = [p for p in found if not any(q[0] in "._" for q in p.relative_to(folder).parts)]
    return sorted(visible, key=lambda p: _natural(str(p.relative_to(folder))))


def _natural(name: str) -> list[tuple[int, int | str]]:
    parts = re.split(r"(\d+)", name)
    return [(0, int(part)) if i % 2 else (1, part) for i, part in enumerate(parts)]


def _frames() -> Any:
    try:
        return importlib.import_module("dask.dataframe")
    except ImportError as error:
        do = "install the extra dask"
        raise DataError("a folder is read by Dask", where="open_series", do=do) from error


def _from_csv(
    files: list[Path], column: str | None, decimal: str | None, size: int | str
) -> tuple[list[Piece], str]:
    table = _head(files[0], column)
    i = table.position(column)
    how = {
        "sep": table.delimiter,
        "header": 0 if table.header else None,
        "names": None if table.header else table.names,
        "usecols": [table.names[i]],
        "dtype": {table.names[i]: np.float64},
        "decimal": decimal_of([row[i] for row in table.rows], table, i, decimal),
        "na_values": sorted(GAPS),
        "encoding": "utf-8-sig",
        "skipinitialspace": True,
    }
    found = [piece for path in files for piece in _tables(path, table, i, how, size)]
    return found, table.names[i]


def _tables(
    path: Path, first: Table, i: int, how: dict[str, Any], size: int | str
) -> Iterator[Piece]:
    """The pieces of a CSV file; one that is compressed is a piece."""
    name = first.names[i]
    have = _head(path, name)
    if have.names != first.names:
        raise DataError(
            "the file has other columns than the first",
            where=str(path),
            expected=", ".join(first.names),
            got=", ".join(have.names),
        )
    read, packed = _frames().read_csv, path.suffix == ".gz"
    cut: dict[str, Any] = {"compression": "gzip"} if packed else {}
    cut["blocksize"] = None if packed else size
    found = tried(str(path), lambda: read(path, **how, **cut))
    return (Piece(str(path), part) for part in found[name].to_delayed())


def _from_parquet(
    files: list[Path], column: str | None, decimal: str | None, size: int | str
) -> tuple[list[Piece], str]:
    read, found, name = _frames().read_parquet, [], ""
    how = {"split_row_groups": "adaptive", "blocksize": size}
    for path in files:
        frame = tried(str(path), lambda p=path: read(p, **how))  # type: ignore[misc]
        name = _one_of([str(c) for c in frame.columns], name or column, str(path))
        found += [Piece(str(path), part) for part in frame[name].to_delayed()]
    return found, name


def _head(path: Path, column: str | None) -> Table:
    """The table that the first lines of a file are, whole ones."""
    with path.open("rb") as file:
        packed = file.read(2) == GZIP
    with gzip.open(path) if packed else path.open("rb") as file:
        content = file.read(HEAD)
    lines = content if len(content) < HEAD else content.rpartition(b"\n")[0]
    try:
        text = lines.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        do = "save it as CSV in UTF-8"
        raise DataError("the file is not text in UTF-8", where=str(path), do=do) from error
    return table_in(text, str(path), column)


def _one_of(names: list[str], column: str | None, where: str) -> str:
    wanted = names[-1] if column is None and names else column
    if wanted is None or names.count(wanted) != 1:
        expected = f"one of {', '.join(names)}"
        raise DataError("there is no such column", where=where, expected=expected, got=repr(wanted))
    return wanted
