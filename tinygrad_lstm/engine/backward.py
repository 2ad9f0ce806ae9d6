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
from typing import Any

import numpy as np

from tinygrad_lstm.engine.gradients import Gradients
from tinygrad_lstm.engine.hooks import conjugate, hooked
from tinygrad_lstm.engine.node import Node, edited, frozen
from tinygrad_lstm.engine.operation import past_selection
from tinygrad_lstm.engine.recorder import detector, recorder, recording, watching
from tinygrad_lstm.engine.tape import Branch, Stage, Tape, ancestors
from tinygrad_lstm.errors import DtypeError, GradientError

__all__ = ["Gradients", "backward", "edit_error", "gradients", "reverse", "seed"]


def reverse(
    nodes: list[Node],
    totals: dict[Any, Any],
    arrived: dict[Any, list[Branch]] | None = None,
    create_graph: bool = False,
    sums: set[Any] | None = None,
) -> dict[Any, Any]:
    """Walk a tape in reverse and return total derivatives by value.

    Parameters
    ----------
    nodes : list of Tensor
        What the stages of the tape computed, in recording order.
    totals : dict
        The gradient that arrives at the last of them; the result is put here too.
    arrived : dict, optional
        Where to keep the contribution of every branch, last branch first. With it the totals of all
        values are returned. Without it a contribution is added to its total as it comes, a total is
        dropped when it has been used, and those of the leaves and of the values with
        ``retain_grad`` are left.
    create_graph : bool
        Run the rules on Tensors, so that the derivatives have a tape of their own.
    sums : set, optional
        Filled with the values whose totals are arrays made here, by adding. Only these may be added
        to in place.
    """
    before = recorder.selecting
    try:
        return _walk(nodes, totals, arrived, create_graph, set() if sums is None else sums)
    finally:
        recorder.selecting = before


def _walk(
    nodes: list[Any], totals: dict[Any, Any], arrived: Any, create_graph: bool, sums: set[Any]
) -> dict[Any, Any]:
    watch = detector() if watching else None
    selecting = recorder.selecting
    for node in reversed(nodes):
        if arrived is None:
            g = totals.pop(node)
        elif node in arrived:
            g = totals[node] = summed(arrived[node])
        else:
            g = totals[node]
        op: Any = node._op
        values, params, rules = node._values, node._params, op.rules
        if node._hooks is not None:
            g = hooked(node, g)
            if arrived is not None or node._hooks.retain:
                totals[node] = g
        if watch is not None:
            rules = watch.guard(node, rules)
        output, read = (node, node._inputs) if create_graph else (node._array, values)
        if op.selects:
            selecting = recorder.selecting = True  # for the stages before it
        add, variadic, guarded = op.add, op.variadic, selecting and op.elementwise
        i = len(values)
        for x in reversed(node._inputs):
            i -= 1
            if not isinstance(x, Node):
                continue
            value = values[i]
            if value is not x._array and edited(x, value):
                raise edit_error(x, node)
            if not x._requires_grad:
                continue
            if (
                add is not None and x in sums and value.shape and watch is None
            ):  # no zeros are made for what the stage did not read
                add(totals[x], g, **params)
                continue
            if variadic:
                contribution = rules[0](g, output, read, i, **params)
            elif guarded:
                contribution = past_selection(rules[i], x, g, output, read, params)
            else:
                contribution = rules[i](g, output, *read, **params)
            if contribution.dtype is not value.dtype or contribution.shape != value.shape:
                contribution = _conform(contribution, value, node, i)
            if arrived is not None:
                # copies: what different keys of Gradients return never shares memory
                arrived[x].append(
                    Branch(
                        Stage(node),
                        i,
                        contribution if create_graph else frozen(np.asarray(contribution)),
                    )
                )
            elif x not in totals:
                totals[x] = contribution
            else:
                if x in sums:
                    totals[x] += contribution
                else:
                    totals[x] = totals[x] + contribution
                    if not create_graph:
                        sums.add(x)
                if watch is not None:
                    watch.added(x, totals[x], contribution)
    return totals


accumulation = threading.Lock()  # a leaf may be in the graphs of several threads


def backward(root: Any, gradient: Any = None, retain_graph: bool = False) -> None:
    """Fill ``.grad`` of the leaves that led to `root`; see :meth:`Tensor.backward`."""
    start, nodes = seed(root, gradient), ancestors(root)
    for node in nodes:
        if node._spent:
            raise _spent(node)
    sums: set[Any] = set()
    totals = reverse(nodes, {root: start}, sums=sums)
    found = {}
    for x, total in totals.items():
        if x._hooks is not None or total.dtype.kind == "c":
            found[x] = np.array(outgoing(x, total))
        else:
            found[x] = (
                np.asarray(total) if x in sums else np.array(total)
            )  # what is not a sum may be another value's too
    with accumulation:
        for x, total in found.items():
            x.grad = total if x.grad is None else x.grad + total
    if not retain_graph:
        for node in nodes:
            node._spent = True


