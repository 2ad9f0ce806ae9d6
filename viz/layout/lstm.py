"""Where things are: a template of one block of the LSTM, shifted through time.

Graphviz only draws: every block looks the same, and the cost is linear in the blocks.
"""

from __future__ import annotations

from collections.abc import Callable

from tinygrad_lstm.viz.graph.data import Edge, Graph, Run, Zero
from tinygrad_lstm.viz.layout.places import RING, Box, Frame, Layout, Measures, Route
from tinygrad_lstm.viz.layout.roles import TOTAL, Role, roles

__all__ = ["GAP", "HEADING", "PAD", "STEP", "ZERO", "place"]

PAD = 18.0  # from a frame to what is in it
GAP = 26.0  # between neighbours in a row, and at least between frames
STEP = 16.0  # between neighbours in a column
LABEL = 34.0  # between neighbours in a column whose edge has a label beside it
HEADING = 22.0  # above the c line, for a frame's heading
TRUNK = 16.0  # from a concatenation to the line from which its branches leave
ARROW = 10.0  # room for an arrow head
HOP = 5.0  # by which one line steps aside where it crosses another
ZERO = 20.0  # the size of a zero branch's end

COLUMNS = (
    ("z", "x"),
    ("sum_f", "sum_u", "sum_c", "sum_o", *(f"{kind}_{gate}" for gate in "fuco" for kind in "Wb")),
    ("Γ_f", "Γ_u", "c~", "Γ_o"),
    ("keep", "write"),
    ("c", "â"),
    ("tanh_c", "a"),
    ("Error",),
)
ROWS = (  # from the top
    ("Error", "â"),
    ("keep", "c"),
    ("W_f", "b_f"),
    ("sum_f", "Γ_f", "tanh_c"),
    ("W_u", "b_u"),
    ("sum_u", "Γ_u", "write"),
    ("W_c", "b_c"),
    ("sum_c", "c~"),
    ("W_o", "b_o"),
    ("z", "sum_o", "Γ_o", "a"),
    ("x",),
)
COLUMN = {role: i for i, roles in enumerate(COLUMNS) for role in roles}
ROW = {role: i for i, roles in enumerate(ROWS) for role in roles}
SIDE = {
    f"{kind}_{gate}": side for kind, side in (("W", -1), ("b", 1)) for gate in "fuco"
}  # of the middle of their column


def place(graph: Graph, measures: Measures) -> Layout | None:
    """The layout of a graph in which every node has a role in the template; None for any other
    graph."""
    found = roles(graph)
    return _Placer(graph, measures, found).layout() if found else None


