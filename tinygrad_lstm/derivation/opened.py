"""Checkpoints taken apart: a graph in which the stages inside of them stand in their place."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from tinygrad_lstm.derivation.rewired import rewired
from tinygrad_lstm.engine.names import joined
from tinygrad_lstm.engine.naming import Naming
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.recorder import Place
from tinygrad_lstm.engine.tape import ancestors
from tinygrad_lstm.tensor.checkpoint import Part

__all__ = ["Inside", "Opened"]


class Inside(Place):
    """Where a stage inside of a checkpoint was recorded. The tape of the loss has no such value."""


class Opened:
    """A graph without checkpoints. Their functions run again, as they do in backward.

    What is on the tape keeps its name, the value of a checkpoint too; stages without a name inside
    of checkpoints are numbered behind those of the tape.

    Parameters
    ----------
    root : Tensor
        The last value of the graph.
    """

    def __init__(self, root: Any) -> None:
        self._values: dict[int, Any] = {}
        self._kept = root  # an id is that of a living node
        nodes = ancestors(root)
        if any(isinstance(node._params.get("part"), Part) for node in nodes):
            names = Naming(nodes, root)
            for node in nodes:
                self._stage(node, node._order, node._place, 1)
                if isinstance(node._params.get("part"), Part):
                    last, name = self.of(node), names.of(node)
                    last._place, last._label = node._place, node._label or (name and name.stem)

    def of(self, x: Any) -> Any:
        """What stands for a value; itself, where nothing behind it is a checkpoint."""
        return self._values.get(id(x), x) if isinstance(x, Node) else x

    def _stage(self, node: Any, order: Any, place: Place, width: Any) -> None:
        """Put a stage into the graph, or those of a checkpoint: none other has an order from
        ``order - width`` to `order`."""
        part = node._params.get("part")
        if isinstance(part, Part):
            self._open(node, part, order, place, width)
            return
        inputs = tuple(map(self.of, node._inputs))
        if place is not node._place or any(
            a is not b for a, b in zip(inputs, node._inputs, strict=True)
        ):
            new = rewired(node, inputs, 0)
            new._order, new._place = order, place
            self._values[id(node)] = new

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
            if own.block is not None:
                block, start = own.block, within(own.start)
            inner = Inside(block, joined(place.scope, own.scope), start)
            self._stage(each, within(each._order), inner, step)
        last = self.of(value)
        last._label = node._label or last._label
        last._hooks = node._hooks or last._hooks
        self._values[id(node)] = last
