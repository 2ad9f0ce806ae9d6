"""Functions that run as they are inside a program."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_lstm.compiler.abstract import Abstract, Untraceable
from tinygrad_lstm.compiler.graph import Value
from tinygrad_lstm.engine.node import Node

__all__ = ["Call", "emptied"]

Array = NDArray[Any]


class Call:
    """A function that runs as it is, on the arrays that take the places of abstract ones. Calls of
    what this library or NumPy computes are equal where they do the same.

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
        self._key = (function, key_of(template)) if _is_library(function) else id(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Call) and other._key == self._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def name(self) -> str:
        return str(getattr(self.function, "__name__", self.function))

    def __call__(self, *arrays: Array) -> Any:
        args, kwargs = filled(self.template, arrays)
        return self.function(*args, **kwargs)


def _is_library(function: Any) -> bool:
    """Whether a function is this package's, NumPy's or an operator, which compute the same each
    time."""
    module = getattr(getattr(function, "forward", function), "__module__", None) or ""
    return module.split(".")[0] in ("tinygrad_lstm", "numpy", "_operator")


def key_of(tree: Any) -> Any:
    """What is equal for arguments that are the same in every bit."""
    if isinstance(tree, np.ndarray) and not tree.dtype.hasobject:
        return tree.shape, tree.dtype.str, tree.tobytes()
    if isinstance(tree, (float, complex, np.generic)):
        return type(tree), repr(tree)  # 0.0 is not -0.0
    if isinstance(tree, slice):
        return slice, key_of(tree.start), key_of(tree.stop), key_of(tree.step)
    if type(tree) in (tuple, list):
        return type(tree), *map(key_of, tree)
    if isinstance(tree, dict):
        return dict, *((name, key_of(x)) for name, x in tree.items())
    return type(tree), tree if isinstance(tree, Hashable) else id(tree)


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
