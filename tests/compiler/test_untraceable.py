"""What arrays without numbers can do, and what they are asked in vain: then the tape runs, and
why is said."""

import numpy as np
import pytest

from tinygrad_lstm import Tensor, compile, gradients, stage
from tinygrad_lstm.errors import DtypeError

X = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.5]])


@pytest.mark.parametrize(
    ("forward", "rule"),
    [
        (lambda a: a.mT.mT, lambda g, y, a: g.mT.mT),
        (lambda a: np.stack(list(a)), lambda g, y, a: g),
        (lambda a: a.reshape(2, 1, 3).squeeze(1), lambda g, y, a: g),
        (lambda a: a - a.max(axis=1, keepdims=True) * 0, lambda g, y, a: g),
        (lambda a: a - a.min(axis=1, keepdims=True) * 0, lambda g, y, a: g),
        (lambda a: a.dot(np.eye(3)), lambda g, y, a: g.dot(np.eye(3))),
        (lambda a: a.conj() * (a.nbytes > 0), lambda g, y, a: g),
        (lambda a: a + a.imag * 0, lambda g, y, a: g),
        (lambda a: np.ravel(a).reshape(a.shape), lambda g, y, a: g),
        (lambda a: np.dot(a, np.eye(3)), lambda g, y, a: g),
        (lambda a: a - a.mean(axis=0) * 0, lambda g, y, a: g),
        (lambda a: a + 0 * int(a.sum()), lambda g, y, a: g),  # these ask for numbers: a call
        (lambda a: a + 0 * complex(a.sum()).imag, lambda g, y, a: g),
    ],
)
def test_an_own_stage_in_a_program(forward, rule):
    def a_stage(a):
        return forward(a)

    made = stage(a_stage)

    @made.rule
    def a_stage_a(g, y, a):
        return rule(g, y, a)

    w = Tensor(X, True, "w")

    def function(x):
        return (made(w * x) * x).sum()

    fast = compile(function, backend="numpy")
    for x in (X, 2 * X):
        loss, grads = fast(x)
        expected = function(x)
        assert loss == pytest.approx(expected.item())
        np.testing.assert_allclose(grads["w"], gradients(expected)["w"])
    assert fast.plan(X).compiled


SCALE = {"forward": 2.0, "rule": 2.0}


def test_what_an_own_stage_reads_is_noticed():
    @stage
    def scaled(a):
        return a * SCALE["forward"]

    @scaled.rule
    def scaled_a(g, y, a):
        return g * SCALE["rule"]

    w = Tensor(X, True, "w")
    fast = compile(lambda: scaled(w).sum())
    for k in (2.0, 3.0, 5.0):
        SCALE["forward"] = k
        assert fast()[0] == pytest.approx(k * X.sum())
        SCALE["rule"] = k
        assert fast()[1]["w"][0, 0] == k
    assert fast.plan().compiled


def test_what_is_printed_stays_on_the_tape():
    w = Tensor(X, True, "w")

    def function(x):
        y = (w * x).sum()
        repr(y)
        return y

    fast = compile(function)
    loss, _ = fast(X)
    assert loss == pytest.approx((X * X).sum())
    assert not fast.plan(X).compiled and "printed" in fast.plan(X).reason


def test_backends_that_are_not_there():
    with pytest.raises(DtypeError, match="there is no such backend"):
        compile(lambda x: x, backend="gpu")


def test_long_sums_and_products_are_taken_in_pieces():
    """Rounding grows with the piece, not with the whole; what is computed is the same."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=40_000), rng.normal(size=(640, 3))
    w, v = Tensor(rng.normal(size=40_000), True, "w"), Tensor(rng.normal(size=3), True, "v")

    def function(x, y):
        return (w * x).sum() + ((y * v) ** 2).sum() + (w @ w)

    fast = compile(function, backend="numpy")
    loss, grads = fast(x, y)
    expected = function(x, y)
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    g = gradients(expected)
    for name in ("w", "v"):
        np.testing.assert_allclose(grads[name], g[name], rtol=1e-10)
