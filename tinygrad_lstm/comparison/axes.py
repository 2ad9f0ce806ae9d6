"""Mistakes in sums over axes: over other ones, over one of several, of one row alone; in the
subscripts of einsum."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, combinations

import numpy as np

from tinygrad_lstm.comparison.tree import Change, Tree, factors, product, times
from tinygrad_lstm.derivation.expression import Apply, Expression, Leaf, apply, number
from tinygrad_lstm.derivation.notation import TEXT
from tinygrad_lstm.ops.elementwise import divide
from tinygrad_lstm.ops.reduce import mean
from tinygrad_lstm.ops.reduce import sum as summed
from tinygrad_lstm.ops.select import index
from tinygrad_lstm.ops.shape import broadcast_to

__all__ = ["axes", "summed_over"]

ROWS = 64  # of a batch, up to which single ones are tried


def axes(tree: Tree, opened: Callable[[Expression], Expression]) -> Iterator[Change]:
    """Sums over other axes, over all or none, and means; one row of a batch.

    Parameters
    ----------
    tree : Tree
        The formula.
    opened : callable
        A value of the tape by what it is computed of, where that is a product.
    """
    for i, node in list(enumerate(tree.order))[::-1]:
        if isinstance(node, Apply) and node.op.name in ("sum", "mean"):
            yield from _sums(i, node)
            yield from _of_one(i, node)
            yield from _kept(i, node, tree, opened)
        if isinstance(node, Apply) and node.op.name == "einsum":
            yield from _subscripts(i, node)
    for i, node in enumerate(tree.order):
        rows = node.shape[0] if len(node.shape) > 1 else 0
        if isinstance(node, Leaf) and node.gradient and 1 < rows <= ROWS:
            for n in (0, rows - 1):
                one = np.zeros_like(node.array)
                one[n] = node.array[n]
                words = f"the sum over the batch is missing: only row {n} is there"
                other = Leaf(one, f"{TEXT.name(node)} of row {n} alone")
                yield Change(("row", i, n), "batch sum", words, {id(node): other})


def _sums(i: int, node: Apply) -> Iterator[Change]:
    inner, ndim = node.args[0], len(node.args[0].shape)
    keep = bool(node.params.get("keepdims"))
    every = chain.from_iterable(combinations(range(ndim), n) for n in range(1, ndim + 1))
    used = summed_over(node)
    words = f"the sum over {_axes(used, ndim)} is missing"
    yield Change(("no axis", i), "axis", words, {id(node): inner})
    for axis in every:
        for op, what in ((summed.op, "sum"), (mean.op, "mean")):
            if (axis, what) == (used, node.op.name):
                continue
            shape = np.zeros(inner.shape).sum(axis=axis, keepdims=keep).shape
            other = apply(op, (inner,), {"axis": axis, "keepdims": keep}, shape)
            words = (
                f"the {what} over {_axes(axis, ndim)} stands where the {node.op.name} over "
                f"{_axes(used, ndim)} belongs"
            )
            kind = "axis" if what == node.op.name else "factor"
            yield Change(("axis", i, axis, what), kind, words, {id(node): other})
            if shape == () != node.shape:  # added to an array, it is there in each entry
                spread = apply(broadcast_to.op, (other,), {"shape": node.shape}, node.shape)
                yield Change(("spread", i, what), kind, words, {id(node): spread})
    size = int(np.prod(inner.shape)) // max(int(np.prod(node.shape)), 1)
    if size > 1 and node.op.name == "sum":
        other = apply(divide.op, (node, number(size)), {}, node.shape)
        words = f"a mean where the sum belongs: 1/{size} of it"
        yield Change(("mean", i), "factor", words, {id(node): other})


def _of_one(i: int, node: Apply) -> Iterator[Change]:
    """One entry along an axis that a sum runs over, alone or with others; of a gradient alone
    :func:`axes` says it."""
    inner, used = node.args[0], summed_over(node)
    if node.params.get("keepdims") or (used == (0,) and isinstance(inner, Leaf)):
        return
    for axis in used:
        for n in dict.fromkeys((0, inner.shape[axis] - 1)) if inner.shape[axis] > 1 else ():
            key = (*(slice(None),) * axis, n)
            shape = (*inner.shape[:axis], *inner.shape[axis + 1 :])
            one = apply(index.op, (inner,), {"key": key}, shape)
            rest = tuple(a - (a > axis) for a in used if a != axis)
            other = apply(node.op, (one,), {**node.params, "axis": rest}, node.shape)
            other = other if rest else one
            words = f"the sum over axis {axis} is missing: only entry {n} along it is there"
            yield Change(("of one", i, axis, n), "axis", words, {id(node): other})


def _kept(
    i: int, node: Apply, tree: Tree, opened: Callable[[Expression], Expression]
) -> Iterator[Change]:
    """Another axis where the sum is spread along its axis again; what is the same along that axis
    stands outside of the sum on paper."""
    inner, used = node.args[0], summed_over(node)
    kept = tuple(1 if a in used else n for a, n in enumerate(inner.shape))
    users = tree.users[id(node)]
    leading = kept[len(kept) - len(node.shape) :] == node.shape  # NumPy puts in the axes before
    whole = node if leading else users[0] if len(users) == 1 else node
    if not leading and (whole.shape != kept or whole.op.name != "reshape"):
        return
    plain = factors(inner)
    written = [f for part in plain for f in factors(opened(part))]
    for n, found in enumerate((plain, written)[: 1 + (len(written) > len(plain))]):
        yield from _moved_out((i, n), whole, node, found)


def _moved_out(
    at: tuple[int, int], whole: Apply, node: Apply, found: list[Expression]
) -> Iterator[Change]:
    """The sum over another axis of a product, with those of its factors outside that are the same
    along the right one."""
    inner, used = node.args[0], summed_over(node)
    kept = tuple(1 if a in used else n for a, n in enumerate(inner.shape))
    outside = [f for f in found if _alike_along(f, used, len(kept))]
    for axis in range(len(kept)):
        shape = tuple(1 if a == axis else n for a, n in enumerate(inner.shape))
        if (axis,) == used or (1 in (*kept, *shape) and kept == shape):
            continue
        ratio = np.prod([inner.shape[a] for a in used]) / inner.shape[axis]
        for some in ([], outside) if outside else ([],):
            rest = product([f for f in found if f not in some])
            total = apply(node.op, (rest,), {"axis": (axis,), "keepdims": True}, shape)
            other = product([total, *some])
            words = (
                f"the {node.op.name} over axis {axis} stands where that over "
                f"{_axes(used, len(kept))} belongs"
            )
            for factor in dict.fromkeys((1.0, float(ratio))):
                label = ("kept", *at, axis, len(some), factor != 1)
                changed = times(number(factor), other) if factor != 1 else other
                yield Change(label, "axis", words, {id(whole): changed})


def _alike_along(e: Expression, axes: tuple[int, ...], ndim: int) -> bool:
    """Whether an array is the same along some axes of the whole."""
    return all(a < ndim - len(e.shape) or e.shape[a - ndim] == 1 for a in axes)


def summed_over(node: Apply) -> tuple[int, ...]:
    """The axes that a sum or a mean runs over."""
    ndim, axis = len(node.args[0].shape), node.params.get("axis")
    return tuple(range(ndim)) if axis is None else tuple(int(a) % ndim for a in np.atleast_1d(axis))


def _subscripts(i: int, node: Apply) -> Iterator[Change]:
    """Two subscripts exchanged in one operand, or in the result."""
    right = str(node.params.get("subscripts"))
    read, arrow, result = right.partition("->")
    groups = [*read.split(","), result]
    for k, letters in enumerate(groups if arrow and "." not in right else ()):
        for a, b in combinations(range(len(letters)), 2):
            other = list(letters)
            other[a], other[b] = letters[b], letters[a]
            each = [*groups[:k], "".join(other), *groups[k + 1 :]]
            written = ",".join(each[:-1]) + "->" + each[-1]
            params = {**node.params, "subscripts": written}
            words = f"other subscripts: {written} stands where {right} belongs"
            changed = Apply(node.op, node.args, params, node.shape)
            yield Change(("einsum", i, k, a, b), "axis", words, {id(node): changed})


def _axes(axis: tuple[int, ...], ndim: int) -> str:
    return "all axes" if len(axis) == ndim else f"axis {', '.join(map(str, axis))}"
