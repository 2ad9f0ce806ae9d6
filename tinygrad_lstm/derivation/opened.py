"""Checkpoints taken apart: a graph in which the stages inside of them stand in their place."""

from __future__ import annotations

from typing import Any

from tinygrad_lstm.derivation.rewired import rewired
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.recorder import next_order
from tinygrad_lstm.engine.tape import ancestors
from tinygrad_lstm.tensor.checkpoint import Part

__all__ = ["Opened"]


class Opened:
    """A graph without checkpoints. Their functions run again, as they do in backward.

    Parameters
    ----------
    root : Tensor
        The last value of the graph.
    """

    def __init__(self, root: Any) -> None:
        self._values: dict[int, Any] = {}
        self._starts: dict[Any, int] = {}
        self._kept = root  # an id is that of a living node
        nodes = ancestors(root)
        if any(isinstance(node._params.get("part"), Part) for node in nodes):
            for node in nodes:
                self._stage(node, node._place)

    def of(self, x: Any) -> Any:
        """What stands for a value; itself, where nothing behind it is a checkpoint."""
        return self._values.get(id(x), x) if isinstance(x, Node) else x

    def _stage(self, node: Any, place: Any) -> None:
        part = node._params.get("part")
        if isinstance(part, Part):
            self._open(node, part, place)
            return
        inputs = tuple(map(self.of, node._inputs))
        if any(a is not b for a, b in zip(inputs, node._inputs, strict=True)) or (
            place is not node._place
        ):
            self._values[id(node)] = self._put(rewired(node, inputs, 0), place)

    def _open(self, node: Any, part: Part, place: Any) -> None:
        """Put the stages of a checkpoint into its place, the last one under its name."""
        value, inside = part.again(node._array)
        for each in inside:  # in blocks of their own, or in that of the checkpoint
            self._stage(each, place if each._place.block is None else each._place)
        last = self.of(value)
        if last is value:
            last = self._put(rewired(value, value._inputs, 0), place)
        last._label = node._label or last._label
        last._hooks = node._hooks or last._hooks
        self._values[id(node)] = last

    def _put(self, node: Any, place: Any) -> Any:
        """A stage behind all that have been put, and numbered among those of its block."""
        node._order = next_order()
        start = self._starts.setdefault((place.block, place.scope, place.start), node._order - 1)
        node._place = place._replace(start=start)
        return node
