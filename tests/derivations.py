"""Networks as people write them, each with its derivation by hand, and slips of the pen in it.

A network is made with a name for every value, or with names for its parameters only. The
derivations share nothing with the rules of the tape. A slip is a change of their text, so that all
that is computed later inherits it.
"""

import inspect
from contextlib import nullcontext

import numpy as np

from tinygrad_lstm import (
    Tensor,
    add_n,
    block,
    concatenate,
    cross_entropy,
    embedding,
    gradients,
    layer_norm,
    log,
    relu,
    sigmoid,
    softmax,
    tanh,
)

T, N, D, H, K = 4, 3, 2, 5, 6


def σ(s):
    return 1 / (1 + np.exp(-s))


def soft(s):
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def arrays(rng, **shapes):
    return {name: 0.7 * rng.normal(size=shape) for name, shape in shapes.items()}


def tensors(p):
    return {name: Tensor(value, True, name) for name, value in p.items()}


def namer(names):
    return (lambda value, name: value.named(name)) if names else (lambda value, name: value)


def gru_net(rng, names):
    """h<t> = (1 − z<t>) ∘ n<t> + z<t> ∘ h<t−1>, with row vectors and x @ W + h @ U + b."""
    p = arrays(
        rng, Wz=(D, H), Wr=(D, H), Wn=(D, H), Uz=(H, H), Ur=(H, H), Un=(H, H), bz=H, br=H, bn=H
    )
    q, called = tensors(p), namer(names)
    x, y = rng.normal(size=(T, N, D)), rng.normal(size=(T, N, H))
    h, errors = np.zeros((N, H)), []
    for t in range(1, T + 1):
        with block(t):
            z = called(sigmoid(called(x[t - 1] @ q["Wz"] + h @ q["Uz"] + q["bz"], "sz")), "z")
            r = called(sigmoid(called(x[t - 1] @ q["Wr"] + h @ q["Ur"] + q["br"], "sr")), "r")
            rh = called(r * h, "rh")
            n = called(tanh(called(x[t - 1] @ q["Wn"] + rh @ q["Un"] + q["bn"], "sn")), "n")
            h = called((1 - z) * n + z * h, "h")
            errors.append((0.5 * (h - y[t - 1]) ** 2).sum())
    return add_n(*errors), (p, x, y)


def gru(p, x, y):
    h, v = {0: np.zeros(y[0].shape)}, {}
    for t in range(1, len(x) + 1):
        z = σ(x[t - 1] @ p["Wz"] + h[t - 1] @ p["Uz"] + p["bz"])
        r = σ(x[t - 1] @ p["Wr"] + h[t - 1] @ p["Ur"] + p["br"])
        n = np.tanh(x[t - 1] @ p["Wn"] + (r * h[t - 1]) @ p["Un"] + p["bn"])
        h[t], v[t] = (1 - z) * n + z * h[t - 1], (z, r, n)
    d = {name: np.zeros_like(value) for name, value in p.items()}
    carry = np.zeros_like(h[0])
    for t in range(len(x), 0, -1):
        z, r, n = v[t]
        dh = h[t] - y[t - 1] + carry
        dz = dh * h[t - 1] - dh * n
        dn = dh * (1 - z)
        dsn = dn * (1 - n**2)
        drh = dsn @ p["Un"].T
        dr = drh * h[t - 1]
        dsr = dr * r * (1 - r)
        dsz = dz * z * (1 - z)
        carry = dh * z + drh * r + dsr @ p["Ur"].T + dsz @ p["Uz"].T
        for g, ds, before in (("z", dsz, h[t - 1]), ("r", dsr, h[t - 1]), ("n", dsn, r * h[t - 1])):
            d["W" + g] += x[t - 1].T @ ds
            d["U" + g] += before.T @ ds
            d["b" + g] += ds.sum(axis=0)
        d |= {f"h<{t}>": dh, f"z<{t}>": dz, f"n<{t}>": dn, f"sn<{t}>": dsn, f"rh<{t}>": drh}
        d |= {f"r<{t}>": dr, f"sr<{t}>": dsr, f"sz<{t}>": dsz}
    return d


