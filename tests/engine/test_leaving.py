"""What leaves the tape: a recorded value that becomes plain numbers is refused inside a transform
if the result does not depend on it otherwise, and is a warning outside."""

import math
import warnings

import numpy as np
import pytest

from tinygrad_lstm import (
    DtypeError,
    GradientError,
    Tensor,
    detect_anomaly,
    grad,
    jacobian,
    no_grad,
    vjp,
)

GONE = {
    "math": (lambda x: math.sin(x), "float"),
    "float": (lambda x: 2.0 * float(x), "float"),
    "assigned": (lambda x: assigned(x), "float"),
    "tolist": (lambda x: np.array(x.tolist()) * 2.0, "tolist"),
    "item": (lambda x: x.item() ** 2, "item"),
    "numpy": (lambda x: x.numpy() ** 2, "numpy"),
    "data": (lambda x: x.data * 3.0, "data"),
    "allclose": (lambda x: 1.0 if np.allclose(x, 1.0) else 2.0, "allclose"),
    "of a stage": (lambda x: math.exp(x * 2.0), "float"),
    "a new Tensor": (lambda x: Tensor(x) * 2.0, "Tensor"),
    "nested": (lambda x: grad(lambda y: y * float(x))(2.0), "float"),
}


def assigned(x):
    a = np.zeros(3)
    a[0] = x
    return a.sum()


@pytest.mark.parametrize("way", GONE)
def test_a_transform_whose_function_leaves_the_tape_raises(way):
    f, name = GONE[way]
    with pytest.raises(GradientError, match=rf"{name}.*test_leaving\.py:\d+.*detach"):
        grad(f)(1.0)


def test_each_argument_has_its_path():
    with pytest.raises(GradientError, match="float"):
        grad(lambda a, b: a * float(b), 1)(1.0, 2.0)
    assert grad(lambda a, b: a * float(b), 0)(1.0, 2.0) == 2.0
    with pytest.raises(GradientError, match="float"):
        grad(lambda a, b: a * float(b), (0, 1))(1.0, 2.0)
    with pytest.raises(GradientError, match="item"):
        jacobian(lambda x: np.array([x[0].item()]))(np.ones(2))
    with pytest.raises(GradientError, match="item"):
        vjp(lambda x: x.item() * 2.0, 3.0)


def test_what_is_meant_and_what_stays_on_the_tape():
    seen = []

    def watched(x):
        seen.append(float(x))
        return x * x

    assert grad(watched)(3.0) == 6.0 and seen == [3.0]
    assert grad(lambda x: x.detach() * 2.0)(1.0) == 0.0
    assert grad(lambda x: 1.0)(1.0) == 0.0
    assert grad(lambda x: 1.0 if x > 0 else -1.0)(2.0) == 0.0
    assert grad(lambda x: 3.0 if f"{x:.2f} {x!r}" else 0.0)(2.0) == 0.0
    W = Tensor(2.0, requires_grad=True)
    assert grad(lambda x: W.item() * 2.0)(1.0) == 0.0  # of W, not of x

    def meant(x):
        with no_grad():
            return x.item()

    assert grad(meant)(1.0) == 0.0


LOUD = {
    "float": float,
    "int": int,
    "complex": complex,
    "math": math.exp,
    "tolist": lambda t: t.tolist(),
    "assigned": lambda t: assigned(t),
    "float64": np.float64,
}
SILENT = {
    "item": lambda t: t.item(),
    "numpy": lambda t: t.numpy(),
    "data": lambda t: t.data,
    "detach": lambda t: float(t.detach()),
    "repr": repr,
    "format": lambda t: f"{t} {t:.3f}",
    "bool": bool,
    "comparison": lambda t: t > 1.0 and t == 2.0,
    "allclose": lambda t: np.allclose(t, 2.0),
}


@pytest.mark.parametrize("way", LOUD)
@pytest.mark.parametrize("leaf", [True, False])
def test_outside_a_number_is_a_warning_at_the_users_line(way, leaf):
    t = Tensor(2.0, requires_grad=True)
    with pytest.warns(UserWarning, match=r"plain numbers.*\.detach\(\).*\.item\(\)") as found:
        LOUD[way](t if leaf else t * 1.0)
    assert found[0].filename == __file__


@pytest.mark.parametrize("way", SILENT)
def test_outside_what_says_that_it_is_meant_is_silent(way):
    SILENT[way](Tensor(2.0, requires_grad=True) * 1.0)


def test_outside_constants_and_what_backward_went_through_are_silent():
    float(Tensor(2.0))
    t = Tensor(2.0, requires_grad=True)
    with no_grad():
        float(t * t)
    loss = t * t
    loss.backward()
    float(loss)


def test_a_place_warns_once():
    t = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    with warnings.catch_warnings(record=True) as found, detect_anomaly():
        warnings.simplefilter("default")
        for x in t:
            float(x)
        math.exp(t[0])
    assert len(found) == 2


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda x, t: np.std(x, ddof=t), "ddof"),
        (lambda x, t: np.tril(x, t), "k"),
        (lambda x, t: np.rot90(x, k=t), "k"),
        (lambda x, t: np.nansum(x, keepdims=t), "keepdims"),
        (lambda x, t: np.interp(x[0], x[1].detach().numpy(), x[2], left=t), "left"),
        (lambda x, t: x.var(ddof=t), "ddof"),
    ],
)
def test_a_parameter_without_a_derivative_is_refused_by_name(call, name):
    x = Tensor(np.eye(3) + np.arange(3.0), requires_grad=True)
    t = Tensor(1.0, requires_grad=True)
    with pytest.raises(DtypeError, match=f"{name}="):
        call(x, t)


def test_full_like_is_recorded():
    x, t = np.ones((2, 3)), Tensor(2.0, requires_grad=True)
    with pytest.raises(DtypeError):
        np.full_like(x, t)  # NumPy does not ask by its fill value
    for like in (Tensor(x), Tensor(x, requires_grad=True)):
        t.zero_grad()
        full = np.full_like(like, t)
        (full * x * 2).sum().backward()
        assert full.shape == x.shape and t.grad == 12.0
    assert np.full_like(Tensor(x), t, dtype=np.float32).dtype == np.float32
    np.testing.assert_array_equal(np.full_like(Tensor(x), 3.0), np.full((2, 3), 3.0))
    row = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    np.full_like(Tensor(x), row).sum().backward()
    np.testing.assert_array_equal(row.grad, [2.0, 2.0, 2.0])
