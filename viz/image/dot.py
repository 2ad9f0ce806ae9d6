"""DOT text from a graph: the same graph gives the same text in every run, and (with one version of
Graphviz) on every machine.

Ids are generated, and are those of the data, in the SVG too: ``n3`` for a node, ``n3-n7-0`` for an
edge (its ends and the argument), ``block-2`` for a frame. Text that a user gave appears only in
labels and tooltips, escaped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import graphviz

from tinygrad_lstm.viz.graph.data import Graph, Node, Run, Zero
from tinygrad_lstm.viz.layout.arrange import arranged
from tinygrad_lstm.viz.layout.curves import ARROW, Point, arrow, written
from tinygrad_lstm.viz.layout.places import Box, Frame, Layout, Measures
from tinygrad_lstm.viz.look.ink import edge_ink, escaped, node_ink, zero_ink
from tinygrad_lstm.viz.look.ledger import ledger
from tinygrad_lstm.viz.look.legend import legend, titled
from tinygrad_lstm.viz.look.style import FONT, SHAPES, Theme, kind, text_width
from tinygrad_lstm.viz.look.tables import Table, html, inked, size
from tinygrad_lstm.viz.look.text import SMALLEST, Line, contribution, heading, ledger_tooltip, lines

__all__ = ["measures", "source"]


TIGHT = {"ellipse": (1.1, 1.5), "hexagon": (1.25, 1.1)}  # of three short lines
NARROWEST = 600.0  # points across for the title, the legend and the ledger


def source(
    graph: Graph,
    theme: Theme,
    title: str | None = None,
    arrange: Callable[[str], str] | None = None,
    wrap: int | None = None,
) -> str:
    """The DOT text of a graph.

    With positions where the stages are those of the LSTM, and where blocks repeat and `arrange`
    (Graphviz, from DOT text to its plain format) can place one of them, with at most `wrap` frames
    in a row; elsewhere for ``dot`` to lay out.
    """
    layout, is_lstm = arranged(graph, measures(graph), arrange, wrap)
    picture = _canvas(graph, theme, "nop2" if layout else "dot")
    if layout:
        headed = titled(graph, title, is_lstm, "LEFT", _room(layout))
        _placed(picture, graph, layout, theme, headed)
    else:
        _flowing(picture, graph, theme, title)
    return str(picture.source)


def _canvas(graph: Graph, theme: Theme, engine: str) -> Any:
    picture = graphviz.Digraph("tinygrad_lstm")
    picture.attr(
        "graph",
        layout=engine,
        bgcolor=theme.page,
        fontname=FONT,
        fontcolor=theme.text,
        outputorder="edgesfirst",
    )
    picture.attr("node", fontname=FONT, fontcolor=theme.text, color=theme.line, penwidth="1")
    picture.attr(
        "edge",
        fontname=FONT,
        fontcolor=theme.fork,
        fontsize=f"{SMALLEST[graph.level]:g}",
        color=theme.line,
        arrowsize=f"{ARROW / 10:g}",
    )
    return picture


def measures(graph: Graph) -> Measures:
    """How much room the texts of a graph need."""
    small = SMALLEST[graph.level]
    labels = tuple(text_width(contribution(edge, graph.level), small) for edge in graph.edges)
    headings = {run: _line_width(heading(graph, run)) for run in graph.runs}
    sizes = {node.key: _node_size(node, graph.level) for node in graph.nodes}
    return Measures(sizes, labels, headings)


def _node_size(node: Node, level: str) -> tuple[float, float]:
    shape, _, wider, higher = SHAPES[kind(node)]
    if level == "gates":
        wider, higher = TIGHT.get(shape, (wider, higher))
    written = lines(node, level)
    pad = 6 if level == "gates" else 10
    return max(map(_line_width, written)) * wider + pad, sum(
        line.size * 1.2 + 2 for line in written
    ) * higher + 6


def _line_width(line: Line) -> float:
    return text_width(line.text, line.size, line.bold)


# With positions from the template.


def _placed(picture: Any, graph: Graph, layout: Layout, theme: Theme, headed: Table) -> None:
    picture.attr("node", fixedsize="true")
    for frame in layout.frames:
        _draw_frame(picture, graph, frame, theme)
    for node in graph.nodes:
        picture.node(node.key, **node_ink(node, graph, theme), **_box(layout.boxes[node.key]))
    for edge, route in zip(graph.edges, layout.routes, strict=True):
        picture.edge(
            edge.source,
            edge.target,
            **edge_ink(edge, graph, theme),
            pos=arrow(route.curve),
            lp=written(route.label),
        )
    for zero, route in zip(graph.zeros, layout.zeros, strict=True):
        node_attributes, edge_attributes = zero_ink(zero, graph, theme)
        picture.node(zero.key, **node_attributes | _box(layout.boxes[zero.key]))
        picture.edge(zero.source, zero.key, **edge_attributes, pos=arrow(route.curve))
    _around(picture, graph, layout, theme, headed)


def _draw_frame(picture: Any, graph: Graph, frame: Frame, theme: Theme) -> None:
    line = heading(graph, frame.block)
    at = (frame.left + 12 + _line_width(line) / 2, frame.top - 13)
    if isinstance(frame.block, Run):  # in the middle, where no line passes
        at = (frame.left + frame.right) / 2, frame.middle
    corners = (frame.left, frame.bottom, frame.right, frame.top)
    with _cluster(picture, frame.block) as cluster:
        cluster.attr(
            bb=",".join(f"{c:.2f}" for c in corners),
            lp=written(at),
            **_surface(line, theme, frame.block),
        )


def _cluster(picture: Any, block: int | Run) -> Any:
    """The frame of a block, or of a run of them, with its id."""
    name = (
        f"{block.first}-{block.last}"
        if isinstance(block, Run) and block.count > 1
        else f"{block.first if isinstance(block, Run) else block}"
    )
    return picture.subgraph(name=f"cluster_{name}", graph_attr={"id": f"block-{name}"})


def _surface(line: Line, theme: Theme, block: int | Run) -> dict[str, str]:
    style = "filled,rounded" + ",dashed" * isinstance(block, Run)
    return {
        "label": f"<{inked(line, theme)}>",
        "style": style,
        "fillcolor": theme.frame,
        "color": theme.line,
        "tooltip": line.text,
    }


def _box(box: Box) -> dict[str, str]:
    return {
        "pos": written((box.x, box.y)),
        "width": f"{box.width / 72:.4f}",
        "height": f"{box.height / 72:.4f}",
    }


def _around(picture: Any, graph: Graph, layout: Layout, theme: Theme, headed: Table) -> None:
    """The title above the frames, the legend and the ledger below them, from the left side on."""
    left, top, room = layout.frames[0].left, layout.bottom - 20, _room(layout)
    _draw_table(picture, graph, "title", headed, (left, layout.top + size(headed)[1]), theme)
    used, lowest = 0.0, top
    for name, table in (("legend", legend(graph, room)), ("ledger", ledger(graph))):
        if table:
            width, height = size(table)
            if used and used + width > room:  # below the one before
                used, top = 0.0, lowest - 14
            _draw_table(picture, graph, name, table, (left + used, top), theme)
            used, lowest = used + width + 30, min(lowest, top - height)


def _room(layout: Layout) -> float:
    """The width for what stands around the frames."""
    left = min(frame.left for frame in layout.frames)
    return max(NARROWEST, max(frame.right for frame in layout.frames) - left)


def _draw_table(
    picture: Any, graph: Graph, name: str, table: Table, corner: Point, theme: Theme
) -> None:
    """A table whose top left corner is at `corner`."""
    width, height = size(table)
    box = Box(corner[0] + width / 2, corner[1] - height / 2, width, height)
    said = ledger_tooltip(graph) if name == "ledger" else table.rows[0][0].line.text
    picture.node(
        name,
        id=name,
        tooltip=escaped(said),
        label=f"<{html(table, theme)}>",
        shape="none",
        margin="0",
        **_box(box),
    )


# For any other graph: Graphviz finds the positions, and puts a narrow graph in the middle between
# the title and the legend.


def _flowing(picture: Any, graph: Graph, theme: Theme, title: str | None) -> None:
    head = f"<{html(titled(graph, title, lstm=False, align='CENTER'), theme)}>"
    picture.attr(
        "graph", label=head, labelloc="t", rankdir="LR", nodesep="0.3", ranksep=f"{_apart(graph):g}"
    )
    with picture.subgraph(name="cluster_all") as whole:
        below = [table for table in (legend(graph), ledger(graph)) if table]
        width = max(
            size(table)[0] for table in below
        )  # Graphviz would stretch the columns of the narrower one
        tables = "".join(
            f"<TR><TD>{html(table._replace(width=width), theme)}</TD></TR>" for table in below
        )
        whole.attr(
            label=f'<<TABLE BORDER="0" CELLSPACING="6">{tables}</TABLE>>',
            labelloc="b",
            color=theme.page,
            tooltip=escaped(ledger_tooltip(graph)),
        )
        for frame, nodes in _by_frame(graph).items():
            _draw_nodes(whole, graph, frame, nodes, theme)
        for edge in graph.edges:
            whole.edge(edge.source, edge.target, **edge_ink(edge, graph, theme))
        for zero in graph.zeros:
            whole.edge(zero.source, zero.key, **zero_ink(zero, graph, theme)[1])


def _apart(graph: Graph) -> float:
    """The inches between the ranks: more where many edges fan out, so that they can be told
    apart."""
    degrees = Counter(end for edge in graph.edges for end in ((edge.source, 0), (edge.target, 1)))
    most = max(degrees.values(), default=0)
    return 0.45 if most <= 8 else min(most / 32, 4.0) + 0.45


def _by_frame(graph: Graph) -> dict[int | Run | None, list[Node | Zero]]:
    """What is drawn, by the frame in which it is; None for what is in no frame."""
    found: dict[int | Run | None, list[Node | Zero]] = {}
    every: tuple[Node | Zero, ...] = (*graph.nodes, *graph.zeros)
    for drawn in every:
        found.setdefault(graph.frame(drawn.block), []).append(drawn)
    return found


def _draw_nodes(
    whole: Any, graph: Graph, frame: int | Run | None, drawn: Sequence[Node | Zero], theme: Theme
) -> None:
    if frame is None:
        for node in drawn:
            whole.node(
                node.key,
                **node_ink(node, graph, theme)
                if isinstance(node, Node)
                else zero_ink(node, graph, theme)[0],
            )
        return
    with _cluster(whole, frame) as cluster:
        cluster.attr(labelloc="t", labeljust="l", **_surface(heading(graph, frame), theme, frame))
        _draw_nodes(cluster, graph, None, drawn, theme)
