"""The formula of one place in all blocks at once: its values stacked, so that what is changed in it
is computed in every block by a few NumPy calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from tinygrad_lstm.comparison.spelling import Edit, difference, edited
from tinygrad_lstm.comparison.together import together
from tinygrad_lstm.comparison.tree import Change, Tree
from tinygrad_lstm.comparison.vocabulary import Vocabulary
from tinygrad_lstm.derivation.expression import Apply, Expression, Leaf, leaves, parts, substitute
from tinygrad_lstm.engine.tape import Branch

__all__ = ["Blocks", "Columns", "Stacked", "taken_from"]

MIRROR, FIXED = "mirror", ("the first", "the last")  # in the labels of changes


class Blocks:
    """The formulas of a place, block by block, and what corresponds to what in them.

    Parameters
    ----------
    vocabulary : Vocabulary
        What values are called in which block.
    branches : sequence of Branch
        The place in all blocks.
    pattern : int
        The block whose formula is changed.
    rule : callable
        The formula of a branch.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        branches: Sequence[Branch],
        pattern: int,
        rule: Callable[[Branch], Expression],
    ) -> None:
        self.vocabulary, self.formulas = vocabulary, vocabulary.formulas
        self.at = vocabulary.at(branches[pattern])
        self._role = self.formulas.base(branches[pattern].stage.output)
        self.order = parts(rule(branches[pattern]))
        self.index = {id(part): k for k, part in enumerate(self.order)}
        alike = [(b, parts(rule(b))) for b in branches]
        alike = [(b, order) for b, order in alike if _same_structure(order, self.order)]
        self.branches = [b for b, _ in alike]
        self.orders = [order for _, order in alike]
        self.numbers = [vocabulary.at(b) or 0 for b in self.branches]
        self._known: dict[tuple[Leaf, str], Sequence[Leaf | None]] = {}

    def everywhere(self, leaf: Leaf, how: str = "") -> Sequence[Leaf | None]:
        """What stands in the place of a leaf in each block; None where nothing does."""
        key = leaf, how
        if key not in self._known:
            self._known[key] = list(self._everywhere(leaf, how))
        return self._known[key]

    def _everywhere(self, leaf: Leaf, how: str) -> Iterator[Leaf | None]:
        k, source = self.index.get(id(leaf)), self.formulas.source.get(leaf)
        if k is not None:
            found = (order[k] for order in self.orders)
            yield from (other if isinstance(other, Leaf) else None for other in found)
            return
        there = self.blocks_of(leaf, how)
        if source is None or (there is None and not self.layered):
            array = np.asarray(leaf.array)
            alike = source is not None or (array.size and np.all(array == array.flat[0]))
            yield from [leaf if alike else None] * len(self.branches)
            return
        base, own = self.formulas.base(source), [self.vocabulary.block(source)] * len(self.branches)
        for block, edit in zip(there or own, self._edits, strict=True):
            other = self.vocabulary.in_block(edited(base, edit), block) if any(edit) else None
            if there is None:  # the same in every block, but for other layers
                yield leaf if other is None else self._corresponding(leaf, other)
            else:
                other = other if other is not None else self.vocabulary.in_block(base, block)
                yield self._corresponding(leaf, other)

    def blocks_of(self, leaf: Leaf, how: str) -> list[int] | None:
        """The blocks out of which a leaf is taken that is no part of the formula; None for what is
        the same in all blocks."""
        source = self.formulas.source.get(leaf)
        block = None if source is None else self.vocabulary.block(source)
        if self.at is None or block is None or how in FIXED or id(leaf) in self.index:
            return None
        if how == MIRROR:
            return [self.vocabulary.mirror(here) for here in self.numbers]
        return [here + block - self.at for here in self.numbers]

    @property
    def layered(self) -> bool:
        """Whether the branches are of several layers or heads."""
        return any(map(any, self._edits))

    @cached_property
    def _edits(self) -> list[Edit]:
        """What is written otherwise in the names of each branch: those of other layers and heads
        than that of the pattern."""
        roles = [self.formulas.base(b.stage.output) for b in self.branches]
        return [difference(self._role, role) for role in roles]

    def _corresponding(self, leaf: Leaf, x: Any) -> Leaf | None:
        """A value, or its derivative, in the place of another one."""
        if x is None or x.shape != leaf.shape:
            return None
        if not leaf.gradient:
            return self.formulas.leaf(x)
        return self.formulas.gradient_leaf(x) if id(x) in self.formulas.chain.totals else None

    def placed(self, change: Change, n: int) -> Mapping[int, Expression] | None:
        """A change of the pattern, made in block number `n`; None where it cannot be."""
        how, found = taken_from(change.label), {}
        for key, e in change.changed.items():
            moves = {leaf: self.everywhere(leaf, how)[n] for leaf in leaves(e)}
            if any(other is None for other in moves.values()):
                return None
            others = {a: b for a, b in moves.items() if b is not None and b is not a}
            moved = substitute(e, others)
            if change.params is not None and isinstance(moved, Apply):
                params = change.params(self.branches[n])
                moved = Apply(moved.op, moved.args, params, moved.shape)
            found[id(self.orders[n][self.index[key]])] = moved
        return found


