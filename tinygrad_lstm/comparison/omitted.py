"""Mistakes by which something is left out of a formula, or of the wrong sign."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import combinations

import numpy as np

from tinygrad_lstm.comparison.parts import Parts
from tinygrad_lstm.comparison.tree import (
    Change,
    factors,
    flipped,
    product,
    spread,
    squares,
    summed_up,
    terms,
    times,
)
from tinygrad_lstm.derivation.expression import Apply, Expression, Leaf, apply, number

__all__ = ["WRONG_FORM", "Omitted"]

CHAIN = (
    "the local derivative of a branch was added without the gradient that arrives there (chain "
    "rule not applied)"
)
PASSED = "the gradient was passed on without the local derivative of the stage"

MANY = 4  # factors beside the gradient, of which all choices are tried
WRONG_FORM = "the local derivative of {} has a wrong form"


class Omitted(Parts):
    """What is left out, or of the wrong sign."""

    def _signs(self) -> Iterator[Change]:
        name = self.formulas.label(self.branch.stage.output)
        root, key = self.tree.root, id(self.tree.root)
        words: str | Callable[[], str] = f"the branch through {name} is missing"
        yield Change(("0",), "branch missing", words, {key: Leaf(np.zeros(root.shape), "0")})
        words = f"the sign of the branch through {name} is flipped"
        yield Change(("-",), "sign", words, {key: flipped(root)})
        for i, node in self.nodes:
            signed = terms(node)
            if _is_form(signed):
                continue  # whose forms are tried by themselves
            if len(signed) < 2 or any(len(terms(u)) > 1 for u in self.tree.users[id(node)]):
                continue
            for k, (sign, term) in enumerate(signed):
                rest = signed[:k] + signed[k + 1 :]
                other = summed_up([*signed[:k], (-sign, term), *signed[k + 1 :]])
                words = self._words("the sign of {} is flipped", term)
                yield Change(("±", i, k), "sign", words, {id(node): other})
                missing = f"a term of the rule of {self.branch.stage.op} is missing: {{}}"
                words = self._words(missing, term)
                yield Change(("term", i, k), "term missing", words, {id(node): summed_up(rest)})
                if len(signed) > 2:
                    words = self._words("only the term {} is there", term)
                    alone = {id(node): summed_up([signed[k]])}
                    yield Change(("only", i, k), "term missing", words, alone)

    def _without(self) -> Iterator[Change]:
        """One of the factors of the chain rule is not there."""
        for i, node in self.nodes:
            if isinstance(node, Leaf) and node.gradient:
                one = number(np.ones(node.shape))
                yield Change(("1", i), "chain rule", CHAIN, {id(node): one})
        for i, node, parts in self.products:
            yield from self._left_out(i, node, parts)
        root = self.tree.root
        for i, node in self.nodes:
            if isinstance(node, Leaf) and node.gradient and node is not root:
                batch = len(node.shape) > len(root.shape)
                words = "the sum over the batch is missing" if batch else PASSED
                kind = "batch sum" if batch else "local factor"
                yield Change(("g", i), kind, words, {id(root): node})
        for i, node in self.nodes:
            if isinstance(node, Apply) and node.op.name in ("sum", "reshape") and node is root:
                inner = node.args[0]
                while isinstance(inner, Apply) and inner.op.name in ("sum", "reshape"):
                    inner = inner.args[0]
                words = "the sum over the batch is missing"
                yield Change(("no sum", i), "batch sum", words, {id(node): inner})

    def _bare(self) -> Iterator[Change]:
        """The gradient passed on without any local derivative on the way, past several stages; as
        what a mean sends back, where it is spread."""
        root = self.tree.root
        if sum(any(map(self._sends, parts)) for _, _, parts in self.products) > 1:
            plain, every = self._plain(root), self.tree.gradients[id(root)]
            sizes = {math.prod(root.shape) // max(math.prod(g.shape), 1) for g in every}
            for n in (1, *(n for n in sizes if n > 1)):
                other = plain if n == 1 else times(number(1 / n), plain)
                words = PASSED.replace("the stage", "any of the stages")
                yield Change(("bare", n), "local factor", words, {id(root): other})

    def _plain(self, e: Expression) -> Expression:
        """A formula without the factors of the gradients in it."""
        if isinstance(e, Leaf) or not self._sends(e):
            return e
        found = [f for f in factors(e) if self._sends(f)]
        if e.op.name in ("multiply", "divide") and found[0] is not e:
            return spread(product([self._plain(f) for f in found]), e.shape)
        return apply(e.op, tuple(map(self._plain, e.args)), e.params, e.shape)

    def _left_out(self, i: int, node: Expression, parts: list[Expression]) -> Iterator[Change]:
        """A product without one or two of its factors; without the gradient, and what it comes
        with."""
        sends = any(map(self._sends, parts))
        others = [p for p in parts if not self._sends(p)]
        for n in range(len(others)) if sends and len(others) <= MANY else ():
            for also in combinations(others, n):
                left = product([p for p in others if p not in also])
                words = self._words(f"{CHAIN}: {{}} stands alone", left)
                label = ("alone", i, tuple(map(others.index, also)))
                yield Change(label, "chain rule", words, {id(node): spread(left, node.shape)})
        for n in (1, 2):
            for chosen in combinations(range(len(parts)), n):
                rest = [p for k, p in enumerate(parts) if k not in chosen]
                gone = [parts[k] for k in chosen]
                if not rest or any(self.tree.gradients.get(id(p)) for p in gone):
                    continue
                about = frozenset().union(*(self._about(p) for p in gone))
                kept = frozenset().union(*(self._about(p) for p in rest))
                form = bool(about & kept)
                wrong = f"{WRONG_FORM.format(self._function(about))}: {{}} is missing"
                passed = f"{PASSED}: the factor {{}} is missing"
                words = self._words(wrong if form else passed, product(gone))
                kind = "local form" if form else "local factor"
                left = spread(product(rest), node.shape)
                yield Change(("out", i, chosen), kind, words, {id(node): left})

    def _initial(self) -> Iterator[Change]:
        """The initial state taken to be zero, directly or in what the stage reads."""
        for i, leaf, v in self._leaves():
            first, array = self.vocabulary.initial(v)
            if first and array.shape == leaf.shape:
                names = ", ".join(self.formulas.tape.label(u) for u in first)
                text = "0" if v._op is None else f"({self.formulas.label(v)} with {names} = 0)"
                words = f"the initial state {names} was forgotten (taken to be 0)"
                other = Leaf(array, text)
                yield Change(("initial", i), "initial state", words, {id(leaf): other})


def _is_form(signed: list[tuple[int, Expression]]) -> bool:
    """Whether a sum is a local derivative as it is remembered: ``1 − y``, or ``1 − y²``."""
    if not any(isinstance(t, Leaf) and t.name is None and t.shape == () for _, t in signed):
        return False
    return all(isinstance(t, Leaf) or squares(t) for _, t in signed)
