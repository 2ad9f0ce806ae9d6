"""Slips in lines that go past values whose branches come together again, and in single terms of
them, from the parameters' gradients alone."""

import numpy as np
import pytest
from derivations import slipped, soft, tensors, σ

from tinygrad_lstm import (
    add_n,
    block,
    compare,
    concatenate,
    exp,
    gradients,
    huber,
    log,
    log_softmax,
    relu,
    sigmoid,
    softmax,
    softplus,
    sqrt,
    tanh,
)
from tinygrad_lstm.comparison import diagnosis, work

N, D, H, K = 6, 3, 4, 3


@pytest.fixture(autouse=True)
def errors(monkeypatch):
    """An error in a search is an explanation that is missing, so users see none: here it shows."""
    for module in (diagnosis, work):
        monkeypatch.setattr(module, "safely", lambda search, *args, **kw: search(*args, **kw))
        monkeypatch.setattr(module, "each_safely", iter)


def parameters(**shapes):
    rng = np.random.default_rng(1)
    return {name: 0.7 * rng.normal(size=shape) for name, shape in shapes.items()}, rng


def normed():
    """A layer, batch norm and a loss."""
    p, rng = parameters(W=(D, H), a=H, g=H, s=H, V=(H, K))
    x, y, q = rng.normal(size=(N, D)), rng.normal(size=(N, K)), tensors(p)
    u = x @ q["W"] + q["a"]
    mean = u.mean(axis=0)
    n = (u - mean) / sqrt(((u - mean) ** 2).mean(axis=0) + 1e-5)
    z = tanh(n * q["g"] + q["s"]) @ q["V"]
    return huber(z, y, delta=0.5), (p, x, y)


def normed_by_hand(p, x, y):
    u = x @ p["W"] + p["a"]
    std = np.sqrt(((u - u.mean(axis=0)) ** 2).mean(axis=0) + 1e-5)
    n = (u - u.mean(axis=0)) / std
    h = np.tanh(n * p["g"] + p["s"])
    dz = np.clip(h @ p["V"] - y, -0.5, 0.5) / y.size
    db = dz @ p["V"].T * (1 - h**2)
    dn = db * p["g"]
    du = (dn - dn.mean(axis=0) - n * (dn * n).mean(axis=0)) / std
    d = {"W": x.T @ du, "a": du.sum(axis=0), "V": h.T @ dz}
    return d | {"g": (db * n).sum(axis=0), "s": db.sum(axis=0)}


def policy():
    """A policy gradient with an entropy bonus."""
    p, rng = parameters(W=(D, H), b=H, V=(H, K))
    x, a = rng.normal(size=(N, D)), rng.normal(size=(N, K))
    q = tensors(p)
    logs = log_softmax(tanh(x @ q["W"] + q["b"]) @ q["V"], axis=1)
    return (0.3 * (exp(logs) * logs).sum() - (a * logs).sum()) / N, (p, x, a)


def policy_by_hand(p, x, a):
    h = np.tanh(x @ p["W"] + p["b"])
    pi = soft(h @ p["V"])
    mean = (pi * np.log(pi)).sum(axis=1, keepdims=True)
    every = a.sum(axis=1, keepdims=True)
    dl = (every * pi - a + 0.3 * pi * (np.log(pi) - mean)) / len(x)
    ds = dl @ p["V"].T * (1 - h**2)
    return {"V": h.T @ dl, "W": x.T @ ds, "b": ds.sum(axis=0)}


def both_ways():
    """Two loops, one from the end of the sequence on, and a threshold for each class."""
    p, rng = parameters(W=(D, H), U=(H, H), X=(D, H), Y=(H, H), v=(2 * H, 1), th=K)
    x, q = rng.normal(size=(4, N, D)), tensors(p)
    over = (rng.random((N, K)) < 0.5) * 1.0
    h = g = np.zeros((N, H))
    for t in range(1, 5):
        with block(t):
            h = tanh(x[t - 1] @ q["W"] + h @ q["U"]).named("h")
    for t in range(1, 5):
        with block(4 + t):
            g = sigmoid(x[4 - t] @ q["X"] + g @ q["Y"]).named("g")
    s = (concatenate([h, g], axis=1) @ q["v"] - q["th"]).named("s")
    return add_n(softplus(s).sum(), -(over * s).sum()), (p, x, over)


