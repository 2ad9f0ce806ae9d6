"""Batches cut into shards: of arrays, of lists of batches, and of Dask's collections."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_lstm.errors import DataError, DtypeError, ShapeError
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["Axes", "Shard", "cut", "rows_of", "taken"]

Axes = int | Sequence[int | None]
"""The axis of the batch: one for all arguments, or one for each; None for an argument that is
whole in every shard."""


@dataclass(frozen=True)
class Shard:
    """A part of a batch, as it travels to a worker.

    Attributes
    ----------
    number : int
        1 for the first.
    batches : tuple of tuple
        The arguments of the loss, for each batch in it; what is lazy is computed where it runs.
    said : str
        Which rows these are, for messages.
    weight : float, optional
        What its loss is multiplied with.
    """

    number: int
    batches: Any
    said: str
    weight: float | None = None


def cut(arguments: tuple[Any, ...], axis: Axes, count: int) -> list[Shard]:
    """The shards of what a step is called with.

    Parameters
    ----------
    arguments : tuple
        The arguments of the loss: arrays, and Dask arrays, that are cut along `axis`. Or one list
        of batches, each a tuple of arguments; or Dask's delayed values or bag, whose elements are
        such tuples.
    axis : int or sequence of (int or None)
        The axis of the batch.
    count : int
        How many shards arrays are cut into, at most. What comes in pieces has a shard a piece.

    Raises
    ------
    ShapeError
        If the arguments have different numbers of rows, or none.
    DataError
        If a list of batches is empty.
    """
    if len(arguments) == 1 and (pieces := _pieces(arguments[0])) is not None:
        if not pieces:
            raise DataError("there is no batch", where="data_parallel", expected="at least one")
        return [Shard(i, piece, f"batch {i}") for i, piece in enumerate(pieces, 1)]
    axes = _axes(arguments, axis)
    arguments = tuple(x if _is_dask(x) else _array(x) for x in arguments)
    rows = _one_number({i: x.shape[a] for i, (x, a) in _cut_along(arguments, axes)})
    lazy = [(x, a) for _, (x, a) in _cut_along(arguments, axes) if _is_dask(x)]
    bounds = _chunks(*lazy[0]) if lazy else _bounds(rows, min(count, rows))
    return [
        Shard(i, [_part(arguments, axes, start, stop)], f"rows {start} to {stop - 1}")
        for i, (start, stop) in enumerate(bounds, 1)
    ]


def taken(batch: Sequence[Any], axis: Axes, start: int, stop: int) -> tuple[Any, ...]:
    """Some rows of a batch."""
    return _part(tuple(map(_array, batch)), _axes(tuple(batch), axis), start, stop)


def rows_of(batch: Sequence[Any], axis: Axes) -> int:
    """How many rows a batch has.

    Raises
    ------
    ShapeError
        If it has none, or if its arguments disagree.
    """
    axes = _axes(tuple(batch), axis)
    found = {i: np.shape(x)[a] for i, (x, a) in _cut_along(tuple(batch), axes)}
    return _one_number(found)


def _pieces(given: Any) -> list[Any] | None:
    """A list of batches, or the lazy parts of a collection; None for what is an argument itself."""
    if isinstance(given, list) and all(isinstance(b, tuple) or _is_lazy(b) for b in given):
        return [[b] if isinstance(b, tuple) else b for b in given]
    if _is_lazy(given):
        return [given]
    if hasattr(type(given), "to_delayed") and not _is_dask(
        given
    ):  # a bag: a part holds many batches
        return list(given.to_delayed())
    return None


def _is_lazy(x: Any) -> bool:
    kind = type(x)  # a delayed value has every attribute that it is asked for
    return hasattr(kind, "__dask_graph__") and not hasattr(kind, "to_delayed")


def _is_dask(x: Any) -> bool:
    return hasattr(type(x), "__dask_graph__") and hasattr(type(x), "chunks")


def _array(x: Any) -> Any:
    if isinstance(x, Tensor):
        if x.requires_grad:
            raise DtypeError(
                "a batch is data, and this Tensor requires gradients",
                where="data_parallel",
                do="give it in params=, or detach() it",
            )
        return x.numpy()
    return np.asarray(x)


def _axes(arguments: tuple[Any, ...], axis: Axes) -> list[int | None]:
    """The axis of each argument, counted from the front."""
    axes: list[int | None] = [axis] * len(arguments) if isinstance(axis, int) else list(axis)
    if len(axes) != len(arguments):
        expected, got = f"{len(arguments)} axes, one for each argument", len(axes)
        raise ShapeError("the axes do not fit", where="axis", expected=expected, got=got)
    for i, (x, a) in enumerate(zip(arguments, axes, strict=True)):
        dims = np.ndim(x) if not hasattr(x, "ndim") else x.ndim
        if a is not None and not -dims <= a < dims:
            raise ShapeError(
                "there is no such axis",
                where=f"argument {i}",
                expected=f"axis {a}",
                got=f"{dims} axes",
                do="give axis= for each argument, None where it is not cut",
            )
        axes[i] = None if a is None else a % dims
    if all(a is None for a in axes):
        raise ShapeError("nothing is cut", where="axis", expected="the axis of the batch")
    return axes


def _cut_along(
    arguments: tuple[Any, ...], axes: Sequence[int | None]
) -> Iterator[tuple[int, tuple[Any, int]]]:
    pairs = enumerate(zip(arguments, axes, strict=True))
    return ((i, (x, a)) for i, (x, a) in pairs if a is not None)


def _one_number(rows: dict[int, Any]) -> int:
    if any(isinstance(n, float) and math.isnan(n) for n in rows.values()):
        do = "call compute_chunk_sizes() on the Dask array"
        raise ShapeError("the number of rows is not known", where="data_parallel", do=do)
    if len(set(rows.values())) != 1 or 0 in rows.values():
        got = ", ".join(f"{n} in argument {i}" for i, n in rows.items())
        expected = "one number of rows, at least 1, in all arguments that are cut"
        raise ShapeError("no batch", where="data_parallel", expected=expected, got=got)
    return int(next(iter(rows.values())))


def _bounds(rows: int, count: int) -> list[tuple[int, int]]:
    """Where the shards begin and end: as :func:`numpy.array_split` has it."""
    edges = [rows * i // count for i in range(count + 1)]
    return list(itertools.pairwise(edges))


def _chunks(array: Any, axis: int) -> list[tuple[int, int]]:
    """The bounds of the chunks of a Dask array."""
    edges = np.cumsum([0, *array.chunks[axis]]).tolist()
    if 0 in array.chunks[axis]:
        raise ShapeError("a shard without rows", where="data_parallel", do="rechunk the array")
    return list(itertools.pairwise(edges))


def _part(
    arguments: tuple[Any, ...], axes: Sequence[int | None], start: int, stop: int
) -> tuple[Any, ...]:
    def rows(x: Any, a: int | None) -> Any:
        return x if a is None else x[(slice(None),) * a + (slice(start, stop),)]

    return tuple(rows(x, a) for x, a in zip(arguments, axes, strict=True))
