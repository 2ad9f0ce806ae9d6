"""Recording: a function runs once on abstract arrays, forward and backward, and leaves its graph.

Forward is the user's own code on Tensors that hold abstract arrays; backward runs the derivative
rules of its tape on them, edge by edge. Whatever forward function or rule asks for numbers runs as
it is, inside the program: a call.
"""

from __future__ import annotations

import copy
import functools
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_lstm.compiler import functions
from tinygrad_lstm.compiler.abstract import Abstract, Untraceable
from tinygrad_lstm.compiler.calls import Call, emptied
from tinygrad_lstm.compiler.construct import Builder
from tinygrad_lstm.compiler.graph import Graph, Value
from tinygrad_lstm.compiler.layouts import basic, placed
from tinygrad_lstm.compiler.reference import evaluate
from tinygrad_lstm.engine.lazy import Sparse
from tinygrad_lstm.engine.memory import conjugated, read_only
from tinygrad_lstm.engine.naming import Naming
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.recorder import detector, watching
from tinygrad_lstm.engine.tape import ancestors

__all__ = ["Program", "Tracer", "trace"]

Array = NDArray[Any]


@dataclass
class Program:
    """What a function computes, as a graph.

    Attributes
    ----------
    graph : Graph
    roots : list of Value
        The loss, then the total derivative by each leaf that requires gradients.
    names : list of str
        The names of those leaves.
    leaves : list of Tensor or int
        The same leaves: Tensors that the function found elsewhere, or numbers of its arguments.
    inputs : dict
        What is read at each replay: a Tensor, or the number of an argument; by the number of the
        value in the graph.
    draws : dict
        Random numbers: what draws them at each replay, in this order.
    stages : int
        How many stages the tape has.
    """

    graph: Graph
    roots: list[Value]
    names: list[str]
    leaves: list[Any]
    inputs: dict[int, Any]
    draws: dict[int, Callable[[], Any]]
    stages: int
    calls: list[str] = field(default_factory=list)


