"""What an answer is worth: a mark for each derivative, a score, hints as far as they are wanted."""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tinygrad_lstm.comparison.comparison import Comparison, compare
from tinygrad_lstm.engine.backward import gradients
from tinygrad_lstm.errors import DataError, UnknownNameError
from tinygrad_lstm.exercises.sandbox import Answer, Limits, answers
from tinygrad_lstm.exercises.task import Exercise, read
from tinygrad_lstm.text import aligned

__all__ = ["Mark", "Marks", "check", "check_all", "table"]

LARGEST = 1 << 20  # bytes of a file that is read as an answer


@dataclass(frozen=True)
class Mark:
    """The verdict on one derivative.

    Attributes
    ----------
    name : str
        The derivative.
    verdict : {"right", "not done yet", "wrong by itself", "wrong because of another", "fails"}
        What is the matter with it.
    note : str
        Which other; or how it fails.
    """

    name: str
    verdict: str
    note: str = ""


class Marks:
    """The marks of one answer; true if everything that is required is right.

    Parameters
    ----------
    exercise : Exercise
        What was asked for.
    found : dict of str to Answer
        What the functions returned.
    required : collection of str, optional
        What counts; everything by default.
    name : str
        Whose answer it is.
    """

    exercise: Exercise
    name: str
    required: tuple[str, ...]

    def __init__(
        self,
        exercise: Exercise,
        found: dict[str, Answer],
        required: Collection[str] | None = None,
        name: str = "",
    ) -> None:
        self.exercise, self.name, self._found = exercise, name, found
        self.required = _required(exercise, required)

    @cached_property
    def comparison(self) -> Comparison | None:
        """The derivatives that there are, against those of the tape."""
        hand = {key: a.array for key, a in self._found.items() if a.array is not None}
        return compare(gradients(self.exercise.loss), hand) if hand else None

    @cached_property
    def marks(self) -> tuple[Mark, ...]:
        """A mark for each derivative, in the order of backward."""
        report = self.comparison
        rows = {} if report is None else {str(row.name): row for row in report.rows}
        return tuple(self._mark(key, rows.get(key)) for key in self.exercise.keys)

    def _mark(self, key: str, row: Any) -> Mark:
        answer = self._found[key]
        if answer.array is None or row is None:
            waits = answer.said in ("", "not done yet") or answer.said.startswith("waits for ")
            note = "" if answer.said == "not done yet" else answer.said
            return Mark(key, "not done yet" if waits else "fails", note)
        if row.ok:
            return Mark(key, "right")
        if row.own:
            return Mark(key, "wrong by itself", row.note)
        return Mark(key, "wrong because of another", row.because)

    @property
    def right(self) -> int:
        """How many of the required derivatives are right."""
        return sum(m.verdict == "right" for m in self.marks if m.name in self.required)

    @property
    def score(self) -> float:
        """The share of the required derivatives that is right."""
        return self.right / len(self.required)

    def __bool__(self) -> bool:
        return self.right == len(self.required)

    def hints(self, level: int) -> str:
        """Where to look (1), which kind of mistake it is (2), the rule (3), the solution (4); of 0
        nothing.

        Returns
        -------
        str
            As ``Comparison.hints`` says it; empty where nothing is wrong.
        """
        if not level or self.comparison is None or self.comparison.ok:
            return ""
        return str(self.comparison.hints(level))

    def __str__(self) -> str:
        rows = [(m.name, m.verdict, m.note) for m in self.marks]
        lines = aligned([("derivative", "mark", ""), *rows])
        return "\n".join([*lines, f"{self.right} of {len(self.required)} right"])

    def json(self) -> str:
        """The marks as JSON: ``name``, ``right``, ``required``, ``score`` and ``marks``."""
        data = {
            "name": self.name,
            "exercise": self.exercise.spec,
            "right": self.right,
            "required": len(self.required),
            "score": self.score,
            "marks": [asdict(mark) for mark in self.marks],
        }
        return json.dumps(data, ensure_ascii=False, indent=1)

    def _repr_html_(self) -> str:
        cells = "".join(
            "<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in (m.name, m.verdict, m.note))
            for m in self.marks
        )
        head = "<tr><th>derivative</th><th>mark</th><th></th></tr>"
        return f"<table>{head}{cells}</table><p>{self.right} of {len(self.required)} right</p>"


