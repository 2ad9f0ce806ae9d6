"""The chain rule run again with some branches changed, as far as the values are not given."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_lstm.comparison.chain import Chain, Edge, edge
from tinygrad_lstm.comparison.everywhere import FAILED
from tinygrad_lstm.comparison.formulas import Formulas
from tinygrad_lstm.comparison.together import Rules
from tinygrad_lstm.comparison.tree import Tree
from tinygrad_lstm.derivation.expression import Expression
from tinygrad_lstm.engine.gradients import Part
from tinygrad_lstm.engine.recorder import recording
from tinygrad_lstm.engine.tape import Branch

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
        self._by_stage, self.rules = chain.by_stage, Rules(formulas)
        self._follows = [chain.follows(part) for part in rows]
        self._answering = chain.answering(rows)
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

    def reached(self, begun: Mapping[Edge | int, int]) -> dict[int, int]:
        """Which of some additions, given by bits, the derivative by each value changes with."""
        moved = {key: mask for key, mask in begun.items() if isinstance(key, int)}
        for y in self.chain.order:
            mask = moved.get(id(y), 0)
            for x, branch in self._by_stage[id(y)]:
                key = edge(branch)
                by = mask | begun.get(key, 0)
                if by and key in self.chain.passing:
                    moved[id(x)] = moved.get(id(x), 0) | by
        return moved

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Rules run on arrays, without a record and without warnings."""
        with recording(False), np.errstate(all="ignore"):
            yield

    def rows_in(self, mask: int) -> list[int]:
        """The rows of some bits: the one with the fewest branches first."""
        return [i for i in range(len(self.rows)) if mask >> i & 1]

    def values(
        self, mask: int, several: Sequence[Mapping[Edge | int, tuple[Tree, Changed]]]
    ) -> tuple[dict[int, np.ndarray], int]:
        """What some rows are when some branches send back something else, or the derivatives by
        some values (by ``id``) are something else, for several such changes: these along a new
        first axis; and how many rules ran.

        Backward is linear in the gradients, so what is followed is by how much they differ.
        """
        differ, run = self._walked(mask, several)
        count, rows = len(several), {}
        for i in self.rows_in(mask):
            row = self._follows[i] + differ.get(i, 0)
            rows[i] = np.broadcast_to(row, (count, *self._follows[i].shape))
        return rows, run.count

    def totals(self, changed: Mapping[Edge | int, tuple[Tree, Changed]]) -> dict[int, np.ndarray]:
        """The derivatives by the values, by ``id``, that are others when some branches send back
        something else."""
        _, run = self._walked((1 << len(self.rows)) - 1, [changed])
        return {key: self.chain.totals[key] + by[0] for key, by in run.moved.items()}

    def spread(self, added: Mapping[Edge | int, np.ndarray]) -> dict[int, np.ndarray]:
        """By how much the derivatives by the values, by ``id``, differ when something is added to
        what some branches send back, or to the derivatives by some values: for several such
        additions, along the first axis."""
        moved: dict[int, np.ndarray] = {}
        with self.running():
            for y in self.chain.order:
                _add(moved, id(y), added.get(id(y)))
                g = moved.get(id(y))
                for x, branch in self._by_stage[id(y)]:
                    if (key := edge(branch)) in self.chain.passing:
                        _add(moved, id(x), added.get(key))
                        _add(moved, id(x), None if g is None else self.rules.sent(branch, x, g))
        return moved

    def _walked(
        self, mask: int, several: Sequence[Mapping[Edge | int, tuple[Tree, Changed]]]
    ) -> tuple[dict[int, np.ndarray], _Run]:
        """By how much rows differ, and the run that tells it."""
        run = _Run(self, several)
        differ: dict[int, np.ndarray] = {}
        with self.running():
            for y in self.chain.order:
                for branch in run.waiting.pop(id(y), ()):
                    self._send(y, branch, run, differ)
                run.change(y)
                if id(y) in run.begins or id(y) in run.moved:
                    self._pass_on(y, run, mask, differ)
        return differ, run

    def _pass_on(self, y: Any, run: _Run, mask: int, differ: dict[int, np.ndarray]) -> None:
        """What goes on from the derivative by `y`."""
        run.done.add(id(y))
        for x, branch in self._by_stage[id(y)]:
            key = edge(branch)
            if not self.inherits[key] & mask or not (id(y) in run.moved or key in run.changed):
                continue
            if run.waits(key, x):
                run.waiting[id(x)].append(branch)
            else:
                self._send(x, branch, run, differ)

    def _send(self, x: Any, branch: Branch, run: _Run, differ: dict[int, np.ndarray]) -> None:
        """What a branch sends to `x`."""
        key, by = edge(branch), run.added(x, branch)
        for i in self._answering.get(key, ()):
            differ[i] = differ[i] + by if i in differ else by
        if key in self.chain.passing:
            _add(run.moved, id(x), by)


