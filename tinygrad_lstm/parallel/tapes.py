"""A tape and its derivatives as bytes: its values in a flat list, since a graph may be deeper than
pickle goes."""

from __future__ import annotations

import importlib
import io
import pickle
from typing import Any

import numpy as np

from tinygrad_lstm.engine.gradients import Gradients
from tinygrad_lstm.engine.hooks import Hooks
from tinygrad_lstm.engine.memory import array_of, frozen
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.operation import Operation
from tinygrad_lstm.engine.stage import Branch
from tinygrad_lstm.engine.tape import Tape
from tinygrad_lstm.parallel.payload import pickled, pickler
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["packed_tape", "read_tape"]


def packed_tape(gradients: Gradients, other: Any = None) -> bytes:
    """The derivatives of a value, the tape that they belong to, and what else refers to its values.

    Raises
    ------
    DtypeError
        If a stage has parameters that cannot be pickled.
    """
    values = gradients.tape.values
    numbers = {id(x): i for i, x in enumerate(values)}
    totals = {numbers[id(x)]: np.asarray(array_of(gradients[x])) for x in gradients._totals}
    branches = {
        numbers[id(x)]: [
            (numbers[id(b.stage.output)], b.argument, np.asarray(array_of(b.gradient)))
            for b in gradients.branches(x)
        ]
        for x in gradients._branches
    }
    content = (list(map(_record, values)), totals, branches, other)
    return pickle.dumps(len(values)) + pickled(content, _writer(numbers), "the tape")


def read_tape(content: bytes) -> tuple[Gradients, Any]:
    """What was packed: the derivatives on a tape of their own, and the rest."""
    file = io.BytesIO(content)
    nodes = [object.__new__(Tensor) for _ in range(pickle.load(file))]
    records, totals, branches, other = _Reader(file, nodes).load()
    for order, (node, record) in enumerate(zip(nodes, records, strict=True)):
        _fill(node, order, *record)
    tape = Tape(nodes[-1])
    stages = {stage.output: stage for stage in tape.stages}
    found = {
        nodes[i]: [Branch(stages[nodes[k]], argument, frozen(g)) for k, argument, g in each]
        for i, each in branches.items()
    }
    return Gradients(tape, {nodes[i]: frozen(g) for i, g in totals.items()}, found), other


def _record(x: Node) -> tuple[Any, ...]:
    stage = None if x._op is None else (x._op, x._inputs, x._values, x._params)
    return x._kept(), x._requires_grad, x._label, x._place, x._hooks is not None, stage


def _fill(
    node: Node, order: int, array: Any, grad: bool, label: Any, place: Any, hooked: bool, stage: Any
) -> None:
    """Make a value of a blank one."""
    Node.__init__(node, array, grad, label, place)
    if hooked:
        node._hooks = Hooks()  # that there were some is all that is asked
    if stage is not None:
        node._op, node._inputs, node._values, node._params = stage
        node._order, node._spent = order, False


def _writer(numbers: dict[int, int]) -> Any:
    """A pickler that writes a value of the tape as its number, and an operation by its place."""

    class Writer(pickler()):  # type: ignore[misc]
        def persistent_id(self, x: Any) -> Any:
            if isinstance(x, Node) and id(x) in numbers:
                return numbers[id(x)]
            if isinstance(x, Operation):
                place = x.forward.__module__, x.forward.__qualname__
                return place if _operation(*place) is x else None
            return None

    return Writer


class _Reader(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, nodes: list[Any]) -> None:
        super().__init__(file)
        self._nodes = nodes

    def persistent_load(self, number: Any) -> Any:
        return self._nodes[number] if isinstance(number, int) else _operation(*number)


def _operation(module: str, name: str) -> Any:
    """The operation of a function at the top of a module; None where there is none."""
    try:
        return getattr(getattr(importlib.import_module(module), name, None), "op", None)
    except ImportError:
        return None
