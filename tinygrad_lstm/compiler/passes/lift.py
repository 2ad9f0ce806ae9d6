"""Elementwise work on every block of a stack is done on the stack at once, where one of its
operands is there as a whole: the loss against all targets."""

from __future__ import annotations

from collections import Counter

from tinygrad_lstm.compiler.construct import Builder
from tinygrad_lstm.compiler.graph import Value
from tinygrad_lstm.compiler.operations import ELEMENTWISE
from tinygrad_lstm.compiler.passes.shared import entrywise
from tinygrad_lstm.compiler.rewriting import rewrite

__all__ = ["lift"]


def lift(build: Builder, roots: list[Value]) -> list[Value]:
    """Lift out of every concatenation what only it reads."""
    order = build.graph.order(roots)
    parts = {p for v in order if v.op == "concatenate" for p in v.args}
    read = Counter(a for v in order for a in v.args if a in parts)
    read.update(roots)

    def rule(v: Value, args: tuple[Value, ...]) -> Value | None:
        if v.attrs != (0,) or len(args) < 2:
            return None
        if any(read[p] != 1 for p in v.args):
            return None
        return _lifted(build, args)

    return rewrite(build, roots, order, {"concatenate"}, rule)


def _lifted(build: Builder, parts: tuple[Value, ...]) -> Value | None:
    first = parts[0]
    if first.op not in ELEMENTWISE or any(
        (p.op, p.attrs, p.dtype, len(p.args))
        != (first.op, first.attrs, first.dtype, len(first.args))
        for p in parts
    ):
        return None
    operands = []
    for column in zip(*(p.args for p in parts), strict=True):
        if all(a is column[0] and a.ndim == 0 for a in column):
            operands.append(column[0])
        elif all(a.shape == p.shape for a, p in zip(column, parts, strict=True)):
            operands.append(_lifted(build, column) or build.concatenate(column, 0))
        else:
            return None
    if all(x.op == "concatenate" for x in operands if x.ndim):
        return None  # nothing is there already: all operands would have to be stacked
    return entrywise(build, first, operands)
