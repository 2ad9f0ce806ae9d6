"""Operations that put entries into other places, repeat them, or put zeros around them and in their
place."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lstm.engine.operation import implements, operation, unbroadcast
from tinygrad_lstm.errors import ShapeError
from tinygrad_lstm.ops.select import positions, send_back
from tinygrad_lstm.ops.shape import ravel

__all__ = [
    "diag",
    "diagflat",
    "diagonal",
    "flip",
    "fliplr",
    "flipud",
    "pad",
    "repeat",
    "roll",
    "rot90",
    "tile",
    "tril",
    "triu",
]


@operation(np.flip, analytic=True, kind="move")
def flip(x: Any, axis: Any = None) -> Any:
    """The entries in reverse order along `axis` (one, several, or all), as :func:`numpy.flip`."""
    return np.flip(x, axis)


@flip.rule
def flip_x(g: Any, y: Any, x: Any, axis: Any = None) -> Any:
    return np.flip(g, axis)


@implements(np.flipud)
def flipud(m: Any) -> Any:
    """The rows in reverse order, as :func:`numpy.flipud`: the stage :func:`flip`."""
    return flip(m, axis=0)


@implements(np.fliplr)
def fliplr(m: Any) -> Any:
    """The columns in reverse order, as :func:`numpy.fliplr`: the stage :func:`flip`."""
    return flip(m, axis=1)


@operation(np.rot90, analytic=True, kind="move")
def rot90(x: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    """`x` turned by `k` quarters in the plane of two axes, as :func:`numpy.rot90`."""
    return np.rot90(x, k, axes)


@rot90.rule
def rot90_x(g: Any, y: Any, x: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    return np.rot90(g, -k, axes)


@operation(name="roll", analytic=True, kind="move")
def rolled(x: Any, shift: Any = None, axis: Any = None) -> Any:
    return np.roll(x, shift, axis)


@rolled.rule
def roll_x(g: Any, y: Any, x: Any, shift: Any = None, axis: Any = None) -> Any:
    return np.roll(g, np.negative(shift), axis)


@implements(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    """The entries moved on by `shift` places, those at the end coming in at the front, as
    :func:`numpy.roll`."""
    return rolled(a, shift=positions(shift), axis=axis)


@operation(name="repeat", analytic=True, kind="move")
def repeated(x: Any, repeats: Any = None, axis: Any = None) -> Any:
    return np.repeat(x, repeats, axis)


@repeated.rule
def repeat_x(g: Any, y: Any, x: Any, repeats: Any = None, axis: Any = None) -> Any:
    return send_back(g, x, np.repeat, repeats, axis)


@implements(np.repeat)
def repeat(a: Any, repeats: Any, axis: int | None = None) -> Any:
    """Each entry several times in a row, as :func:`numpy.repeat`.

    Parameters
    ----------
    a : Tensor or array_like
        What is repeated.
    repeats : int or array_like of int
        How often, for all entries or for each along `axis`.
    axis : int, optional
        The axis. All entries as one row by default.

    Returns
    -------
    Tensor or ndarray
    """
    return repeated(a, repeats=positions(repeats), axis=axis)


@operation(name="tile", analytic=True, kind="move")
def tiled(x: Any, reps: Any = None) -> Any:
    return np.tile(x, reps)


@tiled.rule
def tile_x(g: Any, y: Any, x: Any, reps: Any = None) -> Any:
    return send_back(g, x, np.tile, reps)


@implements(np.tile)
def tile(A: Any, reps: Any) -> Any:
    """`A` laid out `reps` times along each axis, as :func:`numpy.tile`."""
    return tiled(A, reps=positions(reps))


MOVES = ("edge", "reflect", "symmetric", "wrap")


@operation(name="pad", kind="move")
def padded(x: Any, pad_width: Any = None, mode: str = "constant", **options: Any) -> Any:
    return np.pad(x, pad_width, mode, **options)  # type: ignore[call-overload]


@padded.rule
def pad_x(
    g: Any, y: Any, x: Any, pad_width: Any = None, mode: str = "constant", **options: Any
) -> Any:
    if mode == "constant":
        return g[np.pad(np.ones(x.shape, bool), pad_width)].reshape(x.shape)
    return send_back(g, x, np.pad, pad_width, mode)


@implements(np.pad)
def pad(array: Any, pad_width: Any, mode: str = "constant", **options: Any) -> Any:
    """`array` with more entries around it, as :func:`numpy.pad`.

    Parameters
    ----------
    array : Tensor or array_like
        What is padded.
    pad_width : int, sequence or dict
        How many entries come before and after each axis.
    mode : {"constant", "edge", "reflect", "symmetric", "wrap"}
        What the new entries are. Those of ``"constant"`` are ``constant_values=0``, without a
        gradient; the others are copies of entries, which receive their gradients.

    Returns
    -------
    Tensor or ndarray

    Raises
    ------
    ShapeError
        For another mode, or ``reflect_type="odd"``.
    """
    if mode not in ("constant", *MOVES) or options.get("reflect_type", "even") != "even":
        raise ShapeError(
            "there is no derivative rule for this way of padding",
            where="pad",
            expected=f"mode constant, {', '.join(MOVES)}",
            got=f"mode={mode!r}, {options}",
        )
    return padded(array, pad_width=positions(pad_width), mode=mode, **options)


@operation(np.tril, analytic=True, kind="move")
def tril(x: Any, k: int = 0) -> Any:
    """The lower triangle up to diagonal `k`, with zeros above it, as :func:`numpy.tril`."""
    return np.tril(x, k)


@tril.rule
def tril_x(g: Any, y: Any, x: Any, k: int = 0) -> Any:
    return unbroadcast(np.tril(g, k), x)  # NumPy makes a matrix of a row


@operation(np.triu, analytic=True, kind="move")
def triu(x: Any, k: int = 0) -> Any:
    """The upper triangle from diagonal `k`, with zeros below it, as :func:`numpy.triu`."""
    return np.triu(x, k)


@triu.rule
def triu_x(g: Any, y: Any, x: Any, k: int = 0) -> Any:
    return unbroadcast(np.triu(g, k), x)


@operation(np.diag, analytic=True, kind="move")
def diag(x: Any, k: int = 0) -> Any:
    """The matrix with the vector `x` on diagonal `k`, or that diagonal of the matrix `x`, as
    :func:`numpy.diag`."""
    return np.diag(x, k)


@diag.rule
def diag_x(g: Any, y: Any, x: Any, k: int = 0) -> Any:
    return np.diag(g, k) if x.ndim == 1 else send_back(g, x, np.diag, k)


@implements(np.diagflat)
def diagflat(v: Any, k: int = 0) -> Any:
    """The matrix with all entries of `v` on diagonal `k`, as :func:`numpy.diagflat`: :func:`ravel`,
    then :func:`diag`."""
    return diag(ravel(v), k=k)


@operation(np.diagonal, analytic=True, kind="move")
def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The diagonal of the matrices in the axes `axis1` and `axis2`, as a new last axis, as
    :func:`numpy.diagonal`."""
    return np.diagonal(x, offset, axis1, axis2)


@diagonal.rule
def diagonal_x(g: Any, y: Any, x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    return send_back(g, x, np.diagonal, offset, axis1, axis2)


@implements(np.linalg.diagonal)
def _matrix_diagonal(x: Any, /, *, offset: int = 0) -> Any:
    return diagonal(x, offset=offset, axis1=-2, axis2=-1)
