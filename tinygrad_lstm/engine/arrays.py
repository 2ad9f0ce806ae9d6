"""The types of what is computed with."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

__all__ = ["Array", "ArrayLike", "Params", "Seed", "Value"]

Array: TypeAlias = np.ndarray[Any, Any]

# What NumPy makes an array of numbers of. No str, and so no Sequence, which a str is.
ArrayLike: TypeAlias = Array | np.generic | complex | list[Any] | tuple[Any, ...] | range

# What a derivative rule runs on: an array, a Tensor or a symbol. They share NumPy's operators and
# functions, and no type says so.
Value: TypeAlias = Any

Params: TypeAlias = dict[str, Any]  # of an operation, such as its axis

Seed: TypeAlias = int | np.random.Generator | None
