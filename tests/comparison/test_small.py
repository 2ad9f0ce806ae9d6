"""Small networks as one computes by hand; if weights are all alike, much agrees by chance."""

import numpy as np
import pytest

from tinygrad_lstm import (
    Tensor,
    add_n,
    block,
    compare,
    cross_entropy,
    gradients,
    relu,
    sigmoid,
    tanh,
)


def network(activation, weights, rows=1, steps=3):
    """A network with one output, its parameters as arrays, inputs and targets: ones, or not."""
    rng = np.random.default_rng(0)

    def numbers(*shape):
        return np.ones(shape) if weights == "alike" else rng.normal(size=shape)

    W, U, b, V = (
        Tensor(numbers(*shape) * size, True, name)
        for name, size, shape in (
            *(("W", 1.0, (2, 2)), ("U", 0.5, (2, 2))),
            *(("b", 0.1, (2,)), ("V", 1.0, (2, 1))),
        )
    )
    x, targets = numbers(steps, rows, 2), numbers(steps, rows, 1)
    h, losses = Tensor(np.zeros((rows, 2)), name="h<0>"), []
    for t in range(1, steps + 1):
        with block(t):
            s = (Tensor(x[t - 1], name="x") @ W + h @ U + b).named("s")
            h = activation(s).named("h")
            o = (h @ V).named("o")
            losses.append((((o - targets[t - 1]) ** 2).sum() * 0.5).named("E"))
    return add_n(*losses), {p.name: p.numpy() for p in (W, U, b, V)}, x, targets


def by_hand(p, x, targets, activation, slip):
    """The gradients, with a slip."""
    W, U, V, s, h = p["W"], p["U"], p["V"], [None], [np.zeros((x.shape[1], 2))]
    for x_t in x:
        s.append(x_t @ W + h[-1] @ U + p["b"])
        h.append(np.tanh(s[-1]) if activation is tanh else np.maximum(s[-1], 0))
    d, later = {name: np.zeros_like(value) for name, value in p.items()}, 0
    for t in range(len(x), 0, -1):
        d_o = (h[t] @ V - targets[t - 1]) * (2 if slip == "2" else 1)
        d["V"] += h[t - (slip == "h of before")].T @ d_o
        d_h = d_o @ V.T + (0 if slip == "no carry" else later)
        slope = 1 - h[t] ** 2 if activation is tanh else h[t] > 0
        slope = {"1 - h": 1 - h[t], "no slope": 1.0}.get(slip, slope)
        d_s = d_h * slope
        d["W"] += x[t - 1].T @ d_s
        d["U"] += h[t - (slip != "h of now")].T @ d_s
        d["b"] += d_s.sum(axis=0)
        later = (later if slip == "+=" else 0) + d_s @ {"W": W.T, "Uᵀ": U}.get(slip, U.T)
    return d


SAID = {
    "2": "2 times the correct value; 2 is what the square leaves",
    "h of before": "h<1> was used where h<2> belongs (and so in the other blocks)",
    "h of now": "h<2> was used where h<1> belongs (and so in the other blocks)",
    "no carry": "further up, at h<2> U: the branch through matmul#2<3> is missing",
    "1 - h": "the local derivative of tanh has a wrong form: 1 − h<",
    "W": "further up, at h<2> U: W was used where U belongs",
    "+=": "what was carried back in the next block is in it once more: += stands where = belongs",
    "Uᵀ": "further up, at h<2> U: U is transposed where it must not be",
}


