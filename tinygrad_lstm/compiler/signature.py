"""What of a call's arguments decides which program fits: arrays and Tensors anywhere in containers
count by shape and dtype, all else by what it is."""

from __future__ import annotations

import copy
import dataclasses
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.state import recorder

__all__ = ["loose", "mapped", "objects", "outline", "same", "signature"]

DICTS = (dict, OrderedDict, defaultdict)


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
    elif (named := _named(x)) is not None:
        key += kind, tuple(named)
        for y in named.values():
            _collect(y, key, flat)
    else:
        key += kind, _same(x)


def _several(x: Any) -> bool:
    """Whether something is a tuple, which may be a named one, or a list."""
    return type(x) in (tuple, list) or (isinstance(x, tuple) and hasattr(x, "_make"))


def _named(x: Any) -> dict[Any, Any] | None:
    """What a dictionary holds, or a record, by name; None for anything else. A record is an object
    of a dataclass, or a `SimpleNamespace`, with what it has as attributes."""
    kind = type(x)
    if kind in DICTS:
        return x  # type: ignore[no-any-return]
    if kind is not SimpleNamespace and not hasattr(kind, "__dataclass_fields__"):
        return None
    own: dict[str, Any] | None = getattr(x, "__dict__", None)
    if own is not None:
        return own
    names = [field.name for field in dataclasses.fields(x)]
    return {name: getattr(x, name) for name in names if hasattr(x, name)}


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
    """What there is in `tree` besides arrays and Tensors; of a record its class as well."""
    if isinstance(tree, (np.ndarray, np.generic, Node)):
        return
    named = None if _several(tree) else _named(tree)
    if named is None and not _several(tree):
        yield tree
        return
    if type(tree) not in DICTS:
        yield type(tree)
    for x in tree if named is None else named.values():
        yield from objects(x)


def mapped(f: Callable[[Any], Any], tree: Any) -> Any:
    """`tree` with ``f(x)`` in the place of each array and Tensor, in the order of `signature`."""
    if isinstance(tree, (np.ndarray, np.generic, Node)):
        return f(tree)
    if _several(tree):
        return getattr(type(tree), "_make", type(tree))(mapped(f, x) for x in tree)
    named = _named(tree)
    if named is None:
        return tree
    found = {name: mapped(f, x) for name, x in named.items()}
    if type(tree) in DICTS:
        made = copy.copy(tree)
        made.update(found)
        return made
    kind: Any = type(tree)
    record = kind.__new__(kind)
    for name, x in found.items():
        object.__setattr__(record, name, x)  # it may be frozen
    return record


def outline(tree: Any) -> list[Any]:
    """What containers there are in `tree`, and what they hold, in order."""
    if _several(tree):
        return [type(tree), len(tree), *(y for x in tree for y in outline(x))]
    named = _named(tree)
    if named is None:
        return [tree]
    return [type(tree), tuple(named), *(y for x in named.values() for y in outline(x))]


def same(a: list[Any], b: list[Any]) -> bool:
    """Whether two outlines are of the same objects."""
    return len(a) == len(b) and all(
        x is y or (type(x) in (int, tuple) and x == y) for x, y in zip(a, b, strict=True)
    )
