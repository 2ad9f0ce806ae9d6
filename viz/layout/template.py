"""One block of any cell, placed once by Graphviz: the union of what the drawn blocks hold, with the
ways in and out."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tinygrad_lstm.errors import DrawingError
from tinygrad_lstm.viz.graph.data import Edge, Graph, Node, Run
from tinygrad_lstm.viz.layout.curves import Curve, Point
from tinygrad_lstm.viz.layout.places import RING, Measures
from tinygrad_lstm.viz.look.style import SHAPES, kind

__all__ = ["Role", "Slot", "Template", "Wiring", "arranged"]

LIKENESS = 1.5  # blocks repeat if their union is at most this much larger than the largest of them
LOWEST = 90.0  # the height of folded blocks, where there are no others
CHARACTER = (
    5.4  # the width of a character of the labels' stand-ins, which are in a font of one width
)

Role = tuple[str, int]  # the name or the operation, and its number among those of the block
Slot = tuple[
    Any, Any, int
]  # an edge of the template: from a role or an entry, to a role or an exit, as which argument


class Wiring:
    """The roles of the nodes in their blocks, and how edges enter and leave the blocks."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.roles: dict[str, Role] = dict(_roles(graph.nodes))
        self.ports = self._ports()

    def frame(self, key: str) -> int | Run | None:
        return self.graph.frame(self.graph.node(key).block)

    def inside(self, edge: Edge) -> bool:
        return isinstance(self.frame(edge.source), int) and self.frame(edge.source) == self.frame(
            edge.target
        )

    def slot(self, edge: Edge) -> Slot:
        """The edge of the template in whose place an edge ends."""
        return (
            self.roles[edge.source] if self.inside(edge) else self.entry(edge),
            self.roles[edge.target],
            edge.argument,
        )

    def entry(self, edge: Edge) -> Any:
        """The entry through which an edge comes into a block: the same in all blocks, named by the
        role that is handed over."""
        return self.ports.get((self.roles[edge.target], edge.argument), edge.source)

    def _ports(self) -> dict[tuple[Role, int], Role]:
        crossing = [
            edge
            for edge in self.graph.edges
            if not self.inside(edge) and self.frame(edge.source) is not None
        ]
        return {
            (self.roles[e.target], e.argument): self.roles[e.source]
            for e in crossing
            if isinstance(self.frame(e.target), int)
        }

    @cached_property
    def leaving(self) -> dict[Role, None]:
        """The roles that other blocks read, or would read."""
        edges = (
            edge
            for edge in self.graph.edges
            if not self.inside(edge) and isinstance(self.frame(edge.source), int)
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
        named = (
            node.name == f"{node.stem}<{node.block}>"
            or " … " in node.name
            or node.op == "parameter"
        )
        name = node.stem if named else node.op
        yield node.key, (name, counted[node.block, name])
        counted[node.block, name] += 1


@dataclass(frozen=True)
class Template:
    """Where everything is in a block, from its lower left corner: middles of roles, heights of
    entries and exits, edges and labels."""

    width: float
    height: float
    spots: Mapping[Any, Point]
    sizes: Mapping[Role, tuple[float, float]]
    curves: dict[Slot, Curve] = field(default_factory=dict)
    labels: dict[Slot, Point] = field(default_factory=dict)

    def way_out(self, role: Role) -> Curve:
        """From a role to the right side of the block."""
        return self.curves[role, ("exit", role), 0]


def arranged(wiring: Wiring, measures: Measures, arrange: Callable[[str], str]) -> Template:
    """The template of the blocks of a graph.

    Raises
    ------
    DrawingError
        If Graphviz fails, or says something else than where things are.
    """
    sizes = _sizes(wiring, measures)
    if not sizes:  # every block is folded
        return Template(0.0, LOWEST, {}, {})
    slots = _slots(wiring, measures)
    ids: dict[Any, str] = {}
    for slot in slots:
        for end in slot[:2]:
            ids.setdefault(end, f"v{len(ids)}")
    for role in sizes:
        ids.setdefault(role, f"v{len(ids)}")
    plain = arrange(_text(wiring, sizes, slots, ids))
    try:
        template = _read(plain, sizes, slots, ids)
    except (IndexError, KeyError, StopIteration, ValueError):
        template = None
    if template is None or template.curves.keys() != slots.keys():
        raise DrawingError(
            "Graphviz did not place the block",
            expected="positions in its plain format",
            got=ascii(plain[:40]),
        )
    return template


def _sizes(wiring: Wiring, measures: Measures) -> dict[Role, tuple[float, float]]:
    """The room of each role, second rings included: that of the largest of its nodes; all nodes of
    a role are as large."""
    sizes: dict[Role, tuple[float, float]] = {}
    for node in wiring.graph.nodes:
        if isinstance(wiring.graph.frame(node.block), int):
            width, height = sizes.get(role := wiring.roles[node.key], (0.0, 0.0))
            needed = [length + 2 * RING * node.fork for length in measures.nodes[node.key]]
            sizes[role] = max(width, needed[0]), max(height, needed[1])
    return sizes


def _slots(wiring: Wiring, measures: Measures) -> dict[Slot, float]:
    """The edges of the template, each with the room for its label."""
    found: dict[Slot, float] = {}
    for edge, label in zip(wiring.graph.edges, measures.labels, strict=True):
        if isinstance(wiring.frame(edge.target), int):
            slot = wiring.slot(edge)
            slot = slot if wiring.inside(edge) else (("entry", slot[0]), *slot[1:])
            found[slot] = max(found.get(slot, 0.0), label)
    return found | {(role, ("exit", role), 0): 0.0 for role in wiring.leaving}


def _text(
    wiring: Wiring,
    sizes: Mapping[Role, tuple[float, float]],
    slots: Mapping[Slot, float],
    ids: Mapping[Any, str],
) -> str:
    """The template as DOT text, without any text of the user."""
    drawn = {
        wiring.roles[n.key]: n
        for n in wiring.graph.nodes
        if isinstance(wiring.graph.frame(n.block), int)
    }
    lines = [
        "digraph {",
        'rankdir=LR nodesep=0.28 ranksep=0.4 node [fixedsize=true label=""] edge [arrowhead=none '
        "fontname=Courier fontsize=9]",
    ]
    for end, id in ids.items():
        if end in sizes:
            width, height = sizes[end]
            lines.append(
                f"{id} [shape={SHAPES[kind(drawn[end])][0]} width={width / 72:.4f} "
                f"height={height / 72:.4f}]"
            )
        else:
            lines.append(
                f"{{rank={'source' if end[0] == 'entry' else 'sink'} {id} [shape=point "
                "width=0.02 height=0.02]}"
            )
    for slot, label in slots.items():
        text = "0" * math.ceil(label / CHARACTER)
        level = " tailport=e" * (slot[0] not in sizes) + " headport=w" * (
            slot[1] not in sizes
        )  # ways in and out begin and end level
        lines.append(
            f"{ids[slot[0]]} -> {ids[slot[1]]} [" + f'label="{text}"' * bool(text) + level + "]"
        )
    return "\n".join([*lines, *_unseen(sizes, slots, ids), "}"])


def _unseen(
    sizes: Mapping[Role, tuple[float, float]], slots: Mapping[Slot, float], ids: Mapping[Any, str]
) -> list[str]:
    """Lines that only pull: what nothing is led to begins on the left, and the way out of a block
    is as high as the way into the next."""
    entries, fed = [end for end in ids if end[0] == "entry"], {slot[1] for slot in slots}
    lines = [
        f"{ids[end]} -> {id} [style=invis weight=0]"
        for end in entries[:1]
        for role, id in ids.items()
        if role in sizes and role not in fed
    ]
    handed_on = [end for end in entries if ("exit", end[1]) in ids]
    return lines + [
        f"{ids[end]} -> {ids['exit', end[1]]} [style=invis weight=20]" for end in handed_on
    ]


def _read(
    plain: str,
    sizes: Mapping[Role, tuple[float, float]],
    slots: Mapping[Slot, float],
    ids: Mapping[Any, str],
) -> Template:
    """The template from Graphviz's plain format, which is in inches."""
    plain = re.sub(r"\\\r?\n", "", plain)
    rows = [line.split() for line in plain.splitlines()]
    width, height = next(
        (float(row[2]) * 72, float(row[3]) * 72) for row in rows if row[0] == "graph"
    )
    at = {row[1]: (float(row[2]) * 72, float(row[3]) * 72) for row in rows if row[0] == "node"}
    template = Template(width, height, {end: at[id] for end, id in ids.items()}, sizes)
    waiting: dict[tuple[str, str], list[Slot]] = defaultdict(list)
    for slot in slots:
        waiting[ids[slot[0]], ids[slot[1]]].append(slot)
    for row in rows:
        if row[0] == "edge" and waiting[row[1], row[2]]:
            slot, count = waiting[row[1], row[2]].pop(0), int(row[3])
            numbers = [float(x) * 72 for x in row[4 : 4 + 2 * count]]
            template.curves[slot] = tuple(zip(numbers[::2], numbers[1::2], strict=True))
            rest = row[4 + 2 * count :]
            if len(rest) == 5:  # a label and its place, before the style and the colour
                template.labels[slot] = float(rest[1]) * 72, float(rest[2]) * 72
    return template
