"""Recurrent networks that nobody designed: every way of writing their derivation agrees."""

import numpy as np
import pytest
from networks import parameters

import tinygrad_lstm as tg
from tinygrad_lstm import Tensor, add_n, block, explain, gradients

STEPS = [
    lambda x, h, p, given: x @ p["W"],
    lambda x, h, p, given: x @ p["V"].T + p["b"],
    lambda x, h, p, given: np.tanh(x) if isinstance(x, np.ndarray) else tg.tanh(x),
    lambda x, h, p, given: tg.sigmoid(x) * h,
    lambda x, h, p, given: (1 - x) * h + x * p["V"][0],
    lambda x, h, p, given: tg.relu(x) + given,
    lambda x, h, p, given: tg.softmax(x) + given,
    lambda x, h, p, given: tg.layer_norm(x, p["g"], p["b"]),
    lambda x, h, p, given: tg.linear(x, p["W"], p["b"]),
]


def network(seed):
    rng = np.random.default_rng(seed)
    T, N, H, named = rng.integers(1, 30), rng.integers(1, 3), rng.integers(2, 4), rng.random() < 0.5
    p = parameters(rng, named, W=(H, H), V=(H, H), b=(H,), g=(H,))
    steps = [(STEPS[i], rng.random() < 0.4) for i in rng.integers(len(STEPS), size=4)]
    data, every = rng.normal(size=(T, N, H)), rng.integers(1, 4)
    whole, losses = Tensor(data, rng.random() < 0.5, "X"), []
    h = np.zeros((N, H)) if rng.random() < 0.5 else Tensor(np.ones((N, H)), True)
    for t in range(1, T + 1):
        with block(t):
            x = h
            for i, (step, has_name) in enumerate(steps):
                x = step(x, h, p, data[t - 1] if i % 2 else whole[t - 1])
                x = x.named(f"v{i}") if has_name and isinstance(x, Tensor) else x
            h = x + p["b"]
            if t % every == 0 or t == T:
                losses.append(((h - data[t - 1]) ** 2).mean())
    return add_n(*losses) if rng.random() < 0.5 else sum(losses)


@pytest.mark.parametrize("seed", range(8))
def test_all_ways_of_writing_agree(seed):
    loss = network(seed)
    e, g = explain(loss), gradients(loss)
    for text in (e.python(), e.rolled.python()):
        space = {}
        exec(text, space)
        found = space["backward"](e.values)
        assert set(found) == {line.name for line in e.lines}
        for line in e.lines:
            largest = np.max(np.abs(g[line.value]), initial=1e-9)
            np.testing.assert_allclose(found[line.name], g[line.value], 1e-8, 1e-9 * largest)
    whole = explain(loss)
    whole._brief = None
    assert str(e.rolled) == str(whole.rolled)
