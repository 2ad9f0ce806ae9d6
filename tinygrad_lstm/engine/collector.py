"""Python's search for cycles, held off while something is made of each of the values of a tape."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["uncollected"]


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the garbage collector: graphs and what is made of them have no cycles, and it would
    go over all of a long tape again and again, half of the time, for none that it finds."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
