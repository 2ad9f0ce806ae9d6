"""What several passes ask about values."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tinygrad_lstm.compiler.construct import Builder
from tinygrad_lstm.compiler.graph import Graph, Readers, Value
from tinygrad_lstm.compiler.operations import LEAVES, VIEWS
from tinygrad_lstm.compiler.rewriting import Walk, rewrite

__all__ = [
    "Groups",
    "disjoint",
    "entrywise",
    "known_order",
    "leafy",
    "place_key",
    "refactored",
    "regrouped",
    "rewrite_sums",
    "shared_factors",
]

OFTEN = 8  # products from which on it is worth while to lay out anew what all of them read

Groups = dict[int, list[Value]]  # by the number of a value, all that become one with it
Join = Callable[  # of a group, and of what has taken the places of values: what each member is now
    [list[Value], dict[Value, Value]], Iterable[tuple[Value, Value]]
]


def leafy(v: Value) -> bool:
    """Whether a value is given, or only moves what is given: nothing recurrent is in it."""
    while v.op in VIEWS:
        (v,) = v.args
    return v.op in LEAVES or (v.op == "concatenate" and all(map(leafy, v.args)))


def place_key(graph: Graph, v: Value) -> tuple[Any, ...]:
    """A key that sorts values by the use that is made of them, then by where they come from: parts
    of one value by their place in it."""
    bounds: list[Any] = []
    while v.op in VIEWS:
        if v.op == "cut":
            bounds.append(v.attrs)
        (v,) = v.args
    return graph.uses.get(v.number, ""), v.number, tuple(reversed(bounds))


def known_order(graph: Graph, values: Sequence[Value]) -> list[int]:
    """The order in which to join `values` as columns: that in which they, or what they begin with,
    are joined already; else that of where they come from."""
    firsts = []
    for v in values:
        v = v.args[0] if v.op == "transpose" else v
        firsts.append(v.args[0] if v.op == "concatenate" and v.attrs == (0,) else v)
    known = graph.columns.get(tuple(sorted({f.number for f in firsts})))
    if known is not None:
        return sorted(range(len(values)), key=lambda i: known.index(firsts[i].number))
    return sorted(range(len(values)), key=lambda i: place_key(graph, values[i]))


def entrywise(build: Builder, like: Value, operands: Sequence[Value]) -> Value:
    """What `like` does entry by entry, done to operands of another shape."""
    if like.op == "formula":
        shape = operands[0].shape
        return build.graph.new(like.op, tuple(operands), like.attrs, shape, like.dtype)
    return build.elementwise(like.op, *operands, dtype=like.dtype)


def shared_factors(order: list[Value]) -> set[Value]:
    """The given right factors that many products read."""
    read = Counter(b for v in order if v.op == "matmul" for b in v.args[1::2])
    return {b for b, times in read.items() if times >= OFTEN and leafy(b)}


def refactored(
    build: Builder,
    roots: list[Value],
    order: list[Value],
    instead: Callable[[Value, Value], Value],
) -> list[Value]:
    """The roots of a graph whose products read ``instead(product, factor)`` in the place of each of
    their right factors."""

    def rule(v: Value, args: tuple[Value, ...]) -> Value | None:
        factors = tuple([instead(v, x) if i % 2 else x for i, x in enumerate(args)])
        return None if factors == args else build.again(v, factors)

    return rewrite(build, roots, order, {"matmul"}, rule)


def disjoint(bounds: Iterable[tuple[int, int]]) -> bool:
    """Whether no two intervals overlap; equal ones count once."""
    return all(a[1] <= b[0] for a, b in itertools.pairwise(sorted(set(bounds))))


def rewrite_sums(
    build: Builder, roots: list[Value], join: Callable[[list[Value], Value], Value | None]
) -> list[Value]:
    """The roots of a graph in which every chain of additions has been offered to `join`, as its
    terms and the value that it ends in."""
    order = build.graph.order(roots)
    read = Readers(order, roots, {"add"})
    walk = Walk(build)
    for v in order:
        if not _adds(v):
            walk.update(v)
        elif not _inside(v, read):
            sums, terms = _chain(v, read)
            build.graph.follow(v)
            found = join([walk.new.get(t, t) for t in terms], v)
            if found is not None:
                walk.put(v, found)
            else:
                for a in reversed(sums):
                    walk.update(a)
    return walk.end(roots)


def regrouped(
    build: Builder, roots: list[Value], order: list[Value], together: Groups, one: Join
) -> list[Value]:
    """The roots of a graph in which each group has become one value: `one` builds it, and says what
    each member is of it."""
    walk = Walk(build)
    for v in order:
        if not walk.met(v):
            if v.number in together:
                _build(walk, v, together, one)
            else:
                walk.update(v)
    return walk.end(roots)


def _build(walk: Walk, root: Value, together: Groups, one: Join) -> None:
    """Build a value again. A group needs what all its members read first."""
    stack = [root]
    while stack:
        v = stack[-1]
        if walk.met(v):
            stack.pop()
            continue
        group = together.get(v.number)
        need = [a for m in (group or [v]) for a in m.args if not walk.met(a)]
        if need:
            stack += need
            continue
        stack.pop()
        if group is None:
            walk.update(v)
        else:
            for member, found in one(group, walk.new):
                walk.put(member, found)


def _adds(v: Value | None) -> bool:
    """Whether a value is the sum of two of its own shape."""
    return v is not None and v.op == "add" and all(a.shape == v.shape for a in v.args)


def _inside(v: Value, read: Readers) -> bool:
    """Whether a sum is itself a term of the one that reads it."""
    return len(read[v.number]) == 1 and _adds(read[v.number][0])


def _chain(v: Value, read: Readers) -> tuple[list[Value], list[Value]]:
    """The sums of a chain of additions that ends in `v`, the last one first, and what they add up.
    No recursion along the chain."""
    sums, terms, waiting = [v], [], list(v.args)
    while waiting:
        a = waiting.pop()
        if _adds(a) and len(read[a.number]) == 1:
            sums.append(a)
            waiting += a.args
        else:
            terms.append(a)
    return sums, terms
