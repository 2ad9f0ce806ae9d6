"""What is said of a stage through which backward cannot go."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tinygrad_lstm.engine.arrays import Value
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.stage import Stage
from tinygrad_lstm.errors import GradientError

__all__ = ["check_grad", "check_unspent", "edit_error", "shape_error"]


def _place(node: Node) -> str:
    """The stage of `node` and its block, for an error."""
    stage = (
        f"stage {node._op.name}" if node.name is None else f"stage {node.name} = {node._op.name}"
    )
    return stage if node._place.block is None else f"{stage} in block {node._place.block}"


def edit_error(x: Node, node: Node) -> GradientError:
    """A value is no longer what the stage of `node` read."""
    return GradientError(
        f"{x.name or 'a value'} {x.shape} was edited after the stage had read it, so the "
        "derivative may be wrong",
        where=_place(node),
        do="edit it before forward or after backward, or work on a copy",
    )


def check_grad(x: Node, total: Value) -> None:
    """Raise if what stands in ``.grad`` is no gradient of `x`, to which `total` could be added."""
    if x.grad is not None and np.shape(x.grad) != total.shape:
        raise GradientError(
            "there is a gradient of another shape already",
            where=f"{x.name or 'a leaf'}.grad",
            expected=total.shape,
            got=np.shape(x.grad),
            do="call zero_grad() first",
        )


def check_unspent(nodes: Iterable[Node]) -> None:
    """Raise if backward has run through one of the stages."""
    for node in nodes:
        if node._spent:
            raise _spent_error(node)


def _spent_error(node: Node) -> GradientError:
    """Backward has run through the stage of `node`."""
    return GradientError(
        "backward has already run through this graph",
        where=_place(node),
        expected="a graph that was recorded since the last backward",
        do="run forward again, give retain_graph=True to the first backward, or detach() a state "
        "that is carried over; "
        "gradients() changes nothing and can be called again",
    )


def shape_error(contribution: Value, node: Node, argument: int) -> GradientError:
    """A rule of the stage of `node` returns something of another shape than its argument."""
    return GradientError(
        "the derivative rule returns the wrong shape",
        where=f"{node._op.rules[argument].__name__}, for {Stage(node)!r}",
        expected=node._values[argument].shape,
        got=contribution.shape,
    )
