"""What is wrong, told in steps: where, which kind of mistake, the rule, the solution."""

from __future__ import annotations

from collections.abc import Sequence

from tinygrad_lstm.comparison.diagnosis import Diagnosis
from tinygrad_lstm.comparison.report import Report
from tinygrad_lstm.comparison.rows import Row
from tinygrad_lstm.engine.tape import Tape
from tinygrad_lstm.errors import DataError

__all__ = ["LEVELS", "level_of", "told"]

LEVELS = ("where", "kind", "rule", "solution")

KINDS = {
    "sign": "a sign is flipped",
    "factor": "a number multiplies what needs none, or one is missing",
    "transpose": "a matrix is transposed, or the factors of a product are in the wrong order",
    "halves": "the parts of a concatenation are mixed up",
    "slice": "another slice or window was read",
    "blocks permuted": "parts along an axis are in another order",
    "reversed": "an axis runs the other way",
    "branch missing": "not every use of the value is counted",
    "one branch only": "not every use of the value is counted",
    "branch doubled": "a use of the value is counted twice",
    "branches": "the uses of the value are not counted once each",
    "accumulation": "a sum over time is missing",
    "overwritten": "something was written over that had to be added up",
    "chain rule": "a local derivative stands without the gradient that arrives",
    "local factor": "a gradient was passed on without the local derivative",
    "local form": "the local derivative of a function has a wrong form",
    "extra factor": "there is a factor too many",
    "sum for product": "a sum stands where a product belongs",
    "parenthesis": "a parenthesis is in the wrong place",
    "wrong value": "another value was used",
    "wrong block": "a value of another block was used",
    "wrong gradient": "another gradient was used",
    "another derivative": "this is the derivative by something else",
    "matrix product": "a matrix product stands where an elementwise one belongs",
    "elementwise": "an elementwise product stands where a matrix product belongs",
    "axis": "the wrong axis: of a sum, of a softmax, or along which something is spread",
    "extra term": "a term too many",
    "batch sum": "the sum over the batch is missing",
    "initial state": "the initial state was forgotten",
    "term missing": "a term is missing",
    "clipped": "the gradient was clipped",
    "weight decay": "something was added that is not in this loss",
    "zero": "the derivative is missing",
    "two mistakes": "there are two mistakes",
    "small entries": "it is right in the large entries and wrong in small ones",
    "not finite": "a number is not finite",
    "unexplained": "no simple mistake gives it",
}


def level_of(hints: int | str, where: str) -> int:
    """The number of a level, from 1, given as a number or a word.

    Raises
    ------
    DataError
        If there is no such level.
    """
    if hints in LEVELS:
        return LEVELS.index(str(hints)) + 1
    if isinstance(hints, int) and not isinstance(hints, bool) and 1 <= hints <= len(LEVELS):
        return hints
    raise DataError(
        "there is no such level of hints",
        where=where,
        expected="1 where, 2 kind, 3 rule, 4 solution",
        got=repr(hints),
    )


def told(
    rows: Sequence[Row], diagnoses: Sequence[Diagnosis], tape: Tape | None, root: str, level: int
) -> str:
    """What is wrong, up to a level."""
    if not any(row.own for row in rows):
        wrong = ", ".join(row.name for row in rows if not row.ok)
        return f"nothing is wrong by itself; look at {wrong}" if wrong else "nothing is wrong"
    paragraphs = [_where(row, rows) for row in rows if row.own]
    if level == 1:
        return "\n".join(paragraphs)
    told = {diagnosis.name: diagnosis for diagnosis in diagnoses}
    lines = []
    for row, where in zip((row for row in rows if row.own), paragraphs, strict=True):
        lines.append(where)
        if diagnosis := told.get(row.name):
            lines.append(f"  kind: {KINDS.get(diagnosis.kind, diagnosis.kind)}")
        if level > 2 and tape is not None:
            lines.append(f"  rule: {_rule(row, tape)}")
    if level == len(LEVELS):
        report = Report(root, rows, diagnoses)
        lines += [line for paragraph in report.paragraphs() for line in ("", *paragraph)]
    return "\n".join(lines)


def _where(row: Row, rows: Sequence[Row]) -> str:
    count = sum(other.because == row.name and not other.own for other in rows)
    inherit = f"; {count} more row{'s' * (count != 1)} inherit{'s' * (count == 1)} from it"
    return f"{row.name} is wrong by itself" + inherit * bool(count)


def _rule(row: Row, tape: Tape) -> str:
    """Who reads the value, and what its derivative is therefore made of."""
    if row.key is None:
        return "the name is not on the tape"
    value = tape.find(str(row.key.value))
    readers = list(dict.fromkeys(branch.stage for branch in tape.readers.get(id(value), ())))
    if not readers:
        return "backward starts here: the gradient is 1"
    shown = [
        f"{tape.label(s.output)} = {s.op}({', '.join(map(tape.label, s.inputs))})"
        for s in readers[:4]
    ]
    more = f" and {len(readers) - 4} more" * (len(readers) > 4)
    return (
        f"{tape.label(value)} is read by {', '.join(shown)}{more}; what comes back from each is "
        "the gradient that arrives there times its local derivative, and these add up"
    )
