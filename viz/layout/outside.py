"""What stands in no block: before the blocks, after them, or where a net that runs the other way
begins; and where edges end there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from tinygrad_lstm.viz.graph.data import Edge
from tinygrad_lstm.viz.layout.places import Measures
from tinygrad_lstm.viz.layout.wiring import Wiring

__all__ = ["Outside"]

PORT = 14.0  # between the ends of branches at a node


class Outside:
    """The nodes in no frame, by where they stand: `before` are those from which blocks read,
    directly or not; `beyond` those that the last block reads from its right; `after` the rest."""

    beyond: list[str]
    before: list[str]
    after: list[str]

    def __init__(self, wiring: Wiring) -> None:
        self.wiring = wiring
        self.beyond = [
            n.key
            for n in wiring.graph.nodes
            if wiring.frame(n.key) is None and self._is_beyond(n.key)
        ]
        self.before, self.after = self._outside()

    def _outside(self) -> tuple[list[str], list[str]]:
        """The nodes in no frame: those from which blocks read, directly or not, and the rest."""
        targets = defaultdict(list)
        for edge in self.wiring.graph.edges:
            targets[edge.source].append(edge.target)
        outside = [
            n.key
            for n in self.wiring.graph.nodes
            if self.wiring.frame(n.key) is None and n.key not in self.beyond
        ]
        before = {
            key: None
            for key in outside
            if any(self.wiring.frame(t) is not None for t in targets[key])
        }
        for key in reversed(outside):  # a later node is never read by an earlier one
            if any(t in before for t in targets[key]) and not self._is_fed(key):
                before[key] = None
        return [key for key in outside if key in before], [
            key for key in outside if key not in before
        ]

    def _is_beyond(self, key: str) -> bool:
        read = [edge for edge in self.wiring.graph.edges if edge.source == key]
        return bool(read) and all(map(self.wiring.goes_left, read)) and not self._is_fed(key)

    def _is_fed(self, key: str) -> bool:
        return any(
            edge.target == key and self.wiring.frame(edge.source) is not None
            for edge in self.wiring.graph.edges
        )

    def ports(
        self, measures: Measures, labels: Mapping[str, float]
    ) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
        """How high each edge ends at a node that is in no block, from the node's middle; and the
        sizes of the nodes, high enough for a label at each end."""
        sizes, ports = dict(measures.nodes), {}
        for key, edges in self._arriving().items():
            apart = PORT if any(labels[e.key] for e in edges) else PORT / 2
            width, height = sizes[key]
            if any(labels[e.key] for e in edges):
                height = max(height, apart * len(edges) + 4)
            step = min(apart, (height - 8) / len(edges))
            for i, edge in enumerate(edges):
                ports[edge.key] = step * ((len(edges) - 1) / 2 - i)
            sizes[key] = width, height
        return ports, sizes

    def _arriving(self) -> dict[str, list[Edge]]:
        """The edges that end at each node that is in no block, those from afar first, which come
        from above. Those of them that are no branches end as one."""
        order = {node.key: i for i, node in enumerate(self.wiring.graph.nodes)}
        found: dict[str, list[Edge]] = defaultdict(list)
        for edge in self.wiring.graph.edges:
            if not isinstance(self.wiring.frame(edge.target), int):
                found[edge.target].append(edge)
        for edges in found.values():
            edges.sort(key=lambda e: (self.wiring.goes_left(e), order[e.source], e.argument))
        return found