GRU = [
    "dz = dh * h[t - 1] - dh * n -> dz = dh * h[t - 1] + dh * n",
    "dz = dh * h[t - 1] - dh * n -> dz = dh * n - dh * h[t - 1]",
    "dz = dh * h[t - 1] - dh * n -> dz = dh * h[t] - dh * n",
    "dz = dh * h[t - 1] - dh * n -> dz = dh * h[t - 1]",
    "dz = dh * h[t - 1] - dh * n -> dz = (dh * h[t - 1] - n) * dh",
    "dn = dh * (1 - z) -> dn = dh * z",
    "dn = dh * (1 - z) -> dn = dh",
    "dsn = dn * (1 - n**2) -> dsn = dn * (1 - n)",
    "dsn = dn * (1 - n**2) -> dsn = dn * n * (1 - n)",
    "dsn = dn * (1 - n**2) -> dsn = dn * (1 - np.tanh(n) ** 2)",
    "drh = dsn @ p[\"Un\"].T -> drh = dsn @ p[\"Un\"]",
    "drh = dsn @ p[\"Un\"].T -> drh = dn @ p[\"Un\"].T",
    "dr = drh * h[t - 1] -> dr = drh * h[t]",
    "dr = drh * h[t - 1] -> dr = drh",
    "dsr = dr * r * (1 - r) -> dsr = dr * σ(r) * (1 - σ(r))",
    "dsz = dz * z * (1 - z) -> dsz = dz * r * (1 - r)",
    "dsz = dz * z * (1 - z) -> dsz = dz * z",
    "carry = dh * z + -> carry = dh * (1 - z) +",
    "carry = dh * z + -> carry =",
    "+ drh * r + -> + drh +",
    "+ dsr @ p[\"Ur\"].T + -> + dsr @ p[\"Uz\"].T +",
    "+ dsz @ p[\"Uz\"].T -> ",
    "h[t] - y[t - 1] + carry -> h[t] - y[t - 1]",
    "h[t] - y[t - 1] + carry -> (h[t] - y[t - 1]) / len(y[0]) + carry",
    "before.T @ ds -> h[t].T @ ds",
    "before.T @ ds -> ds.T @ before",
    "x[t - 1].T @ ds -> x[min(t, len(x) - 1)].T @ ds",
    "ds.sum(axis=0) -> ds.mean(axis=0)",
    "d[\"b\" + g] += ds -> d[\"b\" + g] = ds",
    "(\"n\", dsn, r * h[t - 1]) -> (\"n\", dsn, h[t - 1])",
    "    return d -> \n"
    "    return {name: value + 0.01 * p.get(name, 0) for name, value in d.items()}",
    "dh = h[t] - y[t - 1] + carry -> dh = np.clip(h[t] - y[t - 1] + carry, -1, 1)",
]  # fmt: skip


def peephole_net(rng, names):
    """An LSTM whose gates look at the cell, with the weights transposed in the forward code."""
    weights = {"W" + gate: (H, D + H) for gate in "ifgo"}
    p = arrays(rng, **weights, pi=H, pf=H, po=H, **{"c<0>": (N, H)})
    q, called = tensors(p), namer(names)
    x, y = rng.normal(size=(T, N, D)), rng.normal(size=(N, H))
    h, c = Tensor(np.zeros((N, H))), q["c<0>"]
    for t in range(1, T + 1):
        with block(t):
            u = called(concatenate([x[t - 1], h], axis=1), "u")
            i = called(sigmoid(called(u @ q["Wi"].T + q["pi"] * c, "si")), "i")
            f = called(sigmoid(called(u @ q["Wf"].T + q["pf"] * c, "sf")), "f")
            g = called(tanh(called(u @ q["Wg"].T, "sg")), "g")
            c = called(f * c + i * g, "c")
            o = called(sigmoid(called(u @ q["Wo"].T + q["po"] * c, "so")), "o")
            h = called(o * tanh(c), "h")
    return (0.5 * (h - y) ** 2).sum(), (p, x, y)


