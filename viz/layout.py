"""Where things are: a template of one block of the LSTM, shifted through time.

All lengths are points, x to the right and y upwards, as in Graphviz. Positions come from here and Graphviz only draws
them, so every block looks the same, the c line and the a line run straight, and the cost is linear in the blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from tinygrad_lstm.viz.graph import Edge, Graph
from tinygrad_lstm.viz.roles import TOTAL, Role, roles

__all__ = ["Box", "Frame", "Layout", "Measures", "Route", "place"]

Point = tuple[float, float]

PAD = 18.0  # from a frame to what is in it
GAP = 26.0  # between neighbours in a row, and at least between frames
STEP = 16.0  # between neighbours in a column
LABEL = 34.0  # between neighbours in a column whose edge has a label beside it
HEADING = 22.0  # above the c line, for a frame's heading
TRUNK = 16.0  # from a concatenation to the line from which its branches leave
RING = 4.0  # by which a fork's second ring is outside the first
ARROW = 10.0  # room for an arrow head

COLUMNS = (
    ("z", "x"),
    ("sum_f", "sum_u", "sum_c", "sum_o"),
    ("Γ_f", "Γ_u", "c~", "Γ_o"),
    ("keep", "write"),
    ("c", "â"),
    ("tanh_c", "a", "Error"),
)
ROWS = (  # from the top
    ("keep", "c"),
    ("sum_f", "Γ_f", "tanh_c"),
    ("sum_u", "Γ_u", "write"),
    ("sum_c", "c~"),
    ("z", "sum_o", "Γ_o", "a"),
    ("x", "â", "Error"),
)
COLUMN = {role: i for i, roles in enumerate(COLUMNS) for role in roles}
ROW = {role: i for i, roles in enumerate(ROWS) for role in roles}


class Box(NamedTuple):
    """The centre and the size of a node; a fork's second ring is outside of it."""

    x: float
    y: float
    width: float
    height: float
    ring: float = 0.0

    @property
    def left(self) -> Point:
        return self.x - self.width / 2 - self.ring, self.y

    @property
    def right(self) -> Point:
        return self.x + self.width / 2 + self.ring, self.y

    @property
    def top(self) -> Point:
        return self.x, self.y + self.height / 2 + self.ring

    @property
    def bottom(self) -> Point:
        return self.x, self.y - self.height / 2 - self.ring


class Route(NamedTuple):
    """The way of an edge: the corners of a line, and the middle of its label."""

    corners: tuple[Point, ...]
    label: Point


class Frame(NamedTuple):
    """The frame of a block, or (`block` is "hidden") of all the hidden ones."""

    block: int | str
    left: float
    bottom: float
    right: float
    top: float


class Measures(NamedTuple):
    """How much room the texts need: each node, each edge's label, and the heading of the hidden blocks."""

    nodes: dict[str, tuple[float, float]]
    labels: tuple[float, ...]
    heading: float


@dataclass(frozen=True)
class Layout:
    """The boxes by node, the routes in the order of the edges, and the frames."""

    boxes: dict[str, Box]
    routes: tuple[Route, ...]
    frames: tuple[Frame, ...]


def place(graph: Graph, measures: Measures) -> Layout | None:
    """The layout of a graph in which every node has a role in the template; None for any other graph."""
    found = roles(graph)
    return _Placer(graph, measures, found).layout() if found else None


