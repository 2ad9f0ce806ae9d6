"""Operations that pick entries: indexing, gathering, sorting; and the positions that NumPy's
searches return."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_lstm.engine.lazy import Sparse
from tinygrad_lstm.engine.memory import add_at, array_of, by_shape
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.operation import implements, operation
from tinygrad_lstm.errors import ShapeError
from tinygrad_lstm.ops.elementwise import where

__all__ = [
    "argmax",
    "argmin",
    "argsort",
    "argwhere",
    "flatnonzero",
    "index",
    "nonzero",
    "partition",
    "piecewise",
    "scatter",
    "searchsorted",
    "select",
    "sort",
    "take",
    "take_along_axis",
]


def plain(key: Any) -> Any:
    """An index as a stage can keep it: the sequences and Tensors in it become arrays, and arrays
    are copied."""
    if isinstance(key, tuple):
        return tuple(k if isinstance(k, (slice, int)) else positions(k) for k in key)
    return positions(key)


def positions(k: Any) -> Any:
    """One entry of an index. The empty list selects nothing, as in NumPy; as an array it would hold
    floats."""
    if isinstance(k, Node):
        return k._array.copy()
    if isinstance(k, (Sequence, np.ndarray)) and not isinstance(k, str):
        array = np.array(k)
        return array if array.size or isinstance(k, np.ndarray) else array.astype(int)
    return k


@operation(analytic=True, kind="move")
def index(x: Any, key: Any = ...) -> Any:
    """``x[key]``: slices, integers, masks, index arrays, as NumPy's indexing."""
    return x[key]


@index.rule
def index_x(g: Any, y: Any, x: Any, key: Any = ...) -> Any:
    return at(g, key, x.shape)


@operation(analytic=True, kind="move")
def scatter(x: Any, key: Any = ..., shape: Any = ()) -> Any:
    """Zeros of `shape` with `x` added at ``[key]``, repeated indices adding up: the adjoint of
    :func:`index`."""
    out = np.zeros(shape, np.asarray(x).dtype)
    add_at(out, x, key)
    return out


@scatter.rule
def scatter_x(g: Any, y: Any, x: Any, key: Any = ..., shape: Any = ()) -> Any:
    return g[key]


def at(g: Any, key: Any, shape: tuple[int, ...]) -> Any:
    """:func:`scatter`; of an array in short form, so that reading x[0], x[1], ... is linear in
    backward."""
    if not (type(g) is np.ndarray or by_shape(g)) or not shape:
        return scatter(g, key=key, shape=shape)
    return Sparse(g, key, shape)


def send_back(g: Any, x: Any, move: Callable[..., Any], *how: Any) -> Any:
    """The gradient `g` of ``move(x, *how)``, where `move` only moves and repeats entries.

    Applied to the numbers of the entries, `move` tells where each entry of its result came from.
    """
    came_from = move(np.arange(x.size).reshape(x.shape), *how)
    return scatter(g, key=came_from, shape=(x.size,)).reshape(x.shape)


@operation(name="take", analytic=True, kind="move")
def taken(x: Any, indices: Any = None, axis: Any = None, mode: str = "raise") -> Any:
    return np.take(x, indices, axis, mode=mode)  # type: ignore[call-overload]


@taken.rule
def take_x(
    g: Any, y: Any, x: Any, indices: Any = None, axis: Any = None, mode: str = "raise"
) -> Any:
    return send_back(g, x, np.take, indices, axis, None, mode)


@implements(np.take)
def take(a: Any, indices: Any, axis: int | None = None, mode: str = "raise") -> Any:
    """The entries at `indices` along `axis`, or of all entries in order, as :func:`numpy.take`.

    Parameters
    ----------
    a : Tensor or array_like
        Where entries are taken from.
    indices : array_like of int
        Which. Those that occur more than once receive the sum of their gradients.
    axis : int, optional
        The axis. All entries, in order, by default.
    mode : {"raise", "wrap", "clip"}
        What becomes of indices out of range.

    Returns
    -------
    Tensor or ndarray

    Raises
    ------
    IndexingError
        If an index is out of range.
    """
    return taken(a, indices=positions(indices), axis=axis, mode=mode)


@operation(name="take_along_axis", analytic=True, kind="move")
def taken_along_axis(x: Any, indices: Any = None, axis: Any = -1) -> Any:
    return np.take_along_axis(x, indices, axis)


@taken_along_axis.rule
def take_along_axis_x(g: Any, y: Any, x: Any, indices: Any = None, axis: Any = -1) -> Any:
    return send_back(g, x, np.take_along_axis, indices, axis)


