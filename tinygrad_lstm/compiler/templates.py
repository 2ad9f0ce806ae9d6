"""What a function of the library computes, recorded once for operands of a kind.

The blocks of a sequence run the same stages on values of the same shapes. Where a forward function
or a rule has met operands of such shapes and dtypes before, what it does is known: its values are
made again on the operands at hand, and it need not run. Steps that work entry by entry are one
value (`formulas`), if nobody else may share them: those of a stage whose derivative is a function
of its output, and that function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_lstm.compiler.abstract import Abstract, Untraceable, refused
from tinygrad_lstm.compiler.construct import PLAIN, Builder
from tinygrad_lstm.compiler.edges import Rule
from tinygrad_lstm.compiler.formulas import Formula
from tinygrad_lstm.compiler.graph import Graph, Value, in_order
from tinygrad_lstm.compiler.operations import ELEMENTWISE, LEAVES, number

__all__ = ["Templates"]

NUMBERS = (bool, int, float, complex)
Stage = tuple[Any, "int | None"]  # an operation, and an argument where it is the rule of that


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

    Attributes
    ----------
    formula : Formula or None
        The first steps, where they are one value.

    Raises
    ------
    Exception
        Whatever keeps `function` from running on shapes alone.
    """

    constants: list[Value]
    formula: Formula | None
    given: list[Value]
    result: int

    def __init__(self, graph: Graph, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        sketch = Sketch()
        new = sketch.graph.new
        given = [
            new("input", (), (i,), a.shape, a.dtype)
            for i, a in enumerate(args)
            if isinstance(a, Abstract)
        ]
        self.given, self.formula = given, None  # kept: the key of the template has ids of dtypes
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

    def begin(self, name: str, operand: int) -> None:
        """Let the first steps, which read one operand alone, be one value, if they are several of
        one shape and dtype, and the others read none but the last of them."""
        own = len(self.constants) + operand
        first = len(self.constants) + len(self.given)
        count = 0
        for _, read in self.steps:
            if not all(i < len(self.constants) or i == own or i >= first for i in read):
                break
            count += 1
        begun, rest = self.steps[:count], self.steps[count:]
        like = self.given[operand]
        if (
            count > 1
            and all(v.op in ELEMENTWISE and v.op != "formula" for v, _ in begun)
            and all((v.shape, v.dtype) == (like.shape, like.dtype) for v, _ in begun)
            and all(c.op == "number" for c in self.constants)
            and not any(first <= i < first + count - 1 for _, read in rest for i in read)
        ):
            now = {own: len(self.constants)}  # places without the other operands
            now |= {first + i: len(self.constants) + 1 + i for i in range(count)}
            steps = tuple([(v.op, tuple([now.get(i, i) for i in read])) for v, read in begun])
            self.formula = Formula(name, tuple(self.constants), steps)
            self._operand, self._begun = operand, count

    def on(self, build: Builder, operands: list[Value]) -> Value:
        """What the function computes of `operands`."""
        known, steps = [*self.constants, *operands], self.steps
        if self.formula is not None and operands[self._operand].op not in PLAIN:
            like, _ = steps[self._begun - 1]
            args, attrs = (operands[self._operand],), (self.formula,)
            known += [build.graph.new("formula", args, attrs, like.shape, like.dtype)] * self._begun
            steps = steps[self._begun :]
        for like, read in steps:
            known.append(build.like(like, tuple([known[i] for i in read])))
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

    def value(
        self, name: Stage, function: Callable[..., Any], args: tuple[Any, ...]
    ) -> Value | None:
        """What `function` computes of `args`; None where it has to run. It is the forward function
        of an operation, or the rule of one of its arguments."""
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
            template = self._known[key] = self._template(name, function, args)
        return None if template is None else template.on(self._build, operands)

    def _template(self, name: Stage, function: Any, args: tuple[Any, ...]) -> Template | None:
        known = len(refused())
        try:
            found = Template(self._build.graph, function, args)
            op, argument = name
            if argument is not None:
                found.begin(f"{op.name}, backward", 1)
            elif len(args) == 1 and not _reads_argument(op, args):
                found.begin(op.name, 0)
        except Exception:  # whatever it is: it is raised again where the function runs
            return None
        return found if len(refused()) == known else None


def _reads_argument(op: Any, args: tuple[Any, ...]) -> bool:
    """Whether the rule of a stage with one argument reads that, and not its output alone: it may
    repeat steps of the stage then, which are shared as values."""
    rule = Template(Graph(), Rule(op, 0), args * 3)
    place = len(rule.constants) + 2
    return any(place in read for _, read in rule.steps)
