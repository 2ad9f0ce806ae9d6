"""The state of each thread that records, and contexts that set a part of it."""

from __future__ import annotations

import functools
import inspect
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import ContextDecorator
from typing import Any, NamedTuple

__all__ = ["NOWHERE", "Place", "Setting", "detector", "drawn", "next_order", "recorder", "watching"]


class Place(NamedTuple):
    """Where values are recorded. A stage keeps it as it is, so that a scope costs a stage nothing.

    Attributes
    ----------
    block : int or None
        The block (time step).
    scope : str
        The scopes, with dots between them.
    start : int
        When the block was entered, in the order of the stages.
    """

    block: int | None = None
    scope: str = ""
    start: int = 0


NOWHERE = Place()


class Recorder(threading.local):
    """The state of one thread; a new thread starts with these values.

    Attributes
    ----------
    enabled : bool
        Whether stages are recorded.
    place : Place
        The block and the scope they are recorded in.
    depth : int
        How many transforms (grad, jacobian, ...) are running, one inside the other.
    left : watched or None
        What keeps the values that leave the tape in the transform that is running.
    entered : list of setting
        The contexts that were entered and not left yet.
    """

    enabled = True
    place = NOWHERE
    depth = 0
    left: Any = None

    def __init__(self) -> None:
        self.entered: list[Setting] = []


recorder: Recorder = Recorder()
next_order = (
    itertools.count().__next__
)  # one atomic call, so the stages of all threads have one order

watching: dict[int, Any] = {}
"""The anomaly detector of each thread that has one; empty, and so next to nothing to ask, for
everybody else."""


def detector() -> Any:
    """The anomaly detector of this thread, or None."""
    return watching.get(threading.get_ident())


def drawn(draw: Callable[..., Any], *args: Any) -> Any:
    """Random numbers: ``draw(*args)``, with `draw` a method of a generator. Who records a program
    lets it draw whenever the program runs."""
    watch = detector() if watching else None
    return draw(*args) if watch is None else watch.drawn(draw, args)


class Setting(ContextDecorator):
    """A context in which one setting of this thread's recorder has another value. As a decorator,
    around each call.

    The value that counts is that of the last context entered and not left. A generator that is
    suspended inside a ``with`` has not left it: its setting holds for the caller too, until the
    generator goes on or is closed, in whatever order that happens. (As a decorator of a generator
    function a context holds in the generator alone.)
    """

    setting: str

    def __init__(self, value: Any) -> None:
        self._value = value

    def inside(self, outside: Any) -> Any:
        """The value of the setting in this context, given the one outside of it."""
        return self._value

    def __enter__(self) -> Any:
        recorder.entered.append(self)
        setattr(recorder, self.setting, self.inside(getattr(recorder, self.setting)))
        return self

    def __exit__(self, *error: object) -> None:
        entered, name = recorder.entered, self.setting
        last = entered.pop() if entered else self
        if last is not self:  # a generator that was suspended inside another context
            entered.append(last)
            if self in entered:  # it is not where a generator goes on in another thread
                del entered[len(entered) - 1 - entered[::-1].index(self)]
        value = getattr(Recorder, name)
        for context in entered:
            value = context.inside(value) if context.setting == name else value
        setattr(recorder, name, value)

    def __call__(self, function: Any) -> Any:
        return (
            self._steps(function)
            if inspect.isgeneratorfunction(function)
            else super().__call__(function)
        )

    def _steps(self, function: Callable[..., Any]) -> Callable[..., Iterator[Any]]:
        """A generator function whose body runs in this context, and the code between its values
        does not."""

        @functools.wraps(function)
        def steps(*args: Any, **kwargs: Any) -> Any:
            generator = function(*args, **kwargs)
            resume, sent = generator.send, None
            while True:
                try:
                    with self:
                        value = resume(sent)
                except StopIteration as stop:
                    return stop.value
                try:
                    sent, resume = (yield value), generator.send
                except GeneratorExit:
                    with self:
                        generator.close()
                    raise
                except BaseException as error:
                    sent, resume = error, generator.throw

        return steps
