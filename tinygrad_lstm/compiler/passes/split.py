"""A product with a concatenation is a sum of products: ``[A C] [B; D] = A B + C D``.

It is taken apart where a part is given from the start (an input, a constant): what does not depend
on the recurrence can then be done once for all blocks. And what is stacked in columns comes apart
into a stack for each column.
"""

from __future__ import annotations

from tinygrad_lstm.compiler.construct import Builder
from tinygrad_lstm.compiler.graph import Value
from tinygrad_lstm.compiler.passes.shared import leafy
from tinygrad_lstm.compiler.rewriting import rewrite

__all__ = ["split"]


def split(build: Builder, roots: list[Value]) -> list[Value]:
    """Split every product that gains by it."""

    def rule(v: Value, args: tuple[Value, ...]) -> Value | None:
        build.graph.follow(v)
        a, b = args
        if a.op == "concatenate" and a.attrs == (1,) and any(map(leafy, a.args)):
            return _sum_of_products(build, a, b, v)
        if b.op == "concatenate" and b.attrs == (0,) and _columns(b):
            columns = zip(*(p.args for p in b.args), strict=True)
            parts = [build.matmul(a, build.concatenate(c, 0), v.dtype) for c in columns]
            return build.concatenate(parts, 1)
        return None

    return rewrite(build, roots, build.graph.order(roots), {"matmul"}, rule)


def _sum_of_products(build: Builder, a: Value, b: Value, v: Value) -> Value:
    total, at = None, 0
    for part in a.args:
        n = part.shape[1]
        product = build.matmul(part, build.cut(b, ((at, at + n), (0, b.shape[1]))), v.dtype)
        total = (
            product if total is None else build.elementwise("add", total, product, dtype=v.dtype)
        )
        at += n
    assert total is not None
    return total


def _columns(b: Value) -> bool:
    """Whether all rows of a stack are joined of columns of the same widths."""
    first = b.args[0]
    return all(
        p.op == "concatenate"
        and p.attrs == (1,)
        and [q.shape[1] for q in p.args] == [q.shape[1] for q in first.args]
        for p in b.args
    )