def both_ways_by_hand(p, x, over):
    h, g = {0: np.zeros((len(over), len(p["U"])))}, {0: np.zeros((len(over), len(p["Y"])))}
    for t in range(1, 5):
        h[t] = np.tanh(x[t - 1] @ p["W"] + h[t - 1] @ p["U"])
        g[t] = σ(x[4 - t] @ p["X"] + g[t - 1] @ p["Y"])
    both = np.concatenate([h[4], g[4]], axis=1)
    ds = σ(both @ p["v"] - p["th"]) - over
    d = {name: np.zeros_like(value) for name, value in p.items()}
    d["v"], d["th"] = both.T @ ds.sum(axis=1, keepdims=True), -ds.sum(axis=0)
    dh, dg = np.split(ds.sum(axis=1, keepdims=True) @ p["v"].T, 2, axis=1)
    for t in range(4, 0, -1):
        dr, dq = dh * (1 - h[t] ** 2), dg * g[t] * (1 - g[t])
        d["W"] += x[t - 1].T @ dr
        d["U"] += h[t - 1].T @ dr
        d["X"] += x[4 - t].T @ dq
        d["Y"] += g[t - 1].T @ dq
        dh, dg = dr @ p["U"].T, dq @ p["Y"].T
    return d


def picked():
    """The probability of the right class, picked by two index arrays, and a gated unit."""
    p, rng = parameters(W=(D, H), V=(D, H), U=(H, K))
    x, y, q = rng.normal(size=(N, D)), rng.integers(K, size=N), tensors(p)
    u, g = relu(x @ q["V"] + 1), x @ q["W"]
    pr = exp(log_softmax((g * sigmoid(g) * u) @ q["U"], axis=1)).named("pr")
    return -log(pr[np.arange(N), y]).mean(), (p, x, y)


def picked_by_hand(p, x, y):
    s, g = x @ p["V"] + 1, x @ p["W"]
    u, sg = np.maximum(s, 0), σ(g)
    f = g * sg * u
    dl = (soft(f @ p["U"]) - np.eye(len(p["U"].T))[y]) / len(x)
    df = dl @ p["U"].T
    dg = df * u * sg * (1 + g * (1 - sg))
    du = df * g * sg
    return {"W": x.T @ dg, "V": x.T @ (du * (s > 0)), "U": f.T @ dl}


def dilated():
    """A convolution of two dilated taps, two gates that are computed at once, and a second layer
    that adds to the first."""
    p, rng = parameters(S=(D, H), C=(2, H, H), A=(H, 2 * H), B=(H, H))
    x, q = rng.normal(size=(8, D)), tensors(p)
    h = tanh(x @ q["S"]).named("h")
    late = concatenate([np.zeros((2, H)), h[:-2]], axis=0)
    gates = sigmoid((h @ q["C"][0] + late @ q["C"][1]) @ q["A"])
    z = (gates[:, :H] * h + gates[:, H:]).named("z1")
    z = (z + (z @ q["B"]).named("b2")).named("z2")
    return (z**2).sum(), (p, x)


def dilated_by_hand(p, x):
    h = np.tanh(x @ p["S"])
    late = np.concatenate([np.zeros((2, len(p["B"]))), h[:-2]])
    u = h @ p["C"][0] + late @ p["C"][1]
    r, s = np.split(σ(u @ p["A"]), 2, axis=1)
    z = r * h + s
    dz = 2 * (z + z @ p["B"])
    d = {"B": z.T @ dz}
    dz = dz + dz @ p["B"].T
    da = np.concatenate([dz * h * r * (1 - r), dz * s * (1 - s)], axis=1)
    du = da @ p["A"].T
    d["A"] = u.T @ da
    d["C"] = np.stack([h.T @ du, late.T @ du])
    dh = dz * r + du @ p["C"][0].T
    dh[:-2] += (du @ p["C"][1].T)[2:]
    return d | {"S": x.T @ (dh * (1 - h**2))}


