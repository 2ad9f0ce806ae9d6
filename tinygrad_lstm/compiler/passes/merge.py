"""Products that share a factor are one: ``A B`` and ``C B`` are the rows of ``[A; C] B``.

Only products merge that do not depend on one another. Two of them cannot, if as many products lie
before each of them on the longest way, or behind each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import partial

from tinygrad_lstm.compiler.construct import Builder
from tinygrad_lstm.compiler.graph import Value, numbers
from tinygrad_lstm.compiler.passes.shared import Groups, known_order, leafy, regrouped

__all__ = ["merge"]


def merge(build: Builder, roots: list[Value]) -> list[Value]:
    """Merge over blocks, which share the right factor, then over gates, which share the left."""
    order = build.graph.order(roots)
    for shared in (1, 0):
        for far in (_before, _behind):
            groups = _groups(order, shared, far(order))
            if groups:
                roots = regrouped(build, roots, order, groups, partial(_one_product, build, shared))
                order = build.graph.order(roots)
                build.graph.keep(order)
    return roots


def _before(order: list[Value]) -> list[int]:
    """How many products lie on the longest way to each value, by number."""
    depth = [0] * numbers(order)
    for v in order:
        here = 0
        for a in v.args:
            if depth[a.number] > here:
                here = depth[a.number]
        depth[v.number] = here + 1 if v.op == "matmul" else here
    return depth


def _behind(order: list[Value]) -> list[int]:
    """How many products lie on the longest way from each value to a result, by number."""
    height = [0] * numbers(order)
    for v in reversed(order):
        here = height[v.number] + (v.op == "matmul")
        for a in v.args:
            if height[a.number] < here:
                height[a.number] = here
    return height


def _groups(order: list[Value], shared: int, far: list[int]) -> Groups:
    """The products that merge: by the number of each, all of its group."""
    groups: dict[tuple[Value, int, str], list[Value]] = defaultdict(list)
    for v in order:
        if v.op == "matmul":
            groups[v.args[shared], far[v.number], v.dtype.str].append(v)
    together: Groups = {}
    for group in groups.values():
        others = [leafy(v.args[1 - shared]) for v in group]
        if len(group) > 1 and all(others) == any(others):
            together |= {v.number: group for v in group}
    return together


def _one_product(
    build: Builder, shared: int, group: list[Value], new: dict[Value, Value]
) -> Iterator[tuple[Value, Value]]:
    """The product that a group becomes, and where each member is in it."""
    own, axis = 1 - shared, shared ^ 1
    build.graph.follow_all(group)
    factors = [new.get(m.args[own], m.args[own]) for m in group]
    common = group[0].args[shared]
    common = new.get(common, common)
    order = known_order(build.graph, [m.args[own] for m in group])
    joined = build.concatenate([factors[i] for i in order], axis)
    pair = (joined, common) if own == 0 else (common, joined)
    whole = build.matmul(*pair, group[0].dtype)
    at = 0
    for i in order:
        n = factors[i].shape[axis]
        bounds = [(0, length) for length in whole.shape]
        bounds[axis] = (at, at + n)
        yield group[i], build.cut(whole, bounds)
        at += n