@implements(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    """The entries at the positions `indices` along `axis`, line by line, as
    :func:`numpy.take_along_axis`.

    Parameters
    ----------
    arr : Tensor or array_like
        Where entries are taken from; what PyTorch calls gather.
    indices : array_like of int
        With as many axes as `arr`, such as :func:`argsort` and :func:`argmax` with
        ``keepdims=True`` return.
    axis : int or None, default -1
        The axis. None stands for all entries in order.

    Returns
    -------
    Tensor or ndarray, of the shape of `indices` along `axis`
    """
    return taken_along_axis(arr, indices=positions(indices), axis=axis)


@implements(np.partition)
def partition(
    a: Any, kth: Any, axis: int | None = -1, kind: str = "introselect", order: None = None
) -> Any:
    """The entries in such an order that those at `kth` stand where sorting puts them, as
    :func:`numpy.partition`, which knows one `kind` and no `order`. The gradient goes back to where
    an entry came from."""
    places = np.argpartition(array_of(a), kth, axis=axis)
    return take_along_axis(a, places, axis=axis)


@operation(name="sort", kind="move")
def in_order(x: Any, axis: Any = -1) -> Any:
    return np.sort(x, axis, kind="stable")


@in_order.rule
def sort_x(g: Any, y: Any, x: Any, axis: Any = -1) -> Any:
    return send_back(g, x, sorted_as, array_of(x), axis)


def sorted_as(numbers: Any, x: Any, axis: int | None) -> Any:
    """`numbers` in the order in which a stable sort puts `x`."""
    return np.take_along_axis(numbers, np.argsort(x, axis, kind="stable"), axis)


@implements(np.sort)
def sort(
    a: Any,
    axis: int | None = -1,
    kind: str | None = None,
    order: None = None,
    *,
    stable: bool | None = None,
) -> Any:
    """The entries in ascending order, as :func:`numpy.sort`.

    The sort is stable whatever `kind` says, and the gradient goes back along the permutation: of
    equal entries the one that stands first receives what arrives at the first of them. (Ties are
    not shared as in a maximum: the sum over tied entries is the same.)

    Parameters
    ----------
    a : Tensor or array_like
        What is sorted.
    axis : int or None, default -1
        The axis. None sorts all entries as one row.
    kind, order, stable
        For NumPy's signature. They change nothing: there is one result.

    Returns
    -------
    Tensor or ndarray
    """
    return in_order(a, axis=axis)


# Positions: constants, whatever they were found in.


@operation(np.argsort)
def argsort(
    x: Any, axis: int | None = -1, kind: Any = None, order: None = None, stable: bool | None = None
) -> Any:
    """The positions that put `x` in order, as :func:`numpy.argsort`; always by a stable sort. A
    constant."""
    return np.argsort(x, axis, kind="stable")


@operation(np.argmax, kind="reduction")
def argmax(x: Any, axis: int | None = None, *, keepdims: bool = False) -> Any:
    """The position of the first largest entry, as :func:`numpy.argmax`. A constant."""
    return np.argmax(x, axis, keepdims=keepdims)


@operation(np.argmin, kind="reduction")
def argmin(x: Any, axis: int | None = None, *, keepdims: bool = False) -> Any:
    """The position of the first smallest entry, as :func:`numpy.argmin`. A constant."""
    return np.argmin(x, axis, keepdims=keepdims)


@operation(np.argwhere)
def argwhere(x: Any) -> Any:
    """The positions of the entries that are not zero, a row for each, as :func:`numpy.argwhere`. A
    constant."""
    return np.argwhere(x)


@operation(np.flatnonzero)
def flatnonzero(x: Any) -> Any:
    """The positions in ``x.ravel()`` of the entries that are not zero, as
    :func:`numpy.flatnonzero`. A constant."""
    return np.flatnonzero(x)


@implements(np.nonzero)
def nonzero(x: Any) -> Any:
    """The positions of the entries that are not zero, an array for each axis, as
    :func:`numpy.nonzero`. Constants."""
    return np.nonzero(array_of(x))


@operation(np.searchsorted)
def searchsorted(a: Any, v: Any, side: Any = "left", sorter: Any = None) -> Any:
    """Where `v` would keep the ascending `a` in order, as :func:`numpy.searchsorted`. A
    constant."""
    return np.searchsorted(a, v, side, positions(sorter))


# Choices.


@implements(np.select)
def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    """Of each entry the first choice whose condition holds, as :func:`numpy.select`.

    Parameters
    ----------
    condlist : sequence of array_like of bool
        The conditions.
    choicelist : sequence of Tensor or array_like
        The choices; what is not chosen receives no gradient.
    default : Tensor or array_like, default 0
        Where no condition holds.

    Returns
    -------
    Tensor or ndarray

    Raises
    ------
    ShapeError
        If there is not one choice for each condition.
    """
    if len(condlist) != len(choicelist) or not condlist:
        got = f"{len(condlist)} conditions, {len(choicelist)} choices"
        raise ShapeError("a choice for each condition, at least one", where="select", got=got)
    found = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        found = where(condition, choice, found)
    return found


@implements(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
    """A function in pieces, as :func:`numpy.piecewise`: each piece sees only the entries that are
    its own.

    Parameters
    ----------
    x : Tensor or array_like
        The argument.
    condlist : sequence of array_like of bool, or one
        Where each piece holds; of several the last one counts.
    funclist : sequence of callable or number
        The pieces; one more than conditions for the rest, which is 0 otherwise.
    *args, **kwargs
        What the pieces are called with besides.

    Returns
    -------
    Tensor or ndarray
        Of the shape of `x`.
    """
    conditions: Any = np.asarray(array_of(condlist), bool)
    conditions = conditions[np.newaxis] if conditions.shape == np.shape(x) else conditions
    if len(funclist) == len(conditions) + 1:
        conditions = np.concatenate([conditions, ~conditions.any(axis=0, keepdims=True)])
    if len(funclist) != len(conditions):
        got = f"{len(conditions)} conditions, {len(funclist)} pieces"
        raise ShapeError("a piece for each condition, and one more", where="piecewise", got=got)
    found = np.zeros(np.shape(x), array_of(x).dtype)
    for holds, piece in zip(conditions, funclist, strict=True):
        if not holds.any():
            continue
        inside = index(x, key=holds)
        value = piece(inside, *args, **kwargs) if callable(piece) else piece
        value = value + 0 * inside  # a number is a value for each entry
        found = where(holds, scatter(value, key=holds, shape=np.shape(x)), found)
    return found
