"""Where things are in the blocks of any cell: one block, placed by Graphviz, repeated through time
so that blocks line up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from tinygrad_lstm.errors import DrawingError
from tinygrad_lstm.viz.graph.data import Edge, Graph, Run
from tinygrad_lstm.viz.layout.lanes import arranged
from tinygrad_lstm.viz.layout.lstm import GAP, HEADING, PAD, STEP, ZERO
from tinygrad_lstm.viz.layout.outside import Outside
from tinygrad_lstm.viz.layout.places import RING, Box, Frame, Layout, Measures
from tinygrad_lstm.viz.layout.template import Template
from tinygrad_lstm.viz.layout.ways import LANE, Ways
from tinygrad_lstm.viz.layout.wiring import ROWS, Wiring

__all__ = ["place"]


MOST_LANES = 12
MOST_OUTSIDE = 40  # nodes outside of the frames


def place(
    graph: Graph, measures: Measures, arrange: Callable[[str], str], rows: float = ROWS
) -> Layout | None:
    """The layout of a graph whose blocks are about the same, with so many inches between the rows
    of a block; None for any other graph, and where Graphviz cannot place one."""
    wiring = Wiring(graph, rows)
    if (
        (len(graph.frames) < 2 and not graph.rolled)
        or not wiring.repeats
        or sum(wiring.frame(n.key) is None for n in graph.nodes) > MOST_OUTSIDE
    ):
        return None
    try:
        placer = Placer(wiring, measures, arranged(wiring, measures, arrange))
    except DrawingError:
        return None
    return placer.layout() if len(placer.lanes) <= MOST_LANES else None


class Placer:
    """Frames first, then boxes in and around them, then the ways from one to another."""

    graph: Graph
    wiring: Wiring
    measures: Measures
    template: Template
    labels: dict[str, float]
    before: list[str]
    after: list[str]
    beyond: list[str]
    ports: dict[str, float]
    sizes: dict[str, tuple[float, float]]
    order: dict[int | Run, int]
    lanes: dict[str, int]
    highest: int
    lowest: int
    gap: float
    frames: tuple[Frame, ...]
    boxes: dict[str, Box]

    def __init__(self, wiring: Wiring, measures: Measures, template: Template) -> None:
        self.graph, self.wiring, self.measures, self.template = (
            wiring.graph,
            wiring,
            measures,
            template,
        )
        self.labels = {
            edge.key: width for edge, width in zip(self.graph.edges, measures.labels, strict=True)
        }
        outside = Outside(wiring)
        self.before, self.after, self.beyond = outside.before, outside.after, outside.beyond
        self.ports, self.sizes = outside.ports(measures, self.labels)
        self.order = {frame: i for i, frame in enumerate(self.graph.frames)}
        self.lanes = self._lanes()
        self.highest, self.lowest = (
            max((side * lane for lane in self.lanes.values()), default=0) for side in (1, -1)
        )
        self.gap = GAP + 14 + 2 * LANE * max(self.highest, self.lowest)
        self.frames = self._frames()
        self.frame_of: dict[int | Run | None, Frame] = {frame.block: frame for frame in self.frames}
        self.boxes = self._boxes()
        lowest = min([0.0, *(box.bottom[1] for box in self.boxes.values())])
        highest = max([self.template.height, *(box.top[1] for box in self.boxes.values())])
        self.frames = tuple(
            frame._replace(
                bottom=lowest - PAD,
                top=highest + PAD + HEADING,
                middle=highest + PAD + HEADING - 13,
            )
            for frame in self.frames
        )
        self.frame_of = {frame.block: frame for frame in self.frames}
        self.boxes |= self._columns(self.before, -1)
        self.boxes |= self._columns(self.after, 1)
        self.boxes |= self._beyond()

    def layout(self) -> Layout:
        ways = Ways(
            *(self.wiring, self.template, self.boxes, self.frames, self.frame_of),
            *(self.labels, self.ports, self.lanes, self.lane_of),
        )
        zeros = tuple(map(ways.zero, self.graph.zeros))
        routes = tuple(map(ways.route, self.graph.edges))
        top, bottom = self.frames[0].top, self.frames[0].bottom
        outside = [self.boxes[key] for key in (*self.before, *self.after, *self.beyond)]
        above = max([top + LANE * (self.highest + 1), *(box.top[1] for box in outside)])
        below = min([bottom - 2 * LANE * self.lowest, *(box.bottom[1] for box in outside)])
        return Layout(self.boxes, routes, zeros, self.frames, above + 14, below)

    # What is where.

    def _index(self, key: str) -> int:
        """The place of a node in the order of the frames, with one before and one after them."""
        frame = self.wiring.frame(key)
        return (
            self.order[frame]
            if frame is not None
            else -1
            if key in self.before
            else len(self.order)
        )

    def _lanes(self) -> dict[str, int]:
        """The lines above the frames, from 1, each for the edges to one node outside, or for those
        from one node; below the frames, from -1, for loops that leave a block low."""
        found = self._loops()
        for edge in self.graph.edges:
            if (lane := self.lane_of(edge)) is not None:
                found.setdefault(lane, max([0, *found.values()]) + 1)
        return found

    def _loops(self) -> dict[str, int]:
        """The lines of loops, with room for labels; what leaves near a side is near it."""
        heights = {e.source: self._leaving(e) for e in self.graph.edges if e.steps}
        middle, found = self.template.height / 2, {}
        for side in (1, -1):
            several = [key for key, y in heights.items() if (y >= middle) == (side > 0)]
            several.sort(key=lambda key: -side * heights[key])
            found.update({key: side * (2 * i + 1) for i, key in enumerate(several)})
        return found

    def _leaving(self, edge: Edge) -> float:
        """How high an edge leaves its block."""
        port = "send" if self.wiring.goes_left(edge) else "exit"
        return self.template.way_out(self.wiring.roles[edge.source], port)[-1][1]

    def lane_of(self, edge: Edge) -> str | None:
        if edge.steps:
            return edge.source
        steps = self._index(edge.target) - self._index(edge.source)
        if steps in (0, 1) or (steps == -1 and self.wiring.goes_left(edge)):
            return None
        return edge.target if edge.target in self.after else edge.source

    def _frames(self) -> tuple[Frame, ...]:
        frames: list[Frame] = []
        left = 0.0
        for block in self.graph.frames:
            width = (
                self._run_width(block) if isinstance(block, Run) else self.template.width + 2 * PAD
            )
            frames.append(
                Frame(block, left, 0.0, left + width, 0.0, 0.0)
            )  # as high as what is in them, which comes next
            left += width + self.gap
        return tuple(frames)

    def _run_width(self, run: Run) -> float:
        inside = [n.key for n in self.graph.nodes if n.block in run.blocks]
        label = max(
            (self.labels[edge.key] for edge in self.graph.edges if edge.target in inside),
            default=0.0,
        )
        widest = max((self.measures.nodes[key][0] for key in inside), default=0.0)
        return max(self.measures.headings[run], widest + 2 * (RING + label + 20)) + 2 * PAD

    def _boxes(self) -> dict[str, Box]:
        """What is in the frames: at its place in the template, or (in runs) near the height at
        which it is handed over."""
        boxes: dict[str, Box] = {}
        for node in self.graph.nodes:
            block, role = self.wiring.frame(node.key), self.wiring.roles[node.key]
            if isinstance(block, int):
                (x, y), (width, height), ring = (
                    self.template.spots[role],
                    self.template.sizes[role],
                    self._ring(node.key),
                )
                boxes[node.key] = Box(
                    self.frame_of[block].left + PAD + x,
                    y,
                    width - 2 * ring,
                    height - 2 * ring,
                    ring,
                )
        for at in self.frames:
            if isinstance(at.block, Run):
                inside = [n.key for n in self.graph.nodes if n.block in at.block.blocks]
                boxes |= self._stacked(
                    inside, (at.left + at.right) / 2, {key: self._height(key) for key in inside}
                )
        return boxes

    def _ring(self, key: str) -> float:
        return RING if self.graph.node(key).fork else 0.0

    def _height(self, key: str) -> float:
        """How high a stand-in would best be: where its role is handed over, or where it is in a
        block."""
        role = self.wiring.roles[key]
        spots = self.template.spots
        return next(
            (spots[end][1] for end in (("exit", role), ("entry", role), role) if end in spots),
            self.template.height / 2,
        )

    def _stacked(self, keys: Sequence[str], x: float, wanted: dict[str, float]) -> dict[str, Box]:
        """Boxes one above the other, near the heights that are wanted."""
        boxes: dict[str, Box] = {}
        floor = float("inf")
        for key in sorted(keys, key=lambda key: -wanted[key]):
            width, height = self.sizes[key]
            reach = height / 2 + self._ring(key)
            y = min(wanted[key], floor - reach)
            boxes[key] = Box(x, y, width, height, self._ring(key))
            floor = y - reach - STEP
        missed = sum(wanted[key] - box.y for key, box in boxes.items()) / max(len(boxes), 1)
        return {key: box._replace(y=box.y + missed) for key, box in boxes.items()}

    def _columns(self, keys: Sequence[str], side: int) -> dict[str, Box]:
        """The nodes before (`side` -1) or after the frames in columns, by how many steps they are
        from them."""
        neighbours = defaultdict(list)
        for edge in self.graph.edges:
            near, far = (edge.source, edge.target) if side < 0 else (edge.target, edge.source)
            neighbours[near].append((far, edge))
        ranks: dict[str, int] = {}
        for key in reversed(keys) if side < 0 else keys:
            ranks[key] = 1 + max((ranks.get(far, 0) for far, _ in neighbours[key]), default=0)
        boxes: dict[str, Box] = {}
        below = self.template.height  # where a leaf stands that only stages outside the blocks read
        room = (
            2 * ZERO
            if side > 0 and any(self.graph.frame(zero.block) is None for zero in self.graph.zeros)
            else 0.0
        )
        edge_of = 0.0 if side < 0 else self.frames[-1].right
        for rank in range(1, max(ranks.values(), default=0) + 1):
            column = [key for key in keys if ranks[key] == rank]
            width = max(self.sizes[key][0] for key in column)
            label = max(
                (self.labels[edge.key] for key in column for _, edge in neighbours[key]),
                default=0.0,
            )
            room += self.gap + label
            wanted = {
                key: _mean(
                    (self._far_height(far, edge, boxes, side) for far, edge in neighbours[key]),
                    below,
                )
                for key in column
            }
            boxes |= self._stacked(column, edge_of + side * (room + width / 2), wanted)
            room += width
        return boxes

    def _beyond(self) -> dict[str, Box]:
        """What comes in from the right, below all else that is there."""
        heights = {
            edge.source: self.template.curves[self.wiring.slot(edge)][0][1]
            for edge in self.graph.edges
            if edge.source in self.beyond
        }
        if not heights:
            return {}
        width = max(self.sizes[key][0] for key in self.beyond)
        middle = self.frames[-1].right + self.gap + width / 2
        boxes = self._stacked(self.beyond, middle, heights)
        top = max(box.top[1] for box in boxes.values())
        lowest = min([top + STEP, *(self.boxes[key].bottom[1] for key in self.after)]) - STEP
        return {key: box._replace(y=box.y + lowest - top) for key, box in boxes.items()}

    def _far_height(self, far: str, edge: Edge, boxes: dict[str, Box], side: int) -> float:
        if isinstance(self.wiring.frame(far), int):
            if side > 0:
                return self.template.way_out(self.wiring.roles[far])[-1][1]
            return self.template.curves[self.wiring.slot(edge)][0][1]
        known = boxes.get(far) or self.boxes.get(far)
        return known.y if known else self.template.height / 2


def _mean(values: Iterable[float], otherwise: float) -> float:
    found = list(values)
    return sum(found) / len(found) if found else otherwise
