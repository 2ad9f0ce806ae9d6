"""Mistakes by which another value or gradient stands in a formula than the right one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from tinygrad_lstm.comparison.parts import Parts
from tinygrad_lstm.comparison.tree import (
    Change,
    Tree,
    added,
    spread,
    summed_up,
    terms,
    times,
    turned,
)
from tinygrad_lstm.derivation.expression import (
    Apply,
    Expression,
    Leaf,
    apply,
    leaves,
    number,
    substitute,
)
from tinygrad_lstm.derivation.notation import TEXT
from tinygrad_lstm.engine.memory import SCALARS
from tinygrad_lstm.ops.move import flip
from tinygrad_lstm.ops.shape import transpose

__all__ = ["Others"]

TURNED = ("transpose", "swapaxes")
JOINS = ("concatenate", "stack")
ADDED = "the gradient {} was added, which does not come here"
VALUE = "the value {} was used where the gradient {} belongs"
CARRIED = "only what is carried back into this block was used where {} belongs"
UNCARRIED = "what is carried back into this block is missing in {}, here alone"
TIMES = "the gradient {} was multiplied on, which does not belong here"
KEPT = "what another call of the function has kept was used: {} where {} belong"
FEW = 4  # values of another call, of which all choices are tried
SWAPPED = "the last two axes are swapped before they are made one"


class Others(Parts):
    """Others in the place of the right ones."""

    def _values(self) -> Iterator[Change]:
        """A value of another block or gate where the right one belongs, or its transpose."""
        for i, leaf, v in self._leaves():
            base = self.formulas.base(v)
            if len(leaf.shape) == 2 and leaf.shape[0] == leaf.shape[1]:
                turn = "{} is transposed where it must not be, or the other way round"
                words = self._words(turn, leaf)
                yield Change(("ᵀ", i), "transpose", words, {id(leaf): turned(leaf)})
            for axis in range(len(leaf.shape)):
                words = self._words(f"{{}} was read in reverse, along axis {axis}", leaf)
                other = apply(flip.op, (leaf,), {"axis": axis}, leaf.shape)
                if leaf.shape[axis] > 1:
                    yield Change(("reversed", i, axis), "reversed", words, {id(leaf): other})
            for w in self.vocabulary.near(v, self.at, self.shaped, outer=True):
                other = self.formulas.leaf(w)
                kind = "wrong block" if self.formulas.base(w) == base else "wrong value"
                words = self._words("{} was used where {} belongs", other, leaf)
                for seen in self.vocabulary.references(w, self.at, v):
                    yield Change(("value", i, seen), kind, words, {id(leaf): other})
                same = self.formulas.base(w) == base
                if same or self.vocabulary.block(w) in (None, self.vocabulary.block(v)):
                    yield from self._once(i, leaf, w, kind)
        yield from self._of_other_axes()

    def _of_other_axes(self) -> Iterator[Change]:
        """In a product, a value that is there for each row where one for all rows belongs, and the
        other way round."""
        for i, leaf, _ in self._leaves():
            products = [u for u in self.tree.users[id(leaf)] if u.op.name == "multiply"]
            shapes = {u.shape for u in products if u.shape[1:] == leaf.shape}
            shapes |= {leaf.shape[1:]} if products and len(leaf.shape) > 1 else set()
            for shape in sorted(shapes):
                for w in self.vocabulary.of_shape(shape, self.at):
                    other = self.formulas.leaf(w)
                    words = self._words("{} was used where {} belongs", other, leaf)
                    for seen in self.vocabulary.references(w, self.at):
                        label = ("of other axes", i, seen)
                        yield Change(label, "wrong value", words, {id(leaf): other})

    def _of_another_call(self) -> Iterator[Change]:
        """What another call of the same function has kept, in several places at once."""
        for n, names in enumerate(self.vocabulary.calls.names):
            moved: dict[int, tuple[Leaf, Leaf]] = {}
            for i, leaf, v in self._leaves():
                name = names.get(self.formulas.base(v), "")
                w = self.vocabulary.in_block(name, self.vocabulary.block(v)) if name else None
                if w is not None and w is not v and w.shape == leaf.shape:
                    moved[i] = leaf, self.formulas.leaf(w)
            for size in range(2, len(moved) + 1) if len(moved) <= FEW else (len(moved),):
                for chosen in combinations(moved, size):
                    right, other = zip(*(moved[i] for i in chosen), strict=True)
                    words = self._words(
                        KEPT.format(*[", ".join(["{}"] * size)] * 2), *other, *right
                    )
                    changed = {id(leaf): moved[i][1] for i in chosen for leaf in moved[i][:1]}
                    yield Change(("call", n, chosen), "wrong value", words, changed)

    def _once(self, i: int, leaf: Leaf, w: Any, kind: str) -> Iterator[Change]:
        """A value in the place of one that occurs several times, in one of these places."""
        users, other = self.tree.users[id(leaf)], self.formulas.leaf(w)
        for k, user in enumerate(users if len(users) > 1 else ()):
            changed = _read_once(user, leaf, other)
            words = self._words("{} was used where {} belongs, in {}", other, leaf, user)
            for seen in self.vocabulary.references(w, self.at):
                yield Change(("once", i, k, seen), kind, words, {id(user): changed})

    def _inside(self) -> Iterator[Change]:
        """The same in a value without a name, which is written through."""
        for i, leaf, v in self._leaves():
            inner = self.formulas.written(v)
            if inner is leaf:
                joined = v._op is not None and v._op.name in JOINS
                yield from self._read(i, leaf, v, every=True) if joined else ()
                inner = self.formulas.computed(v) if v._op is not None else leaf
            else:
                yield from self._inner_values(i, leaf, inner)
                yield from self._read(i, leaf, v)
            signed = terms(inner, spread=True)
            for k, (sign, term) in enumerate(signed if len(signed) > 1 else []):
                flipped = [*signed[:k], (-sign, term), *signed[k + 1 :]]
                words = self._words("the sign of {} is flipped", term)
                other = summed_up([(s, spread(t, leaf.shape)) for s, t in flipped])
                yield Change(("inside ±", i, k), "sign", words, {id(leaf): other})

    def _inner_values(self, i: int, leaf: Leaf, inner: Expression) -> Iterator[Change]:
        """Another value in what is written through, in all places or in one of several."""
        tree = Tree(inner)
        for k, u in enumerate(leaves(inner)):
            if u not in self.formulas.source:
                continue
            source, users = self.formulas.source[u], tree.users[id(u)]
            same = self.formulas.base(source)
            near = self.vocabulary.near(source, self.at, outer=True)
            for w in filter(self.vocabulary.stands_out, near):
                read = self.formulas.leaf(w)
                kind = "wrong block" if self.formulas.base(w) == same else "wrong value"
                words = self._words("{} was used where {} belongs", read, u)
                each = [substitute(inner, {u: read})]
                each += [
                    tree.formula({id(user): _read_once(user, u, read)})
                    for user in (users if len(users) > 1 else ())
                ]
                for n, other in enumerate(each):
                    for seen in self.vocabulary.references(w, self.at):
                        label = ("inside", i, k, n, seen)
                        yield Change(label, kind, words, {id(leaf): other})

    def _read(self, i: int, leaf: Leaf, v: Any, every: bool = False) -> Iterator[Change]:
        """Another value where one that has no name either is read, or where `every` one is; axes
        that are swapped before they are made one."""
        args = [
            number(u) if isinstance(u, SCALARS) else self.formulas.written(u) for u in v._inputs
        ]
        for k, u in enumerate(v._inputs):
            if isinstance(u, SCALARS) or (isinstance(args[k], Leaf) and not every):
                continue
            for w in self.vocabulary.near(u, self.at):
                read = self.formulas.leaf(w)
                other = apply(v._op, (*args[:k], read, *args[k + 1 :]), v._params, v.shape)
                same = self.formulas.base(w) == self.formulas.base(u)
                kind = "wrong block" if same else "wrong value"
                words = self._words("{} was used where {} belongs", read, args[k])
                for seen in self.vocabulary.references(w, self.at):
                    yield Change(("read", i, k, seen), kind, words, {id(leaf): other})
        if v._op.name == "reshape" and len(args[0].shape) == 3:
            a, b, c = args[0].shape
            swapped = apply(transpose.op, (args[0],), {"axes": (0, 2, 1)}, (a, c, b))
            other = apply(v._op, (swapped,), v._params, v.shape)
            yield Change(("swapped", i), "transpose", SWAPPED, {id(leaf): other})

    def _computed(self) -> Iterator[Change]:
        """A value where something that the rule computes of values belongs."""
        for i, node in self.nodes:
            users = self.tree.users[id(node)]
            if isinstance(node, Leaf) or self._sends(node) or not any(map(self._sends, users)):
                continue
            for w in self.vocabulary.of_shape(node.shape, self.at):
                other = self.formulas.leaf(w)
                if node.op.name in TURNED and node.args[0] is other:
                    continue  # the product has its factors in another order
                words = self._words("{} was used where {} belongs", other, node)
                for seen in self.vocabulary.references(w, self.at):
                    yield Change(("computed", i, seen), "wrong value", words, {id(node): other})

    def _gradients(self) -> Iterator[Change]:
        """The gradient of another value, or a part of the right one."""
        for i, leaf in self.nodes:
            if not isinstance(leaf, Leaf) or not leaf.gradient:
                continue
            fork = self.formulas.source[leaf]
            yield from self._parts_of(i, leaf, fork)
            if fork is not self.formulas.tape.root:
                own = self.formulas.leaf(fork)
                words = self._words("the value {} was used where its gradient belongs", own)
                yield Change(("value of δ", i), "wrong value", words, {id(leaf): own})
            x = self.branch.stage.output._inputs[self.branch.argument]
            for w in self.vocabulary.gradients_near(fork, self.at, x):
                other = self.formulas.gradient_leaf(w)
                words = self._words("the gradient {} was used where {} belongs", other, leaf)
                for seen in self.vocabulary.references(w, self.at):
                    yield Change(("δ", i, seen), "wrong gradient", words, {id(leaf): other})

    def _more(self) -> Iterator[Change]:
        """A gradient that was added though it does not come here, and a value where one belongs."""
        root = self.tree.root
        x = self.branch.stage.output._inputs[self.branch.argument]
        for w in self.vocabulary.gradients_near(x, self.at, x):
            also = self.formulas.gradient_leaf(w)
            words = self._words(ADDED, also)
            for seen in self.vocabulary.references(w, self.at) if also.shape == root.shape else ():
                yield Change(("+δ near", seen), "extra term", words, {id(root): added(root, also)})
        for i, leaf in self.nodes:
            if not isinstance(leaf, Leaf) or not leaf.gradient:
                continue
            if leaf is not root and leaf.shape == root.shape:
                words = self._words(ADDED, leaf)
                yield Change(("+δ", i), "extra term", words, {id(root): added(root, leaf)})
            fork = self.formulas.source[leaf]
            for w in self.vocabulary.gradients_near(fork, self.at, x):
                also = self.formulas.gradient_leaf(w)
                words = self._words(ADDED, also)
                for seen in self.vocabulary.references(w, self.at):
                    label = ("δ+", i, seen)
                    yield Change(label, "extra term", words, {id(leaf): added(leaf, also)})
                    words = self._words(TIMES, also)
                    label = ("δ×", i, seen)
                    yield Change(label, "extra factor", words, {id(leaf): times(leaf, also)})
            for w in self.vocabulary.near(fork, self.at):
                other = self.formulas.leaf(w)
                words = self._words(VALUE, other, leaf)
                for seen in self.vocabulary.references(w, self.at):
                    yield Change(("for δ", i, seen), "wrong value", words, {id(leaf): other})

    def _parts_of(self, i: int, leaf: Leaf, fork: Any) -> Iterator[Change]:
        branches = self.formulas.chain.gradients.branches(fork)
        for k, b in enumerate(branches if len(branches) > 1 else (), 1):
            through, name = self.formulas.stage(b.stage.output), TEXT.name(leaf)
            array = self.formulas.chain.sent[id(b.stage.output), b.argument]
            other = Leaf(array, f"{name}|{through}")
            words = (
                f"only branch {k} of {name} (through {through}) was carried on; the fork has "
                f"{len(branches)}"
            )
            yield Change(("part", i, k), "wrong gradient", words, {id(leaf): other})
        where = self.vocabulary.block
        block = where(fork)
        later = [b for b in branches if block is not None and where(b.stage.output) != block]
        own = [b for b in branches if b not in later]
        for which, chosen, said in (("later", later, CARRIED), ("own", own, UNCARRIED)):
            if later and own:
                changed = {id(leaf): added(*map(self.formulas.correct, chosen))}
                looks = self._words(said, leaf)
                yield Change(("carry", i, which), "wrong gradient", looks, changed)


def _read_once(user: Apply, leaf: Leaf, other: Leaf) -> Expression:
    """A part that reads another value, where what it is made of besides reads the right one."""
    args = tuple(other if arg is leaf else arg for arg in user.args)
    return apply(user.op, args, user.params, user.shape)
