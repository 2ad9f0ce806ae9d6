"""What is written in a picture: numbers and names, as lines."""

from __future__ import annotations

from typing import Any, NamedTuple

from tinygrad_lstm.viz.graph.data import Edge, Graph, Node, Run, Verdict
from tinygrad_lstm.viz.look.numbers import Reading, Strip, reach, span, summary
from tinygrad_lstm.viz.look.style import text_width

__all__ = [
    "SIGNS",
    "Line",
    "contribution",
    "count",
    "heading",
    "lines",
    "printable",
    "reading",
    "shortened",
    "smallest",
    "stated",
    "verdict_line",
]

APART = 3.0  # between a text and the cells behind it
LONGEST = 48  # characters of a name on a node; the tooltip has all of them


class Line(NamedTuple):
    """A line of text, and the cells of an array behind it; `ink` is a colour of the theme."""

    text: str
    ink: str = "text"
    size: float = 10
    bold: bool = False
    strip: Strip | None = None

    @property
    def words(self) -> float:
        """How much room its text needs, in points."""
        return text_width(self.text, self.size, self.bold)

    @property
    def width(self) -> float:
        """How much room it needs, in points."""
        gap = APART if self.strip and self.text else 0.0
        return self.words + gap + (self.strip.width if self.strip else 0.0)

    @property
    def height(self) -> float:
        written = self.size * 1.2 if self.text or not self.strip else 0.0
        return max(written, self.strip.height if self.strip else 0.0) + 2


def reading(graph: Graph) -> Reading:
    """How the arrays of a graph are read."""
    return Reading(graph.few, graph.entry, graph.details)


def smallest(graph: Graph) -> float:
    """The size of the numbers on edges, in points."""
    return 10.0 if graph.few else 9.0


def lines(node: Node, graph: Graph) -> list[Line]:
    """The lines of a node: its name, formula, value and gradient, what hidden branches send back,
    and a verdict. At the level "gates" the name and the value; the gradient, where it is a sum. One
    that stands for all blocks has no numbers."""
    read, small = reading(graph), smallest(graph)
    found = _called(node, small) if read.few else [Line(shortened(node.name), "text", 12, True)]
    if node.said:
        found += [Line(shortened(text), "muted", small) for text in node.said]
    else:
        found += _numbers(node, read, small)
    return [*found, verdict_line(node.verdict, read.few)] if node.verdict else found


def _numbers(node: Node, read: Reading, small: float) -> list[Line]:
    found = []
    if node.formula and not read.few:
        found.append(Line(shortened(f"= {node.formula}"), "muted", 10))
    if node.target is not None:
        found.append(Line(f"â {summary(node.target, read)}", "muted"))
    found.append(Line(summary(node.value, read), "value"))
    found += _entries(node.value, read, reach(node.value), Line("", "value", small))
    if node.gradient is not None and not node.quiet:
        found.append(Line(f"∂ {summary(node.gradient, read)}", "gradient"))
        found += _entries(node.gradient, read, _scale(node), Line("", "gradient", small))
    if node.unseen is not None:
        found.append(Line(f"{summary(node.unseen, read)} not drawn", "fork", small))
    return found


def _called(node: Node, small: float) -> list[Line]:
    """A name in a narrow block: the layer and the direction on lines of their own."""
    scope = node.called.scope
    name = node.name.removeprefix(f"{scope}.")
    above = [Line(shortened(part), "muted", small) for part in scope.split(".") if part]
    return [*above, Line(shortened(name), "text", small, True)]


def _entries(array: Any, read: Reading, scale: float, line: Line) -> list[Line]:
    """What a sum does not say: the entries as cells, or the range of those of a larger array."""
    if not read.details or not read.is_summed(array):
        return []
    strip = Strip.of(array, scale)
    return [line._replace(strip=strip) if strip else line._replace(text=span(array))]


def _scale(node: Node) -> float:
    """What full colour is for a gradient and for the branches that it is the sum of."""
    return reach(node.gradient, *(r.gradient for r in node.readers))


SIGNS = {"right": "✓", "first": "✗✗", "because": "✗", "wrong": "✗", "open": "?"}


def verdict_line(verdict: Verdict, few: bool = False) -> Line:
    """A verdict as a line: a sign and words, since colour alone would not do; of `few` words the
    sign, unless it is the first that is wrong."""
    said = verdict.text.removeprefix("wrong ") if verdict.kind == "because" else verdict.text
    if few and verdict.kind != "first":
        said = ""
    return Line(
        shortened(f"{SIGNS[verdict.kind]} {said}".rstrip()),
        "right" if verdict.kind == "right" else "wrong",
        10,
        verdict.kind == "first",
    )


def is_first_wrong(edge: Edge) -> bool:
    return edge.verdict is not None and edge.verdict.kind == "first"


def contribution(edge: Edge, graph: Graph) -> Line:
    """What is written on an edge: what a branch of a fork sends back, and the sign of its verdict;
    that of a first wrong one on any edge."""
    line = Line("", "fork", smallest(graph))
    if edge.said:
        return line._replace(text=shortened(edge.said))
    if not edge.fork and not is_first_wrong(edge):
        return line
    read, g = reading(graph), edge.gradient
    sent = [] if g is None else [summary(g, read)]
    said = (
        []
        if edge.verdict is None
        else [SIGNS[edge.verdict.kind] + " first wrong" * (edge.verdict.kind == "first")]
    )
    strip = None
    if read.few and read.details and g is not None and read.is_summed(g):  # where there is room
        strip = Strip.of(g, _scale(graph.node(edge.source)))
    in_a_row = strip is not None and len(strip.shares) == 1
    return line._replace(text=" ".join(sent + said), strip=strip if in_a_row else None)


def heading(graph: Graph, frame: int | Run) -> Line:
    """The heading of a block's frame, or of the frame of those that are not drawn stage by
    stage."""
    if graph.rolled:
        text = f"block t = {graph.blocks[0]} … {graph.blocks[-1]}"
    elif not isinstance(frame, Run):
        text = f"block t = {frame}"
    elif frame.count == 1:
        text = (
            f"block t = {frame.first}: {count(frame.stages, 'stage')}, {count(frame.forks, 'fork')}"
        )
    else:
        text = (
            f"… {frame.count} blocks like these, t = {frame.first} … {frame.last}, "
            f"{count(frame.forks, 'fork')} …"
        )
    return Line(text, size=12, bold=True)


def stated(node: Node) -> str:
    """``Error = +0.5``; the shape where the node stands for the values of all blocks."""
    said = f" of shape {node.said[0]}" if node.said else f" = {summary(node.value)}"
    return shortened(node.name) + said


def count(n: int, noun: str) -> str:
    """``1 fork``, ``2 forks``."""
    return f"{n:,} {noun}{'s' * (n != 1)}"


def shortened(text: str, longest: int = LONGEST) -> str:
    """A printable text of at most `longest` characters."""
    text = printable(text)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def printable(text: str) -> str:
    """The text with control characters as their pictures, those that turn the direction of writing
    by their number, and others that XML cannot hold as the replacement character."""
    return text.translate(_UNPRINTABLE)


_PICTURES = {
    code: 0x2400 + code for code in range(32)
}  # Unicode has a picture of each: \n is shown as U+240A
_TURNING = (0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_UNPRINTABLE = (
    _PICTURES
    | dict.fromkeys([*range(0x7F, 0xA0), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF], 0xFFFD)
    | {code: f"⟨U+{code:04X}⟩" for code in _TURNING}
)
