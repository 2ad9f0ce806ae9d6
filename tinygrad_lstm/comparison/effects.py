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

ROWS = 16  # that are looked at, where there are too many for all; some from all over
DIRECTIONS = 40  # in which they are looked at, to tell mistakes apart
EQUATIONS = 512  # directions that are known at most, to tell where a mistake can be
NUMBERS = 20_000_000  # that are kept of a tape at most ..
FEW = 4_000_000  # .. and if more than the least directions are
ROUNDED = 1e-7  # of a row: it differs by no less, for what is told by it
LINEAR = 1e-6  # how nearly a stage is linear in what it reads

Look = tuple[
    slice, np.ndarray | None
]  # directions of a row, and the sums of them in which few look


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
    wrong : int
        How many of the rows, the first ones, are wrong; the others are right.

    Attributes
    ----------
    equations : ndarray
        What the rows differ by, in all directions that are known.
    row_of : ndarray of int
        The row that each of these belongs to.
    missing, row : ndarray
        The same in the few directions in which mistakes are told apart; see :meth:`seen`.
    spent : float
        How many rules ran.
    some : bool
        Whether only some of the rows are looked at: that a value has no effect says nothing then.
    """

    chain: Chain
    equations: np.ndarray
    row_of: np.ndarray
    missing: np.ndarray
    row: np.ndarray
    spent: float
    some: bool

    def __init__(
        self, chain: Chain, rows: Sequence[Part], missing: Sequence[np.ndarray], wrong: int
    ) -> None:
        self.chain, self.spent = chain, 0.0
        counts = self._counts([array.size for array in missing])
        real = all(x.dtype.kind == "f" for x in chain.order)  # of others it is not known
        self.some = real and len(counts) < len(missing)
        self.row_of = np.repeat(list(counts), list(counts.values())).astype(int)
        self.equations = np.zeros(len(self.row_of))
        totals = [part for part in rows if part.kind == "total"]
        self._summed = set(chain.answering(totals))
        self._totals: dict[int, np.ndarray] = {}
        self._branches: dict[Edge, np.ndarray] = {}
        self._down: dict[int, np.ndarray] = {}
        self._linear: dict[Any, bool] = {}
        rng = np.random.default_rng(0)
        wholes = {i: float(np.linalg.norm(chain.follows(rows[i]))) for i in counts}
        least = ROUNDED * max(wholes.values(), default=0.0)  # what is less may be nothing else
        start = 0
        for i, count in counts.items():
            off = max(float(np.linalg.norm(missing[i])), ROUNDED * wholes[i])
            size = off if i < wrong else max(wholes[i], least)
            self._aim(rows[i], missing[i], size, slice(start, start := start + count), rng)
        self._look, self.row = self._few(counts, wrong, rng)
        self.missing = self.seen(self.equations)
        if len(self.row_of):
            self._walk()

    def _counts(self, sizes: Sequence[int]) -> dict[int, int]:
        """In how many directions each row is looked at: as many as it has entries, if that is not
        too much."""
        numbers = max(sum(x._array.size for x in self.chain.order), 1)
        least, most = min(DIRECTIONS, NUMBERS // numbers), min(EQUATIONS, FEW // numbers)
        most = max(least, most)
        many = len(sizes) > max(most // 2, ROWS)
        chosen = np.unique(np.linspace(0, len(sizes) - 1, ROWS if many else len(sizes)).astype(int))
        each = max(most // max(len(chosen), 1), int(most >= len(chosen)))
        return {i: min(each, sizes[i]) for i in chosen.tolist()} if each else {}

    def _few(
        self, counts: dict[int, int], wrong: int, rng: np.random.Generator
    ) -> tuple[list[Look], np.ndarray]:
        """The few directions in which mistakes are told apart: of each row sums of those that are
        known, None for these themselves; and the row that each belongs to. One direction of a row
        that is right."""
        each = -(-DIRECTIONS // max(sum(i < wrong for i in counts), 1))
        few = {i: min(count, each if i < wrong else 1) for i, count in counts.items()}
        look: list[Look] = []
        start = 0
        for i, count in counts.items():
            own = slice(start, start := start + count)
            look.append((own, None if few[i] == count else rng.normal(size=(few[i], count))))
        return look, np.repeat(list(few), list(few.values())).astype(int)

    def seen(self, answer: np.ndarray) -> np.ndarray:
        """What is known in all directions, in the few in which mistakes are told apart."""
        few = [answer[own] if look is None else look @ answer[own] for own, look in self._look]
        return np.concatenate(few) if few else answer

    def _aim(
        self, part: Part, missing: np.ndarray, size: float, own: slice, rng: np.random.Generator
    ) -> None:
        """Look at one row, in parts of a size: in all of its entries, or in as many random
        directions as there are."""
        count, every = own.stop - own.start, missing.size
        look = np.eye(every) if count == every else rng.normal(size=(count, every))
        look /= size or 1.0
        self.equations[own] = look @ np.ravel(missing)
        keys: list[Any] = [edge(b) for b in part.branches]
        table: dict[Any, np.ndarray] = self._branches
        if part.kind == "total":
            keys, table = [id(part.value)], self._totals
        for key in keys:
            table.setdefault(key, np.zeros((len(self.row_of), missing.size)))[own] += look

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
        return _sum(found)

    def is_whole(self, x: Any, branch: Branch) -> bool:
        """Whether one more in what a branch sends to `x` is one more in the derivative by it."""
        key = edge(branch)
        total = id(x) not in self._totals or key in self._summed
        return total and key in self.chain.passing and key not in self._branches

    def on(self, x: Any) -> np.ndarray | None:
        """The same for the derivative by a value as a whole."""
        found = [table.get(id(x)) for table in (self._totals, self._down)]
        return _sum(found)

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


def _sum(found: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """The sum of what there is."""
    parts = [part for part in found if part is not None]
    return sum(parts[1:], parts[0]) if parts else None


def _moved(node: Any, argument: int, by: np.ndarray) -> np.ndarray:
    """By how much a value changes when an argument that it is linear in does, for each line of
    `by`."""
    values, found = list(node._values), []
    shape = np.shape(values[argument])
    for x in (np.zeros(by.shape[1]), *by):
        values[argument] = x.reshape(shape)
        found.append(np.ravel(node._op.forward(*values, **node._params)))
    return np.stack(found[1:]) - found[0]