def peephole(p, x, y):
    h, c, v = {0: np.zeros(y.shape)}, {0: p["c<0>"]}, {}
    for t in range(1, len(x) + 1):
        u = np.concatenate([x[t - 1], h[t - 1]], axis=1)
        i, f = σ(u @ p["Wi"].T + p["pi"] * c[t - 1]), σ(u @ p["Wf"].T + p["pf"] * c[t - 1])
        g = np.tanh(u @ p["Wg"].T)
        c[t] = f * c[t - 1] + i * g
        o = σ(u @ p["Wo"].T + p["po"] * c[t])
        h[t], v[t] = o * np.tanh(c[t]), (u, i, f, g, o)
    d = {name: np.zeros_like(value) for name, value in p.items()}
    dh, dc = h[len(x)] - y, 0
    for t in range(len(x), 0, -1):
        u, i, f, g, o = v[t]
        do = dh * np.tanh(c[t])
        dso = do * o * (1 - o)
        dc = dc + dh * o * (1 - np.tanh(c[t]) ** 2) + dso * p["po"]
        df, di, dg = dc * c[t - 1], dc * g, dc * i
        dsf, dsi, dsg = df * f * (1 - f), di * i * (1 - i), dg * (1 - g**2)
        d |= {f"h<{t}>": dh, f"c<{t}>": dc, f"o<{t}>": do, f"so<{t}>": dso, f"f<{t}>": df}
        d |= {f"i<{t}>": di, f"g<{t}>": dg, f"sf<{t}>": dsf, f"si<{t}>": dsi, f"sg<{t}>": dsg}
        du = dsf @ p["Wf"] + dsi @ p["Wi"] + dsg @ p["Wg"] + dso @ p["Wo"]
        d["Wf"] += dsf.T @ u
        d["Wi"] += dsi.T @ u
        d["Wg"] += dsg.T @ u
        d["Wo"] += dso.T @ u
        d["pf"] += (dsf * c[t - 1]).sum(axis=0)
        d["pi"] += (dsi * c[t - 1]).sum(axis=0)
        d["po"] += (dso * c[t]).sum(axis=0)
        dc = dc * f + dsf * p["pf"] + dsi * p["pi"]
        dh = du[:, x.shape[2] :]
        d[f"u<{t}>"] = du
    d["c<0>"] = dc
    return d


PEEPHOLE = [
    "+ dso * p[\"po\"] -> ",
    "+ dsi * p[\"pi\"] -> ",
    "+ dsi * p[\"pi\"] -> + dsi",
    "+ dsf * p[\"pf\"] -> + dsf * p[\"pi\"]",
    "dc * f + dsf -> dc + dsf",
    "dc * f + dsf -> dc * f * c[t - 1] + dsf",
    "(dso * c[t]).sum -> (dso * c[t - 1]).sum",
    "(dsf * c[t - 1]).sum -> (dsf * c[t]).sum",
    "(dsf * c[t - 1]).sum(axis=0) -> dsf.sum(axis=0)",
    "dh * o * (1 - np.tanh(c[t]) ** 2) -> dh * o * (1 - c[t] ** 2)",
    "dh * o * (1 - np.tanh(c[t]) ** 2) -> dh * o * np.tanh(c[t])",
    "dc = dc + dh * o -> dc = (dc + dh) * o",
    "dc = dc + dh * o -> dc = dh * o",
    "do = dh * np.tanh(c[t]) -> do = dh * c[t]",
    "du[:, x.shape[2] :] -> du[:, : y.shape[1]]",
    "d[\"Wo\"] += dso.T @ u -> d[\"Wo\"] = dso.T @ u",
    "dsg.T @ u -> dsi.T @ u",
    "df * f * (1 - f) -> df * f * (1 - f) * f",
    "df * f * (1 - f) -> df * (1 - f)",
    "df, di, dg = dc * c[t - 1] -> df, di, dg = dc * c[t]",
    "dc * g, dc * i -> dc * i, dc * g",
]  # fmt: skip


def head_net(rng, names):
    """A stacked Elman net with a softmax head on the last block."""
    p = arrays(rng, W1=(D, H), U1=(H, H), b1=H, W2=(H, H), U2=(H, H), b2=H, V=(H, K), c=K)
    q, called = tensors(p), namer(names)
    x, y = rng.normal(size=(T, N, D)), rng.integers(K, size=N)
    a = b = np.zeros((N, H))
    for t in range(1, T + 1):
        with block(t):
            a = called(tanh(called(x[t - 1] @ q["W1"] + a @ q["U1"] + q["b1"], "s")), "a")
            b = called(tanh(called(a @ q["W2"] + b @ q["U2"] + q["b2"], "r")), "b")
    return cross_entropy(called(b @ q["V"] + q["c"], "l"), y), (p, x, y)


