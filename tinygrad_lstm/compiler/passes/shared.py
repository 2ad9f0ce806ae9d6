"""What several passes ask about values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinygrad_lstm.compiler.graph import Graph, Value
from tinygrad_lstm.compiler.operations import LEAVES, VIEWS

__all__ = ["known_order", "leafy", "place_key"]


def leafy(v: Value) -> bool:
    """Whether a value is given, or only moves what is given: nothing recurrent is in it."""
    while v.op in VIEWS:
        (v,) = v.args
    return v.op in LEAVES or (v.op == "concatenate" and all(map(leafy, v.args)))


def place_key(v: Value) -> tuple[Any, ...]:
    """A key that sorts values by where they come from: parts of one value by their place in it."""
    bounds: list[Any] = []
    while v.op in VIEWS:
        if v.op == "cut":
            bounds.append(v.attrs)
        (v,) = v.args
    return v.number, tuple(reversed(bounds))


def known_order(graph: Graph, values: Sequence[Value]) -> list[int]:
    """The order in which to join `values` as columns: that in which they, or what they begin with,
    are joined already; else that of where they come from."""
    firsts = []
    for v in values:
        v = v.args[0] if v.op == "transpose" else v
        firsts.append(v.args[0] if v.op == "concatenate" and v.attrs == (0,) else v)
    known = graph.columns.get(frozenset(f.number for f in firsts))
    if known is not None:
        return sorted(range(len(values)), key=lambda i: known.index(firsts[i].number))
    return sorted(range(len(values)), key=lambda i: place_key(values[i]))
