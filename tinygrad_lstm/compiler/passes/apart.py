"""Large columns stand apart: the gates of a large cell are matrices of their own again.

Products that share a factor have been merged (`merge`), for small ones take longer to call than to
compute. Large ones do not: ``[A B] = X [C D]`` is ``X C`` and ``X D``, and ``[A B] [C; D]`` is
``A C + B D``, which a BLAS adds up in place. What is then done entry by entry goes through memory
that is dense, and not through a piece of each row of a wider matrix.
"""

from __future__ import annotations

from tinygrad_lstm.compiler.construct import Builder
from tinygrad_lstm.compiler.graph import Readers, Value
from tinygrad_lstm.compiler.operations import ELEMENTWISE
from tinygrad_lstm.compiler.passes.shared import disjoint
from tinygrad_lstm.compiler.passes.widen import LARGEST
from tinygrad_lstm.compiler.rewriting import rewrite

__all__ = ["apart"]

NARROW = 32  # columns below which a product of their own is not worth its call


def apart(build: Builder, roots: list[Value]) -> list[Value]:
    """Take apart the products whose columns are read apart, and those with columns that are
    computed apart."""
    order = build.graph.order(roots)
    read = Readers(order, roots, {"matmul", "concatenate", "transpose"})
    stacks = {v for v in order if _columns(v) and _free(v, read)}
    products = {v for v in order if v.op == "matmul" and _cut_up(read[v.number])}
    if not stacks and not products:
        return roots

    def rule(v: Value, args: tuple[Value, ...]) -> Value | None:
        build.graph.follow(v)
        first, x = v.args[0], args[0]
        if v.op == "cut":
            return _cut(build, v, x) if first in products and x.op == "matmul" else None
        if v.op == "sum":
            return _each(build, v, x, None) if first in stacks else None
        if first.op == "transpose" and first.args[0] in stacks:
            return _each(build, v, x.args[0], args[1])
        if first in stacks and first.attrs == (1,):
            return _pairs(build, v, x.args, args[1])
        return None

    return rewrite(build, roots, order, {"cut", "sum", "matmul"}, rule)


def _columns(v: Value) -> bool:
    """Whether a value is joined of columns that are computed entry by entry, or of rows of such."""
    if v.op != "concatenate" or v.ndim != 2:
        return False
    if v.attrs == (0,):
        if not all(p.attrs == (1,) and _columns(p) for p in v.args):
            return False
        return len({tuple([p.shape[1] for p in part.args]) for part in v.args}) == 1
    return v.size > LARGEST and all(p.op in ELEMENTWISE and p.shape[1] >= NARROW for p in v.args)


def _free(v: Value, read: Readers) -> bool:
    """Whether nobody reads a stack as a whole: only products, and sums over its rows."""
    for u in read[v.number]:
        if u is None:
            return False
        if u.op == "concatenate" and v.attrs == (1,):
            if not (_columns(u) and _free(u, read)):
                return False
        elif u.op == "transpose":
            if any(p is None or p.op != "matmul" or p.args[0] is not u for p in read[u.number]):
                return False
        elif not (u.op == "sum" and u.attrs == ((0,),) and v.attrs == (0,)) and not (
            u.op == "matmul" and u.args[0] is v and v.attrs == (1,)
        ):
            return False
    return True


def _cut_up(cuts: list[Value | None]) -> bool:
    """Whether a product is read in columns that do not overlap, and that are large."""
    columns = set()
    for u in cuts:
        if u is None or u.op != "cut" or u.shape[1] < NARROW:
            return False
        if u.shape[0] * u.args[0].shape[1] <= LARGEST:
            return False
        columns.add(u.attrs[1])
    return len(columns) > 1 and disjoint(columns)


def _cut(build: Builder, v: Value, product: Value) -> Value:
    """Columns of a product: the rows of the product with these columns."""
    rows, columns = v.attrs
    factors = tuple(
        [
            build.cut(x, ((0, x.shape[0]), columns)) if i % 2 else x
            for i, x in enumerate(product.args)
        ]
    )
    shape = product.shape[0], v.shape[1]
    own = build.graph.new("matmul", factors, (), shape, v.dtype)
    return build.cut(own, (rows, (0, shape[1])))


def _each(build: Builder, v: Value, stack: Value, b: Value | None) -> Value:
    """For each of the columns of a stack what is computed of them: their product with `b`, or
    their sum."""
    rows = stack.args if stack.attrs == (0,) else (stack,)
    found = []
    for column in zip(*(part.args for part in rows), strict=True):
        x = build.concatenate(column, 0)
        if b is None:
            found.append(build.reduce("sum", x, (0,), v.dtype))
        else:
            found.append(build.matmul(build.transpose(x, (1, 0)), b, v.dtype))
    return build.concatenate(found, 0)


def _pairs(build: Builder, v: Value, parts: tuple[Value, ...], b: Value) -> Value:
    """A product with columns: the sum of the products with each."""
    pairs, at = [], 0
    for part in parts:
        n = part.shape[1]
        pairs += [part, build.cut(b, ((at, at + n), (0, b.shape[1])))]
        at += n
    return build.graph.new("matmul", tuple(pairs), (), v.shape, v.dtype)
