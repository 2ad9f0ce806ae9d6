"""Forks with more branches than a page is high: the first ones and the last are drawn, and one node
stands for the rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from tinygrad_lstm.viz.graph.data import Edge, Graph, Node

__all__ = ["thinned"]

MOST = 12  # branches of one fork to the same frame that are drawn
FIRST, LAST = 2, 1  # .. and of more, these


def thinned(graph: Graph) -> Graph:
    """The graph in which no fork has more than twelve branches in one frame.

    What the others lead to is hidden with them, as far as nothing that stays has a part in it. The
    edge to the node that stands for them carries the sum of what they send back.
    """
    folded = 0
    while (crowd := _crowd(graph)) is not None:
        fork, targets = crowd
        graph = _folded(graph, fork, targets, f"more-{folded}")
        folded += 1
    return graph


def _crowd(graph: Graph) -> tuple[Node, list[Node]] | None:
    """A fork with too many readers in one frame, and those that can be folded."""
    found: dict[tuple[str, int | None], dict[str, Node]] = defaultdict(dict)
    for edge in graph.edges:
        if edge.fork and not edge.through:
            target = graph.node(edge.target)
            found[edge.source, target.block][target.key] = target
    for (key, _), several in found.items():
        middle = list(several.values())[FIRST:-LAST]
        plain = [n for n in middle if n.key != graph.root and not n.ways and not n.verdict]
        if len(several) > MOST and len(plain) > 1:
            return graph.node(key), plain
    return None


def _folded(graph: Graph, fork: Node, readers: list[Node], key: str) -> Graph:
    """The graph with one node in the place of some readers of a fork."""
    more = Node(
        key,
        f"{len(readers)} more, their sum",
        f"readers of {fork.name}",
        "more",
        readers[0].block,
        _total([n.value for n in readers]),
    )
    hidden = _hidden(graph, {n.key for n in readers})
    nodes = [n for n in graph.nodes if n.key not in hidden]
    at = 1 + nodes.index(fork)
    edges = tuple(_merged(graph, hidden, key))
    return replace(graph, nodes=(*nodes[:at], more, *nodes[at:]), edges=edges)


def _merged(graph: Graph, hidden: set[str], key: str) -> Iterable[Edge]:
    """The edges, with one to `key` or from it for all between a node and what is hidden."""
    edges: dict[tuple[str, str], Edge] = {}
    for edge in graph.edges:
        source, target = (key if end in hidden else end for end in (edge.source, edge.target))
        if source == target:
            continue
        if key not in (source, target):
            edges[edge.key, ""] = edge
        elif (known := edges.get((source, target))) is None:
            first = 0 if target == key else edge.argument
            gradient = edge.gradient if target == key else None
            edges[source, target] = Edge(source, target, first, edge.fork, gradient, True)
        elif target == key and edge.gradient is not None:
            edges[source, target] = replace(known, gradient=known.gradient + edge.gradient)
    return edges.values()


def _total(values: list[Any]) -> Any:
    """The sum of arrays; of those of several shapes, the sum of their entries."""
    if len({value.shape for value in values}) > 1:
        values = [value.sum() for value in values]
    return sum(values[1:], values[0])


def _hidden(graph: Graph, found: set[str]) -> set[str]:
    """What is computed from hidden values and leaves alone, and the leaves that nothing else
    reads."""
    sources, targets = defaultdict(list), defaultdict(list)
    for edge in graph.edges:
        sources[edge.target].append(edge.source)
        targets[edge.source].append(edge.target)
    leaves = {n.key for n in graph.nodes if not n.formula}
    hidden = set(found)
    for node in graph.nodes:
        from_hidden = any(s in hidden for s in sources[node.key])
        if from_hidden and all(s in hidden or s in leaves for s in sources[node.key]):
            hidden |= {node.key} - {graph.root}
    return hidden | {key for key in leaves if targets[key] and {*targets[key]} <= hidden}
