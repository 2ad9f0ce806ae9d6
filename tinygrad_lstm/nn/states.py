"""The states of a recurrent layer: where its cells start, and what is returned of their end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from tinygrad_lstm.engine.state import drawn
from tinygrad_lstm.errors import ShapeError
from tinygrad_lstm.lstm.inputs import check_finite
from tinygrad_lstm.ops.shape import broadcast_to, stack
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["Start", "initial_states", "last_states"]

Start: TypeAlias = Callable[[int], tuple[Tensor, ...]]
"""The state before the first block of each cell, by the cell's number in PyTorch's order."""


def initial_states(layer: Any, state: Any, reading: Any) -> Start:
    """Where the cells of a layer start.

    Parameters
    ----------
    layer : Recurrent
        What it says of itself: ``initial``, ``noise``, and the sizes.
    state : tuple, array_like, Tensor or None
        What the user gave. For a state that the batch shares, each may be of shape
        (layers * directions, H).

    Raises
    ------
    ShapeError, DataError
        If it does not fit, or is not finite.
    """
    shapes = [(reading.rows, width) for width in layer.widths]
    if state is not None:
        given = _given(layer, state, reading)
    elif layer.initial == "trained":
        given = [getattr(layer, f"{'hc'[i]}_0") for i in range(len(shapes))]
    else:
        return lambda k: tuple(Tensor(_drawn(layer, shape), True) for shape in shapes)

    def start(k: int) -> tuple[Tensor, ...]:
        pieces = zip(given, shapes, strict=True)
        return tuple(_piece(value, k, shape, layer.dtype) for value, shape in pieces)

    return start


def last_states(layer: Any, last: list[tuple[Tensor, ...]], reading: Any) -> Any:
    """The states of all cells, one above the other, as PyTorch returns them."""
    whole = [stack(values) for values in zip(*last, strict=True)]
    whole = whole if reading.batched else [value[:, 0] for value in whole]
    for letter, value in zip("hc", whole, strict=False):
        value.named(f"{letter}_n")
    return tuple(whole) if len(layer.states) > 1 else whole[0]


def _drawn(layer: Any, shape: tuple[int, int]) -> Any:
    """Zeros; in training, noise where the layer wants it, another at each call."""
    if layer.initial == "noisy" and layer.training:
        return drawn(layer.rng.normal, 0, layer.noise, shape).astype(layer.dtype)
    return np.zeros(shape, layer.dtype)


def _given(layer: Any, state: Any, reading: Any) -> list[Any]:
    several = tuple(state) if isinstance(state, (tuple, list)) else (state,)
    where = f"{type(layer).__name__}, state"
    if len(several) != len(layer.states):
        raise ShapeError(
            "the state has another number of values",
            where=where,
            expected="(h_0, c_0)" if len(layer.states) == 2 else "h_0 alone",
            got=f"{len(several)} values",
        )
    cells = layer.num_layers * layer.directions
    found = []
    for letter, value, width in zip("hc", several, layer.widths, strict=False):
        value = value if isinstance(value, Tensor) else Tensor(value, True, dtype=layer.dtype)
        whole = (cells, reading.rows, width)
        if value.shape not in (whole, (cells, width)):
            raise ShapeError(
                "the state does not fit this layer and batch",
                where=where,
                expected=f"{letter}_0 of shape {whole if reading.batched else (cells, width)}",
                got=value.shape,
            )
        check_finite(value, f"{letter}_0")
        found.append(value)
    return found


def _piece(value: Tensor, k: int, shape: tuple[int, int], dtype: Any) -> Tensor:
    """The state of cell k; differentiated in any case, as the derivation asks for it (B17)."""
    piece = value[k] if value.requires_grad else Tensor(value.numpy()[k], True, dtype=dtype)
    return piece if piece.shape == shape else broadcast_to(piece, shape=shape)
