"""The same elementwise work on neighbouring columns of one matrix is done on them at once: the sums
of the gates that one product computes.

A loop that is compiled reads each entry once anyway; NumPy calls a function for every operation,
which takes as long as some thousand entries. Where others read a column for itself, columns are
laid one under the other. Larger values stay apart: each of them can live where its own columns were
read (`sharing`), which is worth more there.
"""

from __future__ import annotations

import itertools
from array import array
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from tinygrad_lstm.compiler.construct import Builder
from tinygrad_lstm.compiler.graph import Value, numbers
from tinygrad_lstm.compiler.operations import ELEMENTWISE, LEAVES
from tinygrad_lstm.compiler.passes.shared import Groups, entrywise, regrouped

__all__ = ["widen"]

LARGEST = 1 << 13  # entries
Bounds = tuple[int, int]
Lane = tuple[int, Bounds]  # the number of a family, and the columns that a value is of it


def widen(build: Builder, roots: list[Value]) -> list[Value]:
    """Widen all that comes from the columns of one value in the same way."""
    order = build.graph.order(roots)
    together = {m.number: run for run in _runs(order) for m in run}
    return regrouped(build, roots, order, together, Widened(build, together, order, roots))


class Widened:
    """What runs become: values with columns side by side, or with one under the other.

    Parameters
    ----------
    build : Builder
    together : dict
        The run of each member, by its number.
    order, roots : list of Value
        The graph.
    """

    def __init__(
        self, build: Builder, together: Groups, order: list[Value], roots: list[Value]
    ) -> None:
        self._build, self._together = build, together
        self._wholes: dict[int, Value] = {}  # by the number of a run's first member
        read = array("i", bytes(4 * numbers(order)))
        # by number, those that are read otherwise than entry by entry
        self._joined = build.graph.marks(roots)
        for v in order:
            for a in v.args:
                read[a.number] += 1
                if v.op not in ELEMENTWISE:
                    self._joined[a.number] = True
        for root in roots:
            read[root.number] += 1
        for column in itertools.chain.from_iterable(map(_operands, self._runs())):
            if self._is_run(column):
                for m in column:
                    read[m.number] -= 1
        self._read = read  # by others than runs that read all members of a run

    def _runs(self) -> Iterator[list[Value]]:
        """Each run, once."""
        return (run for number, run in self._together.items() if number == run[0].number)

    def _is_run(self, column: tuple[Value, ...]) -> bool:
        """Whether these are the members of a run."""
        return self._together.get(column[0].number) == list(column)

    def _whole(self, column: tuple[Value, ...]) -> Value | None:
        """What these have become, if they are a run."""
        return self._wholes[column[0].number] if self._is_run(column) else None

    def __call__(self, run: list[Value], new: dict[Value, Value]) -> Iterator[tuple[Value, Value]]:
        """The value that a run becomes, and which part of it each member is; nobody asks where
        inner ones are."""
        first, build = run[0], self._build
        build.graph.follow_all(run)
        columns = [
            (self._whole(column), [new.get(a, a) for a in column]) for column in _operands(run)
        ]
        below = any(_is_below(whole, parts, first) for whole, parts in columns)
        one = self._below if below else self._beside
        operands = [one(whole, parts, first) for whole, parts in columns]
        value = entrywise(build, first, operands)
        if not below and self._gains(run):
            value, below = stacked(build, value, len(run)), True
        self._wholes[first.number] = value
        at = 0
        for m in run:
            n = m.shape[1 - below]
            bounds = ((at, at + n), (0, m.shape[1])) if below else ((0, m.shape[0]), (at, at + n))
            yield m, build.cut(value, bounds) if self._read[m.number] else value
            at += n

    def _gains(self, run: list[Value]) -> bool:
        """Whether the columns of a run are better off apart: NumPy takes twice as long for a piece
        of each row as for memory that is dense."""
        first = run[0]
        return (
            first.shape[0] > 1
            and all(m.shape == first.shape for m in run)
            and not any(self._joined[m.number] for m in run)
            and any(self._read[m.number] for m in run)
        )

    def _beside(self, whole: Value | None, parts: list[Value], like: Value) -> Value:
        """An operand of all members: a number, or theirs side by side."""
        return whole or (
            self._build.concatenate(parts, parts[0].ndim - 1) if parts[0].ndim else parts[0]
        )

    def _below(self, whole: Value | None, parts: list[Value], like: Value) -> Value:
        """An operand of all members: a number, or theirs one under the other."""
        build, count = self._build, len(parts)
        if whole is not None:
            return whole if _is_below(whole, parts, like) else stacked(build, whole, count)
        if not parts[0].ndim:
            return parts[0]
        return build.concatenate([build.broadcast(p, like.shape) for p in parts], 0)


def stacked(build: Builder, x: Value, count: int) -> Value:
    """The columns of a matrix, divided into so many, one under the other."""
    n, width = x.shape[0], x.shape[1] // count
    apart = build.transpose(build.reshape(x, (n, count, width)), (1, 0, 2))
    return build.reshape(apart, (count * n, width))


def _is_below(whole: Value | None, parts: list[Value], like: Value) -> bool:
    """Whether an operand of all members has them one under the other: as what a run has become, or
    as neighbouring rows of one value."""
    if whole is not None:
        return whole.shape[0] != like.shape[0]
    first = parts[0]
    if first.op != "cut" or any(p.op != "cut" or p.args != first.args for p in parts):
        return False
    return all(a.attrs[0][1] == b.attrs[0][0] for a, b in itertools.pairwise(parts))


def _operands(run: list[Value]) -> Iterator[tuple[Value, ...]]:
    """What the members of a run read, one operand after the other."""
    return zip(*(m.args for m in run), strict=True)


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
    return (v.op, v.attrs, v.dtype, *kinds), bounds.pop()


def _kind(a: Value, v: Value, lanes: dict[Value, Lane]) -> Any:
    """What an operand has to have in common with those of other columns."""
    if a in lanes and a.shape == v.shape:
        return lanes[a][0], a.dtype
    if a.op == "number":
        return a
    if a.op in LEAVES and a.shape == v.shape[1:]:
        return "row", a.dtype
    return None
