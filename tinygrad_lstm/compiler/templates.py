"""What a function of the library computes, recorded once for operands of a kind.

The blocks of a sequence run the same stages on values of the same shapes. Where a forward function
or a rule has met operands of such shapes and dtypes before, what it does is known: its values are
made again on the operands at hand, and it need not run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_lstm.compiler.abstract import Abstract, Untraceable, refused
from tinygrad_lstm.compiler.construct import Builder
from tinygrad_lstm.compiler.graph import Graph, Value, in_order
from tinygrad_lstm.compiler.operations import LEAVES, number

__all__ = ["Templates"]

NUMBERS = (bool, int, float, complex)


class Sketch:
    """Records a function on operands of which only shape and dtype are known, in a graph of its
    own."""

    graph: Graph
    build: Builder

    def __init__(self) -> None:
        self.graph = Graph()
        self.build = Builder(self.graph)
        self.given: dict[int, NDArray[Any]] = {}

    def abstract(self, value: Value) -> Abstract:
        return Abstract(value, self)

    def constant(self, array: NDArray[Any]) -> Value:
        return self.graph.constant(array)

    def call(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Abstract:
        raise Untraceable("its numbers are asked for")


class Template:
    """What a function computes, as values to be made again.

    Parameters
    ----------
    graph : Graph
        Where they will be made.
    function : callable
    args : tuple
        Operands of the kind: abstract arrays and Python's numbers.

    Raises
    ------
    Exception
        Whatever keeps `function` from running on shapes alone.
    """

    constants: list[Value]
    result: int

    def __init__(self, graph: Graph, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        sketch = Sketch()
        new = sketch.graph.new
        given = [
            new("input", (), (i,), a.shape, a.dtype)
            for i, a in enumerate(args)
            if isinstance(a, Abstract)
        ]
        self.dtypes = [v.dtype for v in given]  # kept: the key of the template has their ids
        rest = iter(given)
        result = function(
            *(sketch.abstract(next(rest)) if isinstance(a, Abstract) else a for a in args)
        )
        if not isinstance(result, Abstract):
            raise Untraceable("it returns what is known already")
        order = in_order([result.value])
        constants = [v for v in order if v.op in ("number", "constant")]
        self.constants = [graph.constant(_array(sketch.graph, v)) for v in constants]
        place = {v: i for i, v in enumerate((*constants, *given))}
        self.steps: list[tuple[Value, tuple[int, ...]]] = []
        for v in order:
            if v.op not in LEAVES:
                self.steps.append((v, tuple([place[a] for a in v.args])))
                place[v] = len(place)
        self.result = place[result.value]

    def on(self, build: Builder, operands: list[Value]) -> Value:
        """What the function computes of `operands`."""
        known = [*self.constants, *operands]
        for like, args in self.steps:
            known.append(build.like(like, tuple([known[i] for i in args])))
        return known[self.result]


def _array(graph: Graph, v: Value) -> NDArray[Any]:
    """The array of a constant."""
    return np.asarray(number(v)) if v.op == "number" else graph.data[v.number]


class Templates:
    """The templates of one program.

    Parameters
    ----------
    build : Builder
        Who makes the values.
    """

    def __init__(self, build: Builder) -> None:
        self._build = build
        self._known: dict[Any, Template | None] = {}
        self._met: set[Any] = set()

    def value(self, name: Any, function: Callable[..., Any], args: tuple[Any, ...]) -> Value | None:
        """What `function` computes of `args`; None where it has to run. `name` says which function
        it is."""
        kind: list[Any] = [name]
        operands: list[Value] = []
        for a in args:
            if type(a) is Abstract:
                v = a.value
                operands.append(v)
                kind += v.shape, id(v.dtype)
            elif type(a) in NUMBERS:
                kind += type(a), repr(a)  # 0.0 is not -0.0
            else:
                return None
        key = tuple(kind)
        template = self._known.get(key)
        if template is None:
            if key in self._known:
                return None
            if key not in self._met:  # what is met once needs no template
                self._met.add(key)
                return None
            template = self._known[key] = self._template(function, args)
        return None if template is None else template.on(self._build, operands)

    def _template(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Template | None:
        known = len(refused())
        try:
            found = Template(self._build.graph, function, args)
        except Exception:  # whatever it is: it is raised again where the function runs
            return None
        return found if len(refused()) == known else None
