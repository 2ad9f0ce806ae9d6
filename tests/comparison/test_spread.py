"""Slips in what arrays are summed over and spread along, in functions that a formula has in it, and
in lines that stand for several branches: each in one row, where all others are right."""

import numpy as np
import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import Tensor, block, compare, exp, gradients, log, logsumexp, tanh
from tinygrad_lstm.comparison.changes import Changes

N = 3
RNG = np.random.default_rng(0)
S, X, Y = (RNG.normal(size=(N, N)) for _ in range(3))


def leaf(value, name):
    return Tensor(value, True, name)


def diagnosed(g, row, wrong):
    """What is said of a row that is wrong, where all others are right."""
    names = [x.name for x in g.tape.values if x.name and x.requires_grad]
    report = compare(g, {name: np.asarray(g[name]) for name in names} | {row: wrong})
    assert report.first is not None and report.first.name == row
    (found,) = report.diagnoses
    return found


def soft(s, axis):
    e = np.exp(s - s.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def graph(y):
    return gradients((y.named("y") * np.arange(1.0, 1 + y.size).reshape(y.shape)).sum())


@pytest.mark.parametrize("forward", [0, 1], ids=["logsumexp", "written out"])
@pytest.mark.parametrize(
    ("wrong", "kind", "words"),
    [
        (lambda g: g[:, None] * soft(S, 0), "axis", "softmax(s, axis=0) stands where"),
        (lambda g: g[:, None] * np.exp(S), "local f", ""),
        (lambda g: g[None] * soft(S, 1), "axis", "the axis of length 1 is in another place"),
    ],
    ids=["axis", "undivided", "spread"],
)
def test_a_softmax_in_a_rule(forward, wrong, kind, words):
    s = leaf(S, "s")
    g = graph([lambda: logsumexp(s, axis=1), lambda: log(exp(s).sum(axis=1))][forward]())
    found = diagnosed(g, "s", wrong(np.asarray(g["y"])))
    assert kind in found.kind and words in found.looks_like
    assert "inf" not in found.correct  # what guards against log(0) is not in the reader's way


def test_every_share_alike():
    s = leaf(S, "s")
    g = graph(logsumexp(s, axis=1))
    found = diagnosed(g, "s", np.repeat(np.asarray(g["y"])[:, None], N, axis=1) / N)
    assert "the same share, 1/3" in found.looks_like


def test_the_mean_of_a_norm_over_the_wrong_axis():
    s = leaf(S[:2], "s")
    g = graph(s / tg.sqrt((s**2).mean(axis=1, keepdims=True) + 1e-3))
    n, gy = np.sqrt((S[:2] ** 2).mean(axis=1, keepdims=True) + 1e-3), np.asarray(g["y"])
    right = gy / n - S[:2] * (gy * S[:2]).mean(axis=1, keepdims=True) / n**3
    np.testing.assert_allclose(right, g["s"])
    wrong = gy / n - S[:2] * (gy * S[:2]).mean(axis=0, keepdims=True) / n**3
    found = diagnosed(g, "s", wrong)
    assert found.kind == "axis" and "over axis 0" in found.looks_like


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda a: a[:, 0].sum(axis=0), "only entry 0 along it"),
        (lambda a: a[:, -1].sum(axis=0), "only entry 2 along it"),
    ],
)
def test_one_step_of_a_sum_over_several_axes(wrong, words):
    b = leaf(RNG.normal(size=2), "b")
    g = graph(b + RNG.normal(size=(2, 3, 2)))
    found = diagnosed(g, "b", wrong(np.asarray(g["y"])))
    assert found.kind == "axis" and words in found.looks_like


def test_other_subscripts():
    a = leaf(S, "a")
    g = graph(tg.einsum("ij,jk->ik", a, X))
    found = diagnosed(g, "a", np.einsum("ik,kj->ij", np.asarray(g["y"]), X))
    assert found.kind in ("axis", "transpose")


def test_one_of_a_stack_for_another_and_all_for_one():
    states = [leaf(x, f"h{i}") for i, x in enumerate((S, X, Y))]
    g = gradients((tg.stack(states, axis=1).named("m") * RNG.normal(size=(N, 3, N))).sum())
    m = np.asarray(g["m"])
    assert "another slice" in diagnosed(g, "h0", m[:, 2]).looks_like
    assert "Σ_n δm[:, n, :]" in diagnosed(g, "h1", m.sum(axis=1)).yours


def conditions():
    x = leaf(S, "x")
    return graph(tg.where(x.numpy() > 0, x, 0.2 * x))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (lambda g: np.asarray(g["y"]) > 4, None),
        (lambda g: S <= 0, "the other way round"),
    ],
)
def test_a_condition_that_several_branches_share(asked, words):
    g = conditions()
    found = diagnosed(g, "x", g["y"] * np.where(asked(g), 1, 0.2))
    assert (found.kind == "unexplained") if words is None else words in found.looks_like


