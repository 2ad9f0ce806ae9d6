"""Functions that run as they are inside a program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from tinygrad_lstm.compiler.abstract import Abstract, Untraceable
from tinygrad_lstm.compiler.graph import Value
from tinygrad_lstm.engine.node import Node

__all__ = ["Call", "emptied"]

Array = NDArray[Any]


class Call:
    """A function that runs as it is, on the arrays that take the places of abstract ones.

    Attributes
    ----------
    function : callable
    template : tuple
        Its arguments and keywords, with a `Slot` in the place of every array.
    """

    function: Callable[..., Any]
    template: Any

    def __init__(self, function: Callable[..., Any], template: Any) -> None:
        self.function, self.template = function, template

    @property
    def name(self) -> str:
        return str(getattr(self.function, "__name__", self.function))

    def __call__(self, *arrays: Array) -> Any:
        args, kwargs = filled(self.template, arrays)
        return self.function(*args, **kwargs)


@dataclass(frozen=True)
class Slot:
    """The place of an array among a call's arguments."""

    number: int


def emptied(tree: Any, values: list[Value]) -> Any:
    """`tree` with a `Slot` for every abstract array, whose values are added to `values`."""
    if isinstance(tree, Abstract):
        values.append(tree.value)
        return Slot(len(values) - 1)
    if isinstance(tree, Node):
        raise Untraceable("a Tensor is a parameter of a stage")
    if type(tree) in (tuple, list):
        return type(tree)(emptied(x, values) for x in tree)
    if isinstance(tree, dict):
        return {key: emptied(x, values) for key, x in tree.items()}
    return tree


def filled(tree: Any, arrays: tuple[Array, ...]) -> Any:
    """`tree` with arrays in its slots."""
    if isinstance(tree, Slot):
        return arrays[tree.number]
    if type(tree) in (tuple, list):
        return type(tree)(filled(x, arrays) for x in tree)
    if isinstance(tree, dict):
        return {key: filled(x, arrays) for key, x in tree.items()}
    return tree