def head(p, x, y):
    zero = np.zeros((x.shape[1], len(p["b1"])))
    a, b = {0: zero}, {0: zero}
    for t in range(1, len(x) + 1):
        a[t] = np.tanh(x[t - 1] @ p["W1"] + a[t - 1] @ p["U1"] + p["b1"])
        b[t] = np.tanh(a[t] @ p["W2"] + b[t - 1] @ p["U2"] + p["b2"])
    d = {name: np.zeros_like(value) for name, value in p.items()}
    prob = soft(b[len(x)] @ p["V"] + p["c"])
    hot = np.eye(len(p["c"]))[y]
    d["l"] = (prob - hot) / len(y)
    d["V"], d["c"] = b[len(x)].T @ d["l"], d["l"].sum(axis=0)
    db, da = d["l"] @ p["V"].T, 0
    for t in range(len(x), 0, -1):
        dr = db * (1 - b[t] ** 2)
        da = da + dr @ p["W2"].T
        ds = da * (1 - a[t] ** 2)
        d |= {f"b<{t}>": db, f"r<{t}>": dr, f"a<{t}>": da, f"s<{t}>": ds}
        d["W2"] += a[t].T @ dr
        d["U2"] += b[t - 1].T @ dr
        d["b2"] += dr.sum(axis=0)
        d["W1"] += x[t - 1].T @ ds
        d["U1"] += a[t - 1].T @ ds
        d["b1"] += ds.sum(axis=0)
        db = dr @ p["U2"].T
        da = ds @ p["U1"].T
    return d


HEAD = [
    "(prob - hot) / len(y) -> prob - hot",
    "(prob - hot) / len(y) -> (prob + hot) / len(y)",
    "(prob - hot) / len(y) -> (hot - prob) / len(y)",
    "(prob - hot) / len(y) -> prob * (1 - prob) * (prob - hot) / len(y)",
    "(prob - hot) / len(y) -> prob * ((prob - hot) - "
    "((prob - hot) * prob).sum(axis=1, keepdims=True)) / len(y)",
    "(prob - hot) / len(y) -> (prob - hot) / len(y) / len(x)",
    "dr @ p[\"W2\"].T -> dr @ p[\"U2\"].T",
    "dr @ p[\"W2\"].T -> dr @ p[\"W2\"]",
    "da = ds @ p[\"U1\"].T -> da = ds @ p[\"U2\"].T",
    "da = ds @ p[\"U1\"].T -> da = dr @ p[\"U1\"].T",
    "da = ds @ p[\"U1\"].T -> da = 0",
    "db = dr @ p[\"U2\"].T -> db = 0 * dr",
    "a[t].T @ dr -> a[t - 1].T @ dr",
    "b[t - 1].T @ dr -> b[t].T @ dr",
    "a[t - 1].T @ ds -> a[t].T @ ds",
    "d[\"b2\"] += dr.sum(axis=0) -> d[\"b2\"] += dr.sum()",
    "x[t - 1].T @ ds -> x[len(x) - t].T @ ds",
    "ds = da * (1 - a[t] ** 2) -> ds = da * (1 - b[t] ** 2)",
    "da = da + dr @ p -> da = dr @ p",
    "dr = db * (1 - b[t] ** 2) -> dr = db * a[t] * (1 - b[t] ** 2)",
]  # fmt: skip


def attention_net(rng, names):
    """One head of attention over a sequence, a masked score, and a residual."""
    p = arrays(rng, Wq=(H, H), Wk=(H, H), Wv=(H, H), Wo=(H, H))
    q, called = tensors(p), namer(names)
    x, y = rng.normal(size=(H, H)), rng.normal(size=(H, H))
    Q, Kk, V = (called(x @ q["W" + k], k.upper()) for k in "qkv")
    s = called(Q @ Kk.T / np.sqrt(H), "s")
    a = called(softmax(s, axis=-1), "a")
    o = called(a @ V, "o")
    z = called(o @ q["Wo"] + x, "e")
    return (0.5 * (z - y) ** 2).sum(), (p, x, y)


def attention(p, x, y):
    Q, Kk, V = x @ p["Wq"], x @ p["Wk"], x @ p["Wv"]
    root = np.sqrt(len(x))
    a = soft(Q @ Kk.T / root)
    o = a @ V
    de = o @ p["Wo"] + x - y
    do = de @ p["Wo"].T
    da, dV = do @ V.T, a.T @ do
    ds = a * (da - (da * a).sum(axis=1, keepdims=True))
    dQ, dK = ds @ Kk / root, ds.T @ Q / root
    return {
        "e": de, "o": do, "a": da, "V": dV, "s": ds, "Q": dQ, "K": dK,
        "Wo": o.T @ de, "Wq": x.T @ dQ, "Wk": x.T @ dK, "Wv": x.T @ dV,
    }  # fmt: skip