def gradients(root: Any, gradient: Any = None, create_graph: bool = False) -> Gradients:
    """Differentiate `root` by every value on its tape, and keep what each branch of each fork sent
    back.

    Nothing is changed: no ``.grad`` is filled and the graph can be used again.

    Parameters
    ----------
    root : Tensor
        The value to differentiate, usually a loss.
    gradient : array_like, optional
        What arrives at `root`, of its shape. May be left out where `root` is a single number; it is
        1 then.
    create_graph : bool, default False
        Run the derivative rules on Tensors, so that the gradients are Tensors with a tape of their
        own, and can be differentiated again.

    Returns
    -------
    Gradients
        A mapping from names to total derivatives, which also answers to the Tensors themselves.

    Raises
    ------
    GradientError
        If `root` depends on nothing that requires gradients, is not a scalar and comes without
        `gradient`, or if a value that a stage read has been edited since.

    Examples
    --------
    >>> from tinygrad_lstm import Tensor, gradients
    >>> x = Tensor(3.0, requires_grad=True, name="x")
    >>> y = (x * x).named("y")
    >>> g = gradients(y + y)
    >>> g["y"], g[x]
    (array(2.), array(12.))
    >>> [b.gradient for b in g.branches("x")]
    [array(6.), array(6.)]
    """
    arrived: dict[Any, list[Branch]] = defaultdict(list)
    with recording(create_graph):
        start, tape = seed(root, gradient, create_graph), Tape(root)
        totals = reverse(tape.naming.nodes, {root: start}, arrived, create_graph)
        totals |= {x: summed(branches) for x, branches in arrived.items() if x._op is None}
        totals = {x: outgoing(x, g) for x, g in totals.items()}
        stages = {stage.output: stage for stage in tape.stages}
        branches = {x: [_branch(b, stages) for b in reversed(arrived[x])] for x in arrived}
    if not create_graph:
        totals = {x: frozen(np.asarray(g)) for x, g in totals.items()}
    return Gradients(tape, totals, branches)


def summed(arrived: list[Branch]) -> Any:
    """The sum over the branches of a value, in their order. They arrived in reverse."""
    result = arrived[-1].gradient
    for branch in arrived[-2::-1]:
        result = result + branch.gradient
    return result


def outgoing(x: Any, total: Any) -> Any:
    """The total derivative by `x` as the user sees it."""
    return conjugate(hooked(x, total) if x._op is None and x._hooks is not None else total)


def _branch(branch: Branch, stages: dict[Any, Stage]) -> Branch:
    """A branch as the user sees it: its stage is that of the tape, which knows its name."""
    return Branch(stages[branch.stage.output], branch.argument, conjugate(branch.gradient))


def seed(root: Any, gradient: Any, create_graph: bool = False) -> Any:
    """The gradient that arrives at `root`: `gradient`, or 1 for a scalar. A Tensor if the walk is
    to have a tape."""
    if not hasattr(root, "_requires_grad"):
        raise DtypeError(
            "only a Tensor can be differentiated",
            where="gradients",
            expected="a Tensor",
            got=type(root).__name__,
        )
    if not root._requires_grad:
        raise GradientError(
            "there is nothing to differentiate",
            where=f"backward of {root.name or 'this value'}",
            expected="a value computed from Tensors with requires_grad=True, outside no_grad",
            got="one that requires no gradient",
        )
    if gradient is None:
        if root._array.size != 1 or root._array.dtype.kind == "c":
            raise GradientError(
                "only a real scalar can be differentiated without a gradient",
                where=f"backward of {root.name or 'this value'}",
                expected="shape ()",
                got=f"{root.shape} {root.dtype}",
                do="reduce it first, for example with .sum(), or give gradient=",
            )
        gradient = np.ones_like(root._array)
        if not create_graph:
            return gradient
    start = _start(root, gradient, create_graph)
    if start.shape != root.shape:
        raise GradientError(
            "the gradient does not have the value's shape",
            where=f"backward of {root.name or 'this value'}",
            expected=root.shape,
            got=start.shape,
        )
    return conjugate(start)


def _start(root: Any, gradient: Any, create_graph: bool) -> Any:
    """`gradient` in the dtype of `root`; recorded, if it is a Tensor and the walk has a tape."""
    if create_graph and isinstance(gradient, Node):
        return (
            gradient
            if gradient._array.dtype == root._array.dtype
            else gradient.astype(root._array.dtype)
        )  # type: ignore[attr-defined]
    start = np.array(getattr(gradient, "_array", gradient), root._array.dtype)
    return root._leaf(start) if create_graph else start


def _conform(contribution: Any, value: np.ndarray, node: Any, i: int) -> Any:
    """A contribution in the dtype of the value it belongs to. The wrong shape is an error of the
    rule."""
    if contribution.shape != value.shape:
        rule = node._op.rules[0 if node._op.variadic else i].__name__
        raise GradientError(
            "the derivative rule returns the wrong shape",
            where=f"{rule}, for {Stage(node)!r}",
            expected=value.shape,
            got=contribution.shape,
        )
    if contribution.dtype.kind == "c" and value.dtype.kind != "c":
        contribution = contribution.real  # the imaginary part of a real value cannot change
    return contribution if contribution.dtype == value.dtype else contribution.astype(value.dtype)


def _where(node: Any) -> str:
    stage = (
        f"stage {node._op.name}" if node.name is None else f"stage {node.name} = {node._op.name}"
    )
    return stage if node._place.block is None else f"{stage} in block {node._place.block}"


def _spent(node: Any) -> GradientError:
    return GradientError(
        "backward has already run through this graph",
        where=_where(node),
        expected="a graph that was recorded since the last backward",
        do="run forward again, give retain_graph=True to the first backward, or detach() a state "
        "that is carried over; "
        "gradients() changes nothing and can be called again",
    )


def edit_error(x: Any, node: Any) -> GradientError:
    """What is raised where a value is no longer what a stage saw."""
    return GradientError(
        f"{x.name or 'a value'} {x.shape} was edited after the stage had read it, so the "
        "derivative may be wrong",
        where=_where(node),
        do="edit it before forward or after backward, or work on a copy",
    )
