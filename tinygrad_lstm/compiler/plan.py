"""A plan: the program of one signature, with its memory, ready to run."""

from __future__ import annotations

import ctypes
import math
import threading
from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_lstm.compiler.listing import Listing
from tinygrad_lstm.compiler.native import library
from tinygrad_lstm.compiler.native_backend import NativeBackend
from tinygrad_lstm.compiler.numpy_backend import NumpyBackend, Step
from tinygrad_lstm.compiler.planned import Instruction, Planned
from tinygrad_lstm.compiler.trace import Program

__all__ = ["Calls", "Replay"]

Array = NDArray[Any]


class Replay:
    """A program with memory of its own.

    Parameters
    ----------
    program : Program
    planned : Planned
        What it does; nothing of it is kept.
    backend : str
        ``"numpy"`` or ``"native"``.

    Attributes
    ----------
    listing : Listing
        What there is to say of it.
    calls : Calls
        What runs.
    arena : ndarray of uint8
        Where all values live.
    """

    listing: Listing
    calls: Calls
    arena: np.ndarray

    def __init__(self, program: Program, planned: Planned, backend: str) -> None:
        self.program = program
        memory, graph = planned.memory, planned.graph
        self.arena = aligned(memory.size)
        numpy = NumpyBackend(memory, self.arena)
        native = NativeBackend(memory, self.arena, library()) if backend == "native" else None
        self.calls = Calls(planned.instructions, numpy, native)
        self.listing = Listing(program, planned)
        places: dict[int, Array] = {}
        self._inputs: list[tuple[Array, Any]] = []
        for v in planned.schedule.order:
            if v.op == "input":
                self._inputs.append((numpy.view(v), program.inputs[v.number]))
            elif v.op == "draw":
                places[v.number] = numpy.view(v)
            elif v.op == "constant":
                numpy.view(v)[...] = graph.data[v.number]
            elif v.op == "number":
                numpy.view(v)[...] = np.frombuffer(v.attrs[0], v.dtype)[0]
        # all in the order of the tape, and those too that no result depends on
        self._draws = [(places.get(n), draw) for n, draw in program.draws.items()]
        self._results = [numpy.view(root) for root in planned.roots]
        self._checked = [self.arena[a:b].view(d) for d, (a, b) in memory.results.items()]
        self._checked += [numpy.view(v) for v in memory.apart]
        self.lock = threading.Lock()

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
            if self.calls.silent:
                for step, args in self.calls.steps:
                    step(*args)
            else:
                with np.errstate(all="ignore"):
                    for step, args in self.calls.steps:
                        step(*args)
            if not all(map(finite, self._checked)):
                return None
            loss, *totals = [result.copy() for result in self._results]
        return loss[()], totals


class Calls:
    """Instructions as calls. What runs natively is joined to tables, as long as they can be.

    Attributes
    ----------
    steps : list of Step
        What is called, in order.
    silent : bool
        Whether NumPy, which may warn, has no part in it.
    """

    steps: list[Step]
    silent: bool

    def __init__(
        self, instructions: list[Instruction], numpy: NumpyBackend, native: NativeBackend | None
    ) -> None:
        self.steps, self.silent = [], native is not None
        self._spans = array("q")  # of each instruction: which step, where in its table, how many
        table, count = array("q"), 0

        def close() -> None:
            nonlocal table, count
            if native is not None and count:
                numbers = np.array(table)
                pointer = numbers.ctypes.data_as(ctypes.c_void_p)
                self.steps.append((native.library.run, (pointer, count)))
                table, count = array("q"), 0

        for kind, what in instructions:
            entries = getattr(native, kind)(what) if native is not None else None
            if entries is None:
                close()
                steps = getattr(numpy, kind)(what)
                self._spans.extend((len(self.steps), -1, len(steps)))
                self.steps += steps
                self.silent = self.silent and not steps
            else:
                self._spans.extend((len(self.steps), len(table), len(entries)))
                for entry in entries:
                    table.fromlist(entry)
                count += len(entries)
        close()

    def of(self, instruction: int) -> list[Step]:
        """The calls of one instruction alone."""
        step, start, count = self._spans[3 * instruction : 3 * instruction + 3]
        if start < 0:
            return self.steps[step : step + count]
        run, (pointer, _) = self.steps[step]
        return [(run, (ctypes.c_void_p(pointer.value + 8 * start), count))]


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
