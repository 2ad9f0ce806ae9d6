"""What the document's errata do to the gradients: where it agrees, where it departs, by how much,
and what is correct."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tinygrad_lstm.cli.problem import Problem
from tinygrad_lstm.comparison.comparison import Comparison, Row, compare
from tinygrad_lstm.engine.backward import gradients
from tinygrad_lstm.lstm.errata import ERRATA, Erratum
from tinygrad_lstm.text import aligned

__all__ = ["each_erratum", "story"]


def story(errata: Sequence[Erratum], comparison: Comparison, case: Problem) -> str:
    """What is printed, what is correct, and which quantities show it.

    Parameters
    ----------
    errata : sequence of Erratum
        Those that the hand side of `comparison` follows.
    comparison : Comparison
        Of the tape with that hand side.
    case : Problem
        What was differentiated.
    """
    names = ", ".join(erratum.name for erratum in errata)
    lines = [f"as printed: {names}"]
    lines += aligned(
        [
            row
            for e in errata
            for row in (
                (e.name, "at", f"{e.where} ({e.kind})"),
                ("", "printed", e.printed),
                ("", "correct", e.correct),
            )
        ]
    )
    right, wrong = ([row for row in comparison.rows if row.ok == ok] for ok in (True, False))
    lines += [
        "",
        f"it agrees in {len(right)} of {len(comparison.rows)} quantities, and in these of each "
        "block:",
    ]
    lines += aligned([("block", "agrees", "departs"), *_by_block(comparison)])
    if not wrong:
        return "\n".join(
            [*lines, "", f"it departs in none: with these sizes {names} changes no number"]
        )
    lines += [
        "",
        f"it departs first in {wrong[0].name}, by {_off(wrong[0])}, and so much in what Error is "
        "differentiated by:",
    ]
    lines += aligned(
        [(row.name, "right" if row.ok else _off(row)) for row in _judged(comparison, case)]
    )
    return "\n".join(lines)


def each_erratum(case: Problem) -> tuple[str, bool]:
    """A table with a row for each erratum by itself, and whether none of them changes a number."""
    found = gradients(case.error())
    rows = [("erratum", "in the document", "printed", "correct", "first wrong", "largest error")]
    right = True
    for erratum in ERRATA.values():
        comparison = compare(found, case.by_hand(erratum.name))
        right = right and comparison.ok
        none = (
            f"none: from T = {erratum.blocks} on" if len(case.targets) < erratum.blocks else "none"
        )
        first = next((row.name for row in comparison.rows if not row.ok), none)
        rows.append(
            (
                erratum.name,
                erratum.where,
                erratum.printed,
                erratum.correct,
                first,
                _largest(_judged(comparison, case)),
            )
        )
    note = (
        "largest error: max|printed - tape| / max|tape| of the parameters, x, a<0> and c<0>, "
        "and where it is largest"
    )
    return "\n".join([*aligned(rows), note]), right


def _judged(comparison: Comparison, case: Problem) -> list[Row]:
    """The rows of what the case is differentiated by."""
    return [row for row in comparison.rows if row.name in case.judged()]


def _largest(rows: Iterable[Row]) -> str:
    """The largest error as it is shown; of equal ones the first."""
    largest = max(rows, key=lambda row: float(_off(row)))
    return "0" if largest.ok else f"{_off(largest)} ({largest.name})"


def _off(row: Row) -> str:
    return f"{row.error or 0:.2g}"


def _by_block(comparison: Comparison) -> list[tuple[str, str, str]]:
    """The values of each block, the last first: in which it agrees, and in which it departs."""
    values: dict[int, tuple[list[str], list[str]]] = {}
    for row in comparison.rows:
        if row.key is not None and row.key.is_total and (block := row.key.value.block):
            values.setdefault(block, ([], []))[not row.ok].append(row.key.value.role)
    return [
        (str(t), " ".join(agree) if depart else "all", " ".join(depart))
        for t, (agree, depart) in values.items()
    ]
