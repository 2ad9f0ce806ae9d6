"""Where things are at the level "gates" of the LSTM: c on top, a below, the gates in a column
between them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from tinygrad_lstm.viz.graph.data import Edge, Graph, Run, Zero
from tinygrad_lstm.viz.layout.labels import HEIGHT
from tinygrad_lstm.viz.layout.places import RING, Box, Frame, Layout, Measures, Route, side_of
from tinygrad_lstm.viz.look.style import SHAPES, kind

__all__ = ["place"]

PAD = 4.0  # from a frame to what is in it
GAP = 6.0  # between frames
STEP = 10.0  # between rows
HEADING = 18.0
ARROW = 8.0
LINES = 4.0  # between lines side by side
ZERO = 18.0

ROWS = (("c",), ("Γ_f",), ("Γ_u",), ("c~",), ("Γ_o", "a"), ("x", "Error"))
ROW = {stem: i for i, row in enumerate(ROWS) for stem in row}
GATES = ("Γ_f", "Γ_u", "c~", "Γ_o")
BEFORE = {*((gate, "a") for gate in GATES), ("c", "c")}  # read from the block before
READ: dict[str, Any] = {
    **dict.fromkeys(GATES, ("a", "x")),
    "c": ("c", "Γ_f", "Γ_u", "c~"),
    "a": ("c", "Γ_o"),
    "Error": ("a",),
    "x": (),
}


def place(graph: Graph, measures: Measures) -> Layout | None:
    """The layout of a graph whose nodes and edges are those of the LSTM's figure; None for any
    other."""
    return _Placer(graph, measures).layout() if _is_lstm(graph) else None


def _is_lstm(graph: Graph) -> bool:
    if graph.level != "gates" or graph.blocks != tuple(range(1, len(graph.blocks) + 1)):
        return False
    root = graph.node(graph.root)
    sources: dict[str, set[tuple[str, int | None]]] = {n.key: set() for n in graph.nodes}
    for edge in graph.edges:
        sources[edge.target].add(_role(graph, edge.source))
    roles = [_role(graph, n.key) for n in graph.nodes]
    return (
        root.name == "Error"
        and root.block is None
        and len(set(roles)) == len(roles)
        and all(_fits(graph, n.key, sources[n.key]) for n in graph.nodes if n.key != graph.root)
    )


def _role(graph: Graph, key: str) -> tuple[str, int | None]:
    node = graph.node(key)
    return node.stem, node.block


def _fits(graph: Graph, key: str, sources: set[tuple[str, int | None]]) -> bool:
    """Whether a node is one of the figure, and reads what it does there."""
    stem, block = _role(graph, key)
    if block == 0:
        return stem in ("a", "c") and not sources
    if block is None or stem not in READ:
        return False
    if block in graph.folded:
        return stem in ("a", "c", "Error")
    expected = {(x, block - 1 if (stem, x) in BEFORE else block) for x in READ[stem]}
    return sources == expected


class _Placer:
    def __init__(self, graph: Graph, measures: Measures) -> None:
        self.graph, self.measures = graph, measures
        self.labels = dict(zip((e.key for e in graph.edges), measures.labels, strict=True))
        self.rings = {n.key: RING if n.fork else 0.0 for n in graph.nodes}
        self.sizes = self._sizes()
        self.rows = self._rows()
        self.trunk = PAD
        self.gate, self.state, self.width = self._columns()
        self.frames = self._frames()
        self.frame_of: dict[int | Run | None, Frame] = {f.block: f for f in self.frames}

    def layout(self) -> Layout:
        boxes = {n.key: self._box(n.key) for n in self.graph.nodes}
        boxes |= {zero.key: self._zero(zero, boxes[zero.source]) for zero in self.graph.zeros}
        routes = tuple(self._route(edge, boxes) for edge in self.graph.edges)
        zeros = tuple(
            Route((boxes[z.source].right, boxes[z.key].left), boxes[z.key].top)
            for z in self.graph.zeros
        )
        top, bottom = self.frames[0].top, boxes[self.graph.root].bottom[1]
        return Layout(boxes, routes, zeros, self.frames, top + 12, bottom)

    def _sizes(self) -> dict[str, tuple[float, float]]:
        """A role has the same size in all blocks, and so have the gates."""
        groups: dict[object, list[str]] = {}
        for node in self.graph.nodes:
            stem, block = _role(self.graph, node.key)
            alone = not block or block in self.graph.folded
            group = node.key if alone else "gate" if stem in GATES else stem
            groups.setdefault(group, []).append(node.key)
        sizes: dict[str, tuple[float, float]] = {}
        for keys in groups.values():
            several = [self.measures.nodes[key] for key in keys]
            sizes |= dict.fromkeys(keys, (max(w for w, _ in several), max(h for _, h in several)))
        return sizes

    def _half(self, stems: Collection[str], side: int) -> float:
        """Half of the width or height of the largest node of some stems, its ring included."""
        return max(
            (
                self.sizes[n.key][side] / 2 + self.rings[n.key]
                for n in self.graph.nodes
                if n.block and n.block not in self.graph.folded and n.stem in stems
            ),
            default=0.0,
        )

    def _label(self, source: str, *targets: str) -> float:
        """The width of the widest label on the edges of a kind."""
        return max(
            (
                self.labels[e.key]
                for e in self.graph.edges
                if self.graph.node(e.source).stem == source
                and self.graph.node(e.target).stem in targets
            ),
            default=0.0,
        )

    def _rows(self) -> tuple[float, ...]:
        """The heights of the rows, from the lowest at 0."""
        halves = [self._half(row, 1) for row in ROWS]
        rows = [0.0]
        for i in reversed(range(len(ROWS) - 1)):
            apart = {ROW["c~"]: 2 * HEIGHT, ROW["a"]: 2.2 * HEIGHT}.get(i, STEP)
            rows.insert(0, rows[0] + halves[i] + apart + halves[i + 1])
        self.reach = halves[0], halves[-1]
        return tuple(rows)

    def _columns(self) -> tuple[float, float, float]:
        """The middles of the gates and of the states from a frame's left side, and its width."""
        gates = self._half(GATES, 0)
        states = self._half(("c", "a"), 0)
        gate = self.trunk + LINES + 2 + max(self._label("a", *GATES), 2 * ARROW) + 3 + gates
        state = gate + gates + 3 * LINES + ARROW + states
        right = max(states, self._half(("Error",), 0))
        return gate, state, state + right + PAD

    def _frames(self) -> tuple[Frame, ...]:
        top = self.rows[0] + self.reach[0] + HEADING
        bottom, left, frames = -self.reach[1] - PAD, 0.0, []
        for block in self.graph.frames:
            width = self._run_width(block) if isinstance(block, Run) else self.width
            middle = (self.rows[0] + self.rows[ROW["a"]]) / 2
            frames.append(Frame(block, left, bottom, left + width, top, middle))
            left += width + GAP
        return tuple(frames)

    def _run_width(self, run: Run) -> float:
        inside = [n.key for n in self.graph.nodes if n.block in run.blocks]
        widest = max((self.sizes[key][0] + 2 * self.rings[key] for key in inside), default=0.0)
        return max(self.measures.headings[run], widest + 2 * ARROW) + 2 * PAD

    def _box(self, key: str) -> Box:
        stem, block = _role(self.graph, key)
        (width, height), ring = self.sizes[key], self.rings[key]
        frame = self.frame_of.get(self.graph.frame(block))
        if key == self.graph.root:
            last = self.frames[-1]
            y = last.bottom - 2 * STEP - height / 2
            is_run = isinstance(last.block, Run)
            return Box(
                (last.left + last.right) / 2 if is_run else last.left + self.state,
                y, width, height, ring,
            )  # fmt: skip
        y = self.rows[ROW[stem]]
        if frame is None:
            return Box(-GAP - ARROW - width / 2 - ring, y, width, height, ring)
        if isinstance(frame.block, Run):
            x = (frame.left + frame.right) / 2
        elif stem == "x":
            x = frame.left + PAD + width / 2
        else:
            x = frame.left + (self.gate if stem in GATES else self.state)
        return Box(x, y, width, height, ring)

    def _zero(self, zero: Zero, source: Box) -> Box:
        return Box(self.frames[-1].right + ARROW + ZERO / 2, source.y, ZERO, ZERO)

    def _route(self, edge: Edge, boxes: dict[str, Box]) -> Route:
        source, target, label = boxes[edge.source], boxes[edge.target], self.labels[edge.key]
        (stem, _), (reader, block) = (_role(self.graph, key) for key in (edge.source, edge.target))
        if edge.target == self.graph.root:
            return _total(source, target)
        if block in self.graph.folded or (stem, reader) == ("c", "c"):
            above = (target.left[0] - label / 2 - 14, target.y + 8)
            return Route((source.right, target.left), above)
        left = self.frame_of[block].left
        if reader in GATES:
            return self._into_gate(stem, source, target, left)
        if reader == "c":  # a gate's line: beside those above it, to its own place below c<t-1>
            i = 1 + GATES.index(stem)
            shape = SHAPES[kind(self.graph.node(edge.target))][0]
            end = side_of(target, -(LINES + 1) * i, shape, -1)
            x = source.right[0] + LINES * i
            return Route((source.right, (x, source.y), (x, end[1]), end), source.top)
        if stem == "Γ_o":
            return Route((source.right, target.left), source.top)
        start, end = source.bottom, target.top  # the label on the left, where no other line is
        return Route((start, end), (source.x - 4 - label / 2, end[1] + 8 + HEIGHT / 2))

    def _into_gate(self, stem: str, source: Box, target: Box, left: float) -> Route:
        """From a trunk that all gates share: of a<t-1> from the left, of x<t> from below."""
        end = target.left
        if stem == "x":
            x, end = left + self.trunk + LINES, (end[0], end[1] - LINES - 2)
            return Route(((x, source.top[1]), (x, end[1]), end), source.top)
        x = left + self.trunk
        above = ((x + LINES + 2 + end[0] - 3) / 2, end[1] + 8.5)
        start = source.right
        if start[1] == end[1]:
            return Route((start, end), above)
        return Route((start, (x, start[1]), (x, end[1]), end), above)


def _total(source: Box, target: Box) -> Route:
    """Down, and along below the frames to the sum of all losses."""
    if source.x == target.x:
        return Route((source.bottom, target.top), source.bottom)
    return Route((source.bottom, (source.x, target.y), target.left), source.bottom)
