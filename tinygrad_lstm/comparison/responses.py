"""How the rows answer to gradients that are not given: the chain rule as matrices.

Backward is linear in the gradients. So what a row becomes when something is added to the derivative
by a value is a matrix times what was added, whatever that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lstm.comparison.chain import Chain, Edge, edge
from tinygrad_lstm.engine.gradients import Part
from tinygrad_lstm.engine.recorder import recording
from tinygrad_lstm.engine.tape import Branch
from tinygrad_lstm.engine.walk import sent as send

__all__ = [
    *("Additions", "Responses", "TooLarge", "diagonal", "is_diagonal", "matrix", "solved"),
]

MOST = 30_000  # times that rules run to be written as matrices
PASSED = 300_000  # branches that are gone along, for all values that are asked about
NUMBERS = 2_000_000  # of one matrix


SINGULAR = 1e-9  # of the largest column: what is below it is not determined


class TooLarge(ValueError):
    """The matrices of a tape are too large."""


class Responses:
    """The matrices of a tape.

    Parameters
    ----------
    chain : Chain
        The chain rule on the values by hand.
    rows : sequence of Part
        The rows.
    """

    chain: Chain

    def __init__(self, chain: Chain, rows: Sequence[Part]) -> None:
        self.chain, self._runs, self._passed = chain, 0, 0
        self._matrices: dict[Edge, np.ndarray] = {}
        self._answering = chain.answering(rows)

    def of(self, values: Sequence[Any]) -> tuple[dict[int, np.ndarray], dict[int, np.ndarray]]:
        """What one more in each entry of the derivatives by some values does.

        Returns
        -------
        rows : dict of int to ndarray
            The matrices of the rows that answer, ``(entries of the row, entries of the values)``.
        totals : dict of int to ndarray
            Those of the derivatives by all values that answer, by ``id``; of the values
            themselves, what comes from later ones is in them.
        """
        ends = np.cumsum([x._array.size for x in values]).tolist()
        width = ends[-1]
        starts = {id(x): end - x._array.size for x, end in zip(values, ends, strict=True)}
        rows: dict[int, np.ndarray] = {}
        totals: dict[int, np.ndarray] = {}
        with recording(False), np.errstate(all="ignore"):
            for y in self.chain.order[self.chain.places[id(values[0])] :]:
                if id(y) in starts:
                    unit = np.eye(y._array.size, width, starts[id(y)])
                    totals[id(y)] = totals.get(id(y), 0) + unit
                if id(y) in totals:
                    self._pass_on(y, totals, rows)
        return rows, totals

    def _pass_on(self, y: Any, totals: dict[int, np.ndarray], rows: dict[int, np.ndarray]) -> None:
        """What goes on from the derivative by `y`."""
        self._passed += len(self.chain.by_stage[id(y)])
        if self._passed > PASSED:
            raise TooLarge
        for x, branch in self.chain.by_stage[id(y)]:
            key = edge(branch)
            reached, passing = self._answering.get(key, ()), key in self.chain.passing
            if not passing and not reached:
                continue
            rule = self._matrix(branch, x)
            through = totals[id(y)]
            through = rule[:, None] * through if rule.ndim == 1 else rule @ through
            for i in reached:
                rows[i] = rows[i] + through if i in rows else through
            if passing:
                totals[id(x)] = totals[id(x)] + through if id(x) in totals else through

    def _matrix(self, branch: Branch, x: Any) -> np.ndarray:
        """The rule of a branch as a matrix; of one that works entry by entry, its diagonal."""
        key, node = edge(branch), branch.stage.output
        if key not in self._matrices:
            if is_diagonal(node, x):
                found = diagonal(node, branch.argument)
            else:
                self._runs += node._array.size
                if self._runs > MOST or node._array.size * x._array.size > NUMBERS:
                    raise TooLarge
                found = matrix(node, branch.argument, x)
            self._matrices[key] = np.asarray(found, float)
        return self._matrices[key]


def is_diagonal(node: Any, x: Any) -> bool:
    """Whether the rule by which a stage answers `x` works entry by entry."""
    return bool(node._op.elementwise and node.shape == x.shape)


def diagonal(node: Any, argument: int) -> np.ndarray:
    """The diagonal of such a rule."""
    return np.ravel(send(node, argument, np.ones(node.shape, node.dtype)))


def matrix(node: Any, argument: int, x: Any) -> np.ndarray:
    """The rule by which a stage answers `x` as a matrix: it runs once for each column."""
    found = np.empty((x._array.size, node._array.size))
    for k in range(node._array.size):
        one = np.zeros(node._array.size, node.dtype)
        one[k] = 1
        found[:, k] = np.ravel(send(node, argument, one.reshape(node.shape)))
    return found


class Additions(NamedTuple):
    """What has to be added so that the rows become what they are.

    Attributes
    ----------
    off : float
        The largest difference that stays.
    added : ndarray
        One such addition.
    free : ndarray
        What may be added to it without a difference, a column each.
    """

    off: float
    added: np.ndarray
    free: np.ndarray


def solved(matrix: np.ndarray, missing: np.ndarray) -> Additions:
    """Solve ``matrix @ added = missing`` as nearly as it goes, by Householder's reflections with
    the largest column first (Golub and Van Loan, Matrix Computations, section 5.4.2), which tell
    what is not determined; in threads of LAPACK, matrices so small take longer."""
    width = matrix.shape[1]
    a = np.column_stack([matrix, missing])
    order, rank, largest = np.arange(width), 0, 0.0
    for k in range(min(matrix.shape)):
        sizes = np.sum(a[k:, k:width] ** 2, axis=0)
        j = k + int(np.argmax(sizes))
        size = float(np.sqrt(sizes[j - k]))
        largest = max(largest, size)
        if size <= SINGULAR * largest:
            break
        a[:, [k, j]], order[[k, j]] = a[:, [j, k]], order[[j, k]]
        v = a[k:, k].copy()
        v[0] += np.copysign(size, v[0])
        a[k:, k:] -= np.outer(v, (2 / (v @ v)) * (v @ a[k:, k:]))
        rank += 1
    solution = _back(np.triu(a[:rank, :rank]), a[:rank, rank:])
    added, free = np.zeros(width), np.zeros((width, width - rank))
    added[order[:rank]] = solution[:, -1]
    free[order[:rank]] = -solution[:, :-1]
    free[order[rank:]] = np.eye(width - rank)
    return Additions(float(np.max(np.abs(a[rank:, -1]), initial=0)), added, free)


def _back(triangle: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The solution of an upper triangular system, from the last row on."""
    found = np.empty_like(right)
    for k in range(len(triangle))[::-1]:
        found[k] = (right[k] - triangle[k, k + 1 :] @ found[k + 1 :]) / triangle[k, k]
    return found
