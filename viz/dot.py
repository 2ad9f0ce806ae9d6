"""DOT text from a graph: the same graph gives the same text, on every machine and in every run.

Ids are generated, and are those of the data, in the SVG too: ``n3`` for a node, ``n3-n7-0`` for an edge (its ends and the
argument), ``block-2`` for a frame. Text that a user gave appears only in labels and tooltips, escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import graphviz

from tinygrad_lstm.viz.data import Graph, Node, Run, Zero
from tinygrad_lstm.viz.ink import edge_ink, node_ink, zero_ink
from tinygrad_lstm.viz.layout import Box, Frame, Layout, Measures, Point, place
from tinygrad_lstm.viz.style import FONT, SHAPES, Theme, kind, text_width
from tinygrad_lstm.viz.tables import Table, html, inked, ledger, legend, size, titled
from tinygrad_lstm.viz.text import Line, contribution, heading, lines

__all__ = ["measures", "source"]

MARGIN = 8.0
RADIUS = 7.0  # of a line's corners
ARROW = 7.0
LABEL_SIZE = 9


def source(graph: Graph, theme: Theme, title: str | None = None) -> str:
    """The DOT text of a graph: with positions where the layout knows its stages, for ``dot`` to lay out elsewhere."""
    layout = place(graph, measures(graph))
    picture = _canvas(theme, "nop2" if layout else "dot")
    if layout:
        _placed(picture, graph, layout, theme, title)
    else:
        _flowing(picture, graph, theme, title)
    return str(picture.source)


def _canvas(theme: Theme, engine: str) -> Any:
    picture = graphviz.Digraph("tinygrad_lstm")
    picture.attr("graph", layout=engine, bgcolor=theme.page, fontname=FONT, fontcolor=theme.text, outputorder="edgesfirst")
    picture.attr("node", fontname=FONT, fontcolor=theme.text, color=theme.line, penwidth="1")
    picture.attr("edge", fontname=FONT, fontcolor=theme.fork, fontsize=str(LABEL_SIZE), color=theme.line, arrowsize=f"{ARROW / 10:g}")
    return picture


def measures(graph: Graph) -> Measures:
    """How much room the texts of a graph need."""
    labels = tuple(text_width(contribution(edge), LABEL_SIZE) for edge in graph.edges)
    headings = {run: _line_width(heading(graph, run)) for run in graph.runs}
    return Measures({node.key: _node_size(node) for node in graph.nodes}, labels, headings)


def _node_size(node: Node) -> tuple[float, float]:
    _, _, wider, higher = SHAPES[kind(node)]
    written = lines(node)
    return max(map(_line_width, written)) * wider + 10, sum(line.size * 1.2 + 2 for line in written) * higher + 6


def _line_width(line: Line) -> float:
    return text_width(line.text, line.size, line.bold)


# With positions from the template.


def _placed(picture: Any, graph: Graph, layout: Layout, theme: Theme, title: str | None) -> None:
    picture.attr("node", fixedsize="true")
    for frame in layout.frames:
        _draw_frame(picture, graph, layout, frame, theme)
    for node in graph.nodes:
        picture.node(node.key, **node_ink(node, graph, theme), **_box(layout.boxes[node.key]))
    for edge, route in zip(graph.edges, layout.routes, strict=True):
        picture.edge(edge.source, edge.target, **edge_ink(edge, graph, theme), pos=_spline(route.corners), lp=_point(route.label))
    for zero, route in zip(graph.zeros, layout.zeros, strict=True):
        node_attributes, edge_attributes = zero_ink(zero, graph, theme)
        picture.node(zero.key, **node_attributes | _box(layout.boxes[zero.key]))
        picture.edge(zero.source, zero.key, **edge_attributes, pos=_spline(route.corners))
    _around(picture, graph, layout, theme, title)


def _draw_frame(picture: Any, graph: Graph, layout: Layout, frame: Frame, theme: Theme) -> None:
    line = heading(graph, frame.block)
    at = (frame.left + 12 + _line_width(line) / 2, frame.top - 13)
    if isinstance(frame.block, Run):  # in the middle, where no line passes
        at = (frame.left + frame.right) / 2, layout.middle
    corners = (frame.left, frame.bottom, frame.right, frame.top)
    with _cluster(picture, frame.block) as cluster:
        cluster.attr(bb=",".join(f"{c:.2f}" for c in corners), lp=_point(at), **_surface(line, theme, frame.block))


def _cluster(picture: Any, block: int | Run) -> Any:
    """The frame of a block, or of a run of them, with its id."""
    name = f"{block.first}-{block.last}" if isinstance(block, Run) and block.count > 1 else f"{block.first if isinstance(block, Run) else block}"
    return picture.subgraph(name=f"cluster_{name}", graph_attr={"id": f"block-{name}"})


def _surface(line: Line, theme: Theme, block: int | Run) -> dict[str, str]:
    style = "filled,rounded" + ",dashed" * isinstance(block, Run)
    return {"label": f"<{inked(line, theme)}>", "style": style, "fillcolor": theme.frame, "color": theme.line, "tooltip": line.text}


def _box(box: Box) -> dict[str, str]:
    return {"pos": _point((box.x, box.y)), "width": f"{box.width / 72:.4f}", "height": f"{box.height / 72:.4f}"}


def _around(picture: Any, graph: Graph, layout: Layout, theme: Theme, title: str | None) -> None:
    """The title above the frames, the legend and the ledger below them, from the left side on."""
    left, bottom, top = layout.frames[0].left, layout.frames[0].bottom, layout.frames[0].top
    head = titled(graph, title, lstm=True)
    _draw_table(picture, "title", head, (left, top + 24 + size(head)[1]), theme)
    for name, table in (("legend", legend(graph)), ("ledger", ledger(graph))):
        if table:
            _draw_table(picture, name, table, (left, bottom - 20), theme)
            left += size(table)[0] + 30


def _draw_table(picture: Any, name: str, table: Table, corner: Point, theme: Theme) -> None:
    """A table whose top left corner is at `corner`."""
    width, height = size(table)
    box = Box(corner[0] + width / 2, corner[1] - height / 2, width, height)
    picture.node(name, id=name, label=f"<{html(table, theme)}>", shape="none", margin="0", **_box(box))


# For any other graph: Graphviz finds the positions, and puts a narrow graph in the middle between the title and the legend.


def _flowing(picture: Any, graph: Graph, theme: Theme, title: str | None) -> None:
    head = f"<{html(titled(graph, title, lstm=False), theme)}>"
    picture.attr("graph", label=head, labelloc="t", rankdir="LR", nodesep="0.3", ranksep="0.45")
    with picture.subgraph(name="cluster_all") as whole:
        below = [table for table in (legend(graph), ledger(graph)) if table]
        width = max(size(table)[0] for table in below)  # Graphviz would stretch the columns of the narrower one
        tables = "".join(f"<TR><TD>{html(table._replace(width=width), theme)}</TD></TR>" for table in below)
        whole.attr(label=f'<<TABLE BORDER="0" CELLSPACING="6">{tables}</TABLE>>', labelloc="b", color=theme.page)
        for frame, nodes in _by_frame(graph).items():
            _draw_nodes(whole, graph, frame, nodes, theme)
        for edge in graph.edges:
            whole.edge(edge.source, edge.target, **edge_ink(edge, graph, theme))
        for zero in graph.zeros:
            whole.edge(zero.source, zero.key, **zero_ink(zero, graph, theme)[1])


def _by_frame(graph: Graph) -> dict[int | Run | None, list[Node | Zero]]:
    """What is drawn, by the frame in which it is; None for what is in no frame."""
    found: dict[int | Run | None, list[Node | Zero]] = {}
    every: tuple[Node | Zero, ...] = (*graph.nodes, *graph.zeros)
    for drawn in every:
        found.setdefault(graph.frame(drawn.block), []).append(drawn)
    return found


def _draw_nodes(whole: Any, graph: Graph, frame: int | Run | None, drawn: Sequence[Node | Zero], theme: Theme) -> None:
    if frame is None:
        for node in drawn:
            whole.node(node.key, **node_ink(node, graph, theme) if isinstance(node, Node) else zero_ink(node, graph, theme)[0])
        return
    with _cluster(whole, frame) as cluster:
        cluster.attr(labelloc="t", labeljust="l", **_surface(heading(graph, frame), theme, frame))
        _draw_nodes(cluster, graph, None, drawn, theme)


# Lines.


def _spline(corners: Sequence[Point]) -> str:
    """An arrow along `corners` with rounded turns, as Graphviz writes it: Bezier curves and the arrow's point."""
    end = corners[-1]
    path = [*corners[:-1], _towards(end, corners[-2], ARROW)]
    points = [path[0]]
    for before, corner, after in zip(path, path[1:], path[2:], strict=False):
        enter, leave = _towards(corner, before, RADIUS), _towards(corner, after, RADIUS)
        points += [points[-1], enter, enter, corner, corner, leave]
    points += [points[-1], path[-1], path[-1]]
    return f"e,{_point(end)} " + " ".join(map(_point, points))


def _towards(start: Point, end: Point, length: float) -> Point:
    """The point at `length` from `start`, at most halfway, in the direction of `end`."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    distance = (dx * dx + dy * dy) ** 0.5 or 1.0
    share = min(length / distance, 0.5)
    return start[0] + dx * share, start[1] + dy * share


def _point(point: Point) -> str:
    return f"{point[0]:.2f},{point[1]:.2f}"