class Tracer:
    """What watches the stages of a thread while a program is recorded.

    Attributes
    ----------
    graph, build
        The graph, and who adds to it.
    inputs, draws : dict
        As of :class:`Program`.
    generators : sequence of numpy.random.Generator
        Those that the function finds outside itself, and may draw from.
    """

    def __init__(self, generators: Sequence[np.random.Generator] = ()) -> None:
        self.graph = Graph()
        self.build = Builder(self.graph)
        self.inputs: dict[int, Any] = {}
        self.draws: dict[int, Callable[[], Any]] = {}
        self.generators = generators
        self.calls: list[str] = []
        self._given: dict[int, Array] = {}
        self._known: dict[int, Array] = {}
        self._shown: dict[int, Abstract] = {}
        self._leaves: dict[int, tuple[Node, Array, Value]] = {}

    # The parts of the graph.

    def abstract(self, value: Value) -> Abstract:
        """The abstract array of a value, the same one each time."""
        found = self._shown.get(value.number)
        if found is None:
            found = self._shown[value.number] = Abstract(value, self)
        return found

    def constant(self, array: Array) -> Value:
        """An array that is what it is now."""
        return self.graph.constant(array.copy() if array.flags.writeable else array)

    def input(self, source: Any, array: Array) -> Value:
        """What is read at each replay."""
        number = len(self.inputs)
        value = self.graph.new("input", (), (number,), array.shape, array.dtype)
        self.inputs[value.number] = source
        self._given[value.number] = array
        return value

    def leaf(self, node: Node) -> Value:
        """The value of a Tensor that the function found elsewhere."""
        array = node._array
        known = self._leaves.get(id(node))
        if known is not None:
            if known[1] is not array:
                raise Untraceable(f"{_called(node)} is edited")
            return known[2]
        value = self.input(node, array)
        value.origin = _called(node)
        self._leaves[id(node)] = node, array, value
        return value

    # What the engine asks of who watches.

    def compute(
        self, op: Any, inputs: tuple[Any, ...], values: tuple[Any, ...], params: dict[str, Any]
    ) -> tuple[tuple[Any, ...], Any]:
        """What a stage reads, and what it computes from it: abstract arrays."""
        values = tuple(
            self.abstract(self.leaf(x))
            if isinstance(x, Node) and isinstance(value, np.ndarray)
            else value
            for x, value in zip(inputs, values, strict=True)
        )
        self.graph.origin = op.name
        return values, self.run(op.forward, values, params)

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
        self._given[value.number] = found
        return self.abstract(value)

    def sent(self, node: Any, argument: int, g: Any, run: Callable[[], Any]) -> Any:
        """What a stage sends back in a derivative that the function itself asks for."""
        return run()

    def added(self, x: Any, total: Any, contribution: Any) -> None:
        """Nothing: the sum is in the graph."""

    def forward(self, output: Any, op: Any, inputs: tuple[Any, ...], values: list[Any]) -> None:
        """Nothing: the value is in the graph."""

    def run(
        self, function: Callable[..., Any], args: tuple[Any, ...], params: dict[str, Any]
    ) -> Abstract:
        """What a forward function or a rule computes; as a call where it asks for numbers."""
        try:
            found = function(*args, **params)
            if not isinstance(found, Abstract):
                found = self.abstract(self.constant(np.asarray(found)))
            return found
        except Untraceable:
            pass
        except (TypeError, AttributeError, ValueError, IndexError):
            pass  # the call raises it again, unless abstract arrays are the cause
        return self.call(function, args, params)

    def call(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Abstract:
        """A function that runs as it is in the program. It runs once now: what shape it returns,
        only it knows."""
        values: list[Value] = []
        call = Call(function, emptied((tuple(args), dict(kwargs)), values))
        arrays = evaluate(self.graph, values, self._given, self._known)
        with np.errstate(all="ignore"):
            found = call(*(read_only(a) for a in arrays))
        if not isinstance(found, (np.ndarray, np.generic)):
            raise Untraceable(f"{call.name} returns no array")
        found = np.array(found)
        value = self.graph.new("call", tuple(values), (call,), found.shape, found.dtype)
        self._known[value.number] = found
        self.calls.append(call.name)
        return self.abstract(value)


def _called(node: Any) -> str:
    return node.name or f"a Tensor {node._array.shape}"


def trace(function: Callable[..., Any], args: Any, tracer: Tracer) -> Program:
    """Record `function`, forward and backward.

    Parameters
    ----------
    function : callable
        Without arguments: it runs on abstract arrays of `tracer` and returns the loss.
    args : dict
        The Tensors among its arguments that require gradients, with their numbers, by ``id``.
    tracer : Tracer

    Raises
    ------
    Untraceable
        Where the program depends on numbers.
    """
    if detector() is not None:
        raise Untraceable("anomalies are being looked for")
    watching[threading.get_ident()] = tracer
    try:
        loss = function()
        if not isinstance(loss, Node) or not isinstance(loss._array, Abstract):
            raise Untraceable("what it returns is no Tensor computed from its arguments")
        if loss.shape != () or loss.dtype.kind != "f" or not loss._requires_grad:
            raise Untraceable("what it returns is no real scalar with a gradient")
        nodes: list[Any] = ancestors(loss)
        for node in nodes:
            node._array.value.origin = node.name or node._op.name
        totals = backward(loss, nodes, tracer)
    finally:
        del watching[threading.get_ident()]
    leaves = [x for x in totals if x._op is None]
    tracer._shown.clear()  # what is rewritten next need not be kept
    return Program(
        tracer.graph,
        [loss._array.value, *(conjugated(totals[x]).value for x in leaves)],
        named(leaves, nodes, loss),
        [args.get(id(x), x) for x in leaves],
        tracer.inputs,
        tracer.draws,
        len(nodes),
        tracer.calls,
    )


def named(leaves: Iterable[Any], nodes: list[Any], root: Any) -> list[str]:
    """A name for each leaf: that of the tape, which no other value has."""
    naming = Naming(nodes, root)
    return [str(naming.of(x)) for x in leaves]


def backward(loss: Any, nodes: list[Any], tracer: Tracer) -> dict[Any, Any]:
    """The total derivatives by the leaves: the rules of the tape on abstract arrays."""
    totals: dict[Any, Any] = {loss: np.ones_like(loss._array)}
    for node in reversed(nodes):
        if node._hooks is not None:
            raise Untraceable(f"{_called(node)} has a hook")
        g, whose = totals.pop(node), node.name or node._op.name
        for i, x in reversed(list(enumerate(node._inputs))):
            if not isinstance(x, Node) or not x._requires_grad:
                continue
            tracer.graph.origin = f"{whose}, backward"
            contribution = _contribution(tracer, node, i, g)
            totals[x] = totals[x] + contribution if x in totals else contribution
    return totals


def _contribution(tracer: Tracer, node: Any, i: int, g: Any) -> Any:
    """What one edge sends back, in the dtype of the value it belongs to."""

    def rule(g: Any, y: Any, *values: Any, **params: Any) -> Any:
        found = node._op.send(i, g, y, values, params)
        return spread(found) if isinstance(found, Sparse) else found

    rule.__name__ = f"{node._op.name}, rule {i}"
    value = node._values[i]
    found = tracer.run(rule, (g, node._array, *node._values), node._params)
    if found.shape != value.shape:
        raise Untraceable(f"the rule of {node._op.name} returns the wrong shape")
    if found.dtype.kind == "c" and value.dtype.kind != "c":
        found = found.real
    return found if found.dtype == value.dtype else found.astype(value.dtype)


def spread(found: Sparse) -> Any:
    """What an index sends back, as a whole array."""
    if isinstance(found.entries, Abstract) and basic(found.key):
        return placed(found.entries, found.key, found.shape)
    return np.asarray(found)


_ = functions  # what NumPy's functions do to abstract arrays is declared there
