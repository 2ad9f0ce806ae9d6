"""The arguments of a call, in one layout: a batch of sequences, blocks first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_lstm.errors import DataError, ShapeError
from tinygrad_lstm.lstm.inputs import check_finite
from tinygrad_lstm.nn.layers import as_tensor, size
from tinygrad_lstm.nn.sequence import Active, Blocks, blocks, filled, running
from tinygrad_lstm.ops.shape import expand_dims, stack, swapaxes
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["Reading", "read"]


@dataclass(frozen=True)
class Reading:
    """A batch of sequences as the cells read it.

    Attributes
    ----------
    x : list of Tensor, or Tensor
        The inputs; see ``sequence.Blocks``.
    active : list of ndarray or None
        Which rows are running in each block.
    rows : int
        N, the rows of the batch.
    batched, batch_first : bool
        How the user has laid it out.
    feed : callable or None
        What makes x<t>, t > 1, of the output before.
    """

    x: Blocks
    active: Active
    rows: int
    batched: bool
    batch_first: bool
    feed: Callable[[Any], Any] | None = None

    def laid_out(self, y: Any) -> Any:
        """Outputs (T, N, H) in the user's layout."""
        if not self.batched:
            return y[:, 0]
        return swapaxes(y, axis1=0, axis2=1) if self.batch_first else y

    def inwards(self, value: Tensor, where: str) -> Tensor:
        """A sequence of the user's, as (T, N, ...)."""
        return _inwards(value, self.batched, self.batch_first)


def read(
    layer: Any,
    x: Any,
    lengths: Any = None,
    steps: int | None = None,
    feed: Any = "zeros",
    listed: bool = True,
) -> Reading:
    """What a layer was called with.

    Raises
    ------
    ShapeError, DataError
        If shapes do not fit, or a number that is read is not finite.
    """
    x = as_tensor(x, layer.dtype)
    batched = x.ndim != 2
    expected = "(N, T, {})" if layer.batch_first else "(T, N, {})"
    if x.ndim not in (2, 3) or x.shape[-1] != layer.input_size or 0 in x.shape:
        raise ShapeError(
            "the shape does not fit this layer, or there is no block to run",
            where=f"{type(layer).__name__}, x",
            expected=f"{expected.format(layer.input_size)}, or (T, {layer.input_size})",
            got=x.shape,
        )
    if x.name is None:
        x.name = "x"
    x = _inwards(x, batched, layer.batch_first)
    rows, count = x.shape[1], len(x) if steps is None else _count(layer, steps, x)
    active = running(_one(lengths, batched), count, rows)
    x = filled(x, active[: len(x)])
    check_finite(x, "x")
    ready, made = blocks(x) if listed or steps is not None else x, None
    if steps is None and feed != "zeros":
        raise DataError(
            "only one to many is fed", where="feed", do="say how many blocks: steps=..."
        )
    if steps is not None:
        ready, made = _continued(ready[0], feed, count)
        ready = ready if listed else stack(ready)
    return Reading(ready, active, rows, batched, layer.batch_first, made)


def _count(layer: Any, steps: Any, x: Tensor) -> int:
    """How many blocks one to many has."""
    if len(x) != 1:
        raise ShapeError(
            "one to many reads one block", where="steps", expected="T = 1", got=f"T = {len(x)}"
        )
    return size(steps, type(layer).__name__, "steps")


def _continued(x: Tensor, feed: Any, count: int) -> tuple[list[Tensor], Any]:
    """The inputs of one to many, and what makes those of later blocks of outputs."""
    if callable(feed):
        return [x] * count, feed
    if feed == "output":
        return [x] * count, lambda output: output
    if feed == "first":
        return [x] * count, None
    if feed != "zeros":
        raise DataError(
            "nothing that later blocks could read",
            where="feed",
            expected='"zeros", "first", "output" or a function',
            got=repr(feed),
        )
    zeros = Tensor(np.zeros((count, *x.shape)), dtype=x.dtype)
    return [x, *blocks(zeros)[1:]], None


def _inwards(x: Tensor, batched: bool, batch_first: bool) -> Tensor:
    """(T, N, ...), whatever the user's layout."""
    if not batched:
        return expand_dims(x, axis=1)  # type: ignore[no-any-return]
    return swapaxes(x, axis1=0, axis2=1) if batch_first else x


def _one(lengths: Any, batched: bool) -> Any:
    """The length of a sequence without a batch may come as a number."""
    return lengths if batched or lengths is None else np.reshape(lengths, -1)
