"""SVG without Graphviz: of a scene whose positions are all known, in the form that Graphviz writes.

Every group has the id, the class and the tooltip that it has there, so that the page plays over
either.
"""

from __future__ import annotations

import html as markup
from collections.abc import Iterator, Sequence

from tinygrad_lstm.viz.graph.data import Run
from tinygrad_lstm.viz.image.scene import Scene, Shown
from tinygrad_lstm.viz.layout.curves import ARROW, Curve, Point, towards
from tinygrad_lstm.viz.layout.places import RING, Box, Frame, Layout, Route
from tinygrad_lstm.viz.look.ink import edge_ink, edge_line, node_ink, node_lines, zero_ink
from tinygrad_lstm.viz.look.numbers import CELL, LINE, Strip
from tinygrad_lstm.viz.look.style import FONT, Theme
from tinygrad_lstm.viz.look.tables import Cell, cells
from tinygrad_lstm.viz.look.text import Line, heading
from tinygrad_lstm.viz.look.tooltips import edge_tooltip, tooltip, zero_tooltip

__all__ = ["svg"]

DASHES = {"dashed": "5,2", "dotted": "1,5"}
MIDDLE = 0.34  # from the middle of a line down to where its letters stand, of its size


def svg(scene: Scene) -> str:
    """The SVG of a scene with a layout."""
    assert scene.layout is not None
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
        f'{_points([(left, bottom), (left, top), (right, top), (right, bottom)])}"/>',
        *(_frame(frame, scene) for frame in scene.layout.frames),
        *_edges(scene, scene.layout),
        *_nodes(scene, scene.layout),
        *(_table(shown, theme) for shown in scene.tables),
        "</g>\n</svg>\n",
    ]
    return "\n".join(drawn)


def _group(key: str, kind: str, said: str, inner: Sequence[str]) -> str:
    key, said = markup.escape(key), markup.escape(said).replace("\n", "&#10;")
    body = "\n".join(inner)
    return (
        f'<g id="{key}" class="{kind}">\n<title>{key}</title>\n'
        f'<g id="a_{key}"><a xlink:title="{said}">\n{body}\n</a>\n</g>\n</g>'
    )


def _points(points: Sequence[Point]) -> str:
    return " ".join(f"{x:.2f},{-y:.2f}" for x, y in points)


def _text(line: Line, at: Point, theme: Theme, anchor: str = "middle") -> str:
    """A line of text, and the cells behind it."""
    if line.strip is None:
        return _words(line, at, theme, anchor)
    x = at[0] - line.width * {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor]
    words = [_words(line, (x, at[1]), theme, "start")] if line.text else []
    corner = x + line.width - line.strip.width, at[1] + line.strip.height / 2
    return "\n".join([*words, *_cells(line.strip, corner, theme)])


def _cells(strip: Strip, corner: Point, theme: Theme) -> Iterator[str]:
    """The cells of an array on a ground that shows between them; `corner` is on the upper left."""
    (x, y), step = corner, CELL + LINE
    middle = x + strip.width / 2, y - strip.height / 2
    yield _rect(Box(*middle, strip.width, strip.height), f'fill="{theme.line}" stroke="none"')
    for i, row in enumerate(strip.shares):
        for j, share in enumerate(row):
            at = x + LINE + step * j + CELL / 2, y - LINE - step * i - CELL / 2
            style = f'fill="{theme.shade(share)}" stroke="none"'
            yield _rect(Box(*at, CELL, CELL), style)


def _words(line: Line, at: Point, theme: Theme, anchor: str) -> str:
    weight = ' font-weight="bold"' if line.bold else ""
    return (
        f'<text xml:space="preserve" text-anchor="{anchor}" x="{at[0]:.2f}" '
        f'y="{-at[1] + line.size * MIDDLE:.2f}" font-family="{FONT}"{weight} '
        f'font-size="{line.size:.2f}" fill="{getattr(theme, line.ink)}">'
        f"{markup.escape(line.text)}</text>"
    )


