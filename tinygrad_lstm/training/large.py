"""A series that does not fit in memory: a piece of it is there at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_lstm.errors import DataError
from tinygrad_lstm.parallel.spread import spread
from tinygrad_lstm.training.folder import pieces_of
from tinygrad_lstm.training.loop import Batch, batches
from tinygrad_lstm.training.pieces import Piece, PieceWindows
from tinygrad_lstm.training.series import Series, gaps
from tinygrad_lstm.training.summary import Summaries, Summary
from tinygrad_lstm.training.windows import Moments, Scaling, windows

__all__ = ["AnySeries", "LargeSeries", "open_series", "series_of"]

KNOWN = 100_000  # of the last values are what baselines are fitted on
RULES = ("refuse", "previous")


def open_series(
    source: Any,
    column: str | None = None,
    *,
    missing: str = "refuse",
    decimal: str | None = None,
    piece: int | str = "32MB",
) -> LargeSeries:
    """One column of a folder of files, however large, in pieces of which one is in memory at a
    time.

    The files are one series, in the order of their names (2 before 10), with those in folders
    below. Dask's readers read them (extra ``dask``). One pass over all of them, when it is first
    needed, counts rows and gaps; it takes workers: :meth:`LargeSeries.scan`.

    Parameters
    ----------
    source : path or dask.dataframe.DataFrame
        A folder of CSV files (``.csv``, ``.tsv``, ``.txt``, ``.csv.gz``), all with the same
        columns, or of Parquet files (``.parquet``, ``.pq``).
    column : str, optional
        Its name, or its number, counted from 1, in CSV files without headers. The last one by
        default.
    missing : {"refuse", "previous"}, default "refuse"
        What is done about missing values: an error, or the value before.
    decimal : {".", ","}, optional
        What stands before the decimals; as :func:`read_series` tells it by default.
    piece : int or str, default "32MB"
        How many bytes of a file are read at once. A CSV file that is compressed and a row group of
        a Parquet file are not cut.

    Returns
    -------
    LargeSeries

    Raises
    ------
    DataError
        If Dask is not installed, if there is nothing to read, or no such column.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> from tinygrad_lstm.training import open_series
    >>> folder = Path(mkdtemp())
    >>> for day in (1, 2):
    ...     rows = [f"{day}.{hour},{24 * day + hour}" for hour in range(24)]
    ...     _ = (folder / f"day{day}.csv").write_text("\\n".join(["time,load", *rows]))
    >>> series = open_series(folder, "load")
    >>> series
    <LargeSeries load: 2 pieces>
    >>> len(series), series.between(22, 26)
    (48, array([46., 47., 48., 49.]))
    >>> x, targets = next(iter(series.batches(0, 8, window=6, horizon=1)))
    >>> x.shape, targets.shape
    ((8, 6), (8, 1))
    """
    if missing not in RULES:
        raise DataError(
            "no such rule for a series in pieces",
            where="open_series(missing=...)",
            expected=" or ".join(RULES),
            got=repr(missing),
        )
    pieces, name = pieces_of(source, column, decimal, piece)
    given = {"column": column, "missing": missing, "decimal": decimal, "piece": piece}
    here = isinstance(source, (str, os.PathLike))
    origin = {"folder": os.path.abspath(source), **given} if here else None
    return LargeSeries(pieces, name, missing, origin)


class LargeSeries:
    """A series in pieces; see :func:`open_series`.

    Attributes
    ----------
    name : str
        The column.
    """

    pieces: list[Piece]
    name: str

    times = None

    def __init__(
        self, pieces: list[Piece], name: str, missing: str, origin: dict[str, Any] | None
    ) -> None:
        self.pieces, self.name = pieces, name
        self._missing, self._origin = missing, origin
        self._summaries: Summaries | None = None

    def __repr__(self) -> str:
        return f"<LargeSeries {self.name}: {len(self.pieces)} pieces>"

    # What one pass over all of it finds.

    def scan(self, executor: Any = None, workers: int | None = None) -> LargeSeries:
        """Count rows and gaps, once: now, and by workers, which :func:`tinygrad_lstm.spread` lets
        share the pieces.

        Returns
        -------
        LargeSeries
            This one.

        Raises
        ------
        DataError
            If a value is missing and no rule was given, or if a cell holds no finite number.
        """
        if self._summaries is None:
            read = spread(Summary.of, self.pieces, executor, workers=workers, title=self.name)
            self.pieces = [p for p, s in zip(self.pieces, read, strict=True) if s.rows]
            found = Summaries([summary for summary in read if summary.rows])
            found.check(self.pieces, self.name, self._missing)
            self._summaries = found
        return self

    @property
    def _found(self) -> Summaries:
        self.scan()
        assert self._summaries is not None
        return self._summaries

    def __len__(self) -> int:
        return self._found.rows

    @property
    def filled(self) -> int:
        """How many values were missing and are filled."""
        return self._found.missing

    def scaling(self, end: int | None = None) -> Scaling:
        """That of the values before a row; by default of all."""
        found, total = self._found, Moments()
        end = found.rows if end is None else end
        for k in range(len(found)):
            start, stop = found.starts[k : k + 2]
            if stop <= end:
                total += found.moments(k)
            elif start < end:
                total += Moments.of(self.between(start, end))
        return Scaling.of(total)

    # What is read again.

    def between(self, start: int, end: int) -> np.ndarray:
        """The values of some rows; only the pieces that they are in are read."""
        found, parts = self._found, [np.zeros(0)]
        for k, summary in enumerate(found.found):
            first, last = found.starts[k : k + 2]
            low, high = max(start, first), min(end, last)
            if low < high:
                near = last - low <= len(summary.edge)
                values = summary.edge if near else self.pieces[k].values()
                offset = last - len(values)
                parts.append(gaps(values, found.before[k])[low - offset : high - offset])
        return np.concatenate(parts)

    def known(self, end: int) -> np.ndarray:
        """What baselines are fitted on: the last 100,000 values before a row."""
        return self.between(max(0, end - KNOWN), end)

    def batches(
        self,
        seed: Any,
        size: int,
        window: int,
        horizon: int = 1,
        end: int | None = None,
        scaling: Scaling | None = None,
    ) -> Iterator[Batch]:
        """The windows of all values before a row, and what follows each, some at a time.

        The pieces come in a random order, and so do the windows in each: neighbours in a batch are
        from one piece. Windows reach back over the start of a piece.

        Parameters
        ----------
        seed : int or sequence of int
            The same seed gives the same order.
        size : int
            The windows of a batch; the last one of a piece may be smaller.
        window, horizon : int
            How many values are read, and how many then have to be said.
        end : int, optional
            The first row that is not used.
        scaling : Scaling, optional
            How the values are scaled; not at all by default.

        Yields
        ------
        x : ndarray, shape (size, window)
        targets : ndarray, shape (size, horizon)
        """
        rng = np.random.default_rng(seed)
        for k in rng.permutation(len(self._found)).tolist():
            mine = int(rng.integers(2**63))
            values = self._with_past(k, window + horizon - 1, end)
            if len(values) >= window + horizon:
                scaled = scaling.there(values) if scaling else values
                yield from batches(mine, size, *windows(scaled, window, horizon, 0, len(values)))

    def _with_past(self, k: int, past: int, end: int | None) -> np.ndarray:
        """The values of a piece before a row, and as many as windows need before them."""
        start, stop = self._found.starts[k : k + 2]
        stop = stop if end is None else min(stop, end)
        return self.between(max(0, start - past), stop) if start < stop else np.zeros(0)

    def lazy_windows(
        self, window: int, horizon: int = 1, scaling: Scaling | None = None
    ) -> list[Any]:
        """The windows of each piece as one batch that Dask computes where it is needed: what
        :func:`tinygrad_lstm.data_parallel` takes as a list of batches, so that every worker reads
        its own pieces.

        Returns
        -------
        list of dask.delayed.Delayed
            Each a tuple of x, shape (count, window), and targets, shape (count, horizon).
        """
        import dask

        found, batches, past = self._found, [], window + horizon - 1
        for k, piece in enumerate(self.pieces):
            start, stop = found.starts[k : k + 2]
            before = self.between(max(0, start - past), start)
            if len(before) + stop - start > past:
                make = PieceWindows(piece.where, before, found.before[k], window, horizon, scaling)
                batches.append(dask.delayed(make, pure=False)(piece.lazy))
        return batches

    # To and from a file.

    def state(self) -> dict[str, Any]:
        """Where it is read from, for a checkpoint.

        Raises
        ------
        DataError
            If that is a DataFrame.
        """
        if self._origin is None:
            do = "give open_series() the folder"
            raise DataError("a DataFrame of Dask cannot be kept in a file", where="Run", do=do)
        return {**self._origin, "rows": len(self)}


AnySeries = Series | LargeSeries


def series_of(state: dict[str, Any]) -> AnySeries:
    """The series of a checkpoint.

    Raises
    ------
    DataError
        If there are not as many rows in its folder as there were.
    """
    if "folder" not in state:
        return Series(**state)
    given = {name: state[name] for name in ("column", "missing", "decimal", "piece")}
    series = open_series(state["folder"], **given)
    if len(series) != state["rows"]:
        expected, got = f"{state['rows']} rows, as before", len(series)
        raise DataError("the folder has changed", where=state["folder"], expected=expected, got=got)
    return series
