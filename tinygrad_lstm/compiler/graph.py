"""The graph of a program: values with shape and dtype, each computed by an operation on others.

A graph is in single-assignment form and hash-consed: equal values are one value, so common
subexpressions cannot arise. Values know the stage that they come from, for whoever prints them.
"""

from __future__ import annotations

import itertools
import math
from array import array
from collections import defaultdict
from collections.abc import Collection, Iterable
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_lstm.compiler.origins import Origins

__all__ = ["Graph", "Readers", "Shape", "Value", "in_order", "numbers"]

Shape = tuple[int, ...]
Dtype = np.dtype[Any]
Key = tuple[Any, ...]
OPEN = {"reshape", "broadcast", "cast", "number", "place"}  # to other shapes or dtypes
FEW = {"concatenate", "formula", "sum", "transpose"}  # with few attributes, but of many values
MANY = 1.1  # times as many values as are needed are worth being forgotten


class Value:
    """One value of a graph.

    Attributes
    ----------
    op : str
        The operation that computes it: an elementwise one under its ufunc's name, ``"matmul"``
        (the sum of the products of its arguments, two by two, and of one that may be left over,
        into whose place it is computed), ``"dot"``, ``"sum"`` and other reductions,
        ``"concatenate"``, the views ``"cut"``, ``"transpose"``, ``"reshape"``, ``"broadcast"``;
        ``"formula"`` for several elementwise ones (`formulas`), ``"call"`` for a function that runs
        as it is; ``"input"``, ``"constant"`` and ``"number"`` for what is given.
    args : tuple of Value
        What it is computed from.
    attrs : tuple
        What else determines it: axes, bounds, the function.
    shape, dtype
        As an array has them.
    number : int
        Which value of its graph it is.
    """

    __slots__ = ("args", "attrs", "dtype", "number", "op", "shape")

    args: tuple[Value, ...]
    attrs: tuple[Any, ...]
    dtype: Dtype
    number: int
    op: str
    shape: Shape

    def __init__(
        self,
        op: str,
        args: tuple[Value, ...],
        attrs: tuple[Any, ...],
        shape: Shape,
        dtype: Dtype,
        number: int,
    ) -> None:
        self.op, self.args, self.attrs = op, args, attrs
        self.shape, self.dtype, self.number = shape, dtype, number

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def __repr__(self) -> str:
        read = ", ".join(f"%{a.number}" for a in self.args)
        return f"%{self.number} = {self.op}({read}) {self.shape} {self.dtype}"


