"""Mistakes in a derivative as a whole, where each entry of a value has its own: that of another
function, at another value, or of another loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from tinygrad_lstm.comparison.omitted import WRONG_FORM
from tinygrad_lstm.comparison.parts import Parts
from tinygrad_lstm.comparison.slopes import BY_PROBABILITY, FORMS, LOSSES, SLOPES
from tinygrad_lstm.comparison.tree import Change, product, times
from tinygrad_lstm.derivation.expression import (
    Apply,
    Expression,
    Leaf,
    apply,
    leaves,
    number,
    substitute,
)
from tinygrad_lstm.ops.elementwise import divide

__all__ = ["Derived"]

EVERY = FORMS | SLOPES | BY_PROBABILITY
ELEMENTWISE = 1e-9  # of the largest entry: how nearly a formula is a slope times the gradient
FEW = 4  # values whose losses are tried
AT = "the derivative is taken at {}, where it belongs to {}: {}"
VALUE = "the value {} was used where its gradient belongs"
OF = "this is the derivative of {loss}: {{}} where {{}} belongs"


class Derived(Parts):
    """Derivatives as wholes; the parameters are those of :class:`Parts`."""

    def _derived(self) -> Iterator[Change]:
        g, slope = self._slope
        x = self.formulas.leaf(self._x)
        inner = self.formulas.as_function_of(self.tree.root, self._x)
        if x in leaves(inner):
            if g is not None and slope is not None:
                yield from self._other_forms(g, slope) if not self._is_form(g) else ()
                value = self.formulas.leaf(self._made(g))
                words = self._words(VALUE, value)
                yield Change(("slope of y",), "wrong value", words, {id(g): value})
            made = [] if g is None else [self._made(g)]
            yield from self._taken_elsewhere(x, inner, made)
        yield from self._other_losses()

    @property
    def _x(self) -> Any:
        """The value that the formula is the derivative by."""
        return self.branch.stage.output._inputs[self.branch.argument]

    @cached_property
    def _slope(self) -> tuple[Leaf | None, Expression | None]:
        """The gradient that arrives, and what each of its entries is multiplied by; None where the
        formula is something else."""
        root, found = self.tree.root, self.tree.gradients[id(self.tree.root)]
        if isinstance(root, Leaf) or len(found) != 1 or not root.shape:
            return None, None
        (g,) = found
        one = number(np.ones(g.shape))
        if g.shape != root.shape or self.tree.array.dtype.kind != "f":
            return None, None
        off = self.tree.array - g.array * self.tree.run({id(g): one})
        size = float(np.max(np.abs(self.tree.array), initial=0))
        if not np.max(np.abs(off), initial=0) <= ELEMENTWISE * size:
            return None, None
        return g, self.tree.formula({id(g): one})

    def _is_form(self, g: Leaf) -> bool:
        """Whether the slope is all that one factor or more say of the same values, in the rule of
        one stage: other forms of that are tried by themselves."""
        found = next((p for _, n, p in self.products if n is self.tree.root), [])
        about = {self._about(p) for p in found if not self._sends(p)}
        return self._made(g) is self.branch.stage.output and len(about) == 1

    def _other_forms(self, g: Leaf, slope: Expression) -> Iterator[Change]:
        """A form that another function's derivative has, of what is differentiated or came of
        it."""
        wrong = f"{WRONG_FORM.format(self.formulas.label(self._made(g)))}: {{}} where {{}} belongs"
        for role, v in (("y", self._made(g)), ("x", self._x)):
            leaf = self.formulas.leaf(v)
            for text, form in EVERY.items() if leaf.shape == g.shape else ():
                other = times(g, form(leaf))
                words = self._words(wrong, form(leaf), slope)
                yield Change(
                    ("slope", role, text), "local form", words, {id(self.tree.root): other}
                )

    def _taken_elsewhere(self, x: Leaf, inner: Expression, made: Sequence[Any]) -> Iterator[Change]:
        """The right function, differentiated at another value: at what it returned, say, or what
        came of that."""
        near = self.vocabulary.of_shape(x.shape, self.at)
        later = (w for w in near if self.formulas.reads(w, self._x))
        for w in dict.fromkeys([*made, *later]):
            if w is self._x or w.shape != x.shape:
                continue
            other = self.formulas.leaf(w)
            whole = substitute(inner, {x: other})
            words = self._words(AT, other, x, whole)
            for seen in self.vocabulary.references(w, self.at):
                label = ("slope at", seen)
                yield Change(label, "local form", words, {id(self.tree.root): whole})

    def _made(self, g: Leaf) -> Any:
        """What the function returned: the value that the gradient belongs to."""
        return self.formulas.source[g]

    def _other_losses(self) -> Iterator[Change]:
        """The derivative of another loss by the error, where nothing but a number arrives."""
        root = self.tree.root
        seeds = self.tree.gradients[id(root)]
        if not root.shape or any(g.shape for g in seeds) or self.tree.array.dtype.kind != "f":
            return
        shares = (1, *self.vocabulary.sizes.of(root.shape))
        for role, v in enumerate(self._errors()):
            for loss, form in LOSSES.items():
                for n in shares:
                    other = product([*seeds, form(v)])
                    if n > 1:
                        other = apply(divide.op, (other, number(float(n))), {}, other.shape)
                    words = self._words(OF.format(loss=loss), other, root)
                    label = ("loss", role, loss, n)
                    yield Change(label, "local form", words, {id(root): other})

    def _errors(self) -> list[Expression]:
        """What a loss may be of: differences first, then the other values of that shape."""
        shape = self.tree.root.shape
        some = [n for _, n in self.nodes if n.shape == shape and not self._sends(n)]
        values = [leaf for _, leaf, _ in self._leaves() if leaf.shape == shape]
        values.append(self.formulas.leaf(self._x))
        computed = [n for n in some if isinstance(n, Apply) and n.op.name == "subtract"]
        values.sort(key=lambda leaf: not self._is_difference(self.formulas.source[leaf]))
        alike: dict[bytes, Expression] = {}
        every: list[Expression] = [*computed, *values]
        for e in every:
            alike.setdefault(self._entries(e), e)
        return list(alike.values())[:FEW]

    @staticmethod
    def _is_difference(v: Any) -> bool:
        return v._op is not None and v._op.name == "subtract"

    def _entries(self, e: Expression) -> bytes:
        array = self.tree.arrays.get(id(e))
        return np.asarray(e.array if isinstance(e, Leaf) else array).tobytes()
