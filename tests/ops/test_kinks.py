"""ONE table of conventions: what the derivative is at kinks, ties, poles and ends, and what is
finite where mathematics is."""

import operator

import numpy as np
import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import Tensor, gradients

inf, nan = np.inf, np.nan


def slopes(f, *values):
    xs = [Tensor(v, requires_grad=True) for v in values]
    g = gradients(f(*xs))
    return [float(g[x]) for x in xs]


CONVENTIONS = [
    # kinks: PyTorch's subgradients
    ("abs at 0: 0", np.abs, [0.0], [0.0]),
    ("relu at 0: 0", tg.relu, [0.0], [0.0]),
    ("relu of NaN: passed on", tg.relu, [nan], [1.0]),
    ("nan_to_num at NaN: 0", np.nan_to_num, [np.nan], [0.0]),
    ("leaky_relu at 0: the slope of the negative side", tg.leaky_relu, [0.0], [0.01]),
    ("elu at 0: alpha", lambda x: tg.elu(x, 0.5), [0.0], [0.5]),
    ("clip at the bounds: 1, as inside", lambda x: np.clip(x, 0, 1), [0.0], [1.0]),
    ("clip at the upper bound", lambda x: np.clip(x, 0, 1), [1.0], [1.0]),
    ("clip below: the lower bound", np.clip, [-1.0, 0.0, 1.0], [0.0, 1.0, 0.0]),
    ("clip above: the upper bound", np.clip, [2.0, 0.0, 1.0], [0.0, 0.0, 1.0]),
    ("clip at a bound, by all three", np.clip, [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]),
    ("clip with crossed bounds: the upper bound", np.clip, [-0.5, 1.0, 0.0], [0.0, 0.0, 1.0]),
    ("absolute_error without a difference: 0", tg.absolute_error, [2.0, 2.0], [0.0, 0.0]),
    ("huber at delta: both sides agree", tg.huber, [2.0, 1.0], [1.0, -1.0]),
    ("sqrt at 0: infinite", np.sqrt, [0.0], [inf]),
    ("cbrt at 0: infinite", np.cbrt, [0.0], [inf]),
    ("power 0.5 at 0: infinite", lambda x: x**0.5, [0.0], [inf]),
    ("arcsin at 1: infinite", np.arcsin, [1.0], [inf]),
    ("arccos at -1: infinite", np.arccos, [-1.0], [-inf]),
    ("arccosh at 1: infinite", np.arccosh, [1.0], [inf]),
    ("hypot at the origin: 0, as a norm", np.hypot, [0.0, 0.0], [0.0, 0.0]),
    ("arctan2 at the origin: 0", np.arctan2, [0.0, 0.0], [0.0, 0.0]),
    # ties: shared equally
    ("maximum of equals", np.maximum, [1.0, 1.0], [0.5, 0.5]),
    ("minimum of equals", np.minimum, [1.0, 1.0], [0.5, 0.5]),
    ("maximum of equal infinities", np.maximum, [inf, inf], [0.5, 0.5]),
    ("maximum with NaN: both", np.maximum, [nan, 1.0], [1.0, 1.0]),
    ("minimum with NaN: both", np.minimum, [1.0, nan], [1.0, 1.0]),
    ("maximum of one value with itself", lambda x: np.maximum(x, x), [1.0], [1.0]),
    ("logaddexp of equals", np.logaddexp, [-3.0, -3.0], [0.5, 0.5]),
    ("logaddexp of nothing and nothing", np.logaddexp, [-inf, -inf], [0.5, 0.5]),
    # jumps: 0
    ("sign", np.sign, [0.0], [0.0]),
    ("floor", np.floor, [2.0], [0.0]),
    ("ceil", np.ceil, [2.0], [0.0]),
    ("trunc", np.trunc, [0.0], [0.0]),
    ("rint", np.rint, [0.5], [0.0]),
    ("round", lambda x: np.round(x, 1), [0.25], [0.0]),
    ("floor_divide", np.floor_divide, [4.0, 2.0], [0.0, 0.0]),
    ("remainder at a multiple", np.remainder, [4.0, 2.0], [1.0, -2.0]),
    # powers
    ("0 ** 0", operator.pow, [0.0, 0.0], [0.0, 0.0]),
    ("0 ** 1", operator.pow, [0.0, 1.0], [1.0, 0.0]),
    ("0 ** 2", operator.pow, [0.0, 2.0], [0.0, 0.0]),
    ("x ** 0", lambda x: x**0, [0.0], [0.0]),
    ("x ** 1", lambda x: x**1, [0.0], [1.0]),
    ("x ** 2", lambda x: x**2, [0.0], [0.0]),
    ("0 ** x", lambda x: 0**x, [2.0], [0.0]),
    ("0.0 ** x at 0", lambda x: 0.0**x, [0.0], [0.0]),
    ("1 ** x", lambda x: 1**x, [2.0], [0.0]),
    ("a negative base", lambda x: x**3, [-2.0], [12.0]),
    ("a negative base and power", lambda x: x**-1, [-2.0], [-0.25]),
    ("a negative base, by itself only", lambda x: x ** np.float64(3.0), [-2.0], [12.0]),
    ("a negative base, by the power: undefined", operator.pow, [-2.0, 3.0], [12.0, nan]),
    # far out: finite
    ("sigmoid", tg.sigmoid, [-1e4], [0.0]),
    ("tanh", np.tanh, [1e4], [0.0]),
    ("silu", tg.silu, [1e4], [1.0]),
    ("silu below", tg.silu, [-1e4], [0.0]),
    ("gelu", tg.gelu, [-1e200], [0.0]),
    ("gelu (tanh)", lambda x: tg.gelu(x, "tanh"), [-1e4], [0.0]),
    ("softplus", tg.softplus, [1e4], [1.0]),
    ("softplus below", tg.softplus, [-1e4], [0.0]),
    ("logsigmoid", tg.logsigmoid, [-1e4], [1.0]),
    ("elu", tg.elu, [1e4], [1.0]),
    ("elu below", tg.elu, [-1e4], [0.0]),
    ("expm1", np.expm1, [-40.0], [np.exp(-40.0)]),
    ("logaddexp", np.logaddexp, [1e4, -1e4], [1.0, 0.0]),
    ("arctan", np.arctan, [1e200], [0.0]),
    ("arctan2", np.arctan2, [1e-200, 1e-200], [5e199, -5e199]),
    ("hypot", np.hypot, [3e200, 4e200], [0.6, 0.8]),
]


