"""What a call returns: the loss, and derivatives by name; and how the tape finds them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_lstm.compiler.trace import named
from tinygrad_lstm.engine.backward import outgoing, reverse, seed
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.tape import ancestors
from tinygrad_lstm.errors import DtypeError

__all__ = ["Leaves", "on_tape"]

Array = NDArray[Any]


class Leaves(dict[str, Array]):
    """Derivatives by name, which also answer to the Tensors themselves."""

    def __init__(self, names: Iterable[str], leaves: list[Any], totals: Iterable[Array]) -> None:
        super().__init__(zip(names, totals, strict=True))
        self._leaves = leaves

    def __missing__(self, key: Any) -> Array:
        for name, leaf in zip(self, self._leaves, strict=True):
            if leaf is key:
                return self[name]
        raise KeyError(key)


def on_tape(function: Callable[..., Any], args: Any, kwargs: Any) -> tuple[Any, Leaves]:
    """Loss and derivatives without a program."""
    loss = function(*args, **kwargs)
    if not isinstance(loss, Node):
        raise DtypeError(
            "the compiled function returns no Tensor",
            where="compile",
            expected="a real scalar Tensor",
            got=type(loss).__name__,
        )
    nodes = ancestors(loss)
    totals = reverse(nodes, loss, seed(loss, None))
    leaves = [x for x in totals if x._op is None]
    found = [np.array(outgoing(x, totals[x])) for x in leaves]
    return loss._array[()], Leaves(named(leaves, nodes, loss), leaves, found)
