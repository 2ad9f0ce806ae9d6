"""NumPy's functions that compute, on abstract arrays: ufuncs, reductions, products."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_lstm.compiler.abstract import Abstract, Untraceable
from tinygrad_lstm.compiler.arguments import (
    array_dtype,
    axes_of,
    dtype_of,
    of,
    recorder_of,
    records,
    valued,
)
from tinygrad_lstm.compiler.operations import ELEMENTWISE, REDUCTIONS, count

__all__: list[str] = []


# Entry by entry.


@functools.cache
def _resolved(ufunc: Any, kinds: tuple[Any, ...]) -> Any:
    """The dtypes in which a ufunc reads its operands, and that of its result."""
    return ufunc.resolve_dtypes((*kinds, None))


def _ufunc(ufunc: Any) -> Callable[..., Abstract]:
    name = ufunc.__name__  # a new text each time it is asked for

    def recorded(*inputs: Any) -> Abstract:
        recorder = recorder_of(*inputs)
        *read, result = _resolved(ufunc, tuple(map(dtype_of, inputs)))
        args = [valued(recorder, x, dtype) for x, dtype in zip(inputs, read, strict=True)]
        return recorder.abstract(recorder.build.elementwise(name, *args, dtype=result))

    return recorded


for _each in ELEMENTWISE.values():
    if isinstance(_each, np.ufunc):
        records(_each)(_ufunc(_each))


@records(np.where)
def _where(condition: Any, a: Any, b: Any) -> Abstract:
    recorder = recorder_of(condition, a, b)
    weak = [x if type(x) in (int, float, complex) else dtype_of(x) for x in (a, b)]
    dtype = np.result_type(*weak)
    args = [valued(recorder, condition), valued(recorder, a, dtype), valued(recorder, b, dtype)]
    return recorder.abstract(recorder.build.elementwise("where", *args, dtype=dtype))


def _filled(value: float) -> Callable[..., Any]:
    def like(a: Any, dtype: Any = None, **options: Any) -> Any:
        if options:
            raise Untraceable("an option of np.zeros_like")
        recorder = recorder_of(a)
        entry = recorder.constant(np.asarray(value, dtype or a.dtype))
        return recorder.abstract(recorder.build.broadcast(entry, a.shape))

    return like


records(np.zeros_like)(_filled(0))
records(np.ones_like)(_filled(1))


@records(np.clip)
def _clip(a: Any, a_min: Any = None, a_max: Any = None, **options: Any) -> Any:
    low, high = options.get("min", a_min), options.get("max", a_max)
    a = a if low is None else np.maximum(a, low)
    return a if high is None else np.minimum(a, high)


# Reductions and products.


def _reduction(op: str, ufunc: Any) -> Callable[..., Any]:
    def reduce(a: Any, axis: Any = None, dtype: Any = None, **options: Any) -> Any:
        keepdims = bool(options.pop("keepdims", False))
        options.pop("out", None)
        start = options.pop("initial", None)
        if options or (start is not None and not (op == "max" and start == -np.inf)):
            raise Untraceable(f"an option of np.{op}")
        axes, build = axes_of(a, axis), a.recorder.build
        if op in ("max", "min") and not count(a.shape, sorted(axes)):
            return a.recorder.call(ufunc.reduce, (a,), {"axis": axis, "initial": start})
        kind = ufunc.resolve_dtypes((a.dtype, a.dtype, None))[-1]
        if op in ("sum", "prod") and a.dtype.kind in "bi":
            kind = np.dtype(int)
        value = build.reduce(op, a.value, sorted(axes), np.dtype(dtype or kind))
        if keepdims:
            shape = tuple([1 if i in axes else n for i, n in enumerate(a.shape)])
            value = build.reshape(value, shape)
        return of(a, value)

    return reduce


for _op, _reducer in REDUCTIONS.items():
    _along = _reduction(_op, _reducer)
    records(getattr(np, _op))(_along)
    records(_reducer.reduce)(lambda a, axis=0, f=_along, **options: f(a, axis, **options))


@records(np.mean)
def _mean(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    n = count(a.shape, sorted(axes_of(a, axis)))
    if not n or a.dtype.kind not in "fc":
        return a.recorder.call(np.mean, (a,), {"axis": axis, "keepdims": keepdims})
    return np.sum(a, axis=axis, keepdims=keepdims) / n


@records(np.matmul)
def _matmul(a: Any, b: Any) -> Any:
    recorder = recorder_of(a, b)
    ndims = np.ndim(a), np.ndim(b)
    if ndims[0] > 2 and ndims[1] in (1, 2):  # each row of a stack with one matrix
        rows = _matmul(np.reshape(a, (-1, np.shape(a)[-1])), b)
        return np.reshape(rows, (*np.shape(a)[:-1], *np.shape(b)[1:]))
    if 0 in ndims or max(ndims) > 2 or array_dtype(a) != array_dtype(b):
        return recorder.call(np.matmul, (a, b), {})
    x, y = valued(recorder, a), valued(recorder, b)
    if x.shape[-1] != y.shape[0]:
        raise ValueError(f"matmul: shapes {x.shape} and {y.shape} do not fit")
    build, dtype = recorder.build, x.dtype
    if ndims == (1, 1):
        return recorder.abstract(build.dot(x, y, dtype))
    shape = (*x.shape[:-1], *y.shape[1:])
    rows = build.reshape(x, (1, x.shape[0])) if x.ndim == 1 else x
    columns = build.reshape(y, (y.shape[0], 1)) if y.ndim == 1 else y
    return recorder.abstract(build.reshape(build.matmul(rows, columns, dtype), shape))


@records(np.dot)
def _dot(a: Any, b: Any) -> Any:
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return np.multiply(a, b)
    if np.ndim(b) > 2:
        return recorder_of(a, b).call(np.dot, (a, b), {})
    return _matmul(a, b)


@records(np.outer)
def _outer(a: Any, b: Any) -> Any:
    return np.multiply(np.reshape(a, (-1, 1)), np.reshape(b, (1, -1)))


@records(np.tensordot)
def _tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    if np.ndim(axes) == 0:
        return _summed(a, b, range(np.ndim(a) - axes, np.ndim(a)), range(axes))
    return _summed(a, b, *(np.atleast_1d(part).tolist() for part in axes))


def _summed(a: Any, b: Any, of_a: Sequence[int], of_b: Sequence[int]) -> Any:
    """The sum of products over pairs of axes: the other axes of `a`, then those of `b`."""
    free, shape = [], []
    for x, summed in ((a, of_a), (b, of_b)):
        taken = {i % np.ndim(x) for i in summed}
        free.append([i for i in range(np.ndim(x)) if i not in taken])
        shape += [np.shape(x)[i] for i in free[-1]]
    n = count(np.shape(a), of_a)
    if [np.shape(a)[i] for i in of_a] != [np.shape(b)[i] for i in of_b]:
        raise ValueError("the axes that are summed have different lengths")
    rows = np.reshape(np.transpose(a, (*free[0], *of_a)), (count(np.shape(a), free[0]), n))
    columns = np.reshape(np.transpose(b, (*of_b, *free[1])), (n, count(np.shape(b), free[1])))
    return np.reshape(np.matmul(rows, columns), shape)


@records(np.einsum)
def _einsum(subscripts: str, *operands: Any, optimize: Any = False) -> Any:
    """One product, where two factors are summed over what they share; else a call."""
    terms, arrow, output = subscripts.replace(" ", "").partition("->")
    first, _, second = terms.partition(",")
    shared = sorted(set(first) & set(second))
    left = [i for i in first + second if i not in shared]
    output = output if arrow else "".join(sorted(left))
    once = len(set(first)) == len(first) and len(set(second)) == len(second)
    if not (shared and once and (first + second + output).isalpha() and set(left) == set(output)):
        given = (subscripts, *operands)
        return recorder_of(*operands).call(np.einsum, given, {"optimize": optimize})
    found = _summed(*operands, *([term.index(i) for i in shared] for term in (first, second)))
    return np.transpose(found, [left.index(i) for i in output])
