"""Rows of the table: activation."""

import math

import numpy as np

import tinygrad_lstm as tg
from rows.row import Row, apart, normal

erf = np.vectorize(math.erf, otypes=[float])


def single(f):
    """A float64 reference whose result has the dtype of its input."""
    return lambda x: f(x).astype(x.dtype)


def tanh_gelu(x):
    return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi).astype(x.dtype) * (x + 0.044715 * x**3)))


ROWS = [
    Row(
        "leaky_relu",
        tg.leaky_relu,
        lambda x: np.maximum(x, 0) + 0.01 * np.minimum(x, 0),
        [apart((2, 3)), normal((0, 2)), normal(())],
    ),
    Row(
        "leaky_relu (slope)",
        lambda x: tg.leaky_relu(x, 0.2),
        lambda x: np.maximum(x, 0.2 * x),
        [apart((2, 3))],
    ),
    Row(
        "elu",
        tg.elu,
        lambda x: np.maximum(x, 0) + np.minimum(np.exp(x) - 1, 0),
        [apart((2, 3)), normal(())],
    ),
    Row(
        "elu (alpha)",
        lambda x: tg.elu(x, alpha=0.5),
        lambda x: np.maximum(x, 0) + 0.5 * np.minimum(np.exp(x) - 1, 0),
        [apart((2, 3))],
    ),
    Row("silu", tg.silu, lambda x: x / (1 + np.exp(-x)), [normal((2, 3)), normal(())]),
    Row("softplus", tg.softplus, lambda x: np.log(1 + np.exp(x)), [normal((2, 3)), normal(())]),
    Row(
        "softplus (beta)",
        lambda x: tg.softplus(x, 3.0),
        lambda x: np.log(1 + np.exp(3 * x)) / 3,
        [normal((2, 3))],
    ),
    Row(
        "logsigmoid", tg.logsigmoid, lambda x: -np.log(1 + np.exp(-x)), [normal((2, 3)), normal(())]
    ),
    Row("erf", tg.erf, single(erf), [normal((2, 3)), normal((0, 2)), normal(())]),
    Row("erfc", tg.erfc, single(lambda x: 1 - erf(x)), [normal((2, 3)), normal(())]),
    Row(
        "gelu",
        tg.gelu,
        single(lambda x: x / 2 * (1 + erf(x / np.sqrt(2)))),
        [normal((2, 3)), normal((0, 2)), normal(())],
    ),
    Row(
        "gelu (tanh)",
        lambda x: tg.gelu(x, approximate="tanh"),
        tanh_gelu,
        [normal((2, 3)), normal(())],
    ),
]
