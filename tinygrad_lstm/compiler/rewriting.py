"""Going through a graph and putting other values in the places of some.

What reads them is made again, and where that is the same value with other arguments it goes no
further. The order of the values comes out of the walk.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from tinygrad_lstm.compiler.construct import Builder
from tinygrad_lstm.compiler.graph import Value

__all__ = ["Walk", "rewrite"]

Make = Callable[[Value, tuple[Value, ...]], Value]
Rule = Callable[[Value, tuple[Value, ...]], "Value | None"]


class Walk:
    """Meets the values of a graph one after the other, and notes what takes their places.

    Parameters
    ----------
    build : Builder
    make : callable, optional
        Makes a value again whose arguments have changed; ``build.updated`` by default.

    Attributes
    ----------
    new : dict
        What has taken the place of a value.
    """

    def __init__(self, build: Builder, make: Make | None = None) -> None:
        self.new: dict[Value, Value] = {}
        self._graph, self._make = build.graph, make or build.updated
        self._order: list[Value] = []
        self._placed = build.graph.marks()
        self._fresh = build.graph.fresh()
        self._right = True  # whether nothing is read before its place in the order
        self._untouched = self.new.keys().isdisjoint

    def met(self, v: Value) -> bool:
        """Whether the walk has come by a value."""
        return bool(self._placed[v.number]) or v in self.new

    def args(self, v: Value) -> tuple[Value, ...]:
        """What a value reads now."""
        if self._untouched(v.args):
            return v.args
        return tuple([self.new.get(a, a) for a in v.args])

    def put(self, v: Value, found: Value) -> None:
        """Let `found` take the place of `v`."""
        for value in self._fresh:
            self._place(value)
        self._fresh.clear()
        if found is v:
            self._place(v)
        else:
            self.new[v] = found

    def _place(self, v: Value) -> None:
        placed = self._placed
        if v.number >= len(placed):  # it is new, and so are some that follow
            placed.extend(bytes(v.number))
        self._right = self._right and all(placed[a.number] for a in v.args)
        placed[v.number] = True
        self._order.append(v)

    def update(self, v: Value) -> None:
        """Make `v` again, where something has taken the place of what it reads."""
        if self._untouched(v.args):
            self._placed[v.number] = True
            self._order.append(v)
        else:
            self.put(v, self._make(v, self.args(v)))

    def through(self, values: Iterable[Value], ops: Collection[str], rule: Rule) -> None:
        """Update values, in order, or put in the places of those of the operations `ops` what
        ``rule(value, arguments)`` finds."""
        untouched, placed, order = self._untouched, self._placed, self._order.append
        for v in values:
            found = rule(v, self.args(v)) if v.op in ops else None
            if found is not None:
                self.put(v, found)
            elif untouched(v.args):  # most are, and a call of `update` takes as long as this
                placed[v.number] = True
                order(v)
            else:
                self.update(v)

    def end(self, roots: list[Value]) -> list[Value]:
        """The roots now."""
        roots = [self.new.get(root, root) for root in roots]
        right = self._right and all(self._placed[root.number] for root in roots)
        self._graph.ordered(roots, self._order if right else None)
        return roots


def rewrite(
    build: Builder,
    roots: list[Value],
    order: list[Value],
    ops: Collection[str],
    rule: Rule,
    make: Make | None = None,
) -> list[Value]:
    """The roots of a graph in which every value of the operations `ops` has been offered to `rule`.

    ``rule(value, arguments)`` gets a value with its new arguments and returns what takes its place,
    or None. `order` is that of `in_order`, `make` as of `Walk`.
    """
    walk = Walk(build, make)
    walk.through(order, ops, rule)
    return walk.end(roots)
