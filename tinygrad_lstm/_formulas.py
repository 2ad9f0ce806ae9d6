"""The formulas of a tape, on the values by hand: what a branch sends back, written down and computed."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from tinygrad_lstm._expression import Expression, Leaf, number
from tinygrad_lstm._locate import Chain
from tinygrad_lstm._notation import TEXT
from tinygrad_lstm._symbol import Symbol, sent
from tinygrad_lstm._tape import Branch

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

    def symbol(self, x: Any) -> Symbol:
        """A value of the tape, under its name."""
        if id(x) not in self._symbols:
            self._symbols[id(x)] = Symbol(Leaf(x._kept(), self.tape.label(x)))
        return self._symbols[id(x)]

    def gradient(self, x: Any) -> Symbol:
        """The derivative by a value: by hand, or as it follows."""
        array, x = self.chain.totals[id(x)], self.passed(x)
        one = x is self.tape.root and array.shape == () and array == 1
        return Symbol(number(array) if one else Leaf(array, self.tape.label(x), gradient=True))

    def gradient_name(self, x: Any) -> str:
        """How the derivative by a value is written: ``δc<2>``."""
        return TEXT.name(Leaf(x._array, self.tape.label(x), gradient=True))

    def passed(self, x: Any) -> Any:
        """The value from which a sum passed the derivative on to `x` as it is; `x` itself, where it did not."""
        totals = self.chain.totals
        while len(branches := self.chain.gradients.branches(x)) == 1 and branches[0].stage.op in ("add", "add_n"):
            above = branches[0].stage.output
            if above.shape != x.shape or not np.array_equal(totals[id(above)], totals[id(x)]):
                break
            x = above
        return x

    def arriving(self, x: Any, array: np.ndarray) -> Symbol:
        """The derivative by a value, with other numbers."""
        return Symbol(Leaf(array, self.tape.label(x), gradient=True))

    def correct(self, branch: Branch, g: Symbol | None = None, swapped: dict[int, Symbol] | None = None) -> Sent:
        """What the rule of a branch sends back; with other values in the place of some that it reads, if that is asked for."""
        node, others = branch.stage.output, swapped or {}

        def symbols(x: Any) -> Symbol:
            return others[id(x)] if id(x) in others else self.symbol(x)

        with np.errstate(all="ignore"):
            return sent(node, branch.argument, self.gradient(node) if g is None else g, symbols, self.chain.selecting)

    def base(self, x: Any) -> str:
        """The name without its block."""
        return re.sub(r"<\d+>$", "", self.tape.label(x))