ATTENTION = [
    "a.T @ do -> a @ do",
    "do @ V.T -> do @ V",
    "(da * a).sum(axis=1, keepdims=True) -> (da * a).sum(axis=0, keepdims=True)",
    "(da * a).sum(axis=1, keepdims=True) -> (da * a).sum()",
    "a * (da - (da * a).sum(axis=1, keepdims=True)) -> a * (1 - a) * da",
    "a * (da - (da * a).sum(axis=1, keepdims=True)) -> da - (da * a).sum(axis=1, keepdims=True)",
    "a * (da - -> a * (da + ",
    "ds @ Kk / root -> ds @ Kk",
    "ds @ Kk / root -> ds.T @ Kk / root",
    "ds @ Kk / root -> ds @ Kk * root",
    "ds.T @ Q / root -> ds @ Q / root",
    "ds.T @ Q / root -> ds.T @ Kk / root",
    "ds.T @ Q / root -> Q.T @ ds / root",
    "o.T @ de -> o @ de",
    "de @ p[\"Wo\"].T -> de @ p[\"Wv\"].T",
    "x.T @ dV -> x.T @ do",
    "x.T @ dQ -> dQ.T @ x",
]  # fmt: skip


def norm_net(rng, names):
    """Tied embeddings, a hidden layer with layer norm and relu, a softmax over the vocabulary."""
    p = arrays(rng, E=(K, H), W=(H, H), b=H, γ=H, β=H)
    q, called = tensors(p), namer(names)
    ids, y = np.array([1, 3, 1, 5]), np.array([0, 2, 4, 1])
    e = called(embedding(q["E"], ids), "e")
    s = called(e @ q["W"] + q["b"], "s")
    m = called(layer_norm(s, q["γ"], q["β"]), "m")
    h = called(relu(m), "h")
    return cross_entropy(called(h @ q["E"].T, "l"), y), (p, ids, y)


def norm(p, ids, y):
    e = p["E"][ids]
    s = e @ p["W"] + p["b"]
    dev = np.sqrt(s.var(axis=1, keepdims=True) + 1e-5)
    hat = (s - s.mean(axis=1, keepdims=True)) / dev
    m = hat * p["γ"] + p["β"]
    h = np.maximum(m, 0)
    d = {"l": (soft(h @ p["E"].T) - np.eye(len(p["E"]))[y]) / len(y)}
    d["h"] = d["l"] @ p["E"]
    d["m"] = d["h"] * (m > 0)
    d["γ"], d["β"] = (d["m"] * hat).sum(axis=0), d["m"].sum(axis=0)
    g = d["m"] * p["γ"]
    d["s"] = (g - g.mean(axis=1, keepdims=True) - hat * (g * hat).mean(axis=1, keepdims=True)) / dev
    d["W"], d["b"] = e.T @ d["s"], d["s"].sum(axis=0)
    d["e"] = d["s"] @ p["W"].T
    rows = np.zeros_like(p["E"])
    np.add.at(rows, ids, d["e"])
    d["E"] = rows + d["l"].T @ h
    return d


NORM = [
    "np.add.at(rows, ids, d[\"e\"]) -> rows[ids] += d[\"e\"]",
    "np.add.at(rows, ids, d[\"e\"]) -> rows[ids] = d[\"e\"]",
    "rows + d[\"l\"].T @ h -> rows",
    "rows + d[\"l\"].T @ h -> d[\"l\"].T @ h",
    "(m > 0) -> (d[\"h\"] > 0)",
    "(m > 0) -> (s > 0)",
    "* (m > 0) -> ",
    "(g - g.mean(axis=1, keepdims=True) - hat -> (g - hat",
    "- hat * (g * hat).mean(axis=1, keepdims=True)) / dev -> ) / dev",
    "(g * hat).mean(axis=1, keepdims=True)) / dev -> (g * hat).mean(axis=1, keepdims=True))",
    "g = d[\"m\"] * p[\"γ\"] -> g = d[\"m\"]",
    "(d[\"m\"] * hat).sum(axis=0) -> (d[\"m\"] * s).sum(axis=0)",
    "(d[\"m\"] * hat).sum(axis=0) -> (d[\"m\"] * m).sum(axis=0)",
    "d[\"m\"].sum(axis=0) -> d[\"m\"].mean(axis=0)",
    "e.T @ d[\"s\"] -> e.T @ d[\"m\"]",
    "d[\"s\"] @ p[\"W\"].T -> d[\"s\"] @ p[\"W\"]",
    "- np.eye(len(p[\"E\"]))[y] -> ",
]  # fmt: skip


