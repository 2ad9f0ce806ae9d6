"""The one walk: the stages of a tape in the order of backward, and what one sends back along an
edge.

Here stands the guard of branches that were not taken. Rules are plain mathematics, ``g * slope``;
where no gradient arrives (``g`` is 0) and the slope is infinite or undefined they make a NaN of
``0 * inf``, though what happened there has no influence. `guarded` puts the 0 back that is meant.
It touches nothing that is finite, and no NaN that a gradient other than 0 makes: these are the
mathematics.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from tinygrad_lstm.engine.arrays import Params, Value
from tinygrad_lstm.engine.faults import edit_error, shape_error
from tinygrad_lstm.engine.lazy import Lazy
from tinygrad_lstm.engine.memory import array_of, finite, fitting, same
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.operation import Operation, unbroadcast
from tinygrad_lstm.engine.state import detector, watching

__all__ = ["conform", "edges", "guarded", "sent", "walk"]


def walk(nodes: Sequence[Node]) -> Iterator[tuple[Node, list[int]]]:
    """The stages of a tape in the order of backward, the last one first: of each its output and the
    edges along which a gradient goes back, as the positions of the arguments, the last one first.

    When a stage comes, all edges to its output have come before.

    Parameters
    ----------
    nodes : sequence of Node
        What the stages computed, in recording order.

    Raises
    ------
    GradientError
        If a value is no longer what a stage read.
    """
    for node in reversed(nodes):
        values, read = node._values, []
        i = len(values)
        for x in reversed(node._inputs):
            i -= 1
            if isinstance(x, Node):
                if values[i] is not x._array and not same(values[i], x._array):
                    raise edit_error(x, node)
                if x._requires_grad:
                    read.append(i)
        yield node, read


def edges(nodes: Sequence[Node]) -> Iterator[tuple[Node, int, Node]]:
    """The edges of :func:`walk` one by one, with the value that was read."""
    return ((node, i, node._inputs[i]) for node, read in walk(nodes) for i in read)


def sent(node: Node, argument: int, g: Value) -> Value:
    """What the stage of `node` sends back to an argument when `g` arrives: an array, or a Tensor
    where `g` is one. 0 from a branch that was not taken."""
    output, inputs = (node, node._inputs) if isinstance(g, Node) else (node._array, node._values)
    watch = detector() if watching else None
    run = partial(guarded, node._op, argument, g, output, inputs, node._params)
    contribution = run() if watch is None else watch.sent(node, argument, g, run)
    return conform(contribution, node, argument)


def guarded(
    op: Operation, argument: int, g: Value, output: Value, inputs: Sequence[Value], params: Params
) -> Value:
    """What a rule sends back, but 0 where that is not finite although no gradient arrives.

    For an operation that works entry by entry this is decided entry by entry, before the sum over
    the axes along which an input was broadcast; for another one only where nothing arrives at all.
    It runs on arrays, Tensors and symbols alike.
    """
    x = inputs[argument]
    contribution = op.send(argument, g, output, inputs, params)
    if isinstance(contribution, Lazy):
        contribution = np.asarray(contribution)
    if finite(contribution):
        return contribution
    if op.elementwise and _is_broadcast(output, inputs):
        whole = [np.broadcast_to(v, output.shape) if hasattr(v, "shape") else v for v in inputs]
        contribution = op.send(argument, g, output, whole, params)
    elif np.any(array_of(g)):
        return contribution
    else:
        g = 0
    lost = np.logical_and(np.equal(g, 0), np.logical_not(np.isfinite(contribution)))
    if np.any(array_of(lost)):
        contribution = np.where(lost, 0, contribution)
    return unbroadcast(contribution, x)


def _is_broadcast(output: Value, inputs: Sequence[Value]) -> bool:
    return bool(output.shape == np.broadcast_shapes(*map(np.shape, inputs)))


def conform(contribution: Value, node: Node, argument: int) -> Value:
    """A contribution in the dtype of the value it belongs to. The wrong shape is an error of the
    rule."""
    value = node._values[argument]
    if contribution.shape != value.shape:
        raise shape_error(contribution, node, argument)
    contribution = fitting(contribution, value.dtype)
    return contribution if contribution.dtype == value.dtype else contribution.astype(value.dtype)
