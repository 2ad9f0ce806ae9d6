"""A program as nodes and edges, for whoever draws it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tinygrad_lstm.compiler.formulas import steps
from tinygrad_lstm.compiler.graph import Value
from tinygrad_lstm.compiler.planned import Planned

__all__ = ["MOST", "Flow", "FlowNode", "Row", "flow", "rows"]

MOST = 60  # instructions that are shown; of more, the first and the last
VIEWED = {"cut", "transpose", "reshape", "broadcast", "concatenate"}
Row = tuple[str, str, str, str]
"""What an instruction is, what it is for, its shape, and its place in memory."""


@dataclass(frozen=True)
class FlowNode:
    """An instruction, or a number of them that are left out.

    Attributes
    ----------
    kind : str
        ``"loop"``, ``"product"``, ``"copy"``, ``"input"``, ``"more"``, or another operation.
    lines : tuple of str
        What is said of it.
    """

    kind: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Flow:
    """What runs, in order, and who reads what somebody else computes.

    Attributes
    ----------
    nodes : tuple of FlowNode
    edges : tuple of (int, int)
        Places of nodes: who computes, who reads.
    """

    nodes: tuple[FlowNode, ...]
    edges: tuple[tuple[int, int], ...]


def rows(planned: Planned) -> dict[int, Row]:
    """The instructions that are shown, by their place."""
    count = len(planned.instructions)
    shown = [i for i in range(count) if i < MOST // 2 or i >= count - MOST // 2]
    return {i: _row(planned, *planned.instructions[i]) for i in shown}


def _row(planned: Planned, kind: str, what: Any) -> Row:
    if kind == "kernel":
        values = f"{steps(what)} operations, {len(what.inputs)} in, {len(what.outputs)} out"
        return "loop", values, str(what.shape), _where(planned, what.outputs[0])
    if kind == "copy":
        return "copy", planned.told(what.source), str(what.source.shape), f"at {what.place.offset}"
    name = what.attrs[0].name if what.op == "call" else what.op
    return name, planned.told(what), str(what.shape), _where(planned, what)


def _where(planned: Planned, v: Value) -> str:
    return f"at {planned.memory.where(v).offset}"


def flow(planned: Planned, shown: dict[int, Row], inputs: dict[Value, str]) -> Flow:
    """What flows between the instructions that are shown; those left out are one node.

    Parameters
    ----------
    planned : Planned
    shown : dict
        As of :func:`rows`.
    inputs : dict of str
        What is read at each call, and what it is called.
    """
    nodes = [FlowNode("input", (name, str(v.shape))) for v, name in inputs.items()]
    maker = {v.number: i for i, v in enumerate(inputs)}
    edges: set[tuple[int, int]] = set()
    for i, (kind, what) in enumerate(planned.instructions):
        if i in shown:
            name, *rest = shown[i]
            label = (f"{i + 1}. {name}", *rest[:2])
            nodes.append(FlowNode("product" if name == "matmul" else name, label))
        elif i - 1 in shown:
            nodes.append(FlowNode("more", (f"{len(planned.instructions) - len(shown)} more",)))
        here = len(nodes) - 1
        for v in _read(kind, what):
            edges |= {(maker[n], here) for n in _bases(v) if maker.get(n, here) != here}
        for v in _made(kind, what):
            maker[v.number] = here
    return Flow(tuple(nodes), tuple(sorted(edges)))


def _read(kind: str, what: Any) -> list[Value]:
    if kind == "kernel":
        return list(what.inputs)
    return [what.source] if kind == "copy" else list(what.args)


def _made(kind: str, what: Any) -> list[Value]:
    return list(what.outputs) if kind == "kernel" else [] if kind == "copy" else [what]


def _bases(v: Value) -> set[int]:
    """What a value is a view of, or joined of, and itself."""
    found, waiting = set(), [v]
    while waiting:
        u = waiting.pop()
        found.add(u.number)
        if u.op in VIEWED:
            waiting += u.args
    return found