class _Placer:
    """Rows, columns and frames from the room that the texts need, then boxes and routes."""

    def __init__(self, graph: Graph, measures: Measures, found: dict[str, Role]) -> None:
        self.graph, self.measures, self.roles = graph, measures, found
        self.rings = {n.key: RING if n.fork else 0.0 for n in graph.nodes}
        self.sizes = self._sizes()
        self.shown = tuple(t for t in graph.blocks if graph.elided is None or t not in graph.elided)
        self.rows = self._rows()
        self.columns, self.width = self._columns()
        self.gap = max(GAP, GAP + self._widest(lambda s, t: s[1] != t[1] and t != TOTAL))
        self.frames = self._frames()
        self.start = max((self.sizes[key][0] for key, role in found.items() if role[1] == 0), default=0.0)
        self.frame_of: dict[int | str | None, Frame] = {f.block: f for f in self.frames}

    def layout(self) -> Layout:
        boxes = {key: self._box(key, role) for key, role in self.roles.items()}
        routes = tuple(self._route(edge, boxes, width) for edge, width in zip(self.graph.edges, self.measures.labels, strict=True))
        return Layout(boxes, routes, self.frames)

    def _group(self, role: Role) -> object:
        """What has the same size: a role in all blocks, and all of the gates' columns."""
        if role == TOTAL or (role[1] or 0) < 1 or self._hidden(role[1]):
            return role
        return COLUMN[role[0]] if COLUMN[role[0]] in (1, 2) else role[0]

    def _hidden(self, block: int | None) -> bool:
        return self.graph.elided is not None and block in self.graph.elided

    def _sizes(self) -> dict[str, tuple[float, float]]:
        groups: dict[object, list[str]] = {}
        for key, role in self.roles.items():
            groups.setdefault(self._group(role), []).append(key)
        sizes = {}
        for keys in groups.values():
            several = [self.measures.nodes[key] for key in keys]
            largest = max(w for w, _ in several), max(h for _, h in several)
            sizes.update(dict.fromkeys(keys, largest))
        return sizes

    def _widest(self, wanted: Callable[[Role, Role], bool]) -> float:
        """The width of the widest label among the edges whose two roles are `wanted`."""
        edges = zip(self.graph.edges, self.measures.labels, strict=True)
        return max((w for e, w in edges if wanted(self.roles[e.source], self.roles[e.target])), default=0.0)

    def _rows(self) -> tuple[float, ...]:
        """The heights at which the rows are, the lowest at 0."""
        heights = [0.0] * len(ROWS)
        for key, (name, _) in self.roles.items():
            heights[ROW[name]] = max(heights[ROW[name]], self.sizes[key][1] + 2 * self.rings[key])
        self.reach = heights[0] / 2, heights[-1] / 2  # of the top and the bottom row beyond their middle
        rows = [0.0]
        for i in reversed(range(len(ROWS) - 1)):
            between = LABEL if i == len(ROWS) - 2 else STEP
            rows.insert(0, rows[0] + heights[i] / 2 + between + heights[i + 1] / 2)
        return tuple(rows)

    def _columns(self) -> tuple[tuple[float, ...], float]:
        """The middles of the columns from a frame's left side, and the frame's width."""
        widths = [0.0] * len(COLUMNS)
        for key, (name, block) in self.roles.items():
            if block in self.shown:
                widths[COLUMN[name]] = max(widths[COLUMN[name]], self.sizes[key][0] + 2 * self.rings[key])
        branches = self._widest(lambda s, t: s[0] == "z")
        middles, x = [], PAD
        for i, width in enumerate(widths):
            middles.append(x + width / 2)
            x += width + (TRUNK + branches + ARROW + 8 if i == 0 else GAP)
        beside = self._widest(lambda s, t: s[1] == t[1] and s[0] in ("a", "c")) + 8
        return tuple(middles), middles[-1] + max(widths[-1] / 2, beside) + PAD

    def _frames(self) -> tuple[Frame, ...]:
        top = self.rows[0] + self.reach[0] + HEADING
        bottom = self.rows[-1] - self.reach[1] - 2 * PAD  # with room for the line along which the Errors go
        frames: list[Frame] = []
        left = 0.0
        for block in self._framed():
            width = self._slot_width() if block == "hidden" else self.width
            frames.append(Frame(block, left, bottom, left + width, top))
            left += width + self.gap
        return tuple(frames)

    def _framed(self) -> list[int | str]:
        """The blocks that get a frame, and "hidden" in the place of the hidden ones."""
        elided = self.graph.elided
        if elided is None:
            return list(self.shown)
        return [*(t for t in self.shown if t < elided.first), "hidden", *(t for t in self.shown if t > elided.last)]

    def _slot_width(self) -> float:
        inside = [self.sizes[key][0] + 2 * RING for key, (_, block) in self.roles.items() if self._hidden(block)]
        return max(self.measures.heading, *inside, 0.0) + 2 * PAD

    def _frame(self, role: Role) -> Frame | None:
        """The frame in which a role is; None before the first block and after the last."""
        return self.frame_of.get("hidden" if self._hidden(role[1]) else role[1])

    def _box(self, key: str, role: Role) -> Box:
        name, block = role
        width, height = self.sizes[key]
        frame = self._frame(role)
        if role == TOTAL:
            x = self.frames[-1].right + GAP + width / 2
        elif frame is None:  # the initial state, and to its left what it was made of
            x = -GAP - width / 2 - (self.start + GAP if block else 0)
        elif frame.block == "hidden":
            x = (frame.left + frame.right) / 2
        else:
            x = frame.left + self.columns[COLUMN[name]]
        return Box(x, self.rows[ROW[name]], width, height, self.rings[key])

    def _route(self, edge: Edge, boxes: dict[str, Box], label: float) -> Route:
        source, target = boxes[edge.source], boxes[edge.target]
        from_role, to_role = self.roles[edge.source], self.roles[edge.target]
        if to_role == TOTAL and from_role[1] != self.graph.blocks[-1]:
            return _below(source, target, self.frames[0].bottom + PAD / 2)
        if from_role[0] == "z":
            return _branching(source, target)
        if source.x == target.x:
            return _upright(source, target, label)
        if source.y != target.y:
            return _around(source, target, label)
        frame = self._frame(from_role)
        crossing = frame is not None and frame is not self._frame(to_role)
        middle = frame.right + self.gap / 2 if frame and crossing else (source.right[0] + target.left[0]) / 2
        return Route((source.right, target.left), (middle, source.y + 8))


def _below(source: Box, target: Box, y: float) -> Route:
    """Down, along under everything, and up."""
    return Route((source.bottom, (source.x, y), (target.x, y), target.bottom), ((source.x + target.x) / 2, y + 8))


def _branching(source: Box, target: Box) -> Route:
    """Right, along a trunk that all branches share, and right again."""
    trunk = source.right[0] + TRUNK
    corners = (source.right, (trunk, source.y), (trunk, target.y), target.left)
    middle = (trunk + target.left[0] - ARROW + 4) / 2
    return Route(corners if source.y != target.y else (source.right, target.left), (middle, target.y + 8))


def _upright(source: Box, target: Box, label: float) -> Route:
    start, end = (source.top, target.bottom) if source.y < target.y else (source.bottom, target.top)
    return Route((start, end), (source.x + 5 + label / 2, (start[1] + end[1]) / 2))


def _around(source: Box, target: Box, label: float) -> Route:
    """Right, then up or down."""
    end = target.bottom if source.y < target.y else target.top
    return Route((source.right, (target.x, source.y), end), (target.x + 5 + label / 2, (source.y + end[1]) / 2))
