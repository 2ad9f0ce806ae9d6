"""The networks that come with an exercise, small enough to be derived in an hour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_lstm.engine.recorder import block
from tinygrad_lstm.lstm.lstm import LSTM
from tinygrad_lstm.ops.elementwise import log, sigmoid, tanh
from tinygrad_lstm.ops.loss import squared_error
from tinygrad_lstm.ops.product import linear
from tinygrad_lstm.ops.reduce import add_n, softmax
from tinygrad_lstm.ops.shape import concatenate
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["NETWORKS"]

Numbers = np.random.Generator


def _parameter(rng: Numbers, name: str, *shape: int) -> Tensor:
    return Tensor(rng.normal(size=shape), True, name)


def _data(rng: Numbers, name: str, *shape: int) -> Tensor:
    return Tensor(rng.normal(size=shape), name=name)


def lstm(rng: Numbers, steps: int) -> Any:
    """The document's LSTM: F1 to F16."""
    model = LSTM(2, 2, rng=rng)
    return model.error(rng.normal(size=(steps, 1, 2)), rng.normal(size=(steps, 1, 2)))


def rnn(rng: Numbers, steps: int) -> Any:
    """Elman's network."""
    W, b = _parameter(rng, "W", 2, 4), _parameter(rng, "b", 2)
    h, errors = _parameter(rng, "h<0>", 1, 2), []
    for t in range(1, steps + 1):
        with block(t):
            z = concatenate([h, _data(rng, "x", 1, 2)], axis=-1).named("z")
            h = tanh(linear(z, W, b).named("s")).named("h")
            errors.append(squared_error(h, _data(rng, "target", 1, 2)).named("Error"))
    return add_n(*errors).named("Error")


def gru(rng: Numbers, steps: int) -> Any:
    """The gated recurrent unit: reset gate r, update gate u, candidate n."""
    W = {gate: _parameter(rng, f"W_{gate}", 2, 4) for gate in "run"}
    b = {gate: _parameter(rng, f"b_{gate}", 2) for gate in "run"}
    h, errors = _parameter(rng, "h<0>", 1, 2), []
    for t in range(1, steps + 1):
        with block(t):
            x = _data(rng, "x", 1, 2)
            z = concatenate([h, x], axis=-1).named("z")
            r = sigmoid(linear(z, W["r"], b["r"]).named("sum_r")).named("r")
            u = sigmoid(linear(z, W["u"], b["u"]).named("sum_u")).named("u")
            y = concatenate([(r * h).named("rh"), x], axis=-1).named("y")
            n = tanh(linear(y, W["n"], b["n"]).named("sum_n")).named("n")
            rest = (1.0 - u).named("rest")
            h = ((u * h).named("keep") + (rest * n).named("write")).named("h")
            errors.append(squared_error(h, _data(rng, "target", 1, 2)).named("Error"))
    return add_n(*errors).named("Error")


def mlp(rng: Numbers, steps: int) -> Any:
    """Two hidden layers."""
    a = _data(rng, "x", 4, 3)
    for layer, (inputs, units) in enumerate([(3, 4), (4, 3), (3, 2)], 1):
        W, b = _parameter(rng, f"W_{layer}", units, inputs), _parameter(rng, f"b_{layer}", units)
        a = linear(a, W, b).named(f"s_{layer}")
        a = tanh(a).named(f"a_{layer}") if layer < 3 else a
    return squared_error(a, _data(rng, "target", 4, 2)).named("Error")


def softmax_head(rng: Numbers, steps: int) -> Any:
    """A linear classifier with softmax and cross-entropy."""
    W, b = _parameter(rng, "W", 4, 3), _parameter(rng, "b", 4)
    logits = linear(_data(rng, "x", 5, 3), W, b).named("l")
    p = softmax(logits, axis=-1).named("p")
    onehot = Tensor(np.eye(4)[rng.integers(0, 4, size=5)], name="onehot")
    return (-(onehot * log(p).named("log_p")).named("chosen").sum().named("S")).named("Error")


def attention(rng: Numbers, steps: int) -> Any:
    """One head of scaled dot-product attention. What it reads is a fork: Q, K and V read it."""
    x = _parameter(rng, "x", steps, 3)
    Q = (x @ _parameter(rng, "W_Q", 3, 2)).named("Q")
    K = (x @ _parameter(rng, "W_K", 3, 2)).named("K")
    V = (x @ _parameter(rng, "W_V", 3, 2)).named("V")
    scores = ((Q @ K.T.named("K_T")).named("QK") * 2**-0.5).named("scores")
    weights = softmax(scores, axis=-1).named("weights")
    return squared_error((weights @ V).named("out"), _data(rng, "target", steps, 2)).named("Error")


NETWORKS: dict[str, Callable[[Numbers, int], Any]] = {
    "lstm": lstm,
    "gru": gru,
    "rnn": rnn,
    "mlp": mlp,
    "softmax": softmax_head,
    "attention": attention,
}
