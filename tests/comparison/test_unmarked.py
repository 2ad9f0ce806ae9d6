"""Loops without blocks and without names; slips in what is picked out of arrays, in stacks of
matrices, and in the whole of a sum that is not given."""

import numpy as np
import pytest

from tinygrad_lstm import Tensor, block, compare, embedding, gradients, softmax, tanh
from tinygrad_lstm.comparison.loops import loop

T, N, H, K = 4, 3, 4, 5


def language_model(rng):
    """An RNN over words, without blocks, and with names for its parameters only."""
    shapes = {"E": (K, H), "W": (H, H), "U": (H, H), "V": (H, K)}
    p = {name: 0.7 * rng.normal(size=shape) for name, shape in shapes.items()}
    q = {name: Tensor(value, True, name) for name, value in p.items()}
    ids, y = rng.integers(K, size=(T, N)), rng.random((T, N, K))
    h, loss = np.zeros((N, H)), 0
    for t in range(T):
        h = tanh(embedding(q["E"], ids[t]) @ q["W"] + h @ q["U"])
        loss = loss + ((h @ q["V"] - y[t]) ** 2).sum()
    return gradients(loss), (p, ids, y)


def by_hand(p, ids, y, slope=lambda c: 1 - c**2, state=-1):
    h = {-1: np.zeros((N, H))}
    for t in range(T):
        h[t] = np.tanh(p["E"][ids[t]] @ p["W"] + h[t - 1] @ p["U"])
    d, carry = {name: np.zeros_like(value) for name, value in p.items()}, 0
    for t in reversed(range(T)):
        do = 2 * (h[t] @ p["V"] - y[t])
        ds = (do @ p["V"].T + carry) * slope(h[t])
        d["V"] += h[t].T @ do
        d["W"] += p["E"][ids[t]].T @ ds
        d["U"] += h[t + state].T @ ds
        np.add.at(d["E"], ids[t], ds @ p["W"].T)
        carry = ds @ p["U"].T
    return d


@pytest.mark.parametrize(
    ("slip", "kind", "words"),
    [
        ({}, None, ""),
        ({"slope": lambda c: 1 - c}, "local form", "and so in the other blocks"),
        ({"slope": lambda c: 1 / (1 - c**2)}, "local form", "upside down"),
        ({"state": 0}, "wrong block", "was used where"),
    ],
)
def test_a_loop_that_nothing_marks(slip, kind, words):
    g, args = language_model(np.random.default_rng(0))
    found = compare(g, by_hand(*args, **slip)).diagnoses
    assert {d.kind for d in found} == ({kind} if kind else set())
    assert all(words in d.looks_like for d in found)


def test_a_step_before_the_loop_reads_indices_too():
    """The first step of a loop whose state is not there yet is none of its blocks."""
    rng = np.random.default_rng(0)
    E, U = (Tensor(rng.normal(size=(3, 3)), True, name) for name in "EU")
    h, losses = None, []
    for _ in range(4):
        e = E[rng.integers(3, size=2)].named("e")
        h = tanh(e) if h is None else tanh(e + h @ U) * h
        losses.append((h * h).sum())
    g = gradients(sum(losses[1:], losses[0]))
    key = "E via e#1"
    assert compare(g, {key: g[key]}).ok
    assert key in str(compare(g, {key: 2 * g[key] + 1}))


def test_where_values_are_in_such_a_loop():
    tape = language_model(np.random.default_rng(0))[0].tape
    places = loop(tape)
    assert {place.block for place in places.values()} == {1, 2, 3, 4}
    of = [places[id(s.output)].role for s in tape.stages if s.op == "tanh"]
    assert len(of) == T and len(set(of)) == 1


@pytest.mark.parametrize(("names", "blocks"), [(("W0", "W1", "W2", "W3"), 4), ("ABCD", 0)])
def test_layers_are_a_loop_where_their_weights_are_called_alike(names, blocks):
    rng = np.random.default_rng(0)
    x = Tensor(rng.normal(size=(2, 3)))
    for name in names:
        x = tanh(x @ Tensor(rng.normal(size=(3, 3)), True, name))
    assert {place.block for place in loop((x**2).sum().tape).values()} == {*range(1, blocks + 1)}


def test_one_slip_in_layers_without_names():
    rng = np.random.default_rng(0)
    p = {f"{k}{n}": rng.normal(size=(3, 3) if k == "W" else 3) for n in (1, 2, 3) for k in "Wb"}
    q = {name: Tensor(value, True, name) for name, value in p.items()}
    x = {0: rng.normal(size=(5, 3))}
    y = Tensor(x[0])
    for n in (1, 2, 3):
        y = y + tanh(y @ q[f"W{n}"] + q[f"b{n}"])
    g = gradients((y**2).sum())
    for n in (1, 2, 3):
        x[n] = x[n - 1] + np.tanh(x[n - 1] @ p[f"W{n}"] + p[f"b{n}"])
    hand, dx = {}, 2 * x[3]
    for n in (3, 2, 1):
        ds = dx * (1 - (x[n] - x[n - 1]) ** 2)
        hand |= {f"W{n}": x[n - 1].T @ ds, f"b{n}": ds.sum(axis=0)}
        dx = ds @ p[f"W{n}"].T  # and + dx
    kinds = [d.kind for d in compare(g, hand).diagnoses]
    assert kinds and set(kinds) <= {"branch missing", "term missing"}


