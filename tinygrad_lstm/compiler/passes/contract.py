"""A sum of products is a product of concatenations: ``A B + C D = [A C] [B; D]``.

So a parameter's fork over time, to which every block adds a product, becomes one product over the
stacked blocks; a sum of reductions becomes a reduction of what is stacked.

Factors whose products are put to the same use stand side by side: the gates that are sigmoids, say,
so that what is done to them entry by entry can be done at once (`widen`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any

from tinygrad_lstm.compiler.construct import Builder
from tinygrad_lstm.compiler.graph import Value
from tinygrad_lstm.compiler.operations import LEAVES, VIEWS, number
from tinygrad_lstm.compiler.passes.shared import place_key, rewrite_sums

__all__ = ["contract", "contracted"]


def contract(build: Builder, roots: list[Value]) -> list[Value]:
    """Contract every chain of additions."""
    build.graph.uses = _uses(build.graph.order(roots))
    return rewrite_sums(build, roots, partial(contracted, build))


def _uses(order: list[Value]) -> dict[int, str]:
    """What is done with the products with each given factor when they are added up, by number."""
    uses: dict[int, str] = {}
    factors: dict[Value, Value] = {}
    for v in order:
        if v.op == "matmul":
            given = _given(v.args[1])
            if given.op in LEAVES:
                factors[v] = given
            continue
        for a in v.args:
            if a in factors:
                if v.op == "add" or v.op in VIEWS:
                    factors[v] = factors[a]
                else:
                    use = v.attrs[0].name if v.op == "formula" else v.op
                    uses.setdefault(factors[a].number, use)
    return uses


def _given(factor: Value) -> Value:
    """What a factor is a view of."""
    while factor.op in VIEWS:
        (factor,) = factor.args
    return factor


def contracted(build: Builder, found: list[Value], v: Value) -> Value | None:
    """The sum `v` of some terms, contracted; None where no two of them are of one kind."""
    factor, found = _common_factor(found)
    kinds: dict[Any, list[Value]] = defaultdict(list)
    for t in (_turned(build, t) for t in found):
        kinds[_kind(t)].append(t)
    if not any(len(group) > 1 for kind, group in kinds.items() if kind):
        return None
    rest = kinds.pop(None, [])
    rest += [JOIN[group[0].op](build, group) for group in kinds.values()]
    total = rest[0]
    for t in rest[1:]:
        total = build.elementwise("add", total, t, dtype=v.dtype)
    if factor is not None:
        total = build.elementwise("multiply", factor, total, dtype=v.dtype)
    return total


def _common_factor(found: list[Value]) -> tuple[Value | None, list[Value]]:
    """The number by which all terms are multiplied."""
    for factor in found[0].args if found[0].op == "multiply" else ():
        if factor.op != "number" or not number(factor):
            continue
        if all(t.op == "multiply" and factor in t.args for t in found):
            return factor, [t.args[t.args[0] is factor] for t in found]
    return None, found


def _turned(build: Builder, t: Value) -> Value:
    """A transposed product, which the transpose of a parameter is sent, as a product."""
    if t.op != "transpose" or t.args[0].op != "matmul":
        return t
    a, b = (build.transpose(factor, (1, 0)) for factor in t.args[0].args)
    return build.matmul(b, a, t.dtype)


def _kind(t: Value) -> Any:
    """What terms have to have in common to be joined."""
    if t.op in ("matmul", "dot"):
        return t.op, t.dtype
    if t.op == "sum" and 0 in t.attrs[0]:
        return t.op, t.dtype, t.attrs, t.args[0].shape[1:], t.args[0].dtype
    return None


def _products(build: Builder, group: list[Value]) -> Value:
    group = sorted(group, key=lambda t: place_key(build.graph, t.args[1]))
    left = build.concatenate([t.args[0] for t in group], 1)
    return build.matmul(left, build.concatenate([t.args[1] for t in group], 0), group[0].dtype)


def _dots(build: Builder, group: list[Value]) -> Value:
    group = sorted(group, key=lambda t: place_key(build.graph, t.args[0]))
    left, right = (build.concatenate([t.args[i] for t in group], 0) for i in (0, 1))
    return build.dot(left, right, group[0].dtype)


def _sums(build: Builder, group: list[Value]) -> Value:
    group = sorted(group, key=lambda t: place_key(build.graph, t.args[0]))
    first = group[0]
    return build.reduce(
        "sum", build.concatenate([t.args[0] for t in group], 0), first.attrs[0], first.dtype
    )


JOIN: dict[str, Callable[[Builder, list[Value]], Value]] = {
    "matmul": _products,
    "dot": _dots,
    "sum": _sums,
}
