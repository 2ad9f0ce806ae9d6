"""Networks as people write them: with names for every value, for some, for none."""

import numpy as np

import tinygrad_lstm as tg
from tinygrad_lstm import LSTM, Tensor, add_n, block


def parameters(rng, named=True, **shapes):
    return {
        name: Tensor(rng.normal(size=shape) / 2, True, name if named else None)
        for name, shape in shapes.items()
    }


def gru(T=4, N=2, D=3, H=4, named=True):
    """``x @ W + h @ U + b``, three stages and one name."""
    rng = np.random.default_rng(0)
    gates = {
        f"{kind}{gate}": shape
        for gate in "zrn"
        for kind, shape in (("W", (D, H)), ("U", (H, H)), ("b", (H,)))
    }
    p = parameters(rng, named, **gates)
    x, y = rng.normal(size=(T, N, D)), rng.normal(size=(T, N, H))
    h, errors = Tensor(np.zeros((N, H)), True, "h<0>" if named else None), []

    def called(value, name):
        return value.named(name) if named else value

    for t in range(1, T + 1):
        with block(t):
            z = called(tg.sigmoid(x[t - 1] @ p["Wz"] + h @ p["Uz"] + p["bz"]), "z")
            r = called(tg.sigmoid(x[t - 1] @ p["Wr"] + h @ p["Ur"] + p["br"]), "r")
            n = called(tg.tanh(x[t - 1] @ p["Wn"] + (r * h) @ p["Un"] + p["bn"]), "n")
            h = called((1 - z) * n + z * h, "h")
            errors.append(called(tg.squared_error(h, y[t - 1]), "E"))
    return called(add_n(*errors), "E")


def packed_gru(T=4, named=True):
    """All gates in one product with ``W.T``, taken apart by slices; the loss is a running sum."""
    rng = np.random.default_rng(1)
    D, H, N = 3, 4, 2
    shapes = {"W": (3 * H, D), "U": (3 * H, H), "b": (3 * H,), "c": (3 * H,), "V": (2, H)}
    p = parameters(rng, named, **shapes)
    x, y = rng.normal(size=(T, N, D)), rng.integers(0, 2, size=(T, N))
    h, loss = np.zeros((N, H)), 0
    for t in range(1, T + 1):
        with block(t):
            i, k = x[t - 1] @ p["W"].T + p["b"], h @ p["U"].T + p["c"]
            z = tg.sigmoid(i[:, :H] + k[:, :H])
            r = tg.sigmoid(i[:, H : 2 * H] + k[:, H : 2 * H])
            n = tg.tanh(i[:, 2 * H :] + r * k[:, 2 * H :])
            h = (n - z * n) + z * h
            h = h.named("h") if named else h
            loss = loss + tg.cross_entropy(h @ p["V"].T, y[t - 1])
    return loss / T


def peephole(T=4):
    rng = np.random.default_rng(2)
    D, H, N = 2, 3, 2
    p = parameters(rng, W=(4 * H, D + H), b=(4 * H,), p_i=(H,), p_f=(H,), p_o=(H,))
    x, errors = rng.normal(size=(T, N, D)), []
    h = c = Tensor(np.zeros((N, H)))
    for t in range(1, T + 1):
        with block(t):
            s = tg.linear(tg.concatenate([h, x[t - 1]], axis=1), p["W"], p["b"])
            i, f, g, o = tg.split(s, 4, axis=1)
            i, f = tg.sigmoid(i + p["p_i"] * c), tg.sigmoid(f + p["p_f"] * c)
            c = (f * c + i * tg.tanh(g)).named("c")
            h = (tg.sigmoid(o + p["p_o"] * c) * tg.tanh(c)).named("h")
            errors.append(((h - 1.0) ** 2).mean())
    return add_n(*errors)


def attention():
    rng = np.random.default_rng(3)
    N, S, D = 2, 4, 3
    p = parameters(rng, W_q=(D, D), W_k=(D, D), W_v=(D, D))
    x = rng.normal(size=(N, S, D))
    q, k, v = ((x @ p[f"W_{n}"]).named(n.upper()) for n in "qkv")
    hidden = np.triu(np.full((S, S), -1e9), 1)
    a = tg.softmax(q @ k.swapaxes(-1, -2) / np.sqrt(D) + hidden, axis=-1).named("A")
    return tg.square((a @ v).named("O")).sum().named("L")


def einsum_attention():
    rng = np.random.default_rng(3)
    N, S, D = 2, 4, 3
    p = parameters(rng, W_q=(D, D), W_k=(D, D), W_v=(D, D))
    x = Tensor(rng.normal(size=(N, S, D)), name="X")
    q, k = (tg.einsum("nsd,de->nse", x, p[name]) for name in ("W_q", "W_k"))
    a = tg.softmax(tg.einsum("nse,nte->nst", q, k))
    return tg.einsum("nst,ntd,de->", a, x, p["W_v"])


