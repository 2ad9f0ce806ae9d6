"""A shorter graph with the same recurrent form: where many blocks in a row ran the same, a few of
them say what all of them do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lstm.derivation.arrays import contents, is_long
from tinygrad_lstm.derivation.derivation import Derivation
from tinygrad_lstm.derivation.forms import Forms
from tinygrad_lstm.derivation.rewired import moved, rewired
from tinygrad_lstm.derivation.rolled import families
from tinygrad_lstm.derivation.written import Written
from tinygrad_lstm.engine.memory import SCALARS, finite
from tinygrad_lstm.engine.names import Name
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.tape import Tape
from tinygrad_lstm.ops.own import Own

__all__ = ["Fewer", "fewer"]

JOINS = {"add_n", "stack", "concatenate"}  # their rules read none of the values that are joined
CHOOSES = {"det"}  # its rule has another form where the numbers are another kind


class Fewer:
    """A graph without the blocks in the middle of each run of equal ones.

    What follows the blocks that are left out reads, in the place of their values, those of the last
    block before them, which have the same shapes. So the formulas are right, and the numbers are
    those of no run. A block says the same as the one before if it ran the same operations on values
    of the same shapes in the same relation to it; the formulas of a block depend on no more than
    the blocks that it exchanges values with.

    Parameters
    ----------
    tape : Tape
        The graph.

    Attributes
    ----------
    real : dict of int to int
        For each block that is left, its number in the whole graph.
    values : dict of int to Tensor
        For the ``id`` of a value, what stands for it.
    """

    real: dict[int, int]
    reach: int

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self._blocks: dict[int, list[Any]] = defaultdict(list)
        self._at: dict[int, tuple[int, int]] = {}
        for stage in tape.stages:
            t = stage.block
            if t is not None:
                self._at[id(stage.output)] = t, len(self._blocks[t])
                self._blocks[t].append(stage.output)
        self._own = self._leaves_of_one_block()
        self._cuts = list(self._find())
        gone = {t for first, last in self._cuts for t in range(first, last + 1)}
        self.real = {self._number(t): t for t in sorted(self._blocks) if t not in gone}
        self.values: dict[int, Any] = {}

    @property
    def seams(self) -> list[int]:
        """The blocks behind which something was left out, by their new numbers."""
        return [self._number(first) - 1 for first, _ in self._cuts]

    def is_left_out(self, x: Any) -> bool:
        """Whether a value belongs to a block that is left out."""
        there, _ = self._at.get(id(x), (None, 0))
        return there is not None and self._cut(there) is not None

    @cached_property
    def root(self) -> Any:
        """What stands for the root of the tape; None where nothing can be left out."""
        if not self._cuts:
            return None
        for stage in self.tape.stages:
            node = stage.output
            t = stage.block
            if t is not None and self._cut(t):
                continue
            inputs = tuple(self._input(node, x, t) for x in node._inputs)
            if any(x is None for x in inputs):
                return None
            blocks = 0 if t is None else self._number(t) - t
            if blocks or any(a is not b for a, b in zip(inputs, node._inputs, strict=True)):
                self.values[id(node)] = rewired(node, inputs, blocks)
        return self.values.get(id(self.tape.root))

    def _input(self, node: Any, x: Any, t: int | None) -> Any:
        """What a stage of block t reads in the place of `x`; None where there is nothing."""
        if not isinstance(x, Node) or id(x) in self.values:
            return self.values.get(id(x), x)
        if x._op is None:
            if id(x) in self._own and t is not None and self._number(t) != t:
                self.values[id(x)] = moved(x, self._number(t) - t)
            return self.values.get(id(x), x)
        there, position = self._at.get(id(x), (None, 0))
        cut = None if there is None else self._cut(there)
        if cut is None or there is None:
            return x
        if t is None:
            return self._constant(x) if node._op.name in JOINS else None
        length = cut[1] - cut[0] + 1
        twin = self._blocks[there - length if t > cut[1] else there + length][position]
        return self.values.get(id(twin), twin)

    def _constant(self, x: Any) -> Any:
        """What stands for a value that is left out, and is one of many that are joined."""
        new = self.values[id(x)] = x._leaf(x._array)
        new._label = f"left out {len(self.values)}"
        return new

    def _cut(self, t: int) -> tuple[int, int] | None:
        return next((cut for cut in self._cuts if cut[0] <= t <= cut[1]), None)

    def _number(self, t: int) -> int:
        """The number of a block among those that are left."""
        return t - sum(last - first + 1 for first, last in self._cuts if last < t)

    def _leaves_of_one_block(self) -> set[int]:
        readers: dict[int, set[int | None]] = defaultdict(set)
        for stage in self.tape.stages:
            for x in stage.inputs:
                if isinstance(x, Node) and x._op is None:
                    readers[id(x)].add(stage.block)
        return {key for key, blocks in readers.items() if len(blocks) == 1 and None not in blocks}

    def _find(self) -> Iterator[tuple[int, int]]:
        """The first and the last block of each part that can be left out."""
        programs = {t: [self._told(node, t) for node in nodes] for t, nodes in self._blocks.items()}
        steps = (step for told in programs.values() for each in told for step in each.steps)
        self.reach = max(map(abs, steps), default=0)
        margin = 2 * self.reach + 4
        for first, last in _runs(programs):
            if last - first > 2 * margin:
                yield first + margin, last - margin

    def _told(self, node: Any, t: int) -> Told:
        """What a stage of block t does, as seen from this block."""
        ints: list[int] = []
        steps: list[int] = []
        found: list[Any] = []
        for x in node._inputs:
            if isinstance(x, SCALARS):
                found.append((type(x), x))
            elif id(x) in self._at:
                there, position = self._at[id(x)]
                steps.append(there - t)
                found.append((there - t, position))
            else:
                found.append(self._leaf_told(x, t))
        op = node._op
        known = not isinstance(op, Own) and op.name not in CHOOSES and finite(node._array)
        what = (id(op), None if known else id(node), node._hooks and id(node._hooks))
        params = tuple((name, _plain(value, ints)) for name, value in node._params.items())
        called = _role(node), node.shape, node.dtype.str
        return Told((what, called, params, *found), tuple(ints), tuple(steps))

    def _leaf_told(self, x: Any, t: int) -> Any:
        if id(x) not in self._own:
            return id(x)
        return _role(x), x.shape, x.dtype.str, x._requires_grad, x._hooks and id(x._hooks)


class Told(NamedTuple):
    """What a stage does: but for the numbers in its index, which may count the blocks, and how far
    away the blocks are that it reads."""

    what: Any
    ints: tuple[int, ...]
    steps: tuple[int, ...]


def _runs(programs: dict[int, list[Told]]) -> Iterator[tuple[int, int]]:
    """The first and the last of blocks in a row that change in the same way from one to the
    next."""
    run: list[int] = []
    kind = None
    for t in sorted(programs):
        change = _change(programs[t - 1], programs[t]) if t - 1 in programs else None
        if run and change is not None and (len(run) == 1 or change == kind):
            run.append(t)
        else:
            if run:
                yield run[0], run[-1]
            run = [t] if change is None else [t - 1, t]
        kind = change
    if run:
        yield run[0], run[-1]


def _change(before: list[Told], now: list[Told]) -> tuple[int, ...] | None:
    """By how much the numbers differ between two blocks; None where anything else does, or one by
    more than 1."""
    if len(before) != len(now) or any(a.what != b.what for a, b in zip(before, now, strict=True)):
        return None
    pairs = zip(before, now, strict=True)
    steps = tuple(b - a for x, y in pairs for a, b in zip(x.ints, y.ints, strict=True))
    return steps if all(abs(step) <= 1 for step in steps) else None


def _role(x: Any) -> str | None:
    return None if x._label is None else Name.parse(x._label).role


def _plain(value: Any, ints: list[int]) -> Any:
    """A parameter as something to compare; its whole numbers are put aside."""
    if isinstance(value, np.ndarray):
        return (value.shape, value.dtype.str) if is_long(value) else contents(value)
    if isinstance(value, (tuple, list)):
        return tuple(_plain(each, ints) for each in value)
    if isinstance(value, slice):
        return "slice", _plain((value.start, value.stop, value.step), ints)
    if isinstance(value, int) and not isinstance(value, bool):
        ints.append(value)
        return int
    return (type(value), value) if isinstance(value, (*SCALARS, str, type(None))) else id(value)


def fewer(tape: Tape, wanted: list[Any], gradient: Any) -> Written | None:
    """What the recurrent form of a derivation can be made from with fewer blocks than the tape has.

    Returns
    -------
    Written or None
        None where nothing can be left out, or where what is left does not say the same on both
        sides of each gap.
    """
    short = Fewer(tape)
    root = short.root
    stand_ins = [short.values.get(id(x), x) for x in wanted]
    if root is None or any(short.is_left_out(x) for x in wanted):
        return None
    written = Written(Derivation(Tape(root), stand_ins, None, gradient), stand_ins, short.real)
    return written if _holds(written, short) else None


def _holds(written: Written, short: Fewer) -> bool:
    """Whether the blocks on both sides of each gap have the same lines."""
    forms = Forms(written)
    around = [range(seam - short.reach, seam + short.reach + 2) for seam in short.seams]
    for placed, family in families(written):
        if not placed:
            continue
        found, _ = forms.counted({t: (line.expression, t) for t, line in family.items()})
        for blocks in around:
            there = [found.get(t) for t in blocks]
            if any(form != there[0] for form in there):
                return False
    return True