@pytest.mark.parametrize(
    ("f", "values", "expected"), [c[1:] for c in CONVENTIONS], ids=[c[0] for c in CONVENTIONS]
)
def test_convention(f, values, expected):
    np.testing.assert_allclose(slopes(f, *values), expected, rtol=1e-13)


# a function, a point at which it or its derivative is infinite or undefined, and one where it is
# neither
SAFE = [
    (np.sqrt, 0.0, 4.0),
    (np.sqrt, -1.0, 4.0),
    (np.cbrt, 0.0, 8.0),
    (np.log, 0.0, 2.0),
    (np.log, -1.0, 2.0),
    (np.log1p, -1.0, 2.0),
    (np.log2, 0.0, 2.0),
    (np.log10, 0.0, 2.0),
    (np.reciprocal, 0.0, 2.0),
    (lambda x: 1 / x, 0.0, 2.0),
    (lambda x: x / x, 0.0, 2.0),
    (lambda x: x**-2, 0.0, 2.0),
    (lambda x: x**0.5, 0.0, 2.0),
    (lambda x: x ** (x - 0.5), 0.0, 2.0),
    (lambda x: 0.0**x, -1.0, 2.0),
    (np.exp, 1e4, 2.0),
    (np.expm1, 1e4, 2.0),
    (np.sinh, 1e4, 2.0),
    (np.cosh, -1e4, 2.0),
    (np.sin, inf, 2.0),
    (np.cos, inf, 2.0),
    (np.tan, inf, 2.0),
    (np.arcsin, 1.0, 0.5),
    (np.arcsin, 2.0, 0.5),
    (np.arccos, -1.0, 0.5),
    (np.arccosh, 1.0, 2.0),
    (np.arccosh, 0.0, 2.0),
    (np.arctanh, 1.0, 0.5),
    (np.arctan, nan, 0.5),
    (np.arcsinh, nan, 0.5),
    (np.abs, nan, -0.5),
    (np.square, nan, 2.0),
    (lambda x: x * x, nan, 2.0),
    (lambda x: x * x, inf, 2.0),
    (lambda x: np.exp(x) * x, 1e4, 2.0),
]


