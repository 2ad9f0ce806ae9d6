"""A corpus of mistakes, each planted in a derivation and not in its result: compare finds the row,
and names the mistake.

The derivations share nothing with the rules of the tape: by_hand.py for the LSTM, and the two
functions below. A mistake is a change of their text, so that all that is computed later inherits
it.
"""

import inspect
import re

import numpy as np
import pytest
from reading import Reader

from tinygrad_lstm import (
    LSTM,
    Tensor,
    add_n,
    block,
    by_hand,
    compare,
    cross_entropy,
    gradients,
    linear,
    sigmoid,
    squared_error,
    tanh,
)
from tinygrad_lstm.by_hand import document


def elman(p, x, targets):
    """Backpropagation through time for a<t> = tanh(x<t> Wᵀ + b + a<t-1> Uᵀ), by hand."""
    a = {0: p["a<0>"]}
    for t in range(1, len(x) + 1):
        a[t] = np.tanh(x[t - 1] @ p["W"].T + p["b"] + a[t - 1] @ p["U"].T)
    d, later = {}, np.zeros_like(a[0])
    for t in range(len(x), 0, -1):
        d[f"a<{t}> via Error<{t}>"] = a[t] - targets[t - 1]
        d[f"a<{t}>"] = d[f"a<{t}> via Error<{t}>"] + later
        d[f"sum<{t}>"] = d[f"a<{t}>"] * (1 - a[t] ** 2)
        d[f"W @ {t}"] = d[f"sum<{t}>"].T @ x[t - 1]
        d[f"U @ {t}"] = d[f"sum<{t}>"].T @ a[t - 1]
        d[f"b @ {t}"] = d[f"sum<{t}>"].sum(axis=0)
        later = d[f"sum<{t}>"] @ p["U"]
        d[f"a<{t - 1}> via back<{t}>"] = later
    d["a<0>"] = later
    for name in "WUb":
        d[name] = sum(d[f"{name} @ {t}"] for t in range(1, len(x) + 1))
    return d


def feed_forward(p, x, targets):
    """Backpropagation through y = sigmoid(h Vᵀ + c), h = tanh(x Wᵀ + b) ∘ k, k = sigmoid(x Uᵀ + e),
    by hand."""
    n, k = np.tanh(x @ p["W"].T + p["b"]), 1 / (1 + np.exp(-(x @ p["U"].T + p["e"])))
    h = n * k
    y = 1 / (1 + np.exp(-(h @ p["V"].T + p["c"])))
    d = {"y": y - targets}
    d["sum_y"] = d["y"] * y * (1 - y)
    d["V"] = d["sum_y"].T @ h
    d["c"] = d["sum_y"].sum(axis=0)
    d["h"] = d["sum_y"] @ p["V"]
    d["n"] = d["h"] * k
    d["k"] = d["h"] * n
    d["sum_n"] = d["n"] * (1 - n**2)
    d["sum_k"] = d["k"] * k * (1 - k)
    d["W"] = d["sum_n"].T @ x
    d["b"] = d["sum_n"].sum(axis=0)
    d["U"] = d["sum_k"].T @ x
    d["e"] = d["sum_k"].sum(axis=0)
    d["x via sum_n"], d["x via sum_k"] = d["sum_n"] @ p["W"], d["sum_k"] @ p["U"]
    d["x"] = d["x via sum_n"] + d["x via sum_k"]
    return d


