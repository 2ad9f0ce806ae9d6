"""What one pass over the pieces of a series finds: rows, gaps, moments, and the last values of
each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinygrad_lstm.errors import DataError
from tinygrad_lstm.training.pieces import Piece
from tinygrad_lstm.training.series import gaps
from tinygrad_lstm.training.windows import Moments

__all__ = ["Summaries", "Summary"]

EDGE = 1024  # of the last values of a piece stay in memory, for the windows that begin in it


@dataclass(frozen=True)
class Summary:
    """What is found in one piece.

    Attributes
    ----------
    rows, missing : int
        How many values there are, and how many of them are missing.
    gap, lead : int
        Where the first missing one is, -1 if nowhere; how many are before the first value.
    first : float
        That value; NaN if there is none.
    moments : Moments
        Of the values from there on, gaps filled with the value before.
    edge : ndarray
        The last values, filled likewise.
    """

    rows: int
    missing: int
    gap: int
    lead: int
    first: float
    moments: Moments
    edge: np.ndarray

    @classmethod
    def of(cls, piece: Piece) -> Summary:
        """That of a piece, which is read."""
        values = piece.values()
        lost = np.flatnonzero(np.isnan(values))
        filled = gaps(values, np.nan)
        there = filled[~np.isnan(filled)]
        return cls(
            len(values),
            len(lost),
            int(lost[0]) if len(lost) else -1,
            len(values) - len(there),
            float(there[0]) if len(there) else np.nan,
            Moments.of(there),
            filled[-EDGE:].copy(),
        )


class Summaries:
    """What is found in all pieces.

    Parameters
    ----------
    found : sequence of Summary
        One for each piece; each has rows.

    Attributes
    ----------
    starts : list of int
        The row at which each piece begins, and then the number of all.
    before : list of float
        The value before each piece; before the first one its own first, which is the nearest.
    """

    before: list[float]

    def __init__(self, found: Sequence[Summary]) -> None:
        self.found = found
        self.starts = [0, *np.cumsum([summary.rows for summary in found]).tolist()]
        firsts = [summary.first for summary in found if not np.isnan(summary.first)]
        self.before = firsts[:1] or [np.nan]
        for summary in found:
            last = float(summary.edge[-1])
            self.before.append(self.before[-1] if np.isnan(last) else last)

    def __len__(self) -> int:
        return len(self.found)

    @property
    def rows(self) -> int:
        """How many values there are."""
        return int(self.starts[-1])

    @property
    def missing(self) -> int:
        """How many of them are missing."""
        return sum(summary.missing for summary in self.found)

    def moments(self, k: int) -> Moments:
        """Those of a piece, gaps at its start filled with the value before it."""
        summary = self.found[k]
        return Moments(summary.lead, self.before[k]) + summary.moments

    def check(self, pieces: Sequence[Piece], name: str, missing: str) -> None:
        """Refuse a gap for which there is no rule.

        Raises
        ------
        DataError
            It names the file and the row.
        """
        lost = [k for k, summary in enumerate(self.found) if summary.gap >= 0]
        every = self.missing == self.rows
        if not every and not (lost and missing == "refuse"):
            return
        where, row = (
            (f"{pieces[lost[0]].where}, ", self.starts[lost[0]] + self.found[lost[0]].gap)
            if lost
            else ("", 0)
        )
        raise DataError(
            "all values are missing" if every else f"{self.missing} values are missing",
            where=f"{where}column {name}, row {row} of all",
            do="fill them by a rule: missing='previous' (--missing)",
        )
