"""The types of what is computed with."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

__all__ = ["Array", "ArrayLike", "Seed"]

Array: TypeAlias = np.ndarray[Any, Any]

# What NumPy makes an array of numbers of. No str, and so no Sequence, which a str is.
ArrayLike: TypeAlias = Array | np.generic | complex | list[Any] | tuple[Any, ...] | range

Seed: TypeAlias = int | np.random.Generator | None
