"""What a recurrent layer is given: its blocks, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_lstm.engine.memory import finite as all_finite
from tinygrad_lstm.errors import DataError, ShapeError
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["at", "check_finite", "has_loss"]


def at(sequence: Tensor, t: int) -> Any:
    """Block t's entry of a sequence: a stage only where the sequence is differentiated."""
    return sequence[t - 1] if sequence.requires_grad else sequence._leaf(sequence._kept()[t - 1])


def check_finite(tensor: Tensor, name: str, blocks: Sequence[Any] | None = None) -> None:
    """Refuse NaN and inf; of the rows of `tensor` only those count that `blocks` marks, if it is
    given."""
    if not all_finite(tensor):
        finite = np.isfinite(tensor._array)
        finite = finite if blocks is None else (finite.T | (np.asarray(blocks) == 0)).T
        for at in np.argwhere(~finite)[:1].tolist():
            where = f"{name}[{', '.join(map(str, at))}]"
            raise DataError(
                f"{tensor._array[tuple(at)]} in the data",
                where=where,
                expected="finite numbers",
                do="remove or fill it",
            )


def has_loss(mask: Sequence[Any], steps: int) -> np.ndarray:
    marks = np.asarray(mask)
    if marks.shape != (steps,) or not np.isin(marks, (0, 1)).all():
        raise ShapeError(
            "a mask says of each block whether it has a loss",
            where="mask",
            expected=f"{steps} numbers, each 0 or 1",
            got=repr(mask),
        )
    if not marks.any():
        raise DataError(
            "no block has a loss, so there is no Error",
            where="mask",
            expected="at least one 1",
            got=repr(mask),
        )
    return marks
