"""explain: what is written is right, since it is computed; and it is written as the derivation has
it."""

import re

import hypothesis.strategies as st
import latex
import networks
import numpy as np
import pytest
import reading
from hypothesis import given, settings
from rows import activation, elementwise, layer, linalg, loss, product, reduction, select, shape

import tinygrad_lstm as tg
from tinygrad_lstm import (
    LSTM,
    DataError,
    DtypeError,
    GradientError,
    Tensor,
    UnknownNameError,
    add_n,
    block,
    checkpoint,
    explain,
    gradients,
    stage,
)
from tinygrad_lstm.derivation.expression import evaluate, leaves
from tinygrad_lstm.derivation.notation import TEXT

ROWS = [
    row
    for family in (activation, elementwise, layer, linalg, loss, product, reduction, select, shape)
    for row in family.ROWS
]
CASES = [
    pytest.param(row, make, id=f"{row.name}-{i}")
    for row in ROWS
    for i, make in enumerate(row.makes)
]


def close(actual, expected, rtol=1e-12):
    np.testing.assert_allclose(
        actual, expected, rtol=rtol, atol=rtol * np.max(np.abs(expected), initial=0)
    )


def document(T=3, N=2, state=None, **options):
    rng = np.random.default_rng(T)
    x, targets = rng.normal(size=(T, N, 3)), rng.normal(size=(T, N, 4))
    return LSTM(3, 4, rng=0).error(x, targets, state, **options)


def elman(T=4):
    rng = np.random.default_rng(1)
    W, V, b = (
        Tensor(rng.normal(size=s), True, n) for s, n in (((3, 3), "W"), ((3, 2), "V"), ((3,), "b"))
    )
    h, errors = Tensor(np.zeros((2, 3)), True, "h<0>"), []
    for t in range(1, T + 1):
        with block(t):
            h = tg.tanh(h @ W.T + rng.normal(size=(2, 2)) @ V.T + b).named("h")
            errors.append(tg.squared_error(h, rng.normal(size=(2, 3))).named("Error"))
    return add_n(*errors).named("Error")


def gru(T=3):
    rng = np.random.default_rng(2)
    p = {n: Tensor(rng.normal(size=(3, 5)) / 2, True, n) for n in ("W_z", "W_r", "W_h")}
    b = {n: Tensor(rng.normal(size=3), True, n) for n in ("b_z", "b_r", "b_h")}
    h, errors = Tensor(rng.normal(size=(1, 3)), True, "h<0>"), []
    for t in range(1, T + 1):
        with block(t):
            x = rng.normal(size=(1, 2))
            joint = tg.concatenate([h, x], axis=1).named("v")
            z = tg.sigmoid(tg.linear(joint, p["W_z"], b["b_z"])).named("z")
            r = tg.sigmoid(tg.linear(joint, p["W_r"], b["b_r"])).named("r")
            new = tg.tanh(tg.linear(tg.concatenate([r * h, x], axis=1), p["W_h"], b["b_h"])).named(
                "n"
            )
            h = ((1 - z) * h + z * new).named("h")
            errors.append(tg.squared_error(h, np.ones((1, 3))))
    return add_n(*errors).named("Error")


def feed_forward():
    rng = np.random.default_rng(3)
    W, b, V = (
        Tensor(rng.normal(size=(4, 3)), True, "W"),
        Tensor(rng.normal(size=4), True, "b"),
        Tensor(rng.normal(size=(2, 4)), True, "V"),
    )
    return tg.cross_entropy(
        tg.relu(rng.normal(size=(5, 3)) @ W.T + b) @ V.T, np.array([0, 1, 1, 0, 1])
    ).named("loss")


NETWORKS = {"lstm": document, "elman": elman, "gru": gru, "feed-forward": feed_forward}


