"""A matrix that every block multiplies by, and that lies across its rows, is turned once: a small
product with a transposed factor takes up to twice as long."""

from __future__ import annotations

from collections import Counter

from tinygrad_lstm.compiler.construct import Builder
from tinygrad_lstm.compiler.graph import Value
from tinygrad_lstm.compiler.passes.shared import leafy
from tinygrad_lstm.compiler.rewriting import rewrite

__all__ = ["turn"]

OFTEN = 8  # products from which on the copy costs less than it saves


def turn(build: Builder, roots: list[Value]) -> list[Value]:
    """Copy every given right factor that many products read transposed."""
    order = build.graph.order(roots)
    read = Counter(b for v in order if v.op == "matmul" for b in v.args[1::2])

    def rule(v: Value, args: tuple[Value, ...]) -> Value | None:
        factors = tuple(
            [
                turned(x) if i % 2 and x.op == "transpose" and read[x] >= OFTEN and leafy(x) else x
                for i, x in enumerate(args)
            ]
        )
        return None if factors == args else build.again(v, factors)

    def turned(b: Value) -> Value:
        (x,) = b.args
        rows = x.args if x.op == "concatenate" and x.attrs == (0,) else (x,)
        parts = tuple([build.transpose(p, (1, 0)) for p in rows])
        # not the builder's concatenate, to which this is the same as the transposed matrix
        return build.graph.new("concatenate", parts, (1,), b.shape, b.dtype)

    return rewrite(build, roots, order, {"matmul"}, rule)
