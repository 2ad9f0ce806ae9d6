"""Networks as people write them, with names and without: compare finds the row, blames no right
one, and explains nearly every slip."""

from collections import Counter

import derivations
import numpy as np
import pytest
from derivations import NETWORKS, case

from tinygrad_lstm import (
    Tensor,
    add_n,
    block,
    compare,
    concatenate,
    cross_entropy,
    gradients,
    sigmoid,
    softmax,
    tanh,
)
from tinygrad_lstm.comparison import diagnosis, likely, work
from tinygrad_lstm.comparison.above import Above
from tinygrad_lstm.comparison.chain import Chain
from tinygrad_lstm.comparison.likely import Likely
from tinygrad_lstm.comparison.lines import Lines
from tinygrad_lstm.comparison.responses import solved
from tinygrad_lstm.comparison.search import Search
from tinygrad_lstm.comparison.together import Rules

MODES = ("all rows", "no names", "parameters")
QUICK = 7  # every such slip in the normal suite


def reported(name, slip, mode):
    """What compare says of a slip, and the rows that are wrong although all above them is right."""
    g, hand = case(name, slip, mode != "no names")
    if mode == "parameters":
        leaves = {x.name for x in g.tape.leaves}
        hand = {key: value for key, value in hand.items() if key in leaves}
    return compare(g, hand)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", NETWORKS)
def test_no_right_derivation_is_blamed(name, mode):
    report = reported(name, None, mode)
    assert report.ok and report.first is None and report.diagnoses == ()


@pytest.mark.parametrize("mode", MODES)
def test_no_search_ends_in_an_error(mode, monkeypatch):
    """An error in a search is an explanation that is missing, so users see none: here it shows."""
    for module in (diagnosis, work):
        monkeypatch.setattr(module, "safely", lambda search, *args, **kw: search(*args, **kw))
        monkeypatch.setattr(module, "each_safely", iter)
    for name, (_, _, slips) in NETWORKS.items():
        assert reported(name, slips[MODES.index(mode)], mode).diagnoses


@pytest.mark.parametrize("name", NETWORKS)
def test_slips_are_explained(name):
    slips = NETWORKS[name][2][::QUICK]
    kinds = {s: [d.kind for d in reported(name, s, "all rows").diagnoses] for s in slips}
    assert not [slip for slip, found in kinds.items() if not found or "unexplained" in found]


@pytest.mark.parametrize(
    ("name", "slip", "mode", "kind", "words"),
    [
        ("attention", "a.T @ do -> a[::-1].T @ do", "parameters", "reversed", "in reverse"),
        ("gru", "dsn, r * h[t - 1]) -> dsn, r * h[t])", "no names", "wrong block", "was used"),
        ("windows", next(slip for slip in NETWORKS["windows"][2] if "transpose" in slip),
         "all rows", "transpose", "the last two axes are swapped"),
    ],
)  # fmt: skip
def test_what_is_read_otherwise(name, slip, mode, kind, words):
    first = reported(name, slip, mode).diagnoses[0]
    assert first.kind == kind and words in first.looks_like


def test_values_without_a_name_are_written_through():
    report = reported("gru", "dz = dh * h[t - 1] - dh * n -> dz = dh * h[t - 1] + dh * n", MODES[0])
    first = report.diagnoses[0]
    assert (first.name, first.kind) == ("z<4>", "sign")
    assert "#" not in first.correct and "δh<4> ∘ n<4>" in first.correct
    assert str(report).count(" difference: ") == 1
    assert "the same mistake as z<4>" in str(report)


def test_of_a_long_formula_the_report_shows_what_differs():
    report = reported("gru", "+ drh * r + -> + drh +", "no names")
    lines = dict(line.strip().split("  ", 1) for line in str(report).splitlines()[1:3])
    first = report.diagnoses[0]
    assert len(first.yours) > len(lines["yours equals"]) < 300 and ".. " in lines["yours equals"]
    assert lines["yours equals"].split(".. ", 1)[1].strip(". ") in first.yours
    assert lines["correct is"].strip(". ") in first.correct