def windows_net(rng, names):
    """A convolution written as slices, a bidirectional pass over it, and a mask."""
    p = arrays(rng, F=(3 * D, H), W=(H, H), U=(H, H), R=(H, H), S=(H, H), V=(2 * H, D))
    q, called = tensors(p), namer(names)
    x = Tensor(rng.normal(size=(N, T + 2, D)), True, "x")
    y, mask = rng.normal(size=(T, N, D)), rng.integers(0, 2, size=(T, N, 1)) * 1.0
    w, a, r, errors = {}, {0: np.zeros((N, H))}, {T + 1: np.zeros((N, H))}, []
    for t in range(1, T + 1):
        with block(t):
            w[t] = called(x[:, t - 1 : t + 2].reshape(N, 3 * D) @ q["F"], "w")
            a[t] = called(tanh(called(w[t] @ q["W"] + a[t - 1] @ q["U"], "p")), "a")
    for t in range(T, 0, -1):
        with block(t):
            r[t] = called(tanh(called(w[t] @ q["R"] + r[t + 1] @ q["S"], "s")), "r")
    for t in range(1, T + 1):
        with block(t):
            o = called(concatenate([a[t], r[t]], axis=1) @ q["V"], "o")
            errors.append((0.5 * mask[t - 1] * (o - y[t - 1]) ** 2).sum())
    return add_n(*errors), (p, x.numpy().copy(), y, mask)


def windows(p, x, y, mask):
    n, rows, units = len(y), x.shape[0], len(p["W"])
    a, r, w = {0: np.zeros((rows, units))}, {n + 1: np.zeros((rows, units))}, {}
    for t in range(1, n + 1):
        w[t] = x[:, t - 1 : t + 2].reshape(rows, -1)
        a[t] = np.tanh(w[t] @ p["F"] @ p["W"] + a[t - 1] @ p["U"])
    for t in range(n, 0, -1):
        r[t] = np.tanh(w[t] @ p["F"] @ p["R"] + r[t + 1] @ p["S"])
    d = {name: np.zeros_like(value) for name, value in p.items()}
    d["x"] = np.zeros_like(x)
    do, dp, ds = {}, {}, {}
    for t in range(1, n + 1):
        both = np.concatenate([a[t], r[t]], axis=1)
        do[t] = mask[t - 1] * (both @ p["V"] - y[t - 1])
        d["V"] += both.T @ do[t]
    carry = 0
    for t in range(n, 0, -1):
        da = (do[t] @ p["V"].T)[:, :units] + carry
        dp[t] = da * (1 - a[t] ** 2)
        d["U"] += a[t - 1].T @ dp[t]
        carry = dp[t] @ p["U"].T
        d |= {f"a<{t}>": da, f"p<{t}>": dp[t], f"o<{t}>": do[t]}
    carry = 0
    for t in range(1, n + 1):
        dr = (do[t] @ p["V"].T)[:, units:] + carry
        ds[t] = dr * (1 - r[t] ** 2)
        d["S"] += r[t + 1].T @ ds[t]
        carry = ds[t] @ p["S"].T
        d |= {f"r<{t}>": dr, f"s<{t}>": ds[t]}
    for t in range(1, n + 1):
        dw = dp[t] @ p["W"].T + ds[t] @ p["R"].T
        d["W"] += (w[t] @ p["F"]).T @ dp[t]
        d["R"] += (w[t] @ p["F"]).T @ ds[t]
        d["F"] += w[t].T @ dw
        d["x"][:, t - 1 : t + 2] += (dw @ p["F"].T).reshape(rows, 3, -1)
        d[f"w<{t}>"] = dw
    return d


WINDOWS = [
    "mask[t - 1] * (both @ p[\"V\"] - y[t - 1]) -> both @ p[\"V\"] - y[t - 1]",
    "- y[t - 1]) -> - y[n - t])",
    "[:, :units] + carry -> [:, units:] + carry",
    "[:, units:] + carry -> [:, units:]",
    "r[t + 1].T @ ds[t] -> r[t].T @ ds[t]",
    "a[t - 1].T @ dp[t] -> a[t].T @ dp[t]",
    "carry = ds[t] @ p[\"S\"].T -> carry = ds[t] @ p[\"U\"].T",
    "carry = dp[t] @ p[\"U\"].T -> carry = dp[t] @ p[\"W\"].T",
    "ds[t] = dr * (1 - r[t] ** 2) -> ds[t] = dr * (1 - a[t] ** 2)",
    "+ ds[t] @ p[\"R\"].T -> + dp[t] @ p[\"R\"].T",
    "+ ds[t] @ p[\"R\"].T -> ",
    "dp[t] @ p[\"W\"].T + ds[t] -> dp[n + 1 - t] @ p[\"W\"].T + ds[t]",
    "d[\"x\"][:, t - 1 : t + 2] += -> d[\"x\"][:, t - 1 : t + 2] =",
    "w[t].T @ dw -> w[n + 1 - t].T @ dw",
    "w[t].T @ dw -> x[:, t - 1 : t + 2].transpose(0, 2, 1).reshape(rows, -1).T @ dw",
    "d[\"F\"] += -> d[\"F\"] =",
]  # fmt: skip


