"""Checkpoints taken apart: a graph in which the stages inside of them stand in their place."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from tinygrad_lstm.derivation.rewired import moved, rewired
from tinygrad_lstm.engine.names import canonical, joined, spelled
from tinygrad_lstm.engine.naming import Naming
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.state import Place
from tinygrad_lstm.engine.tape import ancestors
from tinygrad_lstm.tensor.checkpoint import Part

__all__ = ["Inside", "Opened"]


class Inside(Place):
    """Where a stage inside of a checkpoint was recorded. The tape of the loss has no such value."""


class Opened:
    """A graph without checkpoints. Their functions run again, as they do in backward.

    What is on the tape keeps its name, the value of a checkpoint too. What is inside of one is
    numbered behind it if it has no name, and shown in a scope if the tape has a value of its name.

    Parameters
    ----------
    root : Tensor
        The last value of the graph.
    """

    def __init__(self, root: Any) -> None:
        self._values: dict[Any, Any] = {}
        nodes = ancestors(root)
        if any(map(_part, nodes)):
            self._names, self._scope = Naming(nodes, root), ""
            self._leaves = set(self._names.leaves)
            for node in nodes:
                name: Any = self._names.of(node)
                self._scope = name.stem
                self._stage(node, node._order, node._place, 1)
                if _part(node):
                    last = self.of(node)
                    last._place, last._label = node._place, node._label or name.stem

    def of(self, x: Any) -> Any:
        """What stands for a value; itself, where nothing behind it is a checkpoint."""
        return self._values.get(x, x) if isinstance(x, Node) else x

    def _stage(self, node: Any, order: Any, place: Place, width: Any) -> None:
        """Put a stage into the graph, or those of a checkpoint: none other has an order from
        ``order - width`` to `order`."""
        part = _part(node)
        if part:
            self._open(node, part, order, place, width)
            return
        if isinstance(place, Inside):
            place = self._apart(place, node._label)
            for x in node._inputs:
                self._leaf(x)
        inputs = tuple(map(self.of, node._inputs))
        if place is not node._place or any(
            a is not b for a, b in zip(inputs, node._inputs, strict=True)
        ):
            new = rewired(node, inputs, 0)
            new._order, new._place = order, place
            self._values[node] = new

    def _leaf(self, x: Any) -> None:
        """Put a leaf that only a checkpoint reads into the graph, if the tape has another value of
        its name."""
        if isinstance(x, Node) and x._op is None and x not in self._leaves:
            place = self._apart(x._place, x._label)
            if place is not x._place and x not in self._values:
                self._values[x] = moved(x, 0)
                self._values[x]._place = place

    def _apart(self, place: Place, label: str | None) -> Place:
        """A place in which a name is none of the tape."""
        if label is None:
            return place
        name = canonical(spelled(label, place.block, place.scope))
        if name not in self._names.by_text:
            return place
        return place._replace(scope=joined(place.scope, self._scope))

    def _open(self, node: Any, part: Part, order: Any, place: Place, width: Any) -> None:
        """Put the stages of a checkpoint into its place, in blocks of their own or in that of the
        checkpoint."""
        value, inside = part.again(node._array)
        starts = [each._place.start for each in inside if each._place.block is not None]
        base = min([inside[0]._order - 1, *starts])
        step = width * Fraction(1, value._order - base)

        def within(number: Any) -> Any:
            return order - step * (value._order - number)

        for each in inside:
            own = each._place
            block, start = place.block, within(base + Fraction(1, 2))  # behind that of the block
            scope = joined(place.scope, own.scope) if own.scope else place.scope
            if own.block is not None:
                block, start = own.block, within(own.start)
            inner = Inside(block, scope, start)
            self._stage(each, within(each._order), inner, step)
        last = self.of(value)
        last._label = node._label or last._label
        last._hooks = node._hooks or last._hooks
        self._values[node] = last


def _part(node: Any) -> Part | None:
    """What a checkpoint runs; None for any other stage."""
    part = node._params.get("part")
    return part if isinstance(part, Part) else None
