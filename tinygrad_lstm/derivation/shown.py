"""How numbers, arrays and parameters are written."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lstm.engine.memory import SCALARS

__all__ = ["WRITTEN", "same", "shown", "sliced"]

WRITTEN = (  # parameters of these types; a function or a generator says nothing in a formula
    *(*SCALARS, str, type(None), type(...), type, np.dtype, np.ndarray),
    *(tuple, list, slice),
)


def same(usual: Any, value: Any) -> bool:
    """Whether a parameter is what it is by default."""
    if usual is None or isinstance(value, np.ndarray):  # None == np.dtype(float), to NumPy
        return usual is value
    return bool(usual == value)


def shown(value: Any, exact: bool = False) -> str:
    """A number, array or index as it is written, a long array by its shape. An exact number is
    written with all its digits."""
    if isinstance(value, str):
        return repr(value)
    if isinstance(value, (bool, np.bool_)) or value is None:
        return str(value)
    if isinstance(value, SCALARS):
        brief = f"{value:.6g}"
        return (brief if not exact or type(value)(brief) == value else str(value)).replace("-", "−")
    if isinstance(value, np.ndarray):
        if value.size > 9:
            return f"array{value.shape}"
        text = np.array2string(
            value, separator=" ", formatter={"float_kind": "{:.4g}".format, "int_kind": str}
        )
        return " ".join(text.replace("-", "−").split())
    if isinstance(value, (tuple, list)):
        return f"({', '.join(map(shown, value))}{',' * (len(value) == 1)})"
    if isinstance(value, slice):
        return sliced(value, "", "")
    return "..." if value is Ellipsis else getattr(value, "__name__", str(value))


def sliced(part: slice, start: str, stop: str) -> str:
    """A slice between two written bounds, or between its own, of which 0 is left out."""
    start = start or ("" if part.start in (None, 0) else str(part.start))
    stop = stop or ("" if part.stop is None else str(part.stop))
    return f"{start}:{stop}" + (f":{part.step}" if part.step not in (None, 1) else "")
