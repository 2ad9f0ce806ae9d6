"""Slips across the lines of a derivation: a matrix product that is closed too late, what is carried
back alone, a rotation the wrong way round; from the parameters' gradients alone."""

import numpy as np
import pytest

from tinygrad_lstm import (
    Tensor,
    add_n,
    block,
    compare,
    concatenate,
    gradients,
    leaky_relu,
    tanh,
)

T, N, H = 3, 4, 4
COS, SIN = np.cos(0.7), np.sin(0.7)

SOURCE = """
h = {0: np.zeros((N, H))}
for t in range(1, T + 1):
    h[t] = np.tanh(x[t - 1] @ p["W"] + h[t - 1] @ p["U"])
a, b = h[T][:, :2], h[T][:, 2:]
r = np.concatenate([a * COS - b * SIN, a * SIN + b * COS], axis=1)
dr = r @ p["V"] @ p["V"].T
da, db = dr[:, :2], dr[:, 2:]
d["V"] += r.T @ (r @ p["V"]) + 0.1 * p["V"]
carry = np.concatenate([da * COS + db * SIN, db * COS - da * SIN], axis=1)
for t in range(T, 0, -1):
    dh = carry + 0.2 * h[t]
    ds = dh * (1 - h[t] ** 2)
    d["W"] += x[t - 1].T @ ds
    d["U"] += h[t - 1].T @ ds
    carry = ds @ p["U"].T
"""


def compared(old, new):
    rng = np.random.default_rng(0)
    p = {k: rng.normal(size=s) for k, s in {"W": (3, H), "U": (H, H), "V": (H, 2)}.items()}
    q, x = {k: Tensor(v, True, k) for k, v in p.items()}, rng.normal(size=(T, N, 3))
    h, loss = np.zeros((N, H)), 0.05 * (q["V"] ** 2).sum()
    for t in range(1, T + 1):
        with block(t):
            h = tanh(x[t - 1] @ q["W"] + h @ q["U"]).named("h")
            loss = loss + 0.1 * (h**2).sum()
    a, b = h[:, :2], h[:, 2:]
    r = concatenate([a * COS - b * SIN, a * SIN + b * COS], axis=1).named("r")
    loss = loss + 0.5 * ((r @ q["V"]) ** 2).sum()
    d = {k: np.zeros_like(v) for k, v in p.items()}
    assert old in SOURCE
    exec(SOURCE.replace(old, new), {"p": p, "x": x, "d": d, **globals()})
    return compare(gradients(loss), d)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("+ 0.1 * p[\"V\"]", "* 0.1 * p[\"V\"]", "multiplied, where they have to be added"),
        ("h[t - 1].T @ ds", "h[t - 1].T @ (dh * (1 - h[t - 1] ** 2))", "was used where"),
        ("da * COS + db * SIN, db * COS - da * SIN", "da * COS - db * SIN, db * COS + da * SIN",
         "the sign"),
        ("da * COS + db * SIN, db * COS - da * SIN", "da * COS, db * COS", "left out"),
        ("x[t - 1].T @ ds", "x[t - 1].T @ ((dh - 0.2 * h[t]) * (1 - h[t] ** 2))", "carried back"),
    ],
)  # fmt: skip
def test_one_slip(old, new, words):
    assert compared(old, old).ok
    found = compared(old, new).diagnoses
    assert found and all(d.kind != "unexplained" for d in found)
    assert all(words in d.looks_like for d in found)


def test_a_matrix_product_that_is_closed_too_late():
    """``(A + B) @ W.T`` for ``A @ W.T + B``."""
    rng = np.random.default_rng(0)
    p, w, y = rng.normal(size=(3, H, H))
    q = Tensor(p, True, "P")
    g = gradients((tanh(q @ w) * y).sum() + 0.5 * (q**2).sum())
    dz = y * (1 - np.tanh(p @ w) ** 2)
    assert compare(g, {"P": dz @ w.T + p}).ok
    e = Tensor(p, True, "E")
    g = gradients((tanh((h := (1.0 * e).named("h")) @ w) * y).sum() + 0.5 * (h**2).sum())
    (found,) = compare(g, {"E": (dz + p) @ w.T}).diagnoses
    assert found.kind == "parenthesis" and "too" in found.looks_like


KERNEL = """
u = x @ p["A"]
h = np.where(u > 0, u, 0.1 * u)
w = sum(h[:, i:i + 2] @ p["F"][i] for i in range(4))
dw = w * y
dh = np.zeros_like(h)
for i in range(4):
    d["F"][i] = np.einsum("nac,nad->cd", h[:, i:i + 2], dw)
    dh[:, i:i + 2] += dw @ p["F"][i].T
du = dh * np.where(u > 0, 1, 0.1)
d["A"] = np.einsum("nai,nac->ic", x, du)
"""


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("dh[:, i:i + 2] +=", "dh[:, i:i + 2] =", "overwritten"),
        ('dw @ p["F"][i].T', 'dw @ p["F"][3 - i].T', "reversed"),
        ("np.where(u > 0, 1, 0.1)", "np.where(u > 0, 1, 0.2)", "factor"),
    ],
)
def test_a_kernel_that_is_moved_over_a_sequence(old, new, kind):
    rng = np.random.default_rng(0)
    p = {"A": rng.normal(size=(4, 3)), "F": rng.normal(size=(4, 3, 4))}
    q, (x, y) = (
        {k: Tensor(v, True, k) for k, v in p.items()},
        (rng.normal(size=(5, 5, 4)), rng.normal(size=(5, 2, 4))),
    )
    h = leaky_relu(x @ q["A"], 0.1).named("h")
    w = add_n(*(h[:, i : i + 2] @ q["F"][i,] for i in range(4)))
    g = gradients(0.5 * (w * w * y).sum())
    for text in (KERNEL, KERNEL.replace(old, new)):
        d = {"F": np.zeros((4, 3, 4))}
        exec(text, {"np": np, "p": p, "x": x, "y": y, "d": d})
        report = compare(g, d)
        assert report.ok == (text is KERNEL)
    assert [d.kind for d in report.diagnoses] == [kind]
