"""NumPy's functions that move entries, on abstract arrays: views, indexing, joining."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_lstm.compiler.abstract import Abstract, Untraceable
from tinygrad_lstm.compiler.arguments import array_dtype, axes_of, of, recorder_of, records, valued
from tinygrad_lstm.compiler.graph import Shape

__all__ = ["basic", "placed"]

# Views.


@records(np.reshape)
def _reshape(a: Any, shape: Any, order: str = "C") -> Any:
    if order != "C":
        raise Untraceable("reshape in an order other than C")
    lengths = [int(n) for n in (shape if isinstance(shape, (tuple, list)) else (shape,))]
    if lengths.count(-1) == 1:
        known = math.prod(n for n in lengths if n != -1)
        lengths[lengths.index(-1)] = a.size // known if known else 0
    if math.prod(lengths) != a.size:
        raise ValueError(f"cannot reshape array of size {a.size} into shape {shape}")
    return of(a, a.recorder.build.reshape(a.value, lengths))


@records(np.ravel)
def _ravel(a: Any) -> Any:
    return _reshape(a, -1)


@records(np.transpose, np.permute_dims)
def _transpose(a: Any, axes: Any = None) -> Any:
    order = tuple(range(a.ndim))[::-1] if axes is None else tuple([int(i) % a.ndim for i in axes])
    return of(a, a.recorder.build.transpose(a.value, order))


@records(np.swapaxes)
def _swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    order = list(range(a.ndim))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return _transpose(a, order)


@records(np.moveaxis)
def _moveaxis(a: Any, source: Any, destination: Any) -> Any:
    from_, to = (
        [int(i) % a.ndim for i in (x if np.ndim(x) else (x,))] for x in (source, destination)
    )
    order = [i for i in range(a.ndim) if i not in from_]
    for place, axis in sorted(zip(to, from_, strict=True)):
        order.insert(place, axis)
    return _transpose(a, order)


@records(np.expand_dims)
def _expand_dims(a: Any, axis: Any) -> Any:
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    ndim = a.ndim + len(axes)
    new = {i % ndim for i in axes}
    rest = iter(a.shape)
    return _reshape(a, tuple([1 if i in new else next(rest) for i in range(ndim)]))


@records(np.squeeze)
def _squeeze(a: Any, axis: Any = None) -> Any:
    gone = axes_of(a, axis) if axis is not None else {i for i, n in enumerate(a.shape) if n == 1}
    return _reshape(a, tuple([n for i, n in enumerate(a.shape) if i not in gone]))


@records(np.broadcast_to)
def _broadcast_to(a: Any, shape: Any) -> Any:
    shape = tuple(shape) if np.ndim(shape) else (int(shape),)
    if np.broadcast_shapes(a.shape, shape) != shape:
        raise ValueError(f"cannot broadcast {a.shape} to {shape}")
    return of(a, a.recorder.build.broadcast(a.value, shape))


@records(np.copy, np.real_if_close)
def _copy(a: Any) -> Any:
    return a


@records(np.array2string, np.array_repr, np.array_str)
def _printed(*args: Any, **kwargs: Any) -> str:
    raise Untraceable("its value is printed", "print what the function returns")


@records(np.shape)
def _shape(a: Any) -> Shape:
    return tuple(a.shape)


@records(np.ndim)
def _ndim(a: Any) -> int:
    return int(a.ndim)


@records(np.size)
def _size(a: Any) -> int:
    return int(a.size)


@records(np.result_type)
def _result_type(*args: Any) -> Any:
    return np.result_type(*(a.dtype if isinstance(a, Abstract) else a for a in args))


@records(np.iscomplexobj)
def _iscomplexobj(a: Any) -> bool:
    return bool(a.dtype.kind == "c")


@records(np.real)
def _real(a: Any) -> Any:
    return a if a.dtype.kind != "c" else a.recorder.call(np.real, (a,), {})


@records(operator.getitem)
def _getitem(a: Any, key: Any) -> Any:
    if not basic(key):
        return a.recorder.call(operator.getitem, (a, key), {})
    if isinstance(key, (int, np.integer)) and a.ndim:
        return of(a, a.recorder.build.row(a.value, _at(int(key), len(a))))
    bounds, shape = bounds_of(a.shape, key)
    return of(a, a.recorder.build.reshape(a.recorder.build.cut(a.value, bounds), shape))


def placed(x: Any, key: Any, shape: Shape) -> Any:
    """Zeros of `shape` with `x` at ``[key]``: what an index sends back."""
    build = x.recorder.build
    if isinstance(key, (int, np.integer)) and len(shape) > 2:
        i, n = _at(int(key), shape[0]), shape[1]
        rest = ((0, length) for length in shape[2:])
        rows = (shape[0] * n, *shape[2:])
        flat = build.place(x.value, ((i * n, (i + 1) * n), *rest), rows)
        return of(x, build.reshape(flat, shape))
    bounds, _ = bounds_of(shape, key)
    inner = build.reshape(x.value, tuple([stop - start for start, stop in bounds]))
    return of(x, build.place(inner, bounds, shape))


def bounds_of(whole: Shape, key: Any) -> tuple[list[tuple[int, int]], list[int]]:
    """What ``x[key]`` takes of each axis of an `x` of shape `whole`, and the shape it then has."""
    keys = key if isinstance(key, tuple) else (key,)
    given = sum(k is not None and k is not ... for k in keys)
    if given > len(whole):
        raise IndexError(f"too many indices: {len(whole)} axes, {given} indices")
    if not any(k is ... for k in keys):
        keys = (*keys, ...)
    bounds: list[tuple[int, int]] = []
    shape: list[int] = []
    for k in keys:
        if k is None:
            shape.append(1)
            continue
        for one in [slice(None)] * (len(whole) - given) if k is ... else [k]:
            n = whole[len(bounds)]
            if isinstance(one, slice):
                start, stop, _ = one.indices(n)
                bounds.append((start, max(start, stop)))
                shape.append(bounds[-1][1] - start)
            else:
                i = _at(int(one), n)
                bounds.append((i, i + 1))
    return bounds, shape


def basic(key: Any) -> bool:
    """Whether an index consists of integers and slices with step 1."""
    keys = key if isinstance(key, tuple) else (key,)
    return all(k is None or k is ... or _plain(k) for k in keys)


def _plain(k: Any) -> bool:
    """Whether an index is an integer or a slice with step 1."""
    return (isinstance(k, (int, np.integer)) and not isinstance(k, bool)) or (
        isinstance(k, slice) and k.step in (None, 1)
    )


def _at(i: int, n: int) -> int:
    if not -n <= i < n:
        raise IndexError(f"index {i} is out of bounds for an axis of length {n}")
    return i % n


# Joined.


@records(np.concatenate)
def _concatenate(arrays: Sequence[Any], axis: Any = 0) -> Any:
    recorder = recorder_of(*arrays)
    dtype = np.result_type(*(array_dtype(a) for a in arrays))
    parts = [valued(recorder, a) for a in arrays]
    axis = int(axis) % parts[0].ndim
    like = [p.shape[:axis] + p.shape[axis + 1 :] for p in parts]
    if any(shape != like[0] for shape in like):
        raise ValueError("all the input array dimensions but the concatenation axis must match")
    parts = [recorder.build.elementwise("cast", p, dtype=dtype) for p in parts]
    return recorder.abstract(recorder.build.concatenate(parts, axis))


@records(np.stack)
def _stack(arrays: Sequence[Any], axis: int = 0) -> Any:
    recorder = recorder_of(*arrays)
    first = np.shape(arrays[0])
    axis %= len(first) + 1
    if axis == 0 and len(first) > 1:
        return _reshape(_concatenate(arrays, 0), (len(arrays), *first))
    parts = [np.expand_dims(recorder.abstract(valued(recorder, a)), axis) for a in arrays]
    return _concatenate(parts, axis)
