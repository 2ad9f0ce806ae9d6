"""What becomes of freed memory: kept for the next training step, or given back to the system.

A graph is freed all at once, when its last Tensor goes. The GNU C library then gives back the end
of its heap, and the next step has to get it again, page by page: at T = 100, N = 64, H = 512 that
is a tenth of a step. What lies between things that live on it does not give back unless asked.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import sys
from typing import Any

__all__ = ["give_back", "keep_freed_memory", "trim"]

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)
KEPT = 1 << 29  # bytes at the end of the heap that are kept
SMALL = 1 << 25  # bytes up to which an array lives in the heap; the library allows no more

_asked: set[str] = set()  # what was asked of the C library for as long as the process lives


def keep_freed_memory() -> None:
    """Ask the C library to keep up to half a gigabyte of freed memory. The user's own
    ``MALLOC_`` variables come first."""
    if not any(name.startswith("MALLOC_") for name in os.environ):
        _asked.add("keep")
        _ask("mallopt", M_MMAP_THRESHOLD, SMALL)
        _ask("mallopt", M_TRIM_THRESHOLD, KEPT)


def give_back() -> None:
    """Let Python and the C library give freed memory back to the system, for when much has gone
    that does not come again.

    Python does so in pieces of a megabyte, and keeps for later some tuples, which the collector
    lets go of, and the slice that was given up first of several: another one takes its place.
    """
    gc.collect()
    kept, other = slice(0), slice(0)
    del other, kept
    trim()


def trim() -> None:
    """Let the C library give freed memory back, where it was not asked to keep it."""
    if "keep" not in _asked:
        _ask("malloc_trim", 0)


def _ask(function: str, *values: Any) -> None:
    """Call a function of the C library, where it has it."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            getattr(ctypes.CDLL(None), function)(*values)