CASES = {
    "dilated": (dilated, dilated_by_hand),
    "normed": (normed, normed_by_hand),
    "policy": (policy, policy_by_hand),
    "both ways": (both_ways, both_ways_by_hand),
    "picked": (picked, picked_by_hand),
}


@pytest.mark.parametrize("name", CASES)
def test_the_right_derivation_is_not_blamed(name):
    net, by_hand = CASES[name]
    loss, arguments = net()
    assert compare(gradients(loss), by_hand(*arguments)).ok


@pytest.mark.parametrize("name", CASES)
def test_what_nothing_explains_is_said_to_be_so(name):
    net, by_hand = CASES[name]
    loss, arguments = net()
    rng = np.random.default_rng(0)
    noise = {k: v * rng.normal(size=v.shape) for k, v in by_hand(*arguments).items()}
    kinds = {d.name: d.kind for d in compare(gradients(loss), noise).diagnoses}
    assert "unexplained" in kinds.values()


@pytest.mark.parametrize(
    ("name", "slip", "kind", "words"),
    [
        ("normed", "n * (dn * n).mean(axis=0) -> (dn * n).mean(axis=0)", "local f", "is missing"),
        ("normed", "- dn.mean(axis=0) - n -> - dn.mean(axis=1, keepdims=True) - n", "axis", "over"),
        ("normed", "(dn - dn.mean(axis=0) - n * (dn * n).mean(axis=0)) -> "
         "(dn - dn.sum(axis=0) - n * (dn * n).sum(axis=0))", "factor", "a sum stands where"),
        ("normed", "np.clip(h @ p[\"V\"] - y, -0.5, 0.5) -> (h @ p[\"V\"] - y)", "local f", "clip"),
        ("policy", "0.3 * pi * -> 0.3 *", "local factor", "is missing in"),
        ("policy", "(np.log(pi) - mean) -> (np.log(pi) + mean)", "sign", "sign"),
        ("policy", "(np.log(pi) - mean) -> (np.log(pi) + 1)", "term missing", "left out"),
        ("policy", "dl = (every * pi - a -> dl = pi * (1 - pi) * (every * pi - a", "", ""),
        ("both ways", "x[4 - t].T @ dq -> x[t - 1].T @ dq", "wrong block", "belongs"),
        ("both ways", "p[\"v\"] - p[\"th\"] -> p[\"v\"] + p[\"th\"]", "sign", "the sign of th"),
        ("dilated", "late.T @ du -> h.T @ du", "slice", "read 0 steps later where 2 is right"),
        ("dilated", "dh[:-2] += (du @ p[\"C\"][1].T)[2:] -> dh[:-2] += (du @ p[\"C\"][1].T)[:-2]",
         "slice", "sent back without its last"),
        ("dilated", "dh[:-2] += -> dh[:-2] =", "overwritten", "written over"),
        ("dilated", "dz * s * (1 - s)] -> dz * r * (1 - r)]", "wrong value", "part 1 of"),
        ("picked", "du = df * g * sg -> du = df * u * sg", "wrong value", "was used where"),
        ("picked", "dg = df * u * sg * (1 + -> dg = df * u * (1 +", "local f", "missing"),
        ("picked", "np.eye(len(p[\"U\"].T))[y]) / len(x) -> np.eye(len(p[\"U\"].T))[y])", "", ""),
    ],
)  # fmt: skip
def test_slips_are_explained(name, slip, kind, words):
    net, by_hand = CASES[name]
    loss, arguments = net()
    found = compare(gradients(loss), slipped(by_hand, slip)(*arguments)).diagnoses
    assert found and "unexplained" not in [d.kind for d in found]
    assert found[0].kind.startswith(kind) and words in found[0].looks_like


