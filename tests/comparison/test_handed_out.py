"""The searches of compare, by whoever works: the same is found, word for word."""

from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

from tinygrad_lstm import LSTM, Tensor, by_hand, checkpoint, compare, gradients, stage, tanh
from tinygrad_lstm.comparison import likely
from tinygrad_lstm.parallel.tapes import packed_tape, read_tape

rng = np.random.default_rng(0)
LSTM_ = LSTM(2, 3, rng=0)
X, TARGETS = Tensor(rng.normal(size=(3, 2, 2)), True, "x"), rng.normal(size=(3, 2, 3))
G = gradients(LSTM_.error(X, TARGETS))
RIGHT = dict(by_hand.lstm(LSTM_, X.numpy(), TARGETS))
PRINTED = dict(by_hand.lstm(LSTM_, X.numpy(), TARGETS, as_printed=True))


@pytest.fixture(scope="module")
def pool():
    with ProcessPoolExecutor(1) as pool:
        yield pool


def only(hand, *kinds):
    return {name: hand[name] for name in hand if name.startswith(kinds) and "@" not in name}


NOISE = {name: RIGHT[name] * rng.uniform(0.9, 1.1, RIGHT[name].shape) for name in ("W_f", "b_u")}
HANDS = {
    "as printed": PRINTED,
    "parameters as printed": only(PRINTED, "W_f", "b_c"),
    "in a row": only(RIGHT, "W_") | {"c<2>": 2 * RIGHT["c<2>"], "W_f": RIGHT["W_f"][:, ::-1]},
    "by Tensor, and odd": {
        LSTM_.W_f: -RIGHT["W_f"],
        X: None,
        Tensor(1.0): 1.0,
        "W": 2.0,
        "b_f": np.full(3, np.nan),
        "b_c": np.ones(2),
    },
    "nothing simple": NOISE,
}


@pytest.mark.parametrize("name", HANDS)
def test_the_same_is_found_by_another_process(name, pool, monkeypatch):
    monkeypatch.setattr(likely, "BUDGET", 5000)
    alone = compare(G, HANDS[name])
    other = compare(G, HANDS[name], executor=pool)
    assert other.text() == alone.text()
    assert other.diagnoses == alone.diagnoses
    assert alone.diagnoses or name == "as printed"


def test_threads_and_what_is_right():
    hand = HANDS["parameters as printed"]
    assert compare(G, hand, executor="threads").text() == compare(G, hand).text()
    assert compare(G, RIGHT, executor="threads")


@stage
def cube(x):
    return x**3


@cube.rule
def cube_x(g, y, x):
    return g * 3 * x**2


def test_a_tape_travels():
    a = Tensor(np.array([0.5, -1.0]), True, "a")
    a.register_hook(lambda g: 2 * g)
    y = a
    for _ in range(3000):  # deeper than pickle goes
        y = y * 1.0
    loss = (cube(y) * tanh(a)).sum()
    found, other = read_tape(packed_tape(gradients(loss), {"a": a}))
    assert str(found.tape) == str(loss.tape)
    assert other["a"] in found.tape.leaves
    np.testing.assert_array_equal(found["a"], gradients(loss)["a"])
    branches = zip(found.branches("a"), gradients(loss).branches("a"), strict=True)
    assert all((mine.gradient == its.gradient).all() for mine, its in branches)
    report = compare(found, {"a": gradients(loss)["a"]})
    assert report and found.tape.root.item() == loss.item()


def test_a_checkpoint_travels_with_cloudpickle():
    pytest.importorskip("cloudpickle")
    a = Tensor(np.array([0.5, -1.0]), True, "a")
    loss = checkpoint(lambda x: tanh(x) * x)(a).sum()
    found, _ = read_tape(packed_tape(gradients(loss)))
    np.testing.assert_array_equal(found["a"], gradients(loss)["a"])
