"""What a function finds outside its arguments, and whether it still finds the same.

A recorded program holds for the objects that the function reached when it was recorded: the cells
of its closure, the globals that its code names, the attributes of objects it reaches through them
and of their classes, what its code names of the user's modules, and what containers hold. A name
that is bound to something else, or an array that was edited, is noticed at the next call.
"""

from __future__ import annotations

import functools
import io
import random
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_lstm.compiler.attributes import (
    Attributes,
    Found,
    by_name,
    everything,
    library,
    read,
)
from tinygrad_lstm.compiler.codes import Codes, named
from tinygrad_lstm.compiler.restored import put, refill, restore, set_state, state
from tinygrad_lstm.engine.memory import SCALARS
from tinygrad_lstm.engine.node import Node

__all__ = ["Captured"]

PLAIN = (*SCALARS, str, bytes, type(None))
LIBRARY = (np.ufunc, np.random.Generator)
SOURCES = (np.random.RandomState, random.Random)  # of random numbers, that are no Generators
HOLDERS = (  # of objects that code reads without naming them
    *(types.FunctionType, types.MethodType, types.BuiltinMethodType, types.CellType),
    *(list, tuple, deque, dict),
)
BITS: dict[int, Any] = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
DEPTH = 8  # objects within objects
MANY = 20_000  # objects that are looked at