def test_a_row_by_itself_is_searched_past_forks_too():
    """The derivative by the logits is given, and what a log_softmax is read by is not."""
    p, rng = parameters(l=(N, K))
    q, a = tensors(p), rng.normal(size=(N, K))
    logits = (q["l"] * 1.0).named("logits")
    logs = log_softmax(logits, axis=1)
    g = gradients((0.3 * (exp(logs) * logs).sum() - (a * logs).sum()) / N)
    pi = soft(p["l"])
    mean, every = ((u).sum(axis=1, keepdims=True) for u in (pi * np.log(pi), a))
    hand = (pi * (every * pi - a) + 0.3 * pi * (np.log(pi) - mean)) / N
    (found,) = compare(g, {"logits": hand}).diagnoses
    assert found.kind == "extra factor" and "too many" in found.looks_like


def test_a_value_of_each_row_where_one_of_all_rows_belongs():
    p, rng = parameters(W=(D, H), u=H, V=(H, K))
    q, x = tensors(p), rng.normal(size=(N, D))
    h = tanh(x @ q["W"]).named("h")
    g = gradients((((h * q["u"]) @ q["V"]) ** 2).sum())
    h, dz = np.tanh(x @ p["W"]), 2 * (np.tanh(x @ p["W"]) * p["u"]) @ p["V"]
    dr = dz @ p["V"].T * h * (1 - h**2)  # and not h, but u
    hand = {"W": x.T @ dr, "V": (h * p["u"]).T @ dz, "u": (dz @ p["V"].T * h).sum(axis=0)}
    (found,) = compare(g, hand).diagnoses
    assert (found.name, found.kind) == ("W", "wrong value")
    assert "h was used where u belongs" in found.looks_like


def test_a_step_that_is_read_outside_of_the_loop():
    """Attention over the steps of a loop: the share of a step is read beside its state."""
    p, rng = parameters(W=(D, H), U=(H, H), s=(H, 1))
    q, x = tensors(p), rng.normal(size=(4, N, D))
    h, states, scores = np.zeros((N, H)), [], []
    for t in range(1, 5):
        with block(t):
            h = tanh(x[t - 1] @ q["W"] + h @ q["U"]).named("h")
            states, scores = [*states, h], [*scores, h @ q["s"]]
    w = softmax(concatenate(scores, axis=1), axis=1)
    pool = add_n(*(w[:, t : t + 1] * h for t, h in enumerate(states)))
    g = gradients((pool**2).sum())

    def by_hand(back):
        h = [np.zeros((N, H))]
        for t in range(4):
            h.append(np.tanh(x[t] @ p["W"] + h[t] @ p["U"]))
        w = soft(np.concatenate([h[t] @ p["s"] for t in range(1, 5)], axis=1))
        pool = sum(w[:, t - 1 : t] * h[t] for t in range(1, 5))
        dw = np.stack([(2 * pool * h[t - back]).sum(axis=1) for t in range(1, 5)], axis=1)
        de = w * (dw - (w * dw).sum(axis=1, keepdims=True))
        d, carry = {name: np.zeros_like(value) for name, value in p.items()}, 0
        for t in range(4, 0, -1):
            d["s"] += h[t].T @ de[:, t - 1 : t]
            dh = w[:, t - 1 : t] * 2 * pool + de[:, t - 1 : t] @ p["s"].T + carry
            dr = dh * (1 - h[t] ** 2)
            d["W"] += x[t - 1].T @ dr
            d["U"] += h[t - 1].T @ dr
            carry = dr @ p["U"].T
        return d

    assert compare(g, by_hand(0)).ok
    first = compare(g, by_hand(1)).diagnoses[0]
    assert first.kind == "wrong block" and "belongs" in first.looks_like


def test_what_is_nothing_but_rounding_is_held_against_what_it_should_be():
    """Above batch norm the gradient of a bias is 0; a slip by which another one is, too."""
    loss, arguments = CASES["normed"][0]()
    slip = '"V": h.T @ dz} -> "V": (h - h.mean(axis=0)).T @ dz, "s": 0}'
    hand = slipped(normed_by_hand, slip)(*arguments)
    hand["s"] = 1e-17 * arguments[1].sum(axis=0)[:1].repeat(H)
    (found,) = [d for d in compare(gradients(loss), hand).diagnoses if d.name == "s"]
    assert found.kind != "unexplained"
