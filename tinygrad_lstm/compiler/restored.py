"""Putting back what recording has changed: containers, classes, names, random generators."""

from __future__ import annotations

import copy
import functools
import random
import types
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import numpy as np

__all__ = ["put", "refill", "restore", "same_state", "set_state", "state"]


def refill(container: Any, before: Any) -> None:
    """Let a container hold what it did."""
    if isinstance(container, (tuple, frozenset, types.MappingProxyType)):
        return  # what cannot be changed, or by its class alone (`restore`)
    if isinstance(container, dict):
        if container.keys() != before.keys():
            container.clear()
            container.update(before)
    elif len(container) != len(before) or isinstance(container, set):
        container.clear()
        (container.update if isinstance(container, set) else container.extend)(before)


def restore(kind: type, before: dict[str, Any]) -> None:
    """Let a class define what it did."""
    for name in vars(kind).keys() - before.keys():
        delattr(kind, name)
    for name, value in before.items():
        if vars(kind).get(name) is not value:
            setattr(kind, name, value)


def put(get: Callable[[Any], Any], key: Any, value: Any) -> None:
    """Let ``get(key)`` be `value`."""
    if isinstance(get, functools.partial):
        if get.func is getattr:
            setattr(get.args[0], key, value)
        return
    holder: Any = get.__self__  # type: ignore[attr-defined]
    if isinstance(holder, ContextVar):
        holder.set(value)
    else:
        holder[key] = value


def state(source: Any) -> Any:
    """Where a source of random numbers stands."""
    if isinstance(source, np.random.Generator):
        return copy.deepcopy(dict(source.bit_generator.state))
    return source.getstate() if isinstance(source, random.Random) else source.get_state()


def set_state(source: Any, state: Any) -> None:
    """Let a source of random numbers stand there."""
    if isinstance(source, np.random.Generator):
        source.bit_generator.state = state
    else:
        (source.setstate if isinstance(source, random.Random) else source.set_state)(state)


def same_state(a: Any, b: Any) -> bool:
    """Whether sources stand at the same."""
    if isinstance(a, dict):
        return all(same_state(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return all(map(same_state, a, b))
    return bool(np.all(a == b))
