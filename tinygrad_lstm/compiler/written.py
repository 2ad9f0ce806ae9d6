"""Calls as numbers: what they are while the graph is there. An object for each of them would lie
between its values, and keep the memory in which they lie from being given back."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_lstm.compiler.native_backend import NativeBackend
from tinygrad_lstm.compiler.numpy_backend import NumpyBackend, Step
from tinygrad_lstm.compiler.planned import Instruction
from tinygrad_lstm.compiler.views import View

__all__ = ["RUN", "Arrays", "Writer", "Written"]

RUN = -1  # in the place of a function: a part of the native table
FORM = 44  # the bit from which on the number of an array says its form, and not its first byte


@dataclass(frozen=True)
class Written:
    """The calls of a program. What runs natively is joined to tables, as long as they can be.

    Attributes
    ----------
    calls : bytes
        Of each call: its function, how many operands it has, and these. Arrays are numbers of
        `Writer.array`, all else is ``~`` its place among the objects.
    table : bytes
        What runs natively.
    spans : bytes
        Of each instruction: which call, where in the table or -1, and how many entries.
    objects, forms : list
        Functions, and operands that are no arrays; what arrays look like.
    silent : bool
        Whether NumPy, which may warn, has no part in it.
    """

    calls: bytes
    table: bytes
    spans: bytes
    objects: list[Any]
    forms: list[Any]
    silent: bool


class Writer:
    """Writes the calls of a program down.

    Parameters
    ----------
    instructions : list of Instruction
    numpy : NumpyBackend
    native : NativeBackend or None
    """

    def __init__(
        self, instructions: list[Instruction], numpy: NumpyBackend, native: NativeBackend | None
    ) -> None:
        self._calls, self._table, self._spans = array("q"), array("q"), array("q")
        self._objects: list[Any] = []
        self._places: dict[int, int] = {}  # by id, which is good for as long as the object lives
        self._forms: dict[Any, int] = {}
        self._count = 0  # of calls
        self._open = False  # whether the last of them is a part of the table
        self._silent = native is not None
        for kind, what in instructions:
            entries = None if native is None else getattr(native, kind)(what)
            if entries is None:
                self._numpy(getattr(numpy, kind)(what))
            else:
                self._native(entries)

    def written(self) -> Written:
        """What was written, and all that has got a number."""
        return Written(
            *(self._calls.tobytes(), self._table.tobytes(), self._spans.tobytes()),
            *(self._objects, list(self._forms), self._silent),
        )

    def _numpy(self, steps: list[Step]) -> None:
        self._spans.extend((self._count, -1, len(steps)))
        for function, operands in steps:
            self._calls.extend((self._object(function), len(operands)))
            self._calls.extend(
                [self.array(x) if type(x) is View else ~self._object(x) for x in operands]
            )
        self._count += len(steps)
        self._open = self._open and not steps
        self._silent = self._silent and not steps

    def _native(self, entries: list[list[int]]) -> None:
        if entries and not self._open:
            self._calls.extend((RUN, 2, len(self._table), 0))
            self._count += 1
            self._open = True
        self._spans.extend((self._count - 1, len(self._table), len(entries)))
        for entry in entries:
            self._table.fromlist(entry)
            self._calls[-1] += 1

    def array(self, view: View) -> int:
        """The number of an array."""
        return self._forms.setdefault(view[1:], len(self._forms)) << FORM | view.offset

    def _object(self, x: Any) -> int:
        found = self._places.setdefault(id(x), len(self._objects))
        if found == len(self._objects):
            self._objects.append(x)
        return found


class Arrays(dict[int, NDArray[Any]]):
    """The arrays of an arena by their numbers, each made once.

    Parameters
    ----------
    forms : list
        Of `Written`.
    arena : ndarray of uint8
    """

    def __init__(self, forms: list[Any], arena: NDArray[np.uint8]) -> None:
        super().__init__()
        self._forms, self._arena = forms, arena

    def __missing__(self, number: int) -> NDArray[Any]:
        shape, strides, dtype = self._forms[number >> FORM]
        offset = number & ((1 << FORM) - 1)
        made = self[number] = np.ndarray(shape, dtype, self._arena, offset, strides)
        return made