class _Placer:
    """Rows, columns and frames from the room that the texts need, then boxes and routes."""

    def __init__(self, graph: Graph, measures: Measures, found: dict[str, Role]) -> None:
        self.graph, self.measures, self.roles = graph, measures, found
        self.rings = {n.key: RING if n.fork else 0.0 for n in graph.nodes}
        self.sizes = self._sizes()
        self.share = self._widest(lambda s, t: s[0] in SIDE) + ARROW
        self.apart = self._apart()
        for key, (name, _) in found.items():
            if self.apart and name.startswith("sum_"):  # both arrows from above end on it
                self.sizes[key] = max(self.sizes[key][0], self.apart + ARROW), self.sizes[key][1]
        self.rows = self._rows()
        self.columns, self.width = self._columns()
        self.gap = max(GAP, GAP + self._widest(lambda s, t: s[1] != t[1] and t != TOTAL))
        self.frames = self._frames()
        self.start = max(
            (self.sizes[key][0] for key, role in found.items() if role[1] == 0), default=0.0
        )
        self.frame_of: dict[int | Run | None, Frame] = {f.block: f for f in self.frames}

    def layout(self) -> Layout:
        boxes = {key: self._box(key, role) for key, role in self.roles.items()}
        boxes |= {zero.key: self._zero_box(zero, boxes[zero.source]) for zero in self.graph.zeros}
        routes = tuple(
            self._route(edge, boxes, width)
            for edge, width in zip(self.graph.edges, self.measures.labels, strict=True)
        )
        zeros = tuple(self._zero_route(zero, boxes) for zero in self.graph.zeros)
        return Layout(
            boxes, routes, zeros, self.frames, self.frames[0].top + 24, self.frames[0].bottom
        )

    def _group(self, role: Role) -> object:
        """What has the same size: a role in all blocks, and all of the gates' columns."""
        if role == TOTAL or (role[1] or 0) < 1 or self._hidden(role[1]):
            return role
        name = role[0]
        return "parameter" if name in SIDE else COLUMN[name] if COLUMN[name] in (1, 2) else name

    def _hidden(self, block: int | None) -> bool:
        return block in self.graph.folded

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
        return max(
            (w for e, w in edges if wanted(self.roles[e.source], self.roles[e.target])), default=0.0
        )

    def _rows(self) -> tuple[float, ...]:
        """The heights at which the rows are, the lowest at 0. A row that is empty takes no room."""
        heights = [0.0] * len(ROWS)
        for key, (name, _) in self.roles.items():
            heights[ROW[name]] = max(heights[ROW[name]], self.sizes[key][1] + 2 * self.rings[key])
        self.reach = (
            heights[0] / 2,
            heights[-1] / 2,
        )  # of the top and the bottom row beyond their middle
        rows = [0.0]
        for i in reversed(range(len(ROWS) - 1)):
            labelled = i in (0, len(ROWS) - 2) or (ROWS[i][0] in SIDE and self.graph.has_gradients)
            between = LABEL if labelled else STEP
            apart = between if heights[i] and any(heights[i + 1 :]) else 0.0
            if (
                i == ROW["c"] and self.graph.runs
            ):  # their headings are between the lines of c and of a
                apart = max(
                    apart,
                    HEADING + 2 * STEP + heights[ROW["a"]] / 2 + rows[ROW["a"] - i - 1] - rows[0],
                )
            rows.insert(0, rows[0] + heights[i] / 2 + apart + heights[i + 1] / 2)
        return tuple(rows)

    def _columns(self) -> tuple[tuple[float, ...], float]:
        """The middles of the columns from a frame's left side, and the frame's width."""
        widths = [0.0] * len(COLUMNS)
        for key, (name, block) in self.roles.items():
            if isinstance(self.graph.frame(block), int):
                beside = max(2 * self.apart, self.apart + 2 * self.share)
                needed = beside if name in SIDE else self.sizes[key][0] + 2 * self.rings[key]
                widths[COLUMN[name]] = max(widths[COLUMN[name]], needed)
        branches = self._widest(lambda s, t: s[0] == "z")
        middles, x = [], PAD
        for i, width in enumerate(widths[:-1]):
            middles.append(x + width / 2)
            x += width + (TRUNK + branches + ARROW + 8 if i == 0 else GAP)
        beside = self._widest(lambda s, t: s[1] == t[1] and s[0] == "c")
        # along which the branch of a<t> to its Error goes up, past the line and the label of c<t>
        trunk = max(x - GAP + TRUNK, middles[-1] + beside + 2 * HOP + 4)
        label = self._widest(lambda s, t: s[1] == t[1] and s[0] in ("a", "c"))
        return (*middles, trunk), max(
            trunk + max(widths[-1] / 2, label + 8, HOP), middles[-1] + label + 8
        ) + PAD

    def _apart(self) -> float:
        """The distance between the middles of a weight and of a bias above their sum; 0 where they
        are not drawn."""
        width = max(
            (self.sizes[key][0] for key, (name, _) in self.roles.items() if name in SIDE),
            default=0.0,
        )
        return max(width + 8, self.share) if width else 0.0

    def _frames(self) -> tuple[Frame, ...]:
        top = self.rows[0] + self.reach[0] + HEADING
        bottom = self.rows[-1] - self.reach[1] - PAD
        middle = (
            self.rows[ROW["c"]] + self.rows[ROW["a"]]
        ) / 2  # between the lines that go through
        frames: list[Frame] = []
        left = 0.0
        for block in self.graph.frames:
            width = self._slot_width(block) if isinstance(block, Run) else self.width
            frames.append(Frame(block, left, bottom, left + width, top, middle))
            left += width + self.gap
        return tuple(frames)

    def _slot_width(self, run: Run) -> float:
        inside = [
            self.sizes[key][0] + 2 * RING
            for key, (_, block) in self.roles.items()
            if block in run.blocks
        ]
        return max(self.measures.headings[run], *inside, 0.0) + 2 * PAD

    def _frame(self, role: Role) -> Frame | None:
        """The frame in which a role is; None before the first block and after the last."""
        return self.frame_of.get(self.graph.frame(role[1]))

    def _box(self, key: str, role: Role) -> Box:
        name, block = role
        width, height = self.sizes[key]
        frame = self._frame(role)
        if role == TOTAL:
            x = self.frames[-1].right + GAP + width / 2
        elif frame is None:  # the initial state, and to its left what it was made of
            x = -GAP - width / 2 - (self.start + GAP if block else 0)
        elif isinstance(frame.block, Run):
            x = (frame.left + frame.right) / 2
        else:
            x = frame.left + self.columns[COLUMN[name]] + SIDE.get(name, 0) * self.apart / 2
        return Box(x, self.rows[ROW[name]], width, height, self.rings[key])

    def _route(self, edge: Edge, boxes: dict[str, Box], label: float) -> Route:
        source, target = boxes[edge.source], boxes[edge.target]
        from_role, to_role = self.roles[edge.source], self.roles[edge.target]
        if to_role == TOTAL and from_role[1] != self.graph.blocks[-1]:
            return _above(source, target, self.frames[0].top + 10)
        if from_role[0] == "z":
            return _branching(source, target)
        if from_role[0] in SIDE:
            return Route(
                (source.bottom, (source.x, target.top[1])),
                (source.x + 5 + label / 2, (source.bottom[1] + target.top[1]) / 2),
            )
        if source.x == target.x:
            return _upright(source, target, label)
        if source.y != target.y:
            across = (
                self.rows[ROW["c"]]
                if to_role[0] == "Error" and source.y < self.rows[ROW["c"]]
                else None
            )
            return _around(source, target, label, across)
        frame = self._frame(from_role)
        crossing = frame is not None and frame is not self._frame(to_role)
        middle = (
            frame.right + self.gap / 2
            if frame and crossing
            else (source.right[0] + target.left[0]) / 2
        )
        return Route((source.right, target.left), (middle, source.y + 8))

    # The zero branches: the next block's end where that block would begin, the loss's in its place.

    def _zero_box(self, zero: Zero, source: Box) -> Box:
        frame = self.frame_of.get(zero.block)
        if frame is None:
            return Box(self.frames[-1].right + GAP + ZERO / 2, source.y, ZERO, ZERO)
        return Box(frame.left + self.columns[-1], self.rows[ROW["Error"]], ZERO, ZERO)

    def _zero_route(self, zero: Zero, boxes: dict[str, Box]) -> Route:
        source, target = boxes[zero.source], boxes[zero.key]
        return (
            Route((source.right, target.left), target.top)
            if source.y == target.y
            else _around(source, target, 0.0, self.rows[ROW["c"]])
        )


