"""The formulas of a small graph as data, for a page that computes forward and backward again when a
leaf is moved."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygrad_lstm.derivation.expression import Apply, Expression, Leaf, number, parts
from tinygrad_lstm.engine.memory import array_of
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.tape import Stage, Tape

__all__ = ["MARK", "computed", "is_small", "written"]

MOST = 2000  # entries of all values together
# around a number it stands for a value; a letter, so that a name made of it is written as any other
MARK = "\ua66e"

Formula = list[Any]


def is_small(tape: Tape) -> bool:
    """Whether a page can compute the graph again: a few doubles."""
    arrays = [array_of(x) for x in tape.values]
    return sum(a.size for a in arrays) <= MOST and all(a.dtype == np.float64 for a in arrays)


def computed(stage: Stage, index: Mapping[int, int]) -> Formula | None:
    """What a stage computes; values are called by their numbers in `index`."""
    node = stage.output
    args = [
        Leaf(value, f"{MARK}{index.get(id(x), '')}{MARK}") if isinstance(x, Node) else number(value)
        for x, value in zip(node._inputs, node._values, strict=True)
    ]
    return written(Apply(node._op, tuple(args), node._params, np.shape(node._array)))


def written(e: Expression) -> Formula | None:
    """A formula as nested lists, or None where it cannot be written so.

    ``["value", i]``, ``["gradient", i]``, ``["number", shape, entries]``, or an operation: its
    name, the shape of what it computes, its parameters, and its arguments.
    """
    found: dict[int, Formula] = {}
    try:
        for part in parts(e):
            found[id(part)] = _leaf(part) if isinstance(part, Leaf) else _applied(part, found)
    except (TypeError, ValueError):  # a value that has no number, a parameter that is no plain one
        return None
    return found[id(e)]


def _leaf(leaf: Leaf) -> Formula:
    if leaf.name is None:
        array = np.asarray(leaf.array, np.float64)
        return ["number", list(array.shape), [_plain(float(x)) for x in array.reshape(-1)]]
    return ["gradient" if leaf.gradient else "value", int(leaf.name.strip(MARK))]


def _applied(e: Apply, found: Mapping[int, Formula]) -> Formula:
    params = {
        name: _key(value) if name == "key" else _plain(value) for name, value in e.params.items()
    }
    return [e.op.name, list(e.shape), params, *(found[id(arg)] for arg in e.args)]


def _key(key: Any) -> list[Any]:
    """An index as a list of positions and slices, ``[start, stop, step]``."""
    return [
        [_plain(k.start), _plain(k.stop), _plain(k.step)] if isinstance(k, slice) else int(k)
        for k in (key if isinstance(key, tuple) else (key,))
    ]


def _plain(value: Any) -> Any:
    """A parameter as JSON can hold it; a number that is not finite by the name it has in a page."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (np.dtype, type)):
        return str(np.dtype(value))
    return [_plain(v) for v in value]
