"""DOT text from a graph: the same graph gives the same text, on every machine and in every run.

Ids are generated, and are those of the data, in the SVG too: ``n3`` for a node, ``n3-n7-0`` for an edge (its ends and the
argument), ``block-2`` for a frame. Text that a user gave appears only in labels and tooltips, escaped.
"""

from __future__ import annotations

import html as markup
from collections.abc import Sequence
from typing import Any

import graphviz

from tinygrad_lstm.viz.graph import Edge, Graph, Node
from tinygrad_lstm.viz.layout import Box, Frame, Layout, Measures, Point, place
from tinygrad_lstm.viz.style import FONT, SHAPES, Theme, kind, text_width
from tinygrad_lstm.viz.tables import Table, html, inked, ledger, legend, size, titled
from tinygrad_lstm.viz.text import Line, edge_tooltip, lines, summary, tooltip

__all__ = ["source"]

MARGIN = 8.0
RADIUS = 7.0  # of a line's corners
ARROW = 7.0
LABEL_SIZE = 9


def source(graph: Graph, theme: Theme, title: str | None = None) -> str:
    """The DOT text of a graph: with positions where the layout knows its stages, for ``dot`` to lay out elsewhere."""
    layout = place(graph, _measures(graph))
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


def _measures(graph: Graph) -> Measures:
    labels = tuple(text_width(_contribution(edge), LABEL_SIZE) for edge in graph.edges)
    return Measures({node.key: _node_size(node) for node in graph.nodes}, labels, _line_width(_heading(graph, "hidden")))


def _node_size(node: Node) -> tuple[float, float]:
    _, _, wider, higher = SHAPES[kind(node)]
    written = lines(node)
    return max(map(_line_width, written)) * wider + 10, sum(line.size * 1.2 + 2 for line in written) * higher + 6


def _line_width(line: Line) -> float:
    return text_width(line.text, line.size, line.bold)


def _contribution(edge: Edge) -> str:
    """What is written on an edge: what a branch of a fork sends back."""
    return summary(edge.gradient) if edge.fork and edge.gradient is not None else ""


def _heading(graph: Graph, block: int | str) -> Line:
    """The heading of a block's frame, or of the frame of the hidden ones."""
    e = graph.elided
    text = f"… {e.count} blocks, t = {e.first} … {e.last}, {e.forks} forks …" if e and block == "hidden" else f"block t = {block}"
    return Line(text, size=12, bold=True)


# With positions from the template.


def _placed(picture: Any, graph: Graph, layout: Layout, theme: Theme, title: str | None) -> None:
    picture.attr("node", fixedsize="true")
    for frame in layout.frames:
        _draw_frame(picture, graph, frame, theme)
    for node in graph.nodes:
        picture.node(node.key, **_node(node, theme), **_box(layout.boxes[node.key]))
    ends = {node.key: node for node in graph.nodes}
    for edge, route in zip(graph.edges, layout.routes, strict=True):
        picture.edge(edge.source, edge.target, **_edge(edge, ends, theme), pos=_spline(route.corners), lp=_point(route.label))
    _around(picture, graph, layout, theme, title)


def _draw_frame(picture: Any, graph: Graph, frame: Frame, theme: Theme) -> None:
    heading = _heading(graph, frame.block)
    middle = frame.left + 12 + _line_width(heading) / 2
    corners = (frame.left, frame.bottom, frame.right, frame.top)
    with picture.subgraph(name=f"cluster_{frame.block}") as cluster:
        surface = _surface(heading, theme, frame.block == "hidden")
        cluster.attr(id=f"block-{frame.block}", bb=",".join(f"{c:.2f}" for c in corners), lp=_point((middle, frame.top - 13)), **surface)


def _surface(heading: Line, theme: Theme, dashed: bool) -> dict[str, str]:
    style = "filled,rounded" + ",dashed" * dashed
    return {"label": f"<{inked(heading, theme)}>", "style": style, "fillcolor": theme.frame, "color": theme.line, "tooltip": heading.text}


