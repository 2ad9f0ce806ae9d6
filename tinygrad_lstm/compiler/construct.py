"""Values built with what is known of their arguments: views of views are one view, a part of a
concatenation is the part, numbers are computed at once.

Every simplification is exact: it changes no bit of a result, but perhaps the sign of a zero.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from tinygrad_lstm.compiler.graph import Dtype, Graph, Shape, Value
from tinygrad_lstm.compiler.operations import ELEMENTWISE, arranged, compute, number

__all__ = ["Builder"]

Bounds = tuple[tuple[int, int], ...]

SIMPLER = {"cast", "negative", "multiply"}  # operations that may come to nothing
NEUTRAL = {"add": 0, "multiply": 1}
PLAIN = {"number", "broadcast"}  # arguments that may make an operation simpler
SETTLED = ELEMENTWISE.keys() - {"cast", "negative"}  # those that only such arguments make simpler


class Builder:
    """Builds the values of one graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._together = functools.cache(np.broadcast_shapes)

    # Entry by entry.

    def elementwise(self, op: str, *args: Value, dtype: Dtype) -> Value:
        """The elementwise operation `op`, with broadcasting; `dtype` is that of the result."""
        shapes = [a.shape for a in args]
        alike = shapes.count(shapes[0]) == len(shapes)
        shape = shapes[0] if alike else self._together(*shapes)
        if op in SIMPLER or not PLAIN.isdisjoint([a.op for a in args]):
            if all(a.op == "number" for a in args):
                with np.errstate(all="ignore"):
                    return self.graph.constant(compute(op, [number(a) for a in args], dtype))
            args = tuple([self._narrow(a, args, shape) for a in args])
            simple = self._simpler(op, args, shape, dtype)
            if simple is not None:
                return simple
        return self.graph.new(op, arranged(op, args), (), shape, dtype)

    def _narrow(self, value: Value, args: tuple[Value, ...], shape: Shape) -> Value:
        """`value` before it was broadcast, where the other arguments have the whole shape."""
        if value.op != "broadcast" or not any(
            a.shape == shape and a is not value and a.op != "broadcast" for a in args
        ):
            return value
        return value.args[0]

    def _simpler(
        self, op: str, args: tuple[Value, ...], shape: Shape, dtype: Dtype
    ) -> Value | None:
        first = args[0]
        if op == "cast" and first.dtype == dtype:
            return first
        if op == "negative" and first.op == "negative":
            return first.args[0]
        if op == "negative" and first.op == "subtract":
            return self.elementwise("subtract", *first.args[::-1], dtype=dtype)
        if op in NEUTRAL:
            for given, other in (args, args[::-1]):
                if given.op == "number" and (other.shape, other.dtype) == (shape, dtype):
                    if number(given) == NEUTRAL[op]:
                        return other
                    if op == "multiply" and number(given) == -1:
                        return self.elementwise("negative", other, dtype=dtype)
        narrow = [a.args[0] if a.op == "broadcast" else a for a in args]
        if all(a.op == "number" for a in narrow):
            return self.broadcast(self.elementwise(op, *narrow, dtype=dtype), shape)
        return None

    # Views.

    def cut(self, x: Value, bounds: Sequence[tuple[int, int]]) -> Value:
        """``x[start:stop, ...]``, with bounds for every axis."""
        bounds = tuple(bounds)
        if all(b == (0, n) for b, n in zip(bounds, x.shape, strict=True)):
            return x
        shape = tuple([stop - start for start, stop in bounds])
        if x.op == "cut":
            moved = ((s + o[0], e + o[0]) for (s, e), o in zip(bounds, x.attrs, strict=True))
            return self.cut(x.args[0], tuple(moved))
        if x.op == "transpose":
            (axes,) = x.attrs
            inner = tuple([bounds[axes.index(i)] for i in range(x.ndim)])
            return self.transpose(self.cut(x.args[0], inner), axes)
        if x.op == "broadcast" and x.args[0].size == 1:
            return self.broadcast(x.args[0], shape)
        if x.op == "concatenate":
            return self._cut_parts(x, bounds)
        return self.graph.new("cut", (x,), bounds, shape, x.dtype)

    def _cut_parts(self, x: Value, bounds: Bounds) -> Value:
        (axis,) = x.attrs
        (low, high), at, parts = bounds[axis], 0, []
        for part in x.args:
            n = part.shape[axis]
            inside = (max(low - at, 0), min(high - at, n))
            if inside[0] < inside[1]:
                parts.append(self.cut(part, (*bounds[:axis], inside, *bounds[axis + 1 :])))
            at += n
        return self.concatenate(parts, axis)

    def transpose(self, x: Value, axes: Sequence[int]) -> Value:
        """The axes in another order."""
        axes = tuple(axes)
        if axes == tuple(range(x.ndim)):
            return x
        shape = tuple([x.shape[i] for i in axes])
        if x.op == "transpose":
            return self.transpose(x.args[0], tuple([x.attrs[0][i] for i in axes]))
        if x.op == "broadcast" and x.args[0].size == 1:
            return self.broadcast(x.args[0], shape)
        return self.graph.new("transpose", (x,), (axes,), shape, x.dtype)

    def reshape(self, x: Value, shape: Sequence[int]) -> Value:
        """The same entries, in C order."""
        shape = tuple(shape)
        if shape == x.shape:
            return x
        if x.op == "reshape":
            return self.reshape(x.args[0], shape)
        if x.op == "number" or (x.op == "broadcast" and x.args[0].size == 1):
            return self.broadcast(x if x.op == "number" else self.reshape(x.args[0], ()), shape)
        return self.graph.new("reshape", (x,), (), shape, x.dtype)

    def broadcast(self, x: Value, shape: Sequence[int]) -> Value:
        """`x` repeated along new axes and axes of length one."""
        shape = tuple(shape)
        if shape == x.shape:
            return x
        if x.op == "broadcast":
            return self.broadcast(x.args[0], shape)
        return self.graph.new("broadcast", (x,), (), shape, x.dtype)

    def row(self, x: Value, i: int) -> Value:
        """``x[i]``: a cut of the rows of `x` as a matrix, so that neighbours join again."""
        rest = x.shape[1:]
        if len(rest) < 2:
            return self.reshape(self.cut(x, ((i, i + 1), *((0, n) for n in rest))), rest)
        flat = self.reshape(x, (x.shape[0] * rest[0], *rest[1:]))
        return self.cut(flat, ((i * rest[0], (i + 1) * rest[0]), *((0, n) for n in rest[1:])))

    def place(self, x: Value, bounds: Sequence[tuple[int, int]], shape: Shape) -> Value:
        """Zeros of a shape, with `x` inside the bounds."""
        if x.shape == shape:
            return x
        return self.graph.new("place", (x,), tuple(bounds), shape, x.dtype)

    # Joined.

    def concatenate(self, parts: Sequence[Value], axis: int) -> Value:
        """Values joined along an axis: rows outside, columns inside."""
        parts = self._joined(self._flat(parts, axis), axis)
        if len(parts) == 1:
            return parts[0]
        first = parts[0]
        shape = (*first.shape[:axis], sum(p.shape[axis] for p in parts), *first.shape[axis + 1 :])
        if first.ndim == 2 and all(p.op == "transpose" for p in parts):
            return self.transpose(self.concatenate([p.args[0] for p in parts], 1 - axis), (1, 0))
        if axis == 1 and first.ndim == 2 and all(_same_rows(p, first) for p in parts):
            lines = zip(*(p.args for p in parts), strict=True)
            return self.concatenate([self.concatenate(line, 1) for line in lines], 0)
        inner = self._inner(parts, axis)
        if inner is not None:
            return inner
        value = self.graph.new("concatenate", tuple(parts), (axis,), shape, first.dtype)
        if axis == 1:
            numbers = tuple([p.number for p in parts])
            self.graph.columns.setdefault(tuple(sorted(set(numbers))), numbers)
        return value

    def _inner(self, parts: list[Value], axis: int) -> Value | None:
        """Rows laid end to end are their stack; equal rows of several products are those of the
        products side by side."""
        first = parts[0]
        if first.ndim == 1 and all(_flat_rows(p, first) for p in parts):
            whole = self.concatenate([p.args[0] for p in parts], 0)
            return self.reshape(whole, (whole.size,))
        if axis == 1 and first.ndim == 2 and all(_rows_of_product(p, first) for p in parts):
            whole = self.concatenate([p.args[0] for p in parts], 1)
            bounds = (first.attrs[0], (0, whole.shape[1]))
            shape = (first.shape[0], whole.shape[1])
            return self.graph.new("cut", (whole,), bounds, shape, whole.dtype)
        return None

    def _flat(self, parts: Sequence[Value], axis: int) -> list[Value]:
        """Without empty parts, and with the parts of parts."""
        full = [p for p in parts if p.shape[axis]] or list(parts[:1])
        out: list[Value] = []
        for p in full:
            out += p.args if p.op == "concatenate" and p.attrs == (axis,) else (p,)
        return out

    def _joined(self, parts: list[Value], axis: int) -> list[Value]:
        """Neighbouring cuts of one value are one cut again."""
        out: list[Value] = []
        for p in parts:
            q = out[-1] if out else None
            if q is not None and p.op == q.op == "cut" and p.args[0] is q.args[0]:
                a, b = q.attrs[axis], p.attrs[axis]
                both = (*q.attrs[:axis], (a[0], b[1]), *q.attrs[axis + 1 :])
                if a[1] == b[0] and (*both[:axis], b, *both[axis + 1 :]) == p.attrs:
                    out[-1] = self.cut(p.args[0], both)
                    continue
            out.append(p)
        return out

    # Sums of products, and what is summed.

    def matmul(self, a: Value, b: Value, dtype: Dtype) -> Value:
        """The product of two matrices."""
        return self.graph.new("matmul", (a, b), (), (a.shape[0], b.shape[1]), dtype)

    def dot(self, a: Value, b: Value, dtype: Dtype) -> Value:
        """The product of two vectors."""
        return self.graph.new("dot", (a, b), (), (), dtype)

    def reduce(self, op: str, x: Value, axes: Sequence[int], dtype: Dtype) -> Value:
        """A reduction over axes, which go away."""
        axes = tuple(sorted(axes))
        if not axes and x.dtype == dtype:
            return x
        shape = tuple([n for i, n in enumerate(x.shape) if i not in axes])
        return self.graph.new(op, (x,), (axes,), shape, dtype)

    def again(self, value: Value, args: tuple[Value, ...]) -> Value:
        """`value` on other arguments."""
        if args == value.args:  # values are equal where they are the same
            return value
        outer = self.graph.origins.here
        self.graph.follow(value)
        try:
            return self.like(value, args)
        finally:
            self.graph.origins.here = outer

    def updated(self, value: Value, args: tuple[Value, ...]) -> Value:
        """`value` on other arguments, which are equal to its own and depend on nothing that depends
        on it: entry by entry it is the same value then, unless it becomes simpler."""
        if args == value.args:
            return value
        if value.op in SETTLED and PLAIN.isdisjoint([a.op for a in args if a not in value.args]):
            return self.graph.changed(value, arranged(value.op, args))
        return self.again(value, args)

    def like(self, value: Value, args: tuple[Value, ...]) -> Value:
        """What computes from `args` as `value` does from its own."""
        op = value.op
        if op in ELEMENTWISE:
            if op == "formula" or (op in SETTLED and PLAIN.isdisjoint([a.op for a in args])):
                args = arranged(op, args)
                return self.graph.new(op, args, value.attrs, value.shape, value.dtype)
            return self.elementwise(op, *args, dtype=value.dtype)
        if op == "cut":
            return self.cut(args[0], value.attrs)
        if op == "transpose":
            return self.transpose(args[0], value.attrs[0])
        if op in ("reshape", "broadcast"):
            return (self.reshape if op == "reshape" else self.broadcast)(args[0], value.shape)
        if op == "concatenate":
            return self.concatenate(args, value.attrs[0])
        return self.graph.new(op, args, value.attrs, value.shape, value.dtype)


def _flat_rows(p: Value, first: Value) -> bool:
    return (
        p.op == first.op == "reshape"
        and p.args[0].ndim > 1
        and p.args[0].shape[1:] == first.args[0].shape[1:]
    )


def _rows_of_product(p: Value, first: Value) -> bool:
    return (
        p.op == first.op == "cut"
        and p.args[0].op == "matmul"
        and p.args[0].shape[0] == first.args[0].shape[0]
        and p.attrs[0] == first.attrs[0]
        and p.attrs[1] == (0, p.args[0].shape[1])
    )


def _same_rows(p: Value, first: Value) -> bool:
    return (
        p.op == "concatenate"
        and p.attrs == (0,)
        and len(p.args) == len(first.args)
        and all(a.shape[0] == b.shape[0] for a, b in zip(p.args, first.args, strict=True))
    )
