"""The middle of a long sequence, left out of a picture: what stays in its place, and what is counted."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from tinygrad_lstm.viz.graph import Edge, Elided, Graph, Node

__all__ = ["elide"]


def elide(graph: Graph, keep: int | None) -> Graph:
    """The graph with `keep` blocks at each end and what connects them; unchanged where that would hide fewer than three blocks.

    A hidden value that a visible stage reads stays, as the stand-in for the blocks before it: it shows the hand-over.
    Where a visible stage reads the same value of many hidden blocks (their Errors), one node holds all of them.
    """
    if keep is None or len(graph.blocks) < 2 * keep + 3:
        return graph
    elided = Elided(graph.blocks[keep], graph.blocks[-keep - 1], 0)
    hidden = {n.key: n for n in graph.nodes if n.block in elided}
    read = {e.source for e in graph.edges if e.source in hidden and e.target not in hidden}
    groups: dict[str, list[Node]] = defaultdict(list)
    for node in hidden.values():
        if node.key in read:
            groups[node.stem].append(node)
    stand_ins = {stem: _stand_in(group, elided) for stem, group in groups.items()}
    shown = {node.key: node for node in stand_ins.values()}
    return replace(
        graph,
        nodes=tuple(shown.get(n.key, n) for n in graph.nodes if n.key not in hidden or n.key in shown),
        edges=_reconnected(graph, hidden, stand_ins),
        elided=replace(elided, forks=sum(node.fork for node in hidden.values())),
    )


def _stand_in(group: list[Node], elided: Elided) -> Node:
    """What stays of the same value of hidden blocks: the one that is read elsewhere, or the sum of the entries of all that are."""
    first, last = group[0], group[-1]
    if first is last:
        unseen = [r.gradient for r in first.readers if r.block in elided and r.gradient is not None]
        return replace(first, unseen=sum(unseen)) if unseen else first
    total = sum(node.value.sum() for node in group)
    return replace(last, name=f"{first.name} … {last.name}", formula=f"sum of {len(group)}", value=total, gradient=None, readers=())


def _reconnected(graph: Graph, hidden: dict[str, Node], stand_ins: dict[str, Node]) -> tuple[Edge, ...]:
    """The edges among what is left: those into hidden blocks end at the stand-in of the value that they carry on."""
    stems = {n.key: n.stem for n in graph.nodes}
    found: dict[tuple[str, str, int], Edge] = {}
    for e in graph.edges:
        if e.source in hidden and e.target not in hidden:
            stand_in = stand_ins[stems[e.source]]
            if stand_in.key != e.source:  # many blocks in one node: one edge for all
                continue
            found[e.source, e.target, e.argument] = e
        elif e.source not in hidden and e.target not in hidden:
            found[e.source, e.target, e.argument] = e
        elif e.source not in hidden and stand_ins:
            stand_in = stand_ins.get(stems[e.source]) or next(iter(stand_ins.values()))
            found[e.source, stand_in.key, e.argument] = replace(e, target=stand_in.key, through=True)
    return tuple(found.values())
