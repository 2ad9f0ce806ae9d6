"""What of a call's arguments decides which program fits: arrays and Tensors anywhere in lists,
tuples and dictionaries count by shape and dtype, all else by what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.recorder import recorder

__all__ = ["loose", "mapped", "objects", "signature"]


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
    elif _several(x):
        key += kind, len(x)
        for y in x:
            _collect(y, key, flat)
    elif kind is dict:
        key += kind, tuple(x)
        for y in x.values():
            _collect(y, key, flat)
    else:
        key += kind, _same(x)


def _several(x: Any) -> bool:
    """Whether something is a tuple, which may be a named one, or a list."""
    return type(x) in (tuple, list) or (isinstance(x, tuple) and hasattr(x, "_make"))


def loose(key: tuple[Any, ...]) -> tuple[Any, ...]:
    """A key without the numbers and texts in it."""
    return tuple(x for x in key if type(x) not in (bool, int, float, complex, str))


def _same(x: Any) -> Any:
    """What stands for an argument that is the same from call to call."""
    if type(x) is float and x == 0.0:
        return str(x)  # which is equal to -0.0
    try:
        hash(x)
    except TypeError:
        return id(x)
    return x


def objects(tree: Any) -> Iterator[Any]:
    """What there is in `tree` besides arrays and Tensors."""
    if _several(tree) or type(tree) is dict:
        for x in tree.values() if type(tree) is dict else tree:
            yield from objects(x)
    elif not isinstance(tree, (np.ndarray, np.generic, Node)):
        yield tree


def mapped(f: Callable[[Any], Any], tree: Any) -> Any:
    """`tree` with ``f(x)`` in the place of each array and Tensor, in the order of `signature`."""
    if isinstance(tree, (np.ndarray, np.generic, Node)):
        return f(tree)
    if _several(tree):
        return getattr(type(tree), "_make", type(tree))(mapped(f, x) for x in tree)
    if type(tree) is dict:
        return {key: mapped(f, x) for key, x in tree.items()}
    return tree