def _add(moved: dict[int, np.ndarray], key: int, by: np.ndarray | None) -> None:
    """Add to what is known of a value."""
    if by is not None:
        moved[key] = moved[key] + by if key in moved else by


class _Run:
    """One run with several changes.

    Attributes
    ----------
    begins : set of int
        The stages whose branches are changed, by the ``id`` of the value.
    changed : dict
        Which changes a branch has, by number.
    moved : dict
        By how much the derivatives by values differ, by ``id``, for each change.
    done : set of int
        The values whose derivatives have been passed on, so that their sums are complete.
    waiting : dict
        The branches that are changed to hold a gradient that was not known in their turn, by the
        ``id`` of the value that they send to.
    count : int
        How many rules ran.
    """

    def __init__(
        self, rerun: Rerun, several: Sequence[Mapping[Edge | int, tuple[Tree, Changed]]]
    ) -> None:
        self._rerun, self._size, self.count = rerun, len(several), 0
        self.changed: dict[Edge | int, list[tuple[int, Tree, Changed]]] = defaultdict(list)
        for k, changed in enumerate(several):
            for key, (tree, change) in changed.items():
                self.changed[key].append((k, tree, change))
        self.begins = {key[0] for key in self.changed if not isinstance(key, int)}
        self.moved: dict[int, np.ndarray] = {}
        self.done: set[int] = set()
        self.waiting: dict[int, list[Branch]] = defaultdict(list)

    def waits(self, key: Edge, x: Any) -> bool:
        """Whether a branch to `x` is changed to hold the derivative by a value whose turn comes
        after that of its stage, and before that of `x`."""
        formulas, places = self._rerun.formulas, self._rerun.chain.places
        found = (
            formulas.source.get(leaf)
            for _, tree, changed in self.changed.get(key, ())
            for leaf in formulas.gradients_in(tree, changed)
        )
        return any(
            y is not None and id(y) not in self.done and places[id(y)] < places.get(id(x), 0)
            for y in found
        )

    def change(self, y: Any) -> None:
        """Let the derivative by `y` be what it is changed to."""
        for k, tree, changed in self.changed.get(id(y), ()):
            self.count += 1
            if id(y) not in self.moved:
                self.moved[id(y)] = np.zeros((self._size, *y.shape))
            moved = self.moved[id(y)] = self.moved[id(y)].copy()
            total = self._rerun.chain.totals[id(y)]
            moved[k] = self._sent(k, tree, changed, total) - total

    def added(self, x: Any, branch: Branch) -> np.ndarray:
        """By how much what a branch sends back differs."""
        key, g = edge(branch), self.moved.get(id(branch.stage.output))
        found = np.zeros((self._size, *x.shape))
        if g is not None:
            self.count += 1
            found = self._rerun.rules.sent(branch, x, g)
        changes = self.changed.get(key)
        if changes:
            found = found.copy()
            for k, tree, changed in changes:
                self.count += 1
                found[k] = self._sent(k, tree, changed, found[k]) - self._rerun.chain.sent[key]
        return found

    def _sent(self, k: int, tree: Tree, changed: Changed, like: np.ndarray) -> Any:
        """What a changed formula gives; NaN, which fits nothing, where it has no such value."""
        try:
            return np.broadcast_to(tree.run(changed, self._given(k, tree, changed)), like.shape)
        except FAILED:
            return np.nan

    def _given(self, k: int, tree: Tree, changed: Changed) -> dict[int, np.ndarray]:
        """The gradients in a formula that differ in a run."""
        formulas, totals = self._rerun.formulas, self._rerun.chain.totals
        return {
            id(leaf): totals[id(source)] + self.moved[id(source)][k]
            for leaf in formulas.gradients_in(tree, changed)
            if (source := formulas.source.get(leaf)) is not None
            and id(source) in self.done
            and id(source) in self.moved
        }