def shared(steps=3):
    """A transition matrix that two lines of a loop, and one after it, add to."""
    w, h, total = leaf(S, "w"), X, 0
    picked = RNG.integers(N, size=(steps, 2, N))
    for t in range(1, steps + 1):
        with block(t):
            h = tanh(h[:, :, None] + w).sum(axis=1).named("h")
            total = total + w[picked[t - 1, 0], picked[t - 1, 1]].sum()
    return gradients(total + (h * Y).sum() + 0.05 * (w**2).sum()), picked


def lines():
    """What each line of the derivation adds to ``w``: those of the states, those of what is
    picked, by block; and what comes after the loop."""
    g, picked = shared()
    h, states = X, []
    for _ in range(3):
        u = np.tanh(h[:, :, None] + S)
        h = u.sum(axis=1)
        states.append(u)
    of_h = [((1 - u**2) * np.asarray(g[f"h<{t}>"])[:, None]).sum(axis=0) for t, u in
            enumerate(states, 1)]  # fmt: skip
    ones = [np.zeros((N, N)) for _ in range(3)]
    for t, one in enumerate(ones):
        np.add.at(one, (picked[t, 0], picked[t, 1]), 1)
    return g, of_h, ones, 0.1 * S


@pytest.mark.parametrize("slip", ["turned", "begun again", "exchanged"])
def test_a_line_of_several_that_add_to_one_value(slip):
    g, of_h, ones, decay = lines()
    np.testing.assert_allclose(sum(of_h) + sum(ones) + decay, g["w"])
    if slip == "turned":
        found = diagnosed(g, "w", sum(of_h).T + sum(ones) + decay)
        assert found.kind == "transpose"
    elif slip == "begun again":  # backward ends with block 1
        found = diagnosed(g, "w", of_h[0] + sum(ones) + decay)
        assert found.kind == "accumulation" and "= where += belongs" in found.looks_like
    else:
        found = diagnosed(g, "w", sum(of_h) + sum(ones).T + decay)
        assert found.kind in ("axis", "transpose")
        assert "exchanged" in found.looks_like or "transposed" in found.looks_like


def test_a_gradient_that_does_not_come_here():
    x = leaf(S, "x")
    a = tanh(x @ X).named("a")
    g = graph(a @ Y)
    found = diagnosed(g, "a", g["y"] @ Y.T + g["y"])
    assert found.kind == "extra term" and "δy was added" in found.looks_like
    assert "a term too many" in compare(g, {"a": g["y"] @ Y.T + g["y"]}).hints("kind")


@pytest.mark.parametrize("T", [4, 16])
def test_what_explained_a_row_is_known_in_the_others(T, monkeypatch):
    """The mirror image of time is so many blocks away in each block, and the same mistake."""
    w, h, total = leaf(S, "w"), X, 0
    y, states = RNG.normal(size=(T, N, N)), {}
    for t in range(1, T + 1):
        with block(t):
            h = tanh(h @ w).named("h")
            total = total + ((h - y[t - 1]) ** 2).sum().named("e")
        states[t] = h.numpy()
    g, hand, later = gradients(total), {f"e<{t}>": 1.0 for t in range(1, T + 1)}, 0
    for t in range(T, 0, -1):
        hand[f"h<{t}>"] = 2 * (states[t] - y[T - t]) + later
        later = hand[f"h<{t}>"] * (1 - states[t] ** 2) @ S.T
    searched, every = [], Changes.all
    monkeypatch.setattr(Changes, "all", lambda self: searched.append(self) or every(self))
    found = compare(g, hand).diagnoses
    assert len(found) == T and {d.kind for d in found} == {"wrong block"}
    assert len(searched) <= 2  # however many blocks there are


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (lambda m, pred, t: m[t], "this tape does not hold"),  # nothing reads the last
        (lambda m, pred, t: pred[t - 1] if t > 1 else m[0], "pred<2> was used where m<2> belongs"),
    ],
    ids=["the last", "the first"],
)
def test_values_beyond_the_ends_of_a_loop(read, words):
    T, N, H = 4, 2, 4
    w, x, y = RNG.normal(size=(H, H)), RNG.normal(size=(T, N, H)), RNG.normal(size=(T, N, H))
    q, m, total = leaf(w, "w"), RNG.normal(size=(N, H)), 0
    states, preds, d = {0: m}, {}, {}
    for t in range(1, T + 1):
        with block(t):
            pred = (m @ q).named("pred")
            total = total + ((pred - y[t - 1]) ** 2).sum()
            m = tanh(pred + x[t - 1]).named("m")
        states[t], preds[t] = m.numpy(), pred.numpy()
    carry = 0
    for t in range(T, 0, -1):
        d[t] = 2 * (preds[t] - y[t - 1]) + carry
        if t > 1:
            carry = d[t] @ w.T * (1 - states[t - 1] ** 2)
    g, hand = gradients(total), {f"pred<{t}>": d[t] for t in d}
    assert compare(g, hand | {"w": sum(states[t - 1].T @ d[t] for t in d)})
    (found,) = compare(g, hand | {"w": sum(read(states, preds, t).T @ d[t] for t in d)}).diagnoses
    assert words in found.looks_like