@pytest.mark.parametrize(
    ("activation", "weights", "slip"),
    [
        *((tanh, "alike", slip) for slip in ("2", "h of before", "h of now", "no carry", "1 - h")),
        *((relu, "apart", slip) for slip in ("h of now", "no carry", "W")),  # one unit is off
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_one_mistake_comes_before_numbers_that_fit(activation, weights, slip):
    loss, p, x, targets = network(activation, weights)
    g = gradients(loss)
    assert compare(g, by_hand(p, x, targets, activation, ""))
    report = compare(g, by_hand(p, x, targets, activation, slip))
    said = {diagnosis.looks_like for diagnosis in report.diagnoses}
    assert said and all(SAID[slip] in words for words in said), said


@pytest.mark.parametrize("slip", ["W", "Uᵀ", "+="])
def test_gradients_that_the_rows_leave_open_in_one_block_are_not_taken_for_known(slip):
    loss, p, x, targets = network(tanh, "apart", rows=3)
    report = compare(gradients(loss), by_hand(p, x, targets, tanh, slip))
    assert all(SAID[slip] in diagnosis.looks_like for diagnosis in report.diagnoses)
    assert len(report.diagnoses) == (2 if slip == "+=" else 3)  # U reads h<0> = 0 in block 1


def test_one_number_for_gradients_that_differ_is_told_without_a_long_search():
    """The root of the wrong width: attention divided by another one."""
    rng = np.random.default_rng(0)
    x, W = rng.normal(size=(5, 6)), Tensor(rng.normal(size=(6, 4)), True, "W")
    h = (x @ W).named("h")
    g = gradients((np.tanh(h) * np.cos(h * h)).sum())
    (diagnosis,) = compare(g, {"W": g["W"] / np.sqrt(7)}).diagnoses
    assert diagnosis.looks_like.startswith("every entry is 0.377964 times the correct one")


def test_a_factor_comes_before_a_factor_of_the_same_size():
    """1 + y² = 2 where the targets y are 1."""
    loss, *_ = network(tanh, "alike")
    g = gradients(loss)
    (diagnosis,) = compare(g, {"o<3>": 2 * g["o<3>"]}).diagnoses
    assert diagnosis.looks_like.startswith(SAID["2"])


def classifier(slip=None):
    """The gradients of two layers and a softmax, and those by hand, with a slip."""
    rng = np.random.default_rng(0)
    x, W1, W2, W3 = (rng.normal(size=shape) for shape in ((6, 4), (4, 5), (5, 5), (5, 3)))
    classes = np.array([0, 2, 1, 1, 0, 2])
    parameters = [Tensor(W, True, f"W{i + 1}") for i, W in enumerate((W1, W2, W3))]
    a1 = relu((x @ parameters[0]).named("z1")).named("a1")
    a2 = sigmoid((a1 @ parameters[1]).named("z2")).named("a2")
    z3 = (a2 @ parameters[2]).named("z3")
    a1, a2, e = a1.numpy(), a2.numpy(), np.exp(z3.numpy())
    p, y = e / e.sum(axis=1, keepdims=True), np.eye(3)[classes]
    d_z3 = (-y / p if slip == "probability" else p - y) / 6
    d_W3 = a2.T @ d_z3
    if slip == "reshaped":
        d_W3 = (d_z3.T @ a2).reshape(W3.shape)
    d_z2 = d_z3 @ W3.T * a2 * (1 + a2 if slip == "1 + y" else 1 - a2)
    d_z1 = d_z2 @ W2.T * (a1 <= 0 if slip == "turned" else a1 > 0)
    hand = {"z3": d_z3, "z2": d_z2, "z1": d_z1, "W3": d_W3, "W2": a1.T @ d_z2, "W1": x.T @ d_z1}
    return gradients(cross_entropy(z3, classes)), hand


@pytest.mark.parametrize("rows", ["all", "parameters"])
@pytest.mark.parametrize(
    ("slip", "words"),
    [
        ("probability", "this is the derivative by softmax(z3), which has to be differentiated"),
        ("reshaped", "it was reshaped, not transposed"),
        ("1 + y", "the local derivative of sigmoid has a wrong form: a2 ∘ (1 + a2) where"),
        ("turned", "the local derivative of relu has a wrong form: a1 ≤ 0 where a1 > 0 belongs"),
    ],
)
def test_slips_in_a_classifier(rows, slip, words):
    g, hand = classifier(slip)
    report = compare(g, {k: v for k, v in hand.items() if rows == "all" or k[0] == "W"})
    assert words in report.diagnoses[0].looks_like
    assert compare(*classifier())


@pytest.mark.parametrize("form", ["result", "argument"])
def test_a_factor_on_the_other_side_of_a_matrix_product_with_a_transpose(form):
    """The two forms of a GRU: the gate is a factor of the product's result, or of what it reads."""
    rng = np.random.default_rng(0)
    h, U = Tensor(rng.normal(size=(4, 3)), True, "h"), Tensor(rng.normal(size=(3, 3)), True, "U")
    r = rng.uniform(size=(4, 3))
    n = np.tanh(r * (h @ U) if form == "result" else (h * r) @ U).named("n")
    slope = 1 - n.numpy() ** 2
    x = h.numpy()
    hand = (r * x).T @ slope if form == "result" else x.T @ (r * slope)
    (diagnosis,) = compare(gradients(n.sum()), {"U": hand}).diagnoses
    assert diagnosis.kind == "parenthesis"
    assert (
        "on one side of the matrix product, where it belongs on the other" in diagnosis.looks_like
    )


@pytest.mark.parametrize("where", ["before", "behind"])
def test_a_factor_on_the_other_side_of_a_matrix_product(where):
    """The reset gate of a GRU, and the slope of a layer."""
    rng = np.random.default_rng(0)
    h, U = Tensor(rng.normal(size=(4, 3)), True, "h"), Tensor(rng.normal(size=(3, 3)), True, "U")
    r = rng.uniform(size=(4, 3))
    if where == "before":
        n = np.tanh((h * Tensor(r, name="r")) @ U).named("n")
        d_n = 1 - n.numpy() ** 2
        wrong = (d_n * r) @ U.numpy().T
        words = "a factor stands before the matrix product, where it belongs to its result: r"
    else:
        n = np.tanh(h @ U).named("n")
        wrong = (np.ones((4, 3)) @ U.numpy().T) * (1 - n.numpy() ** 2)
        words = "a factor stands behind the matrix product, where it belongs into it: 1 − n²"
    (diagnosis,) = compare(gradients(n.sum()), {"h": wrong}).diagnoses
    assert diagnosis.looks_like == words


def test_one_row_of_a_batch_where_nothing_has_a_name():
    rng = np.random.default_rng(0)
    x, b = rng.normal(size=(4, 3)), Tensor(rng.normal(size=3), True, "b")
    g = gradients((np.exp(x + b) * x).sum())
    (diagnosis,) = compare(g, {"b": (np.exp(x + b.numpy()) * x)[0]}).diagnoses
    words = "the sum over axis 0 is missing: only entry 0 along it is there"
    assert diagnosis.looks_like == words
