"""Something as bytes, for as long as what it was made from is there.

Python gives memory back in pieces of a megabyte, each when nothing is left in it. What outlives a
graph would lie here and there between its values, and hold all of their memory.
"""

from __future__ import annotations

import io
import pickle
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["Packed"]

LARGE = 1 << 16  # bytes of an array that is not copied


class Packed:
    """Holds one thing as bytes, and objects in it that are not its own as they are. It is made
    before, and takes no memory then but for long bytes and the blocks of a deque, which lie
    elsewhere.

    Parameters
    ----------
    *kinds : type
        Which objects are kept as they are. So are functions, and large arrays.
    """

    def __init__(self, *kinds: type) -> None:
        self._kinds = kinds
        self._bytes = b""
        self._kept: deque[Any] = deque()

    def pack(self, x: Any) -> None:
        """Hold this."""
        file = io.BytesIO()
        _Writer(file, self._number).dump(x)
        self._bytes = file.getvalue()

    def unpacked(self) -> Any:
        """What is held."""
        return _Reader(io.BytesIO(self._bytes), self._found).load()

    def __bool__(self) -> bool:
        return bool(self._bytes)

    def _number(self, x: Any) -> Any:
        """What stands for an object that is kept as it is, and for what NumPy would pickle in more
        words."""
        if isinstance(x, np.dtype) and x.isbuiltin:
            return x.str
        if isinstance(x, (np.ndarray, np.generic)) and x.dtype.isbuiltin and x.nbytes <= LARGE:
            return np.asarray(x).tobytes(), x.dtype, x.shape
        called = callable(x) and not isinstance(x, type)
        if called or isinstance(x, (np.ndarray, *self._kinds)):
            self._kept.append(x)
            return len(self._kept) - 1
        return None

    def _found(self, number: Any) -> Any:
        if isinstance(number, int):
            return self._kept[number]
        if isinstance(number, str):
            return np.dtype(number)
        data, dtype, shape = number
        return np.frombuffer(data, dtype).reshape(shape)[()]


class _Writer(pickle.Pickler):
    def __init__(self, file: io.BytesIO, number: Callable[[Any], Any]) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._number = number

    def persistent_id(self, x: Any) -> Any:
        return self._number(x)


class _Reader(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, found: Callable[[Any], Any]) -> None:
        super().__init__(file)
        self._found = found

    def persistent_load(self, number: Any) -> Any:
        return self._found(number)
