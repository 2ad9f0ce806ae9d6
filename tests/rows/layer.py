"""Rows of the table: layer."""

import numpy as np

import tinygrad_lstm as tg
from rows.row import Row, normal

KEPT = np.random.default_rng(5).random((2, 3)) >= 0.4
INDICES = np.array([[1, 1, 0], [3, 1, 0]])


def layer_norm(x, weight, bias):
    axes = tuple(range(-weight.ndim, 0))
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(
        x.var(axes, keepdims=True) + 1e-5
    ) * weight + bias


ROWS = [
    Row(
        "layer_norm",
        tg.layer_norm,
        layer_norm,
        [normal((2, 4), (4,), (4,)), normal((4,), (4,), (4,)), normal((2, 3, 2), (3, 2), (3, 2))],
    ),
    Row(
        "dropout",
        lambda x: tg.dropout(x, 0.4, np.random.default_rng(5)),
        lambda x: (x * KEPT / 0.6).astype(x.dtype),
        [normal((2, 3))],
    ),
    Row(
        "embedding",
        lambda w: tg.embedding(w, INDICES),
        lambda w: w[INDICES],
        [normal((4, 2)), normal((4,))],
    ),
]