# What is replaced, and for each mistake there: by what, the row in which it shows first (T is the
# last block, P the one before it), the kind, and from how many blocks and rows on it is one.
LSTM_MISTAKES = {
    "-v.m * (v.target - v.a)": [
        ("v.m * (v.target - v.a)", "a<T> via Error<T>", "sign", 1, 1),
        ("-2 * v.m * (v.target - v.a)", "a<T> via Error<T>", "factor", 1, 1),
        ("-v.m * (v.target - v.a) / len(v.a)", "a<T> via Error<T>", "factor", 1, 2),
        ("-v.m * (v.target - v.a) / v.a.size", "a<T> via Error<T>", "factor", 1, 1),
    ],
    "v.Δa = v.by_error + later.before_a": [
        ("v.Δa = v.by_error", "a<P>", "branch missing", 2, 1),
        ("v.Δa = v.by_error - later.before_a", "a<P>", "sign", 2, 1),
    ],
    "v.ΔΓ_o = v.Δa * v.tanh_c": [
        ("v.ΔΓ_o = v.Δa * v.c", "Γ_o<T>", "wrong value", 1, 1),
        ("v.ΔΓ_o = v.Δa", "Γ_o<T>", "local factor", 1, 1),
    ],
    "v.ΔΓ_u = v.Δc * v.candidate": [
        ("v.ΔΓ_u = v.Δa * v.candidate", "Γ_u<T>", "wrong gradient", 1, 1),
        ("v.ΔΓ_u = v.Δc * v.Γ_u", "Γ_u<T>", "wrong value", 1, 1),
    ],
    "v.Δtanh_c = v.Δa * v.Γ_o": [
        ("v.Δtanh_c = v.Γ_o", "tanh_c<T>", "chain rule", 1, 1),
        ("v.Δtanh_c = v.Δa + v.Γ_o", "tanh_c<T>", "sum for product", 1, 1),
        ("v.Δtanh_c = v.Δa * v.Γ_f", "tanh_c<T>", "wrong value", 1, 1),
    ],
    "v.down_c = v.Δtanh_c * (1 - v.tanh_c**2)": [
        ("v.down_c = v.Δtanh_c * (1 - v.tanh_c)", "c<T> via tanh_c<T>", "local form", 1, 1),
        (
            "v.down_c = v.Δtanh_c * v.tanh_c * (1 - v.tanh_c)",
            "c<T> via tanh_c<T>",
            "local form",
            1,
            1,
        ),
        ("v.down_c = v.Δtanh_c * (1 - v.c**2)", "c<T> via tanh_c<T>", "local form", 1, 1),
        (
            "v.down_c = v.Δa + v.Γ_o * (1 - v.tanh_c**2)",
            "c<T> via tanh_c<T>",
            "sum for product",
            1,
            1,
        ),
        ("v.down_c = v.Δtanh_c", "c<T> via tanh_c<T>", "local factor", 1, 1),
    ],
    "v.Δc = v.down_c + later.before_c": [
        ("v.Δc = v.down_c", "c<P>", "branch missing", 2, 1),
        ("v.Δc = v.down_c - later.before_c", "c<P>", "sign", 2, 1),
        ("v.Δc = v.down_c + 2 * later.before_c", "c<P>", "branch doubled", 2, 1),
    ],
    "v.ΔΓ_f = v.Δc * v.c_before": [
        ("v.ΔΓ_f = v.Δc * v.c", "Γ_f<T>", "wrong block", 1, 1),
        ("v.ΔΓ_f = v.Δc * v.c_before * (v.t > 1)", "Γ_f<1>", "initial state", 1, 1),
    ],
    "v.Δcandidate = v.Δc * v.Γ_u": [
        ("v.Δcandidate = v.Δc * v.Γ_f", "c~<T>", "wrong value", 1, 1),
    ],
    "v.c_before * v.Γ_f * (1 - v.Γ_f)": [
        ("v.c_before * v.Γ_f", "sum_f<T>", "local form", 1, 1),
        ("v.c_before * (1 - v.Γ_f**2)", "sum_f<T>", "local form", 1, 1),
        ("v.c_before * (v.Γ_f * (1 - v.Γ_f))**2", "sum_f<T>", "extra factor", 1, 1),
        ("v.c * v.Γ_f * (1 - v.Γ_f)", "sum_f<T>", "wrong block", 1, 1),
    ],
    "v.Δsum_f = v.Δc * v.c_before": [
        ("v.Δsum_f = v.c_before", "sum_f<T>", "chain rule", 1, 1),
    ],
    "v.candidate * v.Γ_u * (1 - v.Γ_u)": [
        ("v.candidate * v.Γ_f * (1 - v.Γ_f)", "sum_u<T>", "wrong value", 1, 1),
        ("v.candidate", "sum_u<T>", "local factor", 1, 1),
    ],
    "v.Γ_u * (1 - v.candidate**2)": [
        ("v.Γ_u * (1 - v.candidate)", "sum_c<T>", "local form", 1, 1),
        ("v.Γ_u * v.candidate * (1 - v.candidate)", "sum_c<T>", "local form", 1, 1),
    ],
    "v.Δsum_o = v.Δa * v.tanh_c * v.Γ_o": [
        ("v.Δsum_o = v.Γ_o", "sum_o<T>", "chain rule", 1, 1),
    ],
    "v.Δz = v.Δz_f + v.Δz_u + v.Δz_c + v.Δz_o": [
        ("v.Δz = v.Δz_f + v.Δz_u + v.Δz_c", "z<T>", "branch missing", 1, 1),
        ("v.Δz = v.Δz_f", "z<T>", "one branch only", 1, 1),
    ],
    "v.Δsum_u @ p.W_u": [
        ("v.Δsum_u @ p.W_f", "z<T> via sum_u<T>", "wrong value", 1, 1),
    ],
    "v.Δsum_c @ p.W_c": [
        ("v.Δsum_u @ p.W_c", "z<T> via sum_c<T>", "wrong gradient", 1, 1),
    ],
    "v.Δx = v.Δz[:, units:]": [
        ("v.Δx = v.Δz[:, :-units]", "x<T>", "halves", 1, 1),
    ],
    "v.before_a = v.Δz[:, :units]": [
        ("v.before_a = v.Δz[:, -units:]", "a<P> via z<T>", "halves", 1, 1),
    ],
    "v.before_c = v.Δc * v.Γ_f": [
        ("v.before_c = v.Γ_f", "c<P> via keep<T>", "chain rule", 1, 1),
        ("v.before_c = v.Δc", "c<P> via keep<T>", "local factor", 1, 1),
        ("v.before_c = v.Δc * v.Γ_u", "c<P> via keep<T>", "wrong value", 1, 1),
        ("v.before_c = v.Δc * v.Δc * v.Γ_f", "c<P> via keep<T>", "extra factor", 1, 1),
        ("v.before_c = v.down_c * v.Γ_f", "c<Q> via keep<P>", "wrong gradient", 2, 1),
    ],
    "v.Δsum_f.T @ v.z": [
        ("v.z.T @ v.Δsum_f", "W_f via sum_f<T>", "transpose", 1, 1),
        ("v.Δsum_f.T @ np.roll(v.z, -units, axis=1)", "W_f via sum_f<T>", "halves", 1, 1),
        (
            "v.Δsum_f.T @ (v.z * ((np.arange(v.z.shape[1]) >= units) | (v.t > 1)))",
            "W_f via sum_f<1>",
            "initial state",
            1,
            1,
        ),
    ],
    "v.Δsum_f.sum(axis=0)": [
        ("v.Δsum_f.mean(axis=0)", "b_f via sum_f<T>", "factor", 1, 2),
        ("v.Δsum_f[0]", "b_f via sum_f<T>", "batch sum", 1, 2),
        ("v.Δsum_f", "b_f via sum_f<T>", "batch sum", 1, 1),
    ],
    "Δb_u = v.Δsum_u.T": [
        ("Δb_u = v.Δsum_o.T", "W_u via sum_u<T>", "wrong gradient", 1, 1),
    ],
    "np.sum(shares, axis=0)": [
        ("shares[0]", "W_f", "accumulation", 2, 1),
        ("shares[-1]", "W_f", "accumulation", 2, 1),
        ("np.mean(shares, axis=0)", "W_f", "factor", 2, 1),
    ],
}

