"""The formulas of a tape, on the values by hand: what a branch sends back, written down.

What has no name is written through: the formula of ``δz<4>`` says ``δh<4> ∘ n<4>``, and not the
gradient by a sum that nobody has given a name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from tinygrad_lstm.comparison.chain import Chain, edge
from tinygrad_lstm.comparison.loops import Place, loop
from tinygrad_lstm.comparison.paper import on_paper
from tinygrad_lstm.comparison.tidy import softmax_of, tidy
from tinygrad_lstm.comparison.tree import Tree
from tinygrad_lstm.derivation.constants import constants
from tinygrad_lstm.derivation.expression import (
    Expression,
    Leaf,
    apply,
    leaves,
    number,
    parts,
    substitute,
    total,
)
from tinygrad_lstm.derivation.notation import TEXT
from tinygrad_lstm.derivation.symbol import Symbol, sent
from tinygrad_lstm.engine.gradients import Part
from tinygrad_lstm.engine.memory import SCALARS
from tinygrad_lstm.engine.names import Name
from tinygrad_lstm.engine.tape import Branch, Tape

__all__ = ["Formulas"]

LONG = 24  # parts of a formula; what is longer keeps the name of its stage
SHORT = 40  # letters of a formula that stands for a value without a name
DEEP = 3  # stages without a name that such a formula goes past, beside those written through
OUTSIDE = " outside of blocks"
WAYS = 6  # branches of a value without a name that are written out in its place


class Formulas:
    """Names for everything on a tape, and the rules of its stages run on them.

    Parameters
    ----------
    chain : Chain
        The chain rule on the values by hand.

    Attributes
    ----------
    source : dict
        The value of the tape that a leaf of a formula stands for.
    """

    chain: Chain
    tape: Tape

    def __init__(self, chain: Chain) -> None:
        self.chain, self.tape = chain, chain.gradients.tape
        self.source: dict[Leaf, Any] = {}
        self._symbols: dict[int, Symbol] = {}
        self._gradients: dict[int, Leaf] = {}
        self._written: dict[Leaf, Expression] = {}
        self._values: dict[Leaf, Expression] = {}
        self._words: dict[tuple[Leaf, int], Expression] = {}
        self._rules: dict[Any, Expression] = {}
        self._bases: dict[int, str] = {}

    # Values.

    def leaf(self, x: Any) -> Leaf:
        """A value of the tape, under its name."""
        return self._symbol(x).leaf

    def written(self, x: Any) -> Expression:
        """A value as it stands in formulas: by name, or written through."""
        leaf = self.leaf(x)
        return self._values.get(leaf, leaf)

    def _symbol(self, x: Any) -> Symbol:
        if id(x) not in self._symbols:
            for y in needed_first(x, self._unnamed):
                self._add(y)
        return self._symbols[id(x)]

    def _unnamed(self, x: Any) -> list[Any]:
        """What has no symbol yet, of the values that `x` is written with."""
        inputs = x._inputs if self._is_written(x) else ()
        return [v for v in inputs if not isinstance(v, SCALARS) and id(v) not in self._symbols]

    def _add(self, x: Any) -> None:
        if id(x) in self._symbols:
            return
        constant = self.constants.get(id(x))
        leaf = Leaf(x._kept(), str(constant) if constant else self.tape.label(x))
        self._symbols[id(x)], self.source[leaf] = Symbol(leaf), x
        if self._is_written(x):
            self._write_through(leaf, x)

    @staticmethod
    def _is_written(x: Any) -> bool:
        """Whether a formula stands for a value."""
        named = x.name or x._op is None
        return not named and not x._op.variadic and x._op.name not in ("matmul", "linear")

    @cached_property
    def constants(self) -> dict[int, Name]:
        """What constants without a name are called, by their ``id``."""
        return constants(self.tape)

    def _write_through(self, leaf: Leaf, x: Any) -> None:
        formula = self.computed(x)
        if len(parts(formula)) <= LONG:
            self._values[leaf] = formula

    def computed(self, x: Any) -> Expression:
        """What the stage of a value computes."""
        args = tuple(number(v) if isinstance(v, SCALARS) else self.written(v) for v in x._inputs)
        return apply(x._op, args, x._params, x.shape)

    def _said(self, leaf: Leaf, depth: int = DEEP) -> Expression:
        """What a leaf is called in words: without a name by what it computes, if that is short."""
        x = self.source.get(leaf)
        if leaf.gradient or x is None or x.name or x._op is None or not depth:
            return leaf
        if (leaf, depth) not in self._words:
            e = self.computed(x)
            e = substitute(e, {v: self._said(v, depth - 1) for v in leaves(e)})
            text = TEXT.write(e)
            self._words[leaf, depth] = leaf if "#" in text or len(text) > SHORT else e
        return self._words[leaf, depth]

    def label(self, x: Any) -> str:
        """What a value is called in words."""
        return TEXT.write(self.written(x))

    def stage(self, x: Any) -> str:
        """What the stage of a value is called in words: by its name; where it has none by what it
        computes, if that is short."""
        return TEXT.write(self._said(self.leaf(x)))

    def through(self, e: Expression) -> Expression:
        """A formula with values without a name written through."""
        e = substitute(e, self._values) if self._values else e
        said = {leaf: other for leaf in leaves(e) if (other := self._said(leaf)) is not leaf}
        return substitute(e, said) if said else e

    def text(self, e: Expression) -> str:
        """A formula as text, values without a name written through."""
        return on_paper(self.through(e))

    def base(self, x: Any) -> str:
        """The name without its block; ``add#2`` and ``add#2<1>`` have nothing in common."""
        if id(x) not in self._bases:
            place = self.loop.get(id(x)) or self.constants.get(id(x)) or self.tape.name(x)
            numbered = x._op is not None and not x.name and place.block is None
            self._bases[id(x)] = place.role + OUTSIDE * numbered
        return self._bases[id(x)]

    @cached_property
    def loop(self) -> dict[int, Place]:
        """Where values are in a loop that nothing marks."""
        return loop(self.tape)

    # Gradients.

    def gradient_leaf(self, x: Any) -> Leaf:
        """The derivative by a value, by hand or as it follows: a leaf, whether it has a name or
        not."""
        if id(x) not in self._gradients:
            leaf = Leaf(self.chain.totals[id(x)], self.tape.label(x), gradient=True)
            self._gradients[id(x)], self.source[leaf] = leaf, x
        return self._gradients[id(x)]

    def gradient(self, x: Any) -> Expression:
        """The derivative by a value as it stands in formulas."""
        if x.name or self.chain.is_given(x):
            x = self.passed(x)
        array = self.chain.totals[id(x)]
        if x is self.tape.root and array.shape == () and array == 1:
            return number(array)
        if x.name or self.chain.is_given(x):
            return self.gradient_leaf(x)
        leaf = self.gradient_leaf(x)
        if leaf not in self._written:
            self._write(x)
        return self._written[leaf]

    def _write(self, x: Any) -> None:
        """The derivative by a value without a name, as a formula of those with names."""
        for y in needed_first(x, self._arriving):
            leaf, branches = self.gradient_leaf(y), self._expanded(y)
            if leaf not in self._written:
                whole = total([self.correct(b) for b in branches]) if branches else leaf
                short = len(parts(whole)) <= LONG  # what is too long keeps its name
                self._written[leaf] = whole if short else leaf

    def _expanded(self, x: Any) -> Sequence[Branch]:
        """The branches in whose formulas a derivative without a name is written; none, where it
        stands as it is."""
        branches = self.chain.gradients.branches(x)
        return branches if len(branches) <= WAYS and not x._hooks else ()

    def _arriving(self, x: Any) -> list[Any]:
        """The values without a name whose derivatives arrive at `x` and are not written yet."""
        return [y for b in self._expanded(x) if self._unwritten(y := b.stage.output)]

    def _unwritten(self, x: Any) -> bool:
        """Whether a derivative has no name and has not been written."""
        given = x.name or x is self.tape.root or self.chain.is_given(x)
        return not given and self.gradient_leaf(x) not in self._written

    def gradient_name(self, x: Any) -> str:
        """How the derivative by a value is written: ``δc<2>``."""
        return TEXT.name(Leaf(x._array, self.tape.label(x), gradient=True))

    def derivative(self, x: Any) -> str:
        """How the derivative by a value is called in words: by the formula of a value without a
        name, where that is short."""
        text = self.label(x)
        if x.name or "#" in text or len(text) > SHORT:
            return self.gradient_name(x)
        return f"the derivative by {text}"

    def gradients_in(self, tree: Tree, changed: Mapping[int, Expression]) -> Iterator[Leaf]:
        """The gradients in a formula that has been changed."""
        yield from tree.gradients[id(tree.root)]
        for e in changed.values():
            yield from (leaf for leaf in leaves(e) if leaf.gradient)

    def passed(self, x: Any) -> Any:
        """The value from which a sum passed the derivative on to `x` as it is; `x` itself, where it
        did not."""
        totals = self.chain.totals
        while len(branches := self.chain.gradients.branches(x)) == 1 and branches[0].stage.op in (
            "add",
            "add_n",
        ):
            above = branches[0].stage.output
            unnamed = not above.name and not self.chain.is_given(above)
            if unnamed or above.shape != x.shape:
                break
            if not np.array_equal(totals[id(above)], totals[id(x)]):
                break
            x = above
        return x

    # Rules.

    def rule(self, branch: Branch) -> Expression:
        """What the rule of a branch sends back, of the gradient that arrives at its stage as a
        leaf."""
        key = edge(branch)
        if key not in self._rules:
            node = branch.stage.output
            with np.errstate(all="ignore"):
                formula, _ = sent(
                    node,
                    branch.argument,
                    Symbol(self.gradient_leaf(node)),
                    self._symbol,
                )
            self._rules[key] = tidy(formula, self._softmax)
        return self._rules[key]

    def _softmax(self, e: Expression) -> Expression | None:
        """The softmax that is the exponential of a value, where that is its logarithm."""
        x = self.source.get(e) if isinstance(e, Leaf) else None
        return None if x is None else softmax_of(x, self.written)

    def correct(self, branch: Branch) -> Expression:
        """What the rule of a branch sends back, written through."""
        node = branch.stage.output
        return self.put(self.rule(branch), node, self.gradient(node))

    def put(self, formula: Expression, node: Any, gradient: Expression) -> Expression:
        """A rule with a formula for the gradient that arrives."""
        leaf = self.gradient_leaf(node)
        return formula if gradient is leaf else tidy(substitute(formula, {leaf: gradient}))

    def sent_by_hand(self, x: Any, branch: Branch) -> np.ndarray | None:
        """What the hand side gives for a branch, if it does."""
        return self.chain.given.get(Part(x, (branch,), "branch").id)


def needed_first(x: Any, needs: Callable[[Any], list[Any]]) -> Iterator[Any]:
    """A value after all that it needs and that is not there yet: no sequence is too long for it."""
    open_ = [x]
    while open_:
        missing = needs(open_[-1])
        if missing:
            open_ += missing
        else:
            yield open_.pop()
