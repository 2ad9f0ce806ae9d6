"""What a graph computes, value by value in plain NumPy: slow, simple, and the judge of the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_lstm.compiler.graph import Graph, Value, in_order
from tinygrad_lstm.compiler.operations import ELEMENTWISE, REDUCTIONS, compute, number

__all__ = ["evaluate", "run", "slices"]

Array = NDArray[Any]


def slices(bounds: Iterable[tuple[int, int]]) -> tuple[slice, ...]:
    """Bounds as an index."""
    return tuple(slice(start, stop) for start, stop in bounds)


def run(graph: Graph, value: Value, args: list[Array]) -> Array:
    """What one value is, given its arguments."""
    op = value.op
    if op == "formula":
        found: Array = value.attrs[0].compute(args, value.dtype)
        return found
    if op in ELEMENTWISE:
        return compute(op, args, value.dtype)
    if op in REDUCTIONS:
        found = REDUCTIONS[op].reduce(args[0], axis=value.attrs[0], dtype=value.dtype)
        return np.asarray(found)
    return np.asarray(OTHERS[op](graph, value, args))


def _place(graph: Graph, value: Value, args: list[Array]) -> Array:
    out = np.zeros(value.shape, value.dtype)
    out[slices(value.attrs)] = args[0]
    return out


OTHERS: dict[str, Any] = {
    "number": lambda graph, value, args: number(value),
    "constant": lambda graph, value, args: graph.data[value.number],
    "matmul": lambda graph, value, args: sum(
        (a @ b for a, b in zip(args[::2], args[1::2], strict=False)), *args[len(args) // 2 * 2 :]
    ),
    "dot": lambda graph, value, args: args[0] @ args[1],
    "concatenate": lambda graph, value, args: np.concatenate(args, axis=value.attrs[0]),
    "cut": lambda graph, value, args: args[0][slices(value.attrs)],
    "transpose": lambda graph, value, args: args[0].transpose(value.attrs[0]),
    "reshape": lambda graph, value, args: args[0].reshape(value.shape),
    "broadcast": lambda graph, value, args: np.broadcast_to(args[0], value.shape),
    "place": _place,
    "panels": lambda graph, value, args: args[0],
    "call": lambda graph, value, args: value.attrs[0](*args),
}


def evaluate(
    graph: Graph, roots: Iterable[Value], given: Mapping[int, Array], known: dict[int, Array]
) -> list[Array]:
    """The arrays of `roots`.

    Parameters
    ----------
    graph : Graph
    roots : iterable of Value
    given : mapping
        The arrays of inputs and draws, by their number in the graph.
    known : dict
        What is known already; everything computed is added.
    """
    roots = list(roots)
    for value in in_order(roots):
        if value.number not in known:
            found = given.get(value.number)
            args = [known[a.number] for a in value.args]
            known[value.number] = run(graph, value, args) if found is None else found
    return [known[root.number] for root in roots]
