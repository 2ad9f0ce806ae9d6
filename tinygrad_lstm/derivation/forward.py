"""How a stage of forward propagation is written: in the notation of the derivation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_lstm.derivation.expression import Apply, Leaf, number
from tinygrad_lstm.derivation.notation import TEXT, Notation
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.tape import Stage

__all__ = ["forward"]


def forward(
    stage: Stage, called: Callable[[Any], str], most: int = 8, notation: Notation = TEXT
) -> str:
    """What a stage computes: ``z W_fᵀ + b_f``.

    Parameters
    ----------
    stage : Stage
        The stage.
    called : callable
        What a value that it read is called.
    most : int, default 8
        How many inputs of an operation of any number of them are written; of more the first and the
        last are.
    notation : Notation
        How it is written.
    """
    node = stage.output
    args = [
        Leaf(value, called(x)) if isinstance(x, Node) else number(value)
        for x, value in zip(node._inputs, node._values, strict=True)
    ]
    if node._op.variadic and len(args) > most:
        args = [args[0], replace(args[0], name="…"), args[-1]]
    return replace(notation, arrays=_word).write(
        Apply(node._op, tuple(args), node._params, np.shape(node._array))
    )


def _word(array: Any) -> str:
    return "mask" if array.dtype == bool else "array"
