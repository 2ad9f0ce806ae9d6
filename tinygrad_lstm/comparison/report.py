"""A comparison as text for a terminal, as Markdown, as JSON and as HTML for a notebook."""

from __future__ import annotations

import html
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from tinygrad_lstm.comparison.combined import FOLLOWS
from tinygrad_lstm.comparison.diagnosis import Diagnosis
from tinygrad_lstm.comparison.rows import Row
from tinygrad_lstm.comparison.spelling import common
from tinygrad_lstm.comparison.table import HEAD, MANY, RUN, UNTOLD, foot, lines_of, one_line
from tinygrad_lstm.engine.names import relative
from tinygrad_lstm.text import aligned

__all__ = ["Report"]

LONG, AROUND = 240, 60  # letters of a formula that is whole; that are shown around a difference
SHOWN = 6  # paragraphs; the other rows that are wrong by themselves are listed


@dataclass(frozen=True)
class Report:
    """How a comparison is told: what to look at first, then the rows that are wrong.

    Attributes
    ----------
    root : str
        The name of the value that was differentiated.
    rows : sequence of Row
        In the order in which backward runs.
    diagnoses : sequence of Diagnosis
        What is wrong with the rows that are wrong by themselves.
    """

    root: str
    rows: Sequence[Row]
    diagnoses: Sequence[Diagnosis]

    def text(self, whole: bool = False) -> str:
        """What to look at, then the rows that are wrong, or `whole` the table of all."""
        wrong = [row for row in self.rows if not row.ok]
        shown = self.rows if whole or not wrong else self._once(wrong)
        paragraphs = [line for paragraph in self.paragraphs() for line in (*paragraph, "")]
        told = sum(row.verdict not in UNTOLD for row in self.rows)
        more = [f"report.table has all {told} rows"] * (len(shown) < told and told > len(wrong))
        return "\n".join([*paragraphs, *self._table(shown), *more])

    def _once(self, wrong: list[Row]) -> list[Row]:
        """Of many wrong rows, those without what repeats the same mistake in other blocks."""
        if len(wrong) <= MANY:
            return wrong
        same = {d.name for _, *others in _alike(self.diagnoses) for d in others}
        return [row for row in wrong if row.name not in same and row.because not in same]

    def table(self) -> str:
        """The table of all rows alone."""
        return "\n".join(self._table(self.rows))

    def markdown(self) -> str:
        """What to look at, and the table of all rows, in Markdown."""
        cells = [HEAD, *(line.cells for line in lines_of(self.rows))]
        rows = ["| " + " | ".join(map(_escaped, line)) + " |" for line in cells]
        rows.insert(1, "|---|---|---|---|")
        paragraphs = [line for p in self.paragraphs() for line in (*_fenced(p), "")]
        notes = [_escaped(line) + "  " for line in foot(self.rows)]
        return "\n".join([_escaped(self._title()), "", *paragraphs, *rows, "", *notes])

    def html(self) -> str:
        """The same as a fragment of HTML."""
        head = "".join(f"<th>{cell}</th>" for cell in HEAD)
        body = "".join(
            "<tr>" + "".join(f"<td>{_strong(own, cell)}</td>" for cell in cells) + "</tr>"
            for own, cells in lines_of(self.rows)
        )
        notes = "<br>".join(map(html.escape, foot(self.rows)))
        paragraphs = "".join(
            f"<pre style='white-space: pre-wrap'>{html.escape(chr(10).join(paragraph))}</pre>"
            for paragraph in self.paragraphs()
        )
        table = f"<table><tr>{head}</tr>{body}</table>"
        return f"<div><p>{html.escape(self._title())}</p>{paragraphs}{table}<p>{notes}</p></div>"

    def json(self, ok: bool, first: Row | None) -> str:
        """The data of a comparison; :meth:`Comparison.json` says its fields."""
        data = {
            "root": self.root,
            "ok": ok,
            "first": first.name if first else None,
            "rows": [asdict(row) | {"key": row.key and str(row.key)} for row in self.rows],
            "diagnoses": [asdict(diagnosis) for diagnosis in self.diagnoses],
        }
        return json.dumps(_plain(data), ensure_ascii=False, allow_nan=False, indent=1)

    def paragraphs(self) -> list[list[str]]:
        """What to look at: the first difference, and the others that are wrong by themselves; one
        paragraph for one explanation.

        The same explanation in several rows (a rule that is wrong in every block) is written out
        for the first of them.
        """
        groups = _alike(self.diagnoses)
        alone = len(self.diagnoses) == 1
        paragraphs = [
            _paragraph(group, "another difference" if i else "first difference", alone)
            for i, group in enumerate(groups[:SHOWN])
        ]
        rest = list(_runs([d.name for group in groups[SHOWN:] for d in group]))
        return paragraphs + [[one_line(f"more differences: {', '.join(rest)}")]] * bool(rest)

    def _table(self, rows: Sequence[Row]) -> list[str]:
        same = {
            diagnosis.name: f"the same mistake as {first.name}"
            for first, *others in _alike(self.diagnoses)
            for diagnosis in others
        }
        rows = [replace(row, note=same.get(row.name, row.note)) for row in rows]
        cells = [HEAD, *(line.cells for line in lines_of(rows))]
        return [self._title(), *aligned(cells), *foot(self.rows)]

    def _title(self) -> str:
        root = one_line(self.root)
        return f"by hand and by backward from {root}, in the order in which backward runs"


