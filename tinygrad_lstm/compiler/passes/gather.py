"""A sum of parts that were put among zeros is their concatenation.

So what the slices of one value send back (the gates of a fused sum, the blocks of a sequence) is
joined, and not added up from arrays that are mostly zero.
"""

from __future__ import annotations

from collections import defaultdict
from functools import partial

import numpy as np

from tinygrad_lstm.compiler.construct import Builder
from tinygrad_lstm.compiler.graph import Shape, Value
from tinygrad_lstm.compiler.passes.shared import disjoint, rewrite_sums

__all__ = ["gather"]


def gather(build: Builder, roots: list[Value]) -> list[Value]:
    """Gather in every chain of additions, and where one part stands alone."""
    if not any(v.op == "place" for v in build.graph.order(roots)):
        return roots
    return rewrite_sums(build, roots, partial(_gathered, build))


def _gathered(build: Builder, found: list[Value], v: Value) -> Value | None:
    groups: dict[tuple[Shape, int], list[Value]] = defaultdict(list)
    rest: list[Value] = []
    for t in found:
        inner = t.args[0] if t.op == "reshape" else t
        axis = _axis(inner) if inner.op == "place" else None
        if axis is None:
            rest.append(t)
        else:
            groups[inner.shape, axis].append(inner)
    joined = [
        build.reshape(_concatenated(build, parts, axis), v.shape) if _apart(parts, axis) else None
        for (_, axis), parts in groups.items()
    ]
    if not groups or None in joined:
        return None
    total, *others = [j for j in joined if j is not None] + rest
    for t in others:
        total = build.elementwise("add", total, t, dtype=v.dtype)
    return total


def _axis(v: Value) -> int | None:
    """The only axis along which something was placed."""
    (x,) = v.args
    axes = [i for i, (n, m) in enumerate(zip(x.shape, v.shape, strict=True)) if n != m]
    return axes[0] if len(axes) == 1 else None


def _apart(parts: list[Value], axis: int) -> bool:
    """Whether no two of the parts overlap."""
    bounds = {p.attrs[axis] for p in parts}
    return len(bounds) == len(parts) and disjoint(bounds)


def _concatenated(build: Builder, parts: list[Value], axis: int) -> Value:
    """The parts in order, with zeros between them."""
    shape, dtype = parts[0].shape, parts[0].dtype
    zero = build.graph.constant(np.zeros((), dtype))
    out: list[Value] = []
    at = 0

    def fill(stop: int) -> None:
        if stop > at:
            gap = (*shape[:axis], stop - at, *shape[axis + 1 :])
            out.append(build.broadcast(zero, gap))

    for p in sorted(parts, key=lambda p: p.attrs[axis]):
        start, stop = p.attrs[axis]
        fill(start)
        out.append(p.args[0])
        at = stop
    fill(shape[axis])
    return build.concatenate(out, axis)
