"""Values that are read some steps later, or in parts, and what is sent back from there."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_lstm.comparison.parts import Parts
from tinygrad_lstm.comparison.tree import Change, Tree, added, flipped, times
from tinygrad_lstm.derivation.expression import Apply, Expression, number
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.ops.select import index, scatter
from tinygrad_lstm.ops.shape import join

__all__ = ["Shifted", "sent_back", "written_over"]

LAGS: dict[str, Callable[[int], float]] = {
    "none": lambda k: 0,
    "half": lambda k: k / 2,
    "double": lambda k: 2 * k,
    "one less": lambda k: k - 1,
    "one more": lambda k: k + 1,
    "turned": lambda k: -k,
}
# Where what was read so many steps later is sent back from, to where, and how many entries are not.
SHIFTS: dict[str, Callable[[int], tuple[float, float, float]]] = {
    "in its place": lambda k: (0, 0, 0),
    "as many steps later": lambda k: (0, k, k),
    "without its last entries": lambda k: (0, 0, k),
    "half as many steps": lambda k: (k / 2, 0, k / 2),
    "twice as many steps": lambda k: (2 * k, 0, 2 * k),
    "to the end": lambda k: (k, k, k),
}
MOST = 10  # branches of a sum, which are written over each other
OVER = "entries that several branches send to were written over, = where += belongs"


class Shifted(Parts):
    """What is read elsewhere in a value; the parameters are those of :class:`Parts`."""

    def _placed_otherwise(self) -> Iterator[Change]:
        yield from self._lagged()
        yield from self._other_slots()

    def _lagged(self) -> Iterator[Change]:
        """Another lag, or none, where a value is read so many steps later: zeros, and the value
        without its last entries."""
        for i, leaf, v in self._leaves():
            found = _lag(v, self.vocabulary.of_shape(v.shape, self.at))
            if found is None:
                continue
            u, k, n = self.formulas.leaf(found[0]), found[1], v.shape[0]
            for how, lag in LAGS.items():
                other = _later(u, int(lag(k)), n) if lag(k) == int(lag(k)) < n else None
                if other is not None and lag(k) != k:
                    words = f"read {{}} steps later where {k} is right".format(int(lag(k)))
                    yield Change(("lag", i, how), "slice", words, {id(leaf): other})

    def _other_slots(self) -> Iterator[Change]:
        """One part of a value in the place of another, where it is read in equal parts: one gate of
        several that are computed at once."""
        for i, leaf, v in self._leaves():
            branches = self.formulas.chain.gradients.branches(v) if v.requires_grad else ()
            keys = [b.stage.output._params["key"] for b in branches if b.stage.op == "index"]
            slots = sorted({s for key in keys if (s := _slot(key, v.shape))})
            lengths = {b - a for _, a, b in slots}
            if len(slots) < 2 or lengths != {v.shape[slots[0][0]] // len(slots)}:
                continue
            found = [_part(leaf, slot) for slot in slots]
            for j, k in itertools.permutations(range(len(found)), 2):
                chosen = [found[k] if m == j else p for m, p in enumerate(found)]
                other = _joined(chosen, slots[0][0], v.shape)
                words = self._words(f"part {k + 1} of {{}} stands where part {j + 1} belongs", leaf)
                yield Change(("slot", i, j, k), "wrong value", words, {id(leaf): other})


def sent_back(terms: Sequence[Expression]) -> Iterator[Change]:
    """What was read some steps later is sent back from another place, or to another one."""
    found = {t: shift for t in terms if (shift := _shift(t))}
    for how, places in SHIFTS.items() if found else ():
        changed: dict[int, Expression] = {}
        for t, (g, k) in found.items():
            start, end, less = (int(v) if v == int(v) else g.shape[0] for v in places(k))
            m = g.shape[0] - less
            if m > 0:
                key, put = (slice(v, v + m) for v in (start, end))
                cut = Apply(index.op, (g,), {"key": key}, (m, *g.shape[1:]))
                params = {"key": put, "shape": g.shape}
                changed[id(t)] = Apply(scatter.op, (cut,), params, g.shape)
        if len(changed) == len(found):
            words = "what was read some steps later is sent back " + how
            yield Change(("shifts", how), "slice", words, changed)


def written_over(tree: Tree) -> Iterator[Change]:
    """Entries that several branches send to are written over: those of windows, or of what was read
    some steps later."""
    root = tree.root
    terms = root.args if isinstance(root, Apply) and root.op.name in ("add", "add_n") else ()
    for order in (terms, terms[::-1]) if len(terms) <= MOST else ():
        whole, over = None, False
        for t in order:
            put = _put(t)
            if whole is None or put is None:
                whole = t if whole is None else added(whole, t)
                continue
            there = Apply(scatter.op, (number(np.ones(put[1])),), put[0], t.shape)
            whole, over = added(whole, flipped(times(whole, there)), t), True
        if whole is not None and over:
            label = ("overwritten", order is terms)
            yield Change(label, "overwritten", OVER, {id(root): whole})


def _put(term: Expression) -> tuple[Mapping[str, Any], tuple[int, ...]] | None:
    """Where a term is put among zeros, and its shape there; None where it is everywhere."""
    if not isinstance(term, Apply) or term.op.name != "scatter":
        return None
    return term.params, term.args[0].shape


def _shift(term: Expression) -> tuple[Expression, int] | None:
    """What is sent back from so many steps later, without the last; None for other terms."""
    if not isinstance(term, Apply) or term.op.name != "scatter":
        return None
    cut, put = term.args[0], term.params["key"]
    if not isinstance(cut, Apply) or cut.op.name != "index" or cut.args[0].shape != term.shape:
        return None
    n, taken = term.shape[0], cut.params["key"]
    taken, put = (k[0] if isinstance(k, tuple) and len(k) == 1 else k for k in (taken, put))
    if not isinstance(taken, slice) or not isinstance(put, slice):
        return None
    start, stop, _ = taken.indices(n)
    shifted = stop == n and put.indices(n) == (0, n - start, 1) and start
    return (cut.args[0], start) if shifted else None


def _later(u: Expression, k: int, n: int) -> Expression:
    """A value so many steps later, zeros before it; earlier, if that is less than 0."""
    if k == 0:
        return u
    rest = (n - abs(k), *u.shape[1:])
    key = slice(None, n - k) if k > 0 else slice(-k, n)
    zeros, cut = number(np.zeros((abs(k), *u.shape[1:]))), Apply(index.op, (u,), {"key": key}, rest)
    both = (zeros, cut) if k > 0 else (cut, zeros)
    return _joined(both, 0, u.shape)


def _joined(parts: Sequence[Expression], axis: int, shape: tuple[int, ...]) -> Expression:
    """Values put together along an axis."""
    starts = tuple(itertools.accumulate((p.shape[axis] for p in parts[:-1]), initial=0))
    return Apply(join.op, tuple(parts), {"axis": axis, "starts": starts}, shape)


def _lag(v: Any, near: Sequence[Any]) -> tuple[Any, int] | None:
    """Which value another one is, so many steps later; None where it is something else."""
    array = v._array
    k = int(np.argmax(np.any(array, axis=tuple(range(1, array.ndim))))) if array.ndim > 1 else 0
    if not 0 < k < len(array):
        return None
    read = (
        [u for x in v._inputs if isinstance(x, Node) and x._op for u in x._inputs] if v._op else []
    )
    before = (u for u in (*read, *near) if isinstance(u, Node) and u.shape == v.shape)
    return next(((u, k) for u in before if np.array_equal(u._array[:-k], array[k:])), None)


def _slot(key: Any, shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """The axis along which an index takes a part of a value, and which; None where it is more."""
    keys = key if isinstance(key, tuple) else (key,)
    if not all(isinstance(k, slice) for k in keys):
        return None
    found = [(axis, k) for axis, k in enumerate(keys) if k != slice(None)]
    if len(found) != 1:
        return None
    axis, part = found[0]
    start, stop, step = part.indices(shape[axis])
    return (axis, start, stop) if step == 1 else None


def _part(leaf: Expression, slot: tuple[int, int, int]) -> Expression:
    axis, start, stop = slot
    shape = (*leaf.shape[:axis], stop - start, *leaf.shape[axis + 1 :])
    return Apply(index.op, (leaf,), {"key": (slice(None),) * axis + (slice(start, stop),)}, shape)
