"""What an addition to the gradient of one branch does to the rows, for all branches at once.

Backward is linear in the gradients, so a walk from the rows to the loss tells it: each stage hands
on, transposed, what its rule does. The rows are looked at in a few random directions, which is as
good as all of their entries for telling mistakes apart (Johnson and Lindenstrauss 1984).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_lstm.comparison.chain import Chain, Edge, edge
from tinygrad_lstm.comparison.everywhere import FAILED
from tinygrad_lstm.comparison.responses import diagonal, is_diagonal, matrix
from tinygrad_lstm.engine.gradients import Part
from tinygrad_lstm.engine.recorder import recording
from tinygrad_lstm.engine.tape import Branch

__all__ = ["Effects"]

ROWS = 16  # that are looked at; of more, some from all over
DIRECTIONS = 24  # in which they are looked at
NUMBERS = 20_000_000  # that are kept of a tape
LINEAR = 1e-6  # how nearly a stage is linear in what it reads


class Effects:
    """How the rows answer.

    Parameters
    ----------
    chain : Chain
        The chain rule on the values by hand.
    rows : sequence of Part
        The rows.
    missing : sequence of ndarray
        What each differs by.

    Attributes
    ----------
    missing : ndarray
        What the rows differ by, in the directions.
    row : ndarray of int
        The row that each direction belongs to.
    spent : float
        How many rules ran.
    """

    chain: Chain
    missing: np.ndarray
    row: np.ndarray
    spent: float

    def __init__(self, chain: Chain, rows: Sequence[Part], missing: Sequence[np.ndarray]) -> None:
        self.chain, self.spent = chain, 0.0
        chosen = np.unique(np.linspace(0, len(rows) - 1, min(ROWS, len(rows))).astype(int))
        numbers = sum(x._array.size for x in chain.order)
        most = min(DIRECTIONS, NUMBERS // max(numbers, 1))
        count = -(-most // max(len(chosen), 1)) if most >= len(chosen) else 0
        self.row = np.repeat(chosen, count)
        self.missing = np.zeros(len(self.row))
        totals = [part for part in rows if part.kind == "total"]
        self._summed = set(chain.answering(totals))
        self._totals: dict[int, np.ndarray] = {}
        self._branches: dict[Edge, np.ndarray] = {}
        self._down: dict[int, np.ndarray] = {}
        self._linear: dict[Any, bool] = {}
        rng = np.random.default_rng(0)
        for n, i in enumerate(chosen.tolist() if count else ()):
            own = slice(n * count, (n + 1) * count)
            self._aim(rows[i], missing[i], own, rng)
        if count:
            self._walk()

    def _aim(self, part: Part, missing: np.ndarray, own: slice, rng: np.random.Generator) -> None:
        """Look at one row."""
        look = rng.normal(size=(own.stop - own.start, missing.size))
        look /= np.linalg.norm(missing) or 1.0
        self.missing[own] = look @ np.ravel(missing)
        keys: list[Any] = [edge(b) for b in part.branches]
        table: dict[Any, np.ndarray] = self._branches
        if part.kind == "total":
            keys, table = [id(part.value)], self._totals
        for key in keys:
            table.setdefault(key, np.zeros((len(self.row), missing.size)))[own] += look

    def _walk(self) -> None:
        """From the rows to the loss."""
        with recording(False), np.errstate(all="ignore"):
            for y in reversed(self.chain.order):
                parts = [
                    back
                    for x, branch in self.chain.by_stage[id(y)]
                    if (down := self.of(x, branch)) is not None
                    and (back := self._through(x, branch, down)) is not None
                ]
                if parts:
                    self._down[id(y)] = np.add.reduce(parts)

    def of(self, x: Any, branch: Branch) -> np.ndarray | None:
        """What one more in each entry of what a branch sends to `x` adds to the rows, a line for
        each direction; None where that is nothing."""
        key = edge(branch)
        found = [self._branches.get(key)]
        found += [self._totals.get(id(x))] if key in self._summed else []
        found += [self._down.get(id(x))] if key in self.chain.passing else []
        parts = [part for part in found if part is not None]
        return np.asarray(np.add.reduce(parts)) if parts else None

    def on(self, x: Any) -> np.ndarray | None:
        """The same for the derivative by a value as a whole."""
        found = [table.get(id(x)) for table in (self._totals, self._down)]
        parts = [part for part in found if part is not None]
        return np.asarray(np.add.reduce(parts)) if parts else None

    def _through(self, x: Any, branch: Branch, down: np.ndarray) -> np.ndarray | None:
        """The same for the gradient that arrives at the stage of a branch."""
        node = branch.stage.output
        if node.dtype.kind != "f":
            return None
        if is_diagonal(node, x):
            self.spent += 1
            return np.asarray(down * diagonal(node, branch.argument))
        if node._array.size > len(down) and self._is_linear(node, branch.argument, x):
            self.spent += len(down)
            return _moved(node, branch.argument, down)
        self.spent += node._array.size
        return np.asarray(down @ matrix(node, branch.argument, x))

    def _is_linear(self, node: Any, argument: int, x: Any) -> bool:
        """Whether a stage is linear in an argument, so that it moves what is added there forward
        just as its rule moves gradients back."""
        key = node._op, argument, x.shape, node.shape
        if key not in self._linear:
            one, other = np.random.default_rng(1).normal(size=(2, x._array.size))
            try:
                a, b, both = _moved(node, argument, np.stack([one, other, 2 * one - 3 * other]))
                off = np.max(np.abs(2 * a - 3 * b - both), initial=0)
                self._linear[key] = bool(off <= LINEAR * np.max(np.abs(both), initial=0))
            except FAILED:
                self._linear[key] = False
        return self._linear[key]


def _moved(node: Any, argument: int, by: np.ndarray) -> np.ndarray:
    """By how much a value changes when an argument that it is linear in does, for each line of
    `by`."""
    values, found = list(node._values), []
    shape = np.shape(values[argument])
    for x in (np.zeros(by.shape[1]), *by):
        values[argument] = x.reshape(shape)
        found.append(np.ravel(node._op.forward(*values, **node._params)))
    return np.stack(found[1:]) - found[0]
