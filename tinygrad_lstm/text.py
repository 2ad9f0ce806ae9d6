"""Text in columns, and as a table of HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence

__all__ = ["aligned", "as_table"]


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
        "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in row)
        for tag, row in zip(["th", *["td"] * len(rows)], rows, strict=False)
    )
    body = "".join(f"<tr>{row}</tr>" for row in others)
    return f"<table><caption>{html.escape(caption)}</caption><tr>{head}</tr>{body}</table>"
