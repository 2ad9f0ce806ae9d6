"""Labels beside their lines: moved along them where they lie on another label, a line or a box."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from tinygrad_lstm.viz.layout.curves import Curve, Point, sampled
from tinygrad_lstm.viz.layout.places import Box, Layout, Route

__all__ = ["HEIGHT", "apart"]

HEIGHT = 11.0  # of a label
CELL = 24.0  # of the grid in which things are found
BESIDE = 2.5  # between a label and its line
SHARES = (0.8, 0.7, 0.9, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)  # of a line: where its label is tried


class Rect(NamedTuple):
    left: float
    bottom: float
    right: float
    top: float

    def overlaps(self, other: Rect) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.bottom < other.top
            and other.bottom < self.top
        )


class _Field:
    """What is where, by the cells of a grid; lines are points close to each other."""

    def __init__(self) -> None:
        self.cells: dict[tuple[int, int], list[Rect]] = defaultdict(list)

    def add(self, rect: Rect) -> None:
        for cell in _cells(rect):
            self.cells[cell].append(rect)

    def hits(self, rect: Rect) -> int:
        """How many things lie where a rectangle would."""
        near = {id(r): r for cell in _cells(rect) for r in self.cells.get(cell, ())}
        return sum(map(rect.overlaps, near.values()))


def _cells(rect: Rect) -> Iterator[tuple[int, int]]:
    for i in range(math.floor(rect.left / CELL), math.floor(rect.right / CELL) + 1):
        for j in range(math.floor(rect.bottom / CELL), math.floor(rect.top / CELL) + 1):
            yield i, j


def apart(layout: Layout, widths: Sequence[float]) -> tuple[Layout, int]:
    """The layout with every label at a free place beside its line, where there is one, and on how
    many things labels lie; `widths` are those of the labels, 0 for none."""
    field = _Field()
    for box in layout.boxes.values():
        field.add(_outline(box))
    for route in (*layout.routes, *layout.zeros):
        for x, y in sampled(route.curve):
            field.add(Rect(x - 0.5, y - 0.5, x + 0.5, y + 0.5))
    routes, hits = [], 0
    for route, width in zip(layout.routes, widths, strict=True):
        place, found = _best(route, width, field) if width else (route.label, 0)
        hits += found
        if width:
            field.add(_around(place, width))
        routes.append(route._replace(label=place))
    return replace(layout, routes=tuple(routes)), hits


def _best(route: Route, width: float, field: _Field) -> tuple[Point, int]:
    """The first place on which nothing lies, or the one on which the fewest things do; and how many
    do."""
    fewest, best = field.hits(_around(route.label, width)), route.label
    for place in _beside(route.curve, width) if fewest else ():
        if (hits := field.hits(_around(place, width))) < fewest:
            fewest, best = hits, place
        if not hits:
            break
    return best, fewest


def _beside(curve: Curve, width: float) -> Iterator[Point]:
    """Places along a line: above and below where it is level, right and left where it is steep."""
    points = sampled(curve)
    for share in SHARES:
        i = min(int(share * len(points)), len(points) - 2)
        (x, y), (nx, ny) = points[i], points[i + 1]
        length = math.hypot(nx - x, ny - y) or 1.0
        steep, level = abs(ny - y) / length, abs(nx - x) / length
        up = HEIGHT / 2 + BESIDE + min(width / 2 * steep / max(level, 0.2), width / 2)
        aside = width / 2 + BESIDE + min(HEIGHT / 2 * level / max(steep, 0.2), HEIGHT)
        ways = ((0.0, up), (0.0, -up)) if level > 0.5 else ((aside, 0.0), (-aside, 0.0))
        for dx, dy in (*ways, (aside, 0.0), (-aside, 0.0)):
            yield x + dx, y + dy


def _around(place: Point, width: float) -> Rect:
    x, y = place
    return Rect(x - width / 2, y - HEIGHT / 2, x + width / 2, y + HEIGHT / 2)


def _outline(box: Box) -> Rect:
    return Rect(box.left[0], box.bottom[1], box.right[0], box.top[1])
