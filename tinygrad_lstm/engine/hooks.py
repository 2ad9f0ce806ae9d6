"""Hooks: functions that see, and may replace, the total derivative by a value while backward
runs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinygrad_lstm.engine.arrays import Value
from tinygrad_lstm.engine.memory import array_of, conjugated, read_only
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.errors import GradientError

__all__ = ["Handle", "Hooks", "hooked"]


class Hooks(dict["Handle", Callable[[Value], Value]]):
    """The hooks of one value, in the order in which they were registered.

    Attributes
    ----------
    retain : bool
        Whether ``backward`` fills the value's ``.grad`` although a stage computed it.
    """

    retain = False


class Handle:
    """What :meth:`Tensor.register_hook` returns: :meth:`remove` takes the hook away."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks

    def remove(self) -> None:
        """Take the hook away. A second time does nothing."""
        self._hooks.pop(self, None)


def hooked(node: Node, total: Value) -> Value:
    """`total`, the derivative by `node`, after the hooks of `node` have seen it in turn."""
    for hook in tuple(node._hooks.values()):
        answer = hook(_shown(conjugated(total)))
        if answer is not None:
            total = conjugated(_replacement(node, answer, total))
    return total


def _shown(total: Value) -> Value:
    """What a hook may look at and keep, but not change."""
    return (
        total if isinstance(total, Node) else read_only(np.asarray(total))
    )  # a sum of 0-d arrays is a scalar


def _replacement(node: Node, answer: Value, total: Value) -> Value:
    """What a hook returned, as a gradient of `node`; a Tensor where the walk has a tape."""
    if not (isinstance(total, Node) and isinstance(answer, Node)):
        answer = np.array(array_of(answer), node.dtype)
        answer = node._leaf(answer) if isinstance(total, Node) else answer
    if answer.shape != node.shape:
        raise GradientError(
            "a hook returns a gradient of another shape",
            where=f"hook of {node.name or 'a value'}",
            expected=node.shape,
            got=answer.shape,
        )
    return answer
