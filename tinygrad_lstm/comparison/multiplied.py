"""Formulas as they are written at the end of a derivation: multiplied out, what cancels left out,
common factors in front."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lstm.comparison.axes import summed_over
from tinygrad_lstm.comparison.equal import CLOSE, Values
from tinygrad_lstm.comparison.tree import (
    factors,
    inverse,
    product,
    spread,
    summed_up,
    times,
)
from tinygrad_lstm.derivation.expression import Apply, Expression, Leaf, apply, number
from tinygrad_lstm.ops.elementwise import divide
from tinygrad_lstm.ops.reduce import mean
from tinygrad_lstm.ops.shape import reshape

__all__ = ["Multiplied", "TooMany"]

MOST = 24  # terms


class TooMany(ValueError):
    """The formula has too many terms to be written like this."""


class Term(NamedTuple):
    """A number and factors, which are multiplied entry by entry."""

    number: float
    factors: tuple[Expression, ...]


class Multiplied:
    """A formula as a sum of products.

    Parameters
    ----------
    formula : Expression
        The formula.
    known : iterable of Leaf
        Values that stand for what they equal.

    Raises
    ------
    TooMany
        If there are too many terms, or parts of shapes that cannot be multiplied out.
    """

    def __init__(self, formula: Expression, known: Iterable[Leaf]) -> None:
        self._shape, self._values = formula.shape, Values(known)
        every = self._multiplied(formula)
        self._terms = self._like(every)
        own = [self._counts(t) for t in self._terms]
        self._cancelled = [t for t in every if self._counts(t) not in own and t.number]

    @property
    def formula(self) -> Expression:
        """Terms with common factors together."""
        return spread(self._collected(self._terms), self._shape)

    @property
    def terms(self) -> list[Expression]:
        """Each term by itself, those that cancel too."""
        every = (*self._terms, *self._cancelled)
        return [spread(summed_up([self._written(t)]), self._shape) for t in every]

    # Terms.

    def _multiplied(self, e: Expression) -> list[Term]:
        """The terms of a part, each with its factors."""
        if not isinstance(e, Apply) or not self._values.sends(e):
            return [self._term(1.0, factors(e))]
        name, args = e.op.name, e.args
        if name in ("add", "add_n", "subtract", "negative"):
            signs = (
                (1, -1) if name == "subtract" else (-1 if name == "negative" else 1,) * len(args)
            )
            signed = zip(signs, map(self._multiplied, args), strict=True)
            return [Term(sign * t.number, t.factors) for sign, terms in signed for t in terms]
        if name == "multiply" or (name == "divide" and not self._values.sends(args[1])):
            one = self._multiplied(args[0])
            down = [self._term(1.0, map(inverse, factors(args[1])))]
            other = down if name == "divide" else self._multiplied(args[1])
            if len(one) * len(other) > MOST:
                raise TooMany
            pairs = itertools.product(one, other)
            return [self._term(a.number * b.number, a.factors + b.factors) for a, b in pairs]
        if name in ("sum", "mean"):
            return self._summed(e)
        if name == "broadcast_to":
            return self._multiplied(args[0])
        if name == "scatter":
            return [self._placed(t, e) for t in self._multiplied(args[0])]
        if name == "reshape" and _long(e.shape) == _long(args[0].shape):
            return [self._reshaped(t, e) for t in self._multiplied(args[0])]
        return [Term(1.0, (e,))]

    def _term(self, value: float, found: Iterable[Expression]) -> Term:
        """A term without factors that are one number, or undo each other, and with the values of
        the tape for what equals them."""
        kept: list[Expression] = []
        for e in map(self._values.named, found):
            uniform = self._values.uniform(e)
            undone = next((k for k in kept if self._values.undo(k, e)), None)
            if uniform is not None:
                value *= uniform
            elif undone is not None:
                kept = [k for k in kept if k is not undone]
            else:
                kept.append(e)
        return Term(value, tuple(self._values.folded(kept)))

    def _summed(self, e: Apply) -> list[Term]:
        """The sum of terms, what is the same along the axes in front of it; as it stands, where
        nothing is."""
        axes, terms = summed_over(e), self._multiplied(e.args[0])
        parted = [_parted(e, axes, t.factors) for t in terms]
        if not any(outside for outside, _ in parted):
            return [Term(1.0, (_sum(e, axes, self._collected(terms)),))]
        n = int(np.prod([e.args[0].shape[a] for a in axes])) if e.op.name == "sum" else 1
        return [
            self._term(t.number, [_sum(e, axes, product(inside)), *outside])
            if inside
            else self._term(t.number * n, outside)
            for t, (outside, inside) in zip(terms, parted, strict=True)
        ]

    @staticmethod
    def _placed(t: Term, e: Apply) -> Term:
        """A term whose entries are put elsewhere."""
        if t.factors == e.args and t.number == 1:
            return Term(1.0, (e,))
        inner = spread(product(list(t.factors)), e.args[0].shape)
        return Term(t.number, (Apply(e.op, (inner,), e.params, e.shape),))

    @staticmethod
    def _reshaped(t: Term, e: Apply) -> Term:
        """A term with axes of length 1 put in, or taken out."""
        before = e.args[0].shape
        if e.shape == (1,) * (len(e.shape) - len(before)) + before:
            return t  # which NumPy puts in by itself
        if any(f.shape not in ((), before) for f in t.factors):
            raise TooMany
        shaped = (apply(reshape.op, (f,), {"shape": e.shape}, e.shape) for f in t.factors)
        return Term(
            t.number, tuple(s if f.shape else f for s, f in zip(shaped, t.factors, strict=True))
        )

    def _like(self, terms: Iterable[Term]) -> list[Term]:
        """Terms of the same factors as one, without those that are nothing."""
        found: dict[Any, Term] = {}
        for t in terms:
            key = frozenset(self._counts(t).items())
            found[key] = Term(t.number + (found[key].number if key in found else 0), t.factors)
        arrays = (t.number * self._values.value(product(list(t.factors))) for t in found.values())
        sizes = [float(np.max(np.abs(a), initial=0)) for a in arrays]
        least = CLOSE * max(sizes, default=0.0)
        pairs = zip(found.values(), sizes, strict=True)
        return [t for t, size in pairs if t.number and not 0 < size <= least]

    def _counts(self, t: Term) -> Counter[Any]:
        """How often each factor is there."""
        return Counter(map(self._values.key, t.factors))

    # The other way round.

    def _collected(self, terms: list[Term]) -> Expression:
        """The sum of terms, common factors in front."""
        every = [self._counts(t) for t in terms]
        counts = Counter(key for each in every for key in each)
        most = max(counts.values(), default=0)
        if len(terms) < 2 or most < 2:
            return summed_up([self._written(t) for t in terms]) if terms else number(0.0)
        first = next(key for key in counts if counts[key] == most)
        mine = [t for t, each in zip(terms, every, strict=True) if first in each]
        common = every[terms.index(mine[0])]
        for t in mine[1:]:
            common = common & self._counts(t)
        left = [self._without(t, common) for t in mine]
        value = self._in_front(mine, [rest for _, rest in left])
        front = left[0][0]
        inside = [Term(t.number / value, rest) for t, (_, rest) in zip(mine, left, strict=True)]
        whole = _signed(value, product([*front, self._collected(inside)]))
        rest = [t for t in terms if not any(t is m for m in mine)]
        return summed_up([whole, (1, self._collected(rest))] if rest else [whole])

    def _in_front(self, terms: Sequence[Term], rests: Iterable[Sequence[Expression]]) -> float:
        """The number that stands before a sum of terms with common factors: none, where their
        numbers differ, and some of them are put together further in."""
        numbers = [abs(t.number) for t in terms]
        found = Counter(key for rest in rests for key in set(map(self._values.key, rest)))
        plain = max(numbers) - min(numbers) > CLOSE * max(numbers) and max(found.values()) > 1
        sign = 1 if any(t.number > 0 for t in terms) else -1
        return sign * (1.0 if plain else max(numbers))

    def _without(
        self, t: Term, common: Counter[Any]
    ) -> tuple[list[Expression], tuple[Expression, ...]]:
        """The factors of a term that are common ones, and the others."""
        left, taken, rest = Counter(common), list[Expression](), list[Expression]()
        for f in t.factors:
            key = self._values.key(f)
            (taken if left[key] > 0 else rest).append(f)
            left[key] -= 1
        return taken, tuple(rest)

    def _written(self, t: Term) -> tuple[int, Expression]:
        """A term as it is written: a mean, where a sum is divided by the number of its entries."""
        value, found = t.number, list(t.factors)
        for k, f in enumerate(found):
            if isinstance(f, Apply) and f.op.name == "sum":
                n = int(np.prod(f.args[0].shape)) // max(int(np.prod(f.shape)), 1)
                if np.isclose(abs(value) * n, 1, rtol=CLOSE):
                    axes = summed_over(f)
                    params = {**f.params, "axis": axes[0] if len(axes) == 1 else axes}
                    value, found[k] = np.sign(value), Apply(mean.op, f.args, params, f.shape)
        return _signed(value, product(found))


def _signed(value: float, found: Expression) -> tuple[int, Expression]:
    """A number times a formula: its sign, and the rest."""
    size, sign = abs(value), 1 if value > 0 else -1
    n = round(1 / size)
    if n > 1 and np.isclose(n * size, 1, rtol=CLOSE):
        return sign, apply(divide.op, (found, number(n)), {}, found.shape)
    return sign, found if size == 1 else times(number(size), found)


def _parted(
    e: Apply, axes: Sequence[int], found: Sequence[Expression]
) -> tuple[list[Expression], list[Expression]]:
    """The factors that are the same along the axes of a sum, as they stand outside of it, and the
    others."""
    ndim, kept = len(e.args[0].shape), bool(e.params.get("keepdims"))
    outside, inside = [], []
    for f in found:
        lengths = (1,) * (ndim - len(f.shape)) + f.shape
        if any(lengths[a] != 1 for a in axes):
            inside.append(f)
        elif kept or all(a < ndim - len(f.shape) for a in axes):
            outside.append(f)
        else:
            shape = tuple(n for a, n in enumerate(lengths) if a not in axes)
            outside.append(apply(reshape.op, (f,), {"shape": shape}, shape))
    return outside, inside


def _sum(e: Apply, axes: Sequence[int], inside: Expression) -> Expression:
    """A sum of something else, over the same axes."""
    shape = e.args[0].shape
    lengths = [1] * (len(shape) - len(inside.shape)) + list(inside.shape)
    whole = tuple(shape[a] if a in axes else n for a, n in enumerate(lengths))
    kept = [1] if e.params.get("keepdims") else []
    after = itertools.chain(*(kept if a in axes else [n] for a, n in enumerate(whole)))
    return Apply(e.op, (spread(inside, whole),), e.params, tuple(after))


def _long(shape: Sequence[int]) -> list[int]:
    """The lengths that are not 1."""
    return [n for n in shape if n != 1]
