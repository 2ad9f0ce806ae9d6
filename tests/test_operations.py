"""One table of operations, one property test for each: a new operation is one row."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import tinygrad_lstm as tg
from tinygrad_lstm import Tensor, gradients, no_grad

settings.register_profile("tests", max_examples=15, deadline=None, derandomize=True)
settings.load_profile("tests")


def normal(*shapes):
    return lambda rng: [rng.normal(size=shape) for shape in shapes]


def positive(*shapes):
    return lambda rng: [rng.uniform(0.3, 3.0, size=shape) for shape in shapes]


def apart(*shapes):
    """Values no two of which are close, so that a small step crosses no kink."""
    return lambda rng: [rng.permutation(np.arange(1, np.prod(s, dtype=int) + 1) * 0.37 - 1.05 + 0.11 * i).reshape(s) for i, s in enumerate(shapes)]


# name: (function, NumPy's reference, makers of inputs)
OPERATIONS = {
    "add": (tg.add, np.add, [normal((2, 3), (2, 3)), normal((2, 1), (3,)), normal((), (2, 0))]),
    "subtract": (tg.subtract, np.subtract, [normal((2, 3), (3,)), normal((1, 3), (2, 1))]),
    "multiply": (tg.multiply, np.multiply, [normal((2, 3), (3,)), normal((4, 1, 3), (2, 1)), normal((), (3,))]),
    "divide": (tg.divide, np.divide, [positive((2, 3), (3,)), positive((2, 1), (1, 3))]),
    "power": (tg.power, np.power, [positive((2, 3), (2, 3)), positive((3,), ())]),
    "power (number)": (lambda x: x**3, lambda x: x**3, [normal((2, 3))]),
    "power (of number)": (lambda x: 2.0**x, lambda x: 2.0**x, [normal((2, 3))]),
    "reflected": (lambda x: 1 - 2 / (3 * x) + 1, lambda x: 1 - 2 / (3 * x) + 1, [positive((2, 3))]),
    "negative": (tg.negative, np.negative, [normal((2, 3))]),
    "square": (tg.square, np.square, [normal((2, 3)), normal(())]),
    "sqrt": (tg.sqrt, np.sqrt, [positive((2, 3))]),
    "exp": (tg.exp, np.exp, [normal((2, 3))]),
    "log": (tg.log, np.log, [positive((2, 3))]),
    "tanh": (tg.tanh, np.tanh, [normal((2, 3)), normal((0, 3))]),
    "sigmoid": (tg.sigmoid, lambda x: 1 / (1 + np.exp(-x)), [normal((2, 3))]),
    "relu": (tg.relu, lambda x: np.where(x > 0, x, 0), [apart((2, 3))]),
    "maximum": (tg.maximum, np.maximum, [apart((2, 3), (2, 3)), apart((2, 1), (3,))]),
    "minimum": (tg.minimum, np.minimum, [apart((2, 3), (2, 3)), apart((2, 1), (3,))]),
    "where": (lambda a, b: tg.where(a > b, a * a, b), lambda a, b: np.where(a > b, a * a, b), [apart((2, 3), (2, 3)), apart((2, 1), (3,))]),
    "astype": (lambda x: x.astype(np.float64) * x, lambda x: x * x, [normal((2, 3))]),
    "sum": (tg.sum, np.sum, [normal((2, 3)), normal(())]),
    "sum (axis)": (lambda x: x.sum(-2), lambda x: x.sum(-2), [normal((2, 3, 2))]),
    "sum (axes)": (lambda x: np.sum(x, axis=(0, -1)), lambda x: np.sum(x, axis=(0, -1)), [normal((2, 3, 2))]),
    "sum (keepdims)": (lambda x: x.sum(axis=1, keepdims=True) * x, lambda x: x.sum(axis=1, keepdims=True) * x, [normal((2, 3))]),
    "mean": (tg.mean, np.mean, [normal((2, 3))]),
    "mean (axis)": (lambda x: np.mean(x, 1), lambda x: np.mean(x, 1), [normal((2, 3))]),
    "add_n": (lambda *x: tg.add_n(*x), lambda *x: sum(x), [normal((2, 3), (2, 3), (2, 3)), normal(())]),
    "reshape": (lambda x: x.reshape(3, -1) * 2, lambda x: x.reshape(3, -1) * 2, [normal((2, 3))]),
    "transpose": (lambda x: np.transpose(x, (1, 2, 0)), lambda x: np.transpose(x, (1, 2, 0)), [normal((2, 3, 4))]),
    "T": (lambda x: x.T, lambda x: x.T, [normal((2, 3, 4)), normal((3,))]),
    "swapaxes": (lambda x: np.swapaxes(x, 0, 2), lambda x: np.swapaxes(x, 0, 2), [normal((2, 3, 4))]),
    "broadcast_to": (lambda x: np.broadcast_to(x, (4, 2, 3)), lambda x: np.broadcast_to(x, (4, 2, 3)), [normal((3,)), normal((2, 1)), normal(())]),
    "index": (lambda x: x[1, ::-1], lambda x: x[1, ::-1], [normal((2, 3))]),
    "index (ellipsis, newaxis)": (lambda x: x[..., None, 0], lambda x: x[..., None, 0], [normal((2, 3))]),
    "index (repeated)": (lambda x: x[[0, 1, 0, 0]], lambda x: x[[0, 1, 0, 0]], [normal((2, 3))]),
    "index (mixed)": (lambda x: x[np.array([1, 1]), :, [2, 0]], lambda x: x[np.array([1, 1]), :, [2, 0]], [normal((2, 3, 3))]),
    "index (mask)": (lambda x: x[x > 0.4], lambda x: x[x > 0.4], [apart((2, 3))]),
    "concatenate": (lambda *x: tg.concatenate(x, axis=-1), lambda *x: np.concatenate(x, axis=-1), [normal((2, 3), (2, 1), (2, 0)), normal((3,))]),
    "stack": (lambda *x: np.stack(x, axis=1), lambda *x: np.stack(x, axis=1), [normal((2, 3), (2, 3)), normal((4,))]),
    "matmul": (
        tg.matmul,
        np.matmul,
        [normal((2, 3), (3, 4)), normal((3,), (3,)), normal((2, 3), (3,)), normal((3,), (3, 4)), normal((5, 2, 3), (3, 4)), normal((3,), (5, 3, 2))]
        + [normal((5, 2, 3), (3,)), normal((4, 1, 2, 3), (5, 3, 2)), normal((2, 3), (5, 3, 1))],
    ),
    "dot": (np.dot, np.dot, [normal((2, 3), (3, 4)), normal((3,), (3,)), normal((), (3,)), normal((5, 2, 3), (3, 4))]),
    "linear": (tg.linear, lambda x, W, b: x @ W.T + b, [normal((2, 3), (4, 3), (4,)), normal((3,), (4, 3), (4,)), normal((5, 2, 3), (4, 3), (4,))]),
    "squared_error": (tg.squared_error, lambda a, t: ((t - a) ** 2).sum() / 2, [normal((2, 3), (2, 3)), normal((2, 3), (3,))]),
}
CASES = [pytest.param(f, ref, make, id=f"{name}-{i}") for name, (f, ref, makes) in OPERATIONS.items() for i, make in enumerate(makes)]
seeds = given(seed=st.integers(0, 2**32 - 1))


def numeric(f, arrays, i, weights):
    """d sum(weights * f) / d arrays[i] by central differences with one Richardson step: the independent judge."""
    out = np.zeros(arrays[i].shape)
    for at in np.ndindex(out.shape):

        def slope(h, at=at):
            values = []
            for sign in (1, -1):
                moved = [a.copy() for a in arrays]
                moved[i][at] += sign * h
                values.append(np.sum(weights * f(*moved)))
            return (values[0] - values[1]) / (2 * h)

        out[at] = (4 * slope(1e-3) - slope(2e-3)) / 3
    return out


def tensors(arrays):
    return [Tensor(a, requires_grad=True, name=f"x{i}") for i, a in enumerate(arrays)]


def close(actual, expected, rtol):
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol * max(1.0, np.max(np.abs(expected), initial=0.0)))


@pytest.mark.parametrize(("f", "reference", "make"), CASES)
@seeds
def test_value_and_derivative(f, reference, make, seed):
    rng = np.random.default_rng(seed)
    arrays = make(rng)
    xs = tensors(arrays)
    y = f(*xs)
    expected = reference(*arrays)
    assert isinstance(y, Tensor) and y.shape == expected.shape and y.dtype == expected.dtype
    close(y.numpy(), expected, 1e-12)
    weights = rng.normal(size=y.shape)
    g = gradients(y, weights)
    for i, x in enumerate(xs):
        assert g[x].shape == x.shape and g[x].dtype == x.dtype
        close(g[x], numeric(reference, arrays, i, weights), 1e-7)
    y.backward(weights)
    for x in xs:
        close(x.grad, g[x], 1e-14)


@pytest.mark.parametrize(("f", "reference", "make"), CASES)
@seeds
def test_second_derivative(f, reference, make, seed):
    """The same rules on Tensors: the derivative of <v, gradient> against central differences of the first derivative."""
    rng = np.random.default_rng(seed)
    arrays = make(rng)
    weights = rng.normal(size=np.shape(reference(*arrays)))
    directions = [rng.normal(size=a.shape) for a in arrays]

    def slope(*values):
        xs = tensors(values)
        y = f(*xs)
        g = gradients(y * weights if y.shape else y * float(weights), np.ones(y.shape), create_graph=True)
        return xs, tg.add_n(*[(g[x] * v).sum() for x, v in zip(xs, directions, strict=True)])

    xs, total = slope(*arrays)
    if not total.requires_grad:  # the first derivative is constant
        second = [np.zeros(a.shape) for a in arrays]
    else:
        g = gradients(total)
        second = [g[x] if x in g else np.zeros(x.shape) for x in xs]
    for i in range(len(arrays)):
        close(second[i], numeric(lambda *v: slope(*v)[1].item(), arrays, i, 1.0), 1e-6)


@pytest.mark.parametrize(("f", "reference", "make"), CASES)
def test_dtype_memory_and_linearity(f, reference, make):
    rng = np.random.default_rng(1)
    arrays = [a.astype(np.float32) for a in make(rng)]
    for a in arrays:
        a.flags.writeable = False
    xs = tensors(arrays)
    y = f(*xs)
    expected = reference(*arrays)
    assert y.dtype == (np.float64 if f is OPERATIONS["astype"][0] else np.asarray(expected).dtype)
    one, two = rng.normal(size=y.shape).astype(y.dtype), rng.normal(size=y.shape).astype(y.dtype)
    kept = one.copy()
    g1, g2, g12 = gradients(y, one), gradients(y, two), gradients(y, one + 2 * two)
    np.testing.assert_array_equal(one, kept)
    for x, a in zip(xs, arrays, strict=True):
        assert g1[x].dtype == np.float32
        close(g12[x], g1[x] + 2 * g2[x], 1e-4)
        np.testing.assert_array_equal(x.numpy(), a)
        for other in (*arrays, one, *(x.numpy() for x in xs)):
            assert not np.shares_memory(g1[x], other)


@pytest.mark.parametrize(("f", "reference", "make"), CASES)
def test_plain_arrays_and_no_grad(f, reference, make):
    arrays = make(np.random.default_rng(2))
    with no_grad():
        y = f(*tensors(arrays))
    assert not y.requires_grad and y.is_leaf
    strided = [np.asfortranarray(np.repeat(a, 2, axis=-1))[..., ::2] if a.ndim else a for a in arrays]
    close(f(*tensors(strided)).numpy(), reference(*arrays), 1e-12)
    swapped = [a.astype(">f8") for a in arrays]
    close(f(*tensors(swapped)).numpy(), reference(*arrays), 1e-12)


def test_conventions_at_kinks_and_ties():
    def slopes(f, *values):
        xs = [Tensor(v, requires_grad=True) for v in values]
        g = gradients(f(*xs))
        return [float(g[x]) for x in xs]

    assert slopes(tg.maximum, 1.0, 1.0) == slopes(tg.minimum, 1.0, 1.0) == [0.5, 0.5]
    assert slopes(tg.relu, 0.0) == [0.0]
    assert slopes(tg.power, 0.0, 0.0) == [0.0, 0.0]
    assert slopes(lambda x: x**2, 0.0) == [0.0]
    assert slopes(lambda x: x**1, 0.0) == [1.0]
    assert slopes(lambda a, b: tg.where(a > b, a, tg.log(b)), 1.0, 0.5) == [1.0, 0.0]


def test_sigmoid_at_its_ends():
    x = Tensor([-1e4, -700.0, -40.0, 0.0, 40.0, 1e4], requires_grad=True)
    y = tg.sigmoid(x)
    y.sum().backward()
    np.testing.assert_allclose(y.numpy(), [0, 9.859676543759770e-305, 4.248354255291589e-18, 0.5, 1, 1], rtol=1e-14)
    assert np.isfinite(x.grad).all()


def test_comparisons_are_constants():
    x = Tensor([1.0, 2.0], requires_grad=True)
    for result in (x > 1, x >= 1, x < 2, x <= 2, x == 1, x != 1):
        assert isinstance(result, Tensor) and result.dtype == bool and not result.requires_grad
