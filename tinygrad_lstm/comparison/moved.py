"""Mistakes in how values are picked out and put together: index arrays of another step, one entry
for a mean, the rule of another reduction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from tinygrad_lstm.comparison.indices import Where, arrays, exchanged, put
from tinygrad_lstm.comparison.shifted import Shifted
from tinygrad_lstm.comparison.tree import Change
from tinygrad_lstm.derivation.expression import Apply, Expression, apply, number, parts
from tinygrad_lstm.engine.names import signed
from tinygrad_lstm.ops.elementwise import divide
from tinygrad_lstm.ops.reduce import max as largest
from tinygrad_lstm.ops.reduce import mean
from tinygrad_lstm.ops.reduce import sum as summed
from tinygrad_lstm.ops.select import index
from tinygrad_lstm.ops.shape import broadcast_to

__all__ = ["Moved"]

REDUCED = {"sum": summed, "mean": mean, "max": largest}
PICKING = ("max", "min")
EXCHANGED = "the indices of two axes are exchanged"


class Moved(Shifted):
    """What is picked out otherwise."""

    def _indices(self) -> Iterator[Change]:
        """The index arrays of another step, in what the rule picks, and in what was read."""
        for i, node in self.nodes:
            if isinstance(node, Apply) and node.params:
                yield from self._picked(i, node, node)
        for i, leaf, v in self._leaves():
            if v._op is not None and v._params and len(v._inputs) == 1:
                read = self.formulas.leaf(v._inputs[0]) if hasattr(v._inputs[0], "_op") else None
                if read is not None:
                    yield from self._picked(i, leaf, Apply(v._op, (read,), v._params, v.shape))

        yield from self._placed_otherwise()

    def _picked(self, i: int, part: Expression, node: Apply) -> Iterator[Change]:
        """A part that is `node`, with other index arrays."""
        yield from self._exchanged_indices(i, part, node)
        for name, array in arrays(node.params):
            for role, shift in self.vocabulary.indices.near(array, self.at):
                params = self._with(node.params, name, role, shift)
                other = Apply(node.op, node.args, params(self.branch), node.shape)
                words = "the indices of another step were used" + _away(shift)
                label = ("indices", i, str(name), role, shift)
                yield Change(label, "wrong block", words, {id(part): other}, params)

    def _exchanged_indices(self, i: int, part: Expression, node: Apply) -> Iterator[Change]:
        """Two index arrays of one key, each in the place of the other."""
        found = [(where, a) for where, a in arrays(node.params) if where[1] is not None]
        for (one, a), (other, b) in combinations(found, 2):
            if a.shape == b.shape and not np.array_equal(a, b):
                params = partial(self._crosswise, node, one, other)
                changed = Apply(node.op, node.args, params(self.branch), node.shape)
                label = ("indices exchanged", i, str(one), str(other))
                yield Change(label, "axis", EXCHANGED, {id(part): changed}, params)

    def _crosswise(self, node: Apply, one: Where, other: Where, branch: Any) -> Mapping[str, Any]:
        """The parameters of a part, or of the same operation in the rule of another branch, two
        index arrays exchanged."""
        rule = parts(self.formulas.rule(branch))
        own = (e.params for e in rule if isinstance(e, Apply) and e.op is node.op)
        return exchanged(next(own, node.params), one, other)

    def _with(
        self, params: Mapping[str, Any], name: Where, role: Any, shift: int | str
    ) -> Callable[[Any], Mapping[str, Any]]:
        """Parameters with the index array of a role, so many blocks from that of a branch."""

        def of(branch: Any) -> Mapping[str, Any]:
            at = self.vocabulary.at(branch)
            return put(params, name, self.vocabulary.indices.of(role, at, shift))

        return of

    def _reduced(self) -> Iterator[Change]:
        """One entry, or another reduction, where a mean or a sum was read; the rule of another
        reduction."""
        for i, leaf, v in self._leaves():
            if v._op is not None and v._op.name in REDUCED:
                yield from self._instead(i, leaf, v)
        yield from self._rule_of_another()

    def _instead(self, i: int, leaf: Any, v: Any) -> Iterator[Change]:
        u, params = self.formulas.leaf(v._inputs[0]), v._params
        for name, op in REDUCED.items():
            if name != v._op.name:
                other = apply(op.op, (u,), params, v.shape)
                words = self._words("{} stands where {} belongs", other, leaf)
                yield Change(("reduced", i, name), "axis", words, {id(leaf): other})
        axis = params.get("axis")
        if isinstance(axis, int) and not params.get("keepdims"):
            for at in (-1, 0):
                key = (slice(None),) * (axis % len(u.shape)) + (at,)
                other = apply(index.op, (u,), {"key": key}, v.shape)
                words = self._words("{} stands where {} belongs", other, leaf)
                yield Change(("entry", i, at), "slice", words, {id(leaf): other})

    def _rule_of_another(self) -> Iterator[Change]:
        """The gradient of a maximum handed to every entry, in equal parts."""
        node, root = self.branch.stage.output, self.tree.root
        if node._op.name not in PICKING:
            return
        n = int(np.prod(root.shape)) // max(node._array.size, 1)
        for _, _, found in self.products:
            for k, part in enumerate(p for p in found if self._sends(p)):
                even = apply(divide.op, (part, number(n)), {}, part.shape)
                other = apply(broadcast_to.op, (even,), {"shape": root.shape}, root.shape)
                words = f"every entry got 1/{n}, where the one that is chosen gets all"
                yield Change(("even", k), "local form", words, {id(root): other})


def _away(shift: int | str) -> str:
    """How far away another step is, in words."""
    if isinstance(shift, str):
        return " (of the mirror image of time)"
    return f" ({signed(shift)})" * bool(shift)
