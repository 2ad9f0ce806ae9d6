"""Rows of the table: reduction."""

from functools import partial

import numpy as np

import tinygrad_lstm as tg
from rows.row import Row, apart, normal
from tinygrad_lstm.ops import reduce


def both(name, f, makes, **options):
    """A row for a function that NumPy dispatches: the same call on Tensors and on arrays."""
    return Row(name, f, f, makes, **options)


def logsumexp(x, axis=None, keepdims=False):
    return np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims))


def softmax(x, axis=-1):
    return np.exp(x) / np.sum(np.exp(x), axis=axis, keepdims=True)


def with_zeros(*shape, zeros):
    """Numbers away from 0, and 0 at the first places of every row."""

    def make(rng):
        x = rng.uniform(0.5, 1.5, size=shape) * rng.choice([-1, 1], size=shape)
        x[..., :zeros] = 0
        return [rng.permutation(x, axis=-1)]

    return make


def powers(*shape):
    """Powers of two with signs: no two sums of their absolute values tie."""
    return lambda rng: [
        rng.permutation(2.0 ** np.arange(np.prod(shape))).reshape(shape)
        * rng.choice([-0.1, 0.1], size=shape)
    ]


def with_nans(f, options, x):
    return f(np.where(THERE, x, np.nan), **options)


THERE = np.array([[True, False, True], [True, True, True]])

