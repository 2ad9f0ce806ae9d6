"""A matrix that every block multiplies by is laid out once in the order in which a loop of products
reads it. A BLAS does so again at each call: with few rows that takes as long as the product.

The order is that of a panel after the other, as many columns wide as a vector of `vector_code`.
Source: Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", 2008.
"""

from __future__ import annotations

from tinygrad_lstm.compiler.blas import TYPES, threads
from tinygrad_lstm.compiler.construct import Builder
from tinygrad_lstm.compiler.graph import Value
from tinygrad_lstm.compiler.passes.shared import refactored, shared_factors
from tinygrad_lstm.compiler.vector_code import LANES

__all__ = ["panels"]

MOST = 256  # rows from which on a BLAS spends little of its time on the order
ALONE = 1 << 18  # multiplications up to which a BLAS takes one thread


def panels(build: Builder, roots: list[Value]) -> list[Value]:
    """Let the products that read a given right factor many times read its panels."""
    order = build.graph.order(roots)
    given = {b for b in shared_factors(order) if _divides(b)}
    if not given:
        return roots
    alone = threads() == 1

    def laid(v: Value, b: Value) -> Value:
        if b not in given or not _gains(v, alone):
            return b
        return build.graph.new("panels", (b,), (), b.shape, b.dtype)

    return refactored(build, roots, order, laid)


def _divides(b: Value) -> bool:
    """Whether a matrix is panels, and no more."""
    return b.dtype in TYPES and b.size > 0 and b.shape[1] % LANES[TYPES[b.dtype]] == 0


def _gains(v: Value, alone: bool) -> bool:
    """Whether a product, on one thread, is faster by panels than by a BLAS with all of its own;
    `alone` says that it has one."""
    if not 1 < v.shape[0] < MOST or any(a.dtype != v.dtype for a in v.args):
        return False
    work = max([v.size * a.shape[1] for a in v.args[:-1:2]])
    return work <= ALONE or alone
