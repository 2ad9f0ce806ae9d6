"""Graphs that are made of the stages of another one, with other inputs."""

from __future__ import annotations

from typing import Any

from tinygrad_lstm.engine.names import Name
from tinygrad_lstm.engine.node import Node

__all__ = ["moved", "rewired"]


def rewired(node: Any, inputs: tuple[Any, ...], blocks: int) -> Any:
    """The stage of `node` with other inputs, some blocks later; its value stays."""
    values = tuple(
        value if new is old else new._kept() if isinstance(new, Node) else new
        for value, new, old in zip(node._values, inputs, node._inputs, strict=True)
    )
    new = node._computed(node._array, node._op, inputs, values, node._params)
    new._order, new._hooks = node._order, node._hooks
    return _placed(new, node, blocks)


def moved(leaf: Any, blocks: int) -> Any:
    """A leaf with the same value, some blocks later."""
    new = leaf._leaf(leaf._kept())
    new._requires_grad, new._hooks = leaf._requires_grad, leaf._hooks
    return _placed(new, leaf, blocks)


def _placed(new: Any, old: Any, blocks: int) -> Any:
    place, label = old._place, old._label
    new._place = place if place.block is None else place._replace(block=place.block + blocks)
    new._label = None if label is None else str(Name.parse(label).shifted(blocks))
    return new