def batched(rng):
    """Attention over a batch, with heads made one by reshape."""
    a, v = (Tensor(rng.normal(size=(2, 3, 4, 4)), True, name) for name in "av")
    W = Tensor(rng.normal(size=(12, 5)), True, "W")
    s = softmax(a, axis=-1).named("s")
    o = (s @ v).named("o")
    m = (o.transpose(0, 2, 1, 3).reshape(2, 4, 12) @ W).named("m")
    return gradients((m**3).sum()), s.numpy(), o.numpy(), W.numpy()


@pytest.mark.parametrize(
    ("slip", "kind", "words"),
    [
        ("turned", "transpose", "transposed"),
        ("reshaped", "transpose", "reshape moves no axis"),
        ("value", "wrong value", "the value o was used where its gradient belongs"),
    ],
)
def test_stacks_of_matrices(slip, kind, words):
    g, s, o, W = batched(np.random.default_rng(0))
    do = (g["m"] @ W.T).reshape(2, 4, 3, 4).transpose(0, 2, 1, 3)
    np.testing.assert_allclose(do, g["o"])
    np.testing.assert_allclose(s.swapaxes(2, 3) @ do, g["v"])
    hand = {
        "turned": {"o": do, "v": s @ do},
        "reshaped": {"m": g["m"], "o": (g["m"] @ W.T).reshape(2, 3, 4, 4)},
        "value": {"o": do, "v": s.swapaxes(2, 3) @ o},
    }[slip]
    (found,) = compare(g, hand).diagnoses
    assert found.kind == kind and words in found.looks_like


def test_the_index_array_of_another_pick():
    rows, i, j = np.arange(3), np.array([0, 2, 1]), np.array([1, 1, 0])
    x = Tensor(np.random.default_rng(0).normal(size=(3, 3)), True, "x")
    u, v = (x[rows, i] ** 2).named("u"), (x[rows, j] ** 3).named("v")
    g = gradients((u * v).sum())
    hand = np.zeros((3, 3))
    np.add.at(hand, (rows, i), g["u"] * 2 * x.numpy()[rows, i])
    np.add.at(hand, (rows, i), g["v"] * 3 * x.numpy()[rows, j] ** 2)
    (found,) = compare(g, {"u": g["u"], "v": g["v"], "x": hand}).diagnoses
    assert found.kind == "wrong block" and "indices" in found.looks_like


@pytest.mark.parametrize(
    ("reduced", "slip", "kind", "words"),
    [
        (lambda r: r.mean(axis=1), lambda r: r[:, -1], "slice", "stands where"),
        (lambda r: r.max(axis=1), lambda r: r.mean(axis=1), "axis", "stands where"),
    ],
)
def test_one_entry_for_a_mean(reduced, slip, kind, words):
    rng = np.random.default_rng(0)
    r = Tensor(rng.normal(size=(3, 4, 2)), True, "r")
    W = Tensor(rng.normal(size=(2, 5)), True, "W")
    g = gradients(((reduced(r) @ W).named("o") ** 3).sum())
    (found,) = compare(g, {"o": g["o"], "W": slip(r.numpy()).T @ g["o"]}).diagnoses
    assert found.kind == kind and words in found.looks_like


def test_the_rule_of_a_mean_for_that_of_a_maximum():
    rng = np.random.default_rng(0)
    r = Tensor(rng.normal(size=(3, 4, 2)), True, "r")
    g = gradients((r.max(axis=1).named("m") ** 2).sum())
    even = np.repeat(g["m"][:, None], 4, axis=1) / 4
    (found,) = compare(g, {"m": g["m"], "r": even}).diagnoses
    assert found.kind == "local form" and "1/4" in found.looks_like


def test_a_gradient_that_is_not_there_is_0():
    """The last state is read by nobody."""
    rng = np.random.default_rng(0)
    A, h, total, given = Tensor(rng.normal(size=(3, 3)), True, "A"), Tensor(np.ones((2, 3))), 0, {}
    for t in range(1, 5):
        with block(t):
            p = tanh(h @ A + t).named("p")
            total = total + (p**2).sum()
            h = (p * rng.normal(size=(2, 3))).named("h")
            given[t] = h, p
    g = gradients(total)
    hand = {f"h<{t}>": g[f"h<{t}>"] for t in (1, 2, 3)}
    slopes = {t: 1 - p.numpy() ** 2 for t, (_, p) in given.items()}
    states = {1: np.ones((2, 3))} | {t + 1: h.numpy() for t, (h, _) in given.items()}
    right = sum(states[t].T @ (g[f"p<{t}>"] * slopes[t]) for t in range(1, 5))
    np.testing.assert_allclose(right, g["A"])
    wrong = sum(states[t].T @ (g[f"h<{t}>"] * slopes[t]) for t in (1, 2, 3))
    (found,) = compare(g, hand | {"A": wrong}).diagnoses
    assert found.kind == "wrong gradient"


