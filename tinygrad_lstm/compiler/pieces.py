"""Long sums are taken in pieces of rows, and the pieces added up: rounding grows with the length of
a piece and the number of pieces, and not with their product.

The tape sums a block at a time, and so does a product over the rows of all blocks then.
"""

from __future__ import annotations

from tinygrad_lstm.compiler.graph import Value

__all__ = ["piece", "pieces"]

SHORT = 64  # rows up to which a sum is not divided
LARGE = 1 << 16  # entries of a product that does not stay in the cache, through which each piece
LONG = 192  # goes: so many rows at least are summed at a time then. More round more than the tape
BLOCKS = 8  # parts from which on a stack counts as the blocks of a sequence


def piece(n: int) -> int:
    """How many of `n` rows are summed at a time: about as many as there are pieces then."""
    if n <= SHORT:
        return n
    length = 1
    while length * length < n:
        length *= 2
    return length


def pieces(product: Value) -> list[tuple[int, int, int]]:
    """The parts in which a product sums: which pair of its factors, and bounds. A pair at once,
    unless it sums over blocks."""
    found = []
    for pair in range(0, len(product.args) - 1, 2):
        factors = product.args[pair : pair + 2]
        n = step = factors[0].shape[1]
        if any(_blocks(a, 1 - i) for i, a in enumerate(factors)):
            step = max(piece(n), LONG if product.size >= LARGE else 1)
        found += [(pair, low, min(n, low + step)) for low in range(0, n or 1, step or 1)]
    return found


def _blocks(factor: Value, axis: int) -> bool:
    """Whether a factor is a stack of many blocks along an axis."""
    while factor.op in ("transpose", "cut"):
        axis = factor.attrs[0][axis] if factor.op == "transpose" else axis
        (factor,) = factor.args
    return factor.op == "concatenate" and factor.attrs == (axis,) and len(factor.args) >= BLOCKS
