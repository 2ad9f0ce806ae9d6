"""Symbols: the third kind of value that derivative rules run on. What a rule does to them is
recorded, and is the formula."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_lstm.derivation.expression import Apply, Expression, Leaf, apply, leaves, number
from tinygrad_lstm.engine.memory import SCALARS, array_of, fitting
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.operation import Operation
from tinygrad_lstm.engine.recorder import block, recording
from tinygrad_lstm.engine.tape import ancestors
from tinygrad_lstm.engine.walk import guarded
from tinygrad_lstm.errors import Error
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["Symbol", "read", "sent"]


class Symbol(Tensor):
    """A Tensor that records everything that is computed with it, comparisons too, so that it can be
    written down.

    It carries a value, so shapes and choices that depend on values are those of the recorded run.

    Parameters
    ----------
    leaf : Leaf
        What it is called in a formula.
    """

    __slots__ = ("leaf",)
    symbolic = True

    leaf: Leaf

    def __init__(self, leaf: Leaf) -> None:
        Node.__init__(self, np.asarray(leaf.array), True)
        self.leaf = leaf

    @property
    def expression(self) -> Expression:
        """The formula of what was computed."""
        known: dict[Any, Expression] = {}

        def written(x: Any) -> Expression:
            return (
                (known.get(x) if isinstance(x, Node) else None)
                or getattr(x, "leaf", None)
                or number(array_of(x))
            )

        for node in ancestors(
            self
        ):  # in the order in which they ran, so that what is read twice is written down once
            known[node] = apply(
                node._op, tuple(map(written, node._inputs)), node._params, node._array.shape
            )
        return written(self)


def read(node: Any, symbols: Callable[[Any], Any]) -> tuple[Any, ...]:
    """The Symbols of what a stage reads, and its numbers."""
    return tuple(v if isinstance(v, SCALARS) else symbols(v) for v in node._inputs)


def sent(
    node: Any,
    argument: int,
    g: Symbol,
    symbols: Callable[[Any], Any],
    inputs: tuple[Any, ...] | None = None,
) -> tuple[Expression, np.ndarray]:
    """What a stage sends back to one of its arguments: as a formula, and as numbers.

    Parameters
    ----------
    node : Tensor
        The stage's output.
    argument : int
        The position of the argument.
    g : Symbol
        The gradient that arrives at the output.
    symbols : callable
        The Symbol of a value.
    inputs : tuple, optional
        What :func:`read` gives of the stage; a sum of a thousand values asks a thousand times.
    """
    x = node._values[argument]
    inputs = read(node, symbols) if inputs is None else inputs
    output = symbols(node)
    try:
        with recording(True), block(None), np.errstate(divide="ignore", invalid="ignore"):
            result = guarded(node._op, argument, g, output, inputs, node._params)
            result = fitting(result, x.dtype)
        formula, array = result.expression, result._array
        known = not g.leaf.gradient or not array.any()
        if array.shape == x.shape and (known or any(leaf is g.leaf for leaf in leaves(formula))):
            return formula, array
    except (
        Error,
        AttributeError,
        TypeError,
        ValueError,
        IndexError,
    ):  # a rule that works on arrays only
        pass
    return _opaque(node, argument, g, inputs, output)


def _opaque(
    node: Any, argument: int, g: Symbol, inputs: tuple[Any, ...], output: Symbol
) -> tuple[Expression, np.ndarray]:
    """The rule itself as an operation, ``vjp_<rule>(δy, y, inputs)``: for one that cannot be run on
    symbols."""
    op, dtype = node._op, node._values[argument].dtype

    def forward(g: Any, y: Any, *inputs: Any, **params: Any) -> Any:
        g = np.asarray(g, y.dtype)  # a formula may say 1
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(fitting(guarded(op, argument, g, y, inputs, params), dtype))

    if not op.variadic:  # so that its source can be read
        functools.update_wrapper(forward, op.rules[argument])
    array = forward(g._array, output._array, *node._values, **node._params)
    args = (g.leaf, output.leaf, *(i.leaf if isinstance(i, Symbol) else number(i) for i in inputs))
    stage = Operation(forward, f"vjp_{op.rules[argument].__name__}")
    return Apply(stage, args, dict(node._params), array.shape), array
