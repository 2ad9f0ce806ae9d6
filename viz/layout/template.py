"""One block of any cell, placed once by Graphviz: the union of what the drawn blocks hold, with the
ways in and out."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tinygrad_lstm.errors import DrawingError
from tinygrad_lstm.viz.layout.curves import Curve, Point
from tinygrad_lstm.viz.layout.places import RING, Measures
from tinygrad_lstm.viz.layout.wiring import LEFT, Port, Role, Slot, Wiring
from tinygrad_lstm.viz.look.style import SHAPES, kind

__all__ = ["LOWEST", "Template", "placed", "rooms", "slots"]

NEAREST = 6.0  # between the ends of two edges at a node
LOWEST = 90.0  # the height of folded blocks, where there are no others
CHARACTER = (
    5.4  # the width of a character of the labels' stand-ins, which are in a font of one width
)


@dataclass(frozen=True)
class Template:
    """Where everything is in a block, from its lower left corner: middles of roles, heights of
    entries and exits, edges and labels."""

    width: float
    height: float
    spots: dict[Any, Point]
    sizes: Mapping[Role, tuple[float, float]]
    curves: dict[Slot, Curve] = field(default_factory=dict)
    labels: dict[Slot, Point] = field(default_factory=dict)

    def way_out(self, role: Role, port: str = "exit") -> Curve:
        """From a role to the right side of the block, or ("send") to the left one."""
        return self.curves[role, (port, role), 0]


def placed(
    wiring: Wiring,
    sizes: Mapping[Role, tuple[float, float]],
    slots: Mapping[Slot, float],
    arrange: Callable[[str], str],
) -> Template:
    """Roles and the edges among them, placed by Graphviz.

    Raises
    ------
    DrawingError
        If Graphviz fails, or says something else than where things are.
    """
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


def rooms(wiring: Wiring, measures: Measures) -> dict[Role, tuple[float, float]]:
    """The room of each role, second rings included: that of the largest of its nodes; all nodes of
    a role are as large."""
    sizes: dict[Role, tuple[float, float]] = {}
    for node in wiring.graph.nodes:
        if isinstance(wiring.graph.frame(node.block), int):
            width, height = sizes.get(role := wiring.roles[node.key], (0.0, 0.0))
            needed = [length + 2 * RING * node.fork for length in measures.nodes[node.key]]
            sizes[role] = max(width, needed[0]), max(height, needed[1])
    return sizes


def slots(wiring: Wiring, measures: Measures) -> dict[Slot, float]:
    """The edges of the template, each with the room for its label."""
    found: dict[Slot, float] = {}
    for edge, label in zip(wiring.graph.edges, measures.labels, strict=True):
        if isinstance(wiring.frame(edge.target), int):
            slot = wiring.slot(edge)
            found[slot] = max(found.get(slot, 0.0), label)
    ways_out = [(role, ("exit", role), 0) for role in wiring.leaving]
    ways_out += [(role, ("send", role), 0) for role in wiring.lanes if role in wiring.leftward]
    return found | dict.fromkeys(ways_out, 0.0)


def _reversed(slots: Mapping[Slot, float]) -> set[Slot]:
    """The edges that are drawn from right to left: on the ways from a "return" to a "send", and
    those that leave a lane on its left."""
    there, back = defaultdict(list), defaultdict(list)
    for start, end, _ in slots:
        there[start].append(end)
        back[end].append(start)
    after = _reached((end for end in there if end[0] == "return"), there)
    before = _reached((end for end in back if end[0] == "send"), back)
    lowered = {slot for slot in slots if slot[1][0] == "lower"}
    return lowered | {slot for slot in slots if {*slot[:2]} <= after & before}


def _reached(starts: Iterable[Any], onward: Mapping[Any, Sequence[Any]]) -> set[Any]:
    found = dict.fromkeys(starts)
    for end in (grown := list(found)):
        grown += [e for e in onward.get(end, ()) if e not in found]
        found |= dict.fromkeys(onward.get(end, ()))
    return set(found)


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
    few = wiring.graph.few  # whose lines into a block have room for labels
    narrow = few and len({*wiring.lanes.values()}) > 1  # where labels find a place beside lines
    ranks = 0.2 if narrow else 0.15 if few else 0.4
    lines = [
        "digraph {",
        f"rankdir=LR nodesep={wiring.rows} ranksep={ranks} "
        'node [fixedsize=true label=""] edge [arrowhead=none '
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
                f"{{rank={'source' if end[0] in LEFT else 'sink'} {id} [shape=point "
                "width=0.02 height=0.02]}"
            )
    back = _reversed(slots)
    for slot, label in slots.items():
        tail, head = (slot[1], slot[0]) if slot in back else slot[:2]
        text = (
            "" if narrow or (few and slot[0] not in sizes) else "0" * math.ceil(label / CHARACTER)
        )
        level = " tailport=e" * (tail not in sizes) + " headport=w" * (
            head not in sizes
        )  # ways in and out begin and end level
        lines.append(f"{ids[tail]} -> {ids[head]} [" + f'label="{text}"' * bool(text) + level + "]")
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
    both = [(end, other) for end in ids if end[0] in LEFT and (other := _opposite(end)) in ids]
    return lines + [f"{ids[a]} -> {ids[b]} [style=invis weight=20]" for a, b in both]


def _opposite(end: Port) -> Port:
    return ("exit" if end[0] == "entry" else "return"), end[1]


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
    back = _reversed(slots)
    for slot in slots:
        ends = (ids[slot[0]], ids[slot[1]])
        waiting[ends[::-1] if slot in back else ends].append(slot)
    for row in rows:
        if row[0] == "edge" and waiting[row[1], row[2]]:
            slot, count = waiting[row[1], row[2]].pop(0), int(row[3])
            numbers = [float(x) * 72 for x in row[4 : 4 + 2 * count]]
            curve = tuple(zip(numbers[::2], numbers[1::2], strict=True))
            template.curves[slot] = curve[::-1] if slot in back else curve
            rest = row[4 + 2 * count :]
            if len(rest) == 5:  # a label and its place, before the style and the colour
                template.labels[slot] = float(rest[1]) * 72, float(rest[2]) * 72
    _part(template)
    return template


def _part(template: Template) -> None:
    """Move ends that lie together apart, along the side of the node at which they are."""
    sides: dict[tuple[Role, int, bool], list[Slot]] = defaultdict(list)
    for slot, curve in template.curves.items():
        if size := template.sizes.get(slot[1]):
            (x, y), (dx, dy) = template.spots[slot[1]], size
            right, up = (curve[-1][0] - x) / dx, (curve[-1][1] - y) / dy
            axis = 0 if abs(up) > abs(right) else 1  # along which ends are in a row
            sides[slot[1], axis, (up if axis == 0 else right) > 0].append(slot)
    for (_, axis, _), slots in sides.items():
        slots.sort(key=lambda slot: [template.curves[slot][i][axis] for i in (-1, -4)])
        ends = [template.curves[slot][-1][axis] for slot in slots]
        for slot, end, to in zip(slots, ends, _apart(ends), strict=True):
            template.curves[slot] = _ending(template.curves[slot], axis, to - end)


def _apart(ends: Sequence[float]) -> list[float]:
    """Rising numbers with at least `NEAREST` between them, about where they were."""
    moved: list[float] = []
    for end in ends:
        moved.append(max(end, moved[-1] + NEAREST) if moved else end)
    back = (sum(moved) - sum(ends)) / len(ends)
    return [end - back for end in moved]


def _ending(curve: Curve, axis: int, by: float) -> Curve:
    """A curve with its end moved."""
    x, y = (by, 0.0) if axis == 0 else (0.0, by)
    return [*curve[:-2], *((px + x, py + y) for px, py in curve[-2:])]
