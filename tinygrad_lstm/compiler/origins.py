"""Which stages the values of a graph belong to, for whoever prints them. They are numbers: a text
for each stage would take a tenth of the graph's memory, and few are ever read."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any

from tinygrad_lstm.engine.names import spelled

__all__ = ["Origins"]

SHIFT = 32  # an origin is twice the block plus 1, plus 1 in backward, and from this bit on a text


class Origins:
    """The stages of the values of a graph.

    Attributes
    ----------
    here : int
        The origin of what is made from now on.
    note : callable
        Gives the next value its origin.
    """

    here: int
    note: Callable[[int], None]

    def __init__(self) -> None:
        self.here = 0
        self._texts = [""]
        self._numbers = {"": 0}
        self._spelled: dict[tuple[str, str], tuple[int, bool]] = {}
        self._of = array("q")  # by the number of a value
        self.note = self._of.append

    def __getitem__(self, number: int) -> int:
        """The origin of the value of a number."""
        return self._of[number]

    def __setitem__(self, number: int, origin: int) -> None:
        self._of[number] = origin

    def text(self, text: str) -> int:
        """The origin of which this is said."""
        number = self._numbers.setdefault(text, len(self._texts))
        if number == len(self._texts):
            self._texts.append(text)
        return number << SHIFT

    def stage(self, node: Any, backward: bool = False) -> int:
        """The origin of what a stage computes, or its rules."""
        if node._label is None:
            return self.text(node._op.name) + backward
        block, scope, _ = node._place
        known = self._spelled.get((node._label, scope))
        if known is None:
            name = spelled(node._label, None, scope)
            known = self.text(name), spelled(node._label, 0, scope) != name
            self._spelled[node._label, scope] = known
        shown = 0 if block is None or not known[1] else 2 * (block + 1)
        return known[0] + shown + backward

    def told(self, number: int) -> str:
        """What is said of the value of a number."""
        origin = self._of[number]
        text = self._texts[origin >> SHIFT]
        block = (origin & ((1 << SHIFT) - 1)) >> 1
        shown = f"{text}<{block - 1}>" if block else text
        return f"{shown}, backward" if origin & 1 else shown
