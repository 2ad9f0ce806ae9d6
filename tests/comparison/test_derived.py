"""Slips in a derivative as a whole: that of another function or loss, or at another value."""

import numpy as np
import pytest

from tinygrad_lstm import Tensor, compare, cosh, gradients, log, logsigmoid, tanh

SOURCE = """
def dgelu(v):
    th = np.tanh(0.8 * (v + 0.045 * v**3))
    return 0.5 * (1 + th) + 0.5 * v * (1 - th**2) * 0.8 * (1 + 3 * 0.045 * v**2)

u = x @ p["W"]
h = 0.5 * u * (1 + np.tanh(0.8 * (u + 0.045 * u**3)))
e = h @ p["V"] - y
de = np.tanh(e) / e.size
d["V"] = h.T @ de
dh = de @ p["V"].T
du = dh * dgelu(u)
d["W"] = x.T @ du
"""


def network(old, new):
    """A layer with GELU and a loss of log cosh, and its parameters by hand with a slip."""
    rng = np.random.default_rng(0)
    p = {k: rng.normal(size=s) for k, s in {"W": (3, 4), "V": (4, 3)}.items()}
    q = {k: Tensor(v, True, k) for k, v in p.items()}
    x, y = rng.normal(size=(2, 5, 3))
    u = (x @ q["W"]).named("u")
    h = (0.5 * u * (1 + tanh(0.8 * (u + 0.045 * u**3)))).named("h")
    d = {}
    assert old in SOURCE
    exec(SOURCE.replace(old, new), {"np": np, "p": p, "x": x, "y": y, "d": d})
    return compare(gradients(log(cosh(h @ q["V"] - y)).mean()), d)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("np.tanh(e) / e.size", "2 * e / e.size", "derivative of the squared error"),
        ("np.tanh(e) / e.size", "np.sign(e) / len(e)", "derivative of the absolute error"),
        ("dh * dgelu(u)", "dh * dgelu(h)", "the derivative is taken at h, where it belongs to u"),
        ("dh * dgelu(u)", "dh * (1 - h**2)", "a wrong form: 1 − h²"),
        ("dh * dgelu(u)", "dh * h", "a wrong form: h where"),
    ],
)
def test_another_derivative_as_a_whole(old, new, words):
    assert network(old, old).ok
    found = network(old, new).diagnoses
    assert {d.kind for d in found} == {"local form"}
    assert any(words in d.looks_like for d in found)


def test_the_derivative_by_a_probability():
    """1 / σ(s), where the loss is the logarithm of it."""
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(6, 3)), rng.normal(size=3)
    q = Tensor(w, True, "w")
    g = gradients(-logsigmoid((x @ q).named("s")).sum())
    (found,) = compare(g, {"w": -x.T @ (1 + np.exp(-x @ w))}).diagnoses
    assert found.kind == "local form" and "1 / σ(s)" in found.looks_like
