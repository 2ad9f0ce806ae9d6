"""``print`` while a function is recorded: what it prints, it prints at each call, on the tape."""

from __future__ import annotations

import builtins
import threading
from typing import Any

from tinygrad_lstm.compiler.abstract import Untraceable
from tinygrad_lstm.engine.state import detector

__all__ = ["refused_print"]


class Refused:
    """A context in which `print` raises in threads that record a function; others print."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._recordings = 0
        self._print: Any = print

    def __enter__(self) -> None:
        with self._lock:
            if not self._recordings:
                self._print = builtins.print
                builtins.print = self  # type: ignore[assignment]
            self._recordings += 1

    def __exit__(self, *error: object) -> None:
        ours: Any = self
        with self._lock:
            self._recordings -= 1
            if not self._recordings and builtins.print is ours:  # and nobody else's
                builtins.print = self._print

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        if hasattr(detector(), "refused"):
            raise Untraceable("it prints", "print what the function returns")
        self._print(*args, **kwargs)


refused_print = Refused()
