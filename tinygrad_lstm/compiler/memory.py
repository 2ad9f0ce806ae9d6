"""The memory plan: one arena, and where in it each value lives.

A concatenation owns its parts: they are computed where it needs them, so that joining costs
nothing. What is read no more gives its place to the next value of its size, or to one of the same
shape that is computed from it (`sharing`).
"""

from __future__ import annotations

import functools
import heapq
from collections import defaultdict
from typing import Any

from tinygrad_lstm.compiler.graph import Value
from tinygrad_lstm.compiler.holes import Holes, whole
from tinygrad_lstm.compiler.operations import ELEMENTWISE, LEAVES, VIEWS, accumulates
from tinygrad_lstm.compiler.schedule import NEVER, Kernel, Schedule, Stages, is_heavy, stages
from tinygrad_lstm.compiler.sharing import Sharing, written
from tinygrad_lstm.compiler.strides import contiguous, moved, repeated, reshaped
from tinygrad_lstm.compiler.views import Copy, Place, View

__all__ = ["Memory"]

RESULTS = 64  # places of results that are looked at for others that may live there before


class Memory:
    """Where the values of a schedule live.

    Attributes
    ----------
    size : int
        Bytes of the arena.
    homes : dict of Place
        By number: where a value lives that is no view of another.
    copies : list of (stage, place in the order, Copy)
        What is copied, and when.
    results : dict
        By dtype: the first and the last byte of the memory where results lie, and nothing else.
    apart : list of Value
        Results that lie elsewhere.
    """

    size: int

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.size = 0
        self.homes: dict[int, Place] = {}
        self.copies: list[tuple[float, int, Copy]] = []
        self._dense = functools.cache(contiguous)  # strides, each once
        self._rank = stages(schedule.numbers)
        for i, v in enumerate(schedule.order):
            self._rank[v.number] = i
        self._last = self._last_uses()
        self._sharing = Sharing(schedule, self._last)
        self._holes = Holes()
        self._results = Holes(RESULTS)  # their places, until they are written to
        self._taken: set[int] = set()  # whose places others have now
        self.results: dict[Any, tuple[int, int]] = {}
        self.apart: list[Value] = []
        self._place_results()
        self._join()
        self._give_homes()
        del self._dense, self._rank, self._last, self._sharing  # nobody asks any more
        del self._holes, self._results, self._taken

    def where(self, v: Value) -> Place:
        """Where a value lies."""
        found = self._find(v)
        assert found is not None, v
        return found

    def _find(self, v: Value) -> Place | None:
        home = self.homes.get(v.number)
        if home is not None or v.op not in VIEWS or (v.op == "reshape" and moved(v)):
            return home
        (x,) = v.args
        inner = self._find(x)
        if inner is None:
            return None
        if v.op == "cut":
            starts = (start for start, _ in v.attrs)
            skipped = sum(s * n for s, n in zip(starts, inner.strides, strict=True))
            return Place(inner.offset + skipped * v.dtype.itemsize, inner.strides)
        if v.op == "transpose":
            return Place(inner.offset, tuple([inner.strides[i] for i in v.attrs[0]]))
        if v.op == "broadcast":
            return Place(inner.offset, repeated(inner.strides, x.shape, v.shape))
        strides = reshaped(x.shape, inner.strides, v.shape)
        return None if strides is None else Place(inner.offset, strides)

    def view(self, v: Value, place: Place | None = None) -> View:
        """A value's memory as an array."""
        if not v.size:
            return View(0, v.shape, (0,) * v.ndim, v.dtype)
        place = place or self.where(v)
        strides = tuple([s * v.dtype.itemsize for s in place.strides])
        return View(place.offset, v.shape, strides, v.dtype)

    def _last_uses(self) -> Stages:
        """The last stage in which each value is read, through views and concatenations."""
        last = stages(self.schedule.numbers)
        stage = self.schedule.stage
        for v in reversed(self.schedule.order):
            end = stage[v.number]
            for u in self.schedule.readers[v.number]:
                if u is None:
                    read = NEVER
                elif u.op in ELEMENTWISE or self._works(u, v):
                    read = stage[u.number]
                else:
                    read = last[u.number]
                if read > end:
                    end = read
            last[v.number] = end
        return last

    def _works(self, u: Value, v: Value) -> bool:
        """Whether a reader of `v` needs it for work of its own, and not for longer."""
        return moved(u) if u.op == "reshape" else is_heavy(u) and not accumulates(u, v)

    def _new(self, v: Value) -> Place:
        place = Place(self.size, self._dense(v.shape))
        self.size += whole(v.size * v.dtype.itemsize)
        return place

    def _place_results(self) -> None:
        """What results are, or are parts of, lies together."""
        bases = {}
        for root in self.schedule.roots:
            base = root
            while base.op in VIEWS:
                (base,) = base.args
            bases[base.number] = base
        for v in sorted(bases.values(), key=lambda v: v.dtype.str):
            if v.op in LEAVES or v.number in self.homes:
                self.apart.append(v)
                continue
            start, _ = self.results.get(v.dtype, (self.size, 0))
            place, size = self._new(v), v.size * v.dtype.itemsize
            self._put(v, place, v)
            self.results[v.dtype] = start, self.size
            if size == whole(size):  # beside it nothing else may be left
                self._results.add(place.offset, size, -1, written(v, self.schedule.stage))

    def _join(self) -> None:
        """Concatenations first, the outermost first: their parts are computed in place. Those of
        values that are there for a while wait for their turn."""
        for v in reversed(self.schedule.order):
            if v.op == "concatenate" and v.number not in self.homes and not self._passes(v):
                place = self._new(v)
                product = self._sharing.partner(v, self.homes)
                if product is not None:
                    self.homes[product.number] = place
                self._put(v, place, v)

    def _passes(self, v: Value) -> bool:
        """Whether a concatenation is of what loops compute for it, and read in another shape."""
        return all(p.op in ELEMENTWISE and p.number not in self.homes for p in v.args) and all(
            u is not None and u.op == "reshape" for u in self.schedule.readers[v.number]
        )

    def _put(self, v: Value, place: Place, whole: Value) -> None:
        """Let `v` live in a part of `whole`, or be copied there."""
        if v.op == "reshape" and v.args[0].op in LEAVES:
            strides = reshaped(v.shape, place.strides, v.args[0].shape)
            if strides is not None and v.args[0].number not in self.homes:
                self.homes[v.args[0].number] = Place(place.offset, strides)
                return
        if v.number not in self.homes and moved(v) and self._move(v, place):
            self.homes[v.number] = place
            return
        if v.number in self.homes or v.op in VIEWS or v.op == "number":
            self._copy(v, place, whole)
            return
        self.homes[v.number] = place
        if v.op == "concatenate":
            (axis,) = v.attrs
            at = 0
            for part in v.args:
                inside = at * place.strides[axis] * v.dtype.itemsize
                self._put(part, Place(place.offset + inside, place.strides), v)
                at += part.shape[axis]

    def _copy(self, source: Value, place: Place, into: Value) -> None:
        when = self.schedule.stage[source.number] + 0.5
        self.copies.append((when, self._rank[into.number], Copy(source, place)))

    def _move(self, v: Value, place: Place) -> bool:
        """Copy the entries of a value in another shape to a place, if that can have the shape."""
        (source,) = v.args
        strides = reshaped(v.shape, place.strides, source.shape)
        if strides is not None:
            self._copy(source, Place(place.offset, strides), v)
        return strides is not None

    def _give_homes(self) -> None:
        """Places for what remains, which are given again once their value is read no more. Values
        whose entries are wanted in a shape that their place cannot have are copied."""
        free: dict[int, list[int]] = defaultdict(list)
        ends: list[tuple[int, int, int, int]] = []  # a heap: when, who, the size, where
        stage = self.schedule.stage
        born: dict[int, list[Value]] = defaultdict(list)
        loops: dict[int, Kernel] = {}
        for _, kernel in self.schedule.kernels:
            for v in kernel.outputs:
                born[stage[v.number]].append(v)
                loops[v.number] = kernel
        for v in self.schedule.order:
            if is_heavy(v) or v.op == "reshape":
                born[stage[v.number]].append(v)
            elif v.op in LEAVES and v.number not in self.homes:
                self.homes[v.number] = self._new(v)
            elif v.op == "concatenate" and v.number not in self.homes:
                born[min(stage[p.number] for p in v.args)].insert(0, v)
        for now in sorted(born):
            while ends and ends[0][0] < now:
                _, _, size, offset = heapq.heappop(ends)
                free[size].append(offset)
            for v in born[now]:
                if self._find(v) is not None or self._lodge(v, loops.get(v.number)):
                    continue
                if v.op == "matmul" and accumulates(v, v.args[-1]):
                    self.homes[v.number] = self.where(v.args[-1])
                    continue
                size = v.size * v.dtype.itemsize
                waiting = free[size]
                if not waiting and self._fill(v, now):
                    continue
                place = Place(waiting.pop(), self._dense(v.shape)) if waiting else self._new(v)
                if v.op == "concatenate":
                    self._put(v, place, v)
                    self._last[v.number] = max(self._last[p.number] for p in (v, *v.args))
                elif v.op == "reshape":  # no view
                    self._move(v, place)
                self.homes[v.number] = place
                if self._last[v.number] < NEVER:
                    heapq.heappush(ends, (self._last[v.number], v.number, size, place.offset))

    def _fill(self, v: Value, now: int) -> bool:
        """Let a value that is computed by itself live in a hole."""
        if v.op in ("concatenate", "reshape"):
            return False
        size, last = v.size * v.dtype.itemsize, self._last[v.number]
        offset = self._results.take(size, now, last)
        if offset is None:
            offset = self._holes.take(size, now, last)
        if offset is not None:
            self.homes[v.number] = Place(offset, self._dense(v.shape))
        return offset is not None

    def _lodge(self, v: Value, loop: Kernel | None) -> bool:
        """Let an output of a loop live where one of its inputs was read for the last time."""
        if loop is None:
            return False
        region = self._sharing.lodger(v, loop)
        if region is not None:
            place = self.homes[v.number] = self.where(region.cut)
            if place.strides == self._dense(v.shape):
                size = v.size * v.dtype.itemsize
                self._holes.add(place.offset, size, self._last[v.number], region.until)
            return True
        spent = next((a for a in loop.inputs if self._spent(a, v, loop)), None)
        if spent is not None:
            self.homes[v.number] = self.where(spent)
        return spent is not None

    def _spent(self, a: Value, v: Value, loop: Kernel) -> bool:
        """Whether a loop is the last to read what is read afresh at each call, where its output `v`
        could be."""
        base = a.args[0] if a.op == "reshape" else a
        if base.op not in ("input", "draw") or (a.shape, a.dtype) != (v.shape, v.dtype):
            return False
        if base.number in self._taken or not self._last_reader(base, loop):
            return False
        self._taken.add(base.number)
        return True

    def _last_reader(self, base: Value, loop: Kernel) -> bool:
        """Whether all others read a value, or views of it, before a loop runs."""
        stage, now = self.schedule.stage, self.schedule.stage[loop.values[0].number]
        until: set[Value] = set()
        for when, kernel in self.schedule.kernels:
            until.update(kernel.values if when == now else ())
            if kernel is loop:
                break
        waiting = [base]
        while waiting:
            for u in self.schedule.readers[waiting.pop().number]:
                if u is None or u.op == "concatenate":
                    return False
                if u.op in VIEWS and not moved(u):
                    waiting.append(u)
                elif u not in until and stage[u.number] >= now:
                    return False
        return True
