"""Strides, in entries: of arrays in C order, and of views in another shape."""

from __future__ import annotations

import math

from tinygrad_lstm.compiler.graph import Shape, Value

__all__ = ["contiguous", "moved", "repeated", "reshaped"]


def moved(v: Value) -> bool:
    """Whether the entries of a value are those of a transposed one in another shape, which no view
    can have: they are copied."""
    if v.op != "reshape" or v.args[0].op != "transpose":
        return False
    (turned,) = v.args
    inner = contiguous(turned.args[0].shape)
    return reshaped(turned.shape, tuple([inner[i] for i in turned.attrs[0]]), v.shape) is None


def contiguous(shape: Shape) -> Shape:
    """The strides of an array in C order, in entries."""
    return tuple([math.prod(shape[i + 1 :]) for i in range(len(shape))])


def repeated(strides: Shape, own: Shape, shape: Shape) -> Shape:
    """The strides of an array of shape `own` that is broadcast to `shape`."""
    if own == shape:
        return strides
    lead = len(shape) - len(own)
    kept = [s if n == m else 0 for s, n, m in zip(strides, own, shape[lead:], strict=True)]
    return (0,) * lead + tuple(kept)


def reshaped(shape: Shape, strides: Shape, new: Shape) -> Shape | None:
    """The strides of a view in another shape, or None where there is none."""
    if 0 in new:
        return contiguous(new)
    old = [(n, s) for n, s in zip(shape, strides, strict=True) if n != 1]
    out: list[int] = []
    i = 0
    rest, step = 1, 0  # what is left of the run of axes that lie densely
    for length in new:
        if length == 1:
            out.append(0)
            continue
        if rest == 1:
            if i == len(old):
                return None
            rest, step = old[i]
            i += 1
            while i < len(old) and step == old[i][0] * old[i][1]:
                rest, step = rest * old[i][0], old[i][1]
                i += 1
        if rest % length:
            return None
        rest //= length
        out.append(rest * step)
    return tuple(out)
