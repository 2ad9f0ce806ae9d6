"""Backward: one loop over the tape, reversed. At a fork the contributions of the branches are
summed.

The derivative of a real loss by a complex value ``z = x + iy`` is ``dL/dx + i dL/dy``, as PyTorch
has it: the direction of steepest ascent. Inside the walk a gradient is the conjugate of that,
``dL/dx - i dL/dy``, for then the chain rule has no conjugate in it and the rules of analytic
functions are written as for real numbers. What goes in and what comes out is conjugated once
(`seed`, `outgoing`).
"""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import replace

import numpy as np
from numpy import ndarray

from tinygrad_lstm.engine.arrays import Value
from tinygrad_lstm.engine.faults import check_grad, check_unspent
from tinygrad_lstm.engine.gradients import Gradients
from tinygrad_lstm.engine.hooks import hooked
from tinygrad_lstm.engine.lazy import Adding, Lazy
from tinygrad_lstm.engine.memory import conjugated, finite, kept
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.recorder import recording
from tinygrad_lstm.engine.seed import seed
from tinygrad_lstm.engine.state import detector, watching
from tinygrad_lstm.engine.tape import Branch, Tape, ancestors
from tinygrad_lstm.engine.walk import conform, sent, walk

__all__ = ["Gradients", "backward", "gradients", "outgoing", "reverse", "seed"]


@np.errstate(divide="ignore", invalid="ignore")  # an infinite slope is an answer
def reverse(nodes: list[Node], root: Node, start: Value) -> dict[Node, Value]:
    """Walk a tape in reverse, adding up as it goes, and return the total derivatives by the leaves
    and by the values with ``retain_grad``. Recorded, where `start` is a Tensor.

    The guard of the walk costs a look at each contribution. So it is left out at first, and the
    walk is repeated with it where a total is not finite; a hook or a detector sees one walk.

    Parameters
    ----------
    nodes : list of Node
        What the stages of the tape computed, in recording order.
    root : Node
        The last of them.
    start : ndarray or Tensor
        The gradient that arrives there.
    """
    guard = bool(watching) or [x for x in nodes if x._hooks is not None] != []
    totals = _added(nodes, root, start, guard)
    if not (guard or all(map(finite, totals.values()))):
        totals = _added(nodes, root, start, guard=True)
    return totals


def _added(nodes: list[Node], root: Node, start: Value, guard: bool) -> dict[Node, Value]:
    """The totals that are left when each has been sent on: those of the leaves, and retained ones.

    A contribution is added to its total as it comes, in place where that is an array made here.
    """
    recorded, watched = isinstance(start, Node), guard and watching
    totals, retained = {root: start}, {}
    adding = Adding(totals)
    own, products = adding.own, adding.products
    for node, read in walk(nodes):
        if products and node in products:
            adding.settle(node)
        g = totals.pop(node)
        if node._hooks is not None:
            g = hooked(node, g)
            if node._hooks.retain:
                retained[node] = g
        op, params, values, arguments = node._op, node._params, node._values, node._inputs
        output, inputs = (node, arguments) if recorded else (node._array, values)
        rules = None if guard or params or op.variadic else op.rules
        given = (g, output) + inputs
        for i in read:
            if rules:  # what `send` does, in line for speed
                contribution = rules[i](*given)
            elif guard:
                contribution = sent(node, i, g)
            else:
                contribution = op.send(i, g, output, inputs, params)
            x, value = arguments[i], values[i]
            if contribution.dtype is not value.dtype or contribution.shape != value.shape:
                contribution = conform(contribution, node, i)
            if type(contribution) is not ndarray and isinstance(contribution, Lazy):
                adding.add(x, contribution)
            elif x not in totals:
                totals[x] = contribution
            elif x in own:
                totals[x] += contribution
            else:
                total = totals[x] = totals[x] + contribution
                if type(total) is ndarray:
                    own.add(x)
            if watched and (watch := detector()):
                watch.added(x, totals[x], contribution)
    adding.settle(*products)
    return totals | retained


accumulation = threading.Lock()  # a leaf may be in the graphs of several threads


def backward(root: Node, gradient: Value = None, retain_graph: bool = False) -> None:
    """Fill ``.grad`` of the leaves that led to `root`; see :meth:`Tensor.backward`."""
    start, nodes = seed(root, gradient), ancestors(root)
    check_unspent(nodes)
    totals = reverse(nodes, root, start)
    found = {}
    for x, total in totals.items():
        if x._hooks is not None or total.dtype.kind == "c":
            total = outgoing(x, total)
        if x.grad is not None:
            check_grad(x, total)
        found[x] = np.array(total)  # it may be another value's too, or what the user gave
    with accumulation:
        for x, total in found.items():
            x.grad = total if x.grad is None else x.grad + total
    if not retain_graph:
        for node in nodes:
            node._spent = True


def gradients(root: Node, gradient: Value = None, create_graph: bool = False) -> Gradients:
    """All derivatives of one value; see :func:`tinygrad_lstm.gradients`."""
    arrived: dict[Node, list[Branch]] = defaultdict(list)
    with recording(create_graph):
        start, tape = seed(root, gradient, create_graph), Tape(root)
        totals = _kept(tape, start, arrived)
        totals = {x: outgoing(x, g) for x, g in totals.items()}
        branches = {x: list(map(_branch, reversed(arrived[x]))) for x in arrived}
    if not create_graph:
        totals = {x: kept(g) for x, g in totals.items()}
    return Gradients(tape, totals, branches)


def _kept(tape: Tape, start: Value, arrived: dict[Node, list[Branch]]) -> dict[Node, Value]:
    """The total derivatives by all values. `arrived` is filled with what came along each edge, last
    branch first."""
    stages, totals = {s.output: s for s in tape.stages}, {tape.root: start}
    with np.errstate(divide="ignore", invalid="ignore"):
        for node, read in walk(tape.naming.nodes):
            stage, g = stages[node], summed(arrived[node]) if node in arrived else start
            if node._hooks is not None:
                g = hooked(node, g)
            totals[node] = g
            for i in read:
                contribution = sent(node, i, g)
                if not isinstance(contribution, Node):  # what keys return never shares memory
                    contribution = kept(contribution)
                arrived[node._inputs[i]].append(Branch(stage, i, contribution))
        return totals | {x: summed(found) for x, found in arrived.items() if x not in totals}


def summed(arrived: list[Branch]) -> Value:
    """The sum over the branches of a value, in their order. They arrived in reverse."""
    result = arrived[-1].gradient
    for branch in arrived[-2::-1]:
        result = result + branch.gradient
    return result


def outgoing(x: Node, total: Value) -> Value:
    """The total derivative by `x` as the user sees it."""
    return conjugated(hooked(x, total) if x._op is None and x._hooks is not None else total)


def _branch(branch: Branch) -> Branch:
    """A branch as the user sees it."""
    seen = conjugated(branch.gradient)
    return branch if seen is branch.gradient else replace(branch, gradient=seen)
