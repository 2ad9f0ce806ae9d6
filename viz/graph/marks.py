"""What is marked in a graph: the ways from the root back to some values, and the verdicts of a
comparison."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tinygrad_lstm.engine.names import Key, Name
from tinygrad_lstm.engine.tape import Branch, Tape
from tinygrad_lstm.errors import DrawingError, UnknownNameError
from tinygrad_lstm.viz.graph.data import Verdict

__all__ = ["NO_VERDICTS", "Verdicts", "Ways", "verdicts"]

MOST = 4  # ways in one picture: a theme has so many colours for them

UNASKED = (
    "not differentiated",
    "missing",
)  # constants, and what the derivation by hand does not give


class Ways:
    """All ways from the root of a tape back to each of some values.

    Every stage of a tape leads to its root, so a value is on such a way exactly if it was computed
    from the one at its end.

    Parameters
    ----------
    tape : Tape
        The tape.
    path : sequence of str or Tensor
        The values at the ends of the ways.

    Raises
    ------
    UnknownNameError
        If one is not on the tape, is not the only one of its name, or is a constant.
    DrawingError
        If there are more than four: that many colours can be told apart.
    """

    names: tuple[str, ...]

    def __init__(self, tape: Tape, path: Sequence[Any]) -> None:
        if len(path) > MOST:
            raise DrawingError(
                "too many ways to tell apart",
                where="draw(path=...)",
                expected=f"up to {MOST} values",
                got=len(path),
            )
        ends = [_find(tape, key) for key in path]
        self.names = tuple(tape.label(x) for x in ends)
        self._reached = [tape.reached(x) for x in ends]

    def through(self, x: Any) -> tuple[int, ...]:
        """The ways, by number, that go through a value."""
        return tuple(i for i, reached in enumerate(self._reached) if id(x) in reached)


def _find(tape: Tape, key: Any) -> Any:
    try:
        return tape.find(key)
    except UnknownNameError as error:
        raise UnknownNameError(
            error.what, where="draw(path=...)", expected=error.expected, got=error.got, do=error.do
        ) from None


@dataclass(frozen=True)
class Verdicts:
    """The verdicts of a comparison by the keys of its rows."""

    by_key: Mapping[Key, Verdict] = field(default_factory=dict)

    @property
    def all(self) -> tuple[Verdict, ...]:
        return tuple(self.by_key.values())

    def of(self, value: Name) -> Verdict | None:
        return self._found(Key(value))

    def of_branch(self, value: Name, via: Name, branch: Branch) -> Verdict | None:
        """The verdict of a branch, or else of the share that it is in."""
        block = branch.stage.block
        return (
            self._found(Key(value, via, branch.argument))
            or self._found(Key(value, via))
            or (None if block is None else self._found(Key(value, share=block)))
        )

    def _found(self, key: Key) -> Verdict | None:
        return self.by_key.get(Key.parse(str(key))) if self.by_key else None


NO_VERDICTS = Verdicts()


def verdicts(comparison: Any, tape: Tape) -> Verdicts:
    """The verdicts of what ``compare`` returned, or none for None.

    The first row that is wrong by itself is the one to look at; a wrong row after it is marked
    apart.

    Raises
    ------
    DrawingError
        If the comparison is one of another graph: of another run, or with no name of this tape.
    """
    if comparison is None:
        return NO_VERDICTS
    rows = [row for row in comparison.rows if row.verdict not in UNASKED]
    keys = (Key.parse(str(getattr(row, "key", None) or row.name)) for row in rows)
    found = dict(zip(keys, _kinds(rows), strict=True))
    compared = getattr(comparison, "tape", None)
    if not any(str(key.value) in tape.names for key in found) or (
        compared is not None and compared.root is not tape.root
    ):
        raise DrawingError(
            "this comparison is one of another graph",
            where="draw(comparison=...)",
            expected=f"compare(gradients(loss), ...) of this very {tape.label(tape.root)}",
            got=", ".join(map(str, list(found)[:3])),
        )
    return Verdicts(found)


def _kinds(rows: Sequence[Any]) -> Iterable[Verdict]:
    has_first = any(row.verdict.startswith("first wrong") for row in rows)
    for row in rows:
        said = str(row.verdict)
        if said.startswith("first wrong") or (said == "wrong" and not has_first):
            has_first = True
            yield Verdict(row.name, "first", "first wrong")
        elif said.startswith("wrong because"):
            cause = getattr(row, "because", "")
            yield Verdict(row.name, "because", f"wrong because of {cause}" if cause else said)
        else:
            yield Verdict(
                row.name,
                "right" if said == "right" else "wrong" if said == "wrong" else "open",
                said,
            )
