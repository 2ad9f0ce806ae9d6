"""What is said beside a picture: tooltips, and the whole in words for who cannot see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_lstm.viz.graph.data import Edge, Graph, Node, Zero
from tinygrad_lstm.viz.look.numbers import exact
from tinygrad_lstm.viz.look.text import count, printable, shortened, stated

__all__ = ["description", "edge_tooltip", "ledger_tooltip", "tooltip", "zero_tooltip"]

Said = tuple[str, Any]  # a text, and the array behind it or None
SENDS = " sends back "


def tooltip(node: Node, exact: Callable[[Any], str] = exact) -> str:
    """Everything about a node: exact value and gradient, shape, dtype, stage and block. `exact` is
    how an array is written."""
    if node.said:
        return _of_every_block(node)
    where = "" if node.block is None else f", block {node.block}"
    stage = f"{node.op}: {node.name} = {node.formula}" if node.formula else f"{node.op} {node.name}"
    value = np.asarray(node.value)
    said: list[Said] = [(f"{stage}{where}", None), (f"shape {value.shape}, {value.dtype}", None)]
    said.append(("value ", value))
    if node.gradient is not None:
        said.append(("gradient ", node.gradient))
    if node.fork:
        is_sum = ": the gradient is the sum of" if node.gradient is not None else ":"
        said.append((f"fork, read {len(node.readers)} times{is_sum}", None))
        said += [
            (f"  {r.name}{'' if r.gradient is None else SENDS}", r.gradient)
            for r in node.readers[:20]
        ]
        said += [(f"  … and {len(node.readers) - 20} more", None)] * (len(node.readers) > 20)
    if node.verdict:
        said.append((node.verdict.text, None))
    return _written(said, exact)


def _written(said: Sequence[Said], exact: Callable[[Any], str]) -> str:
    """Lines, each with the array that stands behind its text."""
    return "\n".join(printable(text) + ("" if x is None else exact(x)) for text, x in said)


def _of_every_block(node: Node) -> str:
    said = [f"{node.op} {node.name}, of every block", f"shape {', '.join(node.said)}"]
    if node.fork:
        readers = dict.fromkeys(r.called.role for r in node.readers)
        said.append(f"fork, read by {', '.join(readers)}")
    if node.verdict:
        said.append(node.verdict.text)
    return "\n".join(map(printable, said))


def ledger_tooltip(graph: Graph) -> str:
    """The exact derivatives by the parameters, and the shares of the blocks."""
    said = []
    for p in graph.parameters:
        said.append(
            f"{p.name}: shape {p.value.shape}, {p.value.dtype}, "
            + (f"gradient {exact(p.gradient, 8)}" if graph.has_gradients else "read")
        )
        if len(p.shares) <= 6 and graph.has_gradients:
            said += [f"  t = {r.block} sends back {exact(r.gradient, 8)}" for r in p.shares]
    return "\n".join(map(printable, said)) or "How to read"


def edge_tooltip(
    edge: Edge, source: Node, target: Node, exact: Callable[[Any], str] = exact
) -> str:
    """Who reads what through an edge, and what it sends back; `exact` is how an array is
    written."""
    text = (
        f"{source.name} goes on through blocks that are not drawn"
        if edge.through
        else f"{source.name} is read by {target.name}, argument {edge.argument}"
    )
    said: list[Said] = [(text, None)]
    if edge.gradient is not None:
        said.append((SENDS.lstrip(), edge.gradient))
    if edge.verdict:
        said.append((edge.verdict.text, None))
    return _written(said, exact)


def description(graph: Graph) -> str:
    """The picture in words, for who cannot see it."""
    root = graph.node(graph.root)
    said = [f"The graph that led to {stated(root)}"]
    if graph.blocks:
        said.append(
            f"one block that stands for {len(graph.blocks):,}"
            if graph.rolled
            else f"{count(len(graph.blocks), 'block')} of time side by side, "
            f"{sum(run.count for run in graph.runs)} of them not stage by stage"
        )
    said.append(f"{count(graph.forks, 'fork')} among the values, each with a double ring")
    forks = [n for n in graph.nodes if n.fork]
    for n in forks[:12]:
        readers = [shortened(r.called.role if n.said else r.name) for r in n.readers[:8]]
        said.append(f"{shortened(n.name)} is read by {', '.join(dict.fromkeys(readers))}")
    said += [f"and {len(forks) - 12} more forks are drawn"] if len(forks) > 12 else []
    said += [f"Every way back to {shortened(name)} is marked" for name in graph.ways]
    said += [
        f"The comparison finds {shortened(v.name)} {v.text}"
        for v in graph.verdicts
        if v.kind == "first"
    ]
    return ". ".join(said) + "."


def zero_tooltip(zero: Zero, source: Node) -> str:
    """Which branch is not there."""
    readers = " and ".join(zero.readers)
    return printable(f"no {readers} reads {source.name}: the gradient from there is 0")
