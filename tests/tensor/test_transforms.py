"""Functions of functions against central differences, the complex step and each other; and what
they return."""

import numpy as np
import pytest

from tinygrad_lstm import (
    LSTM,
    DtypeError,
    GradientError,
    ShapeError,
    Tensor,
    grad,
    gradients,
    hessian,
    hvp,
    jacobian,
    jvp,
    no_grad,
    tanh,
    value_and_grad,
    vjp,
)

A = np.random.default_rng(0).normal(size=(3, 4))
X, V = np.random.default_rng(1).normal(size=(2, 4))


def vector(x):
    return np.tanh(A @ x) * np.exp(x[:3])


def scalar(x):
    return (np.tanh(A @ x) * x[0]).sum() + (x**3).sum()


def differences(f, x, h=1e-5):
    """d f / d x, an axis of x at the end."""
    return np.stack([(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(x.size)], axis=-1)


def test_vjp_against_the_complex_step():
    y, pull = vjp(vector, X)
    assert type(y) is np.ndarray
    np.testing.assert_allclose(y, vector(X), rtol=1e-15)
    exact = np.stack([vector(X + 1e-30j * e).imag / 1e-30 for e in np.eye(4)], axis=-1)
    g = np.array([1.0, -2.0, 0.5])
    for _ in range(2):  # as often as one likes
        (found,) = pull(g)
        assert type(found) is np.ndarray
        np.testing.assert_allclose(found, g @ exact, rtol=1e-13)
    np.testing.assert_allclose(jacobian(vector)(X), exact, rtol=1e-13)
    value, tangent = jvp(vector, X, V)
    np.testing.assert_allclose(tangent, exact @ V, rtol=1e-13)
    np.testing.assert_allclose(g @ tangent, found @ V, rtol=1e-13)
    np.testing.assert_array_equal(value, y)


def test_second_derivatives():
    H = hessian(scalar)(X)
    np.testing.assert_allclose(H, differences(grad(scalar), X), rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(H, H.T, rtol=1e-13)
    np.testing.assert_allclose(hvp(scalar, X, V), H @ V, rtol=1e-12)
    np.testing.assert_allclose(jvp(grad(scalar), X, V)[1], H @ V, rtol=1e-12)


def test_any_order():
    f, x, factor = lambda x: x**5, 2.0, 1.0
    for order in range(1, 6):
        f, factor = grad(f), factor * (6 - order)
        assert f(x) == pytest.approx(factor * x ** (5 - order))
    sines = [grad(np.sin)]
    for _ in range(3):
        sines.append(grad(sines[-1]))
    np.testing.assert_allclose(
        [f(0.3) for f in sines], [np.cos(0.3), -np.sin(0.3), -np.cos(0.3), np.sin(0.3)], rtol=1e-14
    )


def test_the_third_derivative_tensor_is_symmetric():
    third = jacobian(hessian(scalar))(X)
    for axes in ((0, 2, 1), (1, 0, 2), (2, 1, 0)):
        np.testing.assert_allclose(third, third.transpose(axes), rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(third, differences(hessian(scalar), X), rtol=1e-6, atol=1e-7)


def test_several_arguments():
    def f(a, b, scale=1.0):
        return scale * (a * b * b).sum()

    a, b = np.array([1.0, 2.0]), np.array([3.0, 5.0])
    np.testing.assert_array_equal(grad(f, 1)(a, b, scale=2.0), 4 * a * b)
    np.testing.assert_array_equal(grad(f, -1)(a, b), 2 * a * b)
    y, (da, db) = value_and_grad(f, (0, 1))(a, b)
    assert y == f(a, b)
    np.testing.assert_array_equal(da, b * b)
    np.testing.assert_array_equal(db, 2 * a * b)
    (aa, ab), (ba, bb) = hessian(f, (0, 1))(a, b)
    np.testing.assert_array_equal(aa, np.zeros((2, 2)))
    np.testing.assert_array_equal(ab, np.diag(2 * b))
    np.testing.assert_array_equal(ba, ab.T)
    np.testing.assert_array_equal(bb, np.diag(2 * a))
    da, db = hvp(f, (a, b), (np.array([1.0, 0.0]), np.array([0.0, 1.0])))
    np.testing.assert_array_equal(da, [0.0, 10.0])
    np.testing.assert_array_equal(db, [6.0, 4.0])


class TestNesting:
    def test_the_inner_argument_is_not_the_outer_one(self):
        # d/dx (x * d/dy (x * y)) is 2x; an engine that takes x and y for one value finds 4x
        assert grad(lambda x: x * grad(lambda y: x * y)(x))(3.0) == 6.0
        assert grad(lambda x: x * grad(lambda y: x * y)(2.0))(3.0) == 6.0
        assert grad(lambda x: grad(lambda y: x * x * y)(2.0))(3.0) == 6.0

    def test_each_in_each(self):
        x = np.array([0.3, -0.7])

        def f(x):
            return (np.sin(x) * x).sum()

        inner = hvp(f, x, x)
        np.testing.assert_allclose(
            grad(lambda x: jvp(f, x, x)[1])(x), differences(lambda x: jvp(f, x, x)[1], x), rtol=1e-8
        )
        np.testing.assert_allclose(
            jacobian(lambda x: hvp(f, x, x))(x),
            differences(lambda x: hvp(f, x, x), x),
            rtol=1e-7,
            atol=1e-9,
        )
        slope = differences(lambda x: x * (1 - np.tanh(x) ** 2), x)
        np.testing.assert_allclose(
            jvp(lambda x: vjp(np.tanh, x)[1](x)[0], x, x)[1], slope @ x, rtol=1e-8
        )
        np.testing.assert_allclose(
            jvp(lambda x: jvp(f, x, x)[1], x, x)[1],
            x @ (differences(lambda x: jvp(f, x, x)[1], x)),
            rtol=1e-8,
        )
        assert type(inner) is np.ndarray

    def test_a_function_that_does_not_read_its_argument(self):
        np.testing.assert_array_equal(grad(lambda x: 3.0)(X), np.zeros(4))
        np.testing.assert_array_equal(
            grad(lambda x: Tensor(2.0, requires_grad=True) * 2.0)(X), np.zeros(4)
        )
        np.testing.assert_array_equal(hessian(lambda x: x.sum())(X), np.zeros((4, 4)))
        np.testing.assert_array_equal(jvp(lambda x: np.ones(3), X, V)[1], np.zeros(3))
        np.testing.assert_array_equal(grad(lambda x: x)(3.0), 1.0)


class TestWhatComesBack:
    def test_tensors_for_tensors(self):
        x = Tensor(3.0)
        g = grad(lambda x: x * x)(x)
        assert (
            isinstance(g, Tensor) and g.item() == 6.0 and not g.requires_grad
        )  # a loop over such results keeps no graph

    def test_recorded_for_tensors_that_require_gradients(self):
        x = Tensor(3.0, requires_grad=True)
        y, g = value_and_grad(lambda x: x**3)(x)
        (y + g).backward()
        assert x.grad == 27.0 + 18.0

    def test_recorded_for_parameters_that_the_function_finds_elsewhere(self):
        W = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        x = Tensor([0.5, -1.0])
        penalty = (grad(lambda x: np.tanh(W @ x).sum())(x) ** 2).sum()
        penalty.backward()
        step = 1e-6

        def f(W):
            return ((W.T @ (1 - np.tanh(W @ x.numpy()) ** 2)) ** 2).sum()

        for at in np.ndindex(2, 2):
            e = np.zeros((2, 2))
            e[at] = step
            assert W.grad[at] == pytest.approx(
                (f(W.numpy() + e) - f(W.numpy() - e)) / (2 * step), rel=1e-7
            )

    def test_nothing_is_recorded_under_no_grad(self):
        x = Tensor(3.0, requires_grad=True)
        with no_grad():
            g = grad(lambda x: x * x)(x)
        assert g.item() == 6.0 and not g.requires_grad and x.grad is None

    def test_arrays_of_their_own(self):
        x = np.ones(3)
        y, pull = vjp(lambda x: x, x)
        seed = np.ones(3)
        (g,) = pull(seed)
        g += 1.0
        y += 1.0
        assert x.tolist() == seed.tolist() == [1.0, 1.0, 1.0]

    def test_float32_stays_float32(self):
        x = X.astype(np.float32)
        assert (
            grad(lambda x: (x * x).sum())(x).dtype
            == jacobian(lambda x: x * x)(x).dtype
            == np.float32
        )
        assert jvp(lambda x: x * x, x, x)[1].dtype == np.float32

    def test_empty_and_scalar(self):
        assert jacobian(lambda x: x[:0])(X).shape == (0, 4)
        assert jacobian(lambda x: x.sum())(X).shape == (4,)
        assert hessian(lambda x: x * x)(3.0).shape == ()


def test_a_model():
    lstm = LSTM(2, 3, rng=0)
    x, targets = np.random.default_rng(2).normal(size=(3, 1, 2)), np.zeros((3, 1, 3))
    g = grad(lambda x: lstm.error(x, targets))(x)
    t = Tensor(x, requires_grad=True)
    np.testing.assert_allclose(g, gradients(lstm.error(t, targets))[t], rtol=1e-13)

    def error(W_f):
        return LSTM.from_arrays({**lstm.parameters(), "W_f": W_f}).error(x, targets)

    W_f = lstm.W_f.numpy().copy()
    np.testing.assert_allclose(
        grad(error)(W_f), gradients(lstm.error(x, targets))["W_f"], rtol=1e-13
    )
    direction = np.random.default_rng(3).normal(size=W_f.shape)
    h = 1e-5
    expected = (grad(error)(W_f + h * direction) - grad(error)(W_f - h * direction)) / (2 * h)
    np.testing.assert_allclose(hvp(error, W_f, direction), expected, rtol=1e-6, atol=1e-9)


def test_complaints():
    with pytest.raises(GradientError, match="only a real scalar"):
        grad(lambda x: x * x)(X)
    with pytest.raises(DtypeError, match=r"3\.0 for 3"):
        grad(lambda x: x * x)(3)

    def pair(x):
        return x, x

    with pytest.raises(
        DtypeError,
        match=r"pair: a function that is differentiated returns one value.*tuple; stack or add "
        r"them",
    ):
        grad(pair)(1.0)
    with pytest.raises(ShapeError, match=r"argnums below 1, got 1"):
        grad(tanh, 1)(1.0)
    with pytest.raises(ShapeError, match=r"argnums below 1, got 'x'"):
        grad(tanh, "x")(1.0)
    with pytest.raises(
        ShapeError, match=r"jvp: a direction .* expected \[\(4,\)\], got \[\(3,\)\]"
    ):
        jvp(vector, X, np.ones(3))
    with pytest.raises(GradientError, match=r"expected \(3,\), got \(4,\)"):
        vjp(vector, X)[1](V)
    assert hessian(scalar).__name__ == "hessian(scalar)"
