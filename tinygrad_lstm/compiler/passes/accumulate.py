"""A product adds to what is there: where a part of another product is read by one sum alone, the
product that is added to it is computed into its place.

Small sums are left: to call a BLAS takes as long as to add some thousand entries.
"""

from __future__ import annotations

from tinygrad_lstm.compiler.construct import Builder
from tinygrad_lstm.compiler.graph import Readers, Value
from tinygrad_lstm.compiler.passes.shared import disjoint
from tinygrad_lstm.compiler.rewriting import rewrite

__all__ = ["accumulate"]

LEAST = 1 << 12  # entries


def accumulate(build: Builder, roots: list[Value]) -> list[Value]:
    """Let products begin with the parts of others that they are added to."""
    order = build.graph.order(roots)
    read = Readers(order, roots, {"matmul", "cut"})
    whole = {v for v in order if v.op == "matmul" and _divided(v, read)}
    if not whole:
        return roots

    def rule(v: Value, args: tuple[Value, ...]) -> Value | None:
        for i, part in enumerate(v.args if v.size >= LEAST else ()):
            if part.op != "cut" or part.args[0] not in whole or part is v.args[1 - i]:
                continue
            product = v.args[1 - i]
            if product.op == "matmul" and len(read[product.number]) == 1:
                build.graph.follow(v)
                found = (*args[1 - i].args, args[i])
                return build.graph.new("matmul", found, (), v.shape, v.dtype)
        return None

    return rewrite(build, roots, order, {"add"}, rule)


def _divided(product: Value, read: Readers) -> bool:
    """Whether a product is read in parts that do not overlap, each by one sum."""
    parts = read[product.number]
    for part in parts:
        if part is None or part.op != "cut" or len(read[part.number]) != 1:
            return False
        reader = read[part.number][0]
        if reader is None or reader.op != "add" or reader.shape != part.shape:
            return False
    bounds = [part.attrs for part in parts if part is not None]
    return len(set(bounds)) == len(bounds) and all(
        disjoint(b[i] for b in bounds) for i in range(product.ndim)
    )
