"""Mistakes in a derivative as it is written past forks: in the whole, and in its terms, alike in
several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from tinygrad_lstm.comparison.changes import Changes
from tinygrad_lstm.comparison.equal import Values
from tinygrad_lstm.comparison.tree import (
    Change,
    factors,
    product,
    spread,
    summed_up,
    terms,
    times,
)
from tinygrad_lstm.derivation.expression import Apply, Expression, Leaf, number
from tinygrad_lstm.engine.tape import Branch

__all__ = ["EACH", "Met", "Terms"]

EACH = ("each",)
# What a term may be multiplied by, and what is said of some; a factor of it, or its mean.
NUMBERS = {
    0.0: "left out: {}",
    -1.0: "the sign of {} is flipped",
    2.0: "there twice: {}",
    0.5: "only half there: {}",
}
IN_TERMS = {
    "times": "there is a factor {factor} too many in {}",
    "without": "the factor {factor} is missing in {}",
    "mean": "a sum stands where the mean belongs, in {}",
    "sum": "a mean stands where the sum belongs, in {}",
}


class Met(Changes):
    """What can go wrong in the derivative by a value as a whole; the parameters are those of
    :class:`Parts`."""

    def _begins(self) -> Sequence[Branch]:
        x = self.branch.stage.output._inputs[self.branch.argument]
        return self.formulas.chain.gradients.branches(x)

    @property
    def _terms(self) -> tuple[Expression, ...]:
        """The terms of a sum that is written as one."""
        root = self.tree.root
        return root.args if isinstance(root, Apply) and root.op.name == "add_n" else (root,)


class Terms(Met):
    """What can go wrong in each term by itself, and alike in several."""

    @cached_property
    def _kinds(self) -> dict[str, Callable[[], Iterator[Change]]]:
        return {"each": self._each}

    def _each(self) -> Iterator[Change]:
        other: Expression
        for k, term in enumerate(self._terms):
            for value in NUMBERS:
                kind = "sign" if value < 0 else "factor" if value else "term missing"
                other = times(number(value), term) if value else Leaf(np.zeros(term.shape), "0")
                yield self._in_one(k, value, kind, other)
            sign, found = self._apart(term)
            keys = list(map(self._same.key, found))
            for j, (key, factor) in enumerate(self._factors.items()):
                other = times(term, factor)
                yield self._in_one(k, ("times", j), "extra factor", other)
                if key in keys:
                    rest = [f for m, f in enumerate(found) if m != keys.index(key)]
                    other = spread(summed_up([(sign, product(rest))]), term.shape)
                    yield self._in_one(k, ("without", j), "local factor", other)
            for f in (f for f in found if isinstance(f, Apply) and f.op.name in ("mean", "sum")):
                n = int(np.prod(f.args[0].shape)) // max(int(np.prod(f.shape)), 1)
                other = times(number(float(n) if f.op.name == "mean" else 1 / n), term)
                yield self._in_one(k, (f.op.name, n), "factor", other)

    def _in_one(self, k: int, how: Any, kind: str, other: Expression) -> Change:
        changed = {id(self._terms[k]): other}
        return Change(("each", how, (k,)), kind, partial(self._said, how, (k,)), changed)

    def _said(self, how: Any, several: Sequence[int]) -> str:
        """What is said of the same mistake in some terms."""
        text, every = self.formulas.text, [_unspread(self._terms[k]) for k in several]
        words = " and ".join(map(text, every))
        if not isinstance(how, tuple):
            return NUMBERS[how].format(words)
        what, j = how
        factor = text(list(self._factors.values())[j]) if what in ("times", "without") else ""
        return IN_TERMS[what].format(words, factor=factor)

    @cached_property
    def _same(self) -> Values:
        """Which factors are the same."""
        return Values(())

    @cached_property
    def _factors(self) -> dict[Any, Expression]:
        """The factors of the terms, each once."""
        found: dict[Any, Expression] = {}
        for term in self._terms:
            for f in self._apart(term)[1]:
                if not self._sends(f) and not (isinstance(f, Leaf) and f.name is None):
                    found.setdefault(self._same.key(f), f)
        return found

    @staticmethod
    def _apart(term: Expression) -> tuple[int, list[Expression]]:
        """The sign of a term, and its factors; what could not be multiplied out is one."""
        (sign, plain), *more = terms(_unspread(term))
        return (1, [_unspread(term)]) if more else (sign, factors(plain))

    def labelled(
        self,
        label: tuple[Any, ...],
        like: Changes | None = None,
        names: Mapping[str, str] | None = None,
    ) -> Change | None:
        """The mistake of a label, in several terms too."""
        if label[0] != "each":
            return None
        kind, how, several = label
        found = [c for k in several if (c := self.sort("each").get((kind, how, (k,))))]
        if len(found) < len(several):
            return None
        changed = {key: e for c in found for key, e in c.changed.items()}
        return Change(label, found[0].kind, partial(self._said, how, several), changed)


def _unspread(term: Expression) -> Expression:
    """A term before it is spread along the axes that it has not."""
    spread_ = isinstance(term, Apply) and term.op.name == "broadcast_to"
    return term.args[0] if isinstance(term, Apply) and spread_ else term