def _box(box: Box) -> dict[str, str]:
    return {"pos": _point((box.x, box.y)), "width": f"{box.width / 72:.4f}", "height": f"{box.height / 72:.4f}"}


def _around(picture: Any, graph: Graph, layout: Layout, theme: Theme, title: str | None) -> None:
    """The title above the frames, the legend and the ledger below them, from the left side on."""
    left, bottom, top = layout.frames[0].left, layout.frames[0].bottom, layout.frames[0].top
    heading = titled(graph, title, lstm=True)
    _draw_table(picture, "title", heading, (left, top + 16 + size(heading)[1]), theme)
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
    heading = f"<{html(titled(graph, title, lstm=False), theme)}>"
    picture.attr("graph", label=heading, labelloc="t", rankdir="LR", nodesep="0.3", ranksep="0.45")
    with picture.subgraph(name="cluster_all") as whole:
        below = [table for table in (legend(graph), ledger(graph)) if table]
        width = max(size(table)[0] for table in below)  # Graphviz would stretch the columns of the narrower one
        tables = "".join(f"<TR><TD>{html(table._replace(width=width), theme)}</TD></TR>" for table in below)
        whole.attr(label=f'<<TABLE BORDER="0" CELLSPACING="6">{tables}</TABLE>>', labelloc="b", color=theme.page)
        for block, nodes in _by_frame(graph).items():
            _draw_nodes(whole, graph, block, nodes, theme)
        ends = {node.key: node for node in graph.nodes}
        for edge in graph.edges:
            whole.edge(edge.source, edge.target, **_edge(edge, ends, theme))


def _by_frame(graph: Graph) -> dict[int | str | None, list[Node]]:
    """The nodes by the block in whose frame they are; None for those in no frame."""
    found: dict[int | str | None, list[Node]] = {}
    for node in graph.nodes:
        hidden = graph.elided is not None and node.block in graph.elided
        found.setdefault("hidden" if hidden else node.block if node.block in graph.blocks else None, []).append(node)
    return found


def _draw_nodes(whole: Any, graph: Graph, block: int | str | None, nodes: Sequence[Node], theme: Theme) -> None:
    if block is None:
        for node in nodes:
            whole.node(node.key, **_node(node, theme))
        return
    with whole.subgraph(name=f"cluster_{block}") as cluster:
        cluster.attr(id=f"block-{block}", labelloc="t", labeljust="l", **_surface(_heading(graph, block), theme, block == "hidden"))
        _draw_nodes(cluster, graph, None, nodes, theme)


# Nodes and edges, the same in both.


def _node(node: Node, theme: Theme) -> dict[str, str]:
    name = kind(node)
    shape, style, _, _ = SHAPES[name]
    label = "".join(f"<TR><TD>{inked(line, theme)}</TD></TR>" for line in lines(node))
    ring = {"peripheries": "2", "color": theme.fork, "penwidth": "1.8"} if node.fork else {}
    label = f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1">{label}</TABLE>>'
    return {"id": node.key, "label": label, "shape": shape, "style": style, "fillcolor": getattr(theme, name), "tooltip": _escaped(tooltip(node)), **ring}


def _edge(edge: Edge, ends: dict[str, Node], theme: Theme) -> dict[str, str]:
    said = _escaped(edge_tooltip(edge, ends[edge.source], ends[edge.target]))
    drawn = {"id": edge.key, "tooltip": said, "labeltooltip": said}
    if edge.fork:
        drawn |= {"color": theme.fork, "penwidth": "1.6", "label": _contribution(edge)}
    return drawn | ({"style": "dashed"} if edge.through else {})


def _escaped(text: str) -> str:
    """A tooltip as an attribute: Graphviz unescapes it twice, and reads at most 16 KB in one go, so that longer text is cut."""
    written = markup.escape(text).replace("\\", "\\" * 4)
    return written if len(written.encode()) < 15_000 else _escaped(text[:2_000] + "…")


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
