"""The chain rule run again with some branches changed, as far as the values are not given."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_lstm.comparison.chain import Chain, Edge, edge
from tinygrad_lstm.comparison.formulas import Formulas
from tinygrad_lstm.comparison.tree import Tree
from tinygrad_lstm.derivation.expression import Expression
from tinygrad_lstm.engine.gradients import Part
from tinygrad_lstm.engine.recorder import recording
from tinygrad_lstm.engine.tape import Branch
from tinygrad_lstm.engine.walk import sent as send

__all__ = ["Changed", "Rerun"]

Changed = Mapping[int, Expression]  # what is written instead of a part, by the `id` of the part


class Rerun:
    """Which branches lead to some rows through what is not given, and what the rows become when
    branches change.

    Parameters
    ----------
    chain : Chain
        The chain rule on the values by hand.
    rows : sequence of Part
        The rows.
    formulas : Formulas
        The value that a gradient in a formula belongs to.

    Attributes
    ----------
    inherits : dict
        The rows that a branch reaches, as bits, by :func:`edge`.
    edges : list
        Those branches with the value each belongs to, in the order of backward.
    """

    chain: Chain
    rows: Sequence[Part]
    formulas: Formulas
    edges: list[tuple[Any, Branch]]

    def __init__(self, chain: Chain, rows: Sequence[Part], formulas: Formulas) -> None:
        self.chain, self.rows, self.formulas = chain, rows, formulas
        self._by_stage = chain.by_stage
        self.inherits: dict[Edge, int] = {}
        self._reaches()
        self.edges = [
            (x, branch)
            for y in chain.order
            for x, branch in self._by_stage[id(y)]
            if self.inherits.get(edge(branch))
        ]

    def _reaches(self) -> None:
        """Find the rows that each branch leads to."""
        own: dict[int, int] = {}
        parts: dict[Edge, int] = {}
        for i, part in enumerate(self.rows):
            if part.kind == "total":
                own[id(part.value)] = own.get(id(part.value), 0) | 1 << i
            else:
                for b in part.branches:
                    parts[edge(b)] = parts.get(edge(b), 0) | 1 << i
        self._below(own, parts, self.inherits)

    def masks(self, own: Mapping[int, int]) -> dict[int, int]:
        """Which of some values, given by bits, the derivative by each value leads to."""
        return self._below(own, {}, {})

    def _below(
        self, own: Mapping[int, int], parts: Mapping[Edge, int], into: dict[Edge, int]
    ) -> dict[int, int]:
        reached: dict[int, int] = {}
        for x in reversed(self.chain.order):
            mask = own.get(id(x), 0)
            for y, branch in self._by_stage[id(x)]:
                key = edge(branch)
                by_hand = self.chain.given.get(Part(y, (branch,), "branch").id)
                into[key] = (reached[id(y)] if by_hand is None else 0) | parts.get(key, 0)
                mask |= into[key] if not self.chain.is_given(x) else 0
            reached[id(x)] = mask
        return reached

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Rules run on arrays, without a record and without warnings."""
        with recording(False), np.errstate(all="ignore"):
            yield

    def rows_in(self, mask: int) -> list[int]:
        """The rows of some bits: the one with the fewest branches first."""
        return [i for i in range(len(self.rows)) if mask >> i & 1]

    def values(
        self, mask: int, changed: Mapping[Edge, tuple[Tree, Changed]]
    ) -> tuple[dict[int, np.ndarray], int]:
        """What some rows are when some branches send back something else, and how many rules
        ran."""
        sent: dict[Edge, np.ndarray] = {}
        totals: dict[int, np.ndarray] = {}
        stale = {key[0] for key in changed}
        moved: set[int] = set()
        count = 0
        for y in self.chain.order:
            if id(y) not in stale:
                continue
            g = self.chain.totals[id(y)]
            if id(y) in moved:
                g = totals[id(y)] = self._total(y, sent)
            for x, branch in self._by_stage[id(y)]:
                key = edge(branch)
                change = changed.get(key)
                if not self.inherits[key] & mask or (change is None and id(y) not in moved):
                    continue
                count += 1
                if change is None:
                    sent[key] = np.asarray(send(branch.stage.output, branch.argument, g))
                else:
                    sent[key] = self._run(*change, totals)
                if not self.chain.is_given(x):
                    stale.add(id(x))
                    moved.add(id(x))
        every = _Over(sent, self.chain.sent)
        return {i: self.chain.follows(self.rows[i], every) for i in self.rows_in(mask)}, count

    def _total(self, y: Any, sent: Mapping[Edge, np.ndarray]) -> np.ndarray:
        part = Part(y, self.chain.gradients.branches(y), "total")
        return self.chain.follows(part, _Over(sent, self.chain.sent))

    def _run(self, tree: Tree, changed: Changed, totals: Mapping[int, np.ndarray]) -> np.ndarray:
        given = {
            id(leaf): totals[id(source)]
            for leaf in self.formulas.gradients_in(tree, changed)
            if (source := self.formulas.source.get(leaf)) is not None and id(source) in totals
        }
        return tree.run(changed, given)


class _Over(dict[Edge, np.ndarray]):
    """What was sent in this run, else what is sent as it follows."""

    def __init__(self, first: Mapping[Edge, np.ndarray], second: Mapping[Edge, np.ndarray]):
        self.first, self.second = first, second

    def __getitem__(self, key: Edge) -> np.ndarray:
        return self.first[key] if key in self.first else self.second[key]
