"""Optimizers, clipping and schedules against numbers stored from PyTorch."""

import json
from pathlib import Path

import numpy as np
import pytest

from tinygrad_lstm import DataError, DtypeError, GradientError, ShapeError, Tensor, nn, optim

REFERENCE = Path(__file__).parents[1] / "reference" / "optimizers.json"
STORED = json.loads(REFERENCE.read_text(encoding="utf-8"))


def identity(case):
    return f"{case['kind']}-{case['options']}"


def steps(optimizer, p, rng, count):
    for _ in range(count):
        p.grad = rng.normal(size=p.shape) + p.numpy()
        optim.clip_grad_norm([p], 2.0)
        optimizer.step()


@pytest.mark.parametrize("case", STORED["optimizers"], ids=identity)
def test_a_hundred_steps_are_pytorchs(case):
    rng = np.random.default_rng(0)
    p = Tensor(rng.normal(size=(2, 3)), True)
    steps(getattr(optim, case["kind"])({"p": p}, **case["options"]), p, rng, 100)
    np.testing.assert_allclose(p.numpy(), case["end"], rtol=1e-12)


@pytest.mark.parametrize("case", STORED["optimizers"], ids=identity)
def test_a_state_goes_on_where_it_was(case):
    rng = np.random.default_rng(0)
    p = Tensor(rng.normal(size=(2, 3)), True)
    first = getattr(optim, case["kind"])({"p": p}, **case["options"])
    steps(first, p, rng, 40)
    saved, p = first.state_dict(), Tensor(p, True)
    steps(first, Tensor(p, True), np.random.default_rng(9), 1)  # what is saved is a copy
    second = getattr(optim, case["kind"])({"p": p}, **case["options"])
    second.load_state_dict(saved)
    steps(second, p, rng, 60)
    np.testing.assert_allclose(p.numpy(), case["end"], rtol=1e-12)


@pytest.mark.parametrize("case", STORED["optimizers"], ids=identity)
def test_the_state_of_a_parameter_without_axes_goes_on_too(case):
    def run(restored):
        p, rng = Tensor(0.5, True), np.random.default_rng(0)
        optimizer = getattr(optim, case["kind"])({"p": p}, **case["options"])
        steps(optimizer, p, rng, 3)
        if restored:
            saved = optimizer.state_dict()
            optimizer = getattr(optim, case["kind"])({"p": p}, **case["options"])
            optimizer.load_state_dict(saved)
        steps(optimizer, p, rng, 3)
        return p.item()

    assert run(restored=True) == run(restored=False)


@pytest.mark.parametrize("case", STORED["schedules"], ids=identity)
def test_the_rates_are_pytorchs(case):
    optimizer = optim.SGD([Tensor(0.0, True)], lr=0.1)
    schedule = getattr(optim, case["kind"])(optimizer, **case["options"])
    for i, (loss, rate) in enumerate(zip(STORED["losses"], case["rates"], strict=True)):
        assert optimizer.lr == pytest.approx(rate, rel=1e-12, abs=1e-15), i
        schedule.step(*([loss] if case["kind"] == "ReduceLROnPlateau" else []))
        if i == 10:  # saved and restored
            state = schedule.state_dict()
            optimizer = optim.SGD([Tensor(0.0, True)], lr=0.1)
            schedule = getattr(optim, case["kind"])(optimizer, **case["options"])
            schedule.load_state_dict(state)


def test_schedules_of_one_optimizer_multiply():
    optimizer = optim.SGD([Tensor(0.0, True)], lr=1.0)
    both = [optim.LinearLR(optimizer, 0.5, total_iters=2), optim.StepLR(optimizer, 1, 0.1)]
    assert optimizer.lr == 0.5
    for schedule in both:
        schedule.step()
    assert optimizer.lr == pytest.approx(0.075)


def test_clipping():
    p, q, unused = (Tensor(np.zeros(2), True) for _ in range(3))
    p.grad, q.grad = np.array([3.0, 0.0]), np.array([0.0, -4.0])
    assert optim.clip_grad_norm([p, q, unused], 1.0) == 5.0
    np.testing.assert_allclose(p.grad, [0.6, 0], rtol=1e-6)
    assert optim.clip_grad_norm([p, q], 10.0, np.inf) == pytest.approx(0.8, rel=1e-6)
    optim.clip_grad_value([p, q], 0.5)
    np.testing.assert_array_equal([p.grad, q.grad], [[0.5, 0], [0, -0.5]])
    assert unused.grad is None and optim.clip_grad_norm([unused], 1.0) == 0
    p.grad[0] = np.nan
    with pytest.raises(GradientError, match="clip_grad_norm, 1: a gradient is not finite"):
        optim.clip_grad_norm([q, p], 1.0)


