"""How nodes, edges and zero branches are drawn: Graphviz's attributes, the same wherever they
stand."""

from __future__ import annotations

import html as markup

from tinygrad_lstm.viz.graph.data import Edge, Graph, Node, Zero
from tinygrad_lstm.viz.look.style import SHAPES, Theme, kind
from tinygrad_lstm.viz.look.tables import inked
from tinygrad_lstm.viz.look.text import Line, contribution, is_first_wrong, lines
from tinygrad_lstm.viz.look.tooltips import edge_tooltip, tooltip, zero_tooltip

__all__ = [
    "edge_ink",
    "edge_line",
    "edge_stroke",
    "escaped",
    "node_ink",
    "node_lines",
    "node_shape",
    "zero_ink",
]

Attributes = dict[str, str]

BARE = '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1">'


def node_lines(node: Node, graph: Graph) -> list[Line]:
    """What is written on a node; faded where it is on no marked way."""
    faded = bool(graph.ways) and not node.ways
    written = lines(node, graph)
    return [line._replace(ink="faded") for line in written] if faded else written


def node_ink(node: Node, graph: Graph, theme: Theme) -> Attributes:
    rows = "".join(f"<TR><TD>{inked(line, theme)}</TD></TR>" for line in node_lines(node, graph))
    said = {"label": f"<{BARE}{rows}</TABLE>>", "tooltip": escaped(tooltip(node))}
    return {"id": node.key, **said, **node_shape(node, graph, theme)}


def node_shape(node: Node, graph: Graph, theme: Theme) -> Attributes:
    """How a node is drawn, without what is written on it and beside it."""
    name = kind(node)
    shape, style, _, _ = SHAPES[name]
    faded = bool(graph.ways) and not node.ways
    return {
        "shape": shape,
        "style": style,
        "fillcolor": theme.frame if faded else getattr(theme, name),
        **({"peripheries": "2", "color": theme.fork, "penwidth": "1.8"} if node.fork else {}),
        **_verdict_ink(node, theme),
        **_way_ink(node.ways, graph, theme, wide=not node.fork),
    }


def _verdict_ink(node: Node, theme: Theme) -> Attributes:
    """What is wrong by itself has a thick edge and another surface; what is wrong because of it has
    the second only."""
    if node.verdict is None or node.verdict.kind in ("right", "open"):
        return {}
    first = node.verdict.kind == "first"
    return {
        "fillcolor": theme.first if first else theme.because,
        **({"penwidth": "4", "color": theme.wrong} if first else {}),
    }


def _way_ink(ways: tuple[int, ...], graph: Graph, theme: Theme, wide: bool) -> Attributes:
    """A way has its colour and is wide; of several ways the node shows the first. What is on none
    is faded."""
    if not graph.ways:
        return {}
    if not ways:
        return {"color": theme.faded}
    return {"color": theme.way(ways[0]), "penwidth": "2.8"} if wide else {"penwidth": "2.8"}


def edge_line(edge: Edge, graph: Graph) -> Line:
    """What is written on an edge; faded where it is on no marked way."""
    line = contribution(edge, graph)
    return line._replace(ink="faded") if graph.ways and not edge.ways else line


def edge_ink(edge: Edge, graph: Graph, theme: Theme) -> Attributes:
    said = escaped(edge_tooltip(edge, graph.node(edge.source), graph.node(edge.target)))
    named = {"id": edge.key, "tooltip": said, "labeltooltip": said}
    return named | edge_stroke(edge, graph, theme)


def edge_stroke(edge: Edge, graph: Graph, theme: Theme) -> Attributes:
    """How an edge is drawn, and its label."""
    drawn: Attributes = {}
    line = edge_line(edge, graph)
    label = f"<{inked(line, theme)}>" if line.strip or edge.said else line.text
    if edge.fork:
        drawn |= {"color": theme.fork, "penwidth": "1.6", "label": label}
    if edge.said:
        drawn["label"] = label
    if edge.steps:
        drawn["constraint"] = "false"
    if edge.steps or edge.through:
        drawn["style"] = "dashed"
    if is_first_wrong(edge):
        drawn |= {
            "color": theme.fork if edge.fork else theme.wrong,
            "penwidth": "4",
            "label": label,
        }
    if graph.ways and edge.ways:  # ways side by side, one colour each
        drawn |= {"color": ":".join(theme.way(i) for i in edge.ways), "penwidth": "2.8"}
    elif graph.ways:
        drawn |= {"color": theme.faded, "fontcolor": theme.faded, "penwidth": "1"}
    return drawn


def zero_ink(zero: Zero, graph: Graph, theme: Theme) -> tuple[Attributes, Attributes]:
    """The node and the edge of a zero branch."""
    said = escaped(zero_tooltip(zero, graph.node(zero.source)))
    ink, colour = ("faded", theme.faded) if graph.ways else ("fork", theme.fork)
    label = f"<{inked(Line('0', ink, 11, True), theme)}>"
    node = {
        "id": zero.key,
        "label": label,
        "shape": "circle",
        "style": "filled",
        "fillcolor": theme.page,
        "color": colour,
    }
    edge = {
        "id": f"{zero.key}-edge",
        "style": "dotted",
        "color": colour,
        "penwidth": "1.6",
        "tooltip": said,
    }
    return node | {
        "tooltip": said,
        "margin": "0",
        "width": ".28",
        "height": ".28",
        "penwidth": "1.6",
    }, edge


def escaped(text: str) -> str:
    """A tooltip as an attribute: Graphviz unescapes it twice, and reads at most 16 KB in one go, so
    that longer text is cut."""
    written = markup.escape(text).replace("\\", "\\" * 4)
    return written if len(written.encode()) < 15_000 else escaped(text[:2_000] + "…")
