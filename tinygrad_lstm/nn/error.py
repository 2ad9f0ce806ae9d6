"""The Error of a sequence, block by block, with rows and blocks that have none."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lstm.engine.memory import by_shape
from tinygrad_lstm.engine.recorder import block
from tinygrad_lstm.errors import DataError, ShapeError
from tinygrad_lstm.lstm.inputs import check_finite
from tinygrad_lstm.nn.layers import as_tensor
from tinygrad_lstm.nn.sequence import blocks, checked
from tinygrad_lstm.ops.elementwise import where
from tinygrad_lstm.ops.loss import squared_error
from tinygrad_lstm.ops.reduce import add_n

__all__ = ["error"]


def error(outputs: list[Any], reading: Any, targets: Any, mask: Any) -> Any:
    """F15 and F16 over the blocks and rows that have a loss; see ``Recurrent.error``."""
    y = outputs[0]
    targets = reading.inwards(as_tensor(targets, y.dtype), "targets")
    expected = (len(outputs), *y.shape)
    if targets.shape != expected:
        raise ShapeError(
            "the targets do not have the outputs' shape",
            where="error, targets",
            expected=f"T, N, H = {expected}",
            got=targets.shape,
        )
    counted = _counted(reading, mask, expected[:2])
    zero, errors = np.zeros((), y.dtype), []
    if not _everywhere(counted):
        targets = where(counted[..., np.newaxis], targets, zero)
    check_finite(targets, "targets")
    for t, (y, target) in enumerate(zip(outputs, blocks(targets), strict=True), 1):
        rows = counted[t - 1]
        if by_shape(rows) or rows.any():
            with block(t):
                if not _everywhere(rows):
                    y = where(rows[:, np.newaxis], y, zero).named("counted")
                errors.append(squared_error(y, target.named("â")).named("Error"))
    return add_n(*errors).named("Error")


def _everywhere(rows: Any) -> bool:
    """Whether all rows are known to have a loss."""
    return not by_shape(rows) and bool(rows.all())


def _counted(reading: Any, mask: Any, shape: tuple[int, ...]) -> Any:
    """Which rows have a loss in which blocks, shape (T, N)."""
    there = np.stack([np.ones(shape[1], bool) if r is None else r for r in reading.active])
    if mask is None:
        return there
    marks = mask if by_shape(mask) else np.asarray(mask)
    if marks.ndim == 2 and reading.batched and reading.batch_first:
        marks = marks.T
    if marks.shape not in (shape, shape[:1]):
        raise _no_mask(marks, shape)
    marks = checked(_marks, marks, shape)
    counted = there & (marks == 1 if marks.ndim == 2 else (marks == 1)[:, np.newaxis])
    return checked(_some, counted)


def _marks(marks: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if not np.isin(marks, (0, 1)).all():
        raise _no_mask(marks, shape)
    return marks


def _no_mask(marks: np.ndarray, shape: tuple[int, ...]) -> ShapeError:
    return ShapeError(
        "a mask says of each block, or of each of its rows, whether it has a loss",
        where="mask",
        expected=f"numbers 0 or 1, of shape {shape[:1]} or {shape}",
        got=marks.shape,
    )


def _some(counted: np.ndarray) -> np.ndarray:
    if not counted.any():
        raise DataError(
            "no block has a loss, so there is no Error", where="mask", expected="at least one 1"
        )
    return counted