def _stroke(attributes: dict[str, str], color: str) -> str:
    wide = attributes.get("penwidth", "1")
    dashes = [d for style, d in DASHES.items() if style in attributes.get("style", "")]
    dashed = f' stroke-dasharray="{dashes[0]}"' if dashes else ""
    return f'stroke="{color}" stroke-width="{wide}"{dashed}'


def _frame(frame: Frame, scene: Scene) -> str:
    line, theme = heading(scene.graph, frame.block), scene.theme
    is_run = isinstance(frame.block, Run)
    box = Box(
        (frame.left + frame.right) / 2,
        (frame.bottom + frame.top) / 2,
        frame.right - frame.left,
        frame.top - frame.bottom,
    )
    attributes = {"style": "dashed"} if is_run else {}
    style = f'fill="{theme.frame}" {_stroke(attributes, theme.line)}'
    at = (box.x, frame.middle) if is_run else (frame.left + 12, frame.top - 13)
    text = _text(line, at, theme, "middle" if is_run else "start")
    return _group(f"block-{frame.name}", "cluster", line.text, [_rect(box, style, 12), text])


def _rect(box: Box, style: str, radius: float = 0.0) -> str:
    x, y = box.x - box.width / 2, -box.y - box.height / 2
    rounded = f' rx="{radius:g}"' if radius else ""
    return (
        f'<rect {style} x="{x:.2f}" y="{y:.2f}" width="{box.width:.2f}" '
        f'height="{box.height:.2f}"{rounded}/>'
    )


# Nodes.


def _nodes(scene: Scene, layout: Layout) -> Iterator[str]:
    graph, theme = scene.graph, scene.theme
    for node in graph.nodes:
        box, attributes = layout.boxes[node.key], node_ink(node, graph, theme)
        shapes = _shapes(box, attributes, theme)
        texts = _column(node_lines(node, graph), box, theme)
        yield _group(node.key, "node", tooltip(node), [*shapes, *texts])
    for zero in graph.zeros:
        box = layout.boxes[zero.key]
        attributes, _ = zero_ink(zero, graph, theme)
        said = zero_tooltip(zero, graph.node(zero.source))
        ink = "faded" if graph.ways else "fork"
        shapes = _shapes(box, attributes | {"shape": "ellipse"}, theme)
        text = _text(Line("0", ink, 11, True), (box.x, box.y), theme)
        yield _group(zero.key, "node", said, [*shapes, text])


def _shapes(box: Box, attributes: dict[str, str], theme: Theme) -> Iterator[str]:
    """The shape of a node, and around it a fork's second ring."""
    stroke = _stroke(attributes, attributes.get("color", theme.line))
    yield _shape(box, attributes, f'fill="{attributes["fillcolor"]}" {stroke}')
    if attributes.get("peripheries") == "2":
        outer = box._replace(width=box.width + 2 * RING, height=box.height + 2 * RING)
        yield _shape(outer, attributes, f'fill="none" {stroke}')


def _shape(box: Box, attributes: dict[str, str], style: str) -> str:
    shape, (x, y) = attributes["shape"], (box.x, box.y)
    a, b = box.width / 2, box.height / 2
    if shape == "ellipse":
        return f'<ellipse {style} cx="{x:.2f}" cy="{-y:.2f}" rx="{a:.2f}" ry="{b:.2f}"/>'
    if shape == "hexagon":
        corners = [(-a, 0), (-a / 2, b), (a / 2, b), (a, 0), (a / 2, -b), (-a / 2, -b)]
    elif shape == "note":
        corners = [(-a, b), (a - 6, b), (a, b - 6), (a, -b), (-a, -b)]
    else:
        return _rect(box, style, 10 if "rounded" in attributes["style"] else 0)
    return f'<polygon {style} points="{_points([(x + dx, y + dy) for dx, dy in corners])}"/>'


