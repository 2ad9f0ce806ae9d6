"""How gradients are shown: in a line, and as a table in a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_lstm.engine.tape import Tape
from tinygrad_lstm.text import as_table

__all__ = ["Displayed"]

MOST, FEW = 60, 6  # rows of a table; branches in a row


class Displayed:
    """A line and a table of total derivatives by name."""

    tape: Tape
    _totals: Mapping[Any, Any]

    def __repr__(self) -> str:
        return (
            f"<Gradients of {self.tape.label(self.tape.root)}: {len(self._totals)} values, "
            f"{len(self.tape.forks)} forks>"
        )

    def _repr_html_(self) -> str:
        rows = list(self._rows())
        more = [(f"and {len(rows) - MOST} more", "", "", "")] if len(rows) > MOST else []
        head = (
            f"d{self.tape.label(self.tape.root)} by",
            "shape",
            "derivative",
            "comes back through",
        )
        return as_table(repr(self).strip("<>"), [head, *rows[:MOST], *more])

    def _rows(self) -> Iterator[Sequence[str]]:
        """In the order in which backward finds them, with what the branches of a fork come back
        through."""
        forks = {id(fork.value): fork.branches for fork in self.tape.forks}
        for x in reversed(self.tape.values):
            if x in self._totals:
                branches = forks.get(id(x), ())
                through = [b.stage.name for b in branches[:FEW]]
                through += [f"and {len(branches) - FEW} more"] if len(branches) > FEW else []
                total = np.asarray(self._totals[x])
                yield self.tape.label(x), str(total.shape), _size(total), ", ".join(through)


def _size(total: Any) -> str:
    """The one entry, or the norm of more."""
    if total.size == 1:
        return f"{total.reshape(-1)[0]:.6g}"
    return f"norm {np.linalg.norm(total.astype(complex)):.6g}"
