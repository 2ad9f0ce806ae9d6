"""Rows of the table: loss."""

import numpy as np

import tinygrad_lstm as tg
from rows.row import Row, apart, normal, positive

CLASSES = np.array([2, 0])
HOT = np.eye(3)[CLASSES]


def huber(p, t):
    d = np.abs(p - t)
    return np.where(d < 0.7, d * d / 2, 0.7 * d - 0.245)


def cross_entropy(x, p, axis=-1):
    return -(p * (x - np.log(np.exp(x).sum(axis, keepdims=True)))).sum(axis).astype(x.dtype)


def binary(x, t):
    return t * np.log(1 + np.exp(-x)) + (1 - t) * np.log(1 + np.exp(x))


BINARY = tg.binary_cross_entropy_with_logits


def shares(*shapes):
    """Logits, and targets that need not add up to 1."""
    return lambda rng: [*normal(*shapes)(rng), *positive(shapes[0])(rng)]


ROWS = [
    Row(
        "squared_error",
        tg.squared_error,
        lambda a, t: ((t - a) ** 2).sum() / 2,
        [normal((2, 3), (2, 3)), normal((2, 3), (3,))],
    ),
    Row(
        "absolute_error",
        tg.absolute_error,
        lambda p, t: np.abs(p - t).mean(),
        [apart((2, 3), (2, 3)), apart((2, 1), (3,))],
    ),
    Row(
        "absolute_error (sum)",
        lambda p: tg.absolute_error(p, 0.5, reduction="sum"),
        lambda p: np.abs(p - 0.5).sum(),
        [apart((2, 3))],
    ),
    Row(
        "absolute_error (none)",
        lambda p, t: tg.absolute_error(p, t, reduction="none"),
        lambda p, t: np.abs(p - t),
        [apart((2, 3), (3,))],
    ),
    Row(
        "huber",
        lambda p, t: tg.huber(p, t, 0.7),
        lambda p, t: huber(p, t).mean(),
        [apart((2, 3), (2, 3)), apart((2, 1), (3,))],
    ),
    Row(
        "huber (none)",
        lambda p, t: tg.huber(p, t, delta=0.7, reduction="none"),
        huber,
        [apart((2, 3), (3,)), apart((), ())],
    ),
    Row(
        "cross_entropy (classes)",
        lambda x: tg.cross_entropy(x, CLASSES),
        lambda x: cross_entropy(x, HOT).mean(),
        [normal((2, 3))],
    ),
    Row(
        "cross_entropy (one row)",
        lambda x: tg.cross_entropy(x, 2),
        lambda x: cross_entropy(x, HOT[0]),
        [normal((3,))],
    ),
    Row(
        "cross_entropy (axis)",
        lambda x: tg.cross_entropy(x, [CLASSES], 1, "none"),
        lambda x: cross_entropy(x, HOT.T[None], 1),
        [normal((1, 3, 2))],
    ),
    Row(
        "cross_entropy (shares)",
        tg.cross_entropy,
        lambda x, p: cross_entropy(x, p).mean(),
        [shares((2, 3)), shares((3,))],
    ),
    Row(
        "cross_entropy (shares, none)",
        lambda x, p: tg.cross_entropy(x, p, reduction="none"),
        cross_entropy,
        [shares((2, 2, 3))],
    ),
    Row(
        "cross_entropy (shares, sum)",
        lambda x, p: tg.cross_entropy(x, p, 0, "sum"),
        lambda x, p: cross_entropy(x, p, 0).sum(),
        [shares((2, 3))],
    ),
    Row(
        "binary",
        BINARY,
        lambda x, t: binary(x, t).mean(),
        [normal((2, 3), (2, 3)), normal((2, 1), (3,)), normal((3,), (2, 1))],
    ),
    Row(
        "binary (none)",
        lambda x, t: BINARY(x, t, reduction="none"),
        binary,
        [normal((2, 3), (3,)), normal((), ())],
    ),
]
