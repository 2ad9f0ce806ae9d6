"""A view of a derivation: equations as text, LaTeX and Markdown."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tinygrad_lstm.derivation.linebreak import PAGE, broken, width
from tinygrad_lstm.derivation.lines import Line
from tinygrad_lstm.derivation.notation import LATEX, TEXT
from tinygrad_lstm.derivation.row import Row
from tinygrad_lstm.errors import DataError

__all__ = ["View"]

WIDEST = 100  # characters: notes stand beside lines up to here, and right behind longer ones
EQUALS = 30.0  # points: the equals sign of a row, with the space around it


class View(Sequence[Any]):
    """One way of writing a derivation: it prints. Called with options it is the same view with
    these.

    Parameters
    ----------
    explanation : Explanation
        What is written.
    rows : callable
        ``rows(notation, **options)`` returns the equations.
    lines : callable
        Returns what the view is a sequence of.
    heading : str
        What holds for all of it.
    program : callable, optional
        Returns the view as a Python module.
    """

    def __init__(
        self,
        explanation: Any,
        rows: Callable[..., list[Row]],
        lines: Callable[[], Sequence[Line]],
        heading: str = "",
        program: Callable[[], str] | None = None,
        **options: Any,
    ) -> None:
        self._explanation, self._rows, self._lines = explanation, rows, lines
        self._heading, self._program, self._options = heading, program, options

    def __call__(self, **options: Any) -> View:
        known = list(inspect.signature(self._rows).parameters)[1:]
        for name in options:
            if name not in known:
                raise DataError(
                    "this view has no such option",
                    where=f"option {name}",
                    expected=" or ".join(known),
                )
        return View(
            self._explanation,
            self._rows,
            self._lines,
            self._heading,
            self._program,
            **{**self._options, **options},
        )

    def __len__(self) -> int:
        return len(self._lines())

    def __getitem__(self, i: Any) -> Any:
        return self._lines()[i]

    def __iter__(self) -> Iterator[Line]:
        return iter(self._lines())

    def evaluate(self) -> Any:
        """The value of the derivative; see :meth:`Explanation.evaluate`."""
        return self._explanation.evaluate()

    def __str__(self) -> str:
        cells = []
        for left, rights, note in self._rows(TEXT, **self._options):
            cells += [
                (f"{left} = {rights[0]}", note),
                *((f"{' ' * len(left)} = {right}", "") for right in rights[1:]),
            ]
        ordinary = max((len(line) for line, _ in cells if len(line) <= WIDEST), default=0)
        lines = [f"{line.ljust(ordinary)}  {note}".rstrip() for line, note in cells]
        return "\n".join([self._heading] * bool(self._heading) + lines)

    def __repr__(self) -> str:
        return str(self)

    def latex(self) -> str:
        """The equations as one display, which a plain article compiles: no package is needed."""
        rows = [rf"\lefteqn{{{self._heading}}}"] * bool(self._heading)
        written = self._rows(LATEX, **self._options)
        room = PAGE - max((width(left) for left, _, _ in written), default=0) - EQUALS
        for left, rights, note in written:
            for i, right in enumerate(rights):
                first, *others = broken(right, room)
                rows += [
                    rf"{left if i == 0 else ''} & = & {first}",
                    *(rf" & & {{}} {part}" for part in others),
                ]
                if note and i == 0:
                    rows += _noted(rows.pop(), note, room)
        return "\\begin{eqnarray*}\n" + " \\\\\n".join(rows) + "\n\\end{eqnarray*}"

    def markdown(self) -> str:
        """The equations as a table, in code spans, which every reader of Markdown shows as they
        are."""
        rows = [("derivative", "formula", ""), ("---", "---", "---")]
        for left, rights, note in self._rows(TEXT, **self._options):
            rows += [
                (_code(left), _code(rights[0]), note.replace("<", r"\<")),
                *(("", f"= {_code(right)}", "") for right in rights[1:]),
            ]
        table = "\n".join(f"| {' | '.join(row)} |".replace("|  |", "| |") for row in rows)
        return f"{self._heading}\n\n{table}" if self._heading else table

    def python(self) -> str:
        """The view as a Python module; see :meth:`Explanation.python`. That of the recurrent form
        has loops over t where the blocks repeat.

        Raises
        ------
        DataError
            If the view is no list of statements, or something cannot be written in NumPy alone.
        """
        if self._program is None:
            raise DataError(
                "this view is a formula, not a program",
                where="python()",
                do="take that of .steps or .rolled",
            )
        return self._program()

    def _repr_latex_(self) -> str:
        return self.latex()


def _noted(row: str, note: str, room: float) -> list[str]:
    """A row of LaTeX with a note behind it, or below it where there is no room."""
    right = row.rpartition("&")[2]
    beside = rf" \quad ({note})"
    if width(right + beside) <= room:
        return [row + beside]
    lines = broken(note, room - EQUALS, ("; ", ", "))
    lines[0], lines[-1] = f"({lines[0]}", f"{lines[-1]})"
    return [row, *(rf" & & \quad {line.lstrip(';, ')}" for line in lines)]


def _code(text: str) -> str:
    text = " ".join(text.split()).replace("|", "\\|")
    fence = (
        "`" * (1 + max((len(run) for run in text.split() if set(run) == {"`"}), default=0))
        if "`" in text
        else "`"
    )
    return f"{fence}{text}{fence}"