class Captured:
    """The objects that a function reaches.

    Parameters
    ----------
    function : callable
    arguments : iterable
        The objects that it is called with, which count as captured: a model, say, or a generator.

    Attributes
    ----------
    generators : list of numpy.random.Generator
        The sources of random numbers among them that a program may draw from.
    codes : Codes
        The code of the functions among them.
    """

    codes: Codes

    def __init__(self, function: Callable[..., Any], arguments: Iterable[Any] = ()) -> None:
        self._bindings: list[tuple[Callable[[Any], Any], Any, Any]] = []
        self._arrays: list[tuple[NDArray[Any], NDArray[Any]]] = []
        self._tensors: list[tuple[Any, Any]] = []
        self._contents: list[tuple[Any, Any]] = []  # containers, and a copy of each
        self._classes: list[tuple[type, dict[str, Any]]] = []
        self._attributes = Attributes()
        self._sources: list[Any] = [np.random.mtrand._rand, random._inst]  # type: ignore[attr-defined]
        self.generators: list[np.random.Generator] = []
        self._iterators: list[str] = []  # the names that code has to know; empty where it has none
        self.codes = Codes()
        self._seen: set[int] = set()
        self._keep: list[Any] = []
        self._settle(function, *arguments)

    def states(self) -> list[Any]:
        """Where the sources of random numbers stand: generators, those of NumPy and of Python
        itself, and what of their kind the function reaches."""
        return [state(source) for source in (*self.generators, *self._sources)]

    def restore(self, states: list[Any]) -> None:
        """Set them back."""
        for source, before in zip((*self.generators, *self._sources), states, strict=True):
            set_state(source, before)

    @property
    def goes_on(self) -> bool:
        """Whether the function may take something from an iterator that it finds: what comes then
        is another thing each time."""
        return any(not name or name in self.codes.read for name in self._iterators)

    def _settle(self, *roots: Any) -> None:
        """Look at all that is reached from `roots`. What code may read of objects and modules, it
        names: the more of it is found, the more that is."""
        waiting = self._bound(roots, read(roots.__getitem__, range(len(roots))), -1)
        self._bindings.clear()
        self._look(waiting)
        while not (names := self.codes.reached) <= self._attributes.names:
            for x, found in self._attributes.more(names):
                self._look(self._bound(x, found, 0))
        self._attributes.keep()

    def _bound(self, x: Any, found: Found, depth: int) -> list[tuple[Any, int]]:
        """What `x` refers to, which is to be looked at."""
        values = []
        for get, key, value in found:
            self._bindings.append((get, key, value))
            self.codes.meet(x, key, value)
            if _is_iterator(value):
                self._iterators.append("" if isinstance(x, HOLDERS) else key)
            values.append((value, depth + 1))
        return values

    def _look(self, waiting: list[tuple[Any, int]]) -> None:
        while waiting and len(self._seen) < MANY:
            x, depth = waiting.pop()
            if isinstance(x, PLAIN) or id(x) in self._seen or depth > DEPTH:
                continue
            self._seen.add(id(x))
            self._keep.append(x)  # an id is good for as long as its object lives
            if isinstance(x, Node):
                self._tensors.append((x, x._array))
            elif isinstance(x, np.ndarray):
                self._arrays.append((x, x.copy()))
            elif isinstance(x, np.random.Generator):
                self.generators.append(x)
            elif isinstance(x, SOURCES):
                self._sources.append(x)
            elif isinstance(x, types.ModuleType):
                if not library(x.__name__):
                    waiting += self._bound(x, self._attributes.add(x), 0)
            elif isinstance(x, (set, frozenset)):
                self._contents.append((x, frozenset(x)))
            else:
                waiting += self._bound(x, self._inside(x), depth)

    def _inside(self, x: Any) -> Found:
        """What an object refers to: how to get it, and what it is now."""
        if isinstance(x, types.MethodType):
            yield from read(functools.partial(getattr, x), ("__self__", "__func__"))
        elif isinstance(x, types.FunctionType):
            yield from self._of_function(x)
        elif isinstance(x, types.BuiltinMethodType):
            yield from read(functools.partial(getattr, x), ("__self__",))
        elif isinstance(x, functools.partial):
            yield from read(functools.partial(getattr, x), ("func", "args", "keywords"))
        elif isinstance(x, ContextVar):
            yield from read(x.get, (None,))  # which is what it gives where it is not set
        elif isinstance(x, types.CellType):
            yield from read(functools.partial(getattr, x), ("cell_contents",))
        elif isinstance(x, type):
            yield from self._of_class(x)
        elif isinstance(x, (list, tuple, deque)):
            self._contents.append((x, tuple(x)))
            yield from read(x.__getitem__, range(len(x)))
        elif isinstance(x, dict):
            self._contents.append((x, dict(x)))
            yield from read(x.__getitem__, list(x))
        elif not (isinstance(x, LIBRARY) or _wraps(x)):
            if by_name(type(x)):
                yield from self._attributes.add(x)
            else:
                yield from self._of_object(x)
            yield from read(functools.partial(getattr, x), ("__class__",))
        if hasattr(x, "__wrapped__"):
            yield from read(functools.partial(getattr, x), ("__wrapped__",))

    def _of_function(self, f: types.FunctionType) -> Found:
        if library(f.__module__ or ""):
            return
        if own := not library(f.__globals__.get("__name__")):  # and not a wrapper's
            self.codes.add(f.__code__)
        yield from read(functools.partial(getattr, f), ("__defaults__", "__kwdefaults__"))
        free = [i for i, name in enumerate(f.__code__.co_freevars) if name != "__class__"]
        yield from read((f.__closure__ or ()).__getitem__, free)
        names = [name for name in named(f.__code__) if own and name in f.__globals__]
        yield from read(f.__globals__.get, names)

    def _of_class(self, x: type) -> Found:
        """What a class of the user's, and those that it is derived from, define."""
        if library(x.__module__):
            return
        self._contents.append((vars(x), dict(vars(x))))
        self._classes.append((x, dict(vars(x))))
        for name, value in list(vars(x).items()):
            special = name.startswith("__") and not isinstance(value, types.FunctionType)
            if not special and not isinstance(value, types.MemberDescriptorType):
                yield functools.partial(_own, x), name, _own(x, name)
        yield from read(functools.partial(_base, x), range(len(x.__bases__)))

    def _of_object(self, x: Any) -> Found:
        """What an object has that code of a library may read, and whose methods it may call."""
        if isinstance(own := getattr(x, "__dict__", None), dict):
            self._contents.append((own, dict(own)))
        for kind in type(x).__mro__:
            for method in () if library(kind.__module__) else vars(kind).values():
                self.codes.meet(None, "", method)
        yield from everything(x)

    def let_go(self) -> None:
        """Keep no copies of arrays: there is no program, and the tape reads them as they are."""
        self._arrays.clear()

    def edited(self) -> str | None:
        """The name of a Tensor whose numbers were replaced since, or None."""
        for tensor, array in self._tensors:
            if tensor._array is not array:
                return str(tensor.name or "a Tensor")
        return None

    def changed(self) -> str | None:
        """What is no longer as it was, or None."""
        for get, key, before in self._bindings:
            try:
                now = get(key)
            except (KeyError, IndexError, ValueError, AttributeError):
                return f"{key} is gone"
            if now is not before and not (isinstance(now, PLAIN) and _equal(now, before)):
                return f"{key} is another object"
        for container, before in self._contents:
            if len(container) != len(before):
                return f"a {type(container).__name__} has another length"
            if isinstance(container, (set, frozenset)) and container != before:
                return "a set holds something else"
        if self._attributes.changed():
            return "an object has another attribute"
        for array, before in self._arrays:
            if array is not before and not _equal_arrays(array, before):
                return "an array was edited"
        return None

    def undo(self) -> None:
        """Put everything back as it was."""
        for tensor, array in self._tensors:
            tensor._array = array
        for array, before in self._arrays:
            if array is not before and not _equal_arrays(array, before):
                array[...] = before
        for container, before in self._contents:
            refill(container, before)
        self._attributes.undo()
        for kind, defined in self._classes:
            with suppress(AttributeError, TypeError):  # what a class says of itself
                restore(kind, defined)
        for get, key, before in self._bindings:
            with suppress(KeyError, IndexError, ValueError, AttributeError):
                if get(key) is not before:
                    put(get, key, before)


def _wraps(x: Any) -> bool:
    """Whether something is a function with something around it, such as a compiled one."""
    return library(type(x).__module__) and hasattr(x, "__wrapped__")


def _is_iterator(x: Any) -> bool:
    """Whether something goes on where it stands, and nobody can tell where; files, which are asked
    when a function is recorded, do not count."""
    return isinstance(x, Iterator) and not hasattr(x, "__dict__") and not isinstance(x, io.IOBase)


def _equal(a: Any, b: Any) -> bool:
    return type(a) is type(b) and bool(a == b)


def _equal_arrays(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Whether arrays are the same, bit by bit where their bits can be read as numbers."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if (
        a.flags.c_contiguous
        and b.flags.c_contiguous
        and a.itemsize in BITS
        and not a.dtype.hasobject
    ):
        return bool(np.array_equal(a.view(BITS[a.itemsize]), b.view(BITS[b.itemsize])))
    return bool(np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"))


def _base(kind: type, i: int) -> type:
    return kind.__bases__[i]


def _own(kind: type, name: str) -> Any:
    """What a class defines under a name: of a property or a method, the function."""
    value = vars(kind)[name]
    value = value.fget if isinstance(value, property) else value
    return getattr(value, "__func__", value)
