"""The parameters, which every block reads, as a table: their gradients and each block's share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tinygrad_lstm.viz.graph.data import Graph, Parameter
from tinygrad_lstm.viz.look.numbers import PLAIN, Reading, summary
from tinygrad_lstm.viz.look.tables import PAD, WIDER, Cell, Table, size
from tinygrad_lstm.viz.look.text import Line, shortened, verdict_line

__all__ = ["ledger", "listed"]

Row = list[Cell]

BLANK = Cell(Line(""))
APART = Cell(Line("      "))  # between two columns
MOST = 12  # parameters in one column, where there is room for two
COLUMNS = 6  # blocks with a column of their own; of more, the ones in the middle are summed


def ledger(graph: Graph, room: float = 0.0) -> Table | None:
    """The parameters: their gradients, and each block's share of them; many in two columns, where
    there is `room`. None where there are none."""
    if not graph.parameters:
        return None
    shared = any(len(p.shares) > 1 for p in graph.parameters)
    what = listed(graph).capitalize() + (" are forks too" if shared else "")
    wired = any(node.op == "parameter" for node in graph.nodes)
    heading = Line(
        f"{what}: the blocks read them" + ("" if wired else " (edges not drawn)"),
        size=11,
        bold=True,
    )
    blocks = sorted({r.block for p in graph.parameters for r in p.shares if r.block is not None})
    spans = _spans(blocks) if graph.has_gradients else []
    valued = graph.has_gradients and not any(
        _reading(p, graph).is_summed(p.value) for p in graph.parameters
    )
    aside = [p for p in graph.parameters if spans and _is_aside(p)]
    rows = [
        [
            *_named(p, valued, read := _reading(p, graph)),
            *(_shares(p, spans, read) if graph.has_gradients else _counted(p, read)),
            *_verdict(p, graph),
        ]
        for p in graph.parameters
        if not (spans and _is_aside(p))
    ]
    if not graph.has_gradients:
        return _set([], rows, heading, room)
    total = Cell(Line("∂ total =", "gradient"), align="RIGHT")
    top = [
        *[BLANK] * (2 + valued),
        total,
        *(Cell(Line(_times(s), "fork"), align="RIGHT") for s in spans),
    ]
    table = _set([[*top, *[BLANK] * (len(rows[0]) - len(top))]], rows, heading, room)
    return table._replace(rows=[*table.rows, *_aside(aside, size(table)[0], graph)])


def _is_aside(p: Parameter) -> bool:
    """Whether no block reads a parameter itself, but what is made of it; and nothing else is to be
    said of it."""
    return not p.ways and p.verdict is None and all(r.block is None for r in p.shares)


def _aside(parameters: list[Parameter], width: float, graph: Graph) -> Iterator[Row]:
    """Those that no block reads, with their gradients, in lines as long as the table is wide."""
    if not parameters:
        return
    said = [f"{shortened(p.name)} {summary(p.gradient, _reading(p, graph))}" for p in parameters]
    text = f"read outside of the blocks, their ∂ total: {said[0]}"
    for part in said[1:]:
        if Line(f"{text}, {part},").width * WIDER > width - 2 * PAD:
            yield [Cell(Line(f"{text},", "gradient"))]
            text = part
        else:
            text = f"{text}, {part}"
    yield [Cell(Line(text, "gradient"))]


def _set(top: list[Row], rows: list[Row], heading: Line, room: float) -> Table:
    """The table; in two columns, one beside the other, if it is long and they fit."""
    half = (len(rows) + 1) // 2
    if len(rows) > MOST:
        left, right = [*top, *rows[:half]], [*top, *rows[half:]]
        right += [[BLANK] * len(rows[0])] * (len(left) - len(right))
        beside = [[*one, APART, *other] for one, other in zip(left, right, strict=True)]
        if size(table := Table([[Cell(heading)], *beside]))[0] <= room:
            return table
    return Table([[Cell(heading)], *top, *rows])


def listed(graph: Graph) -> str:
    """What the ledger lists, in words."""
    return "parameters and inputs" if any(p.is_input for p in graph.parameters) else "parameters"


def _reading(p: Parameter, graph: Graph) -> Reading:
    """How the arrays of a parameter are read: one of its own entries, where one is drawn."""
    if graph.entry is None:
        return PLAIN
    read = PLAIN._replace(entry=graph.entry)
    return read if p.is_input else read.of_parameter(p.value.shape)


def _named(p: Parameter, valued: bool, read: Reading) -> list[Cell]:
    """The name and the shape of a parameter, or which of its entries is shown; and its value."""
    name = (
        Line(shortened(p.name), f"way_{p.ways[0] % 4}", bold=True)
        if p.ways
        else Line(shortened(p.name))
    )
    index = read.at(p.value.shape) if p.value.size > 1 else None
    which = str(p.value.shape) if index is None else f"entry {list(index)}"
    shown = [Cell(name), Cell(Line(which, "muted"))]
    return [*shown, Cell(Line(summary(p.value, read), "value"))] if valued else shown


def _counted(p: Parameter, read: Reading) -> list[Cell]:
    """What a parameter is, where no gradients are known."""
    uses = f"read {len(p.shares)} times" if len(p.shares) != 1 else "read once"
    return [Cell(Line(summary(p.value, read), "value")), Cell(Line(uses, "fork"))]


def _shares(p: Parameter, spans: list[list[int]], read: Reading) -> list[Cell]:
    """A parameter's gradient: the total, then what each block (or span of blocks) adds to it."""
    sent: dict[int | None, Any] = {}
    for r in p.shares:
        sent[r.block] = sent[r.block] + r.gradient if r.block in sent else r.gradient
    shares = [[sent[t] for t in span if t in sent] for span in spans]
    texts = [summary(sum(found), read) if found else "none" for found in shares]
    total = summary(p.gradient, read)
    return [
        Cell(Line(text, ink), align="RIGHT")
        for text, ink in [(total, "gradient"), *((text, "fork") for text in texts)]
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
    line = verdict_line(said[0], graph.few) if said else Line("")
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