@pytest.mark.parametrize(("row", "make"), CASES)
def test_every_operation_is_written_and_what_is_written_is_right(row, make):
    rng = np.random.default_rng(5)
    for dtype in (float, np.float32) if row.single else (float,):
        xs = [Tensor(a, True, f"x{i}", dtype) for i, a in enumerate(make(rng))]
        y = row.f(*xs)
        weights = rng.normal(size=y.shape).astype(y.dtype)
        g = gradients(y, weights)
        e = explain(y, xs, gradient=weights)
        assert "vjp_" not in str(e)  # the list of operations without a symbolic form
        for name, value in e.evaluate().items():
            assert value.shape == g[name].shape and value.dtype == g[name].dtype
            close(value, g[name], 1e-12 if value.dtype == float else 1e-5)
        latex.check(e.latex())


def read_aloud(e):
    """Each line's value as a reader computes it from the printed text, beside the value of the
    line."""
    numbers = {}
    for line in e.lines:
        for leaf in leaves(line.expression, line.symbol):
            if leaf.name is not None:
                numbers[TEXT.name(leaf)] = (
                    e._values[leaf] if leaf.gradient else np.asarray(leaf.array)
                )
    return [
        (
            str(line),
            reading.Reader(str(line).split(" = ", 1)[1], numbers).read(),
            e._values[line.symbol],
        )
        for line in e.lines
    ]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_what_is_printed_can_be_read_and_computed(name):
    """The text, not the tree behind it: read with the precedence of mathematics it has the value
    that it should."""
    for through in (None, "c<2>") if name == "lstm" else (None,):
        e = explain(NETWORKS[name](), "W_f" if through else None, through=through)
        for text, value, expected in read_aloud(e):
            assert np.shape(value) == expected.shape or np.ndim(value) == 0, text
            close(value, expected, 1e-9)


READABLE = {
    "Σ beside a factor": lambda u, y, v: tg.square((u @ y) * v).sum(),
    "quotients": lambda u, y, v: (u / (y * v) / (v + 2.0) - 1.0 / (u * u)).sum(),
    "signs": lambda u, y, v: (-(u - (y - v)) * -(u + y)).sum(),
    "powers": lambda u, y, v: (u**3 * (u * y) ** 2 - (-v) ** 2).sum(),
    "comparisons": lambda u, y, v: (
        tg.where((u > y) & (u + v < 1.0), u * y, -v).sum() + u.max() * tg.abs(y).sum()
    ),
    "roots and logarithms": lambda u, y, v: (
        tg.sqrt(u * u + 1.0) * tg.log(y * y + v * v) + tg.exp(-u * u)
    ).sum(),
    "sums": lambda u, y, v: (
        (tg.reshape(u, (2, 2)).sum(axis=0) * tg.reshape(y, (2, 2)).mean(axis=1)).sum() * v.sum()
    ),
    "vectors and matrices": lambda u, y, v: (
        (tg.reshape(u, (2, 2)) @ tg.reshape(y, (2, 2)).T @ v[:2]) @ u[1:3]
    ),
    "hidden layers": lambda u, y, v: tg.sigmoid(tg.tanh(u) @ tg.outer(y, v)).sum(),
}


