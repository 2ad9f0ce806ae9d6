"""Tables of text around the graph: how large they are, and as Graphviz's HTML-like labels."""

from __future__ import annotations

import html as markup
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tinygrad_lstm.viz.look.numbers import CELL, LINE, Strip
from tinygrad_lstm.viz.look.style import Theme
from tinygrad_lstm.viz.look.text import Line, printable

__all__ = ["PAD", "WIDER", "Cell", "Table", "cells", "html", "inked", "size"]

PAD = 3
OUTLINES = {"box": 2, "rounded": 2, "dashed": 2, "ring": 6}  # how much higher a text is in them
WIDER = 1.06  # where letters are wider than estimated, a table would grow beyond its place


class Cell(NamedTuple):
    """A cell: its text, the theme's colour of the surface it stands on, where that is not the
    table's, and what is drawn around the text: a ``box``, one that is ``rounded`` or ``dashed``, or
    a fork's double ``ring``."""

    line: Line
    fill: str | None = None
    align: str = "LEFT"
    outline: str = ""


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
    return math.ceil(cell.line.width * WIDER) + 2 * PAD


def _height(row: Sequence[Cell]) -> int:
    strips = [cell.line.strip.height for cell in row if cell.line.strip]
    texts = (cell.line.size * 1.25 + OUTLINES.get(cell.outline, 0) for cell in row)
    return math.ceil(max([*strips, *texts])) + 2 * PAD


def size(table: Table) -> tuple[int, int]:
    """The width and the height of a table, in points."""
    return sum(_columns(table)) + 2, sum(map(_height, table.rows)) + 2


def html(table: Table, theme: Theme) -> str:
    """The table as Graphviz's HTML-like label, without the angle brackets around it."""
    widths = _columns(table)
    rows = "".join(f"<TR>{_row(row, widths, theme)}</TR>" for row in table.rows)
    edge = f'BORDER="1" COLOR="{theme.line}"' if table.border else 'BORDER="0"'
    return f'<TABLE {edge} CELLBORDER="0" CELLSPACING="0" CELLPADDING="{PAD}">{rows}</TABLE>'


def cells(table: Table) -> Iterator[tuple[Cell, int, int, int, int]]:
    """Each cell with its left and upper end in the table, its width and its height, in points."""
    widths, y = _columns(table), 1
    for row in table.rows:
        x, height = 1, _height(row)
        for i, cell in enumerate(row):
            width = sum(widths) if len(row) == 1 else widths[i]
            yield cell, x, y, width, height
            x += width
        y += height


def _row(row: Sequence[Cell], widths: list[int], theme: Theme) -> str:
    cells = "".join(_cell(row, i, widths, theme) for i in range(len(row)))
    return cells + (f'<TD WIDTH="{widths[-1]}"></TD>' if 1 < len(row) < len(widths) else "")


def _cell(row: Sequence[Cell], i: int, widths: list[int], theme: Theme) -> str:
    cell = row[i]
    span = f' COLSPAN="{len(widths)}"' if len(row) == 1 < len(widths) else ""
    width = sum(widths) if len(row) == 1 else widths[i]
    fill = f' BGCOLOR="{getattr(theme, cell.fill)}"' if cell.fill else ""
    text = inked(cell.line, theme)
    if cell.outline:
        text, fill = _outlined(text, cell, theme, fill), ""
    return (
        f'<TD WIDTH="{width}" HEIGHT="{_height(row)}" ALIGN="{cell.align}"{span}{fill}>{text}</TD>'
    )


def _outlined(text: str, cell: Cell, theme: Theme, fill: str) -> str:
    """A text in a box of its own, as wide as the text."""
    ring = cell.outline == "ring"
    color = f'COLOR="{theme.fork if ring else theme.line}"'
    style = f' STYLE="{cell.outline}"' if cell.outline in ("rounded", "dashed") else ""
    inner = f' BORDER="1" {color}' if ring else ""
    return (
        f'<TABLE BORDER="1" {color}{style}{fill} CELLBORDER="0" CELLSPACING="{1 * ring}" '
        f'CELLPADDING="0"><TR><TD{inner}>{text}</TD></TR></TABLE>'
    )


def inked(line: Line, theme: Theme) -> str:
    """A line of text in its colour, size and weight, and the cells behind it; whatever the text
    holds, it stays text."""
    text = (
        markup.escape(printable(line.text)).replace("\\", "\\\\").replace("  ", "&#160; ")
        or "&#160;"
    )
    bold = f"<B>{text}</B>" if line.bold else text
    font = f'<FONT COLOR="{getattr(theme, line.ink)}" POINT-SIZE="{line.size:g}">{bold}</FONT>'
    if line.strip is None:
        return font
    cells = _strip(line.strip, theme)
    return f"{PLAIN}<TR><TD>{font}</TD><TD>{cells}</TD></TR></TABLE>" if line.text else cells


PLAIN = '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1">'


def _strip(strip: Strip, theme: Theme) -> str:
    """The cells of an array as a table."""
    size = f'FIXEDSIZE="TRUE" WIDTH="{CELL:g}" HEIGHT="{CELL:g}"'
    rows = (
        "".join(f'<TD {size} BGCOLOR="{theme.shade(share)}"></TD>' for share in row)
        for row in strip.shares
    )
    inner = "".join(f"<TR>{row}</TR>" for row in rows)
    return (
        f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="{LINE:g}" CELLPADDING="0" '
        f'FIXEDSIZE="TRUE" WIDTH="{strip.width:g}" HEIGHT="{strip.height:g}" '
        f'BGCOLOR="{theme.line}">{inner}</TABLE>'
    )