def test_one_search_explains_all_parameters():
    report = reported("gru", "dn = dh * (1 - z) -> dn = dh", "parameters")
    assert len(report.diagnoses) >= 6 and {d.kind for d in report.diagnoses} == {"local factor"}
    assert str(report).count(" difference: ") == 1


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_nearly_every_slip_is_explained(mode, capsys):
    total, missed = 0, []
    for name, (_, _, slips) in NETWORKS.items():
        for slip in slips if mode == MODES[0] else slips[1::3]:  # the others take longer
            report = reported(name, slip, mode)
            if report.ok:  # these numbers do not show it
                continue
            total += 1
            kinds = [d.kind for d in report.diagnoses]
            if not kinds or "unexplained" in kinds:
                missed.append(f"{name}: {slip}")
    with capsys.disabled():
        print(f"\n{mode}: {1 - len(missed) / total:.1%} of {total} explained", *missed, sep="\n  ")
    assert len(missed) <= 0.05 * total


@pytest.mark.parametrize(
    ("name", "slip", "kind", "words"),
    [
        ("gru", "dr = drh * h[t - 1] -> dr = drh * h[t]", "wrong block", "h<4> was used"),
        ("gru", "dh = h[t] - y[t - 1] + carry -> dh = np.clip(h[t] - y[t - 1] + carry, -1, 1)",
         "clipped", "the entries are clipped to ±1"),
        ("gru", "before.T @ ds -> h[t].T @ ds", "wrong block", "(and so in the other blocks)"),
        ("peephole", "+ dsi * p[\"pi\"] -> ", "branch missing", "of the fork is missing"),
        ("peephole", "dc * g, dc * i -> dc * i, dc * g", "wrong value", "further up"),
        ("gru", "+ dsz @ p[\"Uz\"].T -> ", "branch missing", "(through h<3> Uz) of the fork"),
        ("head", "dr @ p[\"W2\"].T -> dr @ p[\"W2\"]", "transpose", "W2"),
    ],
)  # fmt: skip
def test_what_is_not_given_follows_from_the_parameters(name, slip, kind, words):
    """Each step of a derivation, from its last lines alone."""
    report = reported(name, slip, "parameters")
    assert report.diagnoses[0].kind == kind and words in report.diagnoses[0].looks_like
    assert all(d.kind != "unexplained" for d in report.diagnoses)


@pytest.mark.parametrize(
    ("slip", "kind"),
    [
        ("dr = drh * h[t - 1] -> dr = drh * h[t]", "wrong block"),
        ("* z + -> * (1 - z) +", "local form"),
    ],
)
def test_long_sequences_from_the_parameters_alone(slip, kind, monkeypatch):
    monkeypatch.setattr(derivations, "T", 24)
    report = reported("gru", slip, "parameters")
    assert {d.kind for d in report.diagnoses} == {kind} and len(report.diagnoses) == 9
    assert str(report).count(" difference: ") == 1


def test_what_the_rows_do_not_determine():
    """A system with fewer rows than unknowns: a solution, and what may be added to it."""
    rng = np.random.default_rng(0)
    A = rng.normal(size=(5, 3)) @ rng.normal(size=(3, 6))
    off, added, free = solved(A, A @ rng.normal(size=6))
    assert free.shape == (6, 3) and np.linalg.matrix_rank(free) == 3
    np.testing.assert_allclose(A @ free, 0, atol=1e-12)
    assert off < 1e-12
    b = rng.normal(size=5)
    nearest = np.linalg.lstsq(A, b, rcond=None)[0]
    off, added, _ = solved(A, b)
    np.testing.assert_allclose(np.linalg.norm(A @ added - b), np.linalg.norm(A @ nearest - b))
    assert off > 1e-3


@pytest.mark.parametrize(
    ("slip", "kind", "words"),
    [
        ("dc = dc + dh * o -> dc = (dc + dh) * o", "parenthesis", "belongs to branch"),
        ("dsi * p[\"pi\"] -> dsi * p[\"po\"]", "wrong value", "po was used where pi belongs"),
    ],
)  # fmt: skip
def test_a_factor_of_one_branch_on_others(slip, kind, words):
    first = reported("peephole", slip, MODES[0]).diagnoses[0]
    assert (first.name, first.kind) == ("c<3>", kind) and words in first.looks_like


