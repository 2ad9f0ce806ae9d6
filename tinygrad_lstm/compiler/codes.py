"""The code of the functions that a function may call, and what it names."""

from __future__ import annotations

import dis
import types
from typing import Any

__all__ = ["Codes"]


class Codes:
    """The code that was found."""

    def __init__(self) -> None:
        self._found: list[types.CodeType] = []
        self._methods: dict[types.CodeType, set[str]] = {}  # and what their classes call them
        self._entered: set[types.CodeType] = set()  # of functions that something else refers to

    def add(self, code: types.CodeType) -> None:
        """One more function's."""
        self._found.append(code)

    def meet(self, holder: Any, key: str, value: Any) -> None:
        """A value that `holder` refers to as `key`: it may be a function."""
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
        """What that code names that may be called: a method's, where such code names the method, as
        in ``self.step`` or ``getattr(self, "step")``."""
        found: set[str] = set()
        waiting = set(self._found)
        while more := {code for code in waiting if self._called(code, found)}:
            found |= {name for code in more for name in (*named(code), *_texts(code))}
            waiting -= more
        return found

    def _called(self, code: types.CodeType, names: set[str]) -> bool:
        own = self._methods.get(code, set())
        return code in self._entered or any(x in names or x.startswith("__") for x in own)


def named(code: types.CodeType) -> list[str]:
    """The global names that a function's code reads, and the functions inside it."""
    return list(dict.fromkeys(name for one in _nested(code) for name in one.co_names))


def _nested(code: types.CodeType) -> list[types.CodeType]:
    """A function's code, and that of the functions inside it."""
    inside = [x for x in code.co_consts if isinstance(x, types.CodeType)]
    return [code, *(y for x in inside for y in _nested(x))]


def _texts(code: types.CodeType) -> list[str]:
    return [x for x in code.co_consts if isinstance(x, str)]
