"""What records NumPy's functions: how they are declared, and what they ask of their arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_lstm.compiler.abstract import FUNCTIONS, Abstract, Recorder
from tinygrad_lstm.compiler.graph import Dtype, Value

__all__ = ["array_dtype", "axes_of", "dtype_of", "of", "recorder_of", "records", "valued"]


def records(*functions: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare what records NumPy's `functions`."""

    def declare(ours: Callable[..., Any]) -> Callable[..., Any]:
        FUNCTIONS.update(dict.fromkeys(functions, ours))
        return ours

    return declare


def recorder_of(*args: Any) -> Recorder:
    """Who records what is computed from `args`."""
    return next(a.recorder for a in args if isinstance(a, Abstract))


def valued(recorder: Recorder, x: Any, dtype: Dtype | None = None) -> Value:
    """The value of an argument; numbers and arrays are constants of the graph. `dtype` is that of
    Python's numbers."""
    if isinstance(x, Abstract):
        return x.value
    return recorder.constant(np.asarray(x, dtype if isinstance(x, (int, float, complex)) else None))


def of(a: Abstract, value: Value) -> Abstract:
    """The abstract array of a value computed from `a`."""
    return a.recorder.abstract(value)


def kind_of(x: Any) -> Any:
    """What NumPy's promotion asks of an operand: Python's numbers are weak."""
    return type(x) if type(x) in (int, float, complex) else np.asarray(x).dtype


def dtype_of(x: Any) -> Any:
    return x.dtype if isinstance(x, Abstract) else kind_of(x)


def array_dtype(a: Any) -> Any:
    return a.dtype if isinstance(a, Abstract) else np.asarray(a).dtype


def axes_of(a: Any, axis: Any) -> set[int]:
    if axis is None:
        return set(range(a.ndim))
    return {int(i) % a.ndim if a.ndim else 0 for i in (axis if np.ndim(axis) else (axis,))}