ELMAN_MISTAKES = {
    "a[t] - targets[t - 1]\n": [
        ("targets[t - 1] - a[t]\n", "a<T> via Error<T>", "sign", 1, 1),
        ("(a[t] - targets[t - 1]) / a[t].size\n", "a<T> via Error<T>", "factor", 1, 1),
    ],
    "+ later": [
        ("", "a<P>", "branch missing", 2, 1),
    ],
    "* (1 - a[t] ** 2)": [
        ("* (1 - a[t])", "sum<T>", "local form", 1, 1),
        ("* (1 - a[t - 1] ** 2)", "sum<T>", "wrong block", 1, 1),
        ("", "sum<T>", "local factor", 1, 1),
    ],
    ".T @ a[t - 1]": [
        (".T @ a[t]", "U @ T", "wrong block", 1, 1),
    ],
    'later = d[f"sum<{t}>"] @ p["U"]': [
        ('later = d[f"sum<{t}>"] @ p["U"].T', "a<P> via back<T>", "transpose", 1, 1),
        ('later = d[f"a<{t}>"] @ p["U"]', "a<P> via back<T>", "wrong gradient", 1, 1),
    ],
    'sum(d[f"{name} @ {t}"] for t in range(1, len(x) + 1))': [
        ('d[f"{name} @ {len(x)}"]', "U", "accumulation", 2, 1),
    ],
    ".sum(axis=0)": [
        (".mean(axis=0)", "b @ T", "factor", 1, 2),
    ],
}

