"""A function is recorded and planned: a blueprint, or why there is none."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from tinygrad_lstm.compiler.abstract import Untraceable
from tinygrad_lstm.compiler.blas import TYPES, gemm, threads
from tinygrad_lstm.compiler.blueprint import Blueprint
from tinygrad_lstm.compiler.captured import Captured
from tinygrad_lstm.compiler.packed import Packed
from tinygrad_lstm.compiler.planned import Planned
from tinygrad_lstm.compiler.prints import refused_print
from tinygrad_lstm.compiler.restored import same_state
from tinygrad_lstm.compiler.signature import objects, outline, same
from tinygrad_lstm.compiler.trace import abstracted, trace
from tinygrad_lstm.compiler.tracer import Tracer
from tinygrad_lstm.engine.node import Node

__all__ = ["Recorded", "record"]

ARRAY = "it asks whether something is an array (ask whether it is a Tensor, or what shape it has)"


class Recorded:
    """What comes of recording a function.

    Attributes
    ----------
    blueprint : Packed
        A `Blueprint`, or nothing.
    captured : Captured or None
        What the function found outside its arguments.
    reason : str
        Why there is no blueprint; empty otherwise.
    unsettled : bool
        Whether the function changes itself what it has captured. It may do so only once.
    """

    captured: Captured | None
    blueprint: Packed
    reason: str
    unsettled: bool

    def __init__(self, reason: str = "", captured: Captured | None = None) -> None:
        self.blueprint = Packed(Node)
        self.captured, self.reason, self.unsettled = captured, reason, False


def record(
    function: Callable[..., Any],
    args: Any,
    kwargs: Any,
    backend: str,
    passes: Collection[str],
) -> Recorded:
    """Record a function for arguments of one kind."""
    threads()  # what is found once in a process is not, while there is a graph
    for dtype in TYPES:
        gemm(dtype)
    captured = Captured(function, objects((args, kwargs)))
    if "ndarray" in captured.codes.reached:
        return Recorded(ARRAY, captured)
    if captured.goes_on:
        return Recorded("it takes from an iterator, which goes on each time", captured)
    found = Recorded("", captured)
    states = captured.states()
    tracer = Tracer(captured.generators, "contract" in passes)
    reason = ""
    try:
        given, known = abstracted(tracer, (args, kwargs))
        before = outline(given)
        with refused_print:
            program = trace(lambda: function(*given[0], **given[1]), known, tracer)
        if not same(before, outline(given)):
            raise Untraceable("it changes its arguments")
        if (edited := captured.edited()) is not None:
            raise Untraceable(f"{edited} is edited")
        if not same_state(captured.states(), states):
            raise Untraceable("it draws random numbers in code of its own")
    except Exception as error:  # whatever it is: the tape says it better
        reason = str(error) or type(error).__name__
    finally:
        captured.restore(states)
        what = captured.changed()
        captured.undo()
    if what is not None:
        reason = reason or f"it changes what it has captured: {what}"
    found.reason, found.unsettled = reason, what is not None
    if not reason:
        planned = Planned(program, backend, passes)
        found.blueprint.pack(Blueprint(program, planned, backend))
    return found
