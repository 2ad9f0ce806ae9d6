"""What of a call's arguments decides which program fits: arrays and Tensors anywhere in lists,
tuples and dictionaries count by shape and dtype, all else by what it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.recorder import recorder
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["flattened", "mapped", "signature"]


def dynamic(x: Any) -> bool:
    """Whether an argument is read afresh at each call."""
    return isinstance(x, (np.ndarray, np.generic, Node))


def flattened(args: Any, kwargs: Any) -> list[Any]:
    """The arrays and Tensors among the arguments."""
    found: list[Any] = []
    mapped(lambda x: found.append(x), (args, kwargs))
    return found


def mapped(f: Callable[[Any], Any], tree: Any) -> Any:
    """`tree` with ``f(x)`` in the place of each array and Tensor."""
    if dynamic(tree):
        return f(tree)
    if type(tree) in (tuple, list):
        return type(tree)(mapped(f, x) for x in tree)
    if isinstance(tree, Mapping):
        return {key: mapped(f, x) for key, x in tree.items()}
    return tree


def signature(args: Any, kwargs: Any) -> Any:
    """What has to be the same for a program to fit."""
    return recorder.place.block, recorder.place.scope, _kind(args), _kind(kwargs)


def _kind(x: Any) -> Any:
    if isinstance(x, Tensor):
        return "Tensor", x.shape, x.dtype.str, x.requires_grad, x.name
    if isinstance(x, (np.ndarray, np.generic)):
        return type(x), x.shape, x.dtype.str
    if type(x) in (tuple, list):
        return type(x), tuple(map(_kind, x))
    if isinstance(x, Mapping):
        return dict, tuple((key, _kind(value)) for key, value in x.items())
    try:
        hash(x)
    except TypeError:
        return id(x)
    return type(x), x