FEED_FORWARD_MISTAKES = {
    '"y": y - targets': [
        ('"y": targets - y', "y", "sign", 1, 1),
    ],
    'd["y"] * y * (1 - y)': [
        ('d["y"] * y', "sum_y", "local form", 1, 1),
        ("y * (1 - y)", "sum_y", "chain rule", 1, 1),
    ],
    '["sum_y"].T @ h': [
        ('["sum_y"].T @ n', "V", "wrong value", 1, 1),
        ('["y"].T @ h', "V", "wrong gradient", 1, 1),
        ('["sum_y"].T @ h / len(h)', "V", "factor", 1, 2),
    ],
    'd["sum_y"] @ p["V"]': [
        ('d["sum_y"] * p["V"]', "h", "elementwise", 4, 4),
    ],
    'd["h"] * k': [
        ('d["h"] @ k', "n", "matrix product", 4, 4),
    ],
    'd["h"] * n': [
        ('d["h"] * k', "k", "wrong value", 1, 1),
    ],
    'd["k"] * k * (1 - k)': [
        ('d["k"] * (1 - k**2)', "sum_k", "local form", 1, 1),
    ],
    'd["x via sum_n"] + d["x via sum_k"]': [
        ('d["x via sum_k"]', "x", "branch missing", 1, 1),
        ('d["x via sum_n"] + 2 * d["x via sum_k"]', "x", "branch doubled", 1, 1),
    ],
}


def changed(derivation, old, new):
    """The derivation with a mistake in its text."""
    source = inspect.getsource(derivation)
    assert old in source, old
    namespace = {"np": np, "__name__": "mistaken"}
    exec(source.replace(old, new), namespace)
    return namespace[derivation.__name__.rpartition(".")[2].replace("document", "lstm")]


def lstm_case(rng, T, N, dtype=float, H=4, D=3):
    """The tape of an LSTM, the derivation, and what the derivation gets."""
    p = {f"W_{g}": rng.normal(size=(H, H + D)) for g in "fuco"} | {
        f"b_{g}": rng.normal(size=H) for g in "fuco"
    }
    lstm = LSTM.from_arrays({name: value.astype(dtype) for name, value in p.items()})
    x, a, c = (
        Tensor(rng.normal(size=shape), True, dtype=dtype) for shape in ((T, N, D), (N, H), (N, H))
    )
    targets = rng.normal(size=(T, N, H)).astype(dtype)
    return lstm.error(x, targets, (a, c)), document, (lstm, x, targets, (a, c))


def elman_case(rng, T, N, dtype=float, H=4, D=3):
    shapes = {"W": (H, D), "U": (H, H), "b": (H,), "a<0>": (N, H)}
    p = {name: rng.normal(size=shape).astype(dtype) for name, shape in shapes.items()}
    x, targets = rng.normal(size=(T, N, D)).astype(dtype), rng.normal(size=(T, N, H)).astype(dtype)
    W, U, b, a = (Tensor(value, True, name) for name, value in p.items())
    errors = []
    for t in range(1, T + 1):
        with block(t):
            back = (a @ U.T).named("back")
            a = tanh((linear(x[t - 1], W, b) + back).named("sum")).named("a")
            errors.append(squared_error(a, targets[t - 1]).named("Error"))
    return add_n(*errors).named("Error"), elman, (p, x, targets)


def feed_forward_case(rng, T, N, dtype=float, H=4, D=3):
    shapes = {"W": (H, D), "b": (H,), "U": (H, D), "e": (H,), "V": (4, H), "c": (4,)}
    p = {name: rng.normal(size=shape).astype(dtype) for name, shape in shapes.items()}
    q = {name: Tensor(value, True, name) for name, value in p.items()}
    x, targets = rng.normal(size=(N, D)).astype(dtype), rng.normal(size=(N, 4)).astype(dtype)
    inputs = Tensor(x, True, "x")
    n = tanh(linear(inputs, q["W"], q["b"]).named("sum_n")).named("n")
    h = (n * sigmoid(linear(inputs, q["U"], q["e"]).named("sum_k")).named("k")).named("h")
    y = sigmoid(linear(h, q["V"], q["c"]).named("sum_y")).named("y")
    return squared_error(y, targets).named("Error"), feed_forward, (p, x, targets)