@pytest.mark.parametrize("name", READABLE)
@pytest.mark.parametrize("expanded", [False, True])
def test_precedence_is_that_of_a_reader(name, expanded):
    rng = np.random.default_rng(0)
    u, y, v = (Tensor(rng.normal(size=4), True, n) for n in "uyv")
    root = READABLE[name](u, y, v)
    if not expanded:
        for text, value, expected in read_aloud(explain(root)):
            close(np.broadcast_to(value, expected.shape), expected, 1e-9), text
        return
    e = explain(root)
    for row, line in zip(str(e.expanded).splitlines(), e._wanted, strict=True):
        numbers = {
            TEXT.name(leaf): np.asarray(leaf.array)
            for leaf in leaves(e.formula(line))
            if leaf.name is not None
        }
        close(
            np.broadcast_to(
                reading.Reader(row.split(" = ", 1)[1], numbers).read(), line.value.shape
            ),
            gradients(root)[line.value],
            1e-9,
        )


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name):
    loss = NETWORKS[name]()
    g, e = gradients(loss), explain(loss)
    values = e.evaluate()
    assert list(values) == [x.name for x in loss.tape.leaves if x.requires_grad]
    for key, value in values.items():
        close(value, g[key])
    assert "vjp_" not in str(e)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_random_graphs(seed):
    rng = np.random.default_rng(seed)
    values = [
        Tensor(rng.normal(size=s), True, f"x{i}")
        for i, s in enumerate([(2, 3), (3,), (2, 1), (2, 3)])
    ]
    values.append(Tensor(rng.normal(size=(2, 3)), name="constant"))
    one = [
        tg.tanh,
        tg.sigmoid,
        tg.exp,
        tg.square,
        lambda v: v.sum(axis=0),
        lambda v: -v,
        lambda v: v.T.T,
        lambda v: tg.softmax(v, axis=-1),
        tg.relu,
    ]
    two = [
        tg.add,
        tg.subtract,
        tg.multiply,
        tg.maximum,
        lambda a, b: a / (1 + b * b),
        lambda a, b: tg.where(a > b, a, b * a),
    ]
    for _ in range(rng.integers(3, 12)):
        a, b = (values[i] for i in rng.integers(len(values), size=2))
        new = (
            one[rng.integers(len(one))](a * 0.5)
            if rng.random() < 0.5 and a.ndim
            else two[rng.integers(len(two))](a, b)
        )
        values.append(new)
    root = add_n(*[v.mean() for v in values[-3:]])
    leaves = [x for x in root.tape.leaves if x.requires_grad]
    if not leaves:
        return
    g, e = gradients(root), explain(root, leaves)
    for x, value in zip(leaves, e.evaluate().values(), strict=True):
        close(value, g[x])
    for x in leaves:  # the one formula says the same
        formula = evaluate(
            e.formula(next(line for line in e.lines if line.value is x), depth=5), e._values
        )
        close(np.asarray(formula), g[x])
    latex.check(e.latex())


def test_the_lines_of_the_derivation():
    lines = {line.name: str(line) for line in explain(document()).steps}
    assert lines["Error"] == "δError = 1"
    assert lines["a<2>"] == "δa<2> = −(â<2> − a<2>) + δz<3>[:, :4]"  # B2
    assert lines["c<2>"] == "δc<2> = δtanh_c<2> ∘ (1 − tanh_c<2>²) + δkeep<3> ∘ Γ_f<3>"  # B5
    assert lines["c<3>"] == "δc<3> = δtanh_c<3> ∘ (1 − tanh_c<3>²)"
    assert lines["sum_f<2>"] == "δsum_f<2> = δΓ_f<2> ∘ Γ_f<2> ∘ (1 − Γ_f<2>)"  # B7
    assert (
        lines["z<1>"] == "δz<1> = δsum_f<1> W_f + δsum_u<1> W_u + δsum_c<1> W_c + δsum_o<1> W_o"
    )  # B13
    assert lines["W_f"] == "δW_f = δsum_f<1>ᵀ z<1> + δsum_f<2>ᵀ z<2> + δsum_f<3>ᵀ z<3>"  # B11
    assert (
        lines["b_o"] == "δb_o = Σ_n δsum_o<1>[n, :] + Σ_n δsum_o<2>[n, :] + Σ_n δsum_o<3>[n, :]"
    )  # B12


def test_lines_come_in_the_order_of_backward_and_have_a_term_a_branch():
    loss = document()
    g, e = gradients(loss), explain(loss)
    names = [line.name for line in e.steps]
    place = {stage.name: i for i, stage in enumerate(loss.tape.stages)}
    order = [place[n] for n in names if n in place]
    assert order == sorted(order, reverse=True) and len(set(names)) == len(names)
    for line in e.steps:
        assert [(t.stage, t.argument) for t in line.terms] == [
            (b.stage, b.argument) for b in g.branches(line.value)
        ]
    assert str(e.steps[19].terms[1]) == "δkeep<3> ∘ Γ_f<3>"


