"""Formulas as they are written on paper: without what NumPy does by itself."""

from __future__ import annotations

import numpy as np

from tinygrad_lstm.comparison.tidy import uniform
from tinygrad_lstm.derivation.expression import Apply, Expression, Leaf, number, parts
from tinygrad_lstm.derivation.notation import TEXT
from tinygrad_lstm.derivation.signs import SIGN

__all__ = ["as_term", "on_paper"]


def on_paper(e: Expression) -> str:
    """A formula as text."""
    return TEXT.write(_row(e))


def as_term(e: Expression) -> str:
    """A formula as text, beside which a sign may stand."""
    return TEXT(_row(e), SIGN)


def _row(e: Expression) -> Expression:
    """The formula of a whole row: what has fewer axes is spread along those of the row too, as
    where it is added to it."""
    once = _once(e)
    if not isinstance(e, Apply) or e.op.name != "add_n":
        return once[id(e)]
    terms = tuple(once[id(term)] for term in e.args)
    return Apply(e.op, terms, e.params, e.shape)


def _once(e: Expression) -> dict[int, Expression]:
    """The parts of a formula, by their ``id``, as they are before they are spread; in them, what is
    spread along the axes of what it is added to or multiplied with, or is one number repeated, is
    written once."""
    whole: dict[int, Expression] = {}
    once: dict[int, Expression] = {}
    for part in parts(e):
        key = id(part)
        whole[key] = once[key] = part
        if isinstance(part, Leaf):
            once[key] = number(np.ravel(part.array)[0]) if uniform(part) else part
            continue
        args = [whole[id(arg)] for arg in part.args]
        if part.op.elementwise:
            narrow = [once[id(arg)] for arg in part.args]
            once[key] = _again(part, narrow, np.broadcast_shapes(*(a.shape for a in narrow)))
            for k, arg in enumerate(narrow):
                others = [a.shape for a in (*args[:k], *args[k + 1 :])]
                if others and np.broadcast_shapes(arg.shape, *others) == part.shape:
                    args[k] = arg
        whole[key] = _again(part, args, part.shape)
        if part.op.name == "broadcast_to":
            once[key] = once[id(part.args[0])]
        elif not part.op.elementwise:
            once[key] = whole[key]
    return once


def _again(part: Apply, args: list[Expression], shape: tuple[int, ...]) -> Expression:
    """An operation on other arguments."""
    same = all(a is b for a, b in zip(args, part.args, strict=True))
    return part if same else Apply(part.op, tuple(args), part.params, shape)
