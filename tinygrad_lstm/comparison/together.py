"""Operations on many values at once, which stand along a new first axis: a few NumPy calls for all
of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_lstm.comparison.chain import Edge, edge
from tinygrad_lstm.comparison.formulas import Formulas
from tinygrad_lstm.comparison.responses import diagonal, is_diagonal
from tinygrad_lstm.derivation.expression import Apply, Expression, parts
from tinygrad_lstm.engine.tape import Branch
from tinygrad_lstm.engine.walk import sent as send
from tinygrad_lstm.ops.select import scatter

__all__ = ["Rules", "together"]

Params = Mapping[str, Any]
Known = Callable[[Sequence[np.ndarray], Params, tuple[int, ...]], np.ndarray | None]


def together(part: Apply, args: Sequence[np.ndarray], params: Params) -> np.ndarray | None:
    """An operation on several values at once; None where it is not known how.

    Parameters
    ----------
    part : Apply
        The operation, and the shape of one result.
    args : sequence of ndarray
        What it is applied to, the values along the first axis, or one for all.
    params : mapping
        Its parameters.
    """
    if part.op.elementwise:
        return np.asarray(part.op.forward(*_aligned(args), **params))
    known = KNOWN.get(part.op.name)
    return known(args, params, part.shape) if known else None


def _aligned(args: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Arrays of one number of axes, as NumPy broadcasts what is behind the first axis."""
    ndim = max(a.ndim for a in args)
    return [a.reshape(len(a), *(1,) * (ndim - a.ndim), *a.shape[1:]) for a in args]


def _product(args: Sequence[np.ndarray], params: Params, shape: Any) -> np.ndarray | None:
    a, b = args
    return np.matmul(a, b) if a.ndim == b.ndim >= 3 else None


def _reduced(reduce: Callable[..., Any]) -> Known:
    def all_of(args: Sequence[np.ndarray], params: Params, shape: Any) -> np.ndarray:
        axis, ndim = params.get("axis"), args[0].ndim - 1
        axes = range(ndim) if axis is None else (int(a) % ndim for a in np.atleast_1d(axis))
        moved = {**params, "axis": tuple(a + 1 for a in axes)}
        return np.asarray(reduce(args[0], **moved))

    return all_of


def _turned(args: Sequence[np.ndarray], params: Params, shape: Any) -> np.ndarray:
    ndim, axes = args[0].ndim - 1, params.get("axes")
    order = range(ndim)[::-1] if axes is None else [int(a) % ndim for a in axes]
    return args[0].transpose(0, *(a + 1 for a in order))


def _swapped(args: Sequence[np.ndarray], params: Params, shape: Any) -> np.ndarray:
    ndim = args[0].ndim - 1
    one, other = (params.get(f"axis{i}", -i) % ndim + 1 for i in (1, 2))
    return args[0].swapaxes(one, other)


def _reshaped(args: Sequence[np.ndarray], params: Params, shape: tuple[int, ...]) -> np.ndarray:
    return args[0].reshape(len(args[0]), *shape)


def _spread(args: Sequence[np.ndarray], params: Params, shape: tuple[int, ...]) -> np.ndarray:
    x = args[0]
    x = x.reshape(len(x), *(1,) * (len(shape) + 1 - x.ndim), *x.shape[1:])
    return np.broadcast_to(x, (len(x), *shape))


def _picked(args: Sequence[np.ndarray], params: Params, shape: Any) -> np.ndarray | None:
    key = _behind(params.get("key", ...))
    return None if key is None else args[0][key]


def _put(args: Sequence[np.ndarray], params: Params, shape: tuple[int, ...]) -> np.ndarray | None:
    key, x = _behind(params.get("key", ...)), args[0]
    if key is None:
        return None
    return np.asarray(scatter.op.forward(x, key=key, shape=(len(x), *shape)))


