"""A plan: the program of one signature, with its memory, ready to run."""

from __future__ import annotations

import ctypes
import itertools
import math
import pickle
import threading
from array import array
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_lstm.compiler.blueprint import Blueprint
from tinygrad_lstm.compiler.listing import Listing
from tinygrad_lstm.compiler.native import library
from tinygrad_lstm.compiler.native_backend import ADDRESS
from tinygrad_lstm.compiler.numpy_backend import Bound, Step
from tinygrad_lstm.compiler.written import RUN, Arrays, Written

__all__ = ["Calls", "Replay"]

Array = NDArray[Any]


class Replay:
    """A program with memory of its own.

    Parameters
    ----------
    plan : Blueprint

    Attributes
    ----------
    calls : Calls
        What runs.
    arena : ndarray of uint8
        Where all values live.
    names : list of str
    leaves : list of Tensor or int
        What the totals are derivatives by, as in `Program`.
    inputs : list of (ndarray, Tensor or int)
        What is read at each call: its place, and where it comes from.
    draws : list of (ndarray or None, callable)
        Random numbers: their place, if they are read, and what draws them.
    """

    calls: Calls
    arena: np.ndarray
    names: list[str]
    leaves: list[Any]
    inputs: list[tuple[NDArray[Any], Any]]
    draws: list[tuple[NDArray[Any] | None, Callable[[], Any]]]

    def __init__(self, plan: Blueprint) -> None:
        self.arena = aligned(plan.size)
        arrays = Arrays(plan.written.forms, self.arena)
        self.calls = Calls(plan.written, arrays, self.arena.ctypes.data)
        self.names, self.leaves = plan.names, plan.leaves
        self._listing = plan.listing
        self.inputs = [(arrays[number], source) for number, source in plan.inputs]
        self.draws = [(None if n is None else arrays[n], draw) for n, draw in plan.draws]
        for number, value in plan.constants:
            arrays[number][...] = value
        self._results = [arrays[number] for number in plan.results]
        self._checked = [arrays[number] for number in plan.checked]
        self.lock = threading.Lock()

    @property
    def listing(self) -> Listing:
        """What there is to say of it."""
        found: Listing = pickle.loads(self._listing)
        return found

    def __call__(self, arguments: Sequence[Array]) -> tuple[Any, list[Array]] | None:
        """The loss and the total derivatives, in memory of the caller's; None where they are not
        finite."""
        with self.lock:
            for place, source in self.inputs:
                place[...] = arguments[source] if isinstance(source, int) else source._array
            for drawn, draw in self.draws:
                found = draw()
                if drawn is not None:
                    drawn[...] = found
            if self.calls.silent:
                self.calls()
            else:
                with np.errstate(all="ignore"):
                    self.calls()
            if not all(map(finite, self._checked)):
                return None
            loss, *totals = [result.copy() for result in self._results]
        return loss[()], totals


class Calls:
    """What a program calls, one after the other.

    Parameters
    ----------
    written : Written
    arrays : Arrays
    start : int
        The address of the arena.

    Attributes
    ----------
    functions, operands : list
        What is called, and with what, in order.
    silent : bool
        Whether NumPy, which may warn, has no part in it.
    """

    silent: bool

    def __init__(self, written: Written, arrays: Arrays, start: int) -> None:
        self.silent, self._spans = written.silent, array("q", written.spans)
        self._table = np.frombuffer(written.table, np.int64).copy()
        self._table[self._table >= ADDRESS] += start - ADDRESS
        step: Step
        run = library().run if len(self._table) else None
        self.functions: list[Callable[..., Any]] = []
        self.operands: list[tuple[Any, ...]] = []
        numbers = iter(array("q", written.calls))
        for function in numbers:
            given = list(itertools.islice(numbers, next(numbers)))
            if function == RUN:
                step = run, (self._entry(given[0]), given[1])
            else:
                operands = tuple([arrays[n] if n >= 0 else written.objects[~n] for n in given])
                call = written.objects[function]
                step = call(*operands) if type(call) is Bound else (call, operands)
            self.functions.append(step[0])
            self.operands.append(step[1])

    def _entry(self, at: int) -> ctypes.c_void_p:
        """Where an entry of the table is."""
        return ctypes.c_void_p(self._table.ctypes.data + 8 * at)

    def __call__(self) -> None:
        for function, operands in zip(self.functions, self.operands, strict=True):
            function(*operands)

    def of(self, instruction: int) -> list[Step]:
        """The calls of one instruction alone."""
        call, start, count = self._spans[3 * instruction : 3 * instruction + 3]
        if start >= 0:
            return [(self.functions[call], (self._entry(start), count))]
        last = call + count
        return list(zip(self.functions[call:last], self.operands[call:last], strict=True))


def finite(x: Array) -> bool:
    """Whether all entries are finite: the sum of squares says so at once, unless it overflows, of
    which `numpy.vdot` does not warn."""
    if x.ndim == 1 and x.dtype.kind == "f" and math.isfinite(np.vdot(x, x)):
        return True
    return bool(np.isfinite(x).all())


def aligned(size: int) -> NDArray[np.uint8]:
    """Memory that begins at a cache line."""
    raw = np.zeros(size + 64, np.uint8)
    shift = -raw.ctypes.data % 64
    return raw[shift : shift + size]
