"""What holds where stages are recorded, in each thread and task, and contexts that set a part of
it."""

from __future__ import annotations

import functools
import inspect
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import ContextDecorator
from contextvars import ContextVar
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


class State:
    """What holds where stages are recorded. It never changes: a context that is entered puts
    another in its place, until it is left.

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
    context : Setting or None
        The context that was entered last and not left yet.
    outer : State or None
        What held before that.
    """

    __slots__ = ("context", "depth", "enabled", "left", "outer", "place")

    enabled: bool
    place: Place
    depth: int
    left: Any
    context: Setting | None
    outer: State | None

    def __init__(self, outer: State | None = None, context: Setting | None = None) -> None:
        self.outer, self.context = outer, context
        if outer is None or context is None:
            self.enabled, self.place, self.depth, self.left = True, NOWHERE, 0, None
        else:
            self.enabled, self.place = outer.enabled, outer.place
            self.depth, self.left = outer.depth, outer.left
            context.change(self)


OUTSIDE = State()
_current: ContextVar[State] = ContextVar("tinygrad_lstm", default=OUTSIDE)
recorder = _current.get  # what every stage asks
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
    """A context in which one setting has another value, in this thread and this task of asyncio. As
    a decorator, around each call.

    A thread starts with nothing set, a task with the settings of who started it.

    The value that counts is that of the last context entered and not left. A generator that is
    suspended inside a ``with`` has not left it: its setting holds for the caller too, until the
    generator goes on or is closed, in whatever order that happens. (As a decorator of a generator
    function a context holds in the generator alone.)
    """

    def change(self, state: State) -> None:
        """Make what holds outside of this context what holds inside."""
        raise NotImplementedError

    def __enter__(self) -> Any:
        _current.set(State(_current.get(), self))
        return self

    def __exit__(self, *error: object) -> None:
        state = _current.get()
        if state.context is self and state.outer is not None:
            _current.set(state.outer)
        else:  # a generator that was suspended inside another context
            _current.set(_without(state, self))

    def __call__(self, function: Any) -> Any:
        if inspect.iscoroutinefunction(function):
            return self._awaited(function)
        return (
            self._steps(function)
            if inspect.isgeneratorfunction(function)
            else super().__call__(function)
        )

    def _awaited(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A coroutine function whose body runs in this context."""

        @functools.wraps(function)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            with self:
                return await function(*args, **kwargs)

        return awaited

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


def _without(state: State, context: Setting) -> State:
    """The state without a context that was entered before others; as it is where it was not, as
    where a generator goes on in another thread."""
    above: list[Setting] = []
    found: State | None = state
    while found is not None and found.context is not context:
        if found.context is not None:
            above.append(found.context)
        found = found.outer
    if found is None or found.outer is None:
        return state
    found = found.outer
    for other in reversed(above):
        found = State(found, other)
    return found
