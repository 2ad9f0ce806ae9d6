"""What stands around the graph, as tables: the title, the legend and the ledger of parameters."""

from __future__ import annotations

import html as markup
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from tinygrad_lstm.viz.graph.data import Graph, Parameter
from tinygrad_lstm.viz.look.style import Theme, kind, text_width
from tinygrad_lstm.viz.look.text import (
    SIGNS,
    Line,
    count,
    printable,
    shortened,
    summary,
    verdict_line,
)

__all__ = ["Cell", "Table", "headline", "html", "inked", "ledger", "legend", "size", "titled"]

PAD = 3
COLUMNS = (
    6  # blocks with a column of their own in the ledger; of more, the ones in the middle are summed
)


class Cell(NamedTuple):
    """A cell: its text, and the theme's colour of the surface it stands on, where that is not the
    table's."""

    line: Line
    fill: str | None = None
    align: str = "LEFT"


class Table(NamedTuple):
    """Rows of cells, at least `width` points wide. A row with a single cell goes across all
    columns."""

    rows: Sequence[Sequence[Cell]]
    border: bool = True
    width: int = 0


def _columns(table: Table) -> list[int]:
    """The widths of the columns, and of an empty one behind them where the table is wider than they
    are."""
    count = max(map(len, table.rows))
    widths = [
        max((_width(row[i]) for row in table.rows if len(row) == count), default=0)
        for i in range(count)
    ]
    across = max((_width(row[0]) for row in table.rows if len(row) == 1), default=0)
    spare = max(across, table.width) - sum(widths)
    return [*widths, spare] if spare > 0 else widths


def _width(cell: Cell) -> int:
    return math.ceil(text_width(cell.line.text, cell.line.size, cell.line.bold)) + 2 * PAD


def _height(row: Sequence[Cell]) -> int:
    return math.ceil(max(cell.line.size for cell in row) * 1.25) + 2 * PAD


def size(table: Table) -> tuple[int, int]:
    """The width and the height of a table, in points."""
    return sum(_columns(table)) + 2, sum(map(_height, table.rows)) + 2


def html(table: Table, theme: Theme) -> str:
    """The table as Graphviz's HTML-like label, without the angle brackets around it."""
    widths = _columns(table)
    rows = "".join(f"<TR>{_row(row, widths, theme)}</TR>" for row in table.rows)
    edge = f'BORDER="1" COLOR="{theme.line}"' if table.border else 'BORDER="0"'
    return f'<TABLE {edge} CELLBORDER="0" CELLSPACING="0" CELLPADDING="{PAD}">{rows}</TABLE>'


def _row(row: Sequence[Cell], widths: list[int], theme: Theme) -> str:
    cells = "".join(_cell(row, i, widths, theme) for i in range(len(row)))
    return cells + (f'<TD WIDTH="{widths[-1]}"></TD>' if 1 < len(row) < len(widths) else "")


def _cell(row: Sequence[Cell], i: int, widths: list[int], theme: Theme) -> str:
    cell = row[i]
    span = f' COLSPAN="{len(widths)}"' if len(row) == 1 < len(widths) else ""
    width = sum(widths) if len(row) == 1 else widths[i]
    fill = f' BGCOLOR="{getattr(theme, cell.fill)}"' if cell.fill else ""
    return (
        f'<TD WIDTH="{width}" HEIGHT="{_height(row)}" '
        f'ALIGN="{cell.align}"{span}{fill}>{inked(cell.line, theme)}</TD>'
    )


def inked(line: Line, theme: Theme) -> str:
    """A line of text in its colour, size and weight; whatever the text holds, it stays text."""
    text = (
        markup.escape(printable(line.text)).replace("\\", "\\\\").replace("  ", "&#160; ")
        or "&#160;"
    )
    bold = f"<B>{text}</B>" if line.bold else text
    return f'<FONT COLOR="{getattr(theme, line.ink)}" POINT-SIZE="{line.size:g}">{bold}</FONT>'


def headline(graph: Graph, title: str | None, lstm: bool = False) -> str:
    """The title that was given, or one that says what is drawn."""
    root, steps = shortened(graph.node(graph.root).name), len(graph.blocks)
    unrolled = f"{'LSTM' if lstm else root} unrolled over T = {count(steps, 'block')}"
    return (
        shortened(title, 200)
        if title is not None
        else unrolled
        if steps
        else f"How {root} was computed"
    )


