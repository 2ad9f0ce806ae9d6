"""Where things are: boxes, routes and frames. All lengths are points, x to the right and y upwards,
as in Graphviz."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from tinygrad_lstm.viz.graph.data import Run
from tinygrad_lstm.viz.layout.curves import Curve, Point, rounded

__all__ = ["RING", "Box", "Frame", "Layout", "Measures", "Route", "side_of"]

RING = 4.0  # by which a fork's second ring is outside the first


class Box(NamedTuple):
    """The centre and the size of a node; a fork's second ring is outside of it."""

    x: float
    y: float
    width: float
    height: float
    ring: float = 0.0

    @property
    def left(self) -> Point:
        return self.x - self.width / 2 - self.ring, self.y

    @property
    def right(self) -> Point:
        return self.x + self.width / 2 + self.ring, self.y

    @property
    def top(self) -> Point:
        return self.x, self.y + self.height / 2 + self.ring

    @property
    def bottom(self) -> Point:
        return self.x, self.y - self.height / 2 - self.ring


def side_of(box: Box, above: float, shape: str, side: int) -> Point:
    """The point on the left (`side` -1) or right edge of a box's shape, `above` its middle."""
    reach = box.width / 2 + box.ring
    share = min(abs(above) / (box.height / 2 + box.ring), 1.0)
    if shape == "ellipse":
        reach *= (1 - share**2) ** 0.5
    elif shape == "hexagon":
        reach -= share * box.width / 4
    return box.x + side * reach, box.y + above


class Route(NamedTuple):
    """The way of an edge: the corners of a line, or a curve instead, and the middle of its
    label."""

    corners: tuple[Point, ...]
    label: Point
    bent: Curve | None = None

    @property
    def curve(self) -> Curve:
        return self.bent or rounded(self.corners)


class Frame(NamedTuple):
    """The frame of a block, or of a run of blocks that are not drawn stage by stage, whose heading
    is at the height `middle`."""

    block: int | Run
    left: float
    bottom: float
    right: float
    top: float
    middle: float

    @property
    def name(self) -> str:
        """The blocks in it: ``3``, or ``3-18``."""
        if isinstance(self.block, Run) and self.block.count > 1:
            return f"{self.block.first}-{self.block.last}"
        return str(self.block.first if isinstance(self.block, Run) else self.block)


class Measures(NamedTuple):
    """How much room the texts need: each node, each edge's label, and the heading of each run."""

    nodes: dict[str, tuple[float, float]]
    labels: tuple[float, ...]
    headings: dict[Run, float]


@dataclass(frozen=True)
class Layout:
    """The boxes by key, the routes in the order of the edges, those of the zero branches, and the
    frames.

    The title is above `top`, the legend below `bottom`.
    """

    boxes: dict[str, Box]
    routes: tuple[Route, ...]
    zeros: tuple[Route, ...]
    frames: tuple[Frame, ...]
    top: float
    bottom: float
