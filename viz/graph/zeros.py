"""The branches that are not there: where other blocks read a value once more, and so 0 comes
back."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace

from tinygrad_lstm.engine.names import Name
from tinygrad_lstm.viz.graph.data import Graph, Node, Zero

__all__ = ["zeros"]


def zeros(graph: Graph) -> Graph:
    """The graph with its zero branches.

    Where other blocks have a stage that reads a value, but for this value it does not exist, its
    branch sends back 0: the next block's after the last block (c<T>, a<T>), and the loss of a block
    without loss (many-to-one).
    """
    return replace(graph, zeros=tuple(_zeros(graph)))


def _zeros(graph: Graph) -> Iterator[Zero]:
    counted = Counter((n.stem, n.block) for n in graph.nodes)
    own = [n for n in graph.nodes if n.is_placed and counted[n.stem, n.block] == 1]
    patterns: dict[str, dict[tuple[str, int], None]] = defaultdict(dict)
    for node in own:
        patterns[node.stem] |= _read(node)
    losses = {
        graph.node(e.source).stem
        for e in graph.edges
        if graph.frame(graph.node(e.target).block) is None
    }
    for node in own:
        if not node.formula or not node.readers or graph.frame(node.block) != node.block:
            continue
        missing: dict[int, list[str]] = defaultdict(list)
        for stem, later in patterns[node.stem]:
            block = node.block + later  # type: ignore[operator]
            expected = stem in losses if later == 0 else later == 1 and block not in graph.blocks
            if expected and (stem, later) not in _read(node) and (stem, block) not in counted:
                missing[block].append(str(Name(stem, block)))
        yield from (Zero(node.key, tuple(readers), block) for block, readers in missing.items())


def _read(node: Node) -> dict[tuple[str, int], None]:
    """Who reads a value: the role of the stage, and how many blocks later it is."""
    found: dict[tuple[str, int], None] = {}
    for r in node.readers:
        if r.block is not None and r.called.block == r.block:
            found[r.called.role, r.block - node.block] = None  # type: ignore[operator]
    return found
