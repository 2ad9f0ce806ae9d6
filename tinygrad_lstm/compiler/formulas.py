"""What a stage does entry by entry, as one value of a graph: its steps are values of their own only
while its loop is written.

A sigmoid is four operations and its derivative three: a net of gates would have half as many values
again, and each is an object with a place in every table of the graph.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from tinygrad_lstm.compiler.graph import Dtype, Value
from tinygrad_lstm.compiler.operations import compute, number
from tinygrad_lstm.compiler.schedule import Kernel

__all__ = ["Formula", "opened", "steps"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Formula:
    """The attribute of a value of the operation ``"formula"``.

    Attributes
    ----------
    name : str
        The stage.
    constants : tuple of Value
        Numbers.
    steps : tuple of (str, tuple of int)
        Operations, of the shape and the dtype of the value, and what each of them reads: the
        constants, then what the value reads, then the steps before it.
    """

    name: str
    constants: tuple[Value, ...]
    steps: tuple[tuple[str, tuple[int, ...]], ...]

    def compute(self, args: Sequence[Array], dtype: Dtype) -> Array:
        """What it makes of arrays."""
        known: list[Array] = [*map(number, self.constants), *args]
        for op, read in self.steps:
            known.append(compute(op, [known[i] for i in read], dtype))
        return known[-1]


def steps(kernel: Kernel) -> int:
    """How many operations a loop has."""
    return sum(len(v.attrs[0].steps) if v.op == "formula" else 1 for v in kernel.values)


def opened(kernel: Kernel) -> Kernel:
    """A loop in which the steps of formulas are values; equal ones are one."""
    if not any(v.op == "formula" for v in kernel.values):
        return kernel
    values: list[Value] = []
    known: dict[Any, Value] = {}
    numbers = itertools.count(-1, -1)  # those of the graph are not negative
    for v in kernel.values:
        if v.op == "formula":
            values += _steps(v, known, numbers)
        else:
            values.append(v)
    return Kernel(kernel.shape, values, kernel.inputs, kernel.outputs)


def _steps(v: Value, known: dict[Any, Value], numbers: Iterator[int]) -> Iterator[Value]:
    """The steps of a formula that are not known yet. The last one has the number of its value."""
    formula: Formula = v.attrs[0]
    constants = [
        Value("number", (), c.attrs, (), c.dtype, next(numbers)) for c in formula.constants
    ]
    places = [*constants, *v.args]
    last = len(places) + len(formula.steps) - 1
    for op, read in formula.steps:
        args = tuple([places[i] for i in read])
        key = op, *(a.attrs if a.op == "number" else a.number for a in args)
        step = known.get(key)
        if step is None or len(places) == last:
            n = v.number if len(places) == last else next(numbers)
            step = known[key] = Value(op, args, (), v.shape, v.dtype, n)
            yield step
        places.append(step)
