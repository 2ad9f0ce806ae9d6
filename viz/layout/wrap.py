"""A long row of blocks in several rows, one below the other, like the lines of a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from tinygrad_lstm.viz.layout.curves import Curve, Point, end_to_end, rounded, since, until
from tinygrad_lstm.viz.layout.places import Box, Frame, Layout, Route

__all__ = ["wrapped"]

MARGIN = 14.0
APART = 7.0  # between the lines that go from the end of a row to the beginning of another


@dataclass(frozen=True)
class Row:
    """A row: its two ends before it is moved, and by how much it is moved."""

    left: float
    right: float
    dx: float
    dy: float

    def moved(self, point: Point) -> Point:
        return point[0] + self.dx, point[1] + self.dy


def wrapped(layout: Layout, most: int) -> Layout:
    """The layout with at most `most` frames in a row. What goes from row to row leaves on the right
    and comes back on the left."""
    pieces = [layout.frames[i : i + most] for i in range(0, len(layout.frames), most)]
    return _Wrapper(layout, pieces).layout() if len(pieces) > 1 else layout


class _Wrapper:
    def __init__(self, layout: Layout, pieces: Sequence[Sequence[Frame]]) -> None:
        self.old = layout
        gap = layout.frames[1].left - layout.frames[0].right
        inner = [(one[-1].right + other[0].left) / 2 for one, other in pairwise(pieces)]
        self.bounds = [*inner, float("inf")]
        self.rows = [
            Row(
                piece[0].left - gap / 2,
                piece[-1].right + gap / 2,
                pieces[0][0].left - piece[0].left,
                0.0,
            )
            for piece in pieces
        ]
        self.lines = self._lines()
        self.right = max(row.right + row.dx for row in self.rows) + MARGIN
        self.left = pieces[0][0].left - gap - MARGIN  # beside the numbers on what comes in
        tallest = layout.top - layout.bottom + 2 * MARGIN + APART * len(self.lines)
        self.rows = [replace(row, dy=-i * tallest) for i, row in enumerate(self.rows)]

    def layout(self) -> Layout:
        old = self.old
        frames = tuple(self._frame(frame) for frame in old.frames)
        boxes = {key: self._box(box) for key, box in old.boxes.items()}
        routes, zeros = (tuple(map(self._route, several)) for several in (old.routes, old.zeros))
        return replace(
            old,
            boxes=boxes,
            routes=routes,
            zeros=zeros,
            frames=frames,
            bottom=old.bottom + self.rows[-1].dy,
        )

    def _row(self, x: float) -> Row:
        return next(row for row, right in zip(self.rows, self.bounds, strict=True) if x < right)

    def _lines(self) -> dict[tuple[float, float], int]:
        """The lines from row to row, by the two heights at which they leave and arrive: each has a
        lane of its own."""
        found: dict[tuple[float, float], int] = {}
        for route in (*self.old.routes, *self.old.zeros):
            if (ends := self._ends(route.curve)) is not None:
                found.setdefault((round(ends[0][1], 2), round(ends[1][1], 2)), len(found))
        return found

    def _ends(self, curve: Curve) -> tuple[Point, Point] | None:
        """Where a curve leaves its row, and where it comes into another."""
        start, end = self._row(curve[0][0]), self._row(curve[-1][0])
        if start.left > end.left:
            return self._ends(curve[::-1])
        return None if start is end else (until(curve, start.right)[-1], since(curve, end.left)[0])

    def _frame(self, frame: Frame) -> Frame:
        row = self._row((frame.left + frame.right) / 2)
        left, right = frame.left + row.dx, frame.right + row.dx
        return frame._replace(
            left=left,
            right=right,
            bottom=frame.bottom + row.dy,
            top=frame.top + row.dy,
            middle=frame.middle + row.dy,
        )

    def _box(self, box: Box) -> Box:
        x, y = self._row(box.x).moved((box.x, box.y))
        return box._replace(x=x, y=y)

    def _route(self, route: Route) -> Route:
        """A route in its row, or from one row to another; what leads to an earlier row is the way
        from there, backwards."""
        curve = route.curve
        if self._row(curve[0][0]).dy < self._row(curve[-1][0]).dy:
            there = self._route(Route((), route.label, curve[::-1]))
            label = self._row(curve[-1][0]).moved(route.label)
            return there._replace(bent=there.curve[::-1], label=label)
        start, end = self._row(curve[0][0]), self._row(curve[-1][0])
        label = end.moved(route.label)  # of a line between rows: where it comes in
        if start is end:
            return Route((), label, [start.moved(point) for point in curve])
        leave = [start.moved(point) for point in until(curve, start.right)]
        arrive = [end.moved(point) for point in since(curve, end.left)]
        ends = self._ends(curve)
        assert ends is not None
        lane = APART * self.lines[round(ends[0][1], 2), round(ends[1][1], 2)]
        below = self.old.bottom + start.dy - MARGIN - lane
        x, back = self.right + lane, self.left - lane
        corners = [
            leave[-1],
            (x, leave[-1][1]),
            (x, below),
            (back, below),
            (back, arrive[0][1]),
            arrive[0],
        ]
        return Route((), label, end_to_end(leave, rounded(corners), arrive))