@pytest.mark.parametrize(("f", "bad", "good"), SAFE)
@pytest.mark.parametrize("shape", [(), (2,)])
def test_nothing_comes_back_from_a_branch_that_was_not_taken(f, bad, good, shape):
    for point, taken in ((bad, False), (good, True)):
        x = Tensor(np.full(shape, point), requires_grad=True)
        with np.errstate(all="ignore"):  # forward warns, as NumPy does; the rules below must not
            y = np.where(taken, f(x), x)
        expected = gradients(f(x), np.ones(shape))[x] if taken else np.ones(shape)
        np.testing.assert_array_equal(gradients(y, np.ones(shape))[x], expected)
        np.testing.assert_array_equal(
            gradients(y, np.ones(shape), create_graph=True)[x].numpy(), expected
        )


def test_a_mean_over_the_targets_that_are_there():
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    w = Tensor(2.0, requires_grad=True)
    target = np.array([1.0, nan, 2.0])
    difference = x * w - target
    losses = (
        difference**2,
        np.square(difference),
        difference * difference,
        2 * tg.huber(x * w, target, 9.0, "none"),
    )
    for loss in losses:
        g = gradients(np.where(np.isnan(target), 0, loss).sum())
        np.testing.assert_array_equal(g[x], [4.0, 0.0, 16.0])
        assert g[w] == 26.0


# a square that is 0 at a point, its second derivative there, and a point that is not taken
TOUCHING = [
    (lambda x: np.log(x) ** 2, 1.0, 2.0, 0.0),
    (lambda x: (np.sqrt(x) - 2) ** 2, 4.0, 0.125, 0.0),
    (lambda x: np.expm1(x) ** 2, 0.0, 2.0, 1e4),
    (lambda x: (1 / x - 1) ** 2, 1.0, 2.0, 0.0),
]


@pytest.mark.parametrize(("f", "point", "second", "bad"), TOUCHING)
def test_second_derivative_where_the_first_is_zero(f, point, second, bad):
    """A zero gradient at a finite slope is an ordinary number: what depends on it must not be cut
    off."""
    x = Tensor([point, bad], requires_grad=True)
    with np.errstate(all="ignore"):
        y = np.where([True, False], f(x), 0).sum()
    g = gradients(y, create_graph=True)[x]
    np.testing.assert_array_equal(g.numpy(), 0)
    np.testing.assert_allclose(gradients(g.sum())[x], [second, 0], rtol=1e-14)


COMPLEX = [
    *(
        np.exp,
        np.expm1,
        np.log,
        np.log1p,
        np.log2,
        np.log10,
        np.sqrt,
        np.square,
        np.reciprocal,
        np.tanh,
        np.sinh,
        np.cosh,
    ),
    *(np.sin, np.cos, np.tan, np.arcsin, np.arccos, np.arctan, np.arcsinh, np.arctanh),
    *(
        tg.sigmoid,
        tg.silu,
        lambda x: tg.gelu(x, "tanh"),
        lambda x: x**2.5,
        lambda x: 2.0**x,
        lambda x: 1 / x,
    ),
]


@pytest.mark.parametrize("f", COMPLEX)
def test_analytic_functions_take_a_complex_step(f):
    x = Tensor(0.4, requires_grad=True)
    step = f(Tensor(0.4 + 1e-100j)).numpy()
    np.testing.assert_allclose(step.imag / 1e-100, gradients(f(x))[x], rtol=1e-13)


def test_abs_and_sign_of_complex_values():
    """By their real and imaginary parts, against functions of two real values."""
    parts = [Tensor(v, requires_grad=True) for v in (0.6, -1.1)]
    z = Tensor(0.6 - 1.1j, requires_grad=True)
    radius = np.hypot(*parts)
    for whole, same in (
        (np.abs(z), radius),
        (np.real(np.sign(z) * (2 - 3j)), (2 * parts[0] + 3 * parts[1]) / radius),
    ):
        g = gradients(same)
        np.testing.assert_allclose(gradients(whole)[z], g[parts[0]] + 1j * g[parts[1]], rtol=1e-14)


def test_arithmetic_with_numbers_and_arrays_on_either_side():
    x = Tensor(np.array([2.0, 3.0], np.float32), requires_grad=True)
    for other in (2, 2.0, np.float32(2), np.array([2, 2], np.float32), np.array(2, np.float32)):
        for f in (
            operator.add,
            operator.sub,
            operator.mul,
            operator.truediv,
            operator.pow,
            np.maximum,
            np.logaddexp,
            np.arctan2,
        ):
            for y in (f(x, other), f(other, x)):
                assert isinstance(y, Tensor) and y.dtype == np.float32, (f, type(other))
                assert gradients(y, np.ones(2, np.float32))[x].dtype == np.float32


