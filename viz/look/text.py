"""What a picture says: numbers and names, as lines for nodes and as tooltips."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tinygrad_lstm.viz.graph.data import Edge, Graph, Node, Run, Verdict, Zero
from tinygrad_lstm.viz.look.style import text_width

__all__ = [
    "SIGNS",
    "SMALLEST",
    "Line",
    "contribution",
    "count",
    "description",
    "edge_tooltip",
    "exact",
    "heading",
    "ledger_tooltip",
    "lines",
    "number",
    "printable",
    "shortened",
    "summary",
    "tooltip",
    "verdict_line",
    "zero_tooltip",
]

SMALLEST = {"stages": 9.0, "gates": 10.0}  # the size of the numbers on edges, in points
LONGEST = 48  # characters of a name on a node; the tooltip has all of them


class Line(NamedTuple):
    """A line of text; `ink` is a colour of the theme."""

    text: str
    ink: str = "text"
    size: float = 10
    bold: bool = False

    @property
    def width(self) -> float:
        """How much room it needs, in points."""
        return text_width(self.text, self.size, self.bold)


def number(x: Any, level: str = "stages") -> str:
    """A number with sign, rounded to four digits after the point, or to three significant ones
    where that says more; at the level "gates" to three digits, or to two significant ones."""
    if isinstance(x, (bool, np.bool_)):
        return str(bool(x))
    if isinstance(x, (int, np.integer)) and x != 0:
        return f"{x:+d}".replace("-", "−")
    if np.iscomplexobj(x):
        return f"{x:.4g}".replace("-", "−")
    if x == 0:
        return "0"
    if level == "gates" and 0.1 <= abs(x) < 1e4:
        return f"{x:+.3f}".replace("-", "−")
    if not np.isfinite(x) or 1e-3 <= abs(x) < 1e4:
        return f"{x:+.4f}".replace("-", "−")
    return f"{x:+.{1 if level == 'gates' else 2}e}".replace("-", "−")


def summary(array: Any, level: str = "stages") -> str:
    """The entries of a small array; the sum of the entries of a larger one, which keeps the
    additions at forks true. At the level "gates" one number in any case."""
    array = np.asarray(array)
    if array.size == 1:
        return number(array.reshape(-1)[0], level)
    if array.size == 0 or (array.size == 2 and level != "gates"):
        return "[" + ", ".join(number(x, level) for x in array.reshape(-1)) + "]"
    return "Σ " + number(array.sum(), level)


def lines(node: Node, level: str = "stages") -> list[Line]:
    """The lines of a node: its name, formula, value and gradient, what hidden branches send back,
    and a verdict. At the level "gates" the name and the value; the gradient, where it is a sum."""
    few = level == "gates"
    found = [Line(shortened(node.name), "text", SMALLEST[level] if few else 12, True)]
    if node.formula and not few:
        found.append(Line(shortened(f"= {node.formula}"), "muted", 10))
    if node.target is not None:
        found.append(Line(f"â {summary(node.target, level)}", "muted"))
    found.append(Line(summary(node.value, level), "value"))
    if node.gradient is not None and not node.quiet:
        found.append(Line(f"∂ {summary(node.gradient, level)}", "gradient"))
    if node.unseen is not None:
        found.append(Line(f"{summary(node.unseen, level)} not drawn", "fork", SMALLEST[level]))
    return [*found, verdict_line(node.verdict, few)] if node.verdict else found


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


def contribution(edge: Edge, level: str = "stages") -> str:
    """What is written on an edge: what a branch of a fork sends back, and the sign of its verdict;
    that of a first wrong one on any edge."""
    if not edge.fork and not is_first_wrong(edge):
        return ""
    sent = [] if edge.gradient is None else [summary(edge.gradient, level)]
    said = (
        []
        if edge.verdict is None
        else [SIGNS[edge.verdict.kind] + " first wrong" * (edge.verdict.kind == "first")]
    )
    return " ".join(sent + said)


def heading(graph: Graph, frame: int | Run) -> Line:
    """The heading of a block's frame, or of the frame of those that are not drawn stage by
    stage."""
    if not isinstance(frame, Run):
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
            f"{count(len(graph.blocks), 'block')} of time side by side, "
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


def exact(array: Any, most: int = 36) -> str:
    """The entries without rounding; of a large array the first ones and the last."""
    array = np.asarray(array)
    if array.size <= most:
        return str(array.tolist())
    flat = array.reshape(-1)
    return (
        f"[{', '.join(str(x) for x in flat[:8].tolist())}, …, {flat[-1].item()}] "
        f"({array.size} entries)"
    )


def shortened(text: str, longest: int = LONGEST) -> str:
    """A printable text of at most `longest` characters."""
    text = printable(text)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def printable(text: str) -> str:
    """The text with control characters as their pictures, and others that XML cannot hold as the
    replacement character."""
    return text.translate(_UNPRINTABLE)


_PICTURES = {
    code: 0x2400 + code for code in range(32)
}  # Unicode has a picture of each: \n is shown as U+240A
_UNPRINTABLE = _PICTURES | dict.fromkeys(
    [*range(0x7F, 0xA0), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF], 0xFFFD
)
