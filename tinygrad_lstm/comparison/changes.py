"""The mistakes that people make in a formula, as data: each is a change of some part of it, the
simpler ones first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import numpy as np

from tinygrad_lstm.comparison.products import axes, matrices, slices
from tinygrad_lstm.comparison.tree import (
    Change,
    Tree,
    added,
    factors,
    flipped,
    product,
    summed_up,
    terms,
    times,
    turned,
)
from tinygrad_lstm.comparison.vocabulary import FORMS, SLOPES, Vocabulary
from tinygrad_lstm.derivation.expression import Apply, Expression, Leaf, number
from tinygrad_lstm.derivation.notation import TEXT
from tinygrad_lstm.engine.tape import Branch

__all__ = ["Changes"]

CHAIN = (
    "the local derivative of a branch was added without the gradient that arrives there (chain "
    "rule not applied)"
)
PASSED = "the gradient was passed on without the local derivative of the stage"
SUMMED = (
    "the local derivative was added to the gradient that arrives, where the two have to be "
    "multiplied"
)

ASKED = "the condition is asked of the gradient, where it belongs to the value"
WRONG_FORM = "the local derivative of {} has a wrong form"
CLOSED = "a parenthesis is closed in the wrong place"
CONDITIONS = ("greater", "greater_equal", "less", "less_equal")


class Changes:
    """What can go wrong in a formula.

    Parameters
    ----------
    tree : Tree
        The formula.
    vocabulary : Vocabulary
        What may stand in it by mistake.
    branch : Branch
        The branch whose formula it is, or through which it begins.
    shaped : bool
        Whether the result has the right shape; else values of other shapes may stand in it too.
    """

    tree: Tree
    vocabulary: Vocabulary
    branch: Branch
    nodes: list[tuple[int, Expression]]
    products: list[tuple[int, Apply, list[Expression]]]

    def __init__(
        self, tree: Tree, vocabulary: Vocabulary, branch: Branch, shaped: bool = True
    ) -> None:
        self.shaped = shaped
        self.tree, self.vocabulary, self.branch = tree, vocabulary, branch
        self.formulas = vocabulary.formulas
        self.at: int | None = branch.stage.block
        self.nodes = list(enumerate(tree.order))[::-1]
        self.products = [
            (i, n, factors(n))
            for i, n in self.nodes
            if (isinstance(n, Apply) and n.op.name == "multiply" and tree.top(n))
        ]

    def simple(self) -> Iterator[Change]:
        """The mistakes that can be searched for in a whole tape."""
        yield from self._signs()
        yield from self._without()
        yield from self._initial()
        yield from self._forms()

    def all(self) -> Iterator[Change]:
        """Every mistake, the simpler ones first."""
        yield from self.simple()
        yield from slices(self.tree, self.branch, self.formulas.text)
        yield from self._extra()
        yield from self._values()
        yield from self._gradients()
        yield from matrices(self.tree)
        yield from axes(self.tree)
        yield from self._brackets()

    def _words(self, text: str, *formulas: Expression) -> Callable[[], str]:
        """A text about formulas, written when it is asked for."""
        return lambda: text.format(*map(self.formulas.text, formulas))

    # Signs, and what is left out.

    def _signs(self) -> Iterator[Change]:
        name = self.formulas.label(self.branch.stage.output)
        root, key = self.tree.root, id(self.tree.root)
        words: str | Callable[[], str] = f"the branch through {name} is missing"
        yield Change(("0",), "branch missing", words, {key: Leaf(np.zeros(root.shape), "0")})
        words = f"the sign of the branch through {name} is flipped"
        yield Change(("-",), "sign", words, {key: flipped(root)})
        for i, node in self.nodes:
            signed = terms(node)
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

    def _left_out(self, i: int, node: Expression, parts: list[Expression]) -> Iterator[Change]:
        """A product without one or two of its factors."""
        for n in (1, 2):
            for chosen in combinations(range(len(parts)), n):
                rest = [p for k, p in enumerate(parts) if k not in chosen]
                gone = [parts[k] for k in chosen]
                if not rest or any(self.tree.gradients.get(id(p)) for p in gone):
                    continue
                about = frozenset().union(*(self._about(p) for p in gone))
                kept = frozenset().union(*(self._about(p) for p in rest))
                form = bool(about & kept)
                wrong = f"{WRONG_FORM.format(self.branch.stage.op)}: {{}} is missing"
                left = f"{PASSED}: the factor {{}} is missing"
                words = self._words(wrong if form else left, product(gone))
                kind = "local form" if form else "local factor"
                yield Change(("out", i, chosen), kind, words, {id(node): product(rest)})

    def _about(self, part: Expression) -> frozenset[Leaf]:
        """The values of the tape in a factor."""
        known = self.tree.values.get(id(part))
        if known is None:
            known = frozenset().union(*(self._about(a) for a in getattr(part, "args", ())))
        return known

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

    def _leaves(self) -> Iterator[tuple[int, Leaf, Any]]:
        """The values of the tape in the formula."""
        for i, node in self.nodes:
            if isinstance(node, Leaf) and not node.gradient and node in self.formulas.source:
                yield i, node, self.formulas.source[node]

    # Forms.

    def _forms(self) -> Iterator[Change]:
        """A wrong form of a local derivative."""
        for i, node, parts in self.products:
            for about in dict.fromkeys(self._about(p) for p in parts if not self._sends(p)):
                rest = [p for p in parts if self._about(p) != about or self._sends(p)]
                if about and rest:
                    for w in self._related(next(iter(about))):
                        yield from self._formed(i, node, rest, w)

        yield from self._asked()

    def _asked(self) -> Iterator[Change]:
        """A condition asked of the gradient, where it is one of the value."""
        gradients = [n for _, n in self.nodes if isinstance(n, Leaf) and n.gradient]
        for i, node in self.nodes:
            if isinstance(node, Apply) and node.op.name in CONDITIONS:
                for k, v in enumerate(node.args):
                    for g in gradients:
                        if g.shape == v.shape and not self._sends(v):
                            args = (*node.args[:k], g, *node.args[k + 1 :])
                            other = Apply(node.op, args, node.params, node.shape)
                            words = self._words(ASKED + ": {}", other)
                            label = ("asked", i, k, gradients.index(g))
                            yield Change(label, "local form", words, {id(node): other})

    def _sends(self, part: Expression) -> bool:
        known = self.tree.gradients.get(id(part))
        if known is None:
            return any(self._sends(a) for a in getattr(part, "args", ()))
        return bool(known)

    def _related(self, v: Leaf) -> list[Leaf]:
        """A value, and what its stage read or made of it: what a form may be taken of."""
        node = self.branch.stage.output
        read = (node, *node._inputs) if len(node._inputs) == 1 else ()
        near = [x for x in read if hasattr(x, "_op") and x.shape == v.shape]
        return list(dict.fromkeys([v, *map(self.formulas.leaf, near)]))

    def _formed(
        self, i: int, node: Expression, rest: list[Expression], w: Leaf
    ) -> Iterator[Change]:
        source = self.formulas.source.get(w)
        base = self.formulas.base(source) if source is not None else str(w.name)
        for text, form in (FORMS | SLOPES).items():
            wrong = f"{WRONG_FORM.format(self.branch.stage.op)}: {{}}"
            words = self._words(wrong, form(w))
            other = product([*rest, form(w)])
            yield Change(("form", i, text, base), "local form", words, {id(node): other})
        for g in (g for p in rest for g in self.tree.gradients.get(id(p), ())):
            if g.shape == w.shape:
                words = self._words(ASKED + ": {}", SLOPES["y > 0"](g))
                other = product([*rest, SLOPES["y > 0"](g)])
                yield Change(("form g", i, base), "local form", words, {id(node): other})

    # What is too many.

    def _extra(self) -> Iterator[Change]:
        """A factor too many, and a sum where a product belongs."""
        root = self.tree.root
        label: tuple[Any, ...]
        words: str | Callable[[], str]
        gradients = [n for _, n in self.nodes if isinstance(n, Leaf) and n.gradient]
        places = dict.fromkeys([root, *gradients, *(n for _, n, _ in self.products)])
        for place in places:
            for leaf in self._near_leaves(place):
                source = self.formulas.source[leaf]
                for text, form in (FORMS | SLOPES).items():
                    words = self._words("there is a factor too many: {}", form(leaf))
                    label = (
                        "times",
                        text,
                        self.formulas.base(source),
                        self.tree.order.index(place),
                    )
                    other = times(place, form(leaf))
                    yield Change(label, "extra factor", words, {id(place): other})
        for g in gradients:
            words = "the gradient that arrives was multiplied in twice"
            yield Change(("g²", g.name), "extra factor", words, {id(g): times(g, g)})
        for i, node, parts in self.products:
            sends = [p for p in parts if self._sends(p)]
            rest = [p for p in parts if not self._sends(p)]
            for k in range(1, len(rest) + 1):
                for chosen in combinations(rest, k):
                    other = added(
                        product([*sends, *(r for r in rest if r not in chosen)]),
                        product(list(chosen)),
                    )
                    label = ("plus", i, k, tuple(rest.index(c) for c in chosen))
                    if other.shape == node.shape:
                        yield Change(label, "sum for product", SUMMED, {id(node): other})

    def _near_leaves(self, place: Expression) -> list[Leaf]:
        """The values that have the shape of a part: those in the formula, and those that the stage
        reads."""
        node = self.branch.stage.output
        read = [self.formulas.leaf(x) for x in (node, *node._inputs) if hasattr(x, "_op")]
        inside = [leaf for _, leaf, _ in self._leaves()]
        return [x for x in dict.fromkeys([*inside, *read]) if x.shape == place.shape]

    # Others in the place of the right ones.

    def _values(self) -> Iterator[Change]:
        """A value of another block or gate where the right one belongs, or its transpose."""
        for i, leaf, v in self._leaves():
            base = self.formulas.base(v)
            if len(leaf.shape) == 2 and leaf.shape[0] == leaf.shape[1]:
                turn = "{} is transposed where it must not be, or the other way round"
                words = self._words(turn, leaf)
                yield Change(("ᵀ", i), "transpose", words, {id(leaf): turned(leaf)})
            for w in self.vocabulary.near(v, self.at, self.shaped):
                other = self.formulas.leaf(w)
                kind = "wrong block" if self.formulas.base(w) == base else "wrong value"
                words = self._words("{} was used where {} belongs", other, leaf)
                label = ("value", i, self.vocabulary.reference(w, self.at))
                yield Change(label, kind, words, {id(leaf): other})

    def _gradients(self) -> Iterator[Change]:
        """The gradient of another value, or a part of the right one."""
        for i, leaf in self.nodes:
            if not isinstance(leaf, Leaf) or not leaf.gradient:
                continue
            fork = self.formulas.source[leaf]
            yield from self._parts_of(i, leaf, fork)
            x = self.branch.stage.output._inputs[self.branch.argument]
            before = self.vocabulary.places.get(id(x), len(self.vocabulary.places))
            for w in self.vocabulary.gradients_near(fork, self.at, before):
                other = self.formulas.gradient_leaf(w)
                words = self._words("the gradient {} was used where {} belongs", other, leaf)
                label = ("δ", i, self.vocabulary.reference(w, self.at))
                yield Change(label, "wrong gradient", words, {id(leaf): other})

    def _parts_of(self, i: int, leaf: Leaf, fork: Any) -> Iterator[Change]:
        branches = self.formulas.chain.gradients.branches(fork)
        for k, b in enumerate(branches if len(branches) > 1 else (), 1):
            through, name = self.formulas.tape.label(b.stage.output), TEXT.name(leaf)
            array = self.formulas.chain.sent[id(b.stage.output), b.argument]
            other = Leaf(array, f"{name}|{through}")
            words = (
                f"only branch {k} of {name} (through {through}) was carried on; the fork has "
                f"{len(branches)}"
            )
            yield Change(("part", i, k), "wrong gradient", words, {id(leaf): other})

    # Brackets.

    def _brackets(self) -> Iterator[Change]:
        """A factor of one term on a whole sum, and the reverse."""
        for i, node in self.nodes:
            signed = terms(node)
            for k, (_, term) in enumerate(signed if 1 < len(signed) <= 6 else []):
                found = factors(term)
                for n in range(1, min(len(found), 4)):
                    for chosen in combinations(found, n):
                        spread = [
                            (s, t if j == k else times(t, product(list(chosen))))
                            for j, (s, t) in enumerate(signed)
                        ]
                        alone = f"{CLOSED}: {{}} belongs to {{}} alone, and not to the whole sum"
                        words = self._words(alone, product(list(chosen)), term)
                        label = ("(", i, k, tuple(map(found.index, chosen)))
                        yield Change(label, "parenthesis", words, {id(node): summed_up(spread)})
        for i, node, parts in self.products:
            yield from self._closed_too_early(i, node, parts)

    def _closed_too_early(
        self, i: int, node: Expression, parts: list[Expression]
    ) -> Iterator[Change]:
        for k, part in enumerate(parts):
            signed, others = terms(part), parts[:k] + parts[k + 1 :]
            for n in range(1, len(others) + 1) if len(signed) > 1 else ():
                for chosen in combinations(others, n):
                    rest = [p for p in others if p not in chosen]
                    for j in range(len(signed)):
                        alone = [
                            (s, t if m == j else times(t, product(list(chosen))))
                            for m, (s, t) in enumerate(signed)
                        ]
                        whole = f"{CLOSED}: {{}} belongs to the whole sum"
                        words = self._words(whole, product(list(chosen)))
                        label = (")", i, k, j, tuple(map(others.index, chosen)))
                        other = product([*rest, summed_up(alone)])
                        yield Change(label, "parenthesis", words, {id(node): other})
