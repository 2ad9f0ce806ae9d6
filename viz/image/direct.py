"""SVG without Graphviz: of a scene whose positions are all known, in the form that Graphviz writes.

Every group has the id, the class and the tooltip that it has there, so that the page plays over
either. A group is drawn around a point of its own, so that blocks which are alike are alike in what
is written too.
"""

from __future__ import annotations

import html as markup
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from tinygrad_lstm.viz.graph.data import Run
from tinygrad_lstm.viz.image.elements import arrow, outlined, pairs, pen, rect, written
from tinygrad_lstm.viz.image.scene import Scene, Shown
from tinygrad_lstm.viz.layout.curves import Point
from tinygrad_lstm.viz.layout.places import Box, Frame, Layout, Route
from tinygrad_lstm.viz.look.ink import edge_line, edge_stroke, node_lines, node_shape, zero_ink
from tinygrad_lstm.viz.look.numbers import exact
from tinygrad_lstm.viz.look.style import Theme
from tinygrad_lstm.viz.look.tables import Cell, cells
from tinygrad_lstm.viz.look.text import Line, heading
from tinygrad_lstm.viz.look.tooltips import edge_tooltip, tooltip, zero_tooltip

__all__ = ["Group", "groups", "svg"]


class Group(NamedTuple):
    """A frame, an edge, a node or a table.

    `kind` is its class; `said` its tooltip; `at` the point around which it is drawn, `box` the
    left, top, right and bottom of what it covers there, with y downwards, and `inner` the elements.
    """

    key: str
    kind: str
    said: str
    at: Point
    box: tuple[float, float, float, float]
    inner: str

    def svg(self) -> str:
        key, said = markup.escape(self.key), markup.escape(self.said).replace("\n", "&#10;")
        return (
            f'<g id="{key}" class="{self.kind}" '
            f'transform="translate({self.at[0]:.2f} {self.at[1]:.2f})">\n<title>{key}</title>\n'
            f'<g id="a_{key}"><a xlink:title="{said}">\n{self.inner}\n</a>\n</g>\n</g>'
        )


def svg(scene: Scene) -> str:
    """The SVG of a scene with a layout."""
    left, bottom, right, top = scene.bounds()
    width, height = right - left, top - bottom
    theme = scene.theme
    drawn = [
        '<?xml version="1.0" encoding="UTF-8" standalone="no"?>',
        f'<svg width="{width:.0f}pt" height="{height:.0f}pt"\n'
        f' viewBox="0.00 0.00 {width:.2f} {height:.2f}" xmlns="http://www.w3.org/2000/svg" '
        'xmlns:xlink="http://www.w3.org/1999/xlink">',
        f'<g id="graph0" class="graph" transform="translate({-left:.2f} {top:.2f})">',
        f'<polygon fill="{theme.page}" stroke="none" points="'
        f'{pairs([(left, bottom), (left, top), (right, top), (right, bottom)])}"/>',
        *(group.svg() for group in groups(scene)),
        *(_table(shown, theme).svg() for shown in scene.tables),
        "</g>\n</svg>\n",
    ]
    return "\n".join(drawn)


def groups(scene: Scene, exact: Callable[[Any], str] = exact) -> Iterator[Group]:
    """The frames, edges and nodes of a scene with a layout; `exact` is how tooltips write an
    array."""
    assert scene.layout is not None
    for frame in scene.layout.frames:
        yield _frame(frame, scene)
    yield from _edges(scene, scene.layout, exact)
    yield from _nodes(scene, scene.layout, exact)


def _group(key: str, kind: str, said: str, box: Box, inner: Sequence[str]) -> Group:
    """A group around the middle of a box, with elements that are drawn there around 0."""
    x, y = box.width / 2 + box.ring, box.height / 2 + box.ring
    return Group(key, kind, said, (box.x, -box.y), (-x, -y, x, y), "".join(inner))


def _frame(frame: Frame, scene: Scene) -> Group:
    line, theme = heading(scene.graph, frame.block), scene.theme
    is_run = isinstance(frame.block, Run)
    x, y = (frame.left + frame.right) / 2, (frame.bottom + frame.top) / 2
    box = Box(x, y, frame.right - frame.left, frame.top - frame.bottom)
    attributes = {"style": "dashed"} if is_run else {}
    style = f'fill="{theme.frame}" {pen(attributes, theme.line)}'
    at = (0.0, frame.middle - y) if is_run else (12 - box.width / 2, box.height / 2 - 13)
    text = written(line, at, theme, "middle" if is_run else "start")
    inner = [rect(box._replace(x=0, y=0), style, 12), text]
    return _group(f"block-{frame.name}", "cluster", line.text, box, inner)