def bidirectional(T=4):
    rng = np.random.default_rng(4)
    N, D, H = 2, 3, 2
    p = parameters(rng, W=(D, H), U=(H, H), b=(H,), W_r=(D, H), U_r=(H, H), V=(2 * H, 1))
    x, errors = rng.normal(size=(T, N, D)), []
    f = {0: Tensor(np.zeros((N, H)), True, "f<0>")}
    r = {T + 1: Tensor(np.zeros((N, H)), True, "r_end")}
    for t in range(1, T + 1):
        with block(t):
            f[t] = tg.tanh(x[t - 1] @ p["W"] + f[t - 1] @ p["U"] + p["b"]).named("f")
    for t in range(T, 0, -1):
        with block(t):
            r[t] = tg.tanh(x[t - 1] @ p["W_r"] + r[t + 1] @ p["U_r"]).named("r")
    for t in range(1, T + 1):
        with block(t):
            both = tg.concatenate([f[t], r[t]], axis=1)
            errors.append(((both @ p["V"]) ** 2).sum().named("E"))
    return add_n(*errors).named("E")


def layer_normed(T=3):
    rng = np.random.default_rng(5)
    p = parameters(rng, W=(3, 3), g=(3,), b=(3,))
    h = Tensor(rng.normal(size=(2, 3)), True, "h<0>")
    for t in range(1, T + 1):
        with block(t):
            h = (h + tg.relu(tg.layer_norm(h, p["g"], p["b"]) @ p["W"])).named("h")
    return (h * h).mean()


def convolution(T=6):
    """By windows of one input, a block each."""
    rng = np.random.default_rng(6)
    k, x = (
        Tensor(rng.normal(size=(3, 2)), True, "k"),
        Tensor(rng.normal(size=(2, T + 2)), True, "x"),
    )
    y = []
    for t in range(1, T + 1):
        with block(t):
            y.append((x[:, t - 1 : t + 2] @ k).named("y"))
    return tg.square(tg.stack(y, axis=1)).sum().named("L")


def tied_embedding(T=3, named=True):
    rng = np.random.default_rng(7)
    V, D, N = 6, 3, 12
    p = parameters(rng, named, E=(V, D), W=(D, D), U=(D, D), b=(V,))
    ids, h, losses = rng.integers(0, V, size=(T, N)), np.zeros((N, D)), []
    for t in range(1, T + 1):
        with block(t):
            x = tg.embedding(p["E"], ids[t - 1])
            h = tg.tanh(x @ p["W"] + h @ p["U"])
            losses.append(tg.cross_entropy(h @ p["E"].T + p["b"], ids[t % T]))
    return add_n(*losses)


def masked():
    rng = np.random.default_rng(8)
    p = parameters(rng, W=(4, 5), V=(5, 1))
    h = tg.dropout(tg.gelu(rng.normal(size=(6, 4)) @ p["W"]), 0.5, np.random.default_rng(0))
    return (tg.where(rng.random((6, 1)) > 0.4, h @ p["V"], 0.0) ** 2).sum()


def columns(T=4):
    """Column vectors, inputs that are single numbers, a running loss."""
    rng = np.random.default_rng(9)
    p = parameters(rng, W=(3, 3), U=(3, 1), b=(3, 1))
    x, h, loss = rng.normal(size=T), np.zeros((3, 1)), 0.0
    for t in range(1, T + 1):
        with block(t):
            h = tg.tanh(p["W"] @ h + p["U"] * x[t - 1] + p["b"]).named("h")
            loss = loss + ((h - x[t - 1]) ** 2).sum()
    return loss


def sequence_input(T=5):
    """The input is one value that every block reads a part of."""
    rng = np.random.default_rng(10)
    p = parameters(rng, W=(2, 3), U=(3, 3))
    x, h = Tensor(rng.normal(size=(T, 4, 2)), True, "X"), Tensor(np.zeros((4, 3)), True, "h<0>")
    for t in range(1, T + 1):
        with block(t):
            h = tg.tanh(x[t - 1] @ p["W"] + h @ p["U"]).named("h")
    return h.sum().named("L")


def stacked(T=3):
    rng = np.random.default_rng(0)
    a, _ = LSTM(2, 3, rng=0)(rng.normal(size=(T, 1, 2)))
    return LSTM(3, 2, rng=1).error(a, np.zeros((T, 1, 2)))


def lstm(T=3):
    rng = np.random.default_rng(T)
    x, targets = rng.normal(size=(T, 2, 3)), rng.normal(size=(T, 2, 4))
    state = tuple(Tensor(rng.normal(size=(2, 4)), True) for _ in range(2))
    return LSTM(3, 4, rng=0).error(x, targets, state)


NETWORKS = {
    "gru": gru,
    "gru, no names": lambda: gru(named=False),
    "packed gru": packed_gru,
    "packed gru, no names": lambda: packed_gru(named=False),
    "peephole": peephole,
    "attention": attention,
    "einsum": einsum_attention,
    "bidirectional": bidirectional,
    "layer norm": layer_normed,
    "convolution": convolution,
    "tied embedding": tied_embedding,
    "tied embedding, no names": lambda: tied_embedding(named=False),
    "masked": masked,
    "columns": columns,
    "sequence": sequence_input,
    "stacked": stacked,
    "lstm": lstm,
}