class Columns:
    """The values of a name in all blocks, one below the other.

    Parameters
    ----------
    vocabulary : Vocabulary
        What values are called in which block.
    moved : mapping of int to ndarray, optional
        By how much derivatives differ from what follows, by the ``id`` of the value.
    """

    def __init__(
        self, vocabulary: Vocabulary, moved: Mapping[int, np.ndarray] | None = None
    ) -> None:
        self._vocabulary, self._formulas = vocabulary, vocabulary.formulas
        self._moved = {} if moved is None else moved
        self._known: dict[Any, tuple[int, np.ndarray]] = {}

    def moved(self, moved: Mapping[int, np.ndarray]) -> Columns:
        """The same with other derivatives."""
        return Columns(self._vocabulary, moved) if moved else self

    def array(self, leaf: Leaf) -> np.ndarray:
        """The value of a leaf, or the derivative that it is."""
        key = id(self._formulas.source.get(leaf))
        array = np.asarray(leaf.array)
        return array + self._moved[key] if leaf.gradient and key in self._moved else array

    def of(self, leaf: Leaf, blocks: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """What stands in the place of a leaf, or of the derivative that it is, in some blocks: 0
        beyond the first and the last; and where there is something.

        Raises
        ------
        ValueError
            If there is nothing in any of them.
        """
        base = self._formulas.base(self._formulas.source[leaf])
        key = base, leaf.gradient, leaf.shape
        if key not in self._known:
            self._known[key] = self._column(base, leaf)
        first, column = self._known[key]
        rows = np.asarray(blocks) - first
        there = (rows >= 0) & (rows < len(column))
        if not there.any():
            raise ValueError(leaf.name)
        return column[np.where(there, rows, -1)], there

    def _column(self, base: str, leaf: Leaf) -> tuple[int, np.ndarray]:
        """The first block, and the values from there on; a row of zeros behind them."""
        totals, moved = self._formulas.chain.totals, self._moved
        found = {
            block: totals[id(x)] + moved.get(id(x), 0) if leaf.gradient else x._kept()
            for block, x in self._vocabulary.in_blocks[base].items()
            if block is not None and x.shape == leaf.shape
            if id(x) in totals or not leaf.gradient
        }
        first = min(found, default=0)
        column = np.zeros((max(found, default=-1) - first + 2, *leaf.shape))
        for block, array in found.items():
            column[block - first] = array
        return first, column


class Stacked(Tree):
    """The values of a formula in all blocks, the block along the first axis.

    Parameters
    ----------
    blocks : Blocks
        The place.
    columns : Columns
        Values of other places, which come in.

    Attributes
    ----------
    there : ndarray of bool
        The blocks in which the last change finds the values that it takes from other ones.
    """

    there: np.ndarray

    def __init__(self, blocks: Blocks, columns: Columns) -> None:
        self._blocks, self._how, self._columns = blocks, "", columns
        self._params: dict[int, list[Mapping[str, Any]]] = {}
        self.there = np.ones(len(blocks.orders), bool)
        for k, part in enumerate(blocks.order):
            if isinstance(part, Apply):
                each = [order[k].params for order in blocks.orders]  # type: ignore[union-attr]
                if not all(_equal(params, part.params) for params in each):
                    self._params[id(part)] = each
        super().__init__(blocks.order[-1])

    def key(self, change: Change) -> Any:
        """The same for changes that put the same values in the same places in every block; None
        for other changes."""
        values = change.changed.values()
        if not all(isinstance(e, Leaf) and e in self._blocks.formulas.source for e in values):
            return None
        return taken_from(change.label), *change.changed.items()

    def changed(self, change: Change) -> np.ndarray:
        """The values with a change, made alike in every block."""
        self._how, self.there = taken_from(change.label), np.ones(len(self._blocks.orders), bool)
        if change.params is not None:
            each = [change.params(branch) for branch in self._blocks.branches]
            self._params |= {id(e): each for e in change.changed.values()}
        return self.run(change.changed)

    def _array(self, leaf: Leaf) -> np.ndarray:
        there = self._blocks.blocks_of(leaf, self._how)
        if there is not None and not self._blocks.layered:
            column, found_there = self._columns.of(leaf, there)
            self.there = self.there & found_there
            return column
        found = self._blocks.everywhere(leaf, self._how)
        if any(other is None for other in found) and (there is None or not any(found)):
            raise ValueError(leaf.name)
        if all(other is found[0] for other in found):
            return np.broadcast_to(self._columns.array(leaf), (len(found), *leaf.shape))
        self.there = self.there & [other is not None for other in found]
        nothing = np.zeros(leaf.shape)  # beyond the first block and the last
        arrays = [nothing if other is None else self._columns.array(other) for other in found]
        return np.stack(arrays)

    def _computed(self, part: Apply, args: list[Any]) -> Any:
        each = self._params.get(id(part))
        found = None if each else together(part, args, part.params)
        if found is not None:
            return found
        params = each or [part.params] * len(self._blocks.orders)
        return np.stack([part.op.forward(*(a[n] for a in args), **p) for n, p in enumerate(params)])


def taken_from(label: Any) -> str:
    """Where a change takes a value from, if not from so many blocks away: out of the mirror image
    of time, or from its first or last block."""
    if isinstance(label, tuple):
        return next(filter(None, map(taken_from, label)), "")
    return label if label in (MIRROR, *FIXED) else ""


def _same_structure(one: Sequence[Expression], other: Sequence[Expression]) -> bool:
    """Whether two formulas are made of the same operations on values of the same shapes."""
    return len(one) == len(other) and all(map(_alike, one, other))


def _alike(a: Expression, b: Expression) -> bool:
    if isinstance(a, Leaf) or isinstance(b, Leaf):
        return isinstance(a, Leaf) and isinstance(b, Leaf) and a.shape == b.shape
    return a.op.name == b.op.name and a.shape == b.shape


def _equal(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether parameters are the same, arrays among them."""
    return one is other or (
        one.keys() == other.keys()
        and all(v is other[k] or _equal_value(v, other[k]) for k, v in one.items())
    )


def _equal_value(a: Any, b: Any) -> bool:
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(_equal_value, a, b))
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.array_equal(a, b)
    return bool(a == b)
