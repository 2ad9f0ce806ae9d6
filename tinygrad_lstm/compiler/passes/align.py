"""Reductions take blocks in the order in which a product has stacked them: one stack for both."""

from __future__ import annotations

from tinygrad_lstm.compiler.construct import Builder
from tinygrad_lstm.compiler.graph import Value
from tinygrad_lstm.compiler.rewriting import rewrite

__all__ = ["align"]


def align(build: Builder, roots: list[Value]) -> list[Value]:
    """Align the sums of all stacks that products read."""
    stacks: dict[frozenset[int], Value] = {}
    order = build.graph.order(roots)
    for v in order:
        for a in v.args if v.op == "matmul" else ():
            a = a.args[0] if a.op == "transpose" else a
            if _stack(a):
                stacks[frozenset(p.number for p in a.args)] = a

    def rule(v: Value, args: tuple[Value, ...]) -> Value | None:
        if 0 not in v.attrs[0] or not _stack(args[0]):
            return None
        found = stacks.get(frozenset(p.number for p in args[0].args))
        if found is None or found.shape != args[0].shape:
            return None
        return build.reduce("sum", found, v.attrs[0], v.dtype)

    return rewrite(build, roots, order, {"sum"}, rule)


def _stack(v: Value) -> bool:
    return v.op == "concatenate" and v.attrs == (0,)
