"""Lines: corners, rounded or not, and curves one after the other, as Bezier control points."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["ARROW", "Curve", "Point", "arrow", "bow", "end_to_end", "rounded", "towards", "written"]

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
    """Curves one after the other, with straight lines where one does not begin at the end of the last."""
    points = list(curves[0])
    for curve in curves[1:]:
        if curve[0] != points[-1]:
            points += [points[-1], curve[0], curve[0]]
        points += curve[1:]
    return points


def arrow(curve: Curve) -> str:
    """A curve with an arrow's point at its end, as Graphviz writes it."""
    end = curve[-1]
    before = next((p for p in reversed(curve) if p != end), end)
    base = towards(end, before, ARROW)
    return f"e,{written(end)} " + " ".join(map(written, [*curve[:-2], base if curve[-2] == end else curve[-2], base]))


def written(point: Point) -> str:
    return f"{point[0]:.2f},{point[1]:.2f}"


def towards(start: Point, end: Point, length: float) -> Point:
    """The point at `length` from `start`, at most halfway, in the direction of `end`."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    distance = (dx * dx + dy * dy) ** 0.5 or 1.0
    share = min(length / distance, 0.5)
    return start[0] + dx * share, start[1] + dy * share