def _above(source: Box, target: Box, y: float) -> Route:
    """Up, along above everything, and down."""
    return Route(
        (source.top, (source.x, y), (target.x, y), target.top), ((source.x + target.x) / 2, y + 8)
    )


def _branching(source: Box, target: Box) -> Route:
    """Right, along a trunk that all branches share, and right again."""
    trunk = source.right[0] + TRUNK
    corners = (source.right, (trunk, source.y), (trunk, target.y), target.left)
    middle = (trunk + target.left[0] - ARROW + 4) / 2
    return Route(
        corners if source.y != target.y else (source.right, target.left), (middle, target.y + 8)
    )


def _upright(source: Box, target: Box, label: float) -> Route:
    start, end = (source.top, target.bottom) if source.y < target.y else (source.bottom, target.top)
    return Route((start, end), (source.x + 5 + label / 2, (start[1] + end[1]) / 2))


def _around(source: Box, target: Box, label: float, across: float | None = None) -> Route:
    """Right, then up or down; stepping aside where a line `across` is crossed."""
    x, end = target.x, target.bottom if source.y < target.y else target.top
    hop = (
        ()
        if across is None
        else (
            (x, across - HOP),
            (x + HOP, across - HOP),
            (x + HOP, across + HOP),
            (x, across + HOP),
        )
    )
    middle = (source.y + (end[1] if across is None else across)) / 2
    return Route((source.right, (x, source.y), *hop, end), (x + 5 + label / 2, middle))
