"""The operations of a graph: which there are, and what they compute entry by entry."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_lstm.compiler.graph import Dtype, Shape, Value

__all__ = [
    "COMMUTATIVE",
    "ELEMENTWISE",
    "LEAVES",
    "REDUCTIONS",
    "VIEWS",
    "accumulates",
    "arranged",
    "compute",
    "count",
    "number",
]

ELEMENTWISE: dict[str, Any] = {
    **{
        name: ufunc
        for name in dir(np)
        if isinstance(ufunc := getattr(np, name), np.ufunc)
        and ufunc.signature is None
        and ufunc.nout == 1
        and ufunc.__name__ == name
    },
    "where": np.where,
    "cast": None,
    "formula": None,
}
"""The operations that compute each entry from one entry of each argument, with broadcasting."""

REDUCTIONS: dict[str, Any] = {
    "sum": np.add,
    "prod": np.multiply,
    "max": np.maximum,
    "min": np.minimum,
}
COMMUTATIVE = {"add", "multiply", "maximum", "minimum"}
VIEWS = {"cut", "transpose", "reshape", "broadcast"}
LEAVES = {"input", "constant", "number", "draw"}


def number(value: Value) -> Any:
    """What a value of the operation ``"number"`` is."""
    return _number(value.attrs[0], value.dtype)


@functools.lru_cache(maxsize=1024)
def _number(data: bytes, dtype: Dtype) -> Any:
    return np.frombuffer(data, dtype)[0]


def arranged(op: str, args: tuple[Value, ...]) -> tuple[Value, ...]:
    """Arguments of an elementwise operation, in an order of their own where it does not matter."""
    return args[::-1] if op in COMMUTATIVE and args[0].number > args[1].number else args


def accumulates(product: Value, x: Value) -> bool:
    """Whether a product is computed into the place of `x`, to which it adds."""
    return product.op == "matmul" and len(product.args) % 2 == 1 and product.args[-1] is x


def compute(op: str, args: list[Any], dtype: Dtype) -> NDArray[Any]:
    """What an elementwise operation makes of arrays."""
    if op == "cast":
        return np.asarray(args[0]).astype(dtype)
    return np.asarray(ELEMENTWISE[op](*args)).astype(dtype, copy=False)


def count(shape: Shape, axes: Sequence[int]) -> int:
    """How many entries a reduction over `axes` sums for each of its results."""
    return math.prod(shape[i] for i in axes)
