"""A peephole LSTM in both directions, with rows that end early: many parameters, in lines that two
directions share."""

import numpy as np
import pytest
from derivations import arrays, slipped, soft, tensors, σ

from tinygrad_lstm import block, compare, concatenate, cross_entropy, gradients, scope, tanh
from tinygrad_lstm import sigmoid as sig

T, N, D, H, K = 4, 4, 2, 3, 3


def both_net():
    rng = np.random.default_rng(0)
    shapes = {"V": (2 * H, K), "a": (K,)}
    for s in "fb":
        shapes |= {f"W{g}{s}": (D + H, H) for g in "ifoc"} | {f"b{g}{s}": (H,) for g in "ifoc"}
        shapes |= {f"p{g}{s}": (H,) for g in "ifo"}
    p = arrays(rng, **shapes)
    x, y = rng.normal(size=(T, N, D)), rng.integers(K, size=N)
    mask = (np.arange(T)[:, None] < np.array([4, 2, 3, 4])).astype(float)[:, :, None]
    q, ends = tensors(p), []
    for s, name in (("f", "fw"), ("b", "bw")):
        h, c = np.zeros((N, H)), np.zeros((N, H))
        for t in range(1, T + 1):
            with scope(name), block(t):
                at = t - 1 if s == "f" else T - t
                m = mask[at]
                v = concatenate([h, x[at]], axis=1)
                i = sig(v @ q[f"Wi{s}"] + c * q[f"pi{s}"] + q[f"bi{s}"]).named("i")
                f = sig(v @ q[f"Wf{s}"] + c * q[f"pf{s}"] + q[f"bf{s}"]).named("f")
                g = tanh(v @ q[f"Wc{s}"] + q[f"bc{s}"]).named("g")
                new = (f * c + i * g).named("new")
                o = sig(v @ q[f"Wo{s}"] + new * q[f"po{s}"] + q[f"bo{s}"]).named("o")
                h = (m * (o * tanh(new)) + (1 - m) * h).named("h")
                c = (m * new + (1 - m) * c).named("c")
        ends.append(h)
    loss = cross_entropy(concatenate(ends, axis=1) @ q["V"] + q["a"], y)
    return loss, (p, x, y, mask)


def both(p, x, y, mask):
    kept, ends = {}, []
    for s in "fb":
        h, c = np.zeros((N, H)), np.zeros((N, H))
        for t in range(1, T + 1):
            at = t - 1 if s == "f" else T - t
            v = np.concatenate([h, x[at]], axis=1)
            i = σ(v @ p[f"Wi{s}"] + c * p[f"pi{s}"] + p[f"bi{s}"])
            f = σ(v @ p[f"Wf{s}"] + c * p[f"pf{s}"] + p[f"bf{s}"])
            g = np.tanh(v @ p[f"Wc{s}"] + p[f"bc{s}"])
            new = f * c + i * g
            o = σ(v @ p[f"Wo{s}"] + new * p[f"po{s}"] + p[f"bo{s}"])
            kept[s, t] = mask[at], v, i, f, g, new, o, c
            h = mask[at] * o * np.tanh(new) + (1 - mask[at]) * h
            c = mask[at] * new + (1 - mask[at]) * c
        ends.append(h)
    u = np.concatenate(ends, axis=1)
    dl = (soft(u @ p["V"] + p["a"]) - np.eye(K)[y]) / N
    d = {name: np.zeros_like(value) for name, value in p.items()}
    d["V"], d["a"] = u.T @ dl, dl.sum(axis=0)
    for s, dh in zip("fb", np.hsplit(dl @ p["V"].T, 2), strict=True):
        dc = np.zeros((N, H))
        for t in range(T, 0, -1):
            m, v, i, f, g, new, o, c = kept[s, t]
            dso = dh * m * np.tanh(new) * o * (1 - o)
            dnew = dc * m + dh * m * o * (1 - np.tanh(new) ** 2) + dso * p[f"po{s}"]
            dsf, dsi = dnew * c * f * (1 - f), dnew * g * i * (1 - i)
            dsg = dnew * i * (1 - g**2)
            for name, ds in (("i", dsi), ("f", dsf), ("o", dso), ("c", dsg)):
                d[f"W{name}{s}"] += v.T @ ds
                d[f"b{name}{s}"] += ds.sum(axis=0)
            for name, ds, cell in (("i", dsi, c), ("f", dsf, c), ("o", dso, new)):
                d[f"p{name}{s}"] += (ds * cell).sum(axis=0)
            pairs = zip("ifoc", (dsi, dsf, dso, dsg), strict=True)
            dv = sum(ds @ p[f"W{name}{s}"].T for name, ds in pairs)
            dh = dh * (1 - m) + dv[:, :H]
            dc = dc * (1 - m) + dnew * f + dsf * p[f"pf{s}"] + dsi * p[f"pi{s}"]
    return d


TAKEN = "m, v, i, f, g, new, o, c = kept[s, t]"


@pytest.mark.parametrize(
    ("slip", "words"),
    [
        (f"{TAKEN} -> {TAKEN}; m = 1.0", "the mask is left out"),
        (f"{TAKEN} -> {TAKEN}; m = mask[t - 1]", "masks are read in reverse order of time"),
        ("dc * (1 - m) + dnew * f + -> dc * (1 - m) + dnew * i +", "i<4> was used where bw.f<4>"),
        ("dh * (1 - m) + dv -> dh + dv", "missing"),
    ],
)
def test_slips_in_both_directions_are_explained_by_the_parameters(slip, words):
    loss, arguments = both_net()
    assert compare(gradients(loss), both(*arguments)).ok
    found = compare(gradients(loss), slipped(both, slip)(*arguments)).diagnoses
    assert found and "unexplained" not in [d.kind for d in found]
    assert any(words in d.looks_like for d in found)
