"""What a picture is made of before it is written in any format: the graph, where everything is, and
the tables around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from tinygrad_lstm.viz.graph.data import Graph, Node
from tinygrad_lstm.viz.layout.arrange import arranged
from tinygrad_lstm.viz.layout.curves import Point
from tinygrad_lstm.viz.layout.places import Box, Layout, Measures
from tinygrad_lstm.viz.look.ledger import ledger
from tinygrad_lstm.viz.look.legend import legend, titled
from tinygrad_lstm.viz.look.style import SHAPES, Theme, kind
from tinygrad_lstm.viz.look.tables import Table, size
from tinygrad_lstm.viz.look.text import contribution, heading, lines, smallest
from tinygrad_lstm.viz.look.tooltips import ledger_tooltip

__all__ = ["Scene", "Shown", "beside", "composed", "measures"]

TIGHT = {"ellipse": (1.1, 1.5), "hexagon": (1.35, 1.45)}  # of three short lines
NARROWEST = 600.0  # points across for the title, the legend and the ledger
MARGIN = 4.0  # around the picture, as Graphviz has it


class Shown(NamedTuple):
    """A table in its place, and its tooltip."""

    name: str
    table: Table
    box: Box
    said: str


@dataclass(frozen=True)
class Scene:
    """A picture. `layout` is None, and `tables` are none, where ``dot`` has to lay out all: across
    the page, or `down`."""

    graph: Graph
    theme: Theme
    title: str | None
    layout: Layout | None
    tables: tuple[Shown, ...]
    down: bool = False

    def bounds(self) -> tuple[float, float, float, float]:
        """The left, bottom, right and top end of a picture whose positions are known."""
        xs, ys = zip(*self._points(), strict=True)
        return min(xs) - MARGIN, min(ys) - MARGIN, max(xs) + MARGIN, max(ys) + MARGIN

    def _points(self) -> Iterator[Point]:
        assert self.layout is not None
        for frame in self.layout.frames:
            yield from ((frame.left, frame.bottom), (frame.right, frame.top))
        for box in (*self.layout.boxes.values(), *(shown.box for shown in self.tables)):
            yield from ((box.left[0], box.bottom[1]), (box.right[0], box.top[1]))
        for route in (*self.layout.routes, *self.layout.zeros):
            yield from route.curve

    @property
    def smallest(self) -> float:
        """The size of the smallest text, in points."""
        drawn = (line for node in self.graph.nodes for line in lines(node, self.graph))
        sizes = [line.size for line in drawn if line.text]
        return min(smallest(self.graph), *sizes)


def composed(
    graph: Graph,
    theme: Theme,
    title: str | None = None,
    arrange: Callable[[str], str] | None = None,
    wrap: int | None = None,
) -> Scene:
    """The scene of a graph.

    With positions where the stages are those of the LSTM, and where blocks repeat and `arrange`
    (Graphviz, from DOT text to its plain format) can place one of them, with at most `wrap` frames
    in a row; elsewhere for ``dot`` to lay out.
    """
    layout, is_lstm = arranged(graph, measures(graph), arrange, wrap)
    if layout is None:
        return Scene(graph, theme, title, None, ())
    head = _head(graph, title, layout, is_lstm)
    return Scene(graph, theme, title, layout, (head, *_below(graph, layout)))


def beside(scene: Scene) -> Scene:
    """The scene with the legend and the ledger beside the graph instead of below it."""
    assert scene.layout is not None
    return replace(scene, tables=(scene.tables[0], *_beside(scene.graph, scene.layout)))


def measures(graph: Graph) -> Measures:
    """How much room the texts of a graph need."""
    labels = tuple(contribution(edge, graph).width for edge in graph.edges)
    headings = {run: heading(graph, run).width for run in graph.runs}
    sizes = {node.key: _node_size(node, graph) for node in graph.nodes}
    return Measures(sizes, labels, headings)


def _node_size(node: Node, graph: Graph) -> tuple[float, float]:
    shape, _, wider, higher = SHAPES[kind(node)]
    if graph.few:
        wider, higher = TIGHT.get(shape, (wider, higher))
    written = lines(node, graph)
    if shape == "ellipse" and any(line.strip for line in written):  # which are wide at its ends
        wider, higher = wider * 1.06, higher * 1.12
    pad = 6 if graph.few else 10
    height = sum(line.height for line in written) * higher + 6
    return max(line.width for line in written) * wider + pad, height


def _sides(layout: Layout) -> tuple[float, float]:
    """From where to where the tables reach: as the frames; narrow, between what is beside them."""
    if len(layout.frames) == 1:
        boxes = layout.boxes.values()
        return min(box.left[0] for box in boxes), max(box.right[0] for box in boxes)
    return layout.frames[0].left, max(frame.right for frame in layout.frames)


def _head(graph: Graph, title: str | None, layout: Layout, is_lstm: bool) -> Shown:
    """The title above the frames."""
    left, right = _sides(layout)
    head = titled(graph, title, is_lstm, "LEFT", max(NARROWEST, right - left))
    return _shown("title", head, (left, layout.top + size(head)[1]), head.rows[0][0].line.text)


def _tables(graph: Graph, room: float) -> Iterator[tuple[str, Table, str]]:
    """The legend and the ledger, where there are any, and their tooltips."""
    for name, table in (("legend", legend(graph, room)), ("ledger", ledger(graph, room))):
        if table:
            legend_said = table.rows[0][0].line.text
            yield name, table, ledger_tooltip(graph) if name == "ledger" else legend_said


def _below(graph: Graph, layout: Layout) -> Iterator[Shown]:
    """The tables below the frames, from the left side on."""
    left, right = _sides(layout)
    room, top = max(NARROWEST, right - left), layout.bottom - 20
    used, lowest = 0.0, top
    for name, table, said in _tables(graph, room):
        width, height = size(table)
        if used and used + width > room:  # below the one before
            used, top = 0.0, lowest - 14
        yield _shown(name, table, (left + used, top), said)
        used, lowest = used + width + 30, min(lowest, top - height)


def _beside(graph: Graph, layout: Layout) -> Iterator[Shown]:
    """The tables in a column on the right of all."""
    ends = [box.right[0] for box in layout.boxes.values()]
    ends += [x for route in (*layout.routes, *layout.zeros) for x, _ in route.curve]
    left, top = max(ends + [frame.right for frame in layout.frames]) + 30, layout.top
    for name, table, said in _tables(graph, 0.0):
        yield _shown(name, table, (left, top), said)
        top -= size(table)[1] + 14


def _shown(name: str, table: Table, corner: Point, said: str) -> Shown:
    """A table whose top left corner is at `corner`."""
    width, height = size(table)
    return Shown(
        name, table, Box(corner[0] + width / 2, corner[1] - height / 2, width, height), said
    )
