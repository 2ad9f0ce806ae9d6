"""A program as nodes and edges, for whoever draws it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tinygrad_lstm.compiler.graph import Value
from tinygrad_lstm.compiler.plan import Replay
from tinygrad_lstm.compiler.report import rows

__all__ = ["Flow", "FlowNode", "flow"]

MOST = 60  # instructions that are shown; of more, the first and the last
VIEWED = {"cut", "transpose", "reshape", "broadcast", "concatenate"}


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


def flow(replay: Replay) -> Flow:
    """The instructions of a program and what flows between them."""
    inputs = [v for v in replay.schedule.order if v.op == "input"]
    nodes = [FlowNode("input", (_name(replay, v), str(v.shape))) for v in inputs]
    maker = {v.number: i for i, v in enumerate(inputs)}
    edges: set[tuple[int, int]] = set()
    count = len(replay.instructions)
    left = range(MOST // 2, count - MOST // 2) if count > MOST else range(0)
    for i, (row, (kind, what)) in enumerate(zip(rows(replay), replay.instructions, strict=True)):
        if i not in left:
            named = "product" if row[0] == "matmul" else row[0]
            nodes.append(FlowNode(named, (f"{i + 1}. {row[0]}", row[1], row[2])))
        elif i == left.start:
            nodes.append(FlowNode("more", (f"{len(left)} more",)))
        here = len(nodes) - 1
        for v in _read(kind, what):
            edges |= {(maker[n], here) for n in _bases(v) if maker.get(n, here) != here}
        for v in _made(kind, what):
            maker[v.number] = here
    return Flow(tuple(nodes), tuple(sorted(edges)))


def _name(replay: Replay, v: Value) -> str:
    source = replay.program.inputs[v.number]
    return f"argument {source + 1}" if isinstance(source, int) else v.origin


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