CASES = [(lstm_case, LSTM_MISTAKES, T) for T in (1, 2, 3, 7)]
CASES += [(elman_case, ELMAN_MISTAKES, T) for T in (1, 2, 3, 7)]
CASES += [(feed_forward_case, FEED_FORWARD_MISTAKES, 1)]


def row_name(pattern, T):
    return re.sub(r"(?<=[<@ ])[TPQ](?=>|$)", lambda m: str(T - "TPQ".index(m[0])), pattern)


def corpus(blocks, rows):
    """Each mistake in each case of so many blocks and rows in which it is one."""
    for make, mistakes, T in CASES:
        for N in rows if T in blocks else ():
            planted = [(old, *rest) for old, several in mistakes.items() for rest in several]
            for i, (old, new, row, kind, least_blocks, least_rows) in enumerate(planted):
                if least_blocks <= T and least_rows <= N:
                    yield make, T, N, i, old, new, row_name(row, T), kind


def test_there_are_enough_mistakes():
    assert len(list(corpus((7, 1), (4,)))) >= 40


@pytest.mark.parametrize(
    ("blocks", "rows"), [((1, 2), (4,)), pytest.param((1, 2, 3, 7), (1, 4), marks=pytest.mark.slow)]
)
def test_mistakes_are_found_and_named(blocks, rows, capsys):
    total = located = explained = 0
    misses = []
    for make, T, N, i, old, new, name, kind in corpus(blocks, rows):
        loss, derivation, arguments = make(np.random.default_rng(100 * T + 10 * N + i), T, N)
        report = compare(gradients(loss), changed(derivation, old, new)(*arguments))
        found = report.diagnoses[0].kind if report.diagnoses else None
        at = report.first.name if report.first else None
        total, located, explained = total + 1, located + (at == name), explained + (found == kind)
        if (at, found) != (name, kind):
            misses.append(
                f"{make.__name__} T={T} N={N}: {old} -> {new}: {name}, {kind}; found {at}, {found}"
            )
    with capsys.disabled():
        print(
            f"\n{total} planted mistakes: {located / total:.1%} located, {explained / total:.1%} "
            "explained",
            *misses,
            sep="\n  ",
        )
    assert located >= 0.95 * total
    assert explained >= 0.85 * total


PARAMETERS_ALONE = [
    ("v.Δc = v.down_c + later.before_c", "v.Δc = v.down_c", "branch missing"),
    ("v.before_c = v.Δc * v.Γ_f", "v.before_c = v.Γ_f", "chain rule"),
    ("v.before_c = v.Δc * v.Γ_f", "v.before_c = v.Δc", "local factor"),
    ("v.Δc = v.down_c + later.before_c", "v.Δc = v.down_c - later.before_c", "sign"),
    (
        "v.Δz = v.Δz_f + v.Δz_u + v.Δz_c + v.Δz_o",
        "v.Δz = v.Δz_f + v.Δz_u + v.Δz_c",
        "branch missing",
    ),
    (
        "v.down_c = v.Δtanh_c * (1 - v.tanh_c**2)",
        "v.down_c = v.Δtanh_c * (1 - v.tanh_c)",
        "local form",
    ),
]


@pytest.mark.parametrize(("old", "new", "kind"), PARAMETERS_ALONE)
def test_a_mistake_in_the_middle_is_found_from_the_parameters_alone(old, new, kind):
    loss, derivation, arguments = lstm_case(np.random.default_rng(1), 3, 2)
    hand = changed(derivation, old, new)(*arguments)
    report = compare(gradients(loss), {name: hand[name] for name in arguments[0].parameters()})
    assert {diagnosis.kind for diagnosis in report.diagnoses} == {kind}
    assert all("further up" in diagnosis.looks_like for diagnosis in report.diagnoses)


