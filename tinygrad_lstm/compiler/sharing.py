"""Who can live where another value has been: products of which every part is read once.

The sums of all blocks come from one product, and each part of it is read by one loop. From then on
its place is free: what that loop computes entry by entry may live there, and so may a stack of the
same shape (of gradients, say) whose parts come later still. A loop reads each entry before it
writes to its place.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection
from dataclasses import dataclass
from operator import itemgetter

from tinygrad_lstm.compiler.graph import Value
from tinygrad_lstm.compiler.operations import accumulates
from tinygrad_lstm.compiler.passes.shared import disjoint
from tinygrad_lstm.compiler.schedule import NEVER, Kernel, Schedule, Stages, is_elementwise
from tinygrad_lstm.compiler.strides import moved

__all__ = ["Region", "Sharing", "written"]

Bounds = tuple[tuple[int, int], ...]


@dataclass(slots=True)
class Region:
    """A part of a product that is read once.

    Attributes
    ----------
    cut : Value
        The part, or the product that is computed into its place.
    free : int
        The stage in which it is read.
    until : int
        The stage in which something else is written there.
    """

    cut: Value
    free: int
    until: int = NEVER


class Sharing:
    """The regions of a schedule.

    Parameters
    ----------
    schedule : Schedule
    last : array of int
        By number: the last stage in which each value is read.
    """

    def __init__(self, schedule: Schedule, last: Stages) -> None:
        self.schedule, self._last = schedule, last
        self._regions: dict[int, dict[Bounds, Region]] = {}
        self._of_cut: dict[int, Region] = {}
        self._products: list[Value] = []
        for v in schedule.order:
            if v.op == "matmul":
                self._divide(v)

    def _divide(self, v: Value) -> None:
        """Note the parts of a product, if they lie on a grid and each is read once."""
        cuts = self.schedule.readers[v.number]
        found: dict[Bounds, Region] = {}
        for cut in cuts:
            if cut is None or cut.op != "cut" or cut.attrs in found:
                return
            part, reader = self._only_reader(cut)
            if reader is not None and accumulates(reader, part):
                part, reader = self._only_reader(reader)
            if reader is None or not is_elementwise(reader) or reader.shape != cut.shape:
                return
            found[cut.attrs] = Region(part, self.schedule.stage[reader.number])
        if len(found) > 1 and all(disjoint(b[i] for b in found) for i in range(v.ndim)):
            self._products.append(v)
            self._regions[v.number] = found
            self._of_cut |= {region.cut.number: region for region in found.values()}

    def _only_reader(self, v: Value) -> tuple[Value, Value | None]:
        """A value, and who reads it, if that is one value."""
        read = self.schedule.readers[v.number]
        return v, read[0] if len(read) == 1 else None

    def partner(self, stack: Value, homes: Collection[int]) -> Value | None:
        """A product whose place a stack can take, part by part; it is taken then. Neither may have
        one of the `homes` yet."""
        parts = dict(_parts(stack, tuple([(0, n) for n in stack.shape])))
        if any(p.number in homes or not (is_elementwise(p) or moved(p)) for p in parts.values()):
            return None
        for v in self._products:
            if v.dtype == stack.dtype and v.shape == stack.shape and v.number not in homes:
                until = self._taken(self._regions[v.number], parts)
                if until is not None:
                    for region, when in until:
                        region.until = min(region.until, when)
                    self._products.remove(v)
                    return v
        return None

    def _taken(
        self, regions: dict[Bounds, Region], parts: dict[Bounds, Value]
    ) -> list[tuple[Region, int]] | None:
        """When each region is written to, if every part of a stack lies in one that is free then. A
        loop that reads a region and computes just that may write there at once."""
        axes = [sorted(set(b)) for b in zip(*regions, strict=True)]
        found = []
        for bounds, part in parts.items():
            around = tuple([_around(b, axis) for b, axis in zip(bounds, axes, strict=True)])
            region = regions.get(around)  # type: ignore[arg-type]
            when = self.schedule.stage[part.number]
            if region is None or region.free > when - (around != bounds):
                return None
            found.append((region, when))
        return found

    def lodger(self, v: Value, loop: Kernel) -> Region | None:
        """The part among the inputs of a loop in whose place an output `v` of it can live; it is
        taken then."""
        cuts = {a.number for a in loop.inputs if self._lent(a)}
        depends = _depends(v, cuts, loop.values) if cuts else cuts
        if len(depends) != 1:
            return None
        region = self._of_cut[depends.pop()]
        if region.cut.shape != v.shape or region.cut.dtype != v.dtype:
            return None
        if not self._gone(v, region.until):
            return None
        del self._of_cut[region.cut.number]
        return region

    def _lent(self, cut: Value) -> bool:
        """Whether a part is free, and belongs to a product whose place a stack will take."""
        region = self._of_cut.get(cut.number)
        return region is not None and region.until < NEVER

    def _gone(self, v: Value, until: int) -> bool:
        """Whether nobody reads `v` when its place is written to, but the loop that does so."""
        if until <= self.schedule.stage[v.number]:
            return False
        for u in self.schedule.readers[v.number]:
            if u is None:
                return False
            if is_elementwise(u) and u.shape == v.shape:
                if self.schedule.stage[u.number] > until:
                    return False
            elif max(self._last[u.number], self.schedule.stage[u.number]) >= until:
                return False
        return True


def written(v: Value, stage: Stages) -> int:
    """The first stage in which something is written to the place of a value."""
    if v.op == "concatenate":
        return min([written(part, stage) for part in v.args])
    if v.op == "matmul" and accumulates(v, v.args[-1]):
        return written(v.args[-1], stage)
    return stage[v.number]


def _around(inner: tuple[int, int], intervals: list[tuple[int, int]]) -> tuple[int, int] | None:
    """The one of some intervals, in order, in which another lies."""
    at = bisect_right(intervals, inner[0], key=itemgetter(0)) - 1
    return intervals[at] if at >= 0 and inner[1] <= intervals[at][1] else None


def _parts(v: Value, bounds: Bounds) -> list[tuple[Bounds, Value]]:
    """What a stack consists of, with its place in it."""
    if v.op != "concatenate":
        return [(bounds, v)]
    (axis,) = v.attrs
    found: list[tuple[Bounds, Value]] = []
    at = bounds[axis][0]
    for part in v.args:
        stop = at + part.shape[axis]
        found += _parts(part, (*bounds[:axis], (at, stop), *bounds[axis + 1 :]))
        at = stop
    return found


def _depends(v: Value, cuts: set[int], values: list[Value]) -> set[int]:
    """Which of `cuts` a value of a loop is computed from."""
    inside = {u.number for u in values}
    found: set[int] = set()
    seen: set[int] = set()
    waiting = [v]
    while waiting:
        for a in waiting.pop().args:
            if a.number in cuts:
                found.add(a.number)
            elif a.number in inside and a.number not in seen:
                seen.add(a.number)
                waiting.append(a)
    return found
