"""The ways of any cell: within a block, from one to the next, and along lanes above them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tinygrad_lstm.engine.names import Name
from tinygrad_lstm.viz.graph.data import Edge, Run, Zero
from tinygrad_lstm.viz.layout.curves import Curve, Point, bow, end_to_end, rounded, sampled
from tinygrad_lstm.viz.layout.lstm import GAP, PAD, ZERO
from tinygrad_lstm.viz.layout.places import Box, Frame, Route, side_of
from tinygrad_lstm.viz.layout.template import Template
from tinygrad_lstm.viz.layout.wiring import Wiring
from tinygrad_lstm.viz.look.style import SHAPES, kind

__all__ = ["LANE", "Ways"]

LANE = 9.0  # between the lines that go along above the frames


@dataclass(frozen=True)
class Ways:
    """The routes of the edges, once everything has its place."""

    wiring: Wiring
    template: Template
    boxes: dict[str, Box]  # a zero branch's end is put among them
    frames: tuple[Frame, ...]
    frame_of: dict[int | Run | None, Frame]
    labels: dict[str, float]
    ports: dict[str, float]
    lanes: dict[str, int]
    lane_of: Callable[[Edge], str | None]

    def _exit(self, key: str, left: bool = False) -> Curve:
        """From a node to the border of its frame; to its own side outside of frames."""
        frame, box = self.wiring.frame(key), self.boxes[key]
        side = box.left if left else box.right
        if frame is None:
            return [side]
        at = self.frame_of[frame]
        border = at.left if left else at.right
        if not isinstance(frame, int):
            return end_to_end([side], [(border, box.y)])
        way = self.template.way_out(self.wiring.roles[key], "send" if left else "exit")
        curve = _shifted(way, at.left + PAD)
        return end_to_end(curve, [(border, curve[-1][1])])

    def _entry(self, edge: Edge, left: bool) -> Curve:
        """From the border of a frame to the node in it that reads; outside of blocks each edge has
        its own end."""
        frame, box = self.wiring.frame(edge.target), self.boxes[edge.target]
        if isinstance(frame, int):
            at = self.frame_of[frame]
            curve = _shifted(self.template.curves[self.wiring.slot(edge)], at.left + PAD)
            return end_to_end([(at.right if left else at.left, curve[0][1])], curve)
        end = side_of(box, self.ports[edge.key], self._shape(edge.target), 1 if left else -1)
        if frame is None:  # level below or above its label
            room = self.labels[edge.key] + 16 if self.labels[edge.key] else 0.0
            return end_to_end([(end[0] + (room if left else -room), end[1])], [end])
        at = self.frame_of[frame]
        return end_to_end([(at.right if left else at.left, end[1])], [end])

    def _shape(self, key: str) -> str:
        return SHAPES[kind(self.wiring.graph.node(key))][0]

    def route(self, edge: Edge) -> Route:
        frame = self.wiring.frame(edge.target)
        if self.wiring.inside(edge):
            slot = self.wiring.slot(edge)
            left = self.frame_of[frame].left + PAD
            curve = _shifted(self.template.curves[slot], left)
            return Route((), self._label(slot, left, curve), curve)
        goes_left = self.wiring.goes_left(edge)
        leave, arrive = self._exit(edge.source, goes_left), self._entry(edge, goes_left)
        whole = end_to_end(leave, self._between(edge, leave[-1], arrive[0]), arrive)
        if edge.steps:  # beyond the middle of its line
            beyond = 7 if self.lanes[edge.source] > 0 else -7
            middle = (leave[-1][0] + arrive[0][0]) / 2
            return Route((), (middle, self._height(edge.source) + beyond), whole)
        if not isinstance(frame, int):
            x, y = whole[-1]
            aside = self.labels[edge.key] / 2 + 12
            above = 8 if self.ports[edge.key] >= 0 else -8
            return Route((), (x + aside if goes_left else x - aside, y + above), whole)
        if edge.said:
            x, y = whole[0]
            aside = self.labels[edge.key] / 2 + 6
            return Route((), (x - aside if goes_left else x + aside, y + 7), whole)
        left = self.frame_of[frame].left + PAD
        return Route((), self._label(self.wiring.slot(edge), left, whole), whole)

    def _label(self, slot: Any, left: float, curve: Curve) -> Point:
        """Where the template has a label, or else at a place on the line."""
        if slot not in self.template.labels:
            points = sampled(curve)
            return points[len(points) * 3 // 4]
        x, y = self.template.labels[slot]
        return x + left, y

    def _between(self, edge: Edge, start: Point, end: Point) -> Curve:
        """From one frame to the next, or along a lane above the frames to another."""
        lane = self.lane_of(edge)
        if lane is None:
            return bow(start, end)
        way = -1 if self.wiring.goes_left(edge) else 1
        aside = way * (8 + LANE * (abs(self.lanes[lane]) - 1))
        out, back, y = start[0] + aside, end[0] - aside - 8 * way, self._height(lane)
        return rounded([start, (out, start[1]), (out, y), (back, y), (back, end[1]), end])

    def _height(self, lane: str) -> float:
        """How high a line is above the frames, or below them."""
        number = self.lanes[lane]
        return (self.frames[0].top if number > 0 else self.frames[0].bottom) + LANE * number

    def zero(self, zero: Zero) -> Route:
        """Places a zero branch's end: after the last frame, or where the missing stage would be."""
        source, frame = self.boxes[zero.source], self.wiring.frame(zero.source)
        at = self.frame_of[frame]
        role = (Name.parse(zero.readers[0]).role, 0)
        if self.wiring.graph.frame(zero.block) is None:
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
