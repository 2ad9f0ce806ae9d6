"""The native backend: programs as tables of calls to compiled loops.

Needs llvmlite, which comes with numba (the extra ``fast``). A kernel is compiled once for its
structure and serves all shapes and lengths; products go to the BLAS that NumPy brings (`blas`).
"""

from __future__ import annotations

import ctypes
import itertools
import threading
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from tinygrad_lstm.compiler import native_code, panel_code
from tinygrad_lstm.compiler.native_code import Key

__all__ = ["Library", "available", "library"]


def available() -> bool:
    """Whether programs can run natively here."""
    return find_spec("llvmlite") is not None


class Library:
    """The compiled functions of this process.

    Attributes
    ----------
    height : int
        How many rows of a product have room in the registers of this machine: there are 16 for
        half a vector each, or 32.
    """

    run: Any
    height: int

    def __init__(self) -> None:
        import llvmlite.binding as llvm

        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        known = llvm.get_host_cpu_features()
        self.height, host = 8 if known.get("avx512f") else 6, known.flatten()
        target = llvm.Target.from_default_triple()
        self._llvm = llvm
        self._jit = llvm.create_lljit_compiler(
            target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=host, opt=3)
        )
        self._addresses: dict[Key, int] = {}
        self._keep: list[Any] = []
        self._number = itertools.count()
        self._lock = threading.Lock()
        address = self._compiled(("machine",), native_code.MACHINE, "machine")
        self.run = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(address)

    def function(self, key: Key) -> int:
        """The address of the function that `key` describes."""
        with self._lock:
            found = self._addresses.get(key)
            if found is None:
                name = f"f{next(self._number)}"
                found = self._compiled(key, WRITTEN[key[0]](name, *key[1:]), name)
        return found

    def _compiled(self, key: Key, text: str, name: str) -> int:
        built = self._llvm.JITLibraryBuilder().add_ir(text).export_symbol(name)
        tracker = built.link(self._jit, name)
        self._keep.append(tracker)
        self._addresses[key] = tracker[name]
        return int(tracker[name])

    def __len__(self) -> int:
        return len(self._addresses)


WRITTEN: dict[str, Callable[..., str]] = {
    "kernel": lambda name, key: native_code.kernel(key, name),
    "sum": lambda name, type: native_code.sum_rows(type, name),
    "dot": lambda name, type: native_code.dot(type, name),
    "panels": lambda name, type: panel_code.panels(type, name),
    "by panels": lambda name, type, height: panel_code.by_panels(type, name, height),
    "product": lambda name, type, ints: native_code.product(type, name, ints),
}


_library: Library | None = None
_first = threading.Lock()


def library() -> Library:
    """The library of this process."""
    global _library
    with _first:
        if _library is None:
            _library = Library()
    return _library
