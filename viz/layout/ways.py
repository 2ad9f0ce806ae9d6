"""The ways of any cell: within a block, from one to the next, and along lanes above them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinygrad_lstm.viz.graph.data import Edge, Zero
from tinygrad_lstm.viz.layout.curves import Curve, Point, bow, end_to_end, rounded
from tinygrad_lstm.viz.layout.lstm import GAP, PAD, ZERO
from tinygrad_lstm.viz.layout.places import Box, Route

if TYPE_CHECKING:
    from tinygrad_lstm.viz.layout.cells import Placer

__all__ = ["LANE", "Ways"]

LANE = 9.0  # between the lines that go along above the frames


class Ways:
    """The routes of the edges, once everything has its place."""

    def __init__(self, at: Placer) -> None:
        self.wiring, self.template, self.graph = at.wiring, at.template, at.graph
        self.boxes, self.frames, self.frame_of = at.boxes, at.frames, at.frame_of
        self.labels, self.lanes, self.lane_of = at.labels, at.lanes, at.lane_of

    def _exit(self, key: str) -> Curve:
        """From a node to the right border of its frame; to its own right side outside of frames."""
        frame = self.wiring.frame(key)
        if not isinstance(frame, int):
            box = self.boxes[key]
            return (
                [box.right]
                if frame is None
                else end_to_end([box.right], [(self.frame_of[frame].right, box.y)])
            )
        role, at = self.wiring.roles[key], self.frame_of[frame]
        curve = _shifted(self.template.way_out(role), at.left + PAD)
        return end_to_end(curve, [(at.right, curve[-1][1])])

    def _entry(self, edge: Edge) -> Curve:
        """From the left border of a frame to the node in it that reads."""
        frame = self.wiring.frame(edge.target)
        if not isinstance(frame, int):
            box = self.boxes[edge.target]
            return (
                [box.left]
                if frame is None
                else end_to_end([(self.frame_of[frame].left, box.y)], [box.left])
            )
        entry, role, argument = self.wiring.slot(edge)
        at = self.frame_of[frame]
        curve = _shifted(self.template.curves[("entry", entry), role, argument], at.left + PAD)
        return end_to_end([(at.left, curve[0][1])], curve)

    def route(self, edge: Edge) -> Route:
        source, target = self.boxes[edge.source], self.boxes[edge.target]
        slot = self.wiring.slot(edge) if isinstance(self.wiring.frame(edge.target), int) else None
        if slot and self.wiring.inside(edge):
            left = self.frame_of[self.wiring.frame(edge.target)].left + PAD
            return Route(
                (),
                self._label(slot, left, source, target),
                _shifted(self.template.curves[slot], left),
            )
        leave = self._exit(edge.source)
        arrive = self._entry(edge)
        whole = end_to_end(leave, self._between(edge, leave[-1], arrive[0]), arrive)
        if slot is None:
            return Route((), (target.left[0] - self.labels[edge.key] / 2 - 14, target.y + 8), whole)
        left = self.frame_of[self.wiring.frame(edge.target)].left + PAD
        return Route((), self._label((("entry", slot[0]), *slot[1:]), left, source, target), whole)

    def _label(self, slot: Any, left: float, source: Box, target: Box) -> Point:
        x, y = self.template.labels.get(
            slot, ((source.x + target.x) / 2 - left, (source.y + target.y) / 2)
        )
        return x + left, y

    def _between(self, edge: Edge, start: Point, end: Point) -> Curve:
        """From one frame to the next, or along a lane above the frames to another."""
        lane = self.lane_of(edge)
        if lane is None:
            return bow(start, end)
        aside = 8 + LANE * self.lanes[lane]
        y = self.frames[0].top + LANE * (self.lanes[lane] + 1)
        return rounded(
            [
                start,
                (start[0] + aside, start[1]),
                (start[0] + aside, y),
                (end[0] - aside - 8, y),
                (end[0] - aside - 8, end[1]),
                end,
            ]
        )

    def zero(self, zero: Zero) -> Route:
        """Places a zero branch's end: after the last frame, or where the missing stage would be."""
        source, frame = self.boxes[zero.source], self.wiring.frame(zero.source)
        at = self.frame_of[frame]
        role = (zero.readers[0].partition("<")[0], 0)
        if self.graph.frame(zero.block) is None:
            leave = self._exit(zero.source)
            box = self.boxes[zero.key] = Box(at.right + GAP + ZERO / 2, leave[-1][1], ZERO, ZERO)
            return Route((), box.top, end_to_end(leave, [box.left]))
        x, y = self.template.spots.get(
            role, (source.x - at.left + source.width, source.y - source.height)
        )
        box = self.boxes[zero.key] = Box(at.left + PAD + x, y, ZERO, ZERO)
        return Route((), box.top, bow(source.right, box.left))


def _shifted(curve: Curve, x: float) -> Curve:
    return [(px + x, py) for px, py in curve]
