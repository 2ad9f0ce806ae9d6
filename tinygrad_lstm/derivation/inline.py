"""What a reader need not be told: lines that only pass a gradient on, and values without a name
that are a move or a sum with a number away from one that has a name. Both are replaced by what they
stand for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tinygrad_lstm.derivation.expression import (
    Apply,
    Expression,
    Leaf,
    apply,
    number,
    occurrences,
    substitute,
)
from tinygrad_lstm.derivation.lines import Line
from tinygrad_lstm.engine.memory import SCALARS

__all__ = ["shortened"]

UNARY = {"negative", "transpose", "swapaxes"}
MOVES = {*UNARY, "index", "reshape", "expand_dims", "squeeze"}
WITH_A_NUMBER = {"add", "subtract", "multiply", "divide"}
LONGEST = 4  # symbols: so much stands for a gradient that is read once


def shortened(lines: Iterable[Line], wanted: set[int], symbol: Callable[[Any], Leaf]) -> list[Line]:
    """The lines of a derivation without those that are replaced.

    A line stays where its value is a leaf, has a name, or is asked for, and the first one stays. Of
    the others those go that only pass on what arrives, turn its sign or transpose it; those that
    are a number; and short ones of which the only reader passes them on.

    Parameters
    ----------
    lines : iterable of Line
        In the order of backward.
    wanted : set of int
        The ``id`` of the values that the derivation is for.
    symbol : callable
        The leaf of a value in a formula.
    """
    lines = list(lines)
    reads: Counter[Leaf] = Counter()
    passed = set()
    for line in lines:
        for formula, _ in line.formulas():
            reads.update(occurrences(formula))
            passed.add(_bare(formula))
    formulas = _of_values([leaf for leaf in reads if not leaf.gradient], lines, symbol)
    kept = lines[:1]
    for line in lines[1:]:
        line = line.with_formulas(lambda e, block: substitute(e, formulas))
        x = line.value
        stays = x._op is None or x.name or id(x) in wanted or line.changed
        once = reads[line.symbol] == 1 and line.symbol in passed
        if not stays and _brief(line.expression, once):
            formulas[line.symbol] = line.expression
        else:
            kept.append(line)
    return kept


def _brief(e: Expression, once: bool) -> bool:
    """Whether a line is short enough to stand where it is read, which may be once."""
    found = occurrences(e)
    short = sum(found.values()) <= LONGEST
    number = all(leaf.name is None and np.size(leaf.array) == 1 for leaf in found)
    bare = _bare(e)
    passes = isinstance(bare, Leaf) and bare.gradient
    return passes or (short and (number or once))


def _bare(e: Expression) -> Expression:
    """What is left of a formula without signs and transposes in front of it."""
    while isinstance(e, Apply) and e.op.name in UNARY:
        e = e.args[0]
    return e


def _of_values(
    read: list[Leaf], lines: list[Line], symbol: Callable[[Any], Leaf]
) -> dict[Leaf, Expression]:
    """The formulas of the values without a name that are simple enough."""
    nodes: dict[Leaf, Any] = {}
    for node in dict.fromkeys(term.stage.output for line in lines for term in line.terms):
        for x in (node, *node._inputs):
            if not isinstance(x, SCALARS) and x._op is not None and not x.name:
                nodes[symbol(x)] = x
    found: dict[Leaf, Expression] = {}
    for leaf in read:
        if leaf in nodes and (formula := _simple(nodes[leaf], symbol)) is not None:
            found[leaf] = formula
    return found


def _simple(x: Any, symbol: Callable[[Any], Leaf], depth: int = 3) -> Expression | None:
    """The formula of a value, where that is a move of a named one, or one step with a number."""
    moved = x._op.name in MOVES and not _picks(x._params.get("key"))
    stepped = x._op.name in WITH_A_NUMBER and any(isinstance(v, SCALARS) for v in x._inputs)
    if not depth or not (moved or stepped):
        return None
    args = [
        number(v)
        if isinstance(v, SCALARS)
        else symbol(v)
        if v._op is None or v.name
        else _simple(v, symbol, depth - 1) or symbol(v)
        for v in x._inputs
    ]
    return apply(x._op, tuple(args), x._params, x.shape)


def _picks(key: Any) -> bool:
    """Whether an index holds an array."""
    return any(isinstance(k, np.ndarray) for k in (key if isinstance(key, tuple) else (key,)))