def test_a_gradient_that_is_not_finite_changes_nothing():
    a, b = Tensor([1.0], True), Tensor([1.0], True)
    a.grad, b.grad = np.ones(1), np.array([np.inf])
    optimizer = optim.Adam({"a": a, "inner": {"b": b}})
    with pytest.raises(GradientError, match=r"Adam.step, inner.b"):
        optimizer.step()
    assert a.item() == 1.0 and optimizer.memory == {}


def test_a_model_learns_and_float32_stays():
    model = nn.Sequential(nn.LSTM(1, 4, rng=0, dtype="f4"), nn.Linear(4, 1, rng=1, dtype="f4"))
    optimizer = optim.Adam(model, lr=0.05)
    x = np.sin(np.arange(20.0)).reshape(20, 1, 1)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = ((model(x[:-1]) - x[1:].astype("f4")) ** 2).mean()
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
    assert losses[-1] < losses[0] / 4
    assert all(v.dtype == np.float32 for v in model.state_dict().values())
    assert list(optimizer.memory) == list(model.state_dict())


@pytest.mark.parametrize(
    ("error", "match", "call"),
    [
        (DataError, "lr", lambda p: optim.SGD([p], lr=-1)),
        (DataError, "nothing to learn", lambda p: optim.SGD([])),
        (DtypeError, "a dict, a module, or a list", lambda p: optim.SGD(p)),
        (DtypeError, "0: a parameter is a Tensor", lambda p: optim.SGD([p.numpy()])),
        (DataError, "momentum > 0", lambda p: optim.SGD([p], nesterov=True)),
        (DataError, r"betas\[1\]", lambda p: optim.Adam([p], betas=(0.9, 1.0))),
        (DataError, "below 1", lambda p: optim.ReduceLROnPlateau(optim.SGD([p]), factor=1)),
        (DataError, r"step\(loss\)", lambda p: optim.ReduceLROnPlateau(optim.SGD([p])).step()),
        (
            DataError,
            "another optimizer: expected Adam, got SGD",
            lambda p: optim.Adam([p]).load_state_dict(optim.SGD([p]).state_dict()),
        ),
        (
            ShapeError,
            r"0, mean: .*expected \(2,\), got \(3,\)",
            lambda p: optim.Adam([p]).load_state_dict(
                {"kind": "Adam", "lr": 1, "memory": {"0": {"steps": 1, "mean": np.ones(3)}}}
            ),
        ),
    ],
)
def test_bad_input_is_refused_in_one_line(error, match, call):
    with pytest.raises(error, match=match) as caught:
        call(Tensor([1.0, 2.0], True))
    assert "\n" not in str(caught.value)


def test_a_parameter_that_two_modules_share_is_learned_once():
    class Tied(nn.Module):
        def __init__(self):
            self.one, self.other = nn.Linear(2, 2, bias=False, rng=0), nn.Linear(2, 2, rng=1)
            self.other.weight = self.one.weight

        def forward(self, x):
            return self.other(self.one(x))

    model = Tied()
    assert {"one.weight", "other.weight"} <= set(model.state_dict())
    optimizer = optim.SGD(model, lr=0.1)
    assert list(optimizer.parameters) == ["one.weight", "other.bias"]
    before = model.one.weight.numpy().copy()
    model(np.ones((3, 2))).sum().backward()
    g = model.one.weight.grad.copy()
    norm = np.sqrt((g**2).sum() + (model.other.bias.grad**2).sum())
    assert optim.clip_grad_norm(model, 1e9) == pytest.approx(norm)
    optimizer.step()
    np.testing.assert_allclose(model.other.weight.numpy(), before - 0.1 * g)


def test_a_gradient_of_another_shape_and_what_is_no_optimizer_are_refused():
    model = nn.Linear(2, 1, rng=0)
    optimizer = optim.SGD(model, lr=1.0)
    model.weight.grad = np.ones((1, 1))  # it would be broadcast
    for use in (optimizer.step, lambda: optim.clip_grad_norm(model, 1.0)):
        with pytest.raises(ShapeError, match=r"weight: .*expected \(1, 2\), got \(1, 1\)"):
            use()
    with pytest.raises(DtypeError, match="expected an optimizer, got Linear"):
        optim.StepLR(model, step_size=1)
    with pytest.raises(DataError, match="gamma"):
        optim.StepLR(optimizer, step_size=1, gamma=-0.1)
