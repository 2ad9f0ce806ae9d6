"""Recording: a function runs once on abstract arrays, forward and backward, and leaves its graph.

Forward is the user's own code on Tensors that hold abstract arrays; backward runs the derivative
rules of its tape on them, edge by edge. Whatever forward function or rule asks for numbers runs as
it is, inside the program: a call.
"""

from __future__ import annotations

import itertools
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_lstm.compiler.abstract import Abstract, Untraceable
from tinygrad_lstm.compiler.edges import contribution
from tinygrad_lstm.compiler.graph import Graph, Value
from tinygrad_lstm.compiler.signature import mapped
from tinygrad_lstm.compiler.totals import Share, total
from tinygrad_lstm.compiler.tracer import Tracer, called
from tinygrad_lstm.engine.memory import conjugated
from tinygrad_lstm.engine.naming import Naming
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.state import detector, watching
from tinygrad_lstm.engine.tape import ancestors

__all__ = ["Program", "abstracted", "named", "trace"]

Array = NDArray[Any]
ARRAYS = (np.ndarray, np.memmap)


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
        if tracer.refused:  # and caught: what the function did then depends on it
            raise Untraceable(tracer.refused[0])
        if not isinstance(loss, Node) or not isinstance(loss._array, Abstract):
            raise Untraceable("what it returns is no Tensor computed from its arguments")
        if loss.shape != () or loss.dtype.kind != "f" or not loss._requires_grad:
            raise Untraceable("what it returns is no real scalar with a gradient")
        nodes: list[Any] = ancestors(loss)
        names, stages, value = described(nodes, loss, tracer), len(nodes), loss._array.value
        totals: dict[Any, Any] = {loss: np.ones_like(loss._array)}
        del loss  # nobody but the list has the tape now
        backward(totals, nodes, tracer)
    finally:
        del watching[threading.get_ident()]
    roots = [value, *(conjugated(total).value for total in totals.values())]
    tracer.graph.recorded(roots)
    return Program(
        tracer.graph,
        roots,
        [names[x] for x in totals],
        [args.get(id(x), x) for x in totals],
        tracer.inputs,
        tracer.draws,
        stages,
        tracer.calls,
    )


def named(leaves: Iterable[Any], nodes: list[Any], root: Any) -> list[str]:
    """A name for each leaf: that of the tape, which no other value has."""
    names = Naming(nodes, root).of_leaves()
    return [str(names[x]) for x in leaves]


def described(nodes: list[Any], loss: Any, tracer: Tracer) -> dict[Any, str]:
    """The names of the leaves of a tape that require gradients; the others may go when the tape
    does. Its values get to know the stages that they come from."""
    origins = tracer.graph.origins
    for node in nodes:
        origins[node._array.value.number] = origins.stage(node)
    names = Naming(nodes, loss).of_leaves()
    return {x: str(name) for x, name in names.items() if x._requires_grad}


def backward(totals: dict[Any, Any], nodes: list[Any], tracer: Tracer) -> None:
    """The rules of a tape on abstract arrays: `totals` has the derivative by the loss, and then
    those by the leaves, whose shares come last. The stages in `nodes` go away as they are met, and
    leave their memory to what is recorded."""
    shares: dict[Any, list[Share]] = defaultdict(list)
    while nodes:
        node = nodes.pop()
        if node._hooks is not None:
            raise Untraceable(f"{called(node)} has a hook")
        g = totals.pop(node)
        tracer.graph.origins.here = tracer.graph.origins.stage(node, backward=True)
        for i, x in reversed(list(enumerate(node._inputs))):
            if not isinstance(x, Node) or not x._requires_grad:
                continue
            if x._op is None:
                shares[x].append(Share(node, i, g, tracer.graph.origins.here))
                continue
            sent = contribution(tracer, node, i, g)
            totals[x] = totals[x] + sent if x in totals else sent
    for leaf, sent_there in shares.items():
        totals[leaf] = total(tracer, sent_there, tracer.contracts)
        sent_there.clear()


def abstracted(tracer: Tracer, arguments: Any) -> tuple[Any, dict[int, int]]:
    """Arguments with abstract arrays in the place of arrays, each an input; and by ``id`` the
    numbers of the Tensors among them."""
    known: dict[int, int] = {}
    leaves: dict[int, Any] = {}
    numbers = itertools.count()

    def shown(x: Any) -> Any:
        number = next(numbers)
        if isinstance(x, np.ndarray) and type(x) not in ARRAYS:
            raise Untraceable(f"{type(x).__name__} is an array with rules of its own")
        if not isinstance(x, Node):
            return tracer.abstract(tracer.input(number, x))
        if id(x) not in leaves:
            inner = tracer.abstract(tracer.input(number, x._array))
            leaf = leaves[id(x)] = x._leaf(inner)  # type: ignore[arg-type]
            leaf._requires_grad, leaf._label, leaf._place = x._requires_grad, x._label, x._place
            known[id(leaf)] = number
        return leaves[id(x)]

    return mapped(shown, arguments), known
