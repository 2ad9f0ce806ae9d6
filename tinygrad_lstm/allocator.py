"""Memory that a training step frees is kept for the next one.

A graph is freed all at once, when its last Tensor goes. The GNU C library then gives that memory
back to the system, and the next step has to get it again, page by page: at T = 100, N = 64, H = 512
that is a tenth of a step.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys

__all__ = ["keep_freed_memory"]

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)
KEPT = 1 << 29  # bytes at the end of the heap that are kept
SMALL = 1 << 25  # bytes up to which an array lives in the heap; the library allows no more


def keep_freed_memory() -> None:
    """Ask the C library to keep up to half a gigabyte of freed memory. The user's own
    ``MALLOC_`` variables come first."""
    if sys.platform == "linux" and not any(name.startswith("MALLOC_") for name in os.environ):
        with contextlib.suppress(OSError, AttributeError):  # a C library without mallopt
            mallopt = ctypes.CDLL(None).mallopt
            mallopt(M_MMAP_THRESHOLD, SMALL)
            mallopt(M_TRIM_THRESHOLD, KEPT)
