"""Mistakes in the functions that a formula has in it: softmax along another axis or without its
sum, what a function is applied to in its place."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinygrad_lstm.comparison.omitted import WRONG_FORM
from tinygrad_lstm.comparison.parts import Parts
from tinygrad_lstm.comparison.slopes import FORMS
from tinygrad_lstm.comparison.tree import Change, inverse, spread, times
from tinygrad_lstm.derivation.expression import Apply, Expression, Leaf, apply, number
from tinygrad_lstm.ops.elementwise import exp, sign
from tinygrad_lstm.ops.reduce import softmax

__all__ = ["Functions"]

STANDS = "{} stands where {} belongs"
UNDIVIDED = "the exponentials were not divided by their sum: " + STANDS
EVEN = "every entry has the same share, 1/{}: {{}} is missing"


class Functions(Parts):
    """What stands in the place of a function of values; the parameters are those of
    :class:`Parts`."""

    def _functions(self) -> Iterator[Change]:
        for i, node, made in self._applied():
            (inner,) = made.args
            if made.op.name == "softmax":
                yield from self._softmax(i, node, made)
            if inner.shape == node.shape:
                words = self._words(STANDS, inner, node)
                yield Change(("inner", i), "local form", words, {id(node): inner})
            for text, form in FORMS.items() if made is node else ():
                words = self._words(
                    f"{WRONG_FORM.format(self.branch.stage.op)}: {STANDS}", form(node), node
                )
                yield Change(("f", i, text), "local form", words, {id(node): form(node)})

        yield from self._written_out()
        yield from self._unlimited()

    def _unlimited(self) -> Iterator[Change]:
        """A value where it has to be limited, and its sign alone."""
        for i, node in self.nodes:
            if isinstance(node, Apply) and node.op.name == "clip" and not self._sends(node):
                x = node.args[0]
                for how, other in (("x", x), ("sign", apply(sign.op, (x,), {}, x.shape))):
                    words = self._words(STANDS, other, node)
                    yield Change(("unlimited", i, how), "local form", words, {id(node): other})

    def _written_out(self) -> Iterator[Change]:
        """A softmax that is written out, without the sum by which it is divided, or along another
        axis; what is subtracted in it so that nothing overflows is left out."""
        for i, node in self.nodes:
            if not isinstance(node, Apply) or node.op.name != "sum" or self._sends(node):
                continue
            exps, ratios = node.args[0], self.tree.users[id(node)]
            if isinstance(exps, Apply) and exps.op.name == "exp":
                x = _unshifted(exps.args[0])
                undone = {id(r): r.args[0] for r in ratios if r.op.name == "divide"}
                plain = apply(exp.op, (x,), {}, exps.shape)
                words = self._words("the exponentials were not divided by their sum, {}", node)
                for k, changed in enumerate((undone, {**undone, id(exps): plain})):
                    yield Change(("Σexp", i, k), "local form", words, changed)
                for axis in (*range(len(x.shape)), None) if undone else ():
                    other = Apply(softmax.op, (x,), {"axis": axis}, x.shape)
                    words = self._words(STANDS, other, times(exps, inverse(node)))
                    changed = {**undone, id(exps): other}
                    yield Change(("Σexp along", i, axis), "axis", words, changed)

    def _applied(self) -> Iterator[tuple[int, Expression, Apply]]:
        """The functions of one value, by their place in the formula: those in it, and those that a
        value in it was computed by."""
        for i, node in self.nodes:
            if isinstance(node, Apply) and not self._sends(node) and _is_function(node):
                yield i, node, node  # of which other forms are tried too
        for i, leaf, v in self._leaves():
            if v._op is not None and v._op.kind == "function" and len(v._inputs) == 1:
                made = self.formulas.computed(v)
                if isinstance(made, Apply) and made.op is v._op:
                    yield i, leaf, made

    def _softmax(self, i: int, node: Expression, made: Apply) -> Iterator[Change]:
        """Along another axis, not divided by the sum, or all shares alike."""
        (x,), ndim = made.args, len(node.shape)
        now = made.params.get("axis", -1)
        used = range(ndim) if now is None else [int(a) % ndim for a in np.atleast_1d(now)]
        others = [axis for axis in (*range(ndim), None) if axis is None or [axis] != list(used)]
        for axis in others if ndim > 1 else ():
            other = Apply(made.op, (x,), {"axis": axis}, node.shape)
            words = self._words(STANDS, other, node)
            yield Change(("softmax", i, axis), "axis", words, {id(node): other})
        exps = apply(exp.op, (x,), {}, node.shape)
        words = self._words(UNDIVIDED, exps, node)
        yield Change(("exp", i), "local form", words, {id(node): exps})
        n = int(np.prod([node.shape[a] for a in used]))
        words = self._words(EVEN.format(n), node)
        even = spread(number(1 / n), node.shape)
        yield Change(("even", i), "local form", words, {id(node): even})


def _is_function(e: Apply) -> bool:
    return e.op.kind == "function" and len(e.args) == 1


def _unshifted(x: Expression) -> Expression:
    """What is exponentiated, without a constant that is subtracted from it."""
    if isinstance(x, Apply) and x.op.name == "subtract" and isinstance(x.args[1], Leaf):
        return x.args[0]
    return x
