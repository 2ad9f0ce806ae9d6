"""Slips in a function that a derivation calls for several layers, which nothing marks as a loop,
and in what such a call has kept."""

import numpy as np
import pytest

from tinygrad_lstm import Tensor, compare, gradients, sqrt, tanh
from tinygrad_lstm.comparison.calls import Calls

SOURCE = """
def norm(v):
    s = 1 / np.sqrt(((v - v.mean(1, keepdims=True)) ** 2).mean(1, keepdims=True) + 1e-5)
    return (v - v.mean(1, keepdims=True)) * s, s

def dnorm(dh, hat, s):
    off = dh - dh.mean(1, keepdims=True) - hat * (dh * hat).mean(1, keepdims=True)
    return s * off

def gelu(v):
    return 0.5 * v * (1 + np.tanh(0.8 * (v + 0.045 * v**3)))

def dgelu(v):
    th = np.tanh(0.8 * (v + 0.045 * v**3))
    return 0.5 * (1 + th) + 0.4 * v * (1 - th**2) * (1 + 3 * 0.045 * v**2)

u = x @ p["A"]
h1, s1 = norm(u)
a = h1 @ p["B"]
r = u + gelu(a) @ p["C"]
h2, s2 = norm(r)
e = h2 @ p["D"]
d["E"] = gelu(e).T @ y
de = y @ p["E"].T * dgelu(e)
d["D"] = h2.T @ de
dr = dnorm(de @ p["D"].T, h2, s2)
d["C"] = gelu(a).T @ dr
da = dr @ p["C"].T * dgelu(a)
d["B"] = h1.T @ da
du = dr + dnorm(da @ p["B"].T, h1, s1)
d["A"] = x.T @ du
"""


def norm(v):
    off = v - v.mean(axis=1, keepdims=True)
    return off / sqrt((off**2).mean(axis=1, keepdims=True) + 1e-5)


def gelu(v):
    return 0.5 * v * (1 + tanh(0.8 * (v + 0.045 * v**3)))


def network():
    rng = np.random.default_rng(0)
    shapes = {"A": (3, 4), "B": (4, 5), "C": (5, 4), "D": (4, 3), "E": (3, 2)}
    p = {k: rng.normal(size=s) for k, s in shapes.items()}
    q = {k: Tensor(v, True, k) for k, v in p.items()}
    x, y = rng.normal(size=(6, 3)), rng.normal(size=(6, 2))
    u = (x @ q["A"]).named("u")
    r = (u + gelu(norm(u) @ q["B"]) @ q["C"]).named("r")
    return (gelu(norm(r) @ q["D"]) @ q["E"] * y).sum(), (p, x, y)


def compared(old, new):
    loss, (p, x, y) = network()
    d = {}
    assert old in SOURCE
    exec(SOURCE.replace(old, new), {"np": np, "p": p, "x": x, "y": y, "d": d})
    return compare(gradients(loss), d)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("0.4 * v * (1 - th**2)", "0.4 * v * (1 - th)", "in the others like it"),
        ("0.5 * (1 + th) + 0.4", "0.5 * (1 + th) - 0.4", "in the others like it"),
        ("return s * off", "return off", "is missing"),
        ("- hat * (dh", "+ hat * (dh", "the sign"),
        ("* dgelu(a)", "* dgelu(gelu(a))", "the derivative is taken at"),
        ("de @ p[\"D\"].T, h2, s2)", "de @ p[\"D\"].T, h1, s1)", "another call of the function"),
    ],
)  # fmt: skip
def test_one_slip_in_a_function_or_a_call(old, new, words):
    assert compared(old, old).ok
    found = compared(old, new).diagnoses
    assert found and all(d.kind not in ("unexplained", "two mistakes") for d in found)
    assert any(words in d.looks_like for d in found)


def test_calls_of_a_tape():
    """The layers' products are no part of the functions."""
    loss, _ = network()
    tape = loss.tape
    found = Calls(tape, lambda x: tape.label(x), lambda x: None).every
    assert [(len(call.names), len(call.others)) for call in found][:2] == [(8, 1), (7, 1)]
    assert not any("matmul" in name for call in found for name in call.names)