def check(
    path: str | Path,
    exercise: Exercise | None = None,
    required: Collection[str] | None = None,
    limits: Limits | None = None,
) -> Marks:
    """Mark the answer in a file.

    Parameters
    ----------
    path : str or Path
        A file that was written for an exercise, with functions filled in.
    exercise : Exercise, optional
        Which exercise it has to be; that of the file by default.
    required : collection of str, optional
        The derivatives that count; all by default.
    limits : Limits, optional
        What the answer may use.

    Raises
    ------
    DataError
        If there is no such file, if it is no exercise, or not the one that is expected.
    """
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST:
            raise DataError("the file is too large", where=str(path), expected="at most 1 MiB")
        source = path.read_text(encoding="utf-8-sig")  # as some editors save it
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("the file cannot be read", where=str(path), got=str(error)) from error
    own = exercise or read(path, source)
    return Marks(own, answers(own, source, limits or Limits()), required, path.stem)


def check_all(
    folder: str | Path,
    exercise: Exercise | None = None,
    required: Collection[str] | None = None,
    limits: Limits | None = None,
) -> Iterator[tuple[Path, Marks | DataError]]:
    """Mark every answer in a folder, each by itself: one that cannot be read costs no other.

    Yields
    ------
    path : Path
        The file.
    marks : Marks or DataError
        Its marks, or why there are none.
    """
    paths = sorted(Path(folder).glob("*.py"))
    if not paths:
        raise DataError("there is no answer", where=str(folder), expected="files that end in .py")
    for path in paths:
        yield path, _checked(path, exercise, required, limits)


def _checked(path: Path, *how: Any) -> Marks | DataError:
    try:
        return check(path, *how)
    except DataError as error:
        return error


def table(found: Sequence[tuple[Path, Marks | DataError]], kind: str) -> str:
    """The marks of a class as CSV or HTML: a row an answer, a column a derivative."""
    marks = [m for _, m in found if isinstance(m, Marks)]
    columns = list(dict.fromkeys(mark.name for m in marks for mark in m.marks))
    rows = [["answer", "right", "required", "score", *columns, "note"]]
    for path, m in found:
        if isinstance(m, Marks):
            by_name = {mark.name: mark.verdict for mark in m.marks}
            counts = [str(m.right), str(len(m.required)), f"{m.score:.3f}"]
            rows.append([path.stem, *counts, *(by_name.get(c, "") for c in columns), ""])
        else:
            rows.append([path.stem, "0", "", "0.000", *("" for _ in columns), str(m)])
    if kind == "csv":
        target = io.StringIO()
        csv.writer(target).writerows([[_inert(cell) for cell in row] for row in rows])
        return target.getvalue()
    head, *body = [[html.escape(cell) for cell in row] for row in rows]
    lines = ["".join(f"<td>{cell}</td>" for cell in row) for row in body]
    cells = "".join(f"<tr>{line}</tr>\n" for line in lines)
    style = "<style>td,th{padding:.2em .6em;border-bottom:1px solid;text-align:left}</style>"
    titles = "".join(f"<th>{cell}</th>" for cell in head)
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Marks</title>{style}\n'
        f"<table><tr>{titles}</tr>\n{cells}</table></html>\n"
    )


def _inert(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@") else cell


def _required(exercise: Exercise, required: Collection[str] | None) -> tuple[str, ...]:
    if required is None:
        return exercise.keys
    unknown = [name for name in required if name not in exercise.keys]
    if unknown or not required:
        raise UnknownNameError(
            "this exercise does not ask for it",
            where=", ".join(unknown) or "required",
            expected=f"some of {', '.join(exercise.keys)}",
        )
    return tuple(key for key in exercise.keys if key in required)