def mlp_net(rng, names):
    """Two hidden layers, relu and sigmoid, a mean of squares."""
    p = arrays(rng, W1=(H, D), b1=H, W2=(K, H), b2=K, v=K)
    q, called = tensors(p), namer(names)
    x, y = rng.normal(size=(N, D)), rng.normal(size=N)
    s = called(x @ q["W1"].T + q["b1"], "s")
    h = called(relu(s), "h")
    r = called(h @ q["W2"].T + q["b2"], "r")
    k = called(sigmoid(r), "k")
    o = called(k @ q["v"], "o")
    return ((o - y) ** 2).mean(), (p, x, y)


def mlp(p, x, y):
    s = x @ p["W1"].T + p["b1"]
    h = np.maximum(s, 0)
    k = σ(h @ p["W2"].T + p["b2"])
    do = 2 * (k @ p["v"] - y) / len(y)
    dk = np.outer(do, p["v"])
    dr = dk * k * (1 - k)
    dh = dr @ p["W2"]
    ds = dh * (s > 0)
    return {
        "o": do, "k": dk, "r": dr, "h": dh, "s": ds, "v": k.T @ do,
        "W2": dr.T @ h, "b2": dr.sum(axis=0), "W1": ds.T @ x, "b1": ds.sum(axis=0),
    }  # fmt: skip


MLP = [
    "2 * (k @ p[\"v\"] - y) / len(y) -> (k @ p[\"v\"] - y) / len(y)",
    "2 * (k @ p[\"v\"] - y) / len(y) -> 2 * (k @ p[\"v\"] - y)",
    "2 * (k @ p[\"v\"] - y) -> 2 * (y - k @ p[\"v\"])",
    "dk * k * (1 - k) -> dk * (1 - k)",
    "dk * k * (1 - k) -> k * (1 - k)",
    "dk * k * (1 - k) -> dk * σ(k) * (1 - σ(k))",
    "dk * k * (1 - k) -> dk + k * (1 - k)",
    "dh * (s > 0) -> dh * (dh > 0)",
    "dh * (s > 0) -> dh",
    "dh * (s > 0) -> dh * (s > 0) * h",
    "dr.T @ h -> dr.T @ s",
    "dr.T @ h -> h.T @ dr",
    "dr.sum(axis=0) -> dr.sum(axis=1)",
    "dr.sum(axis=0) -> dr.sum()",
    "dr.sum(axis=0) -> dr",
    "ds.T @ x -> ds.T @ x / len(x)",
    "k.T @ do -> h.T @ do",
    "k.T @ do -> do",
    "dh = dr @ p[\"W2\"] -> dh = dk @ p[\"W2\"] / len(y)",
    "ds = dh * (s > 0) -> ds = dh * (s > 0) * 2 / len(y)",
]  # fmt: skip


def column_net(rng, names):
    """An LSTM with column vectors, its gates in one matrix; where names tell the blocks, in a loop
    without them."""
    p = arrays(rng, W=(4 * H, H + K), b=(4 * H, 1), V=(K, H), e=(K, 1), h0=(H, 1), c0=(H, 1))
    q, called = tensors(p), namer(names)
    ids, y = rng.integers(K, size=T), rng.integers(K, size=T)
    h, c, loss = q["h0"], q["c0"], 0
    for t in range(1, T + 1):
        with nullcontext() if names else block(t):
            u = called(concatenate([h, np.eye(K)[:, [ids[t - 1]]]], axis=0), f"u<{t}>")
            a = called(q["W"] @ u + q["b"], f"a<{t}>")
            gates = [sigmoid(a[k * H : k * H + H]) for k in range(3)]
            i, f, o = (called(gate, f"{x}<{t}>") for gate, x in zip(gates, "ifo", strict=True))
            g = called(tanh(a[3 * H :]), f"g<{t}>")
            c = called(f * c + i * g, f"c<{t}>")
            h = called(o * tanh(c), f"h<{t}>")
            s = called(softmax(called(q["V"] @ h + q["e"], f"l<{t}>"), axis=0), f"s<{t}>")
            loss = loss - log(s[y[t - 1], 0])
    return loss, (p, ids, y)


