"""The code of the functions that a function may call, and what it names."""

from __future__ import annotations

import dis
import itertools
import operator
import types
from typing import Any

__all__ = ["ANY", "Codes", "named"]

ANY = "*"
ASKING = {
    *("__dict__", "__getattribute__", "__getstate__", "attrgetter", "dir", "eval", "exec"),
    *("format", "format_map", "getmembers", "methodcaller", "vars"),
}
PLAIN = ("LOAD_CONST", "LOAD_SMALL_INT", "LOAD_FAST", "LOAD_DEREF")
LOADS = (*PLAIN[2:], "LOAD_GLOBAL", "LOAD_ATTR", "PUSH_NULL")

MAKERS = ("__init__", "__new__", "__post_init__")


class Codes:
    """The code that was found."""

    def __init__(self) -> None:
        self._found: list[types.CodeType] = []
        self._methods: dict[types.CodeType, set[str]] = {}  # and what their classes call them
        self._entered: set[types.CodeType] = set()  # of functions that something else refers to
        self._asks = False

    def add(self, code: types.CodeType) -> None:
        """One more function's."""
        self._found.append(code)

    def meet(self, holder: Any, key: Any, value: Any) -> None:
        """A value that `holder` refers to as `key`: it may be a function, or a class. One that is
        known as that of an object, or as a base, makes no new objects."""
        self._asks |= isinstance(value, (operator.attrgetter, operator.methodcaller))
        if isinstance(value, type) and key != "__class__" and not isinstance(key, int):
            for kind in value.__mro__:
                for name in MAKERS:
                    self.meet(None, name, vars(kind).get(name))
        if isinstance(value, types.FunctionType):
            if isinstance(holder, type):
                self._methods.setdefault(value.__code__, set()).add(key)
            else:
                self._entered.add(value.__code__)

    @property
    def names(self) -> set[str]:
        """What it names."""
        return {name for code in self._found for name in named(code)}

    @property
    def read(self) -> set[str]:
        """What it names to read it, and not to set it alone."""
        found: set[str] = set()
        for code in self._found:
            for one in _nested(code):
                steps = dis.get_instructions(one)
                found |= {str(x.argval) for x in steps if not x.opname.startswith("STORE")}
        return found

    @property
    def reached(self) -> set[str]:
        """What that code names that may be called: a method's, where such code names the method.
        `ANY` is in it where code may ask for what it does not name."""
        found: set[str] = set()
        waiting = set(self._found)
        asks = self._asks
        while more := {code for code in waiting if self._called(code, found)}:
            for code in more:
                found |= {*named(code), *_texts(code)}
            asks = asks or any(map(_asks, more))
            waiting -= more
        return found | self.names | {ANY} if asks else found

    def _called(self, code: types.CodeType, names: set[str]) -> bool:
        own = self._methods.get(code, set())
        return code in self._entered or any(x in names or _special(x) for x in own)


def _special(name: str) -> bool:
    """Whether a method is called without being named."""
    return name.startswith("__") and name not in MAKERS


def named(code: types.CodeType) -> list[str]:
    """The global names that a function's code reads, and the functions inside it."""
    return list(dict.fromkeys(name for one in _nested(code) for name in one.co_names))


def _asks(code: types.CodeType) -> bool:
    """Whether a function's code asks for what it does not name; ``getattr(x, "name")`` names it."""
    if not ASKING.isdisjoint(named(code)):
        return True
    for one in _nested(code) if "getattr" in named(code) else ():
        steps = list(dis.get_instructions(one))
        for i, step in enumerate(steps):
            if step.argval == "getattr" and not _constant(steps[i + 1 :]):
                return True
    return False


def _constant(steps: list[dis.Instruction]) -> bool:
    """Whether a call that begins here has a text as its second argument, and a plain third."""
    rest = itertools.dropwhile(lambda x: x.opname.startswith(LOADS), steps)
    if not isinstance(next(rest).argval, str):
        return False
    after = next(rest)
    if after.opname.startswith(PLAIN):
        after = next(rest)
    return "CALL" in after.opname


def _nested(code: types.CodeType) -> list[types.CodeType]:
    """A function's code, and that of the functions inside it."""
    inside = [x for x in code.co_consts if isinstance(x, types.CodeType)]
    return [code, *(y for x in inside for y in _nested(x))]


def _texts(code: types.CodeType) -> list[str]:
    """The texts in a function's code: a pattern of `match` names attributes in a tuple of them."""
    found: list[str] = []
    for x in code.co_consts:
        found += [y for y in (x if isinstance(x, tuple) else (x,)) if isinstance(y, str)]
    return found
