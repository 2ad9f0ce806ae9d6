"""A part of a product is a product with a part: what nobody reads is not computed."""

from __future__ import annotations

from tinygrad_lstm.compiler.construct import Builder
from tinygrad_lstm.compiler.graph import Readers, Value
from tinygrad_lstm.compiler.rewriting import rewrite

__all__ = ["push"]


def push(build: Builder, roots: list[Value]) -> list[Value]:
    """Cut the factors of every product of which only parts are read."""
    order = build.graph.order(roots)
    read = Readers(order, roots, {"matmul"})

    def rule(v: Value, args: tuple[Value, ...]) -> Value | None:
        if not v.args[0].op == args[0].op == "matmul":
            return None
        if any(u is None or u.op != "cut" for u in read[v.args[0].number]):
            return None
        build.graph.follow(v)
        (a, b), (rows, columns) = args[0].args, v.attrs
        a = build.cut(a, (rows, (0, a.shape[1])))
        return build.matmul(a, build.cut(b, ((0, b.shape[0]), columns)), v.dtype)

    return rewrite(build, roots, order, {"cut"}, rule)
