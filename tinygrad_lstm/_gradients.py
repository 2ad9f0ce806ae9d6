"""The result of a reverse pass: a total derivative for every value, and what each branch contributed to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tinygrad_lstm._errors import UnknownNameError
from tinygrad_lstm._tape import Branch, Tape, canonical

__all__ = ["Gradients"]


class Gradients(Mapping[str, Any]):
    """The derivatives of one value by every value on its tape, with the contribution of every branch.

    A mapping from names to total derivatives. It is asked by name, by Tensor, or for one branch by
    ``"<value> via <consumer>"`` (``"c<2> via keep<3>"``; with ``[i]`` behind it where a stage reads the value as
    several arguments). Iteration goes over the names in the order of the tape. The arrays are read-only.

    Attributes
    ----------
    tape : Tape
        The tape that was walked.
    """

    def __init__(self, tape: Tape, totals: dict[Any, Any], arrived: Mapping[Any, list[Branch]]) -> None:
        self.tape = tape
        self._totals = totals
        self._branches = {x: tuple(branches) for x, branches in arrived.items()}

    def __getitem__(self, key: Any) -> Any:
        value, consumer = self.parts(key)
        return self._branch(value, consumer).gradient if consumer else self._totals[self.find(value)]

    def parts(self, key: Any) -> tuple[Any, str]:
        """The value that a key asks for, and the consumer where it asks for one branch. A value of just that name comes first."""
        if not isinstance(key, str) or canonical(key) in self.tape.names:
            return key, ""
        value, _, consumer = key.partition(" via ")
        return value, consumer

    def branches(self, key: Any) -> tuple[Branch, ...]:
        """What each use of a value sent back, before it was summed: one Branch an edge, by (stage, argument).

        Parameters
        ----------
        key : str or Tensor
            The value. One that is read once has one branch; the root, which nobody reads, has none.
        """
        return self._branches.get(self.find(key), ())

    def find(self, key: Any) -> Any:
        """The Tensor that a key stands for.

        Raises
        ------
        UnknownNameError
            If there is none on the tape, if several have that name, or if it is a constant.
        """
        return self.tape.find(key)

    def _branch(self, value: str, consumer: str) -> Branch:
        name, _, position = canonical(consumer).partition("[")
        found = [b for b in self.branches(value) if canonical(b.stage.name) == name and position in ("", f"{b.argument}]")]
        if len(found) != 1:
            have = ", ".join(f"{b.stage.name}[{b.argument}]" for b in self.branches(value))
            expected = f"one of {have}" if have else "a value with branches"
            raise UnknownNameError(f"{len(found)} branches are called '{value} via {consumer}'", where="gradients", expected=expected)
        return found[0]

    def __iter__(self) -> Iterator[str]:
        return (name for name, values in self.tape.names.items() if len(values) == 1 and values[0] in self._totals)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, key: object) -> bool:
        try:
            self[key]
        except UnknownNameError:
            return False
        return True

    def __repr__(self) -> str:
        return f"<Gradients of {self.tape.label(self.tape.root)}: {len(self._totals)} values, {len(self.tape.forks)} forks>"