def test_whose_local_derivative_has_a_wrong_form():
    """The factor is that of the gate, which the stage of the branch only picks out of all gates;
    and what stands where which belongs."""
    slip = "dg * (1 - g**2) -> dg * (1 - np.tanh(g) ** 2)"
    said = reported("column", slip, "parameters").diagnoses[0].looks_like
    wrong = "the local derivative of tanh has a wrong form: 1 − tanh(g<4>)² where 1 − g<4>² belongs"
    assert wrong in said
    said = reported("column", "do * o * (1 - o) -> do * (1 - o)", "parameters").diagnoses[0]
    assert "the local derivative of sigmoid has a wrong form: o<4> is missing" in said.looks_like


def test_a_product_without_a_name_is_written_through():
    first = reported("mlp", "dr.T @ h -> h.T @ dr", "no names").diagnoses[0]
    assert "matmul#" not in first.correct and "relu(x W1ᵀ + b1)" in first.correct


@pytest.mark.parametrize("names", [True, False])
def test_a_state_read_out_of_the_wrong_block(names):
    """The first state has a name without a block."""
    rng = np.random.default_rng(2)
    U, q, V = (
        Tensor(rng.normal(size=(3, n)), True, name)
        for name, n in zip("UqV", (3, 1, 2), strict=True)
    )
    h = {0: Tensor(rng.normal(size=(2, 3)), True, "start")}
    pooled = 0
    for t in range(1, 7):
        with block(t):
            h[t] = tanh(sigmoid(rng.normal(size=(2, 3)) + h[t - 1] @ U) * 2 - 1)
            h[t] = h[t].named("h") if names else h[t]
            pooled = pooled + (h[t] @ q) * h[t]
    g = gradients(((pooled @ V) ** 2).sum())
    o, at = 2 * pooled.numpy() @ V.numpy(), {t: x.numpy() for t, x in h.items()}
    sent = {t: (o @ V.numpy().T * at[t]).sum(axis=1, keepdims=True) for t in range(1, 7)}
    np.testing.assert_allclose(sum(at[t].T @ sent[t] for t in sent), g["q"])
    by_q = sum(at[t - 1].T @ sent[t] for t in sent)
    (found,) = compare(g, {"q": by_q}).diagnoses
    assert found.kind == "wrong block" and "was used where" in found.looks_like
    (found,) = compare(g, {"V": at[6].T @ o}).diagnoses
    assert found.kind == "wrong value"


def stacked(rng):
    """Two layers of u = tanh(v) ∘ k, each with its own weights, and what they read."""
    W = {name: Tensor(rng.normal(size=(3, 3)), True, name) for name in ("V1", "K1", "V2", "K2")}
    x, layers = Tensor(rng.normal(size=(4, 3)), True, "u0"), []
    for n in (1, 2):
        v, k = (x @ W[f"V{n}"]).named(f"v{n}"), (x @ W[f"K{n}"]).named(f"k{n}")
        x = (tanh(v) * sigmoid(k)).named(f"u{n}")
        layers.append((v, k))
    return gradients((x**2).sum()), W, layers


def test_weights_of_another_layer_in_all_branches():
    g, W, layers = stacked(np.random.default_rng(1))
    v, k = layers[1]
    hand = {"v2": g[v], "k2": g[k], "u1": g[v] @ W["V1"].numpy().T + g[k] @ W["K1"].numpy().T}
    (found,) = compare(g, hand).diagnoses
    assert (found.name, found.kind) == ("u1", "wrong value")
    assert "V1" in found.yours and "K1" in found.yours and "V2" in found.correct