@pytest.mark.parametrize("T", [2, 4, 7])
def test_a_small_graph_is_explained_as_a_large_one(T):
    loss, derivation, arguments = elman_case(np.random.default_rng(1), T, 2)
    hand = changed(derivation, "+ later", "- later")(*arguments)
    (diagnosis,) = compare(gradients(loss), {"W": hand["W"]}).diagnoses
    assert diagnosis.kind == "sign" and "further up" in diagnosis.looks_like


def test_stages_without_a_name_are_told_by_their_place_in_the_block():
    loss, derivation, arguments = elman_case(np.random.default_rng(1), 2, 2)  # U.T has no name
    g = gradients(loss)
    hand = changed(derivation, ".T @ a[t - 1]", ".T @ a[t]")(*arguments)
    (diagnosis,) = compare(g, {"U": hand["U"]}).diagnoses
    assert diagnosis.kind == "wrong block" and diagnosis.looks_like.endswith(
        "(and so in the other blocks)"
    )
    hand = changed(
        derivation, 'later = d[f"sum<{t}>"] @ p["U"]', 'later = d[f"sum<{t}>"] @ p["U"].T'
    )(*arguments)
    (diagnosis,) = compare(g, {"a<1> via back<2>": hand["a<1> via back<2>"]}).diagnoses
    assert (diagnosis.yours, diagnosis.correct) == ("δsum<2> Uᵀ", "δsum<2> U")
    assert diagnosis.looks_like.startswith("Uᵀ is transposed")


@pytest.mark.parametrize("count", [60, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_false_alarm(count, dtype):
    for seed in range(count):
        rng = np.random.default_rng(seed)
        make, _, T = CASES[seed % len(CASES)]
        loss, derivation, arguments = make(
            rng,
            T,
            int(rng.integers(1, 5)),
            dtype,
            H=int(rng.integers(1, 6)),
            D=int(rng.integers(1, 6)),
        )
        function = derivation.lstm if derivation is document else derivation
        report = compare(gradients(loss), function(*arguments))
        assert report.ok and report.first is None and report.diagnoses == (), str(report)


# No mistake is made up, and some kinds that the derivations above have no place for.


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 3])
def test_noise_is_not_explained(size, dtype):
    for seed in range(2):
        rng = np.random.default_rng(seed)
        loss, _, arguments = lstm_case(rng, size, size, dtype, H=size, D=size)
        g, hand = gradients(loss), by_hand.lstm(*arguments)
        for name in rng.permutation([name for name in hand if name != "Error"])[:6]:
            report = compare(g, hand | {name: rng.normal(size=hand[name].shape).astype(dtype)})
            assert [(diagnosis.name, diagnosis.kind) for diagnosis in report.diagnoses] == [
                (name, "unexplained")
            ], str(report)


def test_what_is_nothing_is_not_twice_nothing():
    x = Tensor([0.0, 1.0], True, name="x")
    g = gradients((x * np.array([0.0, 1.0])).named("y").sum())
    (diagnosis,) = compare(g, {"x": [0.0, 0.0]}).diagnoses
    assert diagnosis.kind == "zero"


def test_a_branch_that_is_nothing_is_not_the_reason():
    """From zero initial states, block 1 adds nothing to W_f and b_f: what was done to block 2 was
    done to the whole."""
    rng = np.random.default_rng(0)
    g = gradients(LSTM(1, 1, rng=0).error(rng.normal(size=(2, 1, 1)), rng.normal(size=(2, 1, 1))))
    assert not np.any(g["W_f @ 1"])
    for name, factor, kind, words in (
        ("W_f", -1, "sign", "the sign is flipped"),
        ("b_f", 2, "factor", "2 times the correct value"),
    ):
        (diagnosis,) = compare(g, {name: factor * g[name]}).diagnoses
        assert diagnosis.kind == kind and diagnosis.looks_like.startswith(words)


def test_all_branches_with_a_factor_are_not_one_with_an_odd_factor():
    """Among weights that are all alike, branches have one direction."""
    W, h, losses = Tensor(np.ones((2, 2)), True, "W"), Tensor(np.zeros((1, 2)), name="h<0>"), []
    for t in (1, 2, 3):
        with block(t):
            h = np.tanh(h @ W + 1.0).named("h")
            losses.append((h * h).sum().named("E"))
    g = gradients(sum(losses))
    (diagnosis,) = compare(g, {"W": 2 * g["W"]}).diagnoses
    assert diagnosis.looks_like.startswith("2 times the correct value")
    assert "did you mean 'W'?" in str(compare(g, {"w": g["W"]}))


