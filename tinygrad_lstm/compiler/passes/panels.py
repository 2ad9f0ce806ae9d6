"""A matrix that every block multiplies by is laid out once in the order in which a loop of products
reads it. A BLAS does so again at each call: with few rows that takes as long as the product.

The order is that of a panel after the other, as many columns wide as a vector of `vector_code`.
Source: Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", 2008.
"""

from __future__ import annotations

from collections import Counter

from tinygrad_lstm.compiler.blas import TYPES, threads
from tinygrad_lstm.compiler.construct import Builder
from tinygrad_lstm.compiler.graph import Value
from tinygrad_lstm.compiler.passes.shared import leafy
from tinygrad_lstm.compiler.passes.turn import OFTEN
from tinygrad_lstm.compiler.rewriting import rewrite
from tinygrad_lstm.compiler.vector_code import LANES

__all__ = ["panels"]

MOST = 256  # rows from which on a BLAS spends little of its time on the order
ALONE = 1 << 18  # multiplications up to which a BLAS takes one thread


def panels(build: Builder, roots: list[Value]) -> list[Value]:
    """Let the products that read a given right factor many times read its panels."""
    order = build.graph.order(roots)
    read = Counter(b for v in order if v.op == "matmul" for b in v.args[1::2])
    given = {b for b, times in read.items() if times >= OFTEN and _divides(b) and leafy(b)}
    if not given:
        return roots

    def rule(v: Value, args: tuple[Value, ...]) -> Value | None:
        if not _gains(v):
            return None
        factors = tuple([laid(x) if i % 2 and x in given else x for i, x in enumerate(args)])
        return None if factors == args else build.again(v, factors)

    def laid(b: Value) -> Value:
        return build.graph.new("panels", (b,), (), b.shape, b.dtype)

    return rewrite(build, roots, order, {"matmul"}, rule)


def _divides(b: Value) -> bool:
    """Whether a matrix is panels, and no more."""
    return b.dtype in TYPES and b.size > 0 and b.shape[1] % LANES[TYPES[b.dtype]] == 0


def _gains(v: Value) -> bool:
    """Whether a product, on one thread, is faster by panels than by a BLAS with all of its own."""
    if not 1 < v.shape[0] < MOST or any(a.dtype != v.dtype for a in v.args):
        return False
    work = max([v.size * a.shape[1] for a in v.args[:-1:2]])
    return work <= ALONE or threads() == 1
