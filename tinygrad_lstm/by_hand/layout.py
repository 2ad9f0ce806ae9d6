"""How sequences, masks and lengths are laid out: blocks first, then rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lstm.by_hand.arrays import array

__all__ = ["Layout", "running"]


class Layout:
    """The layout of a model's sequences.

    Parameters
    ----------
    batch_first : bool
        Whether the rows of a batch come before its blocks.
    batched : bool
        Whether there is a batch.
    """

    turned: bool
    batched: bool

    def __init__(self, batch_first: bool, batched: bool) -> None:
        self.turned, self.batched = batch_first and batched, batched

    def inwards(self, value: np.ndarray) -> np.ndarray:
        """(T, N, ...) of what the user has."""
        if not self.batched:
            return value[:, np.newaxis]
        return value.swapaxes(0, 1) if self.turned else value

    def outwards(self, value: np.ndarray) -> np.ndarray:
        """What the user has of (T, N, ...)."""
        if not self.batched:
            return value[:, 0]
        return value.swapaxes(0, 1) if self.turned else value

    def marks(self, mask: Any, shape: tuple[int, ...]) -> np.ndarray:
        """Which rows have a loss in which blocks, shape (T, N)."""
        if mask is None:
            return np.ones(shape, bool)
        marks = np.asarray(mask) == 1
        if marks.ndim == 1:
            return np.broadcast_to(marks[:, np.newaxis], shape)
        return np.asarray(marks.T if self.turned else marks)


def running(lengths: Any, steps: int, rows: int) -> np.ndarray:
    """Which rows run in which blocks."""
    if lengths is None:
        return np.ones((steps, rows), bool)
    return np.arange(steps)[:, np.newaxis] < np.reshape(array(lengths), -1)