ROLLED = """T = 3
δError = 1
δError<t> = 1                                                          t = 1, …, T
δa<t> = −(â<t> − a<t>) + δz<t+1>[:, :4]                                t = 1, …, T−1
δa<T> = −(â<T> − a<T>)                                                 no z<T+1>: its branch is 0
δa<0> = δz<1>[:, :4]                                                   no Error<0>: its branch is 0
δtanh_c<t> = δa<t> ∘ Γ_o<t>                                            t = 1, …, T
δc<t> = δtanh_c<t> ∘ (1 − tanh_c<t>²) + δkeep<t+1> ∘ Γ_f<t+1>          t = 1, …, T−1
δc<T> = δtanh_c<T> ∘ (1 − tanh_c<T>²)                                  no keep<T+1>: its branch is 0
δc<0> = δkeep<1> ∘ Γ_f<1>                                              no tanh_c<0>: its branch is 0
δwrite<t> = δc<t>                                                      t = 1, …, T
δkeep<t> = δc<t>                                                       t = 1, …, T
δΓ_o<t> = δa<t> ∘ tanh_c<t>                                            t = 1, …, T
δc~<t> = δwrite<t> ∘ Γ_u<t>                                            t = 1, …, T
δΓ_u<t> = δwrite<t> ∘ c~<t>                                            t = 1, …, T
δΓ_f<t> = δkeep<t> ∘ c<t−1>                                            t = 1, …, T
δsum_o<t> = δΓ_o<t> ∘ Γ_o<t> ∘ (1 − Γ_o<t>)                            t = 1, …, T
δsum_c<t> = δc~<t> ∘ (1 − c~<t>²)                                      t = 1, …, T
δsum_u<t> = δΓ_u<t> ∘ Γ_u<t> ∘ (1 − Γ_u<t>)                            t = 1, …, T
δsum_f<t> = δΓ_f<t> ∘ Γ_f<t> ∘ (1 − Γ_f<t>)                            t = 1, …, T
δz<t> = δsum_f<t> W_f + δsum_u<t> W_u + δsum_c<t> W_c + δsum_o<t> W_o  t = 1, …, T
δW_f = Σ_{t=1..T} δsum_f<t>ᵀ z<t>
δb_f = Σ_{t=1..T} Σ_n δsum_f<t>[n, :]
δW_u = Σ_{t=1..T} δsum_u<t>ᵀ z<t>
δb_u = Σ_{t=1..T} Σ_n δsum_u<t>[n, :]
δW_c = Σ_{t=1..T} δsum_c<t>ᵀ z<t>
δb_c = Σ_{t=1..T} Σ_n δsum_c<t>[n, :]
δW_o = Σ_{t=1..T} δsum_o<t>ᵀ z<t>
δb_o = Σ_{t=1..T} Σ_n δsum_o<t>[n, :]"""


def test_rolled_is_the_derivation():
    """B1 to B17, up to the names."""
    rolled = explain(document()).rolled(shapes=False)
    assert sorted(str(rolled).splitlines()) == sorted(ROLLED.splitlines())
    few, many = (str(explain(document(T)).rolled).splitlines()[1:] for T in (3, 40))
    assert {line.partition("  ")[0] for line in few} == {line.partition("  ")[0] for line in many}


@pytest.mark.parametrize(
    ("name", "T"), [("lstm", 1), ("lstm", 2), ("lstm", 5), ("gru", 4), ("elman", 5)]
)
def test_rolled_with_numbers_for_t_is_the_steps(name, T):
    """Each rolled line, written out for its blocks, gives back the lines of the steps, and all of
    them."""
    e = explain(NETWORKS[name](T))
    places = e._derivation.places
    names = "|".join(re.escape(name) for name in sorted(places, key=len, reverse=True))
    steps = {
        re.sub(
            rf"(?<![A-Za-z_])(?:{names})(?![A-Za-z0-9_<#])",
            lambda m: "{}<{}>".format(*places[m[0]]),
            str(line),
        )
        for line in e.steps
    }
    found = set()
    for row in str(e.rolled).splitlines()[1:]:
        equation, note = (*re.split("  +", row, maxsplit=1), "")[:2]
        text = equation.replace("<T>", f"<{T}>")
        span = re.match(r"t = (\d+), …, T(−\d)?", note)
        blocks = range(int(span[1]), T + 1 - int((span[2] or "−0")[1:])) if span else [0]
        if "Σ_{t=" in text:
            left, _, term = re.fullmatch(r"(.+) = (Σ_\{t=1..T\}) (.+)", text).groups()
            parts = [
                term.replace("<t>", f"<{t}>").replace("<t−1>", f"<{t - 1}>")
                for t in range(1, T + 1)
            ]
            found.add(f"{left} = {' + '.join(parts)}")
        else:
            found |= {
                re.sub(
                    r"<t(?:([+−])(\d))?>",
                    lambda m, t=t: f"<{t + int((m[1] or '+').replace('−', '-') + (m[2] or '0'))}>",
                    text,
                )
                for t in blocks
            }
    assert found == steps


