"""What things look like: the two themes, the shape of each kind of node, and how wide a text is."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass

from tinygrad_lstm.viz.graph.data import Node

__all__ = ["FONT", "SHAPES", "THEMES", "Theme", "kind", "text_width"]

FONT = "Helvetica,Arial,sans-serif"


@dataclass(frozen=True)
class Theme:
    """Colours by what they mean. Every text has a contrast of at least 4.5:1 with every surface
    that it stands on."""

    page: str
    frame: str
    line: str
    text: str
    muted: str
    value: str
    gradient: str
    fork: str
    product: str
    function: str
    arithmetic: str
    move: str
    error: str
    constant: str
    leaf: str
    parameter: str
    faded: str  # what is not on a marked way: below the contrast of the rest, on purpose
    way_0: str
    way_1: str
    way_2: str
    way_3: str
    right: str
    wrong: str
    first: str  # the surfaces of what is wrong by itself, and of what is wrong because of it
    because: str
    negative: str  # the ends of the scale of a cell, whose middle is the page
    positive: str

    def shade(self, share: float) -> str:
        """The colour of a cell, from -1 over 0, the page, to 1; of NaN that of forks."""
        if math.isnan(share):
            return self.fork
        end = self.positive if share > 0 else self.negative
        mixed = (
            round(a + abs(share) * (b - a))
            for a, b in zip(_channels(self.page), _channels(end), strict=True)
        )
        return "#" + "".join(f"{c:02x}" for c in mixed)

    def way(self, i: int) -> str:
        """The colour of a marked way; there are four."""
        return str(getattr(self, f"way_{i}"))


def _channels(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


THEMES = {
    "light": Theme(
        page="#ffffff",
        frame="#f6f7f8",
        line="#5f666d",
        text="#16191d",
        muted="#4d545b",
        value="#0a4f9e",
        gradient="#8f4300",
        fork="#c00418",
        product="#dbe8f5",
        function="#fdf1c5",
        arithmetic="#ffffff",
        move="#ece7f6",
        error="#dcf0e0",
        constant="#f0f1f2",
        leaf="#ffffff",
        parameter="#fdf0f0",
        faded="#a3a9af",
        way_0="#7a2496",
        way_1="#00665a",
        way_2="#954100",
        way_3="#1a4fc4",
        right="#0a6530",
        wrong="#a00012",
        first="#ffdcdc",
        because="#fff0dc",
        negative="#c04f00",
        positive="#0a4f9e",
    ),
    "dark": Theme(
        page="#12161a",
        frame="#1b2026",
        line="#9aa4ae",
        text="#f2f4f6",
        muted="#bcc4cc",
        value="#8cc8ff",
        gradient="#ffbf66",
        fork="#ff8086",
        product="#1d3a57",
        function="#403816",
        arithmetic="#12161a",
        move="#352c4d",
        error="#1d4029",
        constant="#262c33",
        leaf="#12161a",
        parameter="#33191d",
        faded="#59626b",
        way_0="#dfb0ff",
        way_1="#62dcc8",
        way_2="#ffb570",
        way_3="#9cc0ff",
        right="#7fe09b",
        wrong="#ff9a9f",
        first="#4d1519",
        because="#3f2c12",
        negative="#ff9d4d",
        positive="#8cc8ff",
    ),
}

# Graphviz's shape and style, and by how much a box must be larger than the text in it.
SHAPES = {
    "product": ("box", "filled", 1.0, 1.0),
    "function": ("box", "filled,rounded", 1.0, 1.0),
    "arithmetic": ("ellipse", "filled", 1.24, 1.22),
    "move": ("box", "filled", 1.0, 1.0),
    "error": ("hexagon", "filled", 1.5, 1.0),
    "constant": ("box", "filled,dashed", 1.0, 1.0),
    "leaf": ("box", "filled", 1.0, 1.0),
    "parameter": ("note", "filled", 1.0, 1.0),
}

# How a kind of operation looks that has no shape of its own.
LOOKS = {"loss": "error", "reduction": "arithmetic", "other": "arithmetic"}


def kind(node: Node) -> str:
    """Which of the shapes a node has: that of its operation's kind, or that of a leaf."""
    found = LOOKS.get(node.kind, node.kind) or node.op
    return "error" if node.word == "Error" else found if found in SHAPES else "arithmetic"


def text_width(text: str, size: float, bold: bool = False) -> float:
    """The width of a text in points, on the generous side for common sans-serif fonts.

    An estimate of our own, so that a picture does not depend on the fonts of the machine that draws
    it.
    """
    return sum(map(_em, text)) * size * (1.08 if bold else 1.0)


def _em(character: str) -> float:
    if unicodedata.combining(character):
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return 1.0
    return 0.3 if character in " .,:;'|!iljtf[]()" else 0.86 if character in "mwMW%@" else 0.6
