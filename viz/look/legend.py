"""The title of a picture, and how to read it: an entry for each thing that is in it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

from tinygrad_lstm.viz.graph.data import Graph
from tinygrad_lstm.viz.look.ledger import listed
from tinygrad_lstm.viz.look.numbers import Strip
from tinygrad_lstm.viz.look.style import kind, text_width
from tinygrad_lstm.viz.look.tables import Cell, Table, size
from tinygrad_lstm.viz.look.text import SIGNS, Line, count, reading, shortened, stated

__all__ = ["headline", "legend", "titled"]

RING = "read twice"


def headline(graph: Graph, title: str | None, lstm: bool = False) -> str:
    """The title that was given, or one that says what is drawn."""
    root, steps = shortened(graph.node(graph.root).name), len(graph.blocks)
    how = "rolled up" if graph.rolled else "unrolled"
    unrolled = f"{'LSTM' if lstm else root} {how} over T = {count(steps, 'block')}"
    return (
        shortened(title, 200)
        if title is not None
        else unrolled
        if steps
        else f"How {root} was computed"
    )


def titled(
    graph: Graph,
    title: str | None,
    lstm: bool,
    align: str,
    room: float = math.inf,
    down: bool = False,
) -> Table:
    """The title, and below it what the picture shows in numbers, in lines of at most `room` points;
    in the middle where Graphviz places the graph there."""
    root = graph.node(graph.root)
    steps = len(graph.blocks)
    shared = sum(len(p.shares) > 1 for p in graph.parameters)
    said = [
        stated(root),
        *(_sizes(graph) if lstm else ()),
        f"{count(graph.forks, 'fork')} among the values",
    ]
    said += [f"{shared} among the {listed(graph)}"] if shared else []
    left_out, folded = (
        sum(run.count for run in graph.runs if (run.count > 1) == many) for many in (True, False)
    )
    if graph.entry is not None:
        said.append(f"numbers are those of entry {list(graph.entry)}")
    said += [f"{left_out:,} of {count(steps, 'block')} not drawn"] if left_out else []
    said += [f"{folded} of {count(steps, 'block')} folded"] if folded else []
    there, back = ("down", "up") if down else ("left to right", "right to left")
    said.append(f"data runs {there}" + (f", gradients {back}" if graph.has_gradients else ""))
    written = [Line(headline(graph, title, lstm), size=16, bold=True)]
    for part in said:
        longer = f"{written[-1].text} · {part}"
        if len(written) == 1 or text_width(longer, 11) > room:
            written.append(Line(part, "muted", 11))
        else:
            written[-1] = written[-1]._replace(text=longer)
    return Table([[Cell(line, align=align)] for line in written], border=False)


def _sizes(graph: Graph) -> Iterator[str]:
    """The batch, the inputs and the units of an LSTM, read off its concatenations and cell
    states."""
    widths = {node.word: node.value.shape for node in graph.nodes if node.word in ("z", "c")}
    if len(widths) == 2:
        (rows, units), joined = widths["c"], widths["z"][-1]
        yield f"N = {rows}, D = {joined - units}, H = {units}"


def legend(graph: Graph, room: float = math.inf) -> Table:
    """How to read the picture: one entry for each thing that is in it, in two columns where there
    is `room` for them."""
    entries = [*_texts(graph), *_kinds(graph)]
    head = [Cell(Line("How to read", size=11, bold=True))]
    table = Table([head, *_beside(entries)])
    return table if size(table)[0] <= room else Table([head, *entries])


def _beside(entries: list[tuple[Cell, Cell]]) -> list[tuple[Cell, ...]]:
    """Entries in two columns."""
    half = (len(entries) + 1) // 2
    blank = (Cell(Line("")), Cell(Line("")))
    right = [*entries[half:], *[blank] * (len(entries) % 2)]
    return [(*left, *other) for left, other in zip(entries[:half], right, strict=True)]


def _texts(graph: Graph) -> list[tuple[Cell, Cell]]:
    """The entries for what is written, and for forks."""
    root = shortened(graph.node(graph.root).name)
    found = [
        (Line("+0.4789", "value"), "value of the stage, forward; rounded, exact in the tooltip")
    ]
    if graph.rolled:
        found = [
            (Line("‒ ‒► c<t−1>", "fork"), "a loop: the value of the block before, or after"),
            (Line("(1, 4)", "muted"), "the shape of the value in every block"),
            *(found if any(not node.said for node in graph.nodes) else []),
        ]
    if any(node.gradient is not None and not node.quiet for node in graph.nodes):
        found.append(
            (
                Line("∂ −0.0832", "gradient"),
                f"derivative of {root} by that value, backward; rounded",
            )
        )
    found += [*_arrays(graph), *_forks(graph)]
    if any(edge.through for edge in graph.edges):
        found.append((Line("‒ ‒►"), "dashed: goes through stages that are not drawn"))
    if graph.zeros:
        found.append((Line("····► 0", "fork"), "branch that is not there: 0 comes back"))
    found += [
        (
            Line(f"━━► {shortened(name)}", f"way_{i % 4}", bold=True),
            f"wide line: every way from {root} back to it",
        )
        for i, name in enumerate(graph.ways)
    ]
    found += _verdicts(graph)
    return [
        (Cell(sample, outline="ring" if sample.text == RING else ""), Cell(Line(text)))
        for sample, text in found
    ]


def _forks(graph: Graph) -> Iterator[tuple[Line, str]]:
    if any(n.fork for n in graph.nodes):
        yield Line(RING, "fork"), "fork: the value is read more than once"
        if any(edge.fork and edge.gradient is not None for edge in graph.edges):
            sent = "what that reader sends back; ∂ in the ring is the sum"
            yield Line("──► −0.1120", "fork"), f"branch: {sent}"
        else:
            yield Line("──►", "fork"), "a branch of a fork"


def _arrays(graph: Graph) -> Iterator[tuple[Line, str]]:
    """The entries for what stands for an array."""
    read = reading(graph)
    summed = [node.value for node in graph.nodes if read.is_summed(node.value)]
    if graph.entry is not None:
        yield Line("entry"), f"each number is entry {list(graph.entry)} of its array"
    if not summed:
        return
    more = "one entry" if read.few else "two entries"
    what = "without that entry" if graph.entry is not None else f"with more than {more}"
    yield Line("Σ +1.2345", "value"), f"of an array {what}: their sum"
    celled = {Strip.of(array, 1.0) is not None for array in summed} if graph.details else set()
    if True in celled:
        sample = Line("", "value", strip=Strip(((-1.0, -0.5, 0.0, 0.5, 1.0),)))
        yield sample, "its entries, from negative over 0 to positive"
        if read.few and graph.has_gradients and any(node.fork for node in graph.nodes):
            scaled = Line("", "fork", strip=Strip(((0.25, 0.0, -1.0),)))
            yield scaled, "entries that a branch sends back, on the scale of their sum"
    if False in celled:
        yield Line("‖2.3‖ −1 … 2", "value"), "its norm, its smallest and its largest entry"


def _verdicts(graph: Graph) -> Iterator[tuple[Line, str]]:
    """The entries for a comparison, each with the number of its rows."""
    described = {
        "right": "the derivation by hand is right",
        "first": "first wrong: all that feeds it is right; thick line",
        "because": "wrong because of another one",
        "wrong": "wrong too",
        "open": "could not be compared",
    }
    counts = Counter(verdict.kind for verdict in graph.verdicts)
    for kind_, text in described.items():
        if counts[kind_]:
            ink = "right" if kind_ == "right" else "wrong"
            yield Line(SIGNS[kind_], ink, bold=True), f"{text} ({count(counts[kind_], 'row')})"


def _kinds(graph: Graph) -> list[tuple[Cell, Cell]]:
    losses = {node.stem for node in graph.nodes if kind(node) == "error"}
    described = {
        "product": ("sum", "box", "weighted sum: matrix product and bias"),
        "function": ("gate", "rounded", _functions(graph)),
        "arithmetic": ("◯", "", "arithmetic and other stages; ∘ multiplies entry by entry"),
        "move": ("move", "box", "entries put together or picked out"),
        "error": ("⬡", "", shortened(losses.pop()) if len(losses) == 1 else "loss"),
        "constant": ("constant", "dashed", "it needs no gradient"),
        "leaf": ("start", "box", "a leaf that requires a gradient"),
        "parameter": ("parameter", "box", "dog-eared: a fork across the blocks that read it"),
    }
    present = {kind(node) for node in graph.nodes}
    return [
        (Cell(Line(sample, size=10 if outline else 12), name, outline=outline), Cell(Line(text)))
        for name, (sample, outline, text) in described.items()
        if name in present
    ]


def _functions(graph: Graph) -> str:
    """What the functions are of: each entry, or all of an axis together."""
    found = [node for node in graph.nodes if kind(node) == "function"]
    together = dict.fromkeys(node.op for node in found if not node.elementwise)
    said = [f"{shortened(', '.join(together))}: of entries together"] if together else []
    if any(node.elementwise for node in found):
        said.insert(0, "gate or activation: a function of each entry")
    return "; ".join(said)
