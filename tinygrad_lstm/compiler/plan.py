"""A plan: the program of one signature, with its memory, ready to run."""

from __future__ import annotations

import ctypes
import itertools
import math
import threading
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_lstm.compiler.graph import Value
from tinygrad_lstm.compiler.memory import Memory
from tinygrad_lstm.compiler.native import library
from tinygrad_lstm.compiler.native_backend import NativeBackend
from tinygrad_lstm.compiler.numpy_backend import NumpyBackend, Step
from tinygrad_lstm.compiler.passes.optimise import Done, optimise
from tinygrad_lstm.compiler.schedule import Schedule, is_heavy
from tinygrad_lstm.compiler.trace import Program

__all__ = ["Instruction", "Replay", "instructions"]

Array = NDArray[Any]
Instruction = tuple[str, Any]


def instructions(schedule: Schedule, memory: Memory) -> list[Instruction]:
    """What is done, in order: ``("kernel", Kernel)``, ``("heavy", Value)``, ``("copy", Copy)``."""
    found: list[tuple[float, int, Instruction]] = []
    for i, (stage, kernel) in enumerate(schedule.kernels):
        found.append((stage, i, ("kernel", kernel)))
    for i, v in enumerate(schedule.order):
        if is_heavy(v):
            found.append((schedule.stage[v.number], i, ("heavy", v)))
    found += [(when, rank, ("copy", copy)) for when, rank, copy in memory.copies]
    return [instruction for _, _, instruction in sorted(found, key=lambda f: f[:2])]


def taken(program: Program) -> list[Value]:
    """The roots of a program, for whoever rewrites them: it keeps what they were no longer."""
    roots, program.roots = program.roots, []
    return roots


class Replay:
    """A program with memory of its own.

    Parameters
    ----------
    program : Program
    backend : str
        ``"numpy"`` or ``"native"``.
    passes : collection of str
        What is done to the graph first.
    """

    roots: list[Value]
    done: list[Done]
    schedule: Schedule
    memory: Memory
    instructions: list[Instruction]
    arena: np.ndarray

    def __init__(self, program: Program, backend: str, passes: Collection[str]) -> None:
        self.program = program
        self.roots, self.done = optimise(program.graph, taken(program), passes, backend)
        order = program.graph.order(self.roots)
        program.graph.close()
        self.schedule = Schedule(self.roots, order)
        self.memory = Memory(self.schedule)
        self.instructions = instructions(self.schedule, self.memory)
        del self.schedule.readers, self.schedule.stage
        self.arena = aligned(self.memory.size)
        numpy = self._numpy = NumpyBackend(program.graph, self.memory, self.arena)
        native = self._native = (
            NativeBackend(self.memory, self.arena, library()) if backend == "native" else None
        )
        self.steps = self.bound(self.instructions)
        places: dict[int, Array] = {}
        self._inputs: list[tuple[Array, Any]] = []
        for v in self.schedule.order:
            if v.op == "input":
                self._inputs.append((numpy.view(v), program.inputs[v.number]))
            elif v.op == "draw":
                places[v.number] = numpy.view(v)
            elif v.op == "constant":
                numpy.view(v)[...] = program.graph.data[v.number]
            elif v.op == "number":
                numpy.view(v)[...] = np.frombuffer(v.attrs[0], v.dtype)[0]
        # all in the order of the tape, and those too that no result depends on
        self._draws = [(places.get(n), draw) for n, draw in program.draws.items()]
        self._results = [numpy.view(root) for root in self.roots]
        self._checked = [self.arena[a:b].view(d) for d, (a, b) in self.memory.results.items()]
        self._checked += [numpy.view(v) for v in self.memory.apart]
        self._silent = native is None or any(
            step is not native.library.run for step, _ in self.steps
        )
        self.lock = threading.Lock()

    def bound(self, instructions: list[Instruction]) -> list[Step]:
        """Instructions as calls."""
        return steps(instructions, self._numpy, self._native)

    def __call__(self, arguments: Sequence[Array]) -> tuple[Any, list[Array]] | None:
        """The loss and the total derivatives, in memory of the caller's; None where they are not
        finite."""
        with self.lock:
            for place, source in self._inputs:
                place[...] = arguments[source] if isinstance(source, int) else source._array
            for drawn, draw in self._draws:
                found = draw()
                if drawn is not None:
                    drawn[...] = found
            if self._silent:
                with np.errstate(all="ignore"):
                    for step, args in self.steps:
                        step(*args)
            else:
                for step, args in self.steps:
                    step(*args)
            if not all(map(finite, self._checked)):
                return None
            loss, *totals = [result.copy() for result in self._results]
        return loss[()], totals

    def counts(self) -> Counter[str]:
        """How many instructions of each kind there are."""
        return Counter(what.op if kind == "heavy" else kind for kind, what in self.instructions)


def steps(
    instructions: list[Instruction], numpy: NumpyBackend, native: NativeBackend | None
) -> list[Step]:
    """What is called, in order. What runs natively is joined to tables, as long as they can be."""
    found: list[Step] = []
    table: list[int] = []
    count = 0

    def close() -> None:
        nonlocal table, count
        if native is not None and count:
            array = np.array(table, np.int64)
            found.append((native.library.run, (array.ctypes.data_as(ctypes.c_void_p), count)))
            table, count = [], 0

    for kind, what in instructions:
        entries = getattr(native, kind)(what) if native is not None else None
        if entries is None:
            close()
            found += getattr(numpy, kind)(what)
        else:
            table += itertools.chain.from_iterable(entries)
            count += len(entries)
    close()
    return found


def finite(x: Array) -> bool:
    """Whether all entries are finite: the sum of squares says so at once, unless it overflows."""
    if x.ndim == 1 and x.dtype.kind == "f" and math.isfinite(np.dot(x, x)):
        return True
    return bool(np.isfinite(x).all())


def aligned(size: int) -> NDArray[np.uint8]:
    """Memory that begins at a cache line."""
    raw = np.zeros(size + 64, np.uint8)
    shift = -raw.ctypes.data % 64
    return raw[shift : shift + size]
