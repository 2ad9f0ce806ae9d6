"""What of a call's arguments decides which program fits: arrays and Tensors anywhere in lists,
tuples and dictionaries count by shape and dtype, all else by what it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.recorder import recorder

__all__ = ["mapped", "signature"]


def signature(args: Any, kwargs: Any) -> tuple[tuple[Any, ...], list[Any]]:
    """What has to be the same for a program to fit, and the arrays and Tensors that may differ."""
    key: list[Any] = [recorder().place.block, recorder().place.scope]
    flat: list[Any] = []
    _collect(args, key, flat)
    if kwargs:
        _collect(kwargs, key, flat)
    return tuple(key), flat


def _collect(x: Any, key: list[Any], flat: list[Any]) -> None:
    kind = type(x)
    if kind is np.ndarray or isinstance(x, (np.ndarray, np.generic)):
        key += kind, x.shape, x.dtype
        flat.append(x)
    elif isinstance(x, Node):
        key += kind, x._array.shape, x._array.dtype, x._requires_grad, x._label, x._place
        key.append(next((i for i, y in enumerate(flat) if y is x), None))  # one leaf, given twice
        flat.append(x)
    elif kind in (tuple, list):
        key += kind, len(x)
        for y in x:
            _collect(y, key, flat)
    elif kind is dict:
        key += kind, tuple(x)
        for y in x.values():
            _collect(y, key, flat)
    else:
        key += kind, _same(x)


def _same(x: Any) -> Any:
    """What stands for an argument that is the same from call to call."""
    try:
        hash(x)
    except TypeError:
        return id(x)
    return x


def mapped(f: Callable[[Any], Any], tree: Any) -> Any:
    """`tree` with ``f(x)`` in the place of each array and Tensor, in the order of `signature`."""
    if isinstance(tree, (np.ndarray, np.generic, Node)):
        return f(tree)
    if type(tree) in (tuple, list):
        return type(tree)(mapped(f, x) for x in tree)
    if type(tree) is dict:
        return {key: mapped(f, x) for key, x in tree.items()}
    return tree
