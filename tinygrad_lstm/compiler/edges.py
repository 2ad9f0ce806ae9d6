"""What a stage sends back along an edge, recorded."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from tinygrad_lstm.compiler.abstract import Abstract, Untraceable
from tinygrad_lstm.compiler.layouts import basic, placed
from tinygrad_lstm.engine.lazy import Sparse

__all__ = ["Rule", "Runner", "contribution"]


class Runner(Protocol):
    """Who runs rules on abstract arrays: the tracer."""

    def run(self, function: Any, args: Any, params: Any) -> Abstract: ...

    def stage(self, op: Any, argument: Any, function: Any, args: Any, params: Any) -> Abstract: ...


def contribution(tracer: Runner, node: Any, i: int, g: Any) -> Abstract:
    """What the stage of `node` sends back to an argument, in the dtype of the value it belongs
    to."""
    value, rule = node._values[i], Rule(node._op, i)
    if node._op.variadic:  # not all of its inputs for each of them
        found = tracer.run(rule, (g, node._array, node._values), node._params)
    else:
        found = tracer.stage(node._op, i, rule, (g, node._array, *node._values), node._params)
    if found.shape != value.shape:
        raise Untraceable(f"the rule of {node._op.name} returns the wrong shape")
    if found.dtype.kind == "c" and value.dtype.kind != "c":
        found = found.real
    return found if found.dtype == value.dtype else found.astype(value.dtype)


class Rule:
    """The rule of an argument, as a function that returns whole arrays. Where the number of inputs
    is open it is given all of them as one tuple."""

    __slots__ = ("argument", "op")

    argument: int
    op: Any

    def __init__(self, op: Any, argument: int) -> None:
        self.op, self.argument = op, argument

    @property
    def __name__(self) -> str:
        return f"{self.op.name}, rule {self.argument}"

    def __call__(self, g: Any, y: Any, *values: Any, **params: Any) -> Any:
        if self.op.variadic:
            (values,) = values
        found = self.op.send(self.argument, g, y, values, params)
        return spread(found) if isinstance(found, Sparse) else found


def spread(found: Sparse) -> Any:
    """What an index sends back, as a whole array."""
    if isinstance(found.entries, Abstract) and basic(found.key):
        return placed(found.entries, found.key, found.shape)
    return np.asarray(found)