def test_a_few_round_numbers_may_agree_by_chance():
    x = Tensor(3.0, True, "x")
    g = gradients(((x * 2.0).named("a") * (x * x).named("b")).named("y"))
    (diagnosis,) = compare(g, {"b": 9.0}).diagnoses
    words = (
        "b was used where a belongs, or this is δa, the derivative by another value, or the "
        "numbers agree by chance"
    )
    assert diagnosis.looks_like == words
    assert compare(g, {"b": -6.0}).diagnoses[0].looks_like == "the sign is flipped"
    y = Tensor([0.3, 0.7], True, "y")
    g = gradients(((y * y).sum().named("p") + (y * 3).sum().named("q")).named("L"))
    (diagnosis,) = compare(g, {"y": np.ones(2)}).diagnoses
    assert " or " in diagnosis.looks_like and diagnosis.looks_like.endswith("by chance")


def test_a_number_that_is_several_sizes():
    rng = np.random.default_rng(0)
    g = gradients(LSTM(1, 1, rng=0).error(rng.normal(size=(3, 1, 1)), rng.normal(size=(3, 1, 1))))
    (diagnosis,) = compare(g, {"W_f": 3 * g["W_f"]}).diagnoses
    assert diagnosis.looks_like.endswith(
        "3 is the number of entries of all outputs or the number of blocks"
    )


@pytest.mark.parametrize("N", [1, 4])
def test_the_one_hot_of_a_cross_entropy_is_missing(N):
    rng = np.random.default_rng(0)
    o = Tensor(rng.normal(size=(N, 3)), True, "o")
    p = np.exp(o.numpy()) / np.exp(o.numpy()).sum(axis=1, keepdims=True)
    (diagnosis,) = compare(gradients(cross_entropy(o, np.arange(N) % 3)), {"o": p / N}).diagnoses
    assert diagnosis.kind == "term missing" and "cross_entropy" in diagnosis.looks_like


def test_gates_of_a_fused_weight_in_another_order():
    rng, H = np.random.default_rng(0), 3
    x, W, b = (
        rng.normal(size=(5, 2)),
        Tensor(rng.normal(size=(4 * H, 2)), True, "W"),
        Tensor(np.zeros(4 * H), True, "b"),
    )
    sums = linear(x, W, b).named("sums")
    i, f, g, o = (sums[:, k * H : (k + 1) * H] for k in range(4))
    loss = (sigmoid(i) * tanh(g) + sigmoid(f) * sigmoid(o)).sum()
    right = gradients(loss)["W"].reshape(4, H, 2)
    (diagnosis,) = compare(gradients(loss), {"W": right[[0, 1, 3, 2]].reshape(4 * H, 2)}).diagnoses
    assert diagnosis.kind == "blocks permuted" and "1 2 4 3" in diagnosis.looks_like


def test_axes_in_another_order():
    loss, _, _ = lstm_case(np.random.default_rng(0), 3, 2)
    g = gradients(loss)
    (diagnosis,) = compare(g, {"x": np.swapaxes(g["x"], 0, 1)}).diagnoses
    assert diagnosis.kind == "transpose" and "axes" in diagnosis.looks_like


def test_the_derivative_by_something_else():
    loss, _, _ = lstm_case(np.random.default_rng(0), 3, 2)
    g = gradients(loss)
    (diagnosis,) = compare(g, {"a<0>": g["c<0>"]}).diagnoses
    assert (diagnosis.kind, diagnosis.yours) == ("another derivative", "δc<0>")


def test_two_mistakes_are_found_one_after_the_other():
    loss, derivation, arguments = elman_case(np.random.default_rng(0), 3, 2)
    first, second = ("* (1 - a[t] ** 2)", "* (1 - a[t])"), ("+ later", "")
    source = inspect.getsource(derivation)
    for plant, row, kind in (
        ([first, second], "sum<3>", "local form"),
        ([second], "a<2>", "branch missing"),
        ([], None, None),
    ):
        text = source
        for old, new in plant:
            text = text.replace(old, new)
        namespace = {"np": np}
        exec(text, namespace)
        report = compare(gradients(loss), namespace["elman"](*arguments))
        assert (report.first and report.first.name) == row and report.ok == (row is None)
        assert [diagnosis.kind for diagnosis in report.diagnoses][:1] == ([kind] if kind else [])


