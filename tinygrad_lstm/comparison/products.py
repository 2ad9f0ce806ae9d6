"""Mistakes in what is no product of entries: matrix products, slices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from tinygrad_lstm.comparison.tree import Change, Tree, factors, product, times, turned
from tinygrad_lstm.derivation.expression import Apply, Expression, apply
from tinygrad_lstm.engine.memory import repeats
from tinygrad_lstm.engine.operation import Operation
from tinygrad_lstm.engine.tape import Branch
from tinygrad_lstm.ops.product import matmul
from tinygrad_lstm.ops.reduce import sum as summed
from tinygrad_lstm.ops.shape import reshape

__all__ = ["matrices", "misplaced", "reshaped", "slices"]

TURNED = "the factors of the matrix product are transposed or in the wrong order"
BRANCH_TURNED = "the whole is transposed, or its axes are summed over in another order"
ENTRIES = "an elementwise product stands where a matrix product belongs"
OUTSIDE = "a factor stands before the matrix product, where it belongs to its result: {}"
INSIDE = "a factor stands behind the matrix product, where it belongs into it: {}"
ACROSS = "a factor stands on one side of the matrix product, where it belongs on the other: {}"
MATRIX = "a matrix product stands where an elementwise product belongs"
RESHAPED = "an array was reshaped where its axes have to change places: reshape moves no axis"
REPEATS = (
    "an index that occurs several times keeps only the last: numpy.add.at(d, ids, ..) adds them "
    "up, d[ids] += .. does not"
)


def matrices(tree: Tree) -> Iterator[Change]:
    """Matrix products in another order, of transposes, or where the other product belongs."""
    root = tree.root
    if len(root.shape) > 1 and root.shape[-1] == root.shape[-2]:
        yield Change(("ᵀ",), "transpose", BRANCH_TURNED, {id(root): turned(root)})
    for i, node in list(enumerate(tree.order))[::-1]:
        if not isinstance(node, Apply) or len(node.args) != 2:
            continue
        a, b = node.args
        if len(a.shape) < 2 or len(a.shape) != len(b.shape) or a.shape[:-2] != b.shape[:-2]:
            continue
        if node.op.name == "matmul":
            kind, words = "transpose", TURNED
            same = a.shape == b.shape
            if same or a.shape[-2] == b.shape[-2] or a.shape[-1] == b.shape[-1]:
                for k, (p, q) in enumerate(((a, b), (turned(a), b), (a, turned(b)))):
                    if _fit(p.shape, q.shape):
                        yield Change(("∘", i, k), "elementwise", ENTRIES, {id(node): times(p, q)})
            elif _fit(a.shape, b.shape):
                yield Change(("∘", i), "elementwise", ENTRIES, {id(node): times(a, b)})
        elif node.op.name == "multiply":
            kind, words = "matrix product", MATRIX
        else:
            continue
        for k, (p, q) in enumerate(_orders(a, b)):
            if p.shape[-1] == q.shape[-2]:
                shape = (*p.shape[:-1], q.shape[-1])
                other = apply(matmul.op, (p, q), {}, shape)
                yield Change(("@", i, k), kind, words, {id(node): other})


def misplaced(tree: Tree, text: Callable[[Expression], str]) -> Iterator[Change]:
    """A factor on the other side of a matrix product: what is multiplied entry by entry before it,
    behind it, or the other way round."""
    for i, node in list(enumerate(tree.order))[::-1]:
        if isinstance(node, Apply):
            yield from _before(i, node, text)
            if node.op.name == "matmul":
                yield from _behind(i, node, text)
                yield from _across(i, node, text)


def _before(i: int, node: Apply, text: Callable[[Expression], str]) -> Iterator[Change]:
    """A factor of what a matrix product gives, put before it."""
    found = factors(node)
    products = ((k, e) for k, e in enumerate(found) if isinstance(e, Apply))
    for k, inner in ((k, e) for k, e in products if e.op.name == "matmul"):
        g, weight = inner.args
        for j, f in enumerate(found):
            if f is not inner and f.shape == g.shape == inner.shape:
                rest = [x for x in found if x is not inner and x is not f]
                other = apply(matmul.op, (times(g, f), weight), {}, inner.shape)
                changed = {id(node): product([other, *rest])}
                words = partial(_said, text, OUTSIDE, f)
                yield Change(("before", i, k, j), "parenthesis", words, changed)


def _behind(i: int, node: Apply, text: Callable[[Expression], str]) -> Iterator[Change]:
    """A factor of what goes into a matrix product, put behind it."""
    g, weight = node.args
    found = factors(g)
    for j, f in enumerate(found if len(found) > 1 else ()):
        if f.shape == g.shape == node.shape:
            rest = [x for x in found if x is not f]
            plain = apply(matmul.op, (product(rest), weight), {}, node.shape)
            words = partial(_said, text, INSIDE, f)
            yield Change(("behind", i, j), "parenthesis", words, {id(node): times(plain, f)})


def _across(i: int, node: Apply, text: Callable[[Expression], str]) -> Iterator[Change]:
    """A factor of one side of a matrix product, put on the other: in ``hᵀ (δ ∘ r)`` of a weight,
    with the transpose of what is read. The two forms of a GRU differ so."""
    for k, side in enumerate(node.args):
        other = node.args[1 - k]
        found = factors(side)
        if len(found) == 1:
            found = [turned(f) for f in factors(turned(side))]
        for j, f in enumerate(found if len(found) > 1 and len(node.shape) == 2 else ()):
            if f.shape == side.shape == other.shape[::-1]:
                rest = product([x for x in found if x is not f])
                more = turned(times(turned(other), f))
                both = (rest, more) if k == 0 else (more, rest)
                moved = apply(matmul.op, both, {}, node.shape)
                words = partial(_said, text, ACROSS, f)
                yield Change(("across", i, k, j), "parenthesis", words, {id(node): moved})


def _said(text: Callable[[Expression], str], words: str, f: Expression) -> str:
    return words.format(text(f))


def reshaped(tree: Tree) -> Iterator[Change]:
    """Axes that are cut or made one where they have to change places: ``reshape`` alone does not
    move an axis."""
    for i, node in list(enumerate(tree.order))[::-1]:
        if isinstance(node, Apply) and node.op.name == "transpose" and len(node.shape) > 2:
            other = apply(reshape.op, node.args, {"shape": node.shape}, node.shape)
            yield Change(("reshape", i), "transpose", RESHAPED, {id(node): other})


def _fit(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return all(n == m or 1 in (n, m) for n, m in zip(a, b, strict=True))


def _orders(a: Expression, b: Expression) -> Iterator[tuple[Expression, Expression]]:
    for p, q in ((a, b), (b, a)):
        for left in (p, turned(p)):
            for right in (q, turned(q)):
                if (left, right) != (a, b):
                    yield left, right


def slices(tree: Tree, branch: Branch, text: Callable[[Expression], str]) -> Iterator[Change]:
    """Another slice or window than the right one."""
    joined = branch.stage.op == "concatenate"
    for i, node in list(enumerate(tree.order))[::-1]:
        if not isinstance(node, Apply) or node.op.name not in ("index", "scatter"):
            continue
        if node.op.name == "scatter" and repeats(node.params.get("key")):
            other = apply(put, node.args, node.params, node.shape)
            yield Change(("put", i), "overwritten", REPEATS, {id(node): other})
        whole = node.args[0].shape if node.op.name == "index" else node.shape
        for label, key in _others(node.params.get("key"), whole):
            other = apply(node.op, node.args, {**node.params, "key": key}, node.shape)
            words = (
                f"the parts of the concatenation {branch.stage.name} are swapped"
                if joined
                else partial(_sliced, text, other, node)
            )
            kind = "halves" if joined else "slice"
            yield Change(("slice", i, label), kind, words, {id(node): other})
        yield from _of_all(i, node, text)


def _of_all(i: int, node: Apply, text: Callable[[Expression], str]) -> Iterator[Change]:
    """The sum over an axis where one entry along it belongs."""
    key = node.params.get("key")
    keys = key if isinstance(key, tuple) else (key,)
    axes = [axis for axis, k in enumerate(keys) if isinstance(k, int)]
    plain = all(k == slice(None) if isinstance(k, slice) else isinstance(k, int) for k in keys)
    if node.op.name == "index" and plain and axes:
        other = apply(summed.op, node.args, {"axis": tuple(axes)}, node.shape)
        words = partial(_sliced, text, other, node)
        yield Change(("slice", i, "all"), "slice", words, {id(node): other})


def _put(x: Any, key: Any = ..., shape: Any = ()) -> Any:
    """Zeros with `x` written at ``[key]``: of repeated indices, the last stays."""
    out = np.zeros(shape, x.dtype)
    out[key] = x
    return out


put = Operation(_put, "put")


def _sliced(text: Callable[[Expression], str], other: Expression, right: Expression) -> str:
    return f"another slice: {text(other)} where {text(right)} belongs"


def _others(key: Any, shape: tuple[int, ...]) -> Iterator[tuple[Any, Any]]:
    """Other slices of the same length, and other positions."""
    keys = key if isinstance(key, tuple) else (key,)
    if any(k is None or k is Ellipsis or isinstance(k, np.ndarray) for k in keys):
        return
    for axis, k in enumerate(keys):
        n = shape[axis]
        for shift, other in _moved(k, n):
            yield (axis, shift), (*keys[:axis], other, *keys[axis + 1 :])


def _moved(k: Any, n: int) -> Iterator[tuple[Any, Any]]:
    if isinstance(k, slice) and k.step in (None, 1):
        start, stop, _ = k.indices(n)
        length = stop - start
        starts = (0, n - length, start - 1, start + 1, start - length, start + length)
        for other in dict.fromkeys(s for s in starts if 0 <= s <= n - length and s != start):
            label = "first" if other == 0 else "last" if other == n - length else other - start
            yield label, slice(other, other + length)
    elif isinstance(k, int):
        k = k % n
        others = {-1: k - 1, 1: k + 1, "from the end": n - 1 - k, "first": 0, "last": n - 1}
        yield from ((label, at) for label, at in others.items() if 0 <= at < n and at != k)
