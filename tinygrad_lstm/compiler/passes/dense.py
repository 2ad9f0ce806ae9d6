"""Columns of a small matrix that are computed entry by entry, each on its own, are computed one
under the other and then laid side by side by one copy: NumPy takes twice as long for a piece of
each row as for memory that is dense."""

from __future__ import annotations

from tinygrad_lstm.compiler.construct import Builder
from tinygrad_lstm.compiler.graph import Value
from tinygrad_lstm.compiler.operations import ELEMENTWISE
from tinygrad_lstm.compiler.passes.widen import LARGEST
from tinygrad_lstm.compiler.rewriting import rewrite

__all__ = ["dense"]


def dense(build: Builder, roots: list[Value]) -> list[Value]:
    """Compute the columns of every such matrix apart."""

    def rule(v: Value, args: tuple[Value, ...]) -> Value | None:
        if v.attrs != (1,) or v.ndim != 2 or v.shape[0] == 1 or v.size > LARGEST:
            return None
        first = args[0]
        if any(a.op not in ELEMENTWISE or a.shape != first.shape for a in args):
            return None
        n, width = first.shape
        build.graph.follow(v)
        below = build.concatenate(args, 0)
        apart = build.reshape(below, (len(args), n, width))
        return build.reshape(build.transpose(apart, (1, 0, 2)), v.shape)

    return rewrite(build, roots, build.graph.order(roots), {"concatenate"}, rule, build.again)
