"""What parts of formulas are, and which are the same, however they are written."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, TypeGuard

import numpy as np

from tinygrad_lstm.comparison.tree import counted, is_plain
from tinygrad_lstm.derivation.expression import Apply, Expression, Leaf, leaves

__all__ = ["CLOSE", "Values"]

CLOSE = 1e-12  # of the largest entry: how nearly the same is what is computed in two ways


class Values:
    """The values of parts of formulas.

    Parameters
    ----------
    known : iterable of Leaf
        Values that stand for what they equal.
    """

    def __init__(self, known: Iterable[Leaf]) -> None:
        self._known: dict[tuple[int, ...], list[Leaf]] = defaultdict(list)
        for leaf in known:
            if leaf.shape and np.asarray(leaf.array).dtype.kind == "f":
                self._known[leaf.shape].append(leaf)
        self._values: dict[int, tuple[Expression, np.ndarray]] = {}  # ids of what is kept alive
        self._sending: dict[int, tuple[Expression, bool]] = {}

    def value(self, e: Expression) -> np.ndarray:
        """What a part is."""
        if id(e) not in self._values:
            found = (
                e.array
                if isinstance(e, Leaf)
                else e.op.forward(*counted(e, list(map(self.value, e.args))), **e.params)
            )
            self._values[id(e)] = e, np.asarray(found)
        return self._values[id(e)][1]

    def sends(self, e: Expression) -> bool:
        """Whether there is a gradient in a part."""
        if id(e) not in self._sending:
            self._sending[id(e)] = e, any(leaf.gradient for leaf in leaves(e))
        return self._sending[id(e)][1]

    def key(self, e: Expression) -> Any:
        """The same for parts that are the same in every entry."""
        array = self.value(e)
        return (array.shape, array.tobytes()) if array.any() else id(e)

    def uniform(self, e: Expression) -> float | None:
        """The number that a part is in every entry, unless it has a name."""
        array = self.value(e)
        named = isinstance(e, Leaf) and (e.gradient or e.name is not None)
        if named or not array.size or array.dtype.kind not in "iuf":
            return None
        one = float(array.flat[0])
        return one if np.max(np.abs(array - one)) <= CLOSE * abs(one) else None

    def undo(self, a: Expression, b: Expression) -> bool:
        """Whether one factor is the other upside down."""
        pairs = ((a, b), (b, a))
        return any(_is_inverse(x) and self.key(x.args[1]) == self.key(y) for x, y in pairs)

    def named(self, e: Expression) -> Expression:
        """A part by the value of the tape that it equals, if there is one."""
        return e if isinstance(e, Leaf) or self.sends(e) else self._equal(self.value(e)) or e

    def _equal(self, array: np.ndarray) -> Leaf | None:
        close = CLOSE * float(np.max(np.abs(array), initial=0))
        alike = self._known.get(array.shape, ())
        return next((x for x in alike if np.max(np.abs(x.array - array)) <= close), None)

    def folded(self, found: list[Expression]) -> list[Expression]:
        """Factors, a quotient of two by the value of the tape that it is."""
        for a, b in itertools.combinations([f for f in found if not self.sends(f)], 2):
            quotient = _is_inverse(a) or _is_inverse(b)
            whole = self._equal(self.value(a) * self.value(b)) if quotient else None
            if whole is not None:
                return self.folded([*(f for f in found if f is not a and f is not b), whole])
        return found


def _is_inverse(e: Expression) -> TypeGuard[Apply]:
    """Whether it is one divided by something."""
    return isinstance(e, Apply) and e.op.name == "divide" and is_plain(e.args[0], 1)
