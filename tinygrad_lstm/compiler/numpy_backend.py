"""The NumPy backend: a flat list of calls that write where the memory plan says. Their arrays are
views that are yet to be made (`views`)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_lstm.compiler.blas import gemm
from tinygrad_lstm.compiler.calls import Call
from tinygrad_lstm.compiler.formulas import opened
from tinygrad_lstm.compiler.graph import Dtype, Shape, Value
from tinygrad_lstm.compiler.holes import whole
from tinygrad_lstm.compiler.memory import Memory
from tinygrad_lstm.compiler.operations import ELEMENTWISE, REDUCTIONS, accumulates, number
from tinygrad_lstm.compiler.pieces import piece, pieces
from tinygrad_lstm.compiler.schedule import Kernel
from tinygrad_lstm.compiler.strides import contiguous
from tinygrad_lstm.compiler.views import Copy, View
from tinygrad_lstm.engine.memory import read_only

__all__ = ["Bound", "Changed", "NumpyBackend", "Step"]

Array = NDArray[Any]
Step = tuple[Any, tuple[Any, ...]]
"""A function and its operands. One that is `Bound` is asked for the call when its arrays exist."""

SMALL = 1 << 12  # entries of a product below which dot is faster, for NumPy starts it at once
PIECE = 1 << 13  # entries of an operand that are worked on at a time: they stay in the cache


class Changed(Exception):
    """A call returns another shape or dtype than when the program was recorded."""


@dataclass(frozen=True)
class Bound:
    """Makes a call of arrays, which is the same each time.

    Attributes
    ----------
    make : callable
        From the operands to a function and its operands.
    """

    make: Callable[..., tuple[Callable[..., Any], tuple[Any, ...]]]

    def __call__(self, *operands: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.make(*operands)


class NumpyBackend:
    """Turns the instructions of a program into calls.

    Parameters
    ----------
    memory : Memory

    Attributes
    ----------
    size : int
        Bytes of the arena, with what calls need for themselves.
    """

    memory: Memory
    size: int

    def __init__(self, memory: Memory) -> None:
        self.memory, self.size = memory, memory.size
        self._scratch: dict[Any, list[View]] = {}

    def view(self, v: Value) -> View:
        """The memory of a value."""
        return self.memory.view(v)

    def _new(self, shape: Shape, dtype: Dtype) -> View:
        """Memory of a call's own."""
        strides = tuple([n * dtype.itemsize for n in contiguous(shape)])
        view = View(self.size, shape, strides, dtype)
        self.size += whole(view.size * dtype.itemsize)
        return view

    def copy(self, copy: Copy) -> list[Step]:
        """A value written to a second place."""
        place = self.memory.view(copy.source, copy.place)
        return [(np.copyto, (place, self.view(copy.source)))]

    def heavy(self, v: Value) -> list[Step]:
        """Work that is not elementwise."""
        out = self.view(v)
        args = [self.view(a) for a in v.args]
        if v.op == "matmul":
            return self._product(v, args, out)
        if v.op == "dot":
            return self._dot(args, out)
        if v.op in REDUCTIONS:
            return self._reduce(v, args[0], out)
        if v.op == "place":
            return [(np.copyto, (out, 0)), (np.copyto, (out.cut(v.attrs), args[0]))]
        return [(_called, (v.attrs[0], out, *args))]

    def _product(self, v: Value, args: list[View], out: View) -> list[Step]:
        """A product; what it adds to itself is added by the BLAS, or else by another call."""
        others = [
            (
                args[pair].cut(((0, args[pair].shape[0]), (low, high))),
                args[pair + 1].cut(((low, high),)),
            )
            for pair, low, high in pieces(v)
        ]
        product = np.dot if out.dense and out.size < SMALL else np.matmul
        steps: list[Step] = [] if accumulates(v, v.args[-1]) else [(product, (*others.pop(0), out))]
        blas = gemm(v.dtype) if others else None
        for factors in others:
            if blas is not None and blas.reads(*factors, out):
                steps.append((ADDED, (*factors, out)))
            else:
                part = self._scrap(out.shape, v.dtype)
                steps += [(np.matmul, (*factors, part)), (np.add, (out, part, out))]
        return steps

    def _scrap(self, shape: Shape, dtype: Dtype) -> View:
        """Memory that is free again after the next call."""
        known = self._scratch.setdefault((shape, dtype), [])
        if not known:
            known.append(self._new(shape, dtype))
        return known[0]

    def _dot(self, args: list[View], out: View) -> list[Step]:
        n = args[0].size
        if n <= PIECE:
            return [(_dot, (*args, out))]
        cuts = range(0, n, PIECE)
        parts = self._new((len(cuts),), out.dtype)
        steps: list[Step] = [
            (_dot, (*(a.cut(((at, min(at + PIECE, n)),)) for a in args), parts.row(i)))
            for i, at in enumerate(cuts)
        ]
        return [*steps, (_reduced, (np.add, parts, 0, None, out))]

    def _reduce(self, v: Value, x: View, out: View) -> list[Step]:
        ufunc, axes = REDUCTIONS[v.op], v.attrs[0]
        if v.op != "sum" or axes != (0,) or len(x.shape) != 2:
            return [(_reduced, (ufunc, x, axes, v.dtype, out))]
        n, columns = x.shape
        step = piece(n)
        whole = n // step if step else 0
        if whole < 2:
            return [(_reduced, (ufunc, x, axes, v.dtype, out))]
        parts = self._new((-(-n // step), columns), v.dtype)
        strides = (step * x.strides[0], *x.strides)
        rows = View(x.offset, (whole, step, columns), strides, x.dtype)
        steps: list[Step] = [(_reduced, (ufunc, rows, 1, v.dtype, parts.cut(((0, whole),))))]
        if n % step:
            rest = x.cut(((whole * step, n),))
            steps.append((_reduced, (ufunc, rest, 0, v.dtype, parts.row(whole))))
        return [*steps, (_reduced, (ufunc, parts, 0, v.dtype, out))]

    def kernel(self, kernel: Kernel) -> list[Step]:
        """A loop over elementwise values, in pieces that stay in the cache."""
        kernel = opened(kernel)
        shape = kernel.shape
        whole = {v.number: self.view(v) for v in kernel.inputs}
        whole |= {n: x.spread(shape) for n, x in whole.items() if x.shape != shape}
        final = {v.number: self.view(v) for v in kernel.outputs}
        if 0 in shape:
            return []
        n = shape[0] if shape else 1
        size = int(np.prod(shape, dtype=int))
        step = n if size <= PIECE else max(1, PIECE * n // size)
        steps: list[Step] = []
        for low in range(0, n, step):
            known, results = whole.copy(), final
            if step < n:
                part = ((low, min(low + step, n)),)
                known, results = ({i: a.cut(part) for i, a in d.items()} for d in (whole, final))
            steps += self._piece(kernel, known, results)
        return steps

    def _piece(self, kernel: Kernel, known: dict[int, View], final: dict[int, View]) -> list[Step]:
        """The calls for one piece; memory of values that are read no more is used again. An output
        that lives where an input does is written when that has been read."""
        last = {a.number: i for i, v in enumerate(kernel.values) for a in v.args}
        begins = {known[v.number].offset: last[v.number] for v in kernel.inputs}
        free: dict[Any, list[View]] = {}
        shape = next(iter(final.values())).shape
        for dtype in {v.dtype for v in kernel.values}:
            free[dtype] = list(self._scratch.setdefault((shape, dtype), []))
        steps: list[Step] = []
        moves: list[Step] = []
        own: set[int] = set()
        for i, v in enumerate(kernel.values):
            operands = [number(a) if a.op == "number" else known[a.number] for a in v.args]
            for a in {a.number: a for a in v.args}.values():
                if a.number in own and last[a.number] == i:
                    free[a.dtype].append(known[a.number])
            out = final.get(v.number)
            if out is None:
                out = self._temporary(free[v.dtype], shape, v)
                own.add(v.number)
            elif begins.get(out.offset, -1) > i:
                moves.append((np.copyto, (out, out := self._temporary(free[v.dtype], shape, v))))
            known[v.number] = out
            steps.append(_elementwise(v.op, operands, out))
        return steps + moves

    def _temporary(self, free: list[View], shape: Shape, v: Value) -> View:
        if free:
            return free.pop()
        out = self._new(shape, v.dtype)
        self._scratch[shape, v.dtype].append(out)
        return out


def _added(a: Array, b: Array, out: Array) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    found = gemm(out.dtype)
    assert found is not None
    return found.added(a, b, out)


def _by_keyword(ufunc: Any, *operands: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    return functools.partial(ufunc, out=operands[-1]), operands[:-1]


ADDED = Bound(_added)
EXTREMES = {  # NumPy wants their out by keyword
    op: Bound(functools.partial(_by_keyword, ELEMENTWISE[op])) for op in ("maximum", "minimum")
}


def _elementwise(op: str, operands: list[Any], out: View) -> Step:
    if op == "cast":
        return _cast, (out, operands[0])
    if op == "where":
        return _where, (*operands, out)
    if op == "multiply" and operands[0] is operands[1] and out.dtype.kind == "f":
        return np.square, (operands[0], out)  # reads it once
    return EXTREMES.get(op) or ELEMENTWISE[op], (*operands, out)


def _cast(out: Array, x: Array) -> None:
    np.copyto(out, x, casting="unsafe")


def _where(condition: Array, a: Any, b: Any, out: Array) -> None:
    np.copyto(out, np.where(condition, a, b))


def _reduced(ufunc: Any, *operands: Any) -> None:
    ufunc.reduce(*operands)


def _dot(a: Array, b: Array, out: Array) -> None:
    out[()] = np.dot(a, b)


def _called(call: Call, out: Array, *args: Array) -> None:
    found = call(*(read_only(a) for a in args))
    if found.shape != out.shape or found.dtype != out.dtype:
        raise Changed(f"{call.name} returns {found.shape} {found.dtype}, not {out.shape}")
    out[...] = found
