"""The order of work: stages, and in each the elementwise values that run as one loop.

Even stages hold kernels, odd ones the heavy work (products, reductions, calls) that reads what
kernels computed. Elementwise work is done as late as possible: what backward alone needs is then
computed in backward, and need not be kept.
"""

from __future__ import annotations

import heapq
from array import array
from collections import defaultdict
from dataclasses import dataclass
from typing import TypeAlias

from tinygrad_lstm.compiler.graph import Readers, Shape, Value, numbers
from tinygrad_lstm.compiler.operations import ELEMENTWISE, LEAVES, VIEWS

__all__ = ["Kernel", "Schedule", "Stages", "stages"]

NEVER = 10**9
JOINED = {*VIEWS, "concatenate"}  # no work of their own: they are where their arguments are
Stages: TypeAlias = "array[int]"  # by the number of a value


@dataclass(slots=True)
class Kernel:
    """Elementwise values of one shape and stage: one loop.

    Attributes
    ----------
    shape : tuple of int
    values : list of Value
        What is computed, in order.
    inputs : list of Value
        What is read from memory; numbers are part of the code.
    outputs : list of Value
        Which of the values somebody else reads.
    """

    shape: Shape
    values: list[Value]
    inputs: list[Value]
    outputs: list[Value]


class Schedule:
    """When each value of a graph is computed.

    Attributes
    ----------
    order : list of Value
    readers : Readers
        Of all values; gone once the program is planned.
    stage : array of int
        By number: the stage in which a value is there; gone once the program is planned.
    numbers : int
        More than the number of any value.
    kernels : list of (int, Kernel)
        In the order of their stages.
    """

    order: list[Value]
    readers: Readers
    end: int
    kernels: list[tuple[int, Kernel]]
    numbers: int

    def __init__(self, roots: list[Value], order: list[Value]) -> None:
        self.roots = roots
        self.readers = Readers(order, roots)
        self.numbers = numbers(order)
        self.order = as_recorded(order, self.readers, self.numbers)
        early = self._early()
        self.end = max(early) // 2 * 2 + 2
        self._delay_ends(early)
        late = self._late(early)
        self.stage = late
        for v in self.order:
            if v.op in ELEMENTWISE:
                self.stage[v.number] -= late[v.number] % 2
            elif v.op in JOINED:
                self.stage[v.number] = max([self.stage[a.number] for a in v.args])
            else:
                self.stage[v.number] = early[v.number]
        self.kernels = self._kernels()

    def _early(self) -> Stages:
        """The first stage at which each value can be there."""
        early = stages(self.numbers)
        kernel = early[:]  # from when on a kernel of another shape can read it,
        heavy = early[:]  # and heavy work
        for v in self.order:
            n = v.number
            if v.op in LEAVES:
                early[n], kernel[n], heavy[n] = -1, 0, 1
            elif v.op in ELEMENTWISE:
                here = 0
                for a in v.args:
                    when = early[a.number] if fuses(a, v) else kernel[a.number]
                    if when > here:
                        here = when
                early[n], kernel[n], heavy[n] = here, here + 2, here + 1
            elif v.op in JOINED:
                early[n] = max([early[a.number] for a in v.args])
                kernel[n] = max([kernel[a.number] for a in v.args])
                heavy[n] = max([heavy[a.number] for a in v.args])
            else:
                here = max([heavy[a.number] for a in v.args], default=1)
                early[n], kernel[n], heavy[n] = here, here + 1, here + 2
        return early

    def _delay_ends(self, early: Stages) -> None:
        """Heavy work that only the results need is done last, so that what it reads may be
        computed late too."""
        ends: set[Value] = set()
        for v in reversed(self.order):
            read = self.readers[v.number]
            if v.op in ELEMENTWISE and any(u is not None for u in read):
                continue
            if all(u is None or u in ends for u in read):
                ends.add(v)
        last: dict[int, int] = {}
        for v in self.order:
            if v in ends:
                last[v.number] = max([last.get(a.number, 0) for a in v.args], default=0)
                if is_heavy(v):
                    early[v.number] = max(self.end + 1, last[v.number] + 2)
                    last[v.number] = early[v.number]

    def _late(self, early: Stages) -> Stages:
        """The last stage at which each value may be there, for those who read it."""
        late = stages(self.numbers)
        top = max(self.end, max(early)) // 2 * 2 + 2
        for v in reversed(self.order):
            here = top
            for u in self.readers[v.number]:
                if u is None:
                    continue
                if u.op in ELEMENTWISE:
                    limit = late[u.number] if fuses(v, u) else late[u.number] - 2
                elif u.op in JOINED:
                    limit = late[u.number]
                else:
                    limit = early[u.number] - 1
                if limit < here:
                    here = limit
            late[v.number] = here
        return late

    def _kernels(self) -> list[tuple[int, Kernel]]:
        groups: dict[tuple[int, Shape], list[Value]] = defaultdict(list)
        for v in self.order:
            if v.op in ELEMENTWISE:
                groups[self.stage[v.number], v.shape].append(v)
        found = [(stage, self._kernel(shape, group)) for (stage, shape), group in groups.items()]
        return sorted(found, key=lambda pair: pair[0])

    def _kernel(self, shape: Shape, values: list[Value]) -> Kernel:
        inside = {v.number for v in values}
        inputs = {
            a.number: a
            for v in values
            for a in v.args
            if a.number not in inside and a.op != "number"
        }
        outputs = [
            v
            for v in values
            if any(u is None or u.number not in inside for u in self.readers[v.number])
        ]
        return Kernel(shape, values, list(inputs.values()), outputs)


def stages(count: int) -> Stages:
    """A stage for each number, the first as yet. Numbers in a list would be objects."""
    return array("i", bytes(4 * count))


def as_recorded(order: list[Value], read: Readers, count: int) -> list[Value]:
    """The order in which values were recorded, as far as passes have left it: what a block reads is
    read before it is written over there."""
    found: list[Value] = []
    numbered: dict[int, Value] = {}  # what is ready
    waiting = [0] * count  # for so many arguments
    for v in order:
        waiting[v.number] = len(v.args)
        if not v.args:
            numbered[v.number] = v
    ready = list(numbered)
    heapq.heapify(ready)
    while ready:
        n = heapq.heappop(ready)
        found.append(numbered.pop(n))
        for u in read[n]:
            if u is not None:
                waiting[u.number] -= 1
                if not waiting[u.number]:
                    numbered[u.number] = u
                    heapq.heappush(ready, u.number)
    return found


def is_elementwise(v: Value) -> bool:
    """Whether a value is computed in a kernel."""
    return v.op in ELEMENTWISE


def is_heavy(v: Value) -> bool:
    """Whether a value takes work of its own."""
    return not (v.op in ELEMENTWISE or v.op in JOINED or v.op in LEAVES)


def fuses(a: Value, v: Value) -> bool:
    """Whether `v` can read `a` inside one kernel."""
    return a.op in ELEMENTWISE and a.shape == v.shape