def test_two_layers_in_the_same_blocks_stay_two():
    rng = np.random.default_rng(0)
    below, above = LSTM(2, 3, rng=0), LSTM(3, 2, rng=1)
    a, _ = below(rng.normal(size=(3, 1, 2)))
    loss = above.error(a, np.zeros((3, 1, 2)))
    e = explain(loss)
    assert (
        len(str(e.steps).splitlines())
        == len(e.steps)
        == len({line.split(" = ")[0] for line in str(e).splitlines()})
    )
    lines = str(e.rolled).splitlines()
    assert sum(line.startswith("δsum_f#") and "<t> =" in line for line in lines) == 2
    assert len({line.split(" = ")[0] for line in lines if " = " in line}) == len(lines)
    g = gradients(loss)
    for line, value in zip(e._wanted, e.evaluate().values(), strict=True):
        close(value, g[line.value])


def recurrent(step, T=5):
    w, h = Tensor([0.5, -0.4], True, "w"), Tensor([1.0, 2.0], True, "h<0>")
    for t in range(1, T + 1):
        with block(t):
            h = step(h, w, t).named("h")
    return h.sum().named("loss")


def hooked(h, w, t):
    h = tg.tanh(h * w)
    h.register_hook(lambda g: g * t)
    return h


DIFFERENT = {
    "hooks": hooked,
    "masks": lambda h, w, t: tg.dropout(tg.tanh(h * w), 0.5, np.random.default_rng(t)),
    "constants alike in six digits": lambda h, w, t: h * w * (1 + 1e-9 * t),
    "another exponent": lambda h, w, t: (h * w) ** (2 if t < 3 else 3),
    "checkpoints": lambda h, w, t: checkpoint(lambda v: tg.tanh(v * w) * float(t))(h),
}


