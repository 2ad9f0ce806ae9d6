"""Mistakes in how arrays of fewer axes are spread along others: an axis that is put in at another
place, a value that has one axis less."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from tinygrad_lstm.comparison.parts import Parts
from tinygrad_lstm.comparison.tree import Change, factors, product, spread, times
from tinygrad_lstm.derivation.expression import Apply, Expression, Leaf, apply
from tinygrad_lstm.ops.shape import reshape

__all__ = ["Broadcasts"]

PUT = "the axis of length 1 is in another place: {} has the shape {}, and {} is right"
INSERTS = ("reshape", "expand_dims", "index")


class Broadcasts(Parts):
    """What is spread along another axis; the parameters are those of :class:`Parts`."""

    def _inserted(self) -> Iterator[Change]:
        yield from self._put_in()
        for i, leaf, v in self._leaves():
            for axis in range(len(leaf.shape)) if len(leaf.shape) > 2 else ():
                yield from self._without_axis(i, leaf, v, axis)

    def _put_in(self) -> Iterator[Change]:
        """Axes of length 1 that are put in elsewhere, which NumPy spreads along other axes."""
        for i, node, x in self._put_in_parts():
            for places in combinations(range(len(node.shape)), len(x.shape)):
                lengths = dict(zip(places, x.shape, strict=True))
                shape = tuple(lengths.get(axis, 1) for axis in range(len(node.shape)))
                if shape != node.shape:
                    other = apply(reshape.op, (x,), {"shape": shape}, shape)
                    words = self._words(PUT.format("{}", shape, node.shape), x)
                    yield Change(("put in", i, places), "axis", words, {id(node): other})
                    yield from self._of_gradient(i, node, x, shape)

    def _of_gradient(
        self, i: int, node: Expression, x: Expression, shape: tuple[int, ...]
    ) -> Iterator[Change]:
        """The same of the gradient alone, where values are multiplied on."""
        parts = factors(x)
        sends = [p for p in parts if self._sends(p)]
        rest = [p for p in parts if not self._sends(p)]
        if sends and rest and all(p.shape == x.shape for p in parts):
            moved = apply(reshape.op, (product(sends),), {"shape": shape}, shape)
            stays = apply(reshape.op, (product(rest),), {"shape": node.shape}, node.shape)
            words = self._words(PUT.format("{}", shape, node.shape), product(sends))
            label = ("put in alone", i, shape)
            yield Change(label, "axis", words, {id(node): times(moved, stays)})

    def _put_in_parts(self) -> Iterator[tuple[int, Expression, Expression]]:
        """The parts that are others with axes of length 1 put in."""
        for i, node in self.nodes:
            made: Expression = node
            if isinstance(node, Leaf):
                v = self.formulas.source.get(node)
                if node.gradient or v is None or v.name or v._op is None or len(v._inputs) != 1:
                    continue
                made = self.formulas.computed(v) if v._op.name in INSERTS else node
            if isinstance(made, Apply) and made.op.name in INSERTS:
                x = made.args[0]
                if len(x.shape) < len(node.shape) and _long(x.shape) == _long(node.shape):
                    yield i, node, x

    def _without_axis(self, i: int, leaf: Leaf, v: object, axis: int) -> Iterator[Change]:
        """A value that has all axes but one."""
        shape = (*leaf.shape[:axis], *leaf.shape[axis + 1 :])
        for w in self.vocabulary.of_shape(shape, self.at):
            read = self.formulas.leaf(w)
            kept = (*leaf.shape[:axis], 1, *leaf.shape[axis + 1 :])
            other = apply(reshape.op, (read,), {"shape": kept}, kept) if axis else read
            words = self._words("{} was used where {} belongs", read, leaf)
            for seen in self.vocabulary.references(w, self.at, v):
                label = ("spread", i, axis, seen)
                yield Change(label, "wrong value", words, {id(leaf): spread(other, leaf.shape)})


def _long(shape: tuple[int, ...]) -> list[int]:
    """The lengths that are not 1."""
    return [n for n in shape if n != 1]
