"""What layers and directions are called, and how they are put together."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np

from tinygrad_lstm.engine.recorder import block, scope
from tinygrad_lstm.errors import ShapeError
from tinygrad_lstm.nn.sequence import Blocks
from tinygrad_lstm.ops.shape import concatenate
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["both", "each", "projection", "scopes", "suffix_of"]


def each(function: Callable[..., Any], *sequences: Any) -> Blocks:
    """What a function makes of the entries of every block; of whole Tensors where blocks are
    checkpointed."""
    if isinstance(sequences[0], Tensor):
        return function(*sequences)
    found = []
    for t, entries in enumerate(zip(*sequences, strict=True), 1):
        with block(t):
            found.append(function(*entries))
    return found


def both(forward: Any, reverse: Any) -> Any:
    return concatenate([forward, reverse], axis=-1).named("y")


def suffix_of(k: int, reverse: bool) -> str:
    """What PyTorch appends to the names of a layer's parameters."""
    return f"l{k}_reverse" if reverse else f"l{k}"


def scopes(k: int, reverse: bool = False) -> ExitStack:
    """Where the values of a layer and direction are recorded: nowhere special for the first."""
    stack = ExitStack()
    if k:
        stack.enter_context(scope(f"layer{k + 1}"))
    if reverse:
        stack.enter_context(scope("reverse"))
    return stack


def projection(width: Any, hidden_size: int, name: str) -> int:
    """The width of a projection, or 0."""
    if not isinstance(width, (int, np.integer)) or not 0 <= width < hidden_size:
        raise ShapeError(
            "a projection has fewer units than the layer",
            where=f"{name}(proj_size=...)",
            expected=f"a whole number from 0 to {hidden_size - 1}",
            got=repr(width),
        )
    return int(width)
