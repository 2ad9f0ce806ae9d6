"""What a function finds outside its arguments may change: the next call notices it."""

import random
import types
from collections import deque

import numpy as np
import pytest

from tinygrad_lstm import Tensor, compile, gradients

X = np.arange(6.0).reshape(2, 3)


def agrees(fast, function, *args):
    loss, grads = fast(*args)
    expected = function(*args)
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    g = gradients(expected)
    assert len(grads) == sum(x.requires_grad for x in expected.tape.leaves)
    for name, total in grads.items():
        np.testing.assert_allclose(total, g[name], rtol=1e-12)


class Slots:
    __slots__ = ("absent", "k")

    def __init__(self):
        self.k = 2.0


class Base:
    k = 2.0

    @property
    def twice(self):
        return 2 * self.other()

    def other(self):
        return self.k


class Derived(Base):
    pass


def patched():
    module = types.ModuleType("of_the_user")
    module.k = 2.0
    return module, lambda: setattr(module, "k", 3.0), lambda: module.k


def on_slots():
    x = Slots()
    return x, lambda: setattr(x, "k", 3.0), lambda: x.k


def on_a_class():
    x = type("Own", (Derived,), {})()
    return x, lambda: setattr(type(x), "k", 3.0), lambda: x.twice


def on_a_method():
    class Own(Derived):
        def other(self):
            return 2.0

    x = Own()
    return x, lambda: setattr(Own, "other", lambda self: 5.0), lambda: x.twice


def in_a_deque():
    x = deque([2.0])
    return x, lambda: x.append(x.pop() + 1), lambda: x[0]


def in_a_set():
    x = {2.0}
    return x, lambda: (x.clear(), x.add(3.0)), lambda: sum(x)


@pytest.mark.parametrize("make", [patched, on_slots, on_a_class, on_a_method, in_a_deque, in_a_set])
def test_what_changes_is_noticed(make):
    w = Tensor(np.ones(3), True, "w")
    _, change, read = make()

    def loss(x):
        return (w * x).sum() * read()

    fast = compile(loss)
    agrees(fast, loss, X)
    assert fast.plan(X).compiled
    before = read()
    change()
    assert read() != before
    agrees(fast, loss, X)
    assert fast.plan(X).compiled


def test_a_captured_tensor_that_requires_a_gradient_no_more():
    w, v = (Tensor(np.ones(3), True, name) for name in "wv")

    def loss(x):
        return (w * v * x).sum()

    fast = compile(loss)
    agrees(fast, loss, X)
    v.requires_grad = False
    agrees(fast, loss, X)
    v.requires_grad = True
    agrees(fast, loss, X)


def test_one_tensor_in_two_places_is_one_leaf():
    t, u = Tensor(X, True, "t"), Tensor(2 * X, True, "u")

    def loss(x, y):
        return (x * y * t).sum()

    fast = compile(loss)
    agrees(fast, loss, u, Tensor(X, True, "other"))
    agrees(fast, loss, u, u)
    agrees(fast, loss, t, u)  # given, and captured
    agrees(fast, loss, t, t)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: np.random.normal(),
        random.random,
        np.random.RandomState(0).uniform,
        random.Random(0).random,
    ],
)
def test_numbers_drawn_without_a_generator_are_drawn_anew(draw):
    w = Tensor(np.ones(3), True, "w")
    fast = compile(lambda x: (w * x).sum() * draw())
    assert len({float(fast(X)[0]) for _ in range(3)}) == 3
    assert "draws random numbers" in fast.plan(X).reason


def test_recording_draws_no_number():
    w = Tensor(np.ones(3), True, "w")

    def loss(x):
        return (w * x).sum() * random.random()

    random.seed(7)
    expected = [loss(X).item() for _ in range(2)]
    random.seed(7)
    fast = compile(loss)
    assert [fast(X)[0] for _ in range(2)] == expected
