"""The NumPy backend: a flat list of calls that write where the memory plan says."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_lstm.compiler.blas import gemm
from tinygrad_lstm.compiler.calls import Call
from tinygrad_lstm.compiler.graph import Dtype, Shape, Value
from tinygrad_lstm.compiler.memory import Copy, Memory
from tinygrad_lstm.compiler.operations import ELEMENTWISE, REDUCTIONS, accumulates, number
from tinygrad_lstm.compiler.pieces import piece, pieces
from tinygrad_lstm.compiler.reference import slices
from tinygrad_lstm.compiler.schedule import Kernel
from tinygrad_lstm.engine.memory import read_only

__all__ = ["Changed", "NumpyBackend"]

Array = NDArray[Any]
Step = tuple[Callable[..., Any], tuple[Any, ...]]

SMALL = 1 << 12  # entries of a product below which dot is faster, for NumPy starts it at once
PIECE = 1 << 13  # entries of an operand that are worked on at a time: they stay in the cache


class Changed(Exception):
    """A call returns another shape or dtype than when the program was recorded."""


class NumpyBackend:
    """Turns the instructions of a program into calls.

    Parameters
    ----------
    memory : Memory
    arena : ndarray of uint8
    """

    memory: Memory
    arena: np.ndarray

    def __init__(self, memory: Memory, arena: NDArray[np.uint8]) -> None:
        self.memory, self.arena = memory, arena
        self._scratch: dict[Any, list[Array]] = {}

    def view(self, v: Value) -> Array:
        """The memory of a value."""
        return self.memory.view(self.arena, v)

    def copy(self, copy: Copy) -> list[Step]:
        """A value written to a second place."""
        place = self.memory.view(self.arena, copy.source, copy.place)
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
            return [(out.fill, (0,)), (np.copyto, (out[slices(v.attrs)], args[0]))]
        return [(_called, (v.attrs[0], args, out))]

    def _product(self, v: Value, args: list[Array], out: Array) -> list[Step]:
        """A product; what it adds to itself is added by the BLAS, or else by another call."""
        others = [
            (args[pair][:, low:high], args[pair + 1][low:high]) for pair, low, high in pieces(v)
        ]
        product = np.dot if out.flags.c_contiguous and out.size < SMALL else np.matmul
        steps: list[Step] = [] if accumulates(v, v.args[-1]) else [(product, (*others.pop(0), out))]
        blas = gemm(v.dtype) if others else None
        for factors in others:
            added = blas and blas.step(*factors, out, True)
            if added:
                steps.append(added)
            else:
                part = self._scrap(out.shape, v.dtype)
                steps += [(np.matmul, (*factors, part)), (np.add, (out, part, out))]
        return steps

    def _scrap(self, shape: Shape, dtype: Dtype) -> Array:
        """Memory that is free again after the next call."""
        known = self._scratch.setdefault((shape, dtype), [])
        if not known:
            known.append(np.empty(shape, dtype))
        return known[0]

    def _dot(self, args: list[Array], out: Array) -> list[Step]:
        n = args[0].size
        if n <= PIECE:
            return [(_dot, (*args, out))]
        cuts = range(0, n, PIECE)
        parts = np.empty(len(cuts), out.dtype)
        steps: list[Step] = [
            (_dot, (*(a[at : at + PIECE] for a in args), parts[i : i + 1].reshape(())))
            for i, at in enumerate(cuts)
        ]
        return [*steps, (np.add.reduce, (parts, 0, None, out))]

    def _reduce(self, v: Value, x: Array, out: Array) -> list[Step]:
        reduce, axes = REDUCTIONS[v.op].reduce, v.attrs[0]
        if v.op != "sum" or axes != (0,) or x.ndim != 2:
            return [(reduce, (x, axes, v.dtype, out))]
        n, columns = x.shape
        step = piece(n)
        whole = n // step if step else 0
        if whole < 2:
            return [(reduce, (x, axes, v.dtype, out))]
        parts = np.empty((-(-n // step), columns), v.dtype)
        rows = np.lib.stride_tricks.as_strided(
            x, (whole, step, columns), (step * x.strides[0], *x.strides)
        )
        steps: list[Step] = [(reduce, (rows, 1, v.dtype, parts[:whole]))]
        if n % step:
            steps.append((reduce, (x[whole * step :], 0, v.dtype, parts[whole])))
        return [*steps, (reduce, (parts, 0, v.dtype, out))]

    def kernel(self, kernel: Kernel) -> list[Step]:
        """A loop over elementwise values, in pieces that stay in the cache."""
        shape = kernel.shape
        whole = {v.number: self.view(v) for v in kernel.inputs}
        whole |= {n: np.broadcast_to(x, shape) for n, x in whole.items() if x.shape != shape}
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
                part = slice(low, low + step)
                known, results = ({i: a[part] for i, a in d.items()} for d in (whole, final))
            steps += self._piece(kernel, known, results)
        return steps

    def _piece(
        self, kernel: Kernel, known: dict[int, Array], final: dict[int, Array]
    ) -> list[Step]:
        """The calls for one piece; memory of values that are read no more is used again. An output
        that lives where an input does is written when that has been read."""
        last = {a.number: i for i, v in enumerate(kernel.values) for a in v.args}
        begins = {_start(known[v.number]): last[v.number] for v in kernel.inputs}
        free: dict[Any, list[Array]] = {}
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
            elif begins.get(_start(out), -1) > i:
                moves.append((np.copyto, (out, out := self._temporary(free[v.dtype], shape, v))))
            known[v.number] = out
            steps.append(_elementwise(v.op, operands, out))
        return steps + moves

    def _temporary(self, free: list[Array], shape: Any, v: Value) -> Array:
        if free:
            return free.pop()
        out = np.empty(shape, v.dtype)
        self._scratch[shape, v.dtype].append(out)
        return out


def _start(array: Array) -> int:
    return int(array.__array_interface__["data"][0])


def _elementwise(op: str, operands: list[Any], out: Array) -> Step:
    if op == "cast":
        return _cast, (out, operands[0])
    if op == "where":
        return _where, (*operands, out)
    if op == "multiply" and operands[0] is operands[1] and out.dtype.kind == "f":
        return np.square, (operands[0], out)  # reads it once
    if op in ("maximum", "minimum"):  # NumPy wants their out by keyword
        return functools.partial(ELEMENTWISE[op], out=out), tuple(operands)
    return ELEMENTWISE[op], (*operands, out)


def _cast(out: Array, x: Array) -> None:
    np.copyto(out, x, casting="unsafe")


def _where(condition: Array, a: Any, b: Any, out: Array) -> None:
    np.copyto(out, np.where(condition, a, b))


def _dot(a: Array, b: Array, out: Array) -> None:
    out[()] = np.dot(a, b)


def _called(call: Call, args: list[Array], out: Array) -> None:
    found = call(*(read_only(a) for a in args))
    if found.shape != out.shape or found.dtype != out.dtype:
        raise Changed(f"{call.name} returns {found.shape} {found.dtype}, not {out.shape}")
    out[...] = found
