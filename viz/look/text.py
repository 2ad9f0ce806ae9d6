"""What a picture says: numbers and names, as lines for nodes and as tooltips."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tinygrad_lstm.viz.graph.data import Edge, Graph, Node, Run, Verdict, Zero
from tinygrad_lstm.viz.look.numbers import Reading, Strip, exact, reach, span, summary
from tinygrad_lstm.viz.look.style import text_width

__all__ = [
    "SIGNS",
    "SMALLEST",
    "Line",
    "contribution",
    "count",
    "description",
    "edge_tooltip",
    "heading",
    "ledger_tooltip",
    "lines",
    "printable",
    "reading",
    "shortened",
    "tooltip",
    "verdict_line",
    "zero_tooltip",
]

SMALLEST = {
    "stages": 9.0,
    "gates": 10.0,
    "rolled": 10.0,
}  # the size of the numbers on edges, in points
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
    return Reading(graph.level != "stages", graph.entry, graph.details)


def lines(node: Node, graph: Graph) -> list[Line]:
    """The lines of a node: its name, formula, value and gradient, what hidden branches send back,
    and a verdict. At the level "gates" the name and the value; the gradient, where it is a sum."""
    read = reading(graph)
    small = SMALLEST[graph.level]
    found = _called(node, small) if read.few else [Line(shortened(node.name), "text", 12, True)]
    if graph.level == "rolled":
        return found
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
    return [*found, verdict_line(node.verdict, read.few)] if node.verdict else found


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
    line = Line("", "fork", SMALLEST[graph.level])
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
    if graph.level == "rolled":
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


def count(n: int, noun: str) -> str:
    """``1 fork``, ``2 forks``."""
    return f"{n:,} {noun}{'s' * (n != 1)}"


def tooltip(node: Node) -> str:
    """Everything about a node: exact value and gradient, shape, dtype, stage and block."""
    where = "" if node.block is None else f", block {node.block}"
    stage = f"{node.op}: {node.name} = {node.formula}" if node.formula else f"{node.op} {node.name}"
    value = np.asarray(node.value)
    said = [f"{stage}{where}", f"shape {value.shape}, {value.dtype}", f"value {exact(value)}"]
    if node.gradient is not None:
        said.append(f"gradient {exact(node.gradient)}")
    if node.fork:
        said.append(
            f"fork, read {len(node.readers)} times"
            + (": the gradient is the sum of" if node.gradient is not None else ":")
        )
        said += [
            f"  {r.name}" + ("" if r.gradient is None else f" sends back {exact(r.gradient)}")
            for r in node.readers[:20]
        ]
        said += [f"  … and {len(node.readers) - 20} more"] if len(node.readers) > 20 else []
    if node.verdict:
        said.append(node.verdict.text)
    return "\n".join(map(printable, said))


def ledger_tooltip(graph: Graph) -> str:
    """The exact derivatives by the parameters, and the shares of the blocks."""
    said = []
    for p in graph.parameters:
        said.append(
            f"{p.name}: shape {p.value.shape}, {p.value.dtype}, "
            + (f"gradient {exact(p.gradient, 8)}" if graph.has_gradients else "read")
        )
        if len(p.shares) <= 6 and graph.has_gradients:
            said += [f"  t = {r.block} sends back {exact(r.gradient, 8)}" for r in p.shares]
    return "\n".join(map(printable, said)) or "How to read"


def edge_tooltip(edge: Edge, source: Node, target: Node) -> str:
    """Who reads what through an edge, and what it sends back, exactly."""
    said = [
        f"{source.name} goes on through blocks that are not drawn"
        if edge.through
        else f"{source.name} is read by {target.name}, argument {edge.argument}"
    ]
    if edge.gradient is not None:
        said.append(f"sends back {exact(edge.gradient)}")
    if edge.verdict:
        said.append(edge.verdict.text)
    return "\n".join(map(printable, said))


def description(graph: Graph) -> str:
    """The picture in words, for who cannot see it."""
    root = graph.node(graph.root)
    said = [f"The graph that led to {shortened(root.name)} = {summary(root.value)}"]
    if graph.blocks:
        said.append(
            f"one block that stands for {len(graph.blocks):,}"
            if graph.level == "rolled"
            else f"{count(len(graph.blocks), 'block')} of time side by side, "
            f"{sum(run.count for run in graph.runs)} of them not stage by stage"
        )
    said.append(f"{count(graph.forks, 'fork')} among the values, each with a double ring")
    forks = [n for n in graph.nodes if n.fork]
    said += [
        f"{shortened(n.name)} is read by {', '.join(shortened(r.name) for r in n.readers[:8])}"
        for n in forks[:12]
    ]
    said += [f"and {len(forks) - 12} more forks are drawn"] if len(forks) > 12 else []
    said += [f"Every way back to {shortened(name)} is marked" for name in graph.ways]
    said += [
        f"The comparison finds {shortened(v.name)} {v.text}"
        for v in graph.verdicts
        if v.kind == "first"
    ]
    return ". ".join(said) + "."


def zero_tooltip(zero: Zero, source: Node) -> str:
    """Which branch is not there."""
    readers = " and ".join(zero.readers)
    return printable(f"no {readers} reads {source.name}: the gradient from there is 0")


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