class Graph:
    """All values of one program, each once.

    Attributes
    ----------
    count : int
        How many values there have been.
    data : dict
        The array of every ``"constant"``, by its number.
    origins : Origins
        Which stages the values come from.
    columns : dict
        By numbers, sorted: the order in which such values were joined as columns. Whoever joins
        them again, and is free to choose, takes the same order, and has the same value.
    uses : dict
        What is done with the products with a given factor, by its number (`contract` looks).
    """

    count: int
    origins: Origins

    def __init__(self) -> None:
        self._known: dict[Any, dict[Key, Value]] = defaultdict(dict)  # by operation
        self._tuples: dict[Any, Any] = {}  # shapes, axes and bounds, each once: there are few
        self._ordered: tuple[list[Value], list[Value]] | None = None
        self._fresh: list[Value] | None = None
        self.data: dict[int, NDArray[Any]] = {}
        self.columns: dict[tuple[int, ...], tuple[int, ...]] = {}
        self.uses: dict[int, str] = {}
        self.origins = Origins()
        self.count = 0

    def new(
        self, op: str, args: tuple[Value, ...], attrs: tuple[Any, ...], shape: Shape, dtype: Dtype
    ) -> Value:
        """The value that `op` computes, which may be there already."""
        once = self._tuples.setdefault
        shape = once(shape, shape)
        if attrs:
            each = op == "cut"  # its bounds are its own, but not those of each axis
            attrs = tuple([once(x, x) for x in attrs]) if each else once(attrs, attrs)
        known, key, value = self._known_as(op, args, attrs, shape, dtype)
        if value is None:
            value = Value(op, args, attrs, shape, dtype, self.count)
            self.origins.note(self.origins.here)
            self.count += 1
            known[key] = value
            if self._fresh is not None:
                self._fresh.append(value)
        return value

    def follow(self, value: Value) -> None:
        """Let what is made from now on come from where `value` does."""
        self.origins.here = self.origins[value.number]

    def follow_all(self, values: list[Value]) -> None:
        """Let what is made from now on come from where some values do."""
        first = self.origins.told(values[0].number)
        self.origins.here = self.origins.text(f"{first} and {len(values) - 1} more")

    def _known_as(
        self, op: str, args: tuple[Value, ...], attrs: tuple[Any, ...], shape: Shape, dtype: Dtype
    ) -> tuple[dict[Key, Value], Key, Value | None]:
        """Where and under which key a value is found, and the value, if it is there. Mostly what it
        reads says what it is, and is a key that takes no memory of its own."""
        known = self._known[(op, attrs) if op in FEW else op]
        if op not in OPEN:
            key: Key = args if op in FEW or not attrs else (*args, attrs)
            found = known.get(key)
            if found is None or (found.shape is shape and found.dtype is dtype):
                return known, key, found
        key = (*args, attrs, shape, id(dtype))
        return known, key, known.get(key)

    def changed(self, value: Value, args: tuple[Value, ...]) -> Value:
        """`value`, which is computed from other arguments that are equal to its own; or what is
        computed so already. Whoever reads it need not be made again."""
        own = value.attrs, value.shape, value.dtype
        known, key, found = self._known_as(value.op, args, *own)
        if found is not None:
            return found
        self.drop(value)
        known[key] = value
        value.args, self._ordered = args, None
        return value

    def drop(self, v: Value) -> None:
        """Forget how a value is found."""
        known, key, found = self._known_as(v.op, v.args, v.attrs, v.shape, v.dtype)
        if found is v:
            del known[key]

    def order(self, roots: list[Value]) -> list[Value]:
        """As `in_order`; what was found last is not looked for again."""
        if self._ordered is None or self._ordered[0] != roots:
            self._ordered = list(roots), in_order(roots)
        return self._ordered[1]

    def recorded(self, roots: list[Value]) -> None:
        """What leads to `roots` is in the order in which it was made, for nothing has changed."""
        values = itertools.chain.from_iterable(map(dict.values, self._known.values()))
        self.ordered(roots, sorted(values, key=attrgetter("number")))

    def fresh(self) -> list[Value]:
        """What is new from now on, in order, until `ordered`; whoever takes it empties it."""
        self._fresh = []
        return self._fresh

    def ordered(self, roots: list[Value], order: list[Value] | None) -> None:
        """What leads to `roots` is in this order, among what no longer does; or in one that nobody
        knows."""
        self._fresh = self._ordered = None
        if order is not None:
            needed = self.marks(roots)
            kept: list[Value] = []
            for v in reversed(order):
                if needed[v.number]:
                    kept.append(v)
                    for a in v.args:
                        needed[a.number] = True
            kept.reverse()
            self._ordered = list(roots), kept

    def marks(self, values: Iterable[Value] = ()) -> bytearray:
        """By number whether a value is one of these: a byte each, where a set takes 30."""
        found = bytearray(self.count)
        for v in values:
            found[v.number] = True
        return found

    def keep(self, values: list[Value]) -> None:
        """Forget all values but these: what passes have replaced takes memory no more."""
        if sum(map(len, self._known.values())) > MANY * len(values):
            kept = self.marks(values)
            for op, known in self._known.items():
                self._known[op] = {key: v for key, v in known.items() if kept[v.number]}

    def close(self) -> None:
        """Forget how values are found: none are added any more."""
        self._known.clear()
        self._tuples.clear()
        self._ordered, self.columns, self.uses = None, {}, {}

    def constant(self, array: NDArray[Any]) -> Value:
        """An array that the program keeps."""
        if array.ndim == 0 and array.dtype.kind in "biufc":
            return self.new("number", (), (array.tobytes(),), (), array.dtype)
        value = self.new("constant", (), (array.shape, array.tobytes()), array.shape, array.dtype)
        self.data.setdefault(value.number, array)
        return value


def in_order(roots: Iterable[Value]) -> list[Value]:
    """The values that lead to `roots`, arguments before what is computed from them."""
    order: list[Value] = []
    done: set[Value] = set()
    waiting = list(roots)[::-1]
    add, append, pop, all_there = done.add, order.append, waiting.pop, done.issuperset
    while waiting:
        v = pop()
        if v in done:
            continue
        if all_there(v.args):
            add(v)
            append(v)
        else:
            waiting.append(v)
            waiting += [a for a in v.args[::-1] if a not in done]
    return order


def numbers(values: list[Value]) -> int:
    """More than the number of any of them."""
    return 1 + max([v.number for v in values])


class Readers:
    """Who reads each value, an entry for each edge; None stands for the caller, who reads the
    roots. They are in one list, for one for each value would take as much memory as the graph.

    Parameters
    ----------
    order, roots : list of Value
    ops : collection of str, optional
        The operations whose values will be asked about; all by default.
    """

    def __init__(
        self, order: list[Value], roots: list[Value], ops: Collection[str] | None = None
    ) -> None:
        read = array("i")
        who: list[Value | None] = []
        number, reader = read.append, who.append
        for v in order:
            for a in v.args:
                if ops is None or a.op in ops:
                    number(a.number)
                    reader(v)
        for root in roots:
            number(root.number)
            reader(None)
        self._readers = [who[i] for i in _compact(np.argsort(read, kind="stable"))]
        ends = np.bincount(read, minlength=numbers(order))
        self._starts = array("i", [0]) + _compact(np.add.accumulate(ends, out=ends))

    def __getitem__(self, number: int) -> list[Value | None]:
        """Who reads the value of a number, in the order of what they compute."""
        return self._readers[self._starts[number] : self._starts[number + 1]]


def _compact(numbers: NDArray[Any]) -> array[int]:
    """Whole numbers whose items are Python's; in a list each would be an object."""
    return array("i", numbers.astype(np.intc).tobytes())
