"""A program without its graph: numbers and text, from which it is built when the graph has gone."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_lstm.compiler.listing import Listing
from tinygrad_lstm.compiler.native import library
from tinygrad_lstm.compiler.native_backend import NativeBackend
from tinygrad_lstm.compiler.numpy_backend import NumpyBackend
from tinygrad_lstm.compiler.planned import Planned
from tinygrad_lstm.compiler.trace import Program
from tinygrad_lstm.compiler.views import View
from tinygrad_lstm.compiler.written import Writer, Written

__all__ = ["Blueprint"]


class Blueprint:
    """All that a `Replay` is built from.

    Parameters
    ----------
    program : Program
    planned : Planned
        What it does; nothing of it is kept.
    backend : str
        ``"numpy"`` or ``"native"``.

    Attributes
    ----------
    size : int
        Bytes of the arena.
    written : Written
    inputs : list of (int, Tensor or int)
        What is read at each call: the number of an array, and where it comes from.
    draws : list of (int or None, callable)
        Random numbers, in the order of the tape, and those too that no result depends on.
    constants : list of (int, ndarray)
    results, checked : list of int
        The loss and the totals; what has to be finite.
    leaves : list of Tensor or int
        As of `Program`.
    names : list of str
        Of the leaves.
    listing : bytes
        A `Listing`.
    """

    size: int
    leaves: list[Any]
    names: list[str]
    listing: bytes
    draws: list[tuple[int | None, Callable[[], Any]]]
    results: list[int]
    checked: list[int]
    written: Written

    def __init__(self, program: Program, planned: Planned, backend: str) -> None:
        memory = planned.memory
        numpy = NumpyBackend(memory)
        native = NativeBackend(memory, library()) if backend == "native" else None
        writer = Writer(planned.instructions, numpy, native)
        self.size = numpy.size
        self.leaves = program.leaves
        self.names = program.names
        self.listing = pickle.dumps(Listing(program, planned))
        self.inputs: list[tuple[int, Any]] = []
        self.constants: list[tuple[int, NDArray[Any]]] = []
        number, places = writer.array, dict[int, int]()
        for v in planned.schedule.order:
            if v.op == "input":
                self.inputs.append((number(memory.view(v)), program.inputs[v.number]))
            elif v.op == "draw":
                places[v.number] = number(memory.view(v))
            elif v.op == "constant":
                self.constants.append((number(memory.view(v)), planned.graph.data[v.number]))
            elif v.op == "number":
                value = np.frombuffer(v.attrs[0], v.dtype)[0]
                self.constants.append((number(memory.view(v)), value))
        self.draws = [(places.get(n), draw) for n, draw in program.draws.items()]
        self.results = [number(memory.view(root)) for root in planned.roots]
        checked = [
            View(start, ((end - start) // dtype.itemsize,), (dtype.itemsize,), dtype)
            for dtype, (start, end) in memory.results.items()
        ]
        self.checked = [number(view) for view in (*checked, *map(memory.view, memory.apart))]
        self.written = writer.written()