def titled(graph: Graph, title: str | None, lstm: bool, align: str) -> Table:
    """The title, and below it what the picture shows in numbers; in the middle where Graphviz
    places the graph there."""
    root = graph.node(graph.root)
    steps = len(graph.blocks)
    shared = sum(len(p.shares) > 1 for p in graph.parameters)
    said = [
        f"{shortened(root.name)} = {summary(root.value)}",
        *(_sizes(graph) if lstm else ()),
        f"{count(graph.forks, 'fork')} among the values",
    ]
    said += [f"{shared} among the {_listed(graph)}"] if shared else []
    left_out, folded = (
        sum(run.count for run in graph.runs if (run.count > 1) == many) for many in (True, False)
    )
    said += [f"{left_out:,} of {count(steps, 'block')} not drawn"] if left_out else []
    said += [f"{folded} of {count(steps, 'block')} folded"] if folded else []
    said.append(
        "data runs left to right" + (", gradients right to left" if graph.has_gradients else "")
    )
    written = (
        Line(headline(graph, title, lstm), size=16, bold=True),
        Line(" · ".join(said), "muted", 11),
    )
    return Table([[Cell(line, align=align)] for line in written], border=False)


def _sizes(graph: Graph) -> Iterator[str]:
    """The batch, the inputs and the units of an LSTM, read off its concatenations and cell
    states."""
    widths = {node.stem: node.value.shape for node in graph.nodes if node.stem in ("z", "c")}
    if len(widths) == 2:
        (rows, units), joined = widths["c"], widths["z"][-1]
        yield f"N = {rows}, D = {joined - units}, H = {units}"


def legend(graph: Graph) -> Table:
    """How to read the picture: one entry for each thing that is in it, in two columns."""
    entries = [*_texts(graph), *_kinds(graph)]
    half = (len(entries) + 1) // 2
    blank = (Cell(Line("")), Cell(Line("")))
    right = [*entries[half:], *[blank] * (len(entries) % 2)]
    rows = [(*left, *other) for left, other in zip(entries[:half], right, strict=True)]
    return Table([[Cell(Line("How to read", size=11, bold=True))], *rows])


def _texts(graph: Graph) -> list[tuple[Cell, Cell]]:
    """The entries for what is written, and for forks."""
    root = shortened(graph.node(graph.root).name)
    found = [
        (Line("+0.4789", "value"), "value of the stage, forward; rounded, exact in the tooltip")
    ]
    if graph.has_gradients:
        found.append(
            (
                Line("∂ −0.0832", "gradient"),
                f"derivative of {root} by that value, backward; rounded",
            )
        )
    if any(n.value.size > 2 for n in graph.nodes):
        found.append(
            (Line("Σ +1.2345", "value"), "of an array with more than two entries: their sum")
        )
    if any(n.fork for n in graph.nodes):
        found.append((Line("double ring", "fork"), "fork: the value is read more than once"))
        sent = (
            "what that reader sends back; ∂ in the ring is the sum"
            if graph.has_gradients
            else "a branch of a fork"
        )
        found.append(
            (Line("red edge, −0.1120" if graph.has_gradients else "red edge", "fork"), sent)
        )
    if any(edge.through for edge in graph.edges):
        found.append((Line("dashed edge"), "goes through stages that are not drawn"))
    if graph.zeros:
        found.append((Line("0 in a circle", "fork"), "branch that is not there: 0 comes back"))
    found += [
        (
            Line(f"wide line: {shortened(name)}", f"way_{i % 4}", bold=True),
            f"every way from {root} back to it",
        )
        for i, name in enumerate(graph.ways)
    ]
    found += _verdicts(graph)
    return [(Cell(sample), Cell(Line(text))) for sample, text in found]


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
        "product": ("box", "weighted sum: matrix product and bias"),
        "function": ("rounded box", "gate or activation: a function of each entry"),
        "arithmetic": ("ellipse", "arithmetic and other stages; ∘ multiplies entry by entry"),
        "move": ("box", "entries put together or picked out"),
        "error": ("hexagon", shortened(losses.pop()) if len(losses) == 1 else "loss"),
        "constant": ("dashed box", "constant: it needs no gradient"),
        "leaf": ("box", "start: a leaf that requires a gradient"),
        "parameter": ("dog-eared box", "parameter: a fork across the blocks that read it"),
    }
    present = {kind(node) for node in graph.nodes}
    return [
        (Cell(Line(sample), name), Cell(Line(text)))
        for name, (sample, text) in described.items()
        if name in present
    ]


