"""The numbers of a page: each array once, eight bytes an entry, as one text."""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np

__all__ = ["MOST", "Store", "listed"]

MOST = 36  # entries of an array that are listed; a larger one has its sum
EXACT = 2**53  # the whole numbers up to here are floats


class Store:
    """A page's arrays. :meth:`add` says the number by which the page finds one again."""

    def __init__(self) -> None:
        self._found: dict[Any, int] = {}
        self._forms: dict[tuple[tuple[int, ...], np.dtype], int] = {}
        self._arrays: list[Any] = []
        self._numbers: list[bytes] = []

    def add(self, value: Any) -> int:
        """Keep an array; its number."""
        array = np.asarray(value)
        form = self._forms.setdefault((array.shape, array.dtype), len(self._forms))
        key = (form, array.tobytes())
        if key not in self._found:
            self._found[key] = len(self._arrays)
            self._arrays.append(self._kept(array, form))
        return self._found[key]

    def _kept(self, array: np.ndarray, form: int) -> Any:
        if array.size > MOST or not _fits(array):
            return listed(array)
        self._numbers.append(array.astype("<f8").tobytes())
        return form

    def data(self) -> dict[str, Any]:
        """What the page decodes: ``numbers``, base 64 of little-endian doubles; ``forms``, the
        shapes and dtypes; and of each array the number of its form, or the array as :func:`listed`
        has it."""
        return {
            "numbers": base64.b64encode(b"".join(self._numbers)).decode(),
            "forms": [[list(shape), str(dtype), math.prod(shape)] for shape, dtype in self._forms],
            "arrays": self._arrays,
        }


def _fits(array: np.ndarray) -> bool:
    """Whether doubles hold all entries exactly."""
    if array.dtype.kind in "iu":
        return not array.size or max(abs(int(array.min())), abs(int(array.max()))) <= EXACT
    return array.dtype.kind == "b" or (array.dtype.kind == "f" and array.dtype.itemsize <= 8)


def listed(value: Any) -> dict[str, Any]:
    """An array as JSON can hold it, without rounding: its entries, or of a large one their sum."""
    value = np.asarray(value)
    found: dict[str, Any] = {"shape": list(value.shape), "dtype": str(value.dtype)}
    if value.size <= MOST:
        return found | {"entries": [_plain(x) for x in value.reshape(-1)]}
    return found | {"sum": _plain(value.sum())}


def _plain(x: Any) -> Any:
    """A number as JSON can hold it: text where it is not finite or has more digits than a float, a
    pair where it is complex."""
    if np.iscomplexobj(x):
        return [_plain(x.real), _plain(x.imag)]
    if isinstance(x, np.bool_):
        return bool(x)
    if isinstance(x, np.integer):
        return int(x) if abs(int(x)) <= EXACT else str(x)
    return float(x) if np.isfinite(x) else str(x)
