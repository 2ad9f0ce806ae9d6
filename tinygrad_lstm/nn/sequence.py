"""What a recurrent layer reads: blocks, and which rows of the batch are still running in each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from tinygrad_lstm.engine.memory import array_of, by_shape
from tinygrad_lstm.engine.recorder import block
from tinygrad_lstm.errors import DtypeError, ShapeError
from tinygrad_lstm.lstm.inputs import at
from tinygrad_lstm.ops.elementwise import where
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["Active", "Blocks", "blocks", "checked", "filled", "running"]

Blocks: TypeAlias = Any
"""A list of x<1> .. x<T>, or one Tensor of shape (T, N, D) where blocks are checkpointed."""
Active: TypeAlias = Sequence[np.ndarray | None]
"""For each block the rows that are running, shape (N,); None where all are."""


def running(lengths: Any, steps: int, rows: int) -> Active:
    """Which rows run in which blocks, from their lengths.

    Raises
    ------
    ShapeError, DtypeError
        Unless there is a whole number from 1 to T for each row.
    """
    if lengths is None:
        return [None] * steps
    lengths = array_of(lengths)
    unknown = by_shape(lengths) and lengths.ndim == 1
    lengths = lengths if unknown else np.asarray(lengths)
    if lengths.dtype.kind not in "iu":
        raise DtypeError(
            "a length counts blocks",
            where="lengths",
            expected="whole numbers",
            got=lengths.dtype,
        )
    lengths = checked(_fitting, lengths, steps, rows)
    shortest = 0 if unknown else int(lengths.min())
    return [None if t <= shortest else lengths >= t for t in range(1, steps + 1)]


def checked(check: Callable[..., np.ndarray], x: Any, *more: Any) -> Any:
    """``check(x, *more)``, which raises or returns `x`. Where only its shape is known as yet, a
    function of NumPy's is recorded, which checks the numbers each time that there are some."""
    if not by_shape(x):
        return check(x, *more)
    return np.apply_along_axis(check, 0, np.reshape(x, -1), *more).reshape(x.shape)


def _fitting(lengths: np.ndarray, steps: int, rows: int) -> np.ndarray:
    """The lengths, if they fit."""
    if lengths.shape != (rows,) or lengths.min() < 1 or lengths.max() > steps:
        raise ShapeError(
            "the lengths do not fit the batch",
            where="lengths",
            expected=f"{rows} whole numbers, each from 1 to {steps}",
            got=lengths.tolist(),
        )
    return lengths


def filled(x: Tensor, active: Active) -> Tensor:
    """The inputs with zeros for padding, so that nothing that stands there is read."""
    if all(rows is None for rows in active):
        return x
    there = np.stack([np.ones(x.shape[1], bool) if rows is None else rows for rows in active])
    zero = np.zeros((), x.dtype)
    found: Tensor = where(there.reshape(*there.shape, *(1,) * (x.ndim - 2)), x, zero)
    return found


def blocks(x: Tensor) -> list[Tensor]:
    """x<1> .. x<T>: stages only where x is differentiated."""
    found = []
    for t in range(1, len(x) + 1):
        with block(t):
            found.append(at(x, t).named("x"))
    return found