def test_one_slip_in_a_loop_without_blocks():
    rng = np.random.default_rng(0)
    e = [Tensor(rng.normal(size=(4, 5)), True, f"e{k}") for k in range(3)]
    g = (Tensor(rng.normal(size=(4, 3)), True, "s") * 2.0).named("g")
    m = (g[:, :1] * e[0] + g[:, 1:2] * e[1] + g[:, 2:] * e[2]).named("m")
    found = gradients((m**3).sum())
    hand = np.stack([(found["m"] * m.numpy()).sum(axis=1)] * 3, axis=1)
    (row,) = compare(found, {"m": found["m"], "g": hand}).diagnoses
    assert row.kind == "wrong value" and "m was used where e1 belongs" in row.looks_like


def test_one_slip_in_several_heads():
    """It stands in one line of a loop over heads, and not over blocks."""
    rng = np.random.default_rng(0)
    x, V = rng.normal(size=(4, 3)), rng.normal(size=(2, 3, 2))
    W = Tensor(rng.normal(size=(3, 6)), True, "W")
    s = x @ W
    a = [softmax(s[:, 3 * j : 3 * j + 3], axis=1) for j in range(2)]
    o = concatenate([a[j] @ V[j] for j in range(2)], axis=1)
    g = gradients((o**3).sum())

    def by_hand(axis):
        ds = []
        for j in range(2):
            one, da = a[j].numpy(), 3 * o.numpy()[:, 2 * j : 2 * j + 2] ** 2 @ V[j].T
            ds.append(one * (da - (da * one).sum(axis=axis, keepdims=True)))
        return x.T @ np.concatenate(ds, axis=1)

    np.testing.assert_allclose(by_hand(1), g["W"])
    (found,) = compare(g, {"W": by_hand(0)}).diagnoses
    assert found.kind == "axis" and "(and so in the others like it)" in found.looks_like


@pytest.mark.parametrize(
    ("slip", "kind", "words"),
    [
        (lambda d, k: d * (1 - k), "local form", "1 − k"),
        (lambda d, k: d * k / 2, "factor", "is divided by 2"),
    ],
)
def test_one_line_goes_past_several_rules(slip, kind, words):
    """h<t> = n<t> + k ∘ (h<t−1> − n<t>): by hand, δh<t−1> has a line of its own."""
    rng = np.random.default_rng(0)
    W, k = Tensor(rng.normal(size=(2, 3)), True, "W"), Tensor(rng.random(3), True, "k")
    x, h, errors = rng.normal(size=(4, 2, 2)), [Tensor(np.zeros((2, 3)))], []
    for t in range(1, 5):
        with block(t):
            n = tanh(x[t - 1] @ W)
            h.append(n + k * (h[-1] - n))
            errors.append((h[-1] ** 2).sum())
    g = gradients(add_n(*errors))

    def by_hand(carried):
        d, dW, at = 0, 0, k.numpy()
        for t in range(4, 0, -1):
            d = 2 * h[t].numpy() + d
            dW = dW + x[t - 1].T @ (d * (1 - at) * (1 - np.tanh(x[t - 1] @ W.numpy()) ** 2))
            d = carried(d, at)
        return {"W": dW}

    np.testing.assert_allclose(by_hand(lambda d, k: d * k)["W"], g["W"])
    (found,) = compare(g, by_hand(slip)).diagnoses
    assert found.kind == kind and words in found.looks_like


def test_words_of_a_loss_that_is_scaled():
    rng = np.random.default_rng(0)
    h, y = Tensor(rng.normal(size=(3, 6)), True, "h"), np.array([1, 0, 4])
    with block(4):
        s = (2 * h).named("l")
        E = cross_entropy(s, y).named("E")
    g = gradients(E / 4)
    (found,) = compare(g, {"l<4>": 4 * g["l<4>"]}).diagnoses
    assert found.looks_like == (
        "the gradient that arrives, δE<4> = 1/4, was left out: yours is 4 times too large"
    )
    assert found.correct == "δE<4> / 3 · (softmax(l<4>) − onehot(targets<4>))"


