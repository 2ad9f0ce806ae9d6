"""Formulas that occur more than once: each gets a line and a name of its own, in the block of the
stage whose rule it is part of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_lstm.derivation.arrays import contents
from tinygrad_lstm.derivation.expression import Apply, Expression, Leaf, parts
from tinygrad_lstm.derivation.lines import Line
from tinygrad_lstm.engine.memory import SCALARS

__all__ = ["shared"]

WORTH = 2  # operations: what is shorter is written again
DEEPEST = 25  # operations one inside the other: what is deeper is taken apart


@dataclass
class Pool:
    """The formulas of one block: equal ones are one, and are counted."""

    known: dict[Any, Expression] = field(default_factory=dict)
    uses: Counter[int] = field(default_factory=Counter)
    named: dict[int, Leaf] = field(default_factory=dict)

    def leaf(self, e: Expression) -> Expression:
        """The name of a formula that has one, or `e`."""
        return self.named.get(id(e), e)

    def merged(self, e: Expression) -> Expression:
        """`e` made of parts that are the same object where they are equal."""
        done: dict[int, Expression] = {}
        for part in parts(e):
            if isinstance(part, Leaf):
                done[id(part)] = self.known.setdefault(_of_leaf(part), part)
                continue
            args = tuple(done[id(arg)] for arg in part.args)
            key = (id(part.op), _plain(part.params), part.shape, tuple(map(id, args)))
            if key not in self.known:
                self.known[key] = Apply(part.op, args, part.params, part.shape)
                self.uses.update(id(arg) for arg in args)
            done[id(part)] = self.known[key]
        return done[id(e)]


class Sharing:
    """What is written once, block by block.

    Parameters
    ----------
    name : callable
        The name of the n-th formula of a block.
    """

    def __init__(self, name: Callable[[int, int | None], str]) -> None:
        self._name = name
        self._pools: dict[int | None, Pool] = {}

    def merged(self, e: Expression, block: int | None) -> Expression:
        """`e` made of the parts that the block has."""
        return self._pools.setdefault(block, Pool()).merged(e)

    def apart(self, e: Expression, block: int | None) -> tuple[list[Line], Expression]:
        """The lines of definitions that a merged formula needs and that are new; and what is left
        of it."""
        pool = self._pools[block]
        lines: list[Line] = []
        done: dict[int, Expression] = {}
        sizes: dict[int, int] = {}
        depths: dict[int, int] = {}
        for part in parts(e):
            if isinstance(part, Leaf) or id(part) in pool.named:
                done[id(part)], depths[id(part)] = pool.leaf(part), 0
                sizes[id(part)] = int(done[id(part)] is not part)
                continue
            args = tuple(done[id(arg)] for arg in part.args)
            new: Expression = part
            if any(a is not b for a, b in zip(args, part.args, strict=True)):
                new = Apply(part.op, args, part.params, part.shape)
            size = 1 + sum(sizes[id(arg)] for arg in part.args)
            depth = 1 + max(depths[id(arg)] for arg in part.args)
            often = pool.uses[id(part)] > 1 and size >= WORTH
            if (often or depth >= DEEPEST) and part is not e:
                name = self._name(len(pool.named) + 1, block)
                leaf = pool.named[id(part)] = Leaf(np.broadcast_to(0.0, part.shape), name)
                lines.append(Line(None, leaf, (), new))
                new, size, depth = leaf, 1, 0
            done[id(part)], sizes[id(part)], depths[id(part)] = new, size, depth
        return lines, done[id(e)]


def shared(lines: Iterable[Line], name: Callable[[int, int | None], str]) -> list[Line]:
    """The lines, in which what occurs more than once in a block is read by a name, and before the
    first that reads it the line of this name, which has no value.

    Parameters
    ----------
    lines : iterable of Line
        In the order of backward.
    name : callable
        ``name(n, block)`` is the n-th name of a block.
    """
    sharing = Sharing(name)
    merged = [line.with_formulas(sharing.merged) for line in lines]
    written: list[Line] = []

    def apart(e: Expression, block: int | None) -> Expression:
        definitions, rest = sharing.apart(e, block)
        written.extend(definitions)
        return rest

    for line in merged:
        line = line.with_formulas(apart)
        written.append(line)
    return written


def _of_leaf(leaf: Leaf) -> Any:
    if leaf.name is not None:
        return leaf.name, leaf.gradient, leaf.through
    return _plain(leaf.array), leaf.shape


def _plain(value: Any) -> Any:
    """A parameter or number as something to compare."""
    if isinstance(value, np.ndarray):
        return contents(value)
    if isinstance(value, dict):
        return tuple((key, _plain(v)) for key, v in value.items())
    if isinstance(value, (tuple, list)):
        return tuple(map(_plain, value))
    if isinstance(value, slice):
        return "slice", value.start, value.stop, value.step
    return (type(value), value) if isinstance(value, (*SCALARS, str, type(None))) else id(value)
