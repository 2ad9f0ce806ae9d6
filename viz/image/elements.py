"""The elements of an SVG: texts, shapes, lines with arrow heads."""

from __future__ import annotations

import html as markup
from collections.abc import Iterator, Sequence

from tinygrad_lstm.viz.layout.curves import ARROW, Curve, Point, towards
from tinygrad_lstm.viz.layout.places import RING, Box
from tinygrad_lstm.viz.look.numbers import CELL, LINE, Strip
from tinygrad_lstm.viz.look.style import FONT, Theme
from tinygrad_lstm.viz.look.text import Line

__all__ = ["arrow", "outlined", "pairs", "pen", "rect", "written"]

DASHES = {"dashed": "5,2", "dotted": "1,5"}
MIDDLE = 0.34  # from the middle of a line down to where its letters stand, of its size


def pairs(points: Sequence[Point]) -> str:
    """Points with y downwards."""
    return " ".join(f"{x:.2f},{-y:.2f}" for x, y in points)


def written(line: Line, at: Point, theme: Theme, anchor: str = "middle") -> str:
    """A line of text, and the cells behind it."""
    if line.strip is None:
        return _words(line, at, theme, anchor)
    x = at[0] - line.width * {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor]
    words = [_words(line, (x, at[1]), theme, "start")] if line.text else []
    corner = x + line.width - line.strip.width, at[1] + line.strip.height / 2
    return "".join([*words, *_cells(line.strip, corner, theme)])


def _cells(strip: Strip, corner: Point, theme: Theme) -> Iterator[str]:
    """The cells of an array on a ground that shows between them; `corner` is on the upper left."""
    (x, y), step = corner, CELL + LINE
    middle = x + strip.width / 2, y - strip.height / 2
    yield rect(Box(*middle, strip.width, strip.height), f'fill="{theme.line}" stroke="none"')
    for i, row in enumerate(strip.shares):
        for j, share in enumerate(row):
            at = x + LINE + step * j + CELL / 2, y - LINE - step * i - CELL / 2
            style = f'fill="{theme.shade(share)}" stroke="none"'
            yield rect(Box(*at, CELL, CELL), style)


def _words(line: Line, at: Point, theme: Theme, anchor: str) -> str:
    weight = ' font-weight="bold"' if line.bold else ""
    return (
        f'<text xml:space="preserve" text-anchor="{anchor}" x="{at[0]:.2f}" '
        f'y="{-at[1] + line.size * MIDDLE:.2f}" font-family="{FONT}"{weight} '
        f'font-size="{line.size:.2f}" fill="{getattr(theme, line.ink)}">'
        f"{markup.escape(line.text)}</text>"
    )


def pen(attributes: dict[str, str], color: str) -> str:
    """How a line is drawn."""
    wide = attributes.get("penwidth", "1")
    dashes = [d for style, d in DASHES.items() if style in attributes.get("style", "")]
    dashed = f' stroke-dasharray="{dashes[0]}"' if dashes else ""
    return f'stroke="{color}" stroke-width="{wide}"{dashed}'


def rect(box: Box, style: str, radius: float = 0.0) -> str:
    """A rectangle, whose corners are round."""
    x, y = box.x - box.width / 2, -box.y - box.height / 2
    rounded = f' rx="{radius:g}"' if radius else ""
    return (
        f'<rect {style} x="{x:.2f}" y="{y:.2f}" width="{box.width:.2f}" '
        f'height="{box.height:.2f}"{rounded}/>'
    )


def outlined(box: Box, attributes: dict[str, str], theme: Theme) -> Iterator[str]:
    """The shape of a node, and around it a fork's second ring."""
    stroke = pen(attributes, attributes.get("color", theme.line))
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
        return rect(box, style, 10 if "rounded" in attributes["style"] else 0)
    return f'<polygon {style} points="{pairs([(x + dx, y + dy) for dx, dy in corners])}"/>'


def arrow(line: Curve, attributes: dict[str, str], theme: Theme) -> Iterator[str]:
    """A line with an arrow head; one beside the other for the ways that go along it."""
    colors = attributes.get("color", theme.line).split(":")
    for i, color in enumerate(colors):
        aside = 3 * (i - (len(colors) - 1) / 2)
        curve = [(x, y + aside) for x, y in line]
        yield f'<path fill="none" {pen(attributes, color)} d="{_path(curve)}"/>'
        yield _head(curve, color)


def _path(curve: Curve) -> str:
    return f"M{pairs(curve[:1])}C{pairs(curve[1:])}"


def _head(curve: Curve, color: str) -> str:
    end = curve[-1]
    before = next((p for p in reversed(curve) if p != end), (end[0] - 1, end[1]))
    (x, y), reach = towards(end, before, ARROW), 0.35
    dx, dy = (end[0] - x) * reach, (end[1] - y) * reach
    corners = [(x - dy, y + dx), end, (x + dy, y - dx)]
    return f'<polygon fill="{color}" stroke="{color}" points="{pairs(corners)}"/>'
