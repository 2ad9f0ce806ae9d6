"""The index arrays of a tape: what may be picked by mistake."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.tape import Tape

__all__ = ["Indices", "Where", "arrays", "exchanged", "is_binary", "put"]

MIRROR = "turned"  # a step: that in the mirror image of time
Where = tuple[str, int | None]
"""The name of a parameter, and which entry of it, where it is a tuple."""


class Indices:
    """The index arrays, by what reads them and by block.

    Parameters
    ----------
    tape : Tape
        The tape.
    role : callable
        What a value is called in every block.
    block : callable
        The block of a value.
    mirror : callable
        The mirror image of a block.
    """

    def __init__(
        self,
        tape: Tape,
        role: Callable[[Any], str],
        block: Callable[[Any], int | None],
        mirror: Callable[[int], int],
    ) -> None:
        self._mirror = mirror
        self._arrays: dict[Any, dict[int | None, np.ndarray]] = defaultdict(dict)
        for node in (stage.output for stage in tape.stages):
            found = [*arrays(node._params)]
            read = enumerate(node._inputs)
            found += [((f"#{k}", None), x._array) for k, x in read if _is_index(x)]
            read = enumerate(node._inputs)
            found += [((f"1#{k}", None), a) for k, x in read if (a := _ones(x)) is not None]
            for where, array in found:
                self._arrays[role(node), where][block(node)] = array

    def near(self, array: np.ndarray, at: int | None) -> Iterator[tuple[Any, int | str]]:
        """Others of the shape of `array` near a block, and how far away they are; or in its mirror
        image of time."""
        for role, by_block in self._arrays.items():
            alone = _alone(by_block, at)
            blocks: list[tuple[int | str, np.ndarray]] = [(0, alone)] if alone is not None else []
            if at is not None and alone is None:
                there: dict[int | str, int] = {-1: at - 1, 1: at + 1, 0: at}
                there[MIRROR] = self._mirror(at)
                blocks = [(k, by_block[b]) for k, b in there.items() if b in by_block]
            for step, other in blocks:
                if other.shape == array.shape and not np.array_equal(other, array):
                    yield role, step

    def of(self, role: Any, at: int | None, shift: int | str) -> np.ndarray:
        """The index array of a role, so many blocks from a block, or in its mirror image; outside
        of all blocks the one that :meth:`near` has.

        Raises
        ------
        KeyError
            If there is none.
        """
        alone = _alone(self._arrays[role], at)
        there = self._mirror(at or 0) if isinstance(shift, str) else (at or 0) + shift
        by_block = self._arrays[role]
        if there == min((b for b in by_block if b is not None), default=there) - 1:
            there = max(b for b in by_block if b is not None)  # as Python counts on from the end
        return by_block[there] if alone is None else alone


def _alone(by_block: Mapping[int | None, np.ndarray], at: int | None) -> np.ndarray | None:
    """The array of a role where blocks do not count; None where they do."""
    if at is not None and None not in by_block:
        return None
    alone: np.ndarray = by_block.get(None, next(iter(by_block.values())))
    return alone


def arrays(params: Mapping[str, Any]) -> Iterator[tuple[Where, np.ndarray]]:
    """The index arrays among the parameters of an operation, and where they are."""
    for name, value in params.items():
        for k, v in enumerate(value) if isinstance(value, tuple) else ((None, value),):
            if isinstance(v, np.ndarray) and v.dtype.kind in "iu" and v.size:
                yield (name, k), v
            elif name == "key" and isinstance(v, (int, np.integer)) and not isinstance(v, bool):
                yield (name, k), np.asarray(v)


def put(params: Mapping[str, Any], where: Where, array: np.ndarray) -> Mapping[str, Any]:
    """Parameters with another index array."""
    name, k = where
    other = array if array.ndim else array.item()
    value = other if k is None else (*params[name][:k], other, *params[name][k + 1 :])
    return {**params, name: value}


def exchanged(params: Mapping[str, Any], one: Where, other: Where) -> Mapping[str, Any]:
    """Parameters with two index arrays exchanged, each of a tuple."""
    (name, j), (also, k) = one, other
    first, second = (np.asarray(params[n][m]) for n, m in ((name, j), (also, k)))
    return put(put(params, one, second), other, first)


def _is_index(x: Any) -> bool:
    """Whether a value is read as an index array: integers that nothing computed."""
    return isinstance(x, Node) and x._op is None and x.dtype.kind in "iu" and x._array.size > 0


def is_binary(x: Any) -> bool:
    """Whether a value is a constant of zeros and ones: a mask, or one-hot."""
    if not isinstance(x, Node) or x._op is not None or x._requires_grad:
        return False
    return bool(np.all((x._array == 0) | (x._array == 1)))


def _ones(x: Any) -> np.ndarray | None:
    """Where the ones of a constant are that is one-hot, in all or in each row; None of others."""
    if not is_binary(x) or x._array.size < 2:
        return None
    array = x._array
    if np.count_nonzero(array) == 1:
        return np.asarray(np.argmax(array))
    each = array.ndim == 2 and np.all(np.count_nonzero(array, axis=1) == 1)
    return np.argmax(array, axis=1) if each else None
