"""Stages, the edges between them, and forks: what a tape consists of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_lstm.engine.arrays import Params, Value
from tinygrad_lstm.engine.memory import frozen
from tinygrad_lstm.engine.names import Key
from tinygrad_lstm.engine.naming import Naming
from tinygrad_lstm.engine.node import Node

__all__ = ["Branch", "Fork", "Part", "Stage", "brief", "matching"]


class Stage:
    """One functional stage of forward propagation: an operation, what it read, and the value it
    computed.

    Attributes
    ----------
    output : Tensor
        The value that the stage computed. Two Stage objects of one output are equal.
    """

    __slots__ = ("_naming", "output")

    output: Any

    def __init__(self, output: Node, naming: Naming | None = None) -> None:
        self.output = output
        self._naming = naming

    @property
    def op(self) -> str:
        """The name of the operation."""
        return str(self.output._op.name)

    @property
    def inputs(self) -> tuple[Value, ...]:
        """What the stage read, by argument position: Tensors, and numbers as they were written."""
        return tuple(self.output._inputs)

    @property
    def params(self) -> Params:
        """The parameters of the operation, such as its axis."""
        return {name: frozen(value) for name, value in self.output._params.items()}

    @property
    def name(self) -> str:
        """The name of the value it computed; without one, the operation and its number in the
        block (``multiply#1<2>``)."""
        return self.output.name or (
            self.op if self._naming is None else str(self._naming.of(self.output))
        )

    @property
    def block(self) -> int | None:
        """The block (time step) in which it ran, or None."""
        return self.output._place.block  # type: ignore[no-any-return]

    @property
    def scope(self) -> str:
        """The scopes in which it ran, with dots between them; an empty string outside of all."""
        return str(self.output._place.scope)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stage) and self.output is other.output

    def __hash__(self) -> int:
        return id(self.output)

    def __repr__(self) -> str:
        return f"<Stage {self.name} = {self.op}({', '.join(map(brief, self.inputs))})>"


@dataclass(frozen=True)
class Branch:
    """One edge from a value to a stage that reads it.

    Attributes
    ----------
    stage : Stage
        The stage that reads the value, its consumer.
    argument : int
        The position of the value among the stage's inputs.
    gradient : ndarray or Tensor or None
        What this edge sends back, with the shape of the value. None on a tape, which has not run
        backward.
    """

    stage: Stage
    argument: int
    gradient: Value = None


@dataclass(frozen=True)
class Fork:
    """A value that is read through two or more edges: backward sums what its branches send back.

    Attributes
    ----------
    value : Tensor
        The value.
    branches : tuple of Branch
        Its edges, ordered by (stage, argument).
    """

    value: Any
    branches: tuple[Branch, ...]

    @property
    def name(self) -> str:
        """The name of the value, or an empty string."""
        return self.value.name or ""

    def __repr__(self) -> str:
        return f"<Fork {brief(self.value)}: {', '.join(b.stage.name for b in self.branches)}>"


@dataclass(frozen=True, eq=False)
class Part:
    """What a key of :class:`Gradients` asks for: a total derivative, or the sum of some of its
    branches.

    Attributes
    ----------
    value : Tensor
        The value that is differentiated by.
    branches : tuple of Branch
        The branches that are summed; for a total all of them.
    kind : {"branch", "share", "total"}
        One branch, the branches in one block, or the total.
    """

    value: Any
    branches: tuple[Branch, ...]
    kind: str

    @property
    def id(self) -> tuple[object, ...]:
        """The same for every spelling of a key."""
        return self.kind, id(self.value), *((id(b.stage.output), b.argument) for b in self.branches)


def matching(key: Key, branches: Sequence[Branch], naming: Naming) -> list[Branch]:
    """The branches that a key of a branch fits."""
    for name, argument in key.consumers:
        consumers = naming.called(str(name), [b.stage.output for b in branches])
        ids = set(map(id, consumers))
        found = [
            b for b in branches if id(b.stage.output) in ids and argument in (None, b.argument)
        ]
        if found:
            return found
    number = key.number or 0
    return list(branches[number - 1 : number]) if number else []


def brief(x: Value) -> str:
    """A value in a word: its name, its operation or its number."""
    if not isinstance(x, Node):
        return f"{x}"
    if name := getattr(x, "name", None):
        return str(name)
    if x._op is not None:
        return str(x._op.name)
    return (
        np.array2string(x._array, precision=4)
        if x._array.size == 1
        else f"{'parameter' if x._requires_grad else 'constant'} {x._array.shape}"
    )
