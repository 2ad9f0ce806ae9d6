"""A formula with the values of its parts, in which a part can be changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lstm.derivation.expression import Apply, Expression, Leaf, apply, number, parts, total
from tinygrad_lstm.ops.elementwise import divide, multiply, negative, square, subtract
from tinygrad_lstm.ops.shape import broadcast_to, transpose

__all__ = [
    "ONE",
    "Change",
    "Tree",
    "added",
    "counted",
    "factors",
    "flipped",
    "inverse",
    "is_plain",
    "less",
    "product",
    "spread",
    "squared",
    "squares",
    "summed_up",
    "terms",
    "times",
    "turned",
]

ONE = number(1.0)
SIGNED = ("add", "add_n", "subtract", "negative")  # which conditions cannot be
PRODUCTS = ("multiply", "divide", "square")


class Change(NamedTuple):
    """One mistake in a formula.

    Attributes
    ----------
    label, kind : tuple, str
        The same for the same mistake in the formula of another block; what it is called.
    words : str or callable
        What the report says; said when it is asked for, as most changes explain nothing.
    changed : mapping of int to Expression
        What is written instead of a part, by the ``id`` of the part.
    params : callable, optional
        The parameters of what is written, for another branch: index arrays of its block.
    """

    label: tuple[Any, ...]
    kind: str
    words: str | Callable[[], str]
    changed: Mapping[int, Expression]
    params: Callable[[Any], Mapping[str, Any]] | None = None

    @property
    def said(self) -> str:
        """What the report says."""
        return self.words if isinstance(self.words, str) else self.words()


class Tree:
    """A formula with the values of its parts.

    Parameters
    ----------
    root : Expression
        The formula.

    Attributes
    ----------
    order : list of Expression
        The parts, each before what it is part of.
    gradients, values : dict
        The gradients and the values of the tape in each part, by the ``id`` of the part.
    """

    root: Expression
    order: list[Expression]

    def __init__(self, root: Expression) -> None:
        self.root, self.order = root, parts(root)
        self.arrays: dict[int, Any] = {}
        self.gradients: dict[int, frozenset[Leaf]] = {}
        self.values: dict[int, frozenset[Leaf]] = {}
        self.users: dict[int, list[Apply]] = defaultdict(list)
        self._paths: dict[frozenset[int], list[tuple[Apply, list[int]]]] = {}
        for part in self.order:
            self._add(part)

    def _add(self, part: Expression) -> None:
        key = id(part)
        if isinstance(part, Leaf):
            mine = frozenset({part}) if part.name is not None else frozenset()
            self.arrays[key] = self._array(part)
            self.gradients[key] = mine if part.gradient else frozenset()
            self.values[key] = frozenset() if part.gradient else mine
            return
        args = [self.arrays[id(arg)] for arg in part.args]
        self.arrays[key] = self._computed(part, counted(part, args))
        self.gradients[key] = frozenset().union(*(self.gradients[id(a)] for a in part.args))
        self.values[key] = frozenset().union(*(self.values[id(a)] for a in part.args))
        for arg in part.args:
            self.users[id(arg)].append(part)

    @property
    def array(self) -> np.ndarray:
        """The value of the formula."""
        return np.asarray(self.arrays[id(self.root)])

    @property
    def structure(self) -> tuple[str, ...]:
        """The names of its operations: the same for formulas of the same structure."""
        return tuple(e.op.name if isinstance(e, Apply) else str(e.name) for e in self.order)

    def run(
        self, changed: Mapping[int, Expression], given: Mapping[int, Any] | None = None
    ) -> np.ndarray:
        """The value of the formula with some parts written otherwise, or leaves of other value."""
        known = {**self.arrays, **self._anew(given, self.arrays)} if given else self.arrays
        found = self._anew({key: self._value(e, known) for key, e in changed.items()}, known)
        root = id(self.root)
        return np.asarray(found[root] if root in found else known[root])

    def _anew(self, found: Mapping[int, Any], known: Mapping[int, Any]) -> dict[int, Any]:
        """The values of parts that are others where some are, with these."""
        fresh = dict(found)
        for part, args in self._above(frozenset(found)):
            values = [fresh[key] if key in fresh else known[key] for key in args]
            fresh[id(part)] = self._computed(part, counted(part, values))
        return fresh

    def _array(self, leaf: Leaf) -> Any:
        """The value of a leaf."""
        return leaf.array

    def _computed(self, part: Apply, args: list[Any]) -> Any:
        return part.op.forward(*args, **part.params)

    def _value(self, e: Expression, known: Mapping[int, Any]) -> Any:
        """The value of what is written instead of a part; what the formula has in it is known."""
        done = known.get(id(e))
        if done is not None:
            return done
        if isinstance(e, Leaf):
            return self._array(e)
        return self._computed(e, counted(e, [self._value(arg, known) for arg in e.args]))

    def _above(self, keys: frozenset[int]) -> list[tuple[Apply, list[int]]]:
        """What is computed from some parts, and is none of them; and the keys of what it reads."""
        if keys not in self._paths:
            stale, found = set(keys), []
            for part in self.order:
                if not isinstance(part, Apply) or id(part) in stale:
                    continue
                args = [id(arg) for arg in part.args]
                if not stale.isdisjoint(args):
                    stale.add(id(part))
                    found.append((part, args))
            self._paths[keys] = found
        return self._paths[keys]

    def formula(self, changed: Mapping[int, Expression]) -> Expression:
        """The formula with some parts written otherwise."""
        done: dict[int, Expression] = {}
        for part in self.order:
            if id(part) in changed:
                done[id(part)] = changed[id(part)]
            elif isinstance(part, Leaf):
                done[id(part)] = part
            else:
                args = tuple(done[id(arg)] for arg in part.args)
                same = all(a is b for a, b in zip(args, part.args, strict=True))
                done[id(part)] = part if same else apply(part.op, args, part.params, part.shape)
        return done[id(self.root)]

    def top(self, part: Expression) -> bool:
        """Whether a product is not itself a factor of one."""
        users = self.users[id(part)]
        return not users or any(user.op.name not in PRODUCTS for user in users)


def counted(part: Apply, args: list[Any]) -> list[Any]:
    """Arguments in which conditions are numbers, where they are added or have a sign."""
    signed = part.op.name in SIGNED
    return [a + 0.0 if np.result_type(a).kind == "b" else a for a in args] if signed else args


def _shape(a: Expression, b: Expression) -> tuple[int, ...]:
    """The shape of a result."""
    if a.shape == b.shape:
        return a.shape
    try:
        return np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        return a.shape


def times(a: Expression, b: Expression) -> Expression:
    """``a ∘ b``."""
    return apply(multiply.op, (a, b), {}, _shape(a, b))


def less(a: Expression, b: Expression) -> Expression:
    """``a − b``."""
    return apply(subtract.op, (a, b), {}, _shape(a, b))


def squared(a: Expression) -> Expression:
    """``a²``."""
    return apply(square.op, (a,), {}, a.shape)


def squares(e: Expression) -> bool:
    """Whether it is a square."""
    return isinstance(e, Apply) and e.op.name == "square"


def spread(a: Expression, shape: tuple[int, ...]) -> Expression:
    """The same along the axes that it has not."""
    return a if a.shape == shape else apply(broadcast_to.op, (a,), {"shape": shape}, shape)


def flipped(a: Expression) -> Expression:
    """``−a``."""
    return apply(negative.op, (a,), {}, a.shape)


def added(*formulas: Expression) -> Expression:
    """The sum."""
    return total(formulas)


def turned(a: Expression) -> Expression:
    """The transpose of a matrix, or of each of a stack of them."""
    n = len(a.shape)
    axes = {} if n <= 2 else {"axes": (*range(n - 2), n - 1, n - 2)}
    return apply(transpose.op, (a,), axes, (*a.shape[:-2], *a.shape[-2:][::-1]))


def inverse(a: Expression) -> Expression:
    """``1 / a``; of that, ``a``."""
    if isinstance(a, Apply) and a.op.name == "divide" and is_plain(a.args[0], 1):
        return a.args[1]
    return apply(divide.op, (ONE, a), {}, a.shape)


def product(formulas: list[Expression]) -> Expression:
    """The product, entry by entry."""
    result = formulas[0] if formulas else ONE
    for other in formulas[1:]:
        result = times(result, other)
    return result


def factors(e: Expression) -> list[Expression]:
    """The factors of a product, entry by entry; of anything else, itself."""
    if isinstance(e, Apply) and e.op.name == "multiply":
        return [f for arg in e.args for f in factors(arg)]
    if isinstance(e, Apply) and e.op.name == "divide" and not is_plain(e.args[0], 1):
        inverse = apply(divide.op, (ONE, e.args[1]), {}, e.args[1].shape)
        return [*factors(e.args[0]), inverse]
    return [e]


def is_plain(e: Expression, value: float) -> bool:
    """Whether it is just that number."""
    return isinstance(e, Leaf) and e.name is None and e.shape == () and e.array == value


def terms(e: Expression, spread: bool = False) -> list[tuple[int, Expression]]:
    """The terms of a sum with their signs; of those that may be `spread` along each other's axes
    too."""
    if isinstance(e, Apply) and (spread or any(arg.shape == e.shape for arg in e.args)):
        signs = (1, -1) if e.op.name == "subtract" else (1,) * len(e.args)
        if e.op.name in ("add", "add_n", "subtract"):
            pairs = zip(signs, e.args, strict=True)
            return [(sign * s, t) for sign, arg in pairs for s, t in terms(arg, spread)]
        if e.op.name == "negative":
            return [(-sign, term) for sign, term in terms(e.args[0], spread)]
    return [(1, e)]


def summed_up(signed: list[tuple[int, Expression]]) -> Expression:
    """The sum of signed terms."""
    return added(*(e if sign > 0 else flipped(e) for sign, e in signed))
