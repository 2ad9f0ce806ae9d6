"""The attributes of a user's objects and modules. Code reads those that it names: a trainer's
optimizer, history and compiled function are none of its loss's business.

Other objects are looked at as wholes: code of a library may read them by any name.
"""

from __future__ import annotations

import abc
import functools
import sys
import types
import typing
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from typing import Any

from tinygrad_lstm.compiler.codes import ANY

__all__ = ["Attributes", "Found", "by_name", "everything", "library", "read"]

Found = Iterator[tuple[Callable[[Any], Any], Any, Any]]  # how to get it, its name, what it is now
OPEN = (object, abc.ABC, typing.Generic, typing.Protocol)  # bases that read no attributes
HIDDEN = ("__name__", "__doc__")  # what a module says of itself


class Attributes:
    """The objects and modules of which only what code names is looked at."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self._owners: list[Any] = []
        self._before: list[tuple[dict[str, Any], dict[str, Any]]] = []

    def add(self, x: Any) -> Found:
        """An object or a module, and what there is in it of what is named so far."""
        self._owners.append(x)
        return of(x, self.names)

    def more(self, names: set[str]) -> list[tuple[Any, Found]]:
        """What else there is in them when more is named."""
        new = names - self.names
        self.names |= new
        return [(x, of(x, new)) for x in self._owners]

    def keep(self) -> None:
        """All is named: what there is now."""
        for x in self._owners:
            if not isinstance(x, types.ModuleType) and isinstance(own := _own(x), dict):
                self._before.append((own, {k: own[k] for k in self._named(own)}))

    def changed(self) -> bool:
        """Whether there is more or less of what is named."""
        if not self._before:  # asked at each call
            return False
        return any(len(self._named(own)) != len(before) for own, before in self._before)

    def undo(self) -> None:
        """Let them have what they had."""
        for own, before in self._before:
            for name in [k for k in self._named(own) if k not in before]:
                del own[name]
            own.update(before)

    def _named(self, own: dict[str, Any]) -> list[str]:
        return _those(own, self.names)


def of(x: Any, names: Collection[str]) -> Found:
    """What an object or a module has under some names."""
    own = _own(x)
    if isinstance(x, types.ModuleType):
        yield from read(own.get, [k for k in names if k in own and k not in HIDDEN])
        return
    if isinstance(own, dict):
        yield from read(own.__getitem__, _those(own, names))
    yield from read(functools.partial(getattr, x), _those(_slots(type(x)), names))


def _those(keys: Iterable[str], names: Collection[str]) -> list[str]:
    """The keys that are named."""
    return list(keys) if ANY in names else [k for k in keys if k in names]


def everything(x: Any) -> Found:
    """All that an object has."""
    if isinstance(own := _own(x), dict):
        yield from read(own.__getitem__, list(own))
    yield from read(functools.partial(getattr, x), _slots(type(x)))


def read(get: Callable[[Any], Any], keys: Any) -> Found:
    """What ``get`` finds; a cell or a slot may be empty yet."""
    for key in keys:
        with suppress(ValueError, AttributeError):
            yield get, key, get(key)


def by_name(kind: type) -> bool:
    """Whether only the user's own code reads the attributes of such objects."""
    if hasattr(kind, "__dataclass_fields__"):
        return False
    return all(base in OPEN or not library(base.__module__) for base in kind.__mro__)


def library(module: Any) -> bool:
    """Whether a module is none of the user's: this package, NumPy, Python itself. What stands in
    the place of its name in some classes that are not written in Python, is no text."""
    if not isinstance(module, str):
        return True
    first = module.split(".")[0]
    return first in ("tinygrad_lstm", "numpy") or first in sys.stdlib_module_names


def _slots(kind: type) -> list[str]:
    """The slots of a class."""
    found: list[str] = []
    for base in kind.__mro__:
        names = vars(base).get("__slots__", ())
        found += [names] if isinstance(names, str) else names
    return [name for name in found if name not in ("__dict__", "__weakref__")]


def _own(x: Any) -> Any:
    return getattr(x, "__dict__", None)