def _column(lines: Sequence[Line], box: Box, theme: Theme) -> Iterator[str]:
    """Lines of text below each other, in the middle of a box."""
    y = box.y + sum(line.height for line in lines) / 2
    for line in lines:
        yield _text(line, (box.x, y - line.height / 2), theme)
        y -= line.height


# Edges.


def _edges(scene: Scene, layout: Layout) -> Iterator[str]:
    graph, theme = scene.graph, scene.theme
    for edge, route in zip(graph.edges, layout.routes, strict=True):
        attributes = edge_ink(edge, graph, theme)
        said = edge_tooltip(edge, graph.node(edge.source), graph.node(edge.target))
        inner = list(_line(route, attributes, theme))
        if attributes.get("label"):
            inner.append(_text(edge_line(edge, graph), route.label, theme))
        yield _group(edge.key, "edge", said, inner)
    for zero, route in zip(graph.zeros, layout.zeros, strict=True):
        said = zero_tooltip(zero, graph.node(zero.source))
        attributes = zero_ink(zero, graph, theme)[1]
        yield _group(f"{zero.key}-edge", "edge", said, list(_line(route, attributes, theme)))


def _line(route: Route, attributes: dict[str, str], theme: Theme) -> Iterator[str]:
    """A line with an arrow head; one beside the other for the ways that go along it."""
    colors = attributes.get("color", theme.line).split(":")
    for i, color in enumerate(colors):
        aside = 3 * (i - (len(colors) - 1) / 2)
        curve = [(x, y + aside) for x, y in route.curve]
        yield f'<path fill="none" {_stroke(attributes, color)} d="{_path(curve)}"/>'
        yield _head(curve, color)


def _path(curve: Curve) -> str:
    return f"M{_points(curve[:1])}C{_points(curve[1:])}"


def _head(curve: Curve, color: str) -> str:
    end = curve[-1]
    before = next((p for p in reversed(curve) if p != end), (end[0] - 1, end[1]))
    (x, y), reach = towards(end, before, ARROW), 0.35
    dx, dy = (end[0] - x) * reach, (end[1] - y) * reach
    corners = [(x - dy, y + dx), end, (x + dy, y - dx)]
    return f'<polygon fill="{color}" stroke="{color}" points="{_points(corners)}"/>'


# Tables.


def _table(shown: Shown, theme: Theme) -> str:
    left, top = shown.box.left[0], shown.box.top[1]
    inner = []
    if shown.table.border:
        inner.append(_rect(shown.box, f'fill="none" stroke="{theme.line}"'))
    for cell, x, y, width, height in cells(shown.table):
        at = Box(left + x + width / 2, top - y - height / 2, width, height)
        if cell.outline:
            inner += _outline(cell, at, theme)
        elif cell.fill:
            inner.append(_rect(at, f'fill="{getattr(theme, cell.fill)}" stroke="none"'))
        if cell.line.text:
            start, pad = cell.align == "LEFT", 8 if cell.outline else 3
            inner.append(
                _text(
                    cell.line,
                    (at.left[0] + pad if start else at.right[0] - pad, at.y),
                    theme,
                    "start" if start else "end",
                )
            )
    return _group(shown.name, "node", shown.said, inner)


def _outline(cell: Cell, at: Box, theme: Theme) -> Iterator[str]:
    """What is drawn around the text of a cell."""
    width = cell.line.width + 10
    box = Box(at.left[0] + 3 + width / 2, at.y, width, at.height - 4)
    fill = getattr(theme, cell.fill) if cell.fill else "none"
    ring = cell.outline == "ring"
    stroke = _stroke({"style": cell.outline}, theme.fork if ring else theme.line)
    yield _rect(box, f'fill="{fill}" {stroke}', 6 if cell.outline == "rounded" else 0)
    if ring:
        inside = box._replace(width=width - 5, height=box.height - 5)
        yield _rect(inside, f'fill="none" {stroke}')
