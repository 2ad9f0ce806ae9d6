"""Two branches of one network, in scopes of their own, that one line of a derivation stands for."""

import numpy as np
import pytest

from tinygrad_lstm import Tensor, block, compare, gradients, scope, tanh

T = 3

SOURCE = """
hs = []
for seq in x:
    h = [np.zeros((2, 3))]
    for s in seq:
        h.append(np.tanh(s @ p["W"] + h[-1] @ p["U"]))
    hs.append(h)
dz = 2 * (hs[0][-1] @ p["P"] - hs[1][-1] @ p["P"])
for sign, h, seq in zip((1, -1), hs, x):
    d["P"] += sign * h[-1].T @ dz
    dh = sign * dz @ p["P"].T
    for t in range(len(seq), 0, -1):
        ds = dh * (1 - h[t] ** 2)
        d["W"] += seq[t - 1].T @ ds
        d["U"] += h[t - 1].T @ ds
        dh = ds @ p["U"].T
"""


def twins(old, new):
    """A Siamese network on two sequences, and its parameters by hand with a slip."""
    rng = np.random.default_rng(0)
    p = {k: rng.normal(size=s) for k, s in {"W": (2, 3), "U": (3, 3), "P": (3, 2)}.items()}
    q = {k: Tensor(v, True, k) for k, v in p.items()}
    x, z = rng.normal(size=(2, T, 2, 2)), []
    for side, sequence in zip(("left", "right"), x, strict=True):
        h = np.zeros((2, 3))
        with scope(side):
            for t in range(1, T + 1):
                with block(t):
                    h = tanh(sequence[t - 1] @ q["W"] + h @ q["U"]).named("h")
        z.append(h @ q["P"])
    d = {k: np.zeros_like(v) for k, v in p.items()}
    assert old in SOURCE
    exec(SOURCE.replace(old, new), {"np": np, "p": p, "x": x, "d": d})
    return compare(gradients(((z[0] - z[1]) ** 2).sum()), d)


@pytest.mark.parametrize(
    ("old", "new", "kinds"),
    [
        ("(1 - h[t] ** 2)", "(1 - h[t])", {"W": "local form", "U": "local form"}),
        ("(1 - h[t] ** 2)", "(1 - h[t - 1] ** 2)", {"W": "wrong block", "U": "wrong block"}),
        ("ds @ p", "dh @ p", {"W": "wrong gradient", "U": "wrong gradient"}),
        ("h[t - 1].T @ ds", "h[t].T @ ds", {"U": "wrong block"}),
        ("sign * h[-1].T", "sign * h[-2].T", {"P": "wrong block"}),
    ],
)  # fmt: skip
def test_one_slip_in_both(old, new, kinds):
    assert twins("np", "np").ok
    assert {d.name: d.kind for d in twins(old, new).diagnoses} == kinds
