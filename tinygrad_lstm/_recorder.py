"""What each thread records: whether stages are recorded at all, in which block, and in which order."""

from __future__ import annotations

import itertools
import threading
from contextlib import ContextDecorator
from typing import Any

__all__ = ["block", "next_order", "no_grad", "recorder", "recording"]


class Recorder(threading.local):
    """The state of one thread; a new thread starts with these values."""

    enabled = True
    block: int | None = None


recorder = Recorder()
next_order = itertools.count().__next__  # one atomic call, so the stages of all threads have one order


class _Setting(ContextDecorator):
    """A context in which one setting of this thread's recorder has another value."""

    setting: str

    def __init__(self, value: Any) -> None:
        self._value = value
        self._before: list[Any] = []  # a stack, so that one object can be entered more than once

    def __enter__(self) -> None:
        self._before.append(getattr(recorder, self.setting))
        setattr(recorder, self.setting, self._value)

    def __exit__(self, *error: object) -> None:
        setattr(recorder, self.setting, self._before.pop())


class recording(_Setting):
    """Switch the recording of stages on or off in this thread."""

    setting = "enabled"


class no_grad(recording):
    """Compute without recording: results need no gradients. ``with no_grad():``, or ``@no_grad()`` on a function.

    Examples
    --------
    >>> from tinygrad_lstm import Tensor, no_grad
    >>> x = Tensor(2.0, requires_grad=True)
    >>> with no_grad():
    ...     y = x * x
    >>> y.requires_grad
    False
    """

    def __init__(self) -> None:
        super().__init__(False)


class block(_Setting):
    """Record the stages of a ``with`` block as one block (time step); names given inside end in ``<number>``.

    Parameters
    ----------
    number : int
        The block, 1 for the first.

    Examples
    --------
    >>> from tinygrad_lstm import Tensor, block
    >>> x = Tensor(2.0, requires_grad=True, name="x")
    >>> with block(1):
    ...     y = (x * x).named("y")
    >>> y.name
    'y<1>'
    """

    setting = "block"