DIFFERENT_LINES = {
    "hooks": ("δh<", 5),
    "masks": ("δtanh#1<", 4),  # two blocks in a row have drawn the same
    "constants alike in six digits": ("δmultiply#1<", 5),
    "another exponent": ("δmultiply#1<", 3),
    "checkpoints": ("δtanh#1<", 4),  # times 1 passes on
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_blocks_that_differ_are_not_rolled_into_one(name):
    e = explain(recurrent(DIFFERENT[name]), "w")
    prefix, rows = DIFFERENT_LINES[name]
    assert sum(row.startswith(prefix) for row in str(e.rolled).splitlines()) == rows
    close(e.evaluate(), gradients(recurrent(DIFFERENT[name]))["w"])


def test_edges_are_noted_only_where_something_is_missing():
    h, errors, W = Tensor([[0.1, 0.2]], True, "h"), [], Tensor(np.eye(2), True, "W")
    for t in range(4):  # blocks from 0
        with block(t):
            h = tg.tanh(h @ W).named("h")
            errors.append(((h - 1.0) ** 2).sum().named("E") * (3.0 if t == 0 else 1.0))
    text = str(explain(add_n(*errors), "W").rolled)
    assert "no E<0>" not in text and text.count("its branch is 0") == 1
    x = Tensor(1.0, True, "h<0>")
    for t in range(1, 5):  # names alone, no blocks
        x = (tg.tanh(x) * 0.5).named(f"h<{t}>")
    assert "no <" not in str(explain(x).rolled)


def test_rolled_counts_indices():
    x = Tensor(np.ones((3, 1, 2)), True, "x")
    e = explain(LSTM(2, 2, rng=0).error(x, np.zeros((3, 1, 2))), "x")
    last = str(e.rolled(shapes=False)).splitlines()[-1]
    assert last == "δx = Σ_{t=1..T} scatter(δx<t>, [t−1], (3, 1, 2))"


def test_expanded():
    loss = document()
    e = explain(loss, "c<2>")
    assert str(e.expanded(depth=0)) == "δc<2> = δtanh_c<2> ∘ (1 − tanh_c<2>²) + δkeep<3> ∘ Γ_f<3>"
    assert str(e.expanded(depth=1)) == "δc<2> = δa<2> ∘ Γ_o<2> ∘ (1 − tanh_c<2>²) + δc<3> ∘ Γ_f<3>"
    assert "δ" not in str(e.expanded).removeprefix(
        "δc<2>"
    )  # by default until nothing is left to replace
    e = explain(loss, "W_f")
    close(evaluate(e.formula(e.lines[-1]), {}), gradients(loss)["W_f"])
    with pytest.raises(DataError, match="give depth="):
        print(explain(document(T=9), "W_f").expanded)
    with pytest.raises(DataError, match="not a depth"):
        print(e.expanded(depth=-1))
    with pytest.raises(DataError, match="no such option"):
        e.expanded(shapes=True)


def test_a_deep_graph_is_explained_and_refused_as_one_formula():
    x = y = Tensor(0.5, True, "x")
    for _ in range(3000):
        y = tg.tanh(y)
    e = explain(y, "x")
    close(e.evaluate(), gradients(y)["x"])
    assert len(str(e).splitlines()) == 3001
    with pytest.raises(DataError, match="give depth=40"):
        print(e.expanded)
    assert x.grad is None


def test_shapes_and_numbers():
    x, y = Tensor([1.0, 2.0], True, "x"), Tensor([[3.0, 4.0]], True, "y")
    e = explain((x * y).named("z").sum().named("s"), ["x", "y"])
    assert str(e.steps(shapes=True)).splitlines()[-1] == "δy = ones(1, 2) ∘ x  δy (1, 2), x (2,)"
    assert str(e).splitlines() == [
        "δs = 1               ()",
        "δz = ones(1, 2)      (1, 2)",
        "δx = Σ_n y[n, :]     (2,)",
        "δy = ones(1, 2) ∘ x  (1, 2)",
    ]
    assert "(1, 2)" not in e.latex()  # a page has little room: on request
    assert str(e.steps(numbers=True, shapes=False)) == "\n".join(
        [
            "δs = 1",
            "δz = ones(1, 2)",
            "δx = Σ_n y[n, :]",
            "   = Σ_n [[3 4]][n, :]",
            "   = [3 4]",
            "δy = ones(1, 2) ∘ x",
            "   = ones(1, 2) ∘ [1 2]",
        ]
        + ["   = [[1 2]]"]
    )
    big = Tensor(np.arange(20.0), True, "big")
    last = str(explain((big * big).sum(), "big").steps(numbers=True)).splitlines()[-1]
    assert last.split("  ")[0] == "δbig = big + big"  # too many numbers to read


def test_through():
    loss = document()
    g = gradients(loss)
    e = explain(loss, "W_f", through="c<2>")
    c = next(x for x in loss.tape.values if x.name == "c<2>")
    close(e.evaluate(), gradients(c, g["c<2>"])["W_f"])
    assert "δa<1>|c<2> = (δz<2>|c<2>)[:, :4]" in str(e) and "δkeep<2> = δc<2>" in str(e)
    close(explain(loss, "W_f", through="W_f").evaluate(), g["W_f"])
    close(explain(loss, "W_f", through="Error").evaluate(), g["W_f"])
    close(explain(loss, "W_f", through="sum_f<1>").evaluate(), g["W_f via sum_f<1>"])
    assert r"\big|_{c^{\langle 2\rangle}}" in e.latex()
    with pytest.raises(UnknownNameError, match="no path"):
        explain(loss, "c<3>", through="c<1>")


def test_forks_of_one_stage_and_a_diamond():
    x = Tensor(3.0, True, "x")
    y = (x * x).named("y")
    z = (y + y).named("z")
    assert str(explain(z, x)) == "δz = 1\nδy = 1 + 1\nδx = δy · x + δy · x"
    assert explain(z, "x").evaluate() == 12


def test_simplification_is_only_what_is_plainly_wanted():
    x = Tensor(np.array([[1.0, 2.0], [3.0, 4.0]]), True, "x")
    y = tg.linear(np.ones((3, 2)), x.T.named("u"), np.zeros(2)).named("y")
    e = explain(y, "x", gradient=np.ones((3, 2)))
    assert str(e.steps[-1]) == "δx = δuᵀ" and str(e.expanded(depth=1)) == "δx = x#2ᵀ δy"
    weights = np.ones((2, 2))
    assert str(explain((x**1.0).named("y"), "x", gradient=weights).steps[-1]) == "δx = δy"
    assert (
        str(explain((x - x).named("y"), "x", gradient=weights).steps[-1]) == "δx = δy − δy"
    )  # not computer algebra: it stays


def test_gradients_that_are_hooked_edited_or_masked():
    x = Tensor([1.0, 2.0], True, "x")
    y = (x * 2).named("y")
    handle = y.register_hook(lambda g: g * 5)
    e = explain(y.sum(), "x")
    close(e.evaluate(), [10, 10])
    assert "hook(" in str(e)
    handle.remove()
    with np.errstate(invalid="ignore", divide="ignore"):
        v = Tensor([0.0, 4.0], True, "v")
        loss = tg.where(v.numpy() > 0, tg.log(v) * 2, 0.0).sum()
    close(explain(loss, "v").evaluate(), gradients(loss)["v"])
    w = Tensor([1.0], True, "w")
    loss = (w * w).sum()
    w.data[0] = 2
    with pytest.raises(GradientError, match="edited"):
        explain(loss, "w")


def test_slices_are_written_with_their_own_axes():
    x = Tensor(np.arange(30.0).reshape(2, 3, 5), True, "x")
    for key, text in (
        (np.s_[..., :3], "[..., :3]"),
        (np.s_[None, :1], "[None, :1]"),
        (np.s_[:, None, 1:], "[:, None, 1:]"),
        (np.s_[:2, ..., 5:], "[:, ..., 5:]"),
    ):
        assert f"scatter(δy, {text}, (2, 3, 5))" in str(
            explain((x[key].named("y") ** 2).sum(), "x")
        )


def test_names_that_look_like_formulas_are_in_brackets():
    x, y = Tensor([1.0], True, "W + V"), Tensor([2.0], True, "u v")
    e = explain((x * y).named("z").sum())
    assert str(e).splitlines()[2:] == ["δ(W + V) = (u v)  (1,)", "δ(u v) = (W + V)  (1,)"]


def test_a_rule_that_reads_much_twice_or_goes_deep():
    @stage
    def deep(x):
        return x * 1.0

    @deep.rule
    def deep_x(g, y, x):
        for _ in range(40):
            g = g * 0.5 + g * 0.5
        for _ in range(3000):  # in pairs
            g = tg.negative(g)
        return g

    x = Tensor([2.0], True, "x")
    close(explain(deep(x).sum(), "x").evaluate(), [1.0])


def test_complex_values():
    z = Tensor([1 + 2j, -0.5j], True, "z")
    loss = (tg.exp(z) * tg.conj(z)).real.sum()
    close(explain(loss, "z").evaluate(), gradients(loss)["z"])


def test_own_stages():
    @stage
    def cube(x):
        return x**3

    @cube.rule
    def cube_x(g, y, x):
        return g * (3 * x**2)

    @stage
    def opaque(x):
        return 2 * x

    @opaque.rule
    def opaque_x(g, y, x):
        return np.array([2 * float(v) for v in g])

    x = Tensor([2.0, 3.0], True, "x")
    e = explain(cube(opaque(x).named("y")).named("z").sum(), "x")
    assert str(e.steps[-2]) == "δy = 3 · y²" and str(e.steps[-1]) == "δx = vjp_opaque_x(δy, y, x)"
    close(e.evaluate(), gradients(cube(opaque(x)).sum())["x"])
    loss = checkpoint(lambda v: tg.tanh(v) * v)(x).sum()
    close(explain(loss, "x").evaluate(), gradients(loss)["x"])


def test_nothing_is_changed():
    loss = document()
    before = gradients(loss)
    explain(loss).evaluate()
    assert all(p.grad is None for p in loss.tape.leaves)
    again = gradients(loss)
    assert all(np.array_equal(before[k], again[k]) for k in before)
    loss.backward()
    close(explain(loss, "W_f").evaluate(), before["W_f"])  # after backward too, as gradients()


HOSTILE = [
    "a & b",
    "50%",
    "x_1_2",
    "{}",
    "\\end{array}",
    "$",
    "#",
    "~^",
    "名",
    "δ",
    "a|b",
    "`",
    "<2>",
    "c<t>",
    "é",
    "😀",
    "_",
    "a\nb",
    "very long " * 20,
    "|",
]


def test_hostile_names(tmp_path):
    sources = []
    for name in HOSTILE:
        x = Tensor([1.0, 2.0], True, name)
        e = explain((tg.tanh(x) * x).named(f"y{name}").sum().named(name + "!"), x)
        latex.check(e.latex())
        assert all(len(re.findall(r"(?<!\\)\|", row)) == 4 for row in e.markdown().splitlines())
        assert len(str(e).splitlines()) == len(e.steps)
        sources.append(e.latex())
    latex.compile_if_possible(tmp_path, sources, fits=False)


def test_latex(tmp_path):
    sources = [
        view.latex()
        for make in (*NETWORKS.values(), *networks.NETWORKS.values())
        for view in (explain(make()).steps, explain(make()).rolled)
    ]
    sources.append(explain(document(), "W_f").expanded(depth=4).latex())
    sources.append(explain(document(T=2, N=1), "c<1>").steps(numbers=True, shapes=True).latex())
    for source in sources:
        latex.check(source)
    latex.compile_if_possible(tmp_path, sources)  # none wider than a page
    e = explain(document(), "W_f")
    assert (
        r"\delta c^{\langle 2\rangle} & = & \delta \mathrm{tanh}_{c}^{\langle 2\rangle} \odot"
        in e.latex()
    )
    assert e._repr_latex_() == e.latex()  # what a notebook typesets


def test_markdown():
    lines = explain(document(), "c<2>").markdown().splitlines()
    assert lines[:2] == ["| derivative | formula | |", "| --- | --- | --- |"]
    assert lines[-1] == "| `δc<2>` | `δtanh_c<2> ∘ (1 − tanh_c<2>²) + δkeep<3> ∘ Γ_f<3>` | (2, 4) |"


def test_bad_input():
    loss = document()
    with pytest.raises(UnknownNameError, match="did you mean 'W_f'"):
        explain(loss, "W_ff")
    with pytest.raises(UnknownNameError, match="a constant"):
        explain(loss, "â<1>")
    with pytest.raises(DtypeError, match="only what a tape led to"):
        explain(3.0, "x")
    with pytest.raises(GradientError, match="nothing to differentiate"):
        explain(Tensor(1.0), None)
    x = Tensor([1.0, 2.0], True, "x")
    with pytest.raises(GradientError, match="gradient"):
        explain(x * 2, "x")
    close(explain(x * 2, "x", gradient=[1.0, 3.0]).evaluate(), [2, 6])


def test_the_root_itself_and_values_without_names():
    x = Tensor(2.0, True)
    y = x * x
    assert str(explain(y, y)) == "δmultiply#1 = 1"
    e = explain(y)
    assert list(e.evaluate()) == ["parameter"] and e.evaluate()["parameter"] == 4
    a, b = Tensor([1.0], True), Tensor([2.0], True)
    assert list(explain((a * b).sum()).evaluate()) == ["parameter#1", "parameter#2"]
