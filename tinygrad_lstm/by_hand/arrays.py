"""Numbers, and the one function of them that NumPy does not have."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["Arrays", "array", "sigmoid"]

Arrays = dict[str, np.ndarray]


@np.errstate(over="ignore")  # exp(-s) is inf where the gate is shut
def sigmoid(s: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-s)))


def array(value: Any, dtype: Any = None) -> np.ndarray:
    """The numbers of a Tensor as they are, of anything else in `dtype`."""
    return np.asarray(value._array if hasattr(value, "_array") else np.asarray(value, dtype))