def _behind(key: Any) -> tuple[Any, ...] | None:
    """An index behind the first axis; None for several arrays, whose axes NumPy puts first."""
    keys = key if isinstance(key, tuple) else (key,)
    arrays = [k for k in keys if isinstance(k, (np.ndarray, list))]
    if len(arrays) > 1 or (arrays and any(isinstance(k, (int, np.integer)) for k in keys)):
        return None
    return (slice(None), *keys)


def _joined(args: Sequence[np.ndarray], params: Params, shape: tuple[int, ...]) -> np.ndarray:
    count = max(map(len, args))
    whole = [np.broadcast_to(a, (count, *a.shape[1:])) for a in args]
    return np.concatenate(whole, axis=params.get("axis", 0) % len(shape) + 1)


def _added(args: Sequence[np.ndarray], params: Params, shape: Any) -> np.ndarray:
    first, *others = _aligned(args)
    return np.asarray(sum(others, first))


KNOWN: dict[str, Known] = {
    "matmul": _product,
    "sum": _reduced(np.sum),
    "mean": _reduced(np.mean),
    "transpose": _turned,
    "swapaxes": _swapped,
    "reshape": _reshaped,
    "expand_dims": _reshaped,
    "squeeze": _reshaped,
    "broadcast_to": _spread,
    "index": _picked,
    "scatter": _put,
    "concatenate": _joined,
    "add_n": _added,
}


class Rules:
    """The rules of a tape on several gradients at once.

    Parameters
    ----------
    formulas : Formulas
        The rules as formulas.
    """

    def __init__(self, formulas: Formulas) -> None:
        self._formulas = formulas
        self._diagonals: dict[Edge, np.ndarray] = {}
        self._steps: dict[Edge, list[tuple[Apply, list[Any]]] | None] = {}

    def sent(self, branch: Branch, x: Any, g: np.ndarray) -> np.ndarray:
        """What the stage of a branch sends back to `x`, for each of the gradients that arrive."""
        key, node = edge(branch), branch.stage.output
        if is_diagonal(node, x):
            if key not in self._diagonals:
                self._diagonals[key] = diagonal(node, branch.argument).reshape(x.shape)
            return np.asarray(g * self._diagonals[key])
        if key not in self._steps:
            self._steps[key] = self._moving(branch)
        found = self._run(self._steps[key], g)
        if found is None or found.shape != (len(g), *x.shape):
            self._steps[key] = None  # one by one, then
            found = np.stack([np.asarray(send(node, branch.argument, one)) for one in g])
        return found

    def _moving(self, branch: Branch) -> list[tuple[Apply, list[Any]]] | None:
        """What a rule computes of the gradient that arrives, each step with its arguments: numbers
        of earlier steps, 0 for the gradient, and arrays, which are the same for all; None where
        nothing comes of the gradient."""
        rule = self._formulas.rule(branch)
        place = {id(self._formulas.gradient_leaf(branch.stage.output)): 0}
        arrays: dict[int, Any] = {}
        steps: list[tuple[Apply, list[Any]]] = []
        for part in parts(rule):
            if id(part) in place:
                continue
            if not isinstance(part, Apply):
                arrays[id(part)] = part.array
            elif any(id(arg) in place for arg in part.args):
                steps.append((part, [self._argument(arg, place, arrays) for arg in part.args]))
                place[id(part)] = len(steps)
            else:
                args = [arrays[id(arg)] for arg in part.args]
                arrays[id(part)] = part.op.forward(*args, **part.params)
        return steps if id(rule) in place else None

    @staticmethod
    def _argument(arg: Expression, place: dict[int, int], arrays: dict[int, Any]) -> Any:
        step = place.get(id(arg))
        return np.asarray(arrays[id(arg)])[None] if step is None else step

    @staticmethod
    def _run(steps: list[tuple[Apply, list[Any]]] | None, g: np.ndarray) -> np.ndarray | None:
        if steps is None:
            return None
        done = [g]
        for part, args in steps:
            found = together(
                part, [done[a] if isinstance(a, int) else a for a in args], part.params
            )
            if found is None:
                return None
            done.append(found)
        return done[-1]
