"""A comparison as text for a terminal, as Markdown, as JSON and as HTML for a notebook."""

from __future__ import annotations

import html
import itertools
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from tinygrad_lstm.text import aligned

if TYPE_CHECKING:
    from tinygrad_lstm.comparison.comparison import Comparison
    from tinygrad_lstm.comparison.diagnosis import Diagnosis
    from tinygrad_lstm.comparison.rows import Row

__all__ = ["as_html", "as_json", "as_markdown", "as_text"]

HEAD = ("quantity", "shape", "largest error", "verdict")
SHOWN = 6  # paragraphs; the other rows that are wrong by themselves are listed
MANY = 200  # rows; in a longer table those of one verdict that follow each other are one line
RUN = 3  # from so many on


def as_text(comparison: Comparison) -> str:
    """The table, what the numbers mean, and what to look at."""
    lines = [
        _title(comparison),
        *aligned([HEAD, *(cells for _, cells in _table(comparison))]),
        *_foot(comparison),
    ]
    return "\n".join(
        [*lines, *(line for paragraph in _paragraphs(comparison) for line in ("", *paragraph))]
    )


def as_markdown(comparison: Comparison) -> str:
    """The same with a table in Markdown."""
    rows = [
        "| " + " | ".join(map(_escaped, cells)) + " |"
        for cells in (HEAD, *(cells for _, cells in _table(comparison)))
    ]
    rows.insert(1, "|---|---|---|---|")
    paragraphs = [
        line for paragraph in _paragraphs(comparison) for line in ("", *_fenced(paragraph))
    ]
    return "\n".join(
        [
            _escaped(_title(comparison)),
            "",
            *rows,
            "",
            *(_escaped(line) + "  " for line in _foot(comparison)),
            *paragraphs,
        ]
    )


def _escaped(text: str) -> str:
    """Text as it stands, in Markdown."""
    return re.sub(r"[\\|<&`*~\[]", r"\\\g<0>", text)


def _fenced(lines: list[str]) -> list[str]:
    """A block of code, whatever is in it."""
    fence = "`" * max(3, *(1 + len(marks) for line in lines for marks in re.findall("`*", line)))
    return [fence, *lines, fence]


def as_html(comparison: Comparison) -> str:
    """The same as a fragment of HTML."""
    head = "".join(f"<th>{cell}</th>" for cell in HEAD)
    body = "".join(
        "<tr>" + "".join(f"<td>{_strong(own, cell)}</td>" for cell in cells) + "</tr>"
        for own, cells in _table(comparison)
    )
    foot = "<br>".join(map(html.escape, _foot(comparison)))
    paragraphs = "".join(
        f"<pre style='white-space: pre-wrap'>{html.escape(chr(10).join(paragraph))}</pre>"
        for paragraph in _paragraphs(comparison)
    )
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
    return (
        f"by hand and by backward from {_line(comparison.root)}, in the order in which "
        "backward runs"
    )


def _told(comparison: Comparison) -> list[Row]:
    """The rows of the table; what is not given is one line below it."""
    return [row for row in comparison.rows if row.verdict != "missing"]


def _table(comparison: Comparison) -> list[tuple[bool, Sequence[str]]]:
    """The lines of the table, and whether each is of a row that is wrong by itself."""
    told = _told(comparison)
    if len(told) <= MANY:
        return [(row.own, _cells(row)) for row in told]
    lines: list[tuple[bool, Sequence[str]]] = []
    for (own, *_), group in itertools.groupby(
        told, lambda row: (row.own, row.verdict, row.because)
    ):
        rows = list(group)
        lines += (
            [(own, _cells(row)) for row in rows] if own or len(rows) < RUN else [(own, _run(rows))]
        )
    return lines


def _run(rows: list[Row]) -> tuple[str, str, str, str]:
    """The cells of several rows of one verdict."""
    errors = [row.error for row in rows if row.error is not None]
    verdict = _cells(replace(rows[0], note=""))[-1]
    return (
        _line(f"{rows[0].name} .. {rows[-1].name}"),
        "",
        f"{max(errors):.2g}" if errors else "",
        f"{verdict} ({len(rows)} rows)",
    )


def _cells(row: Row) -> tuple[str, str, str, str]:
    shape = "" if row.shape is None else str(row.shape)
    error = "" if row.error is None else f"{row.error:.2g}"
    verdict = f"{row.verdict} {row.because}" if row.verdict == "wrong because of" else row.verdict
    return _line(row.name), shape, error, _line(f"{verdict} ({row.note})" if row.note else verdict)


def _line(text: str) -> str:
    """Text in one line, whatever the names in it."""
    return " ".join(text.splitlines())


def _strong(own: bool, cell: str) -> str:
    return f"<b>{html.escape(cell)}</b>" if own else html.escape(cell)


def _foot(comparison: Comparison) -> list[str]:
    rows = _told(comparison)
    counts = Counter(
        f"{row.verdict} another" if row.verdict == "wrong because of" else row.verdict
        for row in rows
    )
    tolerances = ", ".join(
        f"{rtol:.0e}" for rtol in sorted({row.rtol for row in rows if row.rtol is not None})
    )
    lines = [
        f"{len(rows)} row{'s' * (len(rows) != 1)}: "
        f"{', '.join(f'{n} {verdict}' for verdict, n in counts.items())}",
        f"largest error = max|hand - tape| / max|tape|; right up to {tolerances or 'rounding'}, "
        "or within what rounding does to the value",
    ]
    missing = [row.name for row in comparison.rows if row.verdict == "missing"]
    return lines + [_line(f"not given: {', '.join(missing)}")] * bool(missing)


def _paragraphs(comparison: Comparison) -> list[list[str]]:
    """What to look at: the first difference, and the others that are wrong by themselves; one
    paragraph for one explanation.

    The same explanation in several rows (a rule that is wrong in every block) is written out for
    the first of them.
    """
    found = comparison.diagnoses
    alike: dict[tuple[str, str], list[Diagnosis]] = {}
    for diagnosis in found:
        alike.setdefault((diagnosis.kind, _in_any_block(diagnosis.looks_like)), []).append(
            diagnosis
        )
    groups = list(alike.values())
    paragraphs = [
        _paragraph(group, "another difference" if i else "first difference", len(found) == 1)
        for i, group in enumerate(groups[:SHOWN])
    ]
    rest = [diagnosis.name for group in groups[SHOWN:] for diagnosis in group]
    return paragraphs + [[_line(f"more differences: {', '.join(rest)}")]] * bool(rest)


def _in_any_block(words: str) -> str:
    """Words in which a block is told by its distance from the first one that they name."""
    first = re.search(r"<(\d+)>", words)
    return (
        re.sub(r"<(\d+)>", lambda found: f"<t{int(found[1]) - int(first[1]):+d}>", words)
        if first
        else words
    )


def _paragraph(group: list[Diagnosis], title: str, alone: bool) -> list[str]:
    first, *others = group
    count = sum(diagnosis.downstream for diagnosis in group)
    rows = f"{count} more row{'s' * (count != 1)}"
    downstream = (
        f"{rows} differ{'s' * (count == 1)} only because of this one"
        if alone
        else f"{rows} inherit{'s' * (count == 1)} from {'these' if others else 'it'}"
    )
    lines = [
        ("yours equals", first.yours),
        ("correct is", first.correct),
        ("looks like", first.looks_like),
        ("the same in", ", ".join(diagnosis.name for diagnosis in others)),
        ("downstream", downstream if count else ""),
    ]
    return [
        _line(f"{title}: {first.name}"),
        *(_line(f"  {word:<14} {text}") for word, text in lines if text),
    ]
