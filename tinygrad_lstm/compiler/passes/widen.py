"""The same elementwise work on neighbouring columns of one matrix is done on them at once: the sums
of the gates that one product computes.

A loop that is compiled reads each entry once anyway; NumPy calls a function for every operation,
which takes as long as some thousand entries. Larger values stay apart: each of them can live where
its own columns were read (`sharing`), which is worth more there.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import partial
from typing import Any

from tinygrad_lstm.compiler.construct import Builder
from tinygrad_lstm.compiler.graph import Value
from tinygrad_lstm.compiler.operations import ELEMENTWISE, LEAVES
from tinygrad_lstm.compiler.passes.shared import regrouped

__all__ = ["widen"]

LARGEST = 1 << 13  # entries
Bounds = tuple[int, int]
Lane = tuple[int, Bounds]  # the number of a family, and the columns that a value is of it


def widen(build: Builder, roots: list[Value]) -> list[Value]:
    """Widen all that comes from the columns of one value in the same way."""
    order = build.graph.order(roots)
    runs = list(_runs(order))
    together = {m.number: run for run in runs for m in run}
    one = partial(_one_value, build, _inner(runs, order, roots), {})
    return regrouped(build, roots, order, together, one)


def _columns(run: list[Value]) -> Iterator[tuple[Value, ...]]:
    """What the members of a run read, one operand after the other."""
    return zip(*(m.args for m in run), strict=True)


def _inner(runs: list[list[Value]], order: list[Value], roots: list[Value]) -> set[Value]:
    """The members that only runs read, together with all the others of their own."""
    whole = set(map(tuple, runs))
    members = set(itertools.chain.from_iterable(runs))
    read = Counter(a for v in order for a in v.args if a in members)
    for run in runs:
        read.subtract(m for column in _columns(run) if column in whole for m in column)
    return {m for m in members.difference(roots) if not read[m]}


def _one_value(
    build: Builder,
    inner: set[Value],
    wide: dict[tuple[Value, ...], Value],
    run: list[Value],
    new: dict[Value, Value],
) -> Iterator[tuple[Value, Value]]:
    """The value that a run becomes, and which columns each member is of it; nobody asks where
    inner ones are. `wide` has what runs have become."""
    first = run[0]
    build.graph.origin = f"{first.origin} and {len(run) - 1} more"
    operands = [
        wide.get(column) or _joined(build, [new.get(a, a) for a in column])
        for column in _columns(run)
    ]
    whole = wide[tuple(run)] = build.elementwise(first.op, *operands, dtype=first.dtype)
    at = 0
    for m in run:
        columns = (at, at + m.shape[1])
        yield m, whole if m in inner else build.cut(whole, ((0, m.shape[0]), columns))
        at += m.shape[1]


def _joined(build: Builder, column: list[Value]) -> Value:
    """One operand of all members: a number, or theirs side by side."""
    return column[0] if not column[0].ndim else build.concatenate(column, column[0].ndim - 1)


def _runs(order: list[Value]) -> Iterator[list[Value]]:
    """Values of one family whose columns are neighbours."""
    families: dict[Any, int] = {}
    lanes: dict[Value, Lane] = {}
    members: dict[int, dict[Bounds, Value]] = defaultdict(dict)
    for v in order:
        found = _lane(v, lanes)
        if found is not None:
            family = families.setdefault(found[0], len(families))
            lanes[v] = family, found[1]
            if v.op in ELEMENTWISE:
                members[family].setdefault(found[1], v)
    for group in members.values():
        run: list[tuple[Bounds, Value]] = []
        for bounds, v in sorted(group.items(), key=lambda pair: pair[0]):
            if run and run[-1][0][1] != bounds[0]:
                yield from _worth(run)
                run = []
            run.append((bounds, v))
        yield from _worth(run)


def _worth(run: list[tuple[Bounds, Value]]) -> Iterator[list[Value]]:
    if len(run) > 1 and sum(v.size for _, v in run) <= LARGEST:
        yield [v for _, v in run]


def _lane(v: Value, lanes: dict[Value, Lane]) -> tuple[Any, Bounds] | None:
    """What a value has in common with those of other columns, and its own columns."""
    if v.ndim != 2:
        return None
    if v.op == "cut":
        rows, columns = v.attrs
        return ("cut", v.args[0], rows), columns
    if v.op not in ELEMENTWISE:
        return None
    bounds = {lanes[a][1] for a in v.args if a in lanes}
    kinds = [_kind(a, v, lanes) for a in v.args]
    if len(bounds) != 1 or None in kinds:
        return None
    return (v.op, v.dtype, *kinds), bounds.pop()


def _kind(a: Value, v: Value, lanes: dict[Value, Lane]) -> Any:
    """What an operand has to have in common with those of other columns."""
    if a in lanes and a.shape == v.shape:
        return lanes[a][0], a.dtype
    if a.op == "number":
        return a
    if a.op in LEAVES and a.shape == v.shape[1:]:
        return "row", a.dtype
    return None