def test_a_derivation_on_paper_with_four_digits():
    loss, derivation, arguments = lstm_case(np.random.default_rng(0), 3, 2)
    hand = changed(derivation, "v.before_c = v.Δc * v.Γ_f", "v.before_c = v.Γ_f")(*arguments)
    written = {
        name: np.array([float(f"{v:.4g}") for v in np.ravel(hand[name])]).reshape(hand[name].shape)
        for name in ("c<3>", "c<2>", "b_o")
    }
    report = compare(gradients(loss), written, rtol=1e-3)
    assert (report.first.name, report.diagnoses[0].kind) == ("c<2>", "chain rule")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("* (1 - a[t] ** 2)", "* (1 - a[t])"),
        ("* (1 - a[t] ** 2)", "* (1 - a[t - 1] ** 2)"),
        ("+ later", "- later"),
    ],
)
def test_a_mistake_in_every_block_is_one_paragraph(old, new):
    loss, derivation, arguments = elman_case(np.random.default_rng(0), 7, 2)
    hand = changed(derivation, old, new)(*arguments)
    report = compare(gradients(loss), hand)
    assert (
        len(report.diagnoses) >= 6 and len({diagnosis.kind for diagnosis in report.diagnoses}) == 1
    )
    assert str(report).count(" difference: ") == 1 and "more differences" not in str(report)
    (same,) = (
        line.split(maxsplit=3)[3]
        for line in str(report).splitlines()
        if line.startswith("  the same in")
    )
    first, *_, last = [diagnosis.name for diagnosis in report.diagnoses[1:]]
    assert same == f"{first} .. {last} ({len(report.diagnoses) - 1} rows)"


def test_a_long_sequence_without_names_is_explained():
    """No formula is too deep for it."""
    rng = np.random.default_rng(0)
    w, x, h = Tensor(rng.normal(size=(2, 2)) / 2, True, "w"), rng.normal(size=(300, 1, 2)), 0.0
    for t in range(1, 301):
        with block(t):
            h = tanh(h * w + x[t - 1])
    g = gradients((h * h).sum() + w.sum())
    (found,) = compare(g, {"w": 2 * g["w"]}).diagnoses
    assert found.kind == "factor"


def test_yours_is_a_formula_of_the_value_by_hand():
    """A rule that ends in a difference is bracketed behind a sign or a factor. A reader of formulas
    is the judge."""
    rng = np.random.default_rng(0)
    y, w, t = (
        Tensor(rng.normal(size=3), True, "y"),
        Tensor(rng.normal(size=3), name="w"),
        Tensor(rng.normal(size=3), name="t"),
    )
    g = gradients(
        (
            cross_entropy(y, Tensor([0.2, 0.5, 0.3], name="q")).named("l")
            + (y * w).named("p").sum()
        ).named("L")
    )
    left, right = (branch.gradient for branch in g.branches("y"))
    names = {
        "q": np.array([0.2, 0.5, 0.3]),
        "w": w.numpy(),
        "y": y.numpy(),
        "δp": g["p"],
        "branch 1 (through l)": left,
        "branch 2 (through p)": right,
    }
    hands = (
        2 * left + right,
        right - left,
        left + 2 * right,
        left - right,
        -left - right,
        1.7 * (left + right),
    )
    for hand, kind in zip(
        hands, ("branch doubled", "sign", "branch doubled", "sign", "sign", "factor"), strict=True
    ):
        (diagnosis,) = compare(g, {"y": hand}).diagnoses
        assert diagnosis.kind == kind
        np.testing.assert_allclose(
            Reader(diagnosis.yours, names).read(), hand, err_msg=diagnosis.yours
        )
    g = gradients(squared_error(y, t).named("E"))
    for hand in (-g["y"], 1.5 * g["y"], g["y"] / 3):
        (diagnosis,) = compare(g, {"y": hand}).diagnoses
        assert "−−" not in diagnosis.yours
        np.testing.assert_allclose(
            Reader(diagnosis.yours, {"y": y.numpy(), "t": t.numpy()}).read(),
            hand,
            err_msg=diagnosis.yours,
        )
