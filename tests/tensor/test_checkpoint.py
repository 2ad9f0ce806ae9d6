"""Checkpoints: the same gradients from a tape that keeps less."""

import tracemalloc

import numpy as np
import pytest

from tinygrad_lstm import (
    DtypeError,
    GradientError,
    Tensor,
    checkpoint,
    concatenate,
    detect_anomaly,
    grad,
    gradients,
    hessian,
    no_grad,
    tanh,
)

rng = np.random.default_rng(0)
W = Tensor(rng.normal(size=(3, 3)), requires_grad=True, name="W")
b = Tensor(rng.normal(size=3), requires_grad=True, name="b")


def layer(x):
    h = tanh(x @ W + b)
    return h * x + tanh(h) @ W


def test_the_gradients_are_the_same_and_none_is_lost():
    x = Tensor(rng.normal(size=(2, 3)), requires_grad=True, name="x")
    kept = gradients((layer(tanh(layer(x))) * x).sum())
    again = gradients((checkpoint(layer)(tanh(checkpoint(layer)(x))) * x).sum())
    assert [s.op for s in again.tape] == ["checkpoint", "tanh", "checkpoint", "multiply", "sum"]
    for v in (x, W, b):
        np.testing.assert_allclose(again[v], kept[v], rtol=1e-13)
    (checkpoint(layer)(x)).sum().backward()
    np.testing.assert_allclose(W.grad, gradients(layer(x).sum())[W], rtol=1e-13)
    W.zero_grad()
    b.zero_grad()


def test_it_is_one_stage_that_reads_the_parameters_too():
    x = Tensor(np.ones(3), requires_grad=True, name="x")
    (stage,) = checkpoint(layer)(x).tape
    assert stage.op == "checkpoint" and {v.name for v in stage.inputs} == {"x", "W", "b"}
    (stage,) = checkpoint(layer)(np.ones(3)).tape
    assert {v.name for v in stage.inputs} == {"W", "b"}


def test_a_value_computed_elsewhere_is_an_input():
    x = Tensor(0.3, requires_grad=True)
    h = tanh(x)
    y = checkpoint(lambda v: v * h * h)(x)
    (y * h).backward()
    t = np.tanh(0.3)
    assert x.grad == pytest.approx(t**3 + 3 * 0.3 * t**2 * (1 - t * t))


def test_gradients_of_gradients_and_nesting():
    def f(x):
        return (tanh(x * x) * x).sum()

    x = np.array([0.3, -0.8])
    np.testing.assert_allclose(hessian(checkpoint(f))(x), hessian(f)(x), rtol=1e-12)
    np.testing.assert_allclose(
        grad(lambda x: checkpoint(lambda v: checkpoint(f)(v * v))(x))(x),
        grad(lambda x: f(x * x))(x),
        rtol=1e-13,
    )

    def penalty(x):  # backward of a checkpoint inside a function that is being differentiated
        t = Tensor(x.detach(), requires_grad=True)
        checkpoint(f)(t).backward()
        return (x * t.grad).sum()

    np.testing.assert_allclose(grad(penalty)(x), grad(f)(x), rtol=1e-13)


def test_keywords_constants_and_no_grad():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = checkpoint(lambda x, power, bias=None: x**power + bias)(x, 2, bias=np.ones(2))
    assert gradients(y.sum())[x].tolist() == [2.0, 4.0]
    with no_grad():
        assert checkpoint(layer)(np.ones(3)).is_leaf
    assert checkpoint(lambda x: x)(x) is x
    assert not checkpoint(lambda x: x * 2)(Tensor(1.0)).requires_grad


def test_complex_values():
    z = Tensor(1.0 + 2.0j, requires_grad=True)
    y = (checkpoint(lambda z: z * z * z)(z) * 1.0).real
    y.backward()
    assert z.grad == pytest.approx(np.conj(3 * (1 + 2j) ** 2))


def test_another_value_the_second_time_raises():
    noise = np.random.default_rng(0)
    x = Tensor(np.ones(4), requires_grad=True)
    y = checkpoint(lambda x: x * noise.normal(size=4))(x)
    with pytest.raises(
        GradientError,
        match=r"checkpoint: the function computes another value than the first time.*seed",
    ):
        y.sum().backward()
    assert x.grad is None
    constant = np.ones(4)
    y = checkpoint(lambda x: x * constant)(x)
    constant[0] = 2.0
    with pytest.raises(GradientError, match="another value"):
        y.sum().backward()


def test_an_edited_input_raises():
    x = Tensor(np.ones(4), requires_grad=True, name="x")
    y = checkpoint(lambda x: x * x)(x).sum()
    x.data[0] = 3.0
    with pytest.raises(GradientError, match=r"x .* was edited"):
        y.backward()


def test_it_returns_one_value():
    x = Tensor(1.0, requires_grad=True)
    with pytest.raises(DtypeError, match="a checkpoint returns one Tensor: got tuple"):
        checkpoint(lambda x: (x, x))(x)


def test_it_keeps_less():
    def part(x):
        for _ in range(20):
            x = tanh(x)
        return x

    def peak(f):
        x = Tensor(np.ones(20_000), requires_grad=True)
        tracemalloc.start()
        try:
            y = x
            for _ in range(20):
                y = f(y)
            y.sum().backward()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(checkpoint(part)) < 0.2 * peak(part)


def test_an_anomaly_inside_names_its_stage():
    x = Tensor([1.0, 0.0], requires_grad=True)
    with (
        pytest.raises(
            FloatingPointError, match="stage sqrt: backward, rule sqrt_x, makes an infinity"
        ),
        detect_anomaly(),
    ):
        concatenate([checkpoint(lambda x: np.sqrt(x) * 2.0)(x), x]).sum().backward()
