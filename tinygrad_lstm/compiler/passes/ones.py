"""A row that is added to a product is one more row of its factor, and a sum over rows is a product
with ones: ``A B + 1 b = [A 1] [B; b]``.

So the biases of all blocks come with the product of what is given, and their gradients with those
of its weights: nobody goes through all blocks for them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tinygrad_lstm.compiler.construct import Builder
from tinygrad_lstm.compiler.graph import Readers, Value
from tinygrad_lstm.compiler.operations import LEAVES
from tinygrad_lstm.compiler.passes.shared import leafy
from tinygrad_lstm.compiler.rewriting import rewrite

__all__ = ["ones"]

Bounds = tuple[int, int]
ASKED = {"matmul", "cut", "add", "concatenate", *LEAVES}


@dataclass
class Biased:
    """A product to which rows are added.

    Attributes
    ----------
    product : Value
    rows : dict of Value
        What is added, by the columns that it is added to.
    adds : set of Value
        The sums that go away.
    """

    product: Value
    rows: dict[Bounds, Value] = field(default_factory=dict)
    adds: set[Value] = field(default_factory=set)


def ones(build: Builder, roots: list[Value]) -> list[Value]:
    """Let the products of what is given add the rows, and sum the gradients by them."""
    order = build.graph.order(roots)
    biased = _biased(order, Readers(order, roots, ASKED))
    gone = {add for found in biased.values() for add in found.adds}
    wider = {v.args[0]: _with_ones(build, v.args[0]) for v in biased}
    joined = _joined(order, wider)

    def rule(v: Value, args: tuple[Value, ...]) -> Value | None:
        build.graph.follow(v)
        if v in biased:
            return build.matmul(wider[v.args[0]], _with_rows(build, biased[v]), v.dtype)
        if v in gone:
            return next(x for x in args if x.ndim > 1)
        if v in joined:
            return _part(build, v, args[0], wider[joined[v]])
        return None

    return rewrite(build, roots, order, {"matmul", "add", "sum"}, rule)


def _biased(order: list[Value], read: Readers) -> dict[Value, Biased]:
    """The products that take what is added to them, the largest first."""
    found: dict[Value, Biased] = {}
    gone: set[Value] = set()
    given = [v for v in order if v.op == "matmul" and all(map(leafy, v.args))]
    for v in sorted(given, key=lambda v: -v.size):
        one = _rows(v, read)
        if one is not None and gone.isdisjoint(one.adds):
            found[v] = one
            gone |= one.adds
    return found


def _rows(product: Value, read: Readers) -> Biased | None:
    """What is added to each column of a product; None where it is not the same in all rows."""
    found = Biased(product)
    for u in read[product.number]:
        part = u if u is not None and u.op == "cut" else product
        columns = part.attrs[1] if part is u else (0, product.shape[1])
        add = _add(part, read)
        if add is None:
            return None
        row = next(x for x in add.args if x.ndim == 1)
        if found.rows.setdefault(columns, row) is not row:
            return None
        found.adds.add(add)
    at = 0
    for low, high in sorted(found.rows):
        if low != at:
            return None
        at = high
    alone = all(_only(row, found.adds, read) for row in found.rows.values())
    return found if alone and at == product.shape[1] else None


def _only(row: Value, adds: set[Value], read: Readers) -> bool:
    """Whether nothing else reads a row, which as a column of a matrix is in pieces."""
    return all(u in adds for u in read[row.number])


def _add(x: Value, read: Readers) -> Value | None:
    """The sum in which a given row is added to `x`, or to what `x` is a term of."""
    while len(read[x.number]) == 1:
        u = read[x.number][0]
        if u is None or u.op != "add" or u.shape != x.shape or u.dtype != x.dtype:
            return None
        other = u.args[u.args[0] is x]
        if other.shape == x.shape[1:] and other.dtype == x.dtype and leafy(other):
            return u
        if other.shape != x.shape:
            return None
        x = u
    return None


def _with_ones(build: Builder, a: Value) -> Value:
    """``[A 1]``."""
    column = build.graph.constant(np.ones((a.shape[0], 1), a.dtype))
    return build.concatenate([a, column], 1)


def _with_rows(build: Builder, biased: Biased) -> Value:
    """``[B; b]``, whose transpose is joined: mostly B is the transpose of what is given."""
    b = biased.product.args[1]
    rows = [row for _, row in sorted(biased.rows.items())]
    column = build.concatenate([build.reshape(row, (row.size, 1)) for row in rows], 0)
    turned = build.concatenate([build.transpose(b, (1, 0)), column], 1)
    return build.transpose(turned, (1, 0))


def _joined(order: list[Value], wider: dict[Value, Value]) -> dict[Value, Value]:
    """Sums over the rows of what is multiplied by a factor with ones anyway, and those products,
    with that factor."""
    by: dict[Value, Value] = {}
    for v in order:
        if v.op == "matmul" and v.args[1] in wider and v.args[0].op == "transpose":
            by.setdefault(v.args[0].args[0], v.args[1])
    sums = {v for v in order if v.op == "sum" and v.attrs == ((0,),) and v.args[0] in by}
    sums = {v for v in sums if v.dtype == v.args[0].dtype}
    summed = {v.args[0] for v in sums}
    found = {v: by[v.args[0]] for v in sums}
    for v in order:
        if v.op == "matmul" and v.args[0].op == "transpose":
            (stack,) = v.args[0].args
            if stack in summed and v.args[1] is by[stack]:
                found[v] = v.args[1]
    return found


def _part(build: Builder, v: Value, first: Value, factor: Value) -> Value:
    """A sum, or a product, as a part of the product with ones."""
    turned = first if v.op == "matmul" else build.transpose(first, (1, 0))
    whole = build.matmul(turned, factor, v.dtype)
    n, columns = whole.shape
    if v.op == "matmul":
        return build.cut(whole, ((0, n), (0, columns - 1)))
    return build.reshape(build.cut(whole, ((0, n), (columns - 1, columns))), (n,))
