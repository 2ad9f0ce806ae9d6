"""Mistakes in local derivatives: a wrong form, a factor too many, a sum for a product."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import numpy as np

from tinygrad_lstm.comparison.omitted import WRONG_FORM
from tinygrad_lstm.comparison.parts import Parts
from tinygrad_lstm.comparison.slopes import BY_PROBABILITY, FORMS, SLOPES
from tinygrad_lstm.comparison.tree import (
    ONE,
    Change,
    added,
    flipped,
    inverse,
    less,
    product,
    squared,
    squares,
    times,
)
from tinygrad_lstm.derivation.expression import Apply, Expression, Leaf, apply, leaves, number
from tinygrad_lstm.ops.elementwise import bound
from tinygrad_lstm.ops.logic import logical_not
from tinygrad_lstm.ops.reduce import sum as summed

__all__ = ["Forms"]

SUMMED = (
    "the local derivative was added to the gradient that arrives, where the two have to be "
    "multiplied"
)

ASKED = "the condition is asked of the gradient, where it belongs to the value"
TURNED = "the condition is the other way round"
LIMITS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0)
SLOPE = (0.01, 0.1, 0.2)  # numbers that people choose for leaky units
NEARLY_ALL = 0.01  # of the largest entry: what is clipped to less is hardly more than signs
CONDITIONS = ("greater", "greater_equal", "less", "less_equal")
UPSIDE_DOWN = "a factor is upside down: {} where {} belongs"
PROBABILITY = "this is the derivative by {}, which has to be differentiated too: {}"
ONCE_MORE = "the derivative of softmax, which the rule has in it, was multiplied on"


class Forms(Parts):
    """Wrong forms of local derivatives, and what is too many."""

    def _forms(self) -> Iterator[Change]:
        """A wrong form of a local derivative."""
        for i, node, parts in self.products:
            for about in dict.fromkeys(self._about(p) for p in parts if not self._sends(p)):
                rest = [p for p in parts if self._about(p) != about or self._sends(p)]
                gone = [p for p in parts if p not in rest]
                if about and rest:
                    for w in self._related(self._in_order(about)[0]):
                        yield from self._formed(i, node, rest, gone, w)

        yield from self._as_wholes()
        yield from self._of_the_probability()
        yield from self._inverted()
        yield from self._powers()
        yield from self._asked()

    def _as_wholes(self) -> Iterator[Change]:
        """A wrong form of all that stands beside the gradient, such as a softmax written out; of a
        rule alone, or of those of several stages."""
        root = self.tree.root
        if len(self.tree.gradients[id(root)]) > 1 or isinstance(root, Leaf):
            return
        wrong = f"{WRONG_FORM.format(self.branch.stage.op)}: {{}} where {{}} belongs"
        for k, local in enumerate(self.formulas.locals(self.branch)):
            if all(leaf.name is None for leaf in leaves(local)):
                continue  # numbers alone, as of a sum over the batch
            whole = {"1 − y": less(ONE, local), "y": local, "1": inverse(local)}
            for text, factor in whole.items() if local.shape == root.shape else ():
                words = self._words(wrong, times(local, factor), local)
                label = ("whole", k, text)
                yield Change(label, "local form", words, {id(root): times(root, factor)})

    def _of_the_probability(self) -> Iterator[Change]:
        """The derivative of a cross entropy by the probability, where that by the logits belongs:
        the softmax or sigmoid that the rule has in it was left out."""
        for i, node in self.nodes:
            if not isinstance(node, Apply) or node.op.name != "subtract":
                continue
            p, target = node.args
            if isinstance(p, Apply) and p.op.name in ("softmax", "sigmoid"):
                other = times(flipped(target), inverse(p))
                if p.op.name == "sigmoid":
                    other = times(node, inverse(times(p, less(ONE, p))))
                words = self._words(PROBABILITY, p, other)
                yield Change(("by p", i), "local form", words, {id(node): other})

    def _inverted(self) -> Iterator[Change]:
        """A factor upside down: it multiplies where it has to divide, or the other way round."""
        for i, node, parts in self.products:
            for k, part in enumerate(parts):
                if self._sends(part) or (isinstance(part, Leaf) and part.name is None):
                    continue
                words = self._words(UPSIDE_DOWN, inverse(part), part)
                other = product([inverse(p) if p is part else p for p in parts])
                yield Change(("1/", i, k), "local form", words, {id(node): other})

    def _powers(self) -> Iterator[Change]:
        """A value squared where it must not be, and the other way round; a root that is missing."""
        for i, leaf, _ in self._leaves():
            if not all(map(squares, self.tree.users[id(leaf)])):
                words = self._words("{} stands where {} belongs", squared(leaf), leaf)
                yield Change(("power", i, 2), "local form", words, {id(leaf): squared(leaf)})
        for i, node in self.nodes:
            if isinstance(node, Apply) and node.op.name in ("square", "sqrt", "power"):
                base = node.args[0]
                if not self._sends(node) and base.shape == node.shape:
                    words = self._words("{} stands where {} belongs", base, node)
                    yield Change(("power", i, 1), "local form", words, {id(node): base})

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

        for i, mask, _ in self._leaves():
            if np.asarray(mask.array).dtype.kind == "b":
                turned = apply(logical_not.op, (mask,), {}, mask.shape)
                words = self._words(TURNED + ": {}", turned)
                yield Change(("not", i), "local form", words, {id(mask): turned})
                for g in (g for g in gradients if g.shape == mask.shape):
                    slope = SLOPES["y > 0"](g)
                    words = self._words(ASKED + ": {}", slope)
                    where = ("asked mask", i, gradients.index(g))
                    yield Change(where, "local form", words, {id(mask): slope})

    def _related(self, v: Leaf) -> list[Leaf]:
        """A value, and what its stage read or made of it: what a form may be taken of."""
        node = self.branch.stage.output
        read = (node, *node._inputs) if len(node._inputs) == 1 else ()
        near = [x for x in read if hasattr(x, "_op") and x.shape == v.shape]
        return list(dict.fromkeys([v, *map(self.formulas.leaf, near)]))

    def _formed(
        self, i: int, node: Expression, rest: list[Expression], gone: list[Expression], w: Leaf
    ) -> Iterator[Change]:
        about = frozenset().union(*map(self._about, gone))
        source = self.formulas.source.get(w)
        base = self.formulas.base(source) if source is not None else str(w.name)
        wrong = f"{WRONG_FORM.format(self._function(about))}: {{}} where {{}} belongs"
        for text, form in (FORMS | SLOPES | BY_PROBABILITY).items():
            words = self._words(wrong, form(w), product(gone))
            other = product([*rest, form(w)])
            yield Change(("form", i, text, base), "local form", words, {id(node): other})
        for g in (g for p in rest for g in self._in_order(self.tree.gradients.get(id(p), ()))):
            if g.shape == w.shape:
                words = self._words(ASKED + ": {}", SLOPES["y > 0"](g))
                other = product([*rest, SLOPES["y > 0"](g)])
                yield Change(("form g", i, base), "local form", words, {id(node): other})

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
        for i, place in enumerate(dict.fromkeys([root, *gradients])):
            rows = place.shape[1:]  # what is there once for a whole batch
            beside = self.vocabulary.of_shape(rows, self.at) if rows else []
            for w in (*self.vocabulary.of_shape(place.shape, self.at), *beside):
                leaf = self.formulas.leaf(w)
                words = self._words("there is a factor too many: {}", leaf)
                for seen in self.vocabulary.references(w, self.at):
                    label = ("times near", i, seen)
                    yield Change(label, "extra factor", words, {id(place): times(place, leaf)})
        yield from self._once_more()
        for g in gradients:
            words = "the gradient that arrives was multiplied in twice"
            yield Change(("g²", g.name), "extra factor", words, {id(g): times(g, g)})
        yield from self._summed()

    def _summed(self) -> Iterator[Change]:
        """A sum where a product belongs."""
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

    def _clipped(self) -> Iterator[Change]:
        """A gradient that was clipped on the way, to a limit that people choose."""
        gradients = [n for _, n in self.nodes if isinstance(n, Leaf) and n.gradient]
        for i, node in enumerate(dict.fromkeys([self.tree.root, *gradients])):
            largest = float(np.max(np.abs(self.tree.arrays[id(node)]), initial=0))
            for limit in LIMITS if node.shape else ():
                if NEARLY_ALL * largest < limit < largest:
                    args = (node, number(-limit), number(limit))
                    other = Apply(bound.op, args, {}, node.shape)
                    words = self._words(f"{{}} was clipped to ±{limit:g}", node)
                    yield Change(("clip", i, limit), "clipped", words, {id(node): other})

    def _multiplied(self) -> Iterator[Change]:
        """What sums and means are made with."""
        root, node = self.tree.root, self.formulas.written(self.branch.stage.output)
        for value, said in self.vocabulary.sizes.factors.items():
            words = self._words(f"the branch through {{}} is {said}", node)
            yield Change(("number", value), "factor", words, {id(root): times(number(value), root)})

    def _constants(self) -> Iterator[Change]:
        """Another number in the formula, such as a slope of a leaky unit."""
        for i, node in self.nodes:
            if not isinstance(node, Leaf) or node.name is not None or node.gradient or node.shape:
                continue
            value = float(np.real(node.array))
            if value in (0.0, 1.0, -1.0) or np.asarray(node.array).dtype.kind != "f":
                continue
            for other in dict.fromkeys((1.0, 2 * value, value / 2, 1 / value, value**2, *SLOPE)):
                if other != value:
                    words = f"the number {other:g} stands where {value:g} belongs"
                    changed = {id(node): number(other)}
                    yield Change(("constant", i, other), "factor", words, changed)

    def _once_more(self) -> Iterator[Change]:
        """The derivative of a function that the rule has in it already, such as the softmax of a
        cross entropy."""
        root = self.tree.root
        for i, node in self.nodes:
            if isinstance(node, Leaf) or self._sends(node) or node.shape != root.shape:
                continue
            if node.op.name not in ("softmax", "sigmoid", "tanh"):
                continue
            for text, form in FORMS.items():
                words = self._words("there is a factor too many: {}", form(node))
                other = times(form(node), root)
                yield Change(("once more", i, text), "extra factor", words, {id(root): other})
            if node.op.name == "softmax":
                axis = {"axis": node.params.get("axis", -1), "keepdims": True}
                shape = np.zeros(root.shape).sum(**axis).shape
                mixed = apply(summed.op, (times(root, node),), axis, shape)
                other = times(node, less(root, mixed))
                yield Change(("once more", i), "extra factor", ONCE_MORE, {id(root): other})

    def _near_leaves(self, place: Expression) -> list[Leaf]:
        """The values that have the shape of a part: those in the formula, and those that the stage
        reads."""
        node = self.branch.stage.output
        read = [self.formulas.leaf(x) for x in (node, *node._inputs) if hasattr(x, "_op")]
        inside = [leaf for _, leaf, _ in self._leaves()]
        return [x for x in dict.fromkeys([*inside, *read]) if x.shape == place.shape]