@pytest.mark.parametrize("name", NETWORKS)
def test_rules_on_several_gradients_at_once(name):
    g, _ = case(name, None, False)
    chain = Chain(g, {})
    rules, rng = Rules(Lines(chain)), np.random.default_rng(0)
    for x in chain.order:
        for branch in g.branches(x):
            node = branch.stage.output
            several = rng.normal(size=(3, *node.shape))
            alone = [chain.rule(branch, one) for one in several]
            np.testing.assert_allclose(rules.sent(branch, x, several), alone, atol=1e-12)


def test_what_the_rows_rule_out_is_not_tried(monkeypatch):
    """Noise in all parameters: nothing that is made in one place gives it, and that is told before
    any mistake is tried; one that is explained is the first that is tried."""
    monkeypatch.setattr(diagnosis, "DEEP", 900)
    monkeypatch.setattr(diagnosis, "LEAST", 100)
    tried, groups = [], Above.tried
    monkeypatch.setattr(Above, "tried", lambda s, group: tried.extend(group) or groups(s, group))
    g, _ = case("gru")
    rng = np.random.default_rng(0)
    noise = {x.name: rng.normal(size=x.shape) for x in g.tape.leaves if x.name}
    found = compare(g, noise).diagnoses
    assert {d.kind for d in found} == {"unexplained"} and len(found) == len(noise)
    assert (
        "nor can one mistake further up, whatever it is: there are several" in found[0].looks_like
    )
    assert len(tried) < 20
    tried.clear()
    missing = reported("gru", "h[t - 1] - dh * n -> h[t - 1]", "parameters").diagnoses
    assert {d.kind for d in missing} == {"branch missing"} and len(tried) < 5


def test_a_search_ends_at_its_budget(monkeypatch):
    """Noise in all parameters of a loop that is too long for what they tell: it is told what was
    searched."""
    spent, formulas, within = [], [0], Search.within
    ended = Likely.ended.fget
    monkeypatch.setattr(Likely, "ended", property(lambda s: spent.append(s.spent) or ended(s)))
    monkeypatch.setattr(
        Search, "within", lambda s, n=1: formulas.append(formulas.pop() + n) or within(s, n)
    )
    monkeypatch.setattr(likely, "BUDGET", 3000)
    monkeypatch.setattr(diagnosis, "DEEP", 900)
    monkeypatch.setattr(diagnosis, "LEAST", 100)
    rng = np.random.default_rng(0)
    W, U, b = (
        Tensor(rng.normal(size=s), True, n) for n, s in (("W", (2, 3)), ("U", (3, 3)), ("b", 3))
    )
    h = np.zeros((2, 3))
    for t in range(1, 21):
        with block(t):
            z = sigmoid(rng.normal(size=(2, 2)) @ W).named("z")
            h = (z * h + (1 - z) * tanh(h @ U + b)).named("h")
    noise = {x.name: rng.normal(size=x.shape) for x in (W, U, b)}
    found = compare(gradients((h * h).sum()), noise).diagnoses
    assert {d.kind for d in found} == {"unexplained"} and len(found) == len(noise)
    assert "the search ended at its budget of 3,5" in found[0].looks_like
    assert 3500 < max(spent) < 4500 and formulas[0] < 10_000


def test_where_one_loop_goes_on_from_another():
    """The decoder begins with the last state of the encoder, to which no gradient is sent back."""
    rng = np.random.default_rng(0)
    U, V = (Tensor(rng.normal(size=(3, 3)), True, name) for name in "UV")
    x, h, s, errors = rng.normal(size=(7, 2, 3)), {0: Tensor(np.zeros((2, 3)))}, {}, []
    for t in range(1, 4):
        with block(t):
            h[t] = tanh(x[t - 1] + h[t - 1] @ U).named("h")
    s[3] = h[3]
    for t in range(4, 7):
        with block(t):
            s[t] = tanh(x[t] + s[t - 1] @ V).named("s")
            errors.append((s[t] * h[3]).sum())
    g = gradients(add_n(*errors))

    def by_hand(begun):
        d = {"U": np.zeros((3, 3)), "V": np.zeros((3, 3))}
        ds, dh = 0, sum(s[t].numpy() for t in range(4, 7))
        for t in (6, 5, 4):
            dr = (ds + h[3].numpy()) * (1 - s[t].numpy() ** 2)
            d["V"] += s[t - 1].numpy().T @ dr
            ds = dr @ V.numpy().T
        dh = dh + begun * ds
        for t in (3, 2, 1):
            dr = dh * (1 - h[t].numpy() ** 2)
            d["U"] += h[t - 1].numpy().T @ dr
            dh = dr @ U.numpy().T
        return d

    np.testing.assert_allclose(by_hand(1)["U"], g["U"])
    (found,) = compare(g, by_hand(0)).diagnoses
    assert (found.name, found.kind) == ("U", "branch missing") and "h<3> V" in found.looks_like


