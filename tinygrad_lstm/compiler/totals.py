"""What all stages send back to a leaf, recorded when the tape has gone.

The blocks of a sequence share their parameters: what each of them sends there, and the sums, would
be a quarter of the graph when it is largest. So it is noted which rules there are to run; then
those of one leaf run after the other, and become one product at once (`contract`).
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable
from typing import Any, Protocol

from tinygrad_lstm.compiler.abstract import Abstract
from tinygrad_lstm.compiler.construct import Builder
from tinygrad_lstm.compiler.edges import Runner, contribution
from tinygrad_lstm.compiler.graph import Graph, Value
from tinygrad_lstm.compiler.passes.contract import contracted

__all__ = ["Share", "total"]


class Recording(Runner, Protocol):
    """Who records: the tracer."""

    graph: Graph
    build: Builder

    def abstract(self, value: Value) -> Abstract: ...


class Share:
    """A rule that is yet to run: what `contribution` asks of a stage, and no more of the tape.

    Parameters
    ----------
    node : Tensor
        What the stage computed.
    argument : int
    g : Abstract
        The gradient that arrives at the stage.
    origin : int
        As of `Origins`.
    """

    __slots__ = ("_array", "_op", "_params", "_values", "argument", "g", "origin")

    argument: int
    g: Any
    origin: int

    def __init__(self, node: Any, argument: int, g: Any, origin: int) -> None:
        self._op, self._params = node._op, node._params
        self._array, self._values = node._array, node._values
        self.argument, self.g, self.origin = argument, g, origin


def total(tracer: Recording, shares: list[Share], joined: bool) -> Abstract:
    """The sum of what stages send back; as products and reductions of stacks where that is asked
    for, and they allow it."""
    graph, before = tracer.graph, tracer.graph.count
    terms = []
    for share in shares:
        graph.origins.here = share.origin
        terms.append(contribution(tracer, share, share.argument, share.g))
    values = [term.value for term in terms]
    found = contracted(tracer.build, values, values[0]) if joined and len(values) > 1 else None
    if found is None:
        return functools.reduce(operator.add, terms)
    needed = set(_since(graph, before, [found]))
    for v in _since(graph, before, values):
        if v not in needed:
            graph.drop(v)
    return tracer.abstract(found)


def _since(graph: Graph, before: int, values: Iterable[Value]) -> list[Value]:
    """Values, and what leads to them, as far as there were not so many before."""
    found: dict[Value, None] = {}
    waiting = list(values)
    while waiting:
        v = waiting.pop()
        if v.number >= before and v not in found:
            found[v] = None
            waiting += v.args
    return list(found)
