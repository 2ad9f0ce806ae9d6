"""The layers and directions of a block as lanes, one above the other: each is placed by itself, and
what one reads of another goes along the sides and through the channel between them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from tinygrad_lstm.viz.layout.curves import Curve, Point, end_to_end, rounded
from tinygrad_lstm.viz.layout.places import Measures
from tinygrad_lstm.viz.layout.template import LOWEST, Template, placed, rooms, slots
from tinygrad_lstm.viz.layout.wiring import Role, Slot, Wiring

__all__ = ["arranged"]

Lane = tuple[str, bool]
Way = tuple[Role, Lane]  # from a role to a lane

APART = 5.0  # between lines that go from lane to lane
CHANNEL = 22.0  # between two lanes, beside those lines


def arranged(wiring: Wiring, measures: Measures, arrange: Callable[[str], str]) -> Template:
    """The template of the blocks of a graph.

    Raises
    ------
    DrawingError
        If Graphviz fails, or says something else than where things are.
    """
    sizes, edges = rooms(wiring, measures), slots(wiring, measures)
    if not sizes:  # every block is folded
        return Template(0.0, LOWEST, {}, {})
    if len({*wiring.lanes.values()}) == 1:
        return placed(wiring, sizes, edges, arrange)
    return _Lanes(wiring, sizes, edges).stacked(arrange)


class _Lanes:
    """The parts of a block by lane, from the lowest, which comes first on the tape."""

    def __init__(
        self,
        wiring: Wiring,
        sizes: Mapping[Role, tuple[float, float]],
        edges: Mapping[Slot, float],
    ) -> None:
        self.wiring, self.sizes, self.edges = wiring, sizes, edges
        self.names = list(dict.fromkeys(wiring.lanes.values()))
        self.fed = {slot[1] for slot in edges}
        self.across = [slot for slot in edges if self._is_across(slot)]
        ways = [(slot[0], self._lane(slot[1])) for slot in self.across]
        self.ways = list(dict.fromkeys(ways))
        at = {name: i for i, name in enumerate(self.names)}
        spans = {way: sorted((at[self._lane(way[0])], at[way[1]])) for way in self.ways}
        lifted = [way for way in self.ways if self._is_lifted(way[0])]
        self.left = _columns(
            {way: [at[way[1]]] * 2 if way in lifted else spans[way] for way in self.ways}
        )
        self.right = _columns({way: spans[way] for way in lifted})

    def _lane(self, role: Role) -> Lane:
        return self.wiring.lanes[role]

    def _is_across(self, slot: Slot) -> bool:
        """Whether an edge goes from one lane to another."""
        start, end, _ = slot
        return start in self.sizes and end in self.sizes and self._lane(start) != self._lane(end)

    def _out(self, role: Role) -> Slot:
        """How a role leaves its lane: where nothing leads to it, and where the lane runs to the
        left, on the left side."""
        return role, ("lift" if self._is_lifted(role) else "lower", role), 0

    def _is_lifted(self, role: Role) -> bool:
        return role in self.fed and role not in self.wiring.leftward

    def _in(self, slot: Slot) -> Slot:
        return ("rise", slot[0]), slot[1], slot[2]

    def _parts(self) -> dict[Lane, dict[Slot, float]]:
        """The edges of each lane; of one that goes across, its two ends."""
        parts: dict[Lane, dict[Slot, float]] = defaultdict(dict)
        for slot, label in self.edges.items():
            if slot in self.across:
                parts[self._lane(slot[1])][self._in(slot)] = label
                parts[self._lane(slot[0])][self._out(slot[0])] = 0.0
            else:
                role = slot[1] if slot[1] in self.sizes else slot[0]
                parts[self._lane(role)][slot] = label
        return parts

    def stacked(self, arrange: Callable[[str], str]) -> Template:
        """The lanes one above the other, and the edges among them."""
        parts = self._parts()
        left, right = (
            APART * (1 + max(columns.values(), default=-1) + bool(columns))
            for columns in (self.left, self.right)
        )
        whole = Template(0.0, 0.0, {}, self.sizes)
        width, height, floors = 0.0, 0.0, {}
        for name in self.names:
            sizes = {r: size for r, size in self.sizes.items() if self._lane(r) == name}
            lane = placed(self.wiring, sizes, parts[name], arrange)
            coming = sum(to == name for _, to in self.ways)
            floors[name] = height
            height += CHANNEL + APART * coming if height or coming else 0.0
            _copied(lane, whole, (left, height))
            width, height = max(width, lane.width), height + lane.height
        for slot in self.across:
            way = slot[0], self._lane(slot[1])
            number = [other for other in self.ways if other[1] == way[1]].index(way)
            self._join(whole, slot, floors[way[1]] + APART * (number + 1), left + width)
        inner = {s: c for s, c in whole.curves.items() if s in self.edges}
        labels = {s: at for s, at in whole.labels.items() if s in self.edges}
        return Template(left + width + right, height, whole.spots, self.sizes, inner, labels)

    def _join(self, whole: Template, slot: Slot, channel: float, right: float) -> None:
        """The edge from a role of one lane to that of another."""
        leave, arrive = whole.curves[self._out(slot[0])], whole.curves[self._in(slot)]
        way = slot[0], self._lane(slot[1])
        start, end, x = leave[-1], arrive[0], APART * (self.left[way] + 0.5)
        corners = [start, (x, start[1]), (x, end[1]), end]
        if way in self.right:
            side = right + APART * (self.right[way] + 0.5)
            corners[1:2] = [(side, start[1]), (side, channel), (x, channel)]
        whole.curves[slot] = end_to_end(leave, rounded(corners), arrive)
        if (at := whole.labels.get(self._in(slot))) is not None:
            whole.labels[slot] = at


def _columns(spans: Mapping[Way, Sequence[int]]) -> dict[Way, int]:
    """The column of each way: of those that pass the same lane, each has its own."""
    found: dict[Way, int] = {}
    for way, (first, last) in spans.items():
        taken = {found[w] for w in found if spans[w][0] <= last and first <= spans[w][1]}
        found[way] = next(i for i in range(len(spans)) if i not in taken)
    return found


def _copied(lane: Template, whole: Template, by: Point) -> None:
    """Put a lane into the template of the block."""

    def moved(point: Point) -> Point:
        return point[0] + by[0], point[1] + by[1]

    def curve(points: Curve) -> Curve:
        return [moved(point) for point in points]

    whole.spots.update({end: moved(at) for end, at in lane.spots.items()})
    whole.curves.update({slot: curve(points) for slot, points in lane.curves.items()})
    whole.labels.update({slot: moved(at) for slot, at in lane.labels.items()})
