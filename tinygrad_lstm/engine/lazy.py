"""Gradients that are added to a total without being made an array first, since that is less work:
the entries at one index, and the products of a weight that blocks share."""

from __future__ import annotations

from operator import is_
from typing import Any

import numpy as np
from numpy import ndarray

from tinygrad_lstm.engine.arrays import Value
from tinygrad_lstm.engine.memory import add_at
from tinygrad_lstm.engine.node import Node

__all__ = ["Adding", "Lazy", "Product", "Sparse", "product"]

ROWS = 512  # so many rows are multiplied at once
ENTRIES = 1024  # of a product, from which on it takes longer to add it than to keep its factors


class Lazy:
    """A gradient that `Adding` adds to a total, and NumPy makes an array of.

    Attributes
    ----------
    shape : tuple of int
    dtype : dtype
    """

    __slots__ = ()

    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def astype(self, dtype: Any) -> np.ndarray:
        """The array, in another dtype."""
        return np.asarray(self, dtype)


class Sparse(Lazy):
    """A gradient that is 0 but for the entries at one index: what reading a few entries of a large
    value sends back, at the cost of those few.

    Parameters
    ----------
    entries : ndarray
        What is added at ``[key]``, repeated indices adding up.
    key : index
        Where, as in ``x[key]``.
    shape : tuple of int
        The shape of the whole.
    """

    __slots__ = ("dtype", "entries", "key", "shape")

    def __init__(self, entries: np.ndarray, key: Any, shape: tuple[int, ...]) -> None:
        self.entries, self.key, self.shape = entries, key, shape
        self.dtype = entries.dtype

    def add_to(self, total: np.ndarray) -> None:
        """Add it to `total`, in place."""
        add_at(total, self.entries, self.key)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        whole = np.zeros(self.shape, self.dtype if dtype is None else dtype)
        self.add_to(whole)
        return whole


def product(left: Value, right: Value) -> Value:
    """``left.T @ right`` of matrices with a row for each example: a :class:`Product` of arrays with
    few rows and many columns."""
    if type(left) is not ndarray or type(right) is not ndarray:
        return left.T @ right
    worth = left.shape[1] * right.shape[1] >= ENTRIES and len(left) < ROWS
    if worth and left.dtype is right.dtype and left.dtype.kind == "f":
        return Product(left, right)
    return left.T.dot(right)


class Product(Lazy):
    """A gradient that is the product ``left.T @ right``, kept as its factors: what the blocks send
    back to a weight that they share becomes one product of all their rows, in the place of a
    product and a sum for each block.

    Parameters
    ----------
    left, right : ndarray, shapes (n, k) and (n, m)
        The factors, with a row for each example.
    """

    __slots__ = ("dtype", "left", "right", "shape")

    def __init__(self, left: np.ndarray, right: np.ndarray) -> None:
        self.left, self.right, self.dtype = left, right, left.dtype
        self.shape = (left.shape[1], right.shape[1])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        whole: np.ndarray = np.dot(self.left.T, self.right)
        return whole if dtype is None else whole.astype(dtype)


class Adding:
    """Adds lazy gradients to totals.

    Parameters
    ----------
    totals : dict
        The totals by value.

    Attributes
    ----------
    own : set
        The values whose total may be written to, since it is an array made while adding.
    products : dict
        By value, those that wait to be added, until there are enough rows.
    """

    def __init__(self, totals: dict[Node, Value]) -> None:
        self._totals = totals
        self.own: set[Node] = set()
        self.products: dict[Node, list[Product]] = {}
        self._read: list[np.ndarray] = []
        self._rows = np.empty(0)

    def add(self, x: Node, gradient: Value) -> None:
        """Add a gradient to the total of `x`."""
        if isinstance(gradient, Product):
            waiting = self.products.setdefault(x, [])
            waiting.append(gradient)
            if len(waiting) * len(gradient.left) >= ROWS:
                self.settle(x)
            return
        if x not in self.own:
            total = self._totals.get(x)
            self._totals[x] = np.zeros(x.shape, x.dtype) if total is None else np.array(total)
            self.own.add(x)
        gradient.add_to(self._totals[x])

    def settle(self, *values: Node) -> None:
        """Add the products that wait."""
        for x in values:
            waiting = self.products.pop(x)
            left = np.concatenate([product.left for product in waiting])
            total = np.dot(left.T, self._stacked([product.right for product in waiting]))
            if x in self._totals:
                total += self._totals[x]
            self._totals[x] = total
            self.own.add(x)

    def _stacked(self, read: list[np.ndarray]) -> np.ndarray:
        """The rows of arrays under each other; once, where several weights are applied to them."""
        if not (len(read) == len(self._read) and all(map(is_, read, self._read))):
            self._read, self._rows = read, np.concatenate(read)
        return self._rows
