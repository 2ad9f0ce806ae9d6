"""Hooks, kept gradients of computed values, and several losses on one tape."""

import gc
import weakref

import numpy as np
import pytest

from tinygrad_lstm import GradientError, Tensor, grad, gradients, no_grad, tanh


@pytest.fixture
def x():
    return Tensor([1.0, 2.0], requires_grad=True, name="x")


def test_a_hook_sees_the_total_of_a_fork_once(x):
    seen = []
    y = (x * 3.0).named("y")
    y.register_hook(seen.append)
    (y * y + y).sum().backward()
    assert [g.tolist() for g in seen] == [[7.0, 13.0]]
    with pytest.raises(ValueError, match="read-only"):
        seen[0][0] = 0.0


def test_a_hook_replaces_what_goes_on(x):
    y = x * 3.0
    y.register_hook(lambda g: g * 10)
    y.register_hook(lambda g: np.minimum(g, 65.0))  # in the order of registration
    (y * y).sum().backward()
    assert x.grad.tolist() == [180.0, 195.0]
    assert gradients((y * y).sum())[x].tolist() == [180.0, 195.0]
    assert gradients((y * y).sum())[y].tolist() == [60.0, 65.0]


def test_a_hook_on_a_leaf_sees_the_total_of_each_backward(x):
    seen = []
    x.register_hook(lambda g: seen.append(g.tolist()))
    x.register_hook(lambda g: -g)
    for _ in range(2):
        (x * x + x).sum().backward()
    assert seen == [[3.0, 5.0], [3.0, 5.0]]
    assert x.grad.tolist() == [-6.0, -10.0]
    assert gradients(x.sum())[x].tolist() == [-1.0, -1.0]


def test_a_hook_is_removed(x):
    handle = x.register_hook(lambda g: g * 100)
    other = x.register_hook(lambda g: g * 2)
    handle.remove()
    handle.remove()
    x.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]
    other.remove()
    x.sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_a_hook_may_remove_itself(x):
    calls = []
    handle = x.register_hook(lambda g: (calls.append(1), handle.remove())[0])
    x.sum().backward()
    x.sum().backward()
    assert calls == [1]


def test_a_hook_in_a_recorded_backward_is_differentiated(x):
    y = x * x
    handle = y.register_hook(lambda g: g * g)
    g = gradients((y * y).sum(), create_graph=True)[x]  # (2 x^2)^2 2x = 8 x^5
    handle.remove()  # y is on the tape of g too
    np.testing.assert_allclose(gradients(g.sum())[x], 40 * x.numpy() ** 4)
    y.register_hook(lambda g: np.ones(2))
    assert gradients(y.sum(), create_graph=True)[x].numpy().tolist() == [2.0, 4.0]


def test_a_hook_in_a_function_that_is_differentiated():
    def f(x):
        y = x * x
        y.register_hook(lambda g: g * 5)
        return y.sum()

    assert grad(f)(np.array([1.0, 2.0])).tolist() == [10.0, 20.0]


def test_a_hook_returns_a_gradient_of_the_same_shape_and_dtype():
    y = Tensor(np.ones(2, np.float32), requires_grad=True, name="y")
    mine = np.array([1.0, 2.0])
    y.register_hook(lambda g: mine)
    y.sum().backward()
    assert y.grad.dtype == np.float32 and not np.shares_memory(y.grad, mine)
    y.register_hook(lambda g: g[:1])
    before = y.grad.copy()
    with pytest.raises(GradientError, match=r"hook of y: .* expected \(2,\), got \(1,\)"):
        y.sum().backward()
    np.testing.assert_array_equal(y.grad, before)


def test_hooks_need_a_gradient():
    k = Tensor(1.0, name="k")
    with pytest.raises(GradientError, match=r"k\.register_hook: this value requires no gradient"):
        k.register_hook(print)
    with pytest.raises(GradientError, match=r"k\.retain_grad"):
        k.retain_grad()


def test_hooks_make_no_leak(x):
    y = tanh(x)
    y.register_hook(lambda g: None)
    y.retain_grad()
    (y * y).sum().backward()
    watch = weakref.ref(y)
    gc.disable()
    try:
        del y
        assert watch() is None
    finally:
        gc.enable()


class TestRetainGrad:
    def test_it_fills_grad_of_a_computed_value(self, x):
        y = x * 3.0
        z = y * y
        y.retain_grad()
        z.sum().backward()
        assert y.grad.tolist() == [6.0, 12.0] and z.grad is None and x.grad.tolist() == [18.0, 36.0]

    def test_it_sees_what_the_hooks_made(self, x):
        y = x * 3.0
        y.retain_grad()
        y.register_hook(lambda g: g * 2)
        y.sum().backward()
        assert y.grad.tolist() == [2.0, 2.0]

    def test_it_adds_up_and_never_shares_memory(self, x):
        y, z = x * 1.0, None
        y.retain_grad()
        x.retain_grad()  # as PyTorch: nothing changes for a leaf
        z = y + 0.0
        z.retain_grad()
        for _ in range(2):
            z.sum().backward(retain_graph=True)
        assert y.grad.tolist() == z.grad.tolist() == x.grad.tolist() == [2.0, 2.0]
        assert not np.shares_memory(y.grad, z.grad) and not np.shares_memory(y.grad, x.grad)

    def test_of_the_root(self, x):
        y = x.sum()
        y.retain_grad()
        y.backward()
        assert y.grad == 1.0


class TestSeveralLosses:
    def test_one_after_the_other(self, x):
        h = tanh(x)
        (h * h).sum().backward(retain_graph=True)
        h.sum().backward()
        t = np.tanh([1.0, 2.0])
        np.testing.assert_allclose(x.grad, (2 * t + 1) * (1 - t * t))

    def test_a_leaf_used_by_two_losses(self, x):
        (x * x).sum().backward()
        (x * 3.0).sum().backward()
        assert x.grad.tolist() == [5.0, 7.0]

    def test_the_tape_of_the_first_is_spent_for_the_second(self, x):
        h = tanh(x)
        (h * h).sum().backward()
        with pytest.raises(GradientError, match="already run"):
            h.sum().backward()

    def test_grad_that_was_given_is_added_to(self, x):
        x.grad = np.array([10.0, 20.0])
        kept = x.grad
        x.sum().backward()
        assert x.grad.tolist() == [11.0, 21.0] and kept.tolist() == [10.0, 20.0]

    def test_frozen_leaves_receive_nothing(self, x):
        y = x * x
        x.requires_grad = False
        with no_grad():
            assert not (x * x).requires_grad
        y.sum().backward()
        assert x.grad is None


def test_a_fork_without_axes():
    x = Tensor(3.0, requires_grad=True)
    y = x * x
    seen = []
    y.register_hook(seen.append)
    assert gradients(y * y)[x] == 108
    (y + y).backward()
    assert seen == [18, 2] and x.grad == 12
