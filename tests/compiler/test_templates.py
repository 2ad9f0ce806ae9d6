"""What a stage does to operands of a kind is recorded once, and made again for the next."""

from collections import Counter

import numpy as np
import pytest

from tinygrad_lstm import (
    LSTM,
    Tensor,
    compile,
    gradients,
    sigmoid,
    silu,
    squared_error,
    stage,
    tanh,
)
from tinygrad_lstm.compiler.formulas import Formula, opened
from tinygrad_lstm.compiler.graph import Value
from tinygrad_lstm.compiler.schedule import Kernel
from tinygrad_lstm.compiler.templates import Template
from tinygrad_lstm.compiler.trace import abstracted, trace
from tinygrad_lstm.compiler.tracer import Tracer

X = np.linspace(-1, 1, 12).reshape(3, 4)


def agrees(function, *args):
    fast = compile(function, backend="numpy")
    loss, grads = fast(*args)
    assert fast.plan(*args).compiled
    expected = function(*args)
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    g = gradients(expected)
    for name, total in grads.items():
        np.testing.assert_allclose(total, g[name], rtol=1e-10, atol=1e-13)


@pytest.fixture
def made(monkeypatch):
    """The functions that were recorded as templates."""
    found, init = [], Template.__init__

    def noted(self, graph, function, args):
        found.append(function)
        init(self, graph, function, args)

    monkeypatch.setattr(Template, "__init__", noted)
    return found


def test_templates_do_not_grow_with_the_blocks(made):
    counts = []
    for T in (3, 4, 9):
        rng = np.random.default_rng(0)
        agrees(LSTM(2, 3, rng=0).error, rng.normal(size=(T, 2, 2)), rng.normal(size=(T, 2, 3)))
        counts.append(len(made))
        made.clear()
    assert counts[0] == counts[1] == counts[2] > 5


def test_numbers_and_shapes_are_kinds_of_their_own(made):
    w, v = Tensor(X, True, "w"), Tensor(X[0], True, "v")

    def loss(x):
        y = w * x
        for factor in (2.0, 2, 0.0, -0.0, 2.0, -0.0, True):
            y = y + sigmoid(y * factor) * v
        return (y / np.maximum(sigmoid(y), -0.0)).sum() + squared_error(v * 2.0, v * 3.0)

    agrees(loss, X)
    assert made


def test_equal_operands_of_one_call_may_differ_in_the_next():
    w, v = Tensor(X, True, "w"), Tensor(2 * X, True, "v")

    def loss(x):
        return (w * w + w * w * x + w * v + (v * x) * v + (w - w) + (w - v)).sum()

    agrees(loss, X)


def recorded(function, *args):
    """The values of a recorded function, by operation."""
    tracer = Tracer()
    given, known = abstracted(tracer, (args, {}))
    program = trace(lambda: function(*given[0]), known, tracer)
    return Counter(v.op for v in tracer.graph.order(program.roots))


def test_steps_that_nobody_shares_are_one_value():
    w = Tensor(X, True, "w")
    ops = recorded(lambda x: (sigmoid(w) * tanh(w * x)).sum(), X)
    # the sigmoid, and the slopes of both; the product and three multiplications by a gradient
    assert ops["formula"] == 3 and not ops["exp"] and ops["tanh"] == 1
    # the derivative takes a sigmoid of what forward takes it of
    ops = recorded(lambda x: silu(w * x).sum(), X)
    assert ops["exp"] == 1 and not ops["formula"]


def test_equal_steps_of_a_loop_are_taken_once():
    def loss(x):
        y = sigmoid(x) * w
        return (y * sigmoid(x) + sigmoid(np.zeros(4)) * w + sigmoid(y)).sum()

    w = Tensor(X, True, "w")
    agrees(loss, X)
    x = Value("input", (), (0,), (3,), np.dtype(float), 0)
    half = Value("number", (), (np.float64(0.5).tobytes(),), (), x.dtype, 1)
    steps = (("multiply", (0, 1)), ("exp", (2,)), ("add", (3, 0)))
    formulas = (Formula("a", (half,), steps), Formula("b", (half,), (*steps[:2], ("sin", (3,)))))
    values = [Value("formula", (x,), (f,), (3,), x.dtype, 2 + i) for i, f in enumerate(formulas)]
    found = opened(Kernel((3,), values, [x], values)).values
    assert [v.op for v in found] == ["multiply", "exp", "add", "sin"]
    assert [v.number for v in found[2:]] == [2, 3] and found[3].args == (found[1],)


def test_what_a_user_writes_runs_each_time():
    factors = iter((2.0, 3.0, 4.0) * 4)

    @stage
    def scaled(x):
        return x * next(factors)

    @scaled.rule
    def scaled_x(g, y, x):
        return g * y / x

    w = Tensor(np.ones(3), True, "w")
    loss, grads = compile(lambda x: scaled(scaled(scaled(w * x))).sum())(np.ones(3))
    assert loss == 3 * 24 and grads["w"].tolist() == [24.0] * 3


def test_numbers_of_a_gradient_seen_as_many_axes():
    w = Tensor(np.ones((4, 3)), True, "w")
    agrees(lambda x: (w * x).reshape(2, 2, 3).sum(), X.reshape(4, 3))
