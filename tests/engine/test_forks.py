"""Forks: values read through several edges, in every situation in which an engine can get the walk
wrong."""

import numpy as np
import pytest

from tinygrad_lstm import Tensor, add_n, concatenate, exp, gradients, tanh


def leaf(value, name="x"):
    return Tensor(value, requires_grad=True, name=name)


def fork_names(y):
    return {
        fork.name: [(branch.stage.name, branch.argument) for branch in fork.branches]
        for fork in y.tape.forks
    }


def test_tour():
    x = leaf(3.0)
    y = (x * x).named("y")
    z = (y + y).named("z")
    z.backward()
    assert x.grad == 12.0 and isinstance(x.grad, np.ndarray) and x.grad.shape == ()
    assert [s.op for s in z.tape.stages] == ["multiply", "add"]
    assert fork_names(z) == {"x": [("y", 0), ("y", 1)], "y": [("z", 0), ("z", 1)]}
    g = gradients(z)
    assert g["y"] == 2.0 and g[x] == 12.0
    assert [b.gradient for b in g.branches("y")] == [1.0, 1.0]
    assert sum(b.gradient for b in g.branches("y")) == g["y"]


def test_a_value_read_twice_by_one_stage_is_a_fork():
    x = leaf(3.0)
    assert fork_names((x * x).named("y")) == {"x": [("y", 0), ("y", 1)]}


def test_shared_intermediate_is_walked_once_it_is_complete():
    # y = x*x; z = y+y; w = z*y: the walk that starts on y before all of its branches have arrived
    # gets this wrong
    x = leaf(3.0)
    y = x * x
    z = y + y
    w = z * y  # 2 x^4
    w.backward()
    assert x.grad == pytest.approx(8 * 3.0**3)


@pytest.mark.parametrize("order", [0, 1])
def test_late_and_early_readers(order):
    x = leaf(0.7)
    h = tanh(x)
    deep = h
    for _ in range(5):
        deep = exp(deep * 0.1)
    y = (deep * h) if order else (h * deep)
    y.backward()
    step = 1e-6

    def f(v):
        h = np.tanh(v)
        d = h
        for _ in range(5):
            d = np.exp(d * 0.1)
        return d * h

    assert x.grad == pytest.approx((f(0.7 + step) - f(0.7 - step)) / (2 * step), rel=1e-8)


def test_branches_are_ordered_by_stage_then_argument():
    x = leaf(2.0)
    a = (x * 3.0).named("a")
    b = (x * x).named("b")
    c = (a + b).named("c")
    d = (c * x).named("d")
    assert fork_names(d)["x"] == [("a", 0), ("b", 0), ("b", 1), ("d", 1)]
    g = gradients(d)
    assert [(v.stage.name, v.argument) for v in g.branches("x")] == fork_names(d)["x"]
    assert [float(v.gradient) for v in g.branches("x")] == [6.0, 4.0, 4.0, 10.0]
    assert g["x via d"] == 10.0 and g["x via b[1]"] == 4.0


def test_an_edge_to_a_constant_is_no_branch():
    constant = Tensor(2.0, name="k")
    x = leaf(3.0)
    y = x * constant + constant
    assert y.tape.forks == ()


def test_only_what_led_to_the_value_is_on_its_tape():
    x = leaf(3.0)
    y = x * 2.0
    unused = x * 5.0
    assert [s.output for s in y.tape] == [y]
    assert unused.tape.forks == ()


def test_diamonds_sixty_deep_take_linear_time():
    x = leaf(1.0)
    y = x
    for _ in range(60):
        y = y + y
    g = gradients(y)
    assert g[x] == 2.0**60
    assert len(y.tape) == len(y.tape.forks) == 60


def test_a_fork_with_thousands_of_branches():
    x = leaf([1.0, 2.0])
    n = 20_000
    total = add_n(*[x] * n)
    assert len(total.tape.forks[0].branches) == n
    total.backward(np.ones(2))
    assert x.grad.tolist() == [n, n]
    joined = concatenate([x] * n)
    x.zero_grad()
    joined.backward(np.ones(2 * n))
    assert x.grad.tolist() == [n, n]


def test_the_sum_of_the_branches_is_the_total_bit_for_bit():
    rng = np.random.default_rng(0)
    x = leaf(rng.normal(size=50))
    y = x * 0.3
    for k in range(9):
        y = y * tanh(x * (0.1 * k))
    g = gradients(y.sum())
    assert len(g.branches(x)) == 10
    np.testing.assert_array_equal(sum(b.gradient for b in g.branches(x)), g[x])


def test_gradients_changes_nothing_and_repeats():
    x = leaf([1.0, 2.0])
    y = (x * x).sum()
    first, second = gradients(y), gradients(y)
    np.testing.assert_array_equal(first[x], second[x])
    assert x.grad is None
    y.backward()
    np.testing.assert_array_equal(gradients(y)[x], x.grad)


def test_gradients_of_gradients_to_the_fourth_order():
    x = leaf(0.3)
    f = tanh(x) * x
    derivatives = []
    for _ in range(4):
        f = gradients(f, create_graph=True)[x]
        derivatives.append(f.item())
    # Taylor coefficients of x tanh x around 0.3, through a contour integral: independent of every
    # rule
    radius, n = 0.5, 64
    angles = 2 * np.pi * np.arange(n) / n
    values = (z := 0.3 + radius * np.exp(1j * angles)) * np.tanh(z)
    factorial = 1.0
    for k, derivative in enumerate(derivatives, 1):
        factorial *= k
        expected = factorial * np.mean(values * np.exp(-1j * k * angles)).real / radius**k
        assert derivative == pytest.approx(expected, rel=1e-9)


def test_gradients_never_share_memory():
    x = leaf([1.0, 2.0])
    y = leaf([3.0, 4.0], "y")
    seed = np.ones(2)
    z = x + y
    z.backward(seed, retain_graph=True)
    assert not np.shares_memory(x.grad, y.grad) and not np.shares_memory(x.grad, seed)
    g = gradients(z, seed)
    assert not np.shares_memory(g[x], g[y]) and not np.shares_memory(g[x], g[z])
