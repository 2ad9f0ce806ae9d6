"""DOT text from a graph: the same graph gives the same text in every run, and (with one version of
Graphviz) on every machine.

Ids are generated, and are those of the data, in the SVG too: ``n3`` for a node, ``n3-n7-0`` for an
edge (its ends and the argument), ``block-2`` for a frame. Text that a user gave appears only in
labels and tooltips, escaped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import graphviz

from tinygrad_lstm.viz.graph.data import Graph, Node, Run, Zero
from tinygrad_lstm.viz.image.scene import Scene
from tinygrad_lstm.viz.layout.curves import ARROW, arrow, written
from tinygrad_lstm.viz.layout.places import Box, Frame, Layout
from tinygrad_lstm.viz.look.ink import edge_ink, escaped, node_ink, zero_ink
from tinygrad_lstm.viz.look.ledger import ledger
from tinygrad_lstm.viz.look.legend import legend, titled
from tinygrad_lstm.viz.look.style import FONT, Theme
from tinygrad_lstm.viz.look.tables import html, inked, size
from tinygrad_lstm.viz.look.text import Line, heading, smallest
from tinygrad_lstm.viz.look.tooltips import ledger_tooltip

__all__ = ["source"]


def source(scene: Scene) -> str:
    """The DOT text of a scene: with positions where they are known, or else for ``dot`` to lay
    out."""
    picture = _canvas(scene.graph, scene.theme, "nop2" if scene.layout else "dot")
    if scene.layout:
        _placed(picture, scene, scene.layout)
    else:
        _flowing(picture, scene)
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
        fontsize=f"{smallest(graph):g}",
        color=theme.line,
        arrowsize=f"{ARROW / 10:g}",
    )
    return picture


# With positions from the template.


def _placed(picture: Any, scene: Scene, layout: Layout) -> None:
    graph, theme = scene.graph, scene.theme
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
    for name, table, box, said in scene.tables:
        picture.node(
            name,
            id=name,
            tooltip=escaped(said),
            label=f"<{html(table, theme)}>",
            shape="none",
            margin="0",
            **_box(box),
        )


def _draw_frame(picture: Any, graph: Graph, frame: Frame, theme: Theme) -> None:
    line = heading(graph, frame.block)
    at = (frame.left + 12 + line.width / 2, frame.top - 13)
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


# For any other graph: Graphviz finds the positions, and puts a narrow graph in the middle between
# the title and the legend.


def _flowing(picture: Any, scene: Scene) -> None:
    graph, theme = scene.graph, scene.theme
    head = titled(graph, scene.title, lstm=False, align="CENTER", down=scene.down)
    picture.attr(
        "graph",
        label=f"<{html(head, theme)}>",
        labelloc="t",
        rankdir="TB" if scene.down else "LR",
        nodesep="0.3",
        ranksep=f"{_apart(graph):g}",
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
