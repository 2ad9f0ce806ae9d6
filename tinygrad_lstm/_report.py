"""A comparison as text for a terminal, as Markdown, as JSON and as HTML for a notebook."""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tinygrad_lstm._text import aligned

if TYPE_CHECKING:
    from tinygrad_lstm._compare import Comparison
    from tinygrad_lstm._diagnose import Diagnosis
    from tinygrad_lstm._verdict import Row

__all__ = ["as_html", "as_json", "as_markdown", "as_text"]

HEAD = ("quantity", "shape", "largest error", "verdict")
SHOWN = 6  # paragraphs; the other rows that are wrong by themselves are listed


def as_text(comparison: Comparison) -> str:
    """The first difference, the table, and what the numbers mean."""
    lines = [_title(comparison), *aligned(_table(comparison)), *_foot(comparison)]
    return "\n".join([*lines, *(line for paragraph in _paragraphs(comparison) for line in ("", *paragraph))])


def as_markdown(comparison: Comparison) -> str:
    """The same with a table in Markdown."""
    rows = ["| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |" for cells in _table(comparison)]
    rows.insert(1, "|---|---|---|---|")
    paragraphs = [line for paragraph in _paragraphs(comparison) for line in ("", "```", *paragraph, "```")]
    return "\n".join([_title(comparison), "", *rows, "", *(line + "  " for line in _foot(comparison)), *paragraphs])


def as_html(comparison: Comparison) -> str:
    """The same as a fragment of HTML."""
    cells = [[html.escape(cell) for cell in line] for line in _table(comparison)]
    head = "".join(f"<th>{cell}</th>" for cell in cells[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{_strong(row, cell)}</td>" for cell in line) + "</tr>" for row, line in zip(_told(comparison), cells[1:], strict=True)
    )
    foot = "<br>".join(map(html.escape, _foot(comparison)))
    paragraphs = "".join(f"<pre style='white-space: pre-wrap'>{html.escape(chr(10).join(paragraph))}</pre>" for paragraph in _paragraphs(comparison))
    return f"<div><p>{html.escape(_title(comparison))}</p>{paragraphs}<table><tr>{head}</tr>{body}</table><p>{foot}</p></div>"


def as_json(comparison: Comparison) -> str:
    """The data of a comparison; :meth:`Comparison.json` says its fields."""
    first = comparison.first
    data = {
        "root": comparison.root,
        "ok": comparison.ok,
        "first": first.name if first else None,
        "rows": [asdict(row) for row in comparison.rows],
        "diagnoses": [asdict(diagnosis) for diagnosis in comparison.diagnoses],
    }
    return json.dumps(_plain(data), ensure_ascii=False, allow_nan=False, indent=1)


def _plain(value: Any) -> Any:
    """Data as JSON has it: an infinite error, which JSON has not, is the word."""
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return "inf" if value == float("inf") else value


def _title(comparison: Comparison) -> str:
    return f"by hand and by backward from {comparison.root}, in the order in which backward runs"


def _told(comparison: Comparison) -> list[Row]:
    """The rows of the table; what is not given is one line below it."""
    return [row for row in comparison.rows if row.verdict != "missing"]


def _table(comparison: Comparison) -> Sequence[tuple[str, str, str, str]]:
    return [HEAD, *map(_cells, _told(comparison))]


def _cells(row: Row) -> tuple[str, str, str, str]:
    shape = "" if row.shape is None else str(row.shape)
    error = "" if row.error is None else f"{row.error:.2g}"
    verdict = f"{row.verdict} {row.because}" if row.verdict == "wrong because of" else row.verdict
    return row.name, shape, error, f"{verdict} ({row.note})" if row.note else verdict


def _strong(row: Row, cell: str) -> str:
    return f"<b>{cell}</b>" if row.own else cell


def _foot(comparison: Comparison) -> list[str]:
    rows = _told(comparison)
    counts = Counter(f"{row.verdict} another" if row.verdict == "wrong because of" else row.verdict for row in rows)
    tolerances = ", ".join(f"{rtol:.0e}" for rtol in sorted({row.rtol for row in rows if row.rtol is not None}))
    lines = [
        f"{len(rows)} row{'s' * (len(rows) != 1)}: {', '.join(f'{n} {verdict}' for verdict, n in counts.items())}",
        f"largest error = max|hand - tape| / max|tape|; right up to {tolerances or 'rounding'}, or within what rounding does to the value",
    ]
    missing = [row.name for row in comparison.rows if row.verdict == "missing"]
    return lines + [f"not given: {', '.join(missing)}"] * bool(missing)


def _paragraphs(comparison: Comparison) -> list[list[str]]:
    """What to look at: the first difference, and the others that are wrong by themselves; one paragraph for one explanation.

    The same explanation in several rows (a rule that is wrong in every block) is written out for the first of them.
    """
    found = comparison.diagnoses
    alike: dict[tuple[str, str], list[Diagnosis]] = {}
    for diagnosis in found:
        alike.setdefault((diagnosis.kind, _in_any_block(diagnosis.looks_like)), []).append(diagnosis)
    groups = list(alike.values())
    paragraphs = [_paragraph(group, "another difference" if i else "first difference", len(found) == 1) for i, group in enumerate(groups[:SHOWN])]
    rest = [diagnosis.name for group in groups[SHOWN:] for diagnosis in group]
    return paragraphs + [[f"more differences: {', '.join(rest)}"]] * bool(rest)


def _in_any_block(words: str) -> str:
    """Words in which a block is told by its distance from the first one that they name."""
    first = re.search(r"<(\d+)>", words)
    return re.sub(r"<(\d+)>", lambda found: f"<t{int(found[1]) - int(first[1]):+d}>", words) if first else words


def _paragraph(group: list[Diagnosis], title: str, alone: bool) -> list[str]:
    first, *others = group
    count = sum(diagnosis.downstream for diagnosis in group)
    rows = f"{count} more row{'s' * (count != 1)}"
    downstream = f"{rows} differ{'s' * (count == 1)} only because of this one" if alone else f"{rows} inherit{'s' * (count == 1)} from it"
    lines = [
        ("yours equals", first.yours),
        ("correct is", first.correct),
        ("looks like", first.looks_like),
        ("the same in", ", ".join(diagnosis.name for diagnosis in others)),
        ("downstream", downstream if count else ""),
    ]
    return [f"{title}: {first.name}", *(f"  {word:<14} {text}" for word, text in lines if text)]