def column(p, ids, y):
    n = len(p["h0"])
    h, c, v = {0: p["h0"]}, {0: p["c0"]}, {}
    for t in range(1, len(ids) + 1):
        u = np.vstack([h[t - 1], np.eye(len(p["e"]))[:, [ids[t - 1]]]])
        a = p["W"] @ u + p["b"]
        i, f, o, g = σ(a[:n]), σ(a[n : 2 * n]), σ(a[2 * n : 3 * n]), np.tanh(a[3 * n :])
        c[t] = f * c[t - 1] + i * g
        h[t] = o * np.tanh(c[t])
        v[t] = u, i, f, o, g, soft((p["V"] @ h[t] + p["e"]).T).T
    d = {name: np.zeros_like(value) for name, value in p.items()}
    later_h, later_c = np.zeros((n, 1)), np.zeros((n, 1))
    for t in range(len(ids), 0, -1):
        u, i, f, o, g, s = v[t]
        dl = s.copy()
        dl[y[t - 1]] -= 1
        d["V"] += dl @ h[t].T
        d["e"] += dl
        dh = p["V"].T @ dl + later_h
        do = dh * np.tanh(c[t])
        dc = dh * o * (1 - np.tanh(c[t]) ** 2) + later_c
        df, di, dg = dc * c[t - 1], dc * g, dc * i
        da = np.vstack([di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dg * (1 - g**2)])
        d["W"] += da @ u.T
        d["b"] += da
        du = p["W"].T @ da
        later_h, later_c = du[:n], dc * f
        d |= {f"l<{t}>": dl, f"h<{t}>": dh, f"o<{t}>": do, f"c<{t}>": dc, f"f<{t}>": df}
        d |= {f"i<{t}>": di, f"g<{t}>": dg, f"a<{t}>": da, f"u<{t}>": du}
    d["h0"], d["c0"] = later_h, later_c
    return d


COLUMN = [
    "dl @ h[t].T -> dl @ h[t - 1].T",
    "df * f * (1 - f) -> df * f * (1 - i)",
    "da @ u.T -> da @ np.vstack([h[t], u[n:]]).T",
    "dh = p[\"V\"].T @ dl + later_h -> dh = p[\"V\"].T @ dl",
    "df, di, dg = dc * c[t - 1] -> df, di, dg = dc * c[t]",
    "do * o * (1 - o) -> do * (1 - o)",
    "later_h, later_c = du[:n], dc * f -> later_h, later_c = du[:n], np.clip(dc * f, -0.1, 0.1)",
    "later_h, later_c = du[:n] -> later_h, later_c = du[-n:]",
    "dl[y[t - 1]] -= 1 -> dl[y[t - 1]] += 1",
    "dg * (1 - g**2) -> dg * (1 - np.tanh(g) ** 2)",
    "np.vstack([di * i * (1 - i), df * f * (1 - f) -> "
    "np.vstack([df * f * (1 - f), di * i * (1 - i)",
]  # fmt: skip


NETWORKS = {
    "gru": (gru_net, gru, GRU),
    "peephole": (peephole_net, peephole, PEEPHOLE),
    "head": (head_net, head, HEAD),
    "attention": (attention_net, attention, ATTENTION),
    "norm": (norm_net, norm, NORM),
    "windows": (windows_net, windows, WINDOWS),
    "mlp": (mlp_net, mlp, MLP),
    "column": (column_net, column, COLUMN),
}


def slipped(derivation, *slips):
    """The derivation with slips in its text: ``what it says -> what is said instead``."""
    source = inspect.getsource(derivation)
    for slip in slips:
        old, new = slip.split(" -> ", 1)
        assert source.count(old) >= 1, (derivation.__name__, old)
        source = source.replace(old, new)
    namespace = dict(derivation.__globals__)
    exec(source, namespace)
    return namespace[derivation.__name__]


def case(name, slip=None, names=True, seed=0):
    """The gradients of a network, and its derivation by hand with a slip, several, or none."""
    net, derivation, _ = NETWORKS[name]
    loss, arguments = net(np.random.default_rng(seed), names)
    slips = slip if isinstance(slip, tuple) else () if slip is None else (slip,)
    function = slipped(derivation, *slips) if slips else derivation
    g = gradients(loss)
    hand = {key: value for key, value in function(*arguments).items() if key in g}
    return g, hand
