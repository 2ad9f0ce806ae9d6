"""Lines: corners, rounded or not, and curves one after the other, as Bezier control points."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

__all__ = [
    "ARROW",
    "Curve",
    "Point",
    "arrow",
    "bow",
    "end_to_end",
    "rounded",
    "sampled",
    "since",
    "towards",
    "until",
    "written",
]

Point = tuple[float, float]
Curve = Sequence[Point]  # 3 n + 1 control points

RADIUS = 7.0  # of a line's corners
ARROW = 7.0


def rounded(corners: Sequence[Point]) -> Curve:
    """A line along `corners` with rounded turns."""
    points = [corners[0]]
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        enter, leave = towards(corner, before, RADIUS), towards(corner, after, RADIUS)
        points += [points[-1], enter, enter, corner, corner, leave]
    return [*points, points[-1], corners[-1], corners[-1]]


def bow(start: Point, end: Point) -> Curve:
    """A line that leaves and arrives level."""
    middle = (start[0] + end[0]) / 2
    return [start, (middle, start[1]), (middle, end[1]), end]


def end_to_end(*curves: Curve) -> Curve:
    """Curves one after the other, with straight lines where one does not begin at the end of the
    last."""
    points = list(curves[0])
    for curve in curves[1:]:
        if curve[0] != points[-1]:
            points += [points[-1], curve[0], curve[0]]
        points += curve[1:]
    return points


def sampled(curve: Curve, apart: float = 4.0) -> list[Point]:
    """Points of a curve at most about `apart` from each other, its two ends among them."""
    points = [curve[0]]
    for i in range(0, len(curve) - 1, 3):
        piece = curve[i : i + 4]
        length = sum(math.dist(a, b) for a, b in itertools.pairwise(piece))
        count = max(1, math.ceil(length / apart))
        points += [_at(piece, n / count)[0][-1] for n in range(1, count + 1)] if length else []
    return points


def until(curve: Curve, x: float) -> Curve:
    """A curve up to where it first comes to `x` from the left; up to its rightmost anchor if it
    never does."""
    for i in range(0, len(curve) - 1, 3):
        if curve[i][0] < x <= curve[i + 3][0]:
            return [*curve[:i], *_halves(curve[i : i + 4], x)[0]]
    last = max(range(0, len(curve), 3), key=lambda i: curve[i][0])
    return curve[: last + 1]


def since(curve: Curve, x: float) -> Curve:
    """A curve from where it last comes to `x` from the left; from its leftmost anchor if it never
    does."""
    for i in reversed(range(0, len(curve) - 1, 3)):
        if curve[i][0] < x <= curve[i + 3][0]:
            return [*_halves(curve[i : i + 4], x)[1], *curve[i + 4 :]]
    first = min(range(0, len(curve), 3), key=lambda i: curve[i][0])
    return curve[first:]


def _halves(curve: Curve, x: float) -> tuple[Curve, Curve]:
    """A single Bezier curve in two, at the height where it passes `x` (de Casteljau)."""
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        first, second = _at(curve, middle)
        low, high = (middle, high) if first[-1][0] < x else (low, middle)
    return first, second


def _at(curve: Curve, t: float) -> tuple[Curve, Curve]:
    rows = [list(curve)]
    while len(rows[-1]) > 1:
        rows.append(
            [
                (a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1]))
                for a, b in itertools.pairwise(rows[-1])
            ]
        )
    return [row[0] for row in rows], [row[-1] for row in reversed(rows)]


def arrow(curve: Curve) -> str:
    """A curve with an arrow's point at its end, as Graphviz writes it."""
    end = curve[-1]
    before = next((p for p in reversed(curve) if p != end), end)
    base = towards(end, before, ARROW)
    return f"e,{written(end)} " + " ".join(
        map(written, [*curve[:-2], base if curve[-2] == end else curve[-2], base])
    )


def written(point: Point) -> str:
    return f"{point[0]:.2f},{point[1]:.2f}"


def towards(start: Point, end: Point, length: float) -> Point:
    """The point at `length` from `start`, at most halfway, in the direction of `end`."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    distance = (dx * dx + dy * dy) ** 0.5 or 1.0
    share = min(length / distance, 0.5)
    return start[0] + dx * share, start[1] + dy * share
