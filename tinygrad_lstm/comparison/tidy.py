"""Formulas without what is only in the way: numbers multiplied, sums of a one-hot."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tinygrad_lstm.comparison.tree import Tree, factors, is_plain, product, times
from tinygrad_lstm.derivation.expression import Apply, Expression, Leaf, apply, number, parts
from tinygrad_lstm.engine.operation import Operation
from tinygrad_lstm.ops.elementwise import greater, greater_equal, less, less_equal
from tinygrad_lstm.ops.loss import one_hot
from tinygrad_lstm.ops.reduce import softmax

__all__ = ["softmax_of", "tidy", "uniform"]

OPPOSITE = {
    "less_equal": greater.op,
    "less": greater_equal.op,
    "greater": less_equal.op,
    "greater_equal": less.op,
}
ONE_HOT = "onehot"  # as it is written on paper: how many classes there are, the shape says


def tidy(
    formula: Expression, exponential: Callable[[Expression], Expression | None] = lambda e: None
) -> Expression:
    """The same formula: the numbers of a product are one number, a sum over a one-hot is 1.

    Parameters
    ----------
    formula : Expression
        The formula.
    exponential : callable, optional
        What the exponential of a part is, where that has a name of its own.
    """
    done: dict[int, Expression] = {}
    for part in parts(formula):
        if isinstance(part, Leaf):
            done[id(part)] = part
            continue
        args = tuple(done[id(arg)] for arg in part.args)
        same = all(a is b for a, b in zip(args, part.args, strict=True))
        other = exponential(args[0]) if part.op.name == "exp" else None
        whole = part if same else apply(part.op, args, part.params, part.shape)
        done[id(part)] = other or _simpler(whole)
    return done[id(formula)]


def softmax_of(x: Any, read: Callable[[Any], Expression]) -> Expression | None:
    """The softmax whose logarithm a value of the tape is; None where it is something else."""
    if x._op is None or x._op.name != "log_softmax":
        return None
    return apply(softmax.op, (read(x._inputs[0]),), x._params, x.shape)


def _simpler(e: Expression) -> Expression:
    if not isinstance(e, Apply):
        return e
    if e.op is one_hot.op and e.params.get("axis", -1) in (-1, len(e.shape) - 1):
        return Apply(
            Operation(partial(one_hot.op.forward, **e.params), ONE_HOT), e.args, {}, e.shape
        )
    if e.op.name == "sum" and isinstance(e.args[0], Apply) and e.args[0].op.name == ONE_HOT:
        return number(np.ones(e.shape))
    if e.op.name == "where":
        return _masked(e)
    if e.op.name == "multiply":
        found = factors(e)
        numbers = [f for f in found if uniform(f)]
        rest = [f for f in found if not uniform(f)]
        value = float(np.prod([np.ravel(n.array)[0] for n in numbers if isinstance(n, Leaf)]))
        inner = product(rest)
        if rest and inner.shape == e.shape and (len(numbers) > 1 or (numbers and value == 1)):
            return inner if value == 1 else times(number(value), inner)
    return e


def _masked(e: Apply) -> Expression:
    """A choice between a gradient and 0 as a product, as it is written on paper."""
    asked, yes, no = e.args
    if not isinstance(asked, Apply):
        return e
    if asked.op.name == "equal" and is_plain(asked.args[1], -np.inf) and no.shape == e.shape:
        return e if Tree(asked).array.any() else no  # what guards against log(0), and is not needed
    if asked.op.name not in OPPOSITE:
        return e
    if is_plain(no, 0) and yes.shape == e.shape:
        return times(yes, asked)
    if is_plain(yes, 0) and no.shape == e.shape:
        return times(no, apply(OPPOSITE[asked.op.name], asked.args, asked.params, asked.shape))
    return e


def uniform(e: Expression) -> bool:
    """Whether it is one real number, in whatever shape."""
    if not isinstance(e, Leaf) or e.name is not None or e.gradient or not np.size(e.array):
        return False
    array = np.asarray(e.array)
    return array.dtype.kind in "iuf" and bool(np.all(array == array.flat[0]))