def test_constants_have_no_derivative():
    x = Tensor([1.0, -inf, nan], requires_grad=True)
    for f in (np.isfinite, np.isinf, np.isnan, np.signbit, np.logical_not):
        np.testing.assert_array_equal(f(x).numpy(), f(x.numpy()))
        assert f(x).dtype == bool and not f(x).requires_grad
    m, n = x > 0, np.isnan(x)
    for f in (
        np.logical_and,
        np.logical_or,
        np.logical_xor,
        np.bitwise_and,
        np.bitwise_or,
        np.bitwise_xor,
    ):
        np.testing.assert_array_equal(f(m, n).numpy(), f(m.numpy(), n.numpy()))
    np.testing.assert_array_equal(np.invert(m).numpy(), ~m.numpy())


def test_clip_of_integers_and_without_bounds():
    counts = np.clip(Tensor([1, 5, 9]), 2, None)
    assert counts.dtype == np.int64 and counts.numpy().tolist() == [2, 5, 9]
    assert np.clip(Tensor([1.0, nan]), -1, 0.5).numpy().tolist()[0] == 0.5
    np.testing.assert_array_equal(tg.clip([1.0, 5.0], max=2), [1, 2])


@pytest.mark.parametrize(
    "f",
    [
        tg.tanh,
        tg.sigmoid,
        tg.silu,
        tg.gelu,
        tg.softplus,
        tg.elu,
        tg.logsigmoid,
        lambda x: tg.logaddexp(x, 1.0),
        np.exp,
    ],
)
@pytest.mark.parametrize("select", [lambda t, ok: np.where(ok, t, 0), lambda t, ok: t[ok]])
def test_a_nan_that_was_not_chosen_does_not_come_back(f, select):
    x = Tensor([1.0, nan, -2.0], requires_grad=True)
    with np.errstate(invalid="ignore"):  # NumPy's logaddexp warns of a NaN
        select(f(x) * x, np.array([True, False, True])).sum().backward()
    assert np.isfinite(x.grad).all() and x.grad[1] == 0
    assert x.grad[0] == pytest.approx(gradients(f(y := Tensor(1.0, requires_grad=True)) * y)[y])


@pytest.mark.parametrize("bottom", [0.0, -0.0])
def test_division_by_zero_is_infinite_as_in_mathematics(bottom):
    a, b = Tensor(3.0, requires_grad=True), Tensor(bottom, requires_grad=True)
    with np.errstate(divide="ignore"):
        (a / b).backward()
    sign = np.copysign(1.0, bottom)
    assert a.grad == sign * np.inf and b.grad == -np.inf


def test_the_median_of_nothing_has_a_gradient_of_nothing():
    x = Tensor(np.ones((0, 3)), requires_grad=True)
    with np.errstate(all="ignore"), pytest.warns(RuntimeWarning):
        y = np.median(x)
    y.backward()
    assert x.grad.shape == (0, 3)


# Nothing comes back from entries that a stage leaves behind, whatever the stage is.


