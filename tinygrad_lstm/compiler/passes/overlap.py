"""Stacks that overlap are parts of one: ``[a0 a1]`` and ``[a1 a2]`` of ``[a0 a1 a2]``.

A value can live in one stack only; into another it would be copied.
"""

from __future__ import annotations

from tinygrad_lstm.compiler.construct import Builder
from tinygrad_lstm.compiler.graph import Value
from tinygrad_lstm.compiler.rewriting import rewrite

__all__ = ["overlap"]


def overlap(build: Builder, roots: list[Value]) -> list[Value]:
    """Join every pair of stacks of which one goes on where the other began."""
    order = build.graph.order(roots)
    stacks = [v for v in order if v.op == "concatenate"]
    begins = {(v.args[0].number, v.attrs): v for v in stacks}
    whole: dict[int, tuple[tuple[Value, ...], int, int]] = {}
    for v in stacks:
        for i, part in enumerate(v.args[1:], 1):
            other = begins.get((part.number, v.attrs))
            n = len(v.args) - i
            if (
                other is not None
                and other is not v
                and n < len(other.args)
                and other.args[:n] == v.args[i:]
            ):
                union = (*v.args, *other.args[n:])
                whole[v.number] = union, 0, len(v.args)
                whole[other.number] = union, i, i + len(other.args)
                break

    def rule(v: Value, args: tuple[Value, ...]) -> Value | None:
        if v.number not in whole:
            return None
        parts, start, stop = whole[v.number]
        if v.args != parts[start:stop] or args != v.args:
            return None  # its parts have changed meanwhile
        (axis,) = v.attrs
        ends = [sum(p.shape[axis] for p in parts[:k]) for k in (start, stop)]
        bounds = [(0, n) for n in v.shape]
        bounds[axis] = ends[0], ends[1]
        union = build.concatenate(parts, axis)
        return build.graph.new("cut", (union,), tuple(bounds), v.shape, v.dtype)

    return rewrite(build, roots, order, {"concatenate"}, rule, build.again)
