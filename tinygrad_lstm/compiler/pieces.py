"""Long sums are taken in pieces of rows, and the pieces added up: rounding grows with the length of
a piece and the number of pieces, and not with their product.

The tape sums a block at a time, and so does a product over the rows of all blocks then.
"""

from __future__ import annotations

from tinygrad_lstm.compiler.graph import Value

__all__ = ["piece", "pieces"]

SHORT = 64  # rows up to which a sum is not divided
BLOCKS = 8  # parts from which on a stack counts as the blocks of a sequence


def piece(n: int) -> int:
    """How many of `n` rows are summed at a time: about as many as there are pieces then."""
    if n <= SHORT:
        return n
    length = 1
    while length * length < n:
        length *= 2
    return length


def pieces(product: Value) -> list[tuple[int, int]]:
    """The parts in which a product sums, as bounds: all at once, unless it sums over blocks."""
    n = product.args[0].shape[1]
    if not any(_blocks(a, 1 - i) for i, a in enumerate(product.args)):
        return [(0, n)]
    step = piece(n)
    return [(low, min(n, low + step)) for low in range(0, n, step)]


def _blocks(factor: Value, axis: int) -> bool:
    """Whether a factor is a stack of many blocks along an axis."""
    while factor.op in ("transpose", "cut"):
        axis = factor.attrs[0][axis] if factor.op == "transpose" else axis
        (factor,) = factor.args
    return factor.op == "concatenate" and factor.attrs == (axis,) and len(factor.args) >= BLOCKS
