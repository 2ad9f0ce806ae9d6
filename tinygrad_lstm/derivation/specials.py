"""Operations that are written in a way of their own: sums, indices, shapes, transposes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_lstm.derivation.expression import Apply, Leaf
from tinygrad_lstm.derivation.linebreak import width
from tinygrad_lstm.derivation.shown import shown, sliced
from tinygrad_lstm.derivation.signs import ATOM, INDICES, SCOPE, SUM, WIDEST, Pen, Written

__all__ = ["SPECIALS"]


def _added(notation: Pen, e: Apply) -> Written:
    first, *others = (notation(arg, SCOPE if i else SUM) for i, arg in enumerate(e.args))
    minus = notation.ascii("−")
    return Written(
        first
        + "".join(
            f" {minus} {term[1:]}" if term.startswith(minus) else f" + {term}" for term in others
        ),
        SUM,
    )


def _joined(notation: Pen, e: Apply) -> Written:
    """``[a, x]``, where arrays are joined along their last axis."""
    axis = e.params.get("axis", 0)
    if axis not in (-1, len(e.shape) - 1):
        return notation.function(replace(e, params={"axis": axis}))
    return Written(f"[{', '.join(notation(arg, SUM) for arg in e.args)}]", ATOM)


def _products(notation: Pen, e: Apply) -> Written | None:
    return notation.form("scale", e.args) if any(arg.shape == () for arg in e.args) else None


def _transposed(notation: Pen, e: Apply) -> Written | None:
    if len(e.shape) == 2 and e.params.get("axes") is None:
        return notation.form("transpose", e.args)
    if e.op.name == "transpose":
        return None
    axes = ", ".join(notation.ascii(shown(e.params.get(f"axis{i}", -i))) for i in (1, 2))
    return Written(f"{notation.plain('swapaxes')}({notation(e.args[0], SUM)}, {axes})", ATOM)


def _summed(notation: Pen, e: Apply) -> Written | None:
    """``Σ_n v[n, :]``: which axes are summed is seen in the brackets."""
    x, axis = e.args[0], e.params.get("axis")
    if e.params.get("keepdims"):
        return None
    axes = (
        range(len(x.shape))
        if axis is None
        else [i % len(x.shape) for i in np.atleast_1d(axis).tolist()]
    )
    if len(axes) == len(x.shape):
        return notation.form("total", (x,))
    if len(axes) > len(INDICES):
        return None
    letters = dict(zip(axes, INDICES, strict=False))
    key = ", ".join(letters.get(i, ":") for i in range(len(x.shape)))
    names = ", ".join(letters.values())
    sign = rf"\sum_{{{names}}}" if notation.latex else f"Σ_{names.replace(', ', '')}"
    return Written(f"{sign} {notation(x, ATOM)}[{key}]", SCOPE)


def _indexed(notation: Pen, e: Apply) -> Written:
    return Written(
        f"{notation(e.args[0], ATOM)}[{_key(notation, e.params['key'], e.args[0].shape)}]", ATOM
    )


def _scattered(notation: Pen, e: Apply) -> Written:
    key = _key(notation, e.params["key"], e.shape)
    return Written(
        f"{notation.plain('scatter')}({notation(e.args[0], SUM)}, [{key}], {shown(e.shape)})", ATOM
    )


def _reshaped(notation: Pen, e: Apply) -> Written:
    return Written(
        f"{notation.plain(e.op.name)}({notation(e.args[0], SUM)}, {shown(e.shape)})", ATOM
    )


def _key(notation: Pen, key: Any, shape: tuple[int, ...]) -> str:
    parts = key if isinstance(key, tuple) else (key,)
    reads = [
        0
        if part is None or part is ...
        else part.ndim
        if isinstance(part, np.ndarray) and part.dtype == bool
        else 1
        for part in parts
    ]
    axes = [
        sum(reads[:i]) + (len(shape) - sum(reads)) * any(part is ... for part in parts[:i])
        for i in range(len(parts))
    ]
    written = (
        notation.named(part)
        or _position(notation, part, shape[axis] if axis < len(shape) else None)
        for part, axis in zip(parts, axes, strict=True)
    )
    return ", ".join(written) or "()"


def _position(notation: Pen, part: Any, length: int | None) -> str:
    if not isinstance(part, slice):
        text = _counted(notation, part) or shown(part)
        return notation.plain(text) if re.search("[a-z]{2}", text) else notation.ascii(text)
    start, stop = (_counted(notation, bound) or "" for bound in (part.start, part.stop))
    if not stop and part.stop == length:  # to the end
        part = slice(part.start, None, part.step)
    return notation.ascii(sliced(part, start, stop))


def _counted(notation: Pen, i: Any) -> str | None:
    """A position that is counted from the block."""
    return notation.index(i) if notation.index and isinstance(i, int) else None


def _power(notation: Pen, e: Apply) -> Written | None:
    exponent = e.args[1]
    whole = (
        isinstance(exponent, Leaf)
        and exponent.name is None
        and exponent.shape == ()
        and exponent.array == 2
    )
    return notation.form("square", e.args[:1]) if whole else None


def _divided(notation: Pen, e: Apply) -> Written | None:
    """In one line where a fraction would be too wide to be broken."""
    wide = notation.latex and any(width(notation(arg, SUM)) > WIDEST for arg in e.args)
    return notation.form("divide, wide", e.args) if wide else None


def _root(notation: Pen, e: Apply) -> Written | None:
    wide = notation.latex and width(notation(e.args[0], SUM)) > WIDEST
    return notation.form("sqrt, wide", e.args) if wide else None


SPECIALS: dict[str, Callable[[Pen, Apply], Written | None]] = {
    "add_n": _added,
    "concatenate": _joined,
    "multiply": _products,
    "transpose": _transposed,
    "swapaxes": _transposed,
    "sum": _summed,
    "index": _indexed,
    "scatter": _scattered,
    "reshape": _reshaped,
    "broadcast_to": _reshaped,
    "power": _power,
    "divide": _divided,
    "sqrt": _root,
}
