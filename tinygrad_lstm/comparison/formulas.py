"""The formulas of a tape, on the values by hand: what a branch sends back, written down and
computed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_lstm.comparison.chain import Chain
from tinygrad_lstm.derivation.expression import (
    Apply,
    Expression,
    Leaf,
    apply,
    evaluate,
    leaves,
    number,
    substitute,
)
from tinygrad_lstm.derivation.notation import TEXT
from tinygrad_lstm.derivation.symbol import Symbol, sent
from tinygrad_lstm.engine.tape import Branch
from tinygrad_lstm.ops.elementwise import negative
from tinygrad_lstm.ops.shape import transpose

__all__ = ["Formulas", "Sent"]

Sent = tuple[Expression, np.ndarray]


class Formulas:
    """Names for everything on a tape, and the rules of its stages run on them.

    Parameters
    ----------
    chain : Chain
        The chain rule on the values by hand.
    """

    def __init__(self, chain: Chain) -> None:
        self.chain, self.tape = chain, chain.gradients.tape
        self._symbols: dict[int, Symbol] = {}
        self._transposes: dict[Leaf, Expression] = {}

    def symbol(self, x: Any) -> Symbol:
        """A value of the tape, under its name. A transpose without one is written as that:
        ``Uᵀ``."""
        if id(x) not in self._symbols:
            nameless = (
                not x.name
                and x._op is transpose.op
                and x.ndim == 2
                and x._params.get("axes") is None
            )
            self._symbols[id(x)] = (
                self.transposed(x._inputs[0])
                if nameless
                else Symbol(Leaf(x._kept(), self.tape.label(x)))
            )
        return self._symbols[id(x)]

    def transposed(self, x: Any) -> Symbol:
        """The transpose of a value."""
        leaf = self.symbol(x).leaf
        result = Leaf(np.transpose(leaf.array), f"{leaf.name}ᵀ")
        self._transposes[result] = apply(
            transpose.op, (self._transposes.get(leaf, leaf),), {}, result.shape
        )
        return Symbol(result)

    def label(self, x: Any) -> str:
        """What a value is called in words."""
        leaf = self.symbol(x).leaf
        return TEXT.write(self._transposes[leaf]) if leaf in self._transposes else str(leaf.name)

    def gradient(self, x: Any) -> Symbol:
        """The derivative by a value: by hand, or as it follows."""
        array, x = self.chain.totals[id(x)], self.passed(x)
        one = x is self.tape.root and array.shape == () and array == 1
        return Symbol(number(array) if one else Leaf(array, self.tape.label(x), gradient=True))

    def gradient_name(self, x: Any) -> str:
        """How the derivative by a value is written: ``δc<2>``."""
        return TEXT.name(Leaf(x._array, self.tape.label(x), gradient=True))

    def passed(self, x: Any) -> Any:
        """The value from which a sum passed the derivative on to `x` as it is; `x` itself, where it
        did not."""
        totals = self.chain.totals
        while len(branches := self.chain.gradients.branches(x)) == 1 and branches[0].stage.op in (
            "add",
            "add_n",
        ):
            above = branches[0].stage.output
            if above.shape != x.shape or not np.array_equal(totals[id(above)], totals[id(x)]):
                break
            x = above
        return x

    def arriving(self, x: Any, array: np.ndarray) -> Symbol:
        """The derivative by a value, with other numbers."""
        return Symbol(Leaf(array, self.tape.label(x), gradient=True))

    def correct(
        self, branch: Branch, g: Symbol | None = None, swapped: dict[int, Symbol] | None = None
    ) -> Sent:
        """What the rule of a branch sends back; with other values in the place of some that it
        reads, if that is asked for."""
        node, others = branch.stage.output, swapped or {}

        def symbols(x: Any) -> Symbol:
            return others[id(x)] if id(x) in others else self.symbol(x)

        with np.errstate(all="ignore"):
            formula, array = sent(
                node,
                branch.argument,
                self.gradient(node) if g is None else g,
                symbols,
            )
        return substitute(formula, self._transposes), array

    def terms(self, branch: Branch, g: Symbol) -> list[Sent]:
        """The terms of a rule that is a sum or a difference, each by itself."""
        found = list(_terms(self.correct(branch, g)[0]))
        with np.errstate(all="ignore"):
            return [
                (term, evaluate(term, {leaf: leaf.array for leaf in leaves(term)}))
                for term in found
            ]

    def base(self, x: Any) -> str:
        """The name without its block."""
        return self.tape.name(x).role


def _terms(formula: Expression) -> Iterator[Expression]:
    """The terms of a formula, behind the factors that all of them have."""
    if not isinstance(formula, Apply):
        return
    if formula.op.name in ("add", "subtract") and all(
        arg.shape == formula.shape for arg in formula.args
    ):
        first, last = formula.args
        yield from (
            first,
            last if formula.op.name == "add" else apply(negative.op, (last,), {}, last.shape),
        )
    elif formula.op.name in ("multiply", "divide", "negative"):
        for i, arg in enumerate(formula.args):
            for term in _terms(arg):
                yield apply(
                    formula.op,
                    (*formula.args[:i], term, *formula.args[i + 1 :]),
                    formula.params,
                    formula.shape,
                )
