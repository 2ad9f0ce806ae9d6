"""Functions that a forward code calls several times, as a tape shows them: stretches of stages that
are alike. A derivation has one function for each too, and a slip in it is made at every call."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lstm.engine.memory import SCALARS
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.tape import Tape

__all__ = ["Call", "Calls", "renamed"]

MOST = 400  # stages of one block, which are compared with each other
PLAIN = ("arithmetic", "product", "move", "reduction")  # kinds of stages that are no function
WIRED = ("axis", "axes", "keepdims", "subscripts")  # parameters that calls have in common


class Call(NamedTuple):
    """A function that is called several times.

    Attributes
    ----------
    names : tuple of str
        What the values of the first call are called.
    others : tuple of mapping
        What they are called in each of the other calls, by that, and what is read there.
    """

    names: tuple[str, ...]
    others: tuple[Mapping[str, str], ...]


class Calls:
    """The calls of a tape.

    Parameters
    ----------
    tape : Tape
        The tape.
    base, block : callable
        What a value is called, without its block; and that.
    """

    def __init__(
        self, tape: Tape, base: Callable[[Any], str], block: Callable[[Any], int | None]
    ) -> None:
        self._base = base
        blocks = [block(stage.output) for stage in tape.stages]
        inner = sorted({b for b in blocks if b is not None})
        here = {None, inner[len(inner) // 2]} if inner else {None}
        pairs = zip(tape.stages, blocks, strict=True)
        self._nodes = [stage.output for stage, b in pairs if b in here]
        self._place = {id(x): i for i, x in enumerate(self._nodes)}
        self._kinds = [self._kind(x) for x in self._nodes]

    @cached_property
    def every(self) -> list[Call]:
        """The functions, the longest first."""
        starts: dict[Any, set[int]] = defaultdict(set)
        for start, length, away in self._runs() if len(self._nodes) <= MOST else ():
            starts[tuple(self._kinds[start : start + length])] |= {start, start + away}
        found = sorted(((len(kinds), sorted(at)) for kinds, at in starts.items()), reverse=True)
        return [self._call(length, at) for length, at in found]

    @cached_property
    def names(self) -> list[Mapping[str, str]]:
        """What values are called in another call, by what they are called in one."""
        every = [names for call in self.every for names in call.others]
        return [*every, *({b: a for a, b in names.items()} for names in every)]

    @staticmethod
    def _kind(x: Any) -> Any:
        """The same for stages that do the same to values of as many axes; one that reads a
        parameter is a layer, and no part of a function of a value."""
        if any(isinstance(u, Node) and u._op is None and u.requires_grad for u in x._inputs):
            return id(x)
        params = tuple((k, repr(v)) for k, v in x._params.items() if k in WIRED)
        read = (
            u if isinstance(u, SCALARS) else (isinstance(u, Node), np.ndim(u)) for u in x._inputs
        )
        return x._op, x.ndim, params, tuple(read)

    def _runs(self) -> Iterator[tuple[int, int, int]]:
        """Where stages begin that are repeated, how many, and how far away."""
        known: dict[Any, int] = {}
        kinds = np.array([known.setdefault(kind, len(known)) for kind in self._kinds])
        for away in range(1, len(kinds)):
            start = end = 0
            for i in np.flatnonzero(kinds[:-away] == kinds[away:]).tolist():
                if i != end or i - start >= away or not self._wired(i, start, away):
                    yield from self._run(start, end, away)
                    start = i
                end = i + 1
            yield from self._run(start, end, away)

    def _run(self, start: int, end: int, away: int) -> Iterator[tuple[int, int, int]]:
        """A run, if it is a function."""
        if end - start > 1 or (end > start and self._nodes[start]._op.kind not in PLAIN):
            yield start, end - start, away

    def _wired(self, i: int, start: int, away: int) -> bool:
        """Whether a stage and that so far away read the same of what is computed since a start."""
        for a, b in self._pairs(i, away):
            one, other = (self._place.get(id(v), -1) for v in (a, b))
            inside = one >= start
            if inside != (other >= start + away) or (inside and other - one != away):
                return False
        return True

    def _pairs(self, i: int, away: int) -> Iterator[tuple[Any, Any]]:
        """What a stage reads, and that so far away in its place."""
        read = zip(self._nodes[i]._inputs, self._nodes[i + away]._inputs, strict=True)
        yield from ((a, b) for a, b in read if isinstance(a, Node) and isinstance(b, Node))

    def _call(self, length: int, starts: Sequence[int]) -> Call:
        first, *others = starts
        every = [self._names(first, length, start - first) for start in others]
        names = (self._base(x) for x in self._nodes[first : first + length])
        return Call(tuple(dict.fromkeys(names)), tuple(every))

    def _names(self, start: int, length: int, away: int) -> dict[str, str]:
        """The names of the values of a call by those of the first."""
        found: dict[str, str] = {}
        for i in range(start, start + length):
            pairs = ((self._nodes[i], self._nodes[i + away]), *self._pairs(i, away))
            for a, b in pairs:
                found.setdefault(self._base(a), self._base(b))
        return found


def renamed(label: Any, names: Mapping[str, str]) -> Any:
    """The label of a change with other names in it."""
    if isinstance(label, tuple):
        return tuple(renamed(part, names) for part in label)
    return names.get(label, label) if isinstance(label, str) else label