@tg.stage
def first_half(x):
    return x[: len(x) // 2]


@first_half.rule
def first_half_x(g, y, x):
    return np.concatenate([g, np.zeros(len(x) - len(g))])


@tg.stage(elementwise=True)
def cube(x):
    return x**3


@cube.rule
def cube_x(g, y, x):
    return g * (3 * x**2)


LEFT_BEHIND = {
    "a row that is not taken": lambda x: tg.embedding(tg.exp(x), [0, 0]).sum() / 2,
    "where in a checkpoint": tg.checkpoint(
        lambda x: np.where(np.array([True, False]), tg.exp(x), 0).sum()
    ),
    "a checkpoint that where leaves behind": lambda x: np.where(
        np.array([True, False]), tg.checkpoint(tg.exp)(x), 0
    ).sum(),
    "a stage of one's own that selects": lambda x: first_half(tg.exp(x)).sum(),
    "a stage of one's own that is left behind": lambda x: first_half(
        cube(tg.exp(x)) ** (1 / 3)
    ).sum(),
    "the norm of order -inf": lambda x: np.linalg.norm(tg.exp(x), -np.inf),
    "a factor of 0": lambda x: (tg.exp(x) * np.array([1.0, 0.0])).sum(),
    "a vector of parts": lambda x: tg.split(tg.exp(x), 2)[0].sum(),
    "a sorted value": lambda x: np.sort(tg.exp(x))[0],
    "a broadcast parameter": lambda x: np.where(
        np.array([True, False]), tg.exp(x) * tg.exp(0.0 * x), 0
    ).sum(),
}


@pytest.mark.parametrize("f", LEFT_BEHIND.values(), ids=LEFT_BEHIND)
def test_what_a_stage_leaves_behind_sends_nothing_back(f):
    x = Tensor([0.5, 1e4], requires_grad=True, name="x")
    with np.errstate(all="ignore"):
        y = f(x)
    expected = [np.exp(0.5), 0.0]
    np.testing.assert_allclose(gradients(y)[x], expected, rtol=1e-12)
    np.testing.assert_allclose(gradients(y, create_graph=True)[x].numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(tg.explain(y, x).evaluate(), expected, rtol=1e-12)
    hand = gradients(y)
    assert tg.compare(hand, {"x": np.array(expected)}).ok
    y.backward()
    np.testing.assert_allclose(x.grad, expected, rtol=1e-12)


def test_what_is_left_behind_is_decided_before_the_sum_over_a_batch():
    w = Tensor(2.0, requires_grad=True)
    rows = Tensor([[1.0, np.inf], [3.0, 4.0]], requires_grad=True)
    y = np.where(np.isfinite(rows), rows * w, 0).sum()
    assert gradients(y)[w] == 8.0
    y.backward()
    assert w.grad == 8.0 and rows.grad.tolist() == [[2.0, 0.0], [2.0, 2.0]]


NAN_OF_MATHEMATICS = {
    "a NaN that is read": (lambda x: (x * x).sum(), [1.0, nan], [2.0, nan]),
    "a NaN that is chosen": (lambda x: np.where(x > 2, 0, x * x).sum(), [nan, 3.0], [nan, 0.0]),
    "a NaN in the row of a softmax": (lambda x: tg.softmax(x)[0], [1.0, nan], [nan, nan]),
    "a mean over a NaN": (lambda x: np.std(x), [1.0, nan], [nan, nan]),
    "an infinite slope minus another": (
        lambda x: (np.sqrt(x) - np.cbrt(x)).sum(),
        [0.0, 1.0],
        [nan, 1 / 6],
    ),
    "a power of a negative base": (
        lambda x: np.power(-2.0, x).sum(),
        [3.0, 2.0],
        [nan, nan],
    ),
    "a product with a matrix that holds one": (
        lambda x: (np.array([[1.0, nan], [0.0, 1.0]]) @ x).sum(),
        [1.0, 1.0],
        [1.0, nan],
    ),
}


@pytest.mark.parametrize(
    ("f", "at", "expected"), NAN_OF_MATHEMATICS.values(), ids=NAN_OF_MATHEMATICS
)
def test_a_nan_comes_back_where_mathematics_has_one(f, at, expected):
    x = Tensor(at, requires_grad=True)
    with np.errstate(all="ignore"):
        y = f(x)
    np.testing.assert_allclose(gradients(y)[x], expected)
    np.testing.assert_allclose(gradients(y, create_graph=True)[x].numpy(), expected)
    y.backward()
    np.testing.assert_allclose(x.grad, expected)


def test_a_hook_and_a_detector_see_one_walk():
    seen = []
    x = Tensor([1.0, 0.0], requires_grad=True)
    with np.errstate(all="ignore"):
        h = np.log(x)
        h.register_hook(lambda g: seen.append(g.tolist()))
        y = np.where([True, False], h, 0).sum()
    y.backward(retain_graph=True)
    with tg.detect_anomaly():
        y.backward()
    assert seen == [[1.0, 0.0], [1.0, 0.0]] and x.grad.tolist() == [2.0, 0.0]


@pytest.mark.parametrize("root", [np.sqrt, lambda x: x**0.5, lambda x: np.power(x, np.array(0.5))])
def test_a_root_that_counts_nothing_has_the_slope_0(root):
    x = Tensor(0.0, requires_grad=True)
    (root(x) * 0).backward()
    assert x.grad == 0


def test_half_precision_counts_beyond_its_largest_number():
    x = Tensor(np.zeros(70_000, np.float16), requires_grad=True)
    assert gradients(np.mean(x))[x][0] == np.float16(1 / 70_000)
    assert gradients(np.max(x))[x][0] == np.float16(1 / 70_000)
    assert gradients(np.mean(x))[x].dtype == np.float16


def test_the_norm_that_counts_is_flat():
    x = Tensor([0.0, 2.0, nan], requires_grad=True)
    y = np.linalg.norm(x, 0)
    assert y.item() == 2.0 and gradients(y)[x].tolist() == [0.0, 0.0, 0.0]
