"""A matrix that every block multiplies by, and that lies across its rows, is turned once: a small
product with a transposed factor takes up to twice as long."""

from __future__ import annotations

from tinygrad_lstm.compiler.construct import Builder
from tinygrad_lstm.compiler.graph import Value
from tinygrad_lstm.compiler.passes.shared import refactored, shared_factors

__all__ = ["turn"]


def turn(build: Builder, roots: list[Value]) -> list[Value]:
    """Copy every given right factor that many products read transposed."""
    order = build.graph.order(roots)
    across = {b for b in shared_factors(order) if b.op == "transpose"}

    def turned(_: Value, b: Value) -> Value:
        if b not in across:
            return b
        (x,) = b.args
        rows = x.args if x.op == "concatenate" and x.attrs == (0,) else (x,)
        parts = tuple([build.transpose(p, (1, 0)) for p in rows])
        # not the builder's concatenate, to which this is the same as the transposed matrix
        return build.graph.new("concatenate", parts, (1,), b.shape, b.dtype)

    return refactored(build, roots, order, turned)
