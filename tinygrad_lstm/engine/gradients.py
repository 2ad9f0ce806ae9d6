"""The result of a reverse pass: a total derivative for every value, and what each branch
contributed to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, overload

from tinygrad_lstm.engine.arrays import Array
from tinygrad_lstm.engine.displayed import Displayed
from tinygrad_lstm.engine.memory import kept
from tinygrad_lstm.engine.names import Key, Name
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.stage import Branch, Part, matching
from tinygrad_lstm.engine.tape import Tape
from tinygrad_lstm.engine.trees import leaves, parts, rebuilt
from tinygrad_lstm.errors import UnknownNameError

__all__ = ["Gradients", "Part"]


class Gradients(Displayed, Mapping[str, Array]):
    """The derivatives of one value by every value on its tape, with the contribution of every
    branch.

    A mapping from names to total derivatives, asked by name or by Tensor, or by a list, tuple or
    dict of them: ``da, dc = g["a<3>", "c<3>"]``, ``g[lstm.parameters()]``. Parts of a total have
    keys too:

    * ``"c<2> via keep<3>"``: the branch that the stage keep<3> sent back; with ``[i]`` behind it
      where a stage reads the value as several arguments.
    * ``"c<2> via #1"``: the same by number. Branch 1 is the first in the order of
      ``branches("c<2>")``.
    * ``"W_f @ 2"``: the share of block 2 in the gradient of a shared value, which is the sum of its
      branches in block 2.

    Iteration goes over the names in the order of the tape. The arrays are read-only.

    Attributes
    ----------
    tape : Tape
        The tape that was walked.
    """

    def __init__(
        self, tape: Tape, totals: dict[Node, Array], arrived: Mapping[Node, list[Branch]]
    ) -> None:
        self.tape = tape
        self._totals = totals
        self._branches = {x: tuple(branches) for x, branches in arrived.items()}

    @overload
    def __getitem__(self, key: str | Node) -> Array: ...
    @overload
    def __getitem__(self, key: Any) -> Any: ...
    def __getitem__(self, key: Any) -> Any:
        if not (key is None or isinstance(key, (Key, Name)) or parts(key) is None):
            return rebuilt(key, map(self.__getitem__, leaves(key)))
        part = self.part(key)
        if part.kind == "total":
            return self._totals[part.value]
        first, *others = (branch.gradient for branch in part.branches)
        total = sum(others, first)  # a Tensor where gradients are recorded
        return total if isinstance(total, Node) else kept(total)

    def part(self, key: Any) -> Part:
        """What a key asks for: a name, the key of a part as text or as ``Key``, or a Tensor.

        Raises
        ------
        UnknownNameError
            If there is no such value, branch or share, or if the key fits several.
        """
        asked = Key.parse(key) if isinstance(key, str) else key
        if isinstance(asked, Key) and not asked.is_total:
            value = self.find(asked.value)
            return self._via(value, asked) if asked.via else self._share(value, asked)
        value = self.find(key)
        return Part(value, self.branches(value), "total")

    def key(self, part: Part) -> Key:
        """The key of a part in its one spelling: with the names of this tape, and of a branch with
        its argument."""
        value, first = self.tape.name(part.value), part.branches[:1]
        if part.kind == "branch":
            return Key(value, self.tape.name(first[0].stage.output), first[0].argument)
        return Key(value, share=first[0].stage.block if part.kind == "share" else None)

    def branches(self, key: Any) -> tuple[Branch, ...]:
        """What each use of a value sent back, before it was summed: one Branch an edge, by (stage,
        argument).

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

    def _via(self, value: Node, key: Key) -> Part:
        branches = self.branches(value)
        found = matching(key, branches, self.tape.naming)
        if len(found) != 1:
            have = ", ".join(f"{self.tape.label(b.stage.output)}[{b.argument}]" for b in branches)
            expected = f"one of {have}" if have else "a value with branches"
            raise UnknownNameError(
                f"{len(found)} branches are called '{key}'", where="gradients", expected=expected
            )
        return Part(value, tuple(found), "branch")

    def _share(self, value: Node, key: Key) -> Part:
        branches = self.branches(value)
        found = tuple(b for b in branches if key.share == b.stage.block)
        if not found:
            blocks = dict.fromkeys(b.stage.block for b in branches if b.stage.block is not None)
            have = ", ".join(map(str, blocks))
            expected = f"a block that reads it: {have}" if have else "a value read in blocks"
            raise UnknownNameError(
                f"there is no share '{key}'", where="gradients", expected=expected
            )
        return Part(value, found, "share")

    def __iter__(self) -> Iterator[str]:
        named = self.tape.names.items()
        return (name for name, xs in named if len(xs) == 1 and xs[0] in self._totals)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, key: object) -> bool:
        try:
            self[key]
        except UnknownNameError:
            return False
        return True
