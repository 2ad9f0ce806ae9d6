"""The native backend's instructions: what is a call in the table, and what stays with NumPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_lstm.compiler.blas import TYPES, gemm, layout
from tinygrad_lstm.compiler.formulas import opened
from tinygrad_lstm.compiler.graph import Shape, Value
from tinygrad_lstm.compiler.memory import Memory
from tinygrad_lstm.compiler.native import Library
from tinygrad_lstm.compiler.operations import accumulates, number
from tinygrad_lstm.compiler.pieces import piece, pieces
from tinygrad_lstm.compiler.schedule import Kernel
from tinygrad_lstm.compiler.strides import repeated
from tinygrad_lstm.compiler.vector_code import LANES, supported
from tinygrad_lstm.compiler.views import Copy, Place

__all__ = ["ADDRESS", "NativeBackend"]

BOOL = np.dtype(bool)
ADDRESS = 1 << 62  # what is more, counts from the first byte of the arena
LONGEST = 200  # operations of a loop, beyond which NumPy runs it: to compile them takes too long
Numbers = list[int]
Part = tuple[int, int, int]  # as of `pieces`
Entries = list[Numbers]  # one after the other in the table


class NativeBackend:
    """Turns instructions into calls of the machine.

    Parameters
    ----------
    memory : Memory
    library : Library
    """

    memory: Memory
    library: Library

    def __init__(self, memory: Memory, library: Library) -> None:
        self.memory, self.library = memory, library
        self._keys: dict[Any, int] = {}

    def _function(self, *key: Any) -> int:
        found = self._keys.get(key)
        if found is None:
            found = self._keys[key] = self.library.function(key)
        return found

    def _entry(self, function: int, numbers: Numbers) -> Numbers:
        return [function, 2 + len(numbers), *numbers]

    def copy(self, copy: Copy) -> Entries | None:
        """A value written to a second place."""
        v = copy.source
        if v.dtype not in TYPES:
            return None
        return self._loop(
            v.shape,
            [(self.memory.where(v), v.shape)],
            [(copy.place, v.shape)],
            (TYPES[v.dtype], (("cast", (("in", 0),)),), (0,)),
            v.dtype.itemsize,
        )

    def kernel(self, kernel: Kernel) -> Entries | None:
        """A loop over elementwise values."""
        key = _key(opened(kernel))
        if key is None or 0 in kernel.shape:
            return None
        where = self.memory.where
        return self._loop(
            kernel.shape,
            [(where(v), v.shape) for v in kernel.inputs],
            [(where(v), v.shape) for v in kernel.outputs],
            key,
            kernel.outputs[0].dtype.itemsize,
        )

    def _loop(
        self,
        shape: Shape,
        inputs: list[tuple[Place, Shape]],
        outputs: list[tuple[Place, Shape]],
        key: tuple[Any, ...],
        size: int,
    ) -> Entries | None:
        strides = [repeated(place.strides, own, shape) for place, own in (*inputs, *outputs)]
        plane = planes(shape, strides)
        if plane is None:
            return None
        rows, cols, steps = plane
        if any(column not in (0, 1) for _, column in steps):
            return None
        if any(column == 0 for _, column in steps[len(inputs) :]) and cols > 1:
            return None
        flat = tuple([column == 0 and cols > 1 for _, column in steps[: len(inputs)]])
        numbers = [rows, cols]
        for (place, _), (row, _) in zip((*inputs, *outputs), steps, strict=True):
            numbers += [ADDRESS + place.offset, row * size]
        return [self._entry(self._function("kernel", (*key, flat)), numbers)]

    def heavy(self, v: Value) -> Entries | None:
        """Work that is not elementwise."""
        type = TYPES.get(v.dtype)
        if type is None or not v.size or any(a.dtype != v.dtype or not a.size for a in v.args):
            return None
        if v.op == "matmul":
            return self._product(v, type)
        if v.op == "panels":
            place, out = self.memory.where(v.args[0]), self.memory.where(v)
            strides = [s * v.dtype.itemsize for s in place.strides]
            numbers = [*v.shape, self._at(place), *strides, self._at(out)]
            return [self._entry(self._panels(type)[0], numbers)]
        if v.op == "dot":
            places = [self.memory.where(a) for a in v.args]
            if any(p.strides != (1,) for p in places):
                return None
            numbers = [v.args[0].size, *(self._at(p) for p in (*places, self.memory.where(v)))]
            return [self._entry(self._function("dot", type), numbers)]
        if v.op == "sum" and v.attrs == ((0,),) and v.args[0].ndim == 2:
            source, out = self.memory.where(v.args[0]), self.memory.where(v)
            if source.strides[1] != 1 or out.strides != (1,):
                return None
            stride = source.strides[0] * v.dtype.itemsize
            rows, columns = v.args[0].shape
            numbers = [rows, columns, self._at(source), stride, self._at(out), piece(rows)]
            return [self._entry(self._function("sum", type), numbers)]
        return None

    def _at(self, place: Place) -> int:
        return ADDRESS + place.offset

    def _product(self, v: Value, type: str) -> Entries | None:
        blas = gemm(v.dtype)
        if blas is None:
            return None
        self._function("product", type, blas.ints)  # other shapes take what this one does not,
        self._panels(type)  # and compile nothing then
        entries: Entries = []
        adds = accumulates(v, v.args[-1])
        for part in pieces(v):
            laid = v.args[part[0] + 1].op == "panels"
            entry = (self._by_panels if laid else self._by_blas)(v, type, part, adds)
            if entry is None:
                return None
            entries.append(entry)
            adds = True
        return entries

    def _by_blas(self, v: Value, type: str, part: Part, adds: bool) -> Numbers | None:
        """A part of a product, by a BLAS, if it can read the factors where they lie."""
        pair, low, high = part
        values, blas = (*v.args[pair : pair + 2], v), gemm(v.dtype)
        places = [self.memory.where(x) for x in values]
        found = layout((p.strides, x.shape) for p, x in zip(places, values, strict=True))
        if blas is None or found is None:
            return None
        flags, steps = found
        a, b, out = map(self._at, places)
        a += low * places[0].strides[1] * v.dtype.itemsize
        b += low * places[1].strides[0] * v.dtype.itemsize
        numbers = [blas.address, *flags, *v.shape, high - low, a, steps[0], b, steps[1]]
        function = self._function("product", type, blas.ints)
        return self._entry(function, [*numbers, out, steps[2], adds])

    def _by_panels(self, v: Value, type: str, part: Part, adds: bool) -> Numbers:
        """A part of a product, by a matrix in panels."""
        pair, low, high = part
        a, b, out = (self.memory.where(x) for x in (*v.args[pair : pair + 2], v))
        assert out.strides[1] == 1, v
        size, lanes = v.dtype.itemsize, LANES[type]
        row, column = (s * size for s in a.strides)
        panel = lanes * size
        numbers = [v.shape[0], v.shape[1] // lanes, high - low, self._at(a) + low * column]
        numbers += [row, column, self._at(b) + low * panel, v.args[pair].shape[1] * panel]
        numbers += [self._at(out), out.strides[0] * size, adds]
        return self._entry(self._panels(type)[1], numbers)

    def _panels(self, type: str) -> tuple[int, int]:
        """What lays a matrix out in panels, and what multiplies by them."""
        by_panels = self._function("by panels", type, self.library.height)
        return self._function("panels", type), by_panels


def _key(kernel: Kernel) -> tuple[Any, ...] | None:
    """A kernel's structure: the same for kernels that do the same, wherever and however long."""
    if len(kernel.values) > LONGEST:
        return None
    types = {TYPES.get(v.dtype) for v in (*kernel.inputs, *kernel.outputs)}
    inner = {v.dtype for v in kernel.values if v.dtype is not BOOL}
    if len(types) != 1 or None in types or len(inner) != 1:
        return None
    numbers: dict[int, tuple[str, Any]] = {v.number: ("in", i) for i, v in enumerate(kernel.inputs)}
    code = []
    for i, v in enumerate(kernel.values):
        if not supported(v.op, [a.dtype is BOOL for a in v.args]):
            return None
        given = [
            ("number", float(number(a))) if a.op == "number" else numbers[a.number] for a in v.args
        ]
        code.append((v.op, tuple(given)))
        numbers[v.number] = ("t", i)
    return types.pop(), tuple(code), tuple([numbers[v.number][1] for v in kernel.outputs])


def planes(shape: Shape, strides: list[Shape]) -> tuple[int, int, list[tuple[int, int]]] | None:
    """A loop over any axes as one over rows and columns, or None where it takes more: rows,
    columns, and the two strides of every operand."""
    axes = [i for i, n in enumerate(shape) if n != 1]
    groups: list[list[int]] = []
    for i in axes:
        if groups and all(s[groups[-1][-1]] == s[i] * shape[i] for s in strides):
            groups[-1].append(i)
        else:
            groups.append([i])
    if len(groups) > 2:
        return None
    lengths = [math.prod([shape[i] for i in g]) for g in groups]
    steps = [tuple([s[g[-1]] for g in groups]) for s in strides]
    while len(lengths) < 2:
        lengths.insert(0, 1)
        steps = [(0, *s) for s in steps]
    if not axes:  # a single number
        steps = [(0, 1) for _ in steps]
    return lengths[0], lengths[1], [(s[0], s[1]) for s in steps]
