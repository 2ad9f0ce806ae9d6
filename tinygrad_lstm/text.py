"""Text in columns, and as a table of HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence

__all__ = ["aligned", "as_table"]

SHORT = 40  # characters of a text that is not broken


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """A line for each row, its cells two spaces apart, every column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def as_table(caption: str, rows: Sequence[Sequence[str]]) -> str:
    """A table of HTML under a caption; the first row is its head."""
    head, *others = (
        "".join(_as_cell(tag, cell) for cell in row)
        for tag, row in zip(["th", *["td"] * len(rows)], rows, strict=False)
    )
    body = "".join(f"<tr>{row}</tr>" for row in others)
    return f"<table>{_as_cell('caption', caption)}<tr>{head}</tr>{body}</table>"


def _as_cell(tag: str, text: str) -> str:
    """Written from the left, where notebooks begin on the right; what is short, in one line."""
    style = "text-align: left" + "; white-space: nowrap" * (len(text) <= SHORT)
    return f'<{tag} style="{style}">{html.escape(text)}</{tag}>'