def _escaped(text: str) -> str:
    """Text as it stands, in Markdown."""
    return re.sub(r"[\\|<&`*~\[]", r"\\\g<0>", text)


def _fenced(lines: list[str]) -> list[str]:
    """A block of code, whatever is in it."""
    fence = "`" * max(3, *(1 + len(marks) for line in lines for marks in re.findall("`*", line)))
    return [fence, *lines, fence]


def _plain(value: Any) -> Any:
    """Data as JSON has it: an infinite error, which JSON has not, is the word."""
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return "inf" if value == float("inf") else value


def _strong(own: bool, cell: str) -> str:
    return f"<b>{html.escape(cell)}</b>" if own else html.escape(cell)


def _alike(diagnoses: Sequence[Diagnosis]) -> list[list[Diagnosis]]:
    """The diagnoses that are of one mistake: by their words, or by what the row is called in every
    block."""
    groups: list[list[Diagnosis]] = []
    known: dict[tuple[str, ...], list[Diagnosis]] = {}
    for diagnosis in diagnoses:
        words = diagnosis.kind, relative(diagnosis.looks_like)
        row = diagnosis.kind, "row", relative(diagnosis.name)
        nothing = diagnosis.kind == "unexplained"
        group = known.get(words) or (None if nothing else known.get(row))
        if group is None:
            group = []
            groups.append(group)
        group.append(diagnosis)
        known[words] = known[row] = group
    return groups


def _paragraph(group: list[Diagnosis], title: str, alone: bool) -> list[str]:
    first, *others = group
    count = sum(diagnosis.downstream for diagnosis in group)
    rows = f"{count} more row{'s' * (count != 1)}"
    downstream = (
        f"{rows} differ{'s' * (count == 1)} only because of this one"
        if alone
        else f"{rows} inherit{'s' * (count == 1)} from {'these' if others else 'it'}"
    )
    yours, correct = _apart(first.yours, first.correct)
    lines = [
        ("yours equals", yours),
        ("correct is", correct),
        ("looks like", first.looks_like),
        ("the same in", ", ".join(_runs([diagnosis.name for diagnosis in others]))),
        ("downstream", downstream if count else ""),
    ]
    return [
        one_line(f"{title}: {first.name}"),
        *(one_line(f"  {word:<14} {text}") for word, text in lines if text),
    ]


def _apart(yours: str, correct: str) -> tuple[str, str]:
    """Two formulas; of long ones what is around their difference, from a space to a space."""
    if min(len(yours), len(correct)) <= LONG:
        return yours, correct
    if yours.startswith(FOLLOWS):
        mine, correct = _apart(yours.removeprefix(FOLLOWS), correct)
        return FOLLOWS + mine, correct
    head = common(yours, correct)
    tail = min(common(yours[::-1], correct[::-1]), min(len(yours), len(correct)) - head)
    start = yours.rfind(" ", 0, max(head - AROUND, 0)) + 1
    stop = yours[::-1].rfind(" ", 0, max(tail - AROUND, 0)) + 1
    before, after = ".. " * (start > 0), " .." * (stop > 0)
    one, other = (before + text[start : len(text) - stop] + after for text in (yours, correct))
    return one, other


def _runs(names: Sequence[str]) -> Iterator[str]:
    """Names, with the first and the last of many that are the same but for the block."""
    for _, group in itertools.groupby(names, relative):
        alike = list(group)
        many = len(alike) >= RUN
        yield from [f"{alike[0]} .. {alike[-1]} ({len(alike)} rows)"] if many else alike