def fork_of_two(rng):
    """h is read twice, and not given; what h comes from is."""
    p = {name: 0.7 * rng.normal(size=(3, 3)) for name in ("W", "A", "B")}
    q, x = {k: Tensor(v, True, k) for k, v in p.items()}, rng.normal(size=(4, 3))
    h = tanh(x @ q["W"])
    a, b = tanh(h @ q["A"]), tanh(h @ q["B"])
    g = gradients((a * b * rng.normal(size=(4, 3))).sum())
    slope = 1 - h.numpy() ** 2
    da, db = (g[v] * (1 - v.numpy() ** 2) for v in (a, b))
    hand = {"A": h.numpy().T @ da, "B": h.numpy().T @ db}
    np.testing.assert_allclose(hand["B"], g["B"])
    return g, lambda dh: {**hand, "W": x.T @ (dh(p["A"], p["B"], da, db) * slope)}


@pytest.mark.parametrize(
    ("slip", "kind", "words"),
    [
        (lambda A, B, da, db: da @ B.T + db @ A.T, "wrong value", "exchanged"),
        (lambda A, B, da, db: -(da @ A.T + db @ B.T), "sign", "is flipped"),
    ],
)
def test_the_whole_of_a_sum_that_is_not_given(slip, kind, words):
    g, by_hand = fork_of_two(np.random.default_rng(0))
    assert compare(g, by_hand(lambda A, B, da, db: da @ A.T + db @ B.T)).ok
    (found,) = compare(g, by_hand(slip)).diagnoses
    assert found.kind == kind and words in found.looks_like


@pytest.mark.parametrize(
    ("slip", "kind", "words"),
    [
        (lambda parts: [parts[0], parts[2], parts[1]], "blocks permuted", "another order"),
        (lambda parts: [np.clip(part, -0.05, 0.05) for part in parts], "clipped", "±0.05"),
    ],
)
def test_parts_of_a_concatenation(slip, kind, words):
    """Three parts of a projection, as for queries, keys and values."""
    rng = np.random.default_rng(0)
    E, W = (Tensor(rng.normal(size=shape), True, n) for n, shape in (("E", (2, 3)), ("W", (3, 6))))
    x = rng.normal(size=(4, 2))
    u = x @ E @ W
    a, b, c = (u[:, k : k + 2] for k in (0, 2, 4))
    g = gradients((a * b**2 * c**3).mean())
    du = np.concatenate(slip([g[v] for v in (a, b, c)]), axis=1)
    hand = {"W": (x @ E.numpy()).T @ du, "E": x.T @ (du @ W.numpy().T)}
    found = compare(g, hand).diagnoses
    assert {d.kind for d in found} == {kind}
    assert any(words in d.looks_like for d in found)


@pytest.mark.parametrize(
    ("slip", "kind"),
    [
        ({"b": "c"}, "wrong value"),  # what a layer makes of its input, which has no name either
        ({"d": None, "e": None}, "branch missing"),  # two of five
    ],
)
def test_what_several_layers_make_of_one_value(slip, kind):
    rng = np.random.default_rng(0)
    names = "abcde"
    p = {name: rng.normal(size=(H, H)) / 2 for name in names} | {"w": rng.normal(size=(2, H))}
    q = {name: Tensor(value, True, name) for name, value in p.items()}
    x, y = rng.normal(size=(N, 2)), rng.normal(size=(N, H))
    u = x @ q["w"]
    a, b, c, d, e = (u @ q[name] for name in names)
    g = gradients(((a * b * c + tanh(d) * e - y) ** 2).sum())
    u = x @ p["w"]
    v = {name: u @ p[name] for name in names}
    do = 2 * (v["a"] * v["b"] * v["c"] + np.tanh(v["d"]) * v["e"] - y)
    of = {"a": do * v["b"] * v["c"], "b": do * v["a"] * v["c"], "c": do * v["a"] * v["b"]}
    of |= {"d": do * v["e"] * (1 - np.tanh(v["d"]) ** 2), "e": do * np.tanh(v["d"])}
    if "b" in slip:
        of["a"] = do * v["c"] * v["c"]
    du = sum(of[name] @ p[name].T for name in names if name not in slip or "b" in slip)
    hand = {name: u.T @ of[name] for name in names} | {"w": x.T @ du}
    found = compare(g, hand).diagnoses
    assert {d.kind for d in found} == {kind}