@pytest.mark.parametrize(
    ("name", "one", "other", "kinds"),
    [
        ("gru", "dn = dh * (1 - z) -> dn = dh", "dsn, r * h[t - 1]) -> dsn, h[t - 1])",
         {"local factor": 8, "two mistakes": 1}),
        ("norm", "rows, ids, d[\"e\"]) -> rows, ids, -d[\"e\"])", "(m > 0) -> (d[\"h\"] > 0)",
         {"two mistakes": 5}),
    ],
)  # fmt: skip
def test_two_mistakes_from_the_parameters_alone(name, one, other, kinds, monkeypatch):
    """One in a row's own formula, the other further up; and two whose effects add up."""
    monkeypatch.setattr(likely, "BUDGET", 14000)
    found = reported(name, (one, other), "parameters").diagnoses
    assert Counter(d.kind for d in found) == kinds
    assert all("; and " in d.looks_like for d in found if d.kind == "two mistakes")


@pytest.mark.parametrize(
    ("slip", "kind"),
    [("", "branch missing"), ("- carry", "branches"), ("+ carry / 2", "factor")],
    ids=["dropped", "subtracted", "halved"],
)
def test_what_a_loop_carries_back_is_one_thing(slip, kind):
    """The state is read by five stages, of which the next block has three; the last block has a sum
    of its own."""
    rng = np.random.default_rng(0)
    p = {
        k: rng.normal(size=s)
        for k, s in {"U": (3, 3), "V": (3, 3), "A": (3, 2), "B": (3, 2)}.items()
    }
    q = {k: Tensor(v, True, k) for k, v in p.items()}
    x, h, loss = rng.normal(size=(4, 2, 3)), np.zeros((2, 3)), 0
    for t in range(1, 5):
        with block(t):
            f = sigmoid(x[t - 1] + h @ q["U"]).named("f")
            g = tanh(x[t - 1] + h @ q["V"]).named("g")
            h = (f * h + g).named("h")
            loss = loss + ((h @ q["A"]) ** 2).sum() + ((h @ q["B"]) ** 2).sum()
    source = """
h, f, g = {0: np.zeros((2, 3))}, {}, {}
for t in range(1, 5):
    f[t] = 1 / (1 + np.exp(-x[t - 1] - h[t - 1] @ p["U"]))
    g[t] = np.tanh(x[t - 1] + h[t - 1] @ p["V"])
    h[t] = f[t] * h[t - 1] + g[t]
carry = 0
for t in range(4, 0, -1):
    dA, dB = 2 * h[t] @ p["A"], 2 * h[t] @ p["B"]
    d["A"] += h[t].T @ dA
    d["B"] += h[t].T @ dB
    dh = dA @ p["A"].T + dB @ p["B"].T + carry
    df, dg = dh * h[t - 1] * f[t] * (1 - f[t]), dh * (1 - g[t] ** 2)
    d["U"] += h[t - 1].T @ df
    d["V"] += h[t - 1].T @ dg
    carry = dh * f[t] + df @ p["U"].T + dg @ p["V"].T
"""
    d = {k: np.zeros_like(v) for k, v in p.items()}
    exec(source.replace("+ carry", slip), {"np": np, "p": p, "x": x, "d": d})
    found = compare(gradients(loss), d).diagnoses
    assert {x.name: x.kind for x in found} == {"U": kind, "V": kind}
