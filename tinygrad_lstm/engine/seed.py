"""What backward starts with: the gradient that arrives at the value that is differentiated."""

from __future__ import annotations

import numpy as np

from tinygrad_lstm.engine.arrays import Value
from tinygrad_lstm.engine.memory import array_of, conjugated, own
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.errors import DtypeError, GradientError

__all__ = ["seed"]


def seed(root: Node, gradient: Value, create_graph: bool = False) -> Value:
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
        gradient = np.ones(root._array.shape, root._array.dtype)
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
    return conjugated(start)


def _start(root: Node, gradient: Value, create_graph: bool) -> Value:
    """`gradient` in the dtype of `root`; recorded, if it is a Tensor and the walk has a tape."""
    if create_graph and isinstance(gradient, Node):
        same = gradient._array.dtype == root._array.dtype
        return gradient if same else gradient.astype(root._array.dtype)
    dtype, given = root._array.dtype, array_of(gradient)
    start = own(given)
    if start.dtype.kind == "c" and dtype.kind != "c":
        raise DtypeError(
            "the gradient of a real value is real",
            where=f"backward of {root.name or 'this value'}",
            expected=dtype,
            got=start.dtype,
        )
    start = start.astype(dtype)
    return root._leaf(start) if create_graph else start