ROWS = [
    *(
        Row(
            f"{name} {options}",
            partial(with_nans, f, options),
            partial(with_nans, f, options),
            [normal((2, 3))],
        )
        for name, f in (("nansum", np.nansum), ("nanmean", np.nanmean))
        for options in ({}, {"axis": 1}, {"axis": 0, "keepdims": True})
    ),
    Row("sum", tg.sum, np.sum, [normal((2, 3)), normal(()), normal((0, 3))]),
    Row("sum (axis)", lambda x: x.sum(-2), lambda x: x.sum(-2), [normal((2, 3, 2))]),
    both("sum (axes)", lambda x: np.sum(x, axis=(0, -1)), [normal((2, 3, 2)), normal((0, 3, 2))]),
    both("sum (no axes)", lambda x: np.sum(x, axis=()), [normal((2, 3))]),
    both("sum (keepdims)", lambda x: x.sum(axis=1, keepdims=True) * x, [normal((2, 3))]),
    Row("mean", tg.mean, np.mean, [normal((2, 3)), normal(())]),
    both("mean (axis)", lambda x: np.mean(x, 1), [normal((2, 3)), normal((0, 3))]),
    Row(
        "add_n",
        lambda *x: tg.add_n(*x),
        lambda *x: sum(x),
        [normal((2, 3), (2, 3), (2, 3)), normal(())],
    ),
    both(
        "prod",
        np.prod,
        [normal((2, 3)), normal(()), normal((0,)), with_zeros(5, zeros=1), with_zeros(5, zeros=2)],
    ),
    both(
        "prod (axis)",
        lambda x: np.prod(x, axis=-2),
        [normal((2, 3, 2)), normal((2, 0, 2)), normal((0, 3, 2))],
    ),
    both(
        "prod (axes)",
        lambda x: np.prod(x, axis=(-1, 0), keepdims=True),
        [normal((2, 3, 2)), with_zeros(2, 2, 3, zeros=1)],
    ),
    both("cumsum", np.cumsum, [normal((2, 3)), normal(()), normal((0,))]),
    both("cumsum (axis)", lambda x: np.cumsum(x, axis=-2), [normal((2, 3, 2)), normal((0, 2))]),
    both(
        "cumprod",
        np.cumprod,
        [normal((2, 2)), normal(()), normal((0,)), with_zeros(4, zeros=1), with_zeros(4, zeros=2)],
    ),
    both("cumprod (axis)", lambda x: np.cumprod(x, axis=-2), [normal((2, 3, 2)), normal((0, 2))]),
    Row(
        "recurrence",
        reduce.recurrence,
        lambda a, b: recurrence(a, b),
        [normal((2, 4), (2, 4)), normal((0,), (0,))],
    ),
    both("max", np.max, [apart((2, 3)), apart(())]),
    both("max (axis)", lambda x: np.amax(x, axis=-2), [apart((2, 3, 2)), normal((2, 0))]),
    both("min (axes)", lambda x: np.min(x, axis=(0, -1), keepdims=True), [apart((2, 3, 2))]),
    both("amin", np.amin, [apart((2, 3))]),
    both("var", np.var, [normal((2, 3)), normal(())]),
    both(
        "var (axes)",
        lambda x: np.var(x, axis=(0, -1), ddof=1, keepdims=True),
        [normal((2, 3, 2)), normal((2, 0, 2))],
    ),
    both("std", np.std, [normal((2, 3))]),
    both("std (axis)", lambda x: np.std(x, axis=-2, ddof=1), [normal((3, 2)), normal((2, 3, 2))]),
    both("median", np.median, [apart((3,)), apart((2, 3)), apart(())]),
    both(
        "median (axis)",
        lambda x: np.median(x, axis=-2, keepdims=True),
        [apart((3, 2)), apart((2, 4, 2))],
    ),
    both("median (axes)", lambda x: np.median(x, axis=(0, -1)), [apart((3, 2, 3))]),
    Row("logsumexp", tg.logsumexp, logsumexp, [normal((2, 3)), normal(())]),
    Row(
        "logsumexp (axes)",
        lambda x: tg.logsumexp(x, axis=(0, -1), keepdims=True),
        lambda x: logsumexp(x, (0, -1), True),
        [normal((2, 3, 2))],
    ),
    Row("softmax", tg.softmax, softmax, [normal((2, 3)), normal((2, 0)), normal((1,))]),
    Row(
        "softmax (axis)",
        lambda x: tg.softmax(x, axis=(0, -1)),
        lambda x: softmax(x, (0, -1)),
        [normal((2, 3, 2))],
    ),
    Row(
        "log_softmax",
        tg.log_softmax,
        lambda x: np.log(softmax(x)),
        [normal((2, 3)), normal((2, 0))],
    ),
    Row(
        "log_softmax (axis)",
        lambda x: tg.log_softmax(x, axis=0),
        lambda x: np.log(softmax(x, 0)),
        [normal((2, 3))],
    ),
    both("norm", np.linalg.norm, [normal((3,)), normal((2, 3)), normal((2, 2, 2))]),
    both("norm (2)", lambda x: np.linalg.norm(x, 2, axis=-1), [normal((2, 3))]),
    both("norm (1)", lambda x: np.linalg.norm(x, 1, 0), [apart((2, 3))]),
    both("norm (p)", lambda x: np.linalg.norm(x, ord=3, axis=1, keepdims=True), [apart((2, 3))]),
    both("norm (p < 1)", lambda x: np.linalg.norm(np.abs(x) + 1, ord=0.5), [apart((4,))]),
    both("norm (inf)", lambda x: np.linalg.norm(x, np.inf, axis=-1), [apart((2, 3))]),
    both("norm (-inf)", lambda x: np.linalg.norm(x, -np.inf), [apart((5,))]),
    both(
        "norm (fro)",
        lambda x: np.linalg.norm(x, "fro", axis=(0, 2), keepdims=True),
        [normal((2, 3, 2))],
    ),
    both("norm (matrix 1)", lambda x: np.linalg.norm(x, 1), [powers(2, 3)]),
    both(
        "norm (matrix inf)",
        lambda x: np.linalg.norm(x, np.inf, axis=(2, 0), keepdims=True),
        [powers(2, 3, 2)],
    ),
    both("norm (matrix -1)", lambda x: np.linalg.norm(x, -1, axis=(0, 1)), [powers(2, 3)]),
    both("norm (spectral)", lambda x: np.linalg.norm(x, 2, axis=(-1, 0)), [normal((2, 3, 2))]),
    both("norm (nuclear)", lambda x: np.linalg.norm(x, "nuc", keepdims=True), [normal((2, 3))]),
]


def recurrence(a, b):
    h = b.copy()
    for i in range(1, b.shape[-1]):
        h[..., i] = a[..., i] * h[..., i - 1] + b[..., i]
    return h
