"""How the blocks of any cell hang together: the roles of their nodes, the sides on which edges come
in and go out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from tinygrad_lstm.viz.graph.data import Edge, Graph, Node, Run

__all__ = ["LEFT", "ROWS", "Port", "Role", "Slot", "Wiring"]

LIKENESS = 1.5  # blocks repeat if their union is at most this much larger than the largest of them

ROWS = 0.28

Role = tuple[str, int]  # the name or the operation, and its number among those of the block
Port = tuple[str, Any]  # "entry", "exit" of what goes to the right; "return", "send" to the left;
# "lift" or "lower" and "rise" of what goes from one lane of a block to another
Slot = tuple[Any, Any, int]  # an edge of a block: from a role or a port to another, as argument
LEFT = ("entry", "send", "rise", "lower")  # the ports on the left side of a block or lane


class Wiring:
    """The roles of the nodes in their blocks, and how edges enter and leave the blocks; `rows` are
    the inches between nodes above each other."""

    ports: dict[tuple[Role, int], Role]

    def __init__(self, graph: Graph, rows: float = ROWS) -> None:
        self.graph, self.rows = graph, rows
        self.roles: dict[str, Role] = dict(_roles(graph.nodes))
        self.ports = self._ports()

    def frame(self, key: str) -> int | Run | None:
        return self.graph.frame(self.graph.node(key).block)

    def inside(self, edge: Edge) -> bool:
        frame = self.frame(edge.source)
        return isinstance(frame, int) and frame == self.frame(edge.target) and not edge.steps

    def slot(self, edge: Edge) -> Slot:
        """The edge of the template in whose place an edge ends."""
        return (
            self.roles[edge.source] if self.inside(edge) else self.port(edge),
            self.roles[edge.target],
            edge.argument,
        )

    def entry(self, edge: Edge) -> Any:
        """The entry through which an edge comes into a block: the same in all blocks, named by the
        role that is handed over."""
        return self.ports.get((self.roles[edge.target], edge.argument), edge.source)

    def port(self, edge: Edge) -> Port:
        """The side of a block on which an edge comes in, and the entry there."""
        entry = self.entry(edge)
        return ("return" if entry in self.leftward else "entry"), entry

    def goes_left(self, edge: Edge) -> bool:
        """Whether an edge leads to the block before, or into the last one from its right."""
        if self.frame(edge.source) is None:
            return self.frame(edge.target) == self.graph.frames[-1] and (
                self.entry(edge) in self.leftward
            )
        return self.roles[edge.source] in self.leftward and self.frame(edge.target) is not None

    @cached_property
    def lanes(self) -> dict[Role, tuple[str, bool]]:
        """The lane of each role: the scope of its name, which is a layer or a direction; and
        whether it only joins others, which takes a lane of its own."""
        scopes = {n.key: n.called.scope for n in self.graph.nodes}
        inside = [e for e in self.graph.edges if self.inside(e)]
        joined = {e.target for e in inside if scopes[e.source] != scopes[e.target]}
        joined -= {e.source for e in inside if scopes[e.source] == scopes[e.target]}
        joins = {self.roles[key] for key in joined}
        return {
            self.roles[n.key]: (scopes[n.key], self.roles[n.key] in joins)
            for n in self.graph.nodes
            if isinstance(self.frame(n.key), int)
        }

    @cached_property
    def _crossing(self) -> list[Edge]:
        """The edges from one frame to another, and the loops of one that stands for all."""
        return [
            edge
            for edge in self.graph.edges
            if None not in (frames := (self.frame(edge.source), self.frame(edge.target)))
            and (frames[0] != frames[1] or edge.steps)
        ]

    def _ports(self) -> dict[tuple[Role, int], Role]:
        return {
            (self.roles[e.target], e.argument): self.roles[e.source]
            for e in self._crossing
            if isinstance(self.frame(e.target), int)
        }

    @cached_property
    def leftward(self) -> frozenset[Any]:
        """The roles that each block hands to the one before it: a net that runs the other way."""
        order = {frame: i for i, frame in enumerate(self.graph.frames)}
        steps: dict[Role, set[int]] = defaultdict(set)
        for edge in self._crossing:
            ends = [
                order[frame] for key in (edge.source, edge.target) if (frame := self.frame(key))
            ]
            steps[self.roles[edge.source]].add(edge.steps or ends[1] - ends[0])
        return frozenset(role for role, found in steps.items() if found == {-1})

    @cached_property
    def leaving(self) -> dict[Role, None]:
        """The roles that later blocks read, or would read, or that are read outside."""
        edges = (
            edge
            for edge in self.graph.edges
            if not self.inside(edge)
            and not self.goes_left(edge)
            and isinstance(self.frame(edge.source), int)
        )
        ends = (zero.source for zero in self.graph.zeros if self.graph.frame(zero.block) is None)
        return dict.fromkeys(self.roles[key] for key in (*(edge.source for edge in edges), *ends))

    @cached_property
    def repeats(self) -> bool:
        """Whether the blocks are about the same."""
        sizes = Counter(
            n.block for n in self.graph.nodes if isinstance(self.graph.frame(n.block), int)
        )
        union = {self.roles[n.key] for n in self.graph.nodes if n.block in sizes}
        return len(union) <= LIKENESS * max(sizes.values(), default=0)


def _roles(nodes: Sequence[Node]) -> Iterator[tuple[str, Role]]:
    counted: Counter[tuple[int | None, str]] = Counter()
    for node in nodes:
        named = node.is_placed or node.role or node.op == "parameter"
        name = node.stem if named else node.op
        yield node.key, (name, counted[node.block, name])
        counted[node.block, name] += 1
