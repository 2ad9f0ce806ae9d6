"""Who watches the stages of a thread while a program is recorded: what they compute becomes values
of a graph."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_lstm.compiler import functions
from tinygrad_lstm.compiler.abstract import Abstract, Untraceable
from tinygrad_lstm.compiler.calls import Call, emptied
from tinygrad_lstm.compiler.construct import Builder
from tinygrad_lstm.compiler.edges import contribution
from tinygrad_lstm.compiler.graph import Graph, Value
from tinygrad_lstm.compiler.reference import evaluate
from tinygrad_lstm.compiler.templates import Templates
from tinygrad_lstm.engine.memory import read_only
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.program import user_frame

__all__ = ["Tracer", "called"]

Array = NDArray[Any]


class Tracer:
    """What watches the stages of a thread while a program is recorded.

    Attributes
    ----------
    caller : frame or None
        The line of the user's program that wants a recording.
    graph, build
        The graph, and who adds to it.
    inputs, draws : dict
        As of :class:`Program`.
    given : dict of ndarray
        What stands behind each input and draw now, by its number.
    generators : sequence of numpy.random.Generator
        Those that the function finds outside itself, and may draw from.
    contracts : bool
        Whether what blocks send back to a leaf becomes one product at once.
    refused : list of str
        What was asked for in vain, and not by a stage, which runs as it is then.
    """

    contracts: bool
    graph: Graph
    build: Builder
    templates: Templates

    def __init__(
        self, generators: Sequence[np.random.Generator] = (), contracts: bool = False
    ) -> None:
        self.contracts = contracts
        self.caller = user_frame()
        self.graph = Graph()
        self.build = Builder(self.graph)
        self.templates = Templates(self.build)
        self.inputs: dict[int, Any] = {}
        self.draws: dict[int, Callable[[], Any]] = {}
        self.generators = generators
        self.calls: list[str] = []
        self.refused: list[str] = []
        self.given: dict[int, Array] = {}
        self._known: dict[int, Array] = {}
        self._leaves: dict[int, tuple[Node, Array, Value]] = {}

    # The parts of the graph.

    def abstract(self, value: Value) -> Abstract:
        """The abstract array of a value."""
        return Abstract(value, self)

    def constant(self, array: Array) -> Value:
        """An array that is what it is now."""
        return self.graph.constant(array.copy() if array.flags.writeable else array)

    def input(self, source: Any, array: Array) -> Value:
        """What is read at each replay."""
        number = len(self.inputs)
        value = self.graph.new("input", (), (number,), array.shape, array.dtype)
        self.inputs[value.number] = source
        self.given[value.number] = np.asarray(array)
        return value

    def leaf(self, node: Node) -> Value:
        """The value of a Tensor that the function found elsewhere."""
        if node._op is not None and node._requires_grad:
            raise Untraceable(
                f"{called(node)} was computed before, outside of the function",
                "compute it inside, or detach it",
            )
        array = node._array
        known = self._leaves.get(id(node))
        if known is not None:
            if known[1] is not array:
                raise Untraceable(f"{called(node)} is edited")
            return known[2]
        value = self.input(node, array)
        self.graph.origins[value.number] = self.graph.origins.text(called(node))
        self._leaves[id(node)] = node, array, value
        return value

    # What the engine asks of who watches.

    def compute(
        self, op: Any, inputs: tuple[Any, ...], values: tuple[Any, ...], params: dict[str, Any]
    ) -> tuple[tuple[Any, ...], Any]:
        """What a stage reads, and what it computes from it: abstract arrays."""
        read = []
        for x, value in zip(inputs, values, strict=True):
            if isinstance(value, Abstract):
                if value.recorder is not self:
                    raise Untraceable("a value of another recording is used")
            elif isinstance(x, Node) and isinstance(value, np.ndarray):
                value = self.abstract(self.leaf(x))
            read.append(value)
        self.graph.origins.here, values = self.graph.origins.text(op.name), tuple(read)
        return values, self.stage(op, None, op.forward, values, params)

    def looked(self, node: Node) -> Any:
        """The numbers of a value, for somebody who looks at them: they are read afresh at each
        replay."""
        array = node._array
        return self.abstract(self.leaf(node)) if isinstance(array, np.ndarray) else array

    def drawn(self, draw: Callable[..., Any], args: tuple[Any, ...]) -> Abstract:
        """Random numbers: drawn at each replay, in this order. What a draw looks like, a copy of
        the generator tells."""
        generator = getattr(draw, "__self__", None)
        if not any(generator is known for known in self.generators):
            raise Untraceable("it draws random numbers from a generator that it makes itself")
        found = getattr(copy.deepcopy(generator), draw.__name__)(*args)
        value = self.graph.new("draw", (), (len(self.draws),), np.shape(found), found.dtype)
        self.draws[value.number] = functools.partial(draw, *args)
        self.given[value.number] = np.asarray(found)
        return self.abstract(value)

    def sent(self, node: Any, argument: int, g: Any, run: Callable[[], Any]) -> Any:
        """What a stage sends back in a derivative that the function itself asks for."""
        return run() if isinstance(g, Node) else contribution(self, node, argument, g)

    def plain(self, part: Callable[[], Any]) -> Any:
        """A part that the tape would compute again: its stages, if the tape would take it."""
        drawn = len(self.draws)
        found = part()
        if len(self.draws) > drawn or not isinstance(found, Node):
            raise Untraceable("a checkpoint draws random numbers, or returns no Tensor")
        return found

    def added(self, x: Any, total: Any, sent: Any) -> None:
        """Nothing: the sum is in the graph."""

    def forward(self, output: Any, op: Any, inputs: tuple[Any, ...], values: list[Any]) -> None:
        """Nothing: the value is in the graph."""

    def stage(
        self,
        op: Any,
        argument: int | None,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        params: dict[str, Any],
    ) -> Abstract:
        """What the forward function of an operation computes, or the rule of an argument. What the
        library's own do to operands of a kind is always the same."""
        if not params and op.forward.__module__.startswith("tinygrad_lstm."):
            known = len(self.refused)
            found = self.templates.value((op, argument), function, args)
            del self.refused[known:]
            if found is not None:
                return self.abstract(found)
        return self.run(function, args, params)

    def run(
        self, function: Callable[..., Any], args: tuple[Any, ...], params: dict[str, Any]
    ) -> Abstract:
        """What a forward function or a rule computes; as a call where it asks for numbers."""
        known = len(self.refused)
        try:
            found = function(*args, **params)
            if not isinstance(found, Abstract):
                found = self.abstract(self.constant(np.asarray(found)))
            if len(self.refused) == known:
                return found
        except Untraceable:
            pass
        except (TypeError, AttributeError, ValueError, IndexError):
            pass  # the call raises it again, unless abstract arrays are the cause
        del self.refused[known:]
        return self.call(function, args, params)

    def call(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Abstract:
        """A function that runs as it is in the program. It runs once now: what shape it returns,
        only it knows."""
        values: list[Value] = []
        call = Call(function, emptied((tuple(args), dict(kwargs)), values))
        arrays = evaluate(self.graph, values, self.given, self._known)
        with np.errstate(all="ignore"):
            found = call(*(read_only(a) for a in arrays))
        if not isinstance(found, (np.ndarray, np.generic)):
            raise Untraceable(f"{call.name} returns no array")
        found = np.array(found)
        value = self.graph.new("call", tuple(values), (call,), found.shape, found.dtype)
        self._known[value.number] = found
        self.calls.append(call.name)
        return self.abstract(value)


def called(node: Any) -> str:
    """What a Tensor is called to the user."""
    return node.name or f"a Tensor {node._array.shape}"


_ = functions  # what NumPy's functions do to abstract arrays is declared there