# Nodes.


def _nodes(scene: Scene, layout: Layout, exact: Callable[[Any], str]) -> Iterator[Group]:
    graph, theme = scene.graph, scene.theme
    for node in graph.nodes:
        box, attributes = layout.boxes[node.key], node_shape(node, graph, theme)
        own = box._replace(x=0, y=0)
        inner = [
            *outlined(own, attributes, theme),
            *_column(node_lines(node, graph), own, theme),
        ]
        yield _group(node.key, "node", tooltip(node, exact), box, inner)
    for zero in graph.zeros:
        box = layout.boxes[zero.key]
        own = box._replace(x=0, y=0)
        attributes, _ = zero_ink(zero, graph, theme)
        said = zero_tooltip(zero, graph.node(zero.source))
        ink = "faded" if graph.ways else "fork"
        shapes = outlined(own, attributes | {"shape": "ellipse"}, theme)
        text = written(Line("0", ink, 11, True), (0, 0), theme)
        yield _group(zero.key, "node", said, box, [*shapes, text])


def _column(lines: Sequence[Line], box: Box, theme: Theme) -> Iterator[str]:
    """Lines of text below each other, in the middle of a box."""
    y = box.y + sum(line.height for line in lines) / 2
    for line in lines:
        yield written(line, (box.x, y - line.height / 2), theme)
        y -= line.height


# Edges.


def _edges(scene: Scene, layout: Layout, exact: Callable[[Any], str]) -> Iterator[Group]:
    graph, theme = scene.graph, scene.theme
    for edge, route in zip(graph.edges, layout.routes, strict=True):
        attributes = edge_stroke(edge, graph, theme)
        said = edge_tooltip(edge, graph.node(edge.source), graph.node(edge.target), exact)
        line = edge_line(edge, graph) if attributes.get("label") else None
        yield _edge(edge.key, said, route, attributes, theme, line)
    for zero, route in zip(graph.zeros, layout.zeros, strict=True):
        said = zero_tooltip(zero, graph.node(zero.source))
        yield _edge(f"{zero.key}-edge", said, route, zero_ink(zero, graph, theme)[1], theme)


def _edge(
    key: str,
    said: str,
    route: Route,
    attributes: dict[str, str],
    theme: Theme,
    line: Line | None = None,
) -> Group:
    """An edge around its beginning."""
    x, y = route.curve[0]
    curve = [(across - x, up - y) for across, up in route.curve]
    inner, covered = list(arrow(curve, attributes, theme)), list(curve)
    if line is not None:
        at = route.label[0] - x, route.label[1] - y
        inner.append(written(line, at, theme))
        half = line.width / 2, line.height / 2
        covered += [(at[0] - half[0], at[1] - half[1]), (at[0] + half[0], at[1] + half[1])]
    xs, ys = zip(*covered, strict=True)
    box = min(xs), -max(ys), max(xs), -min(ys)
    return Group(key, "edge", said, (x, -y), box, "".join(inner))


# Tables.


def _table(shown: Shown, theme: Theme) -> Group:
    own = shown.box._replace(x=0, y=0)
    inner = []
    if shown.table.border:
        inner.append(rect(own, f'fill="none" stroke="{theme.line}"'))
    for cell, x, y, width, height in cells(shown.table):
        at = Box(own.left[0] + x + width / 2, own.top[1] - y - height / 2, width, height)
        if cell.outline:
            inner += _outline(cell, at, theme)
        elif cell.fill:
            inner.append(rect(at, f'fill="{getattr(theme, cell.fill)}" stroke="none"'))
        if cell.line.text:
            start, pad = cell.align == "LEFT", 8 if cell.outline else 3
            inner.append(
                written(
                    cell.line,
                    (at.left[0] + pad if start else at.right[0] - pad, at.y),
                    theme,
                    "start" if start else "end",
                )
            )
    return _group(shown.name, "node", shown.said, shown.box, inner)


def _outline(cell: Cell, at: Box, theme: Theme) -> Iterator[str]:
    """What is drawn around the text of a cell."""
    width = cell.line.width + 10
    box = Box(at.left[0] + 3 + width / 2, at.y, width, at.height - 4)
    fill = getattr(theme, cell.fill) if cell.fill else "none"
    ring = cell.outline == "ring"
    stroke = pen({"style": cell.outline}, theme.fork if ring else theme.line)
    yield rect(box, f'fill="{fill}" {stroke}', 6 if cell.outline == "rounded" else 0)
    if ring:
        inside = box._replace(width=width - 5, height=box.height - 5)
        yield rect(inside, f'fill="none" {stroke}')