def ledger(graph: Graph) -> Table | None:
    """The parameters: their gradients, and each block's share of them. None where there are
    none."""
    if not graph.parameters:
        return None
    shared = any(len(p.shares) > 1 for p in graph.parameters)
    what = _listed(graph).capitalize() + (" are forks too" if shared else "")
    wired = any(node.op == "parameter" for node in graph.nodes)
    heading = Line(
        f"{what}: the blocks read them" + ("" if wired else " (edges not drawn)"),
        size=11,
        bold=True,
    )
    blocks = sorted({r.block for p in graph.parameters for r in p.shares if r.block is not None})
    spans = _spans(blocks) if graph.has_gradients else []
    rows = [
        [
            *_named(p),
            *(_shares(p, spans) if graph.has_gradients else _counted(p)),
            *_verdict(p, graph),
        ]
        for p in graph.parameters
    ]
    if not graph.has_gradients:
        return Table([[Cell(heading)], *rows])
    total = Cell(Line("∂ total =", "gradient"), align="RIGHT")
    top = [
        Cell(Line("")),
        Cell(Line("")),
        total,
        *(Cell(Line(_times(s), "fork"), align="RIGHT") for s in spans),
    ]
    return Table([[Cell(heading)], [*top, *[Cell(Line(""))] * (len(rows[0]) - len(top))], *rows])


def _listed(graph: Graph) -> str:
    return "parameters and inputs" if any(p.is_input for p in graph.parameters) else "parameters"


def _named(p: Parameter) -> list[Cell]:
    name = (
        Line(shortened(p.name), f"way_{p.ways[0] % 4}", bold=True)
        if p.ways
        else Line(shortened(p.name))
    )
    return [Cell(name), Cell(Line(str(p.value.shape), "muted"))]


def _counted(p: Parameter) -> list[Cell]:
    """What a parameter is, where no gradients are known."""
    uses = f"read {len(p.shares)} times" if len(p.shares) != 1 else "read once"
    return [Cell(Line(summary(p.value), "value")), Cell(Line(uses, "fork"))]


def _shares(p: Parameter, spans: list[list[int]]) -> list[Cell]:
    """A parameter's gradient: the total, then what each block (or span of blocks) adds to it."""
    sent: dict[int | None, Any] = {}
    for r in p.shares:
        sent[r.block] = sent[r.block] + r.gradient if r.block in sent else r.gradient
    shares = [[sent[t] for t in span if t in sent] for span in spans]
    texts = [summary(sum(found)) if found else "none" for found in shares]
    return [
        Cell(Line(text, ink), align="RIGHT")
        for text, ink in [(summary(p.gradient), "gradient"), *((text, "fork") for text in texts)]
    ]


def _verdict(p: Parameter, graph: Graph) -> list[Cell]:
    """What a comparison says about a parameter and its shares; a column where there is a
    comparison."""
    if not graph.verdicts:
        return []
    said = [p.verdict] if p.verdict else []
    wrong = [
        f"t = {r.block}" for r in p.shares if r.verdict and r.verdict.kind in ("first", "wrong")
    ]
    line = verdict_line(said[0]) if said else Line("")
    return [
        Cell(line._replace(text=f"{line.text}, share of {', '.join(wrong[:3])}") if wrong else line)
    ]


def _spans(blocks: list[int]) -> list[list[int]]:
    """Each block by itself, or the first and the last ones by themselves and all between them
    together."""
    if len(blocks) <= COLUMNS:
        return [[t] for t in blocks]
    end = COLUMNS // 2 - 1
    return [*([t] for t in blocks[:end]), blocks[end:-end], *([t] for t in blocks[-end:])]


def _times(span: list[int]) -> str:
    return f"t = {span[0]}" if len(span) == 1 else f"sum of t = {span[0]} … {span[-1]}"
