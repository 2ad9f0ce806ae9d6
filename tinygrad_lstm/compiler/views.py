"""Where values lie in the arena, and arrays that are yet to be made there."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinygrad_lstm.compiler.graph import Dtype, Shape, Value
from tinygrad_lstm.compiler.strides import contiguous, repeated

__all__ = ["Copy", "Place", "View"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value lies: its first byte in the arena, and its strides, in entries."""

    offset: int
    strides: Shape


@dataclass(frozen=True, slots=True)
class Copy:
    """A value that is written to a second place."""

    source: Value
    place: Place


class View(NamedTuple):
    """An array of the arena.

    Attributes
    ----------
    offset : int
        Its first byte.
    shape : tuple of int
    strides : tuple of int
        In bytes.
    dtype
    """

    offset: int
    shape: Shape
    strides: Shape
    dtype: Dtype

    def made(self, arena: NDArray[np.uint8]) -> NDArray[Any]:
        """The array."""
        return np.ndarray(self.shape, self.dtype, arena, self.offset, self.strides)

    def cut(self, bounds: Iterable[tuple[int, int]]) -> View:
        """A part of it, with bounds for the first axes."""
        offset, shape = self.offset, list(self.shape)
        for axis, (low, high) in enumerate(bounds):
            offset += low * self.strides[axis]
            shape[axis] = high - low
        return View(offset, tuple(shape), self.strides, self.dtype)

    def row(self, i: int) -> View:
        """One entry along the first axis."""
        offset = self.offset + i * self.strides[0]
        return View(offset, self.shape[1:], self.strides[1:], self.dtype)

    def spread(self, shape: Shape) -> View:
        """As :func:`numpy.broadcast_to`."""
        return View(self.offset, shape, repeated(self.strides, self.shape, shape), self.dtype)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def dense(self) -> bool:
        """Whether its entries follow one another, in C order."""
        steps = zip(self.shape, self.strides, contiguous(self.shape), strict=True)
        return all(n == 1 or s == entries * self.dtype.itemsize for n, s, entries in steps)
