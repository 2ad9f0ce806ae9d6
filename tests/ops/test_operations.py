"""One table of operations, one property test for each: a new operation is one row."""

import gc
import importlib
import itertools
import pkgutil
import weakref

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from rows import activation, elementwise, layer, linalg, loss, product, reduction, select, shape

import tinygrad_lstm as tg
import tinygrad_lstm.ops
from tinygrad_lstm import Tensor, gradients, no_grad

settings.register_profile("tests", max_examples=15, deadline=None, derandomize=True)
settings.load_profile("tests")


ROWS = [
    row
    for family in (activation, elementwise, layer, linalg, loss, product, reduction, select, shape)
    for row in family.ROWS
]
CASES = [
    pytest.param(row, make, id=f"{row.name}-{i}")
    for row in ROWS
    for i, make in enumerate(row.makes)
]
seeds = given(seed=st.integers(0, 2**32 - 1))


def numeric(f, arrays, i, weights):
    """d sum(weights * f) / d arrays[i] by central differences with one Richardson step: the
    independent judge."""
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
    np.testing.assert_allclose(
        actual, expected, rtol=rtol, atol=rtol * max(1.0, np.max(np.abs(expected), initial=0.0))
    )


@pytest.mark.parametrize(("row", "make"), CASES)
@seeds
def test_value_and_derivative(row, make, seed):
    rng = np.random.default_rng(seed)
    arrays = make(rng)
    xs = tensors(arrays)
    y = row.f(*xs)
    expected = row.reference(*arrays)
    assert isinstance(y, Tensor) and y.shape == expected.shape and y.dtype == expected.dtype
    close(y.numpy(), expected, row.rtol)
    weights = rng.normal(size=y.shape)
    g = gradients(y, weights)
    for i, x in enumerate(xs):
        assert g[x].shape == x.shape and g[x].dtype == x.dtype
        close(g[x], numeric(row.reference, arrays, i, weights), 1e-7)
    y.backward(weights)
    for x in xs:
        close(x.grad, g[x], 1e-14)


@pytest.mark.parametrize(("row", "make"), CASES)
@seeds
def test_second_derivative(row, make, seed):
    """The same rules on Tensors: the derivative of <v, gradient> against central differences of the
    first derivative."""
    if not row.twice:
        pytest.skip("the second derivative does not exist or is tested elsewhere")
    rng = np.random.default_rng(seed)
    arrays = make(rng)
    weights = rng.normal(size=np.shape(row.reference(*arrays)))
    directions = [rng.normal(size=a.shape) for a in arrays]

    def slope(*values):
        xs = tensors(values)
        y = row.f(*xs)
        g = gradients(
            y * weights if y.shape else y * float(weights), np.ones(y.shape), create_graph=True
        )
        return xs, tg.add_n(*[(g[x] * v).sum() for x, v in zip(xs, directions, strict=True)])

    xs, total = slope(*arrays)
    if not total.requires_grad:  # the first derivative is constant
        second = [np.zeros(a.shape) for a in arrays]
    else:
        g = gradients(total)
        second = [g[x] if x in g else np.zeros(x.shape) for x in xs]
    for i in range(len(arrays)):
        close(second[i], numeric(lambda *v: slope(*v)[1].item(), arrays, i, 1.0), 1e-6)


@pytest.mark.parametrize(("row", "make"), CASES)
def test_dtype_memory_and_linearity(row, make):
    rng = np.random.default_rng(1)
    arrays = [a.astype(np.float32) for a in make(rng)]
    for a in arrays:
        a.flags.writeable = False
    xs = tensors(arrays)
    y = row.f(*xs)
    expected = row.reference(*arrays)
    assert y.dtype == (np.float32 if row.single else np.asarray(expected, float).dtype)
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


@pytest.mark.parametrize(("row", "make"), CASES)
def test_plain_arrays_and_no_grad(row, make):
    arrays = make(np.random.default_rng(2))
    with no_grad():
        y = row.f(*tensors(arrays))
    assert not y.requires_grad and y.is_leaf
    weights = np.random.default_rng(4).normal(size=y.shape)

    def slopes(given):
        y = row.f(*(xs := tensors(given)))
        g = gradients(y, weights)
        return [y.numpy(), *(g[x] for x in xs)]

    expected = slopes(arrays)
    close(expected[0], row.reference(*arrays), row.rtol)
    layouts = {
        "strided, Fortran": [
            np.asfortranarray(np.repeat(a, 2, axis=-1))[..., ::2] if a.ndim else a for a in arrays
        ],
        "reversed": [np.flip(np.flip(a).copy()) for a in arrays],
        "byte-swapped": [a.astype(">f8") for a in arrays],
    }
    for inputs in layouts.values():
        for found, right in zip(slopes(inputs), expected, strict=True):
            close(found, right, 1e-12)


@pytest.mark.parametrize(("row", "make"), CASES)
def test_the_graph_goes_with_its_last_tensor(row, make):
    y = row.f(*tensors(make(np.random.default_rng(5))))
    gradients(y, np.ones(y.shape))
    watch = weakref.ref(y)
    gc.disable()
    try:
        del y
        assert watch() is None
    finally:
        gc.enable()


@pytest.mark.parametrize(("row", "make"), CASES)
def test_what_is_called_analytic_takes_a_complex_step(row, make):
    rng = np.random.default_rng(3)
    arrays = make(rng)
    y = row.f(*(xs := tensors(arrays)))
    if not all(stage.output._op.analytic for stage in y.tape):
        pytest.skip("not analytic, or not known to be")
    along, weights = [rng.normal(size=a.shape) for a in arrays], rng.normal(size=y.shape)
    with no_grad():
        z = row.f(*[Tensor(a + 1e-30j * d) for a, d in zip(arrays, along, strict=True)]).numpy()
    g = gradients(y, weights)
    close(
        np.vdot(weights, z.imag) / 1e-30,
        sum(np.vdot(g[x], d) for x, d in zip(xs, along, strict=True)),
        1e-12,
    )


def test_the_table_has_a_row_for_every_operation():
    """Every operation of the package with a derivative is on the tape of some row, in its first or
    second derivative."""
    modules = [
        importlib.import_module(f"tinygrad_lstm.ops.{info.name}")
        for info in pkgutil.iter_modules(tinygrad_lstm.ops.__path__)
    ]
    known = {f.op for module in modules for f in vars(module).values() if hasattr(f, "op")}
    seen = set()
    for row in ROWS:
        for make in row.makes:
            xs = tensors(make(np.random.default_rng(0)))
            y = row.f(*xs)
            seen |= {stage.output._op for stage in y.tape}
            if row.twice and y.requires_grad:
                g = gradients(y, np.ones(y.shape), create_graph=True)
                seen |= {stage.output._op for x in xs if g[x].requires_grad for stage in g[x].tape}
    assert {op.name for op in known if op.rules and op not in seen} == set()


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
    np.testing.assert_allclose(
        y.numpy(), [0, 9.859676543759770e-305, 4.248354255291589e-18, 0.5, 1, 1], rtol=1e-14
    )
    assert np.isfinite(x.grad).all()


SHAPES = [(), (1,), (3,), (1, 1), (2, 1), (1, 3), (2, 3), (1, 2, 1)]


@pytest.mark.parametrize(
    "f",
    [
        tg.add,
        tg.subtract,
        tg.multiply,
        tg.divide,
        tg.power,
        tg.maximum,
        tg.minimum,
        tg.logaddexp,
        tg.hypot,
        tg.arctan2,
    ],
)
@pytest.mark.parametrize("shapes", [*itertools.product(SHAPES, SHAPES)], ids=str)
def test_axes_of_length_one_in_every_position(f, shapes):
    """Broadcasting inside a stage against a stage of its own for it."""
    rng = np.random.default_rng(0)
    a, b = xs = tensors([rng.uniform(0.5, 2.0, shape) for shape in shapes])
    full = np.broadcast_shapes(*shapes)
    weights = rng.normal(size=full)
    inside = gradients(f(a, b), weights)
    apart = gradients(f(tg.broadcast_to(a, full), tg.broadcast_to(b, full)), weights)
    for x in xs:
        assert inside[x].shape == x.shape
        close(inside[x], apart[x], 1e-14)


def test_lists_are_arrays():
    assert tg.add([1.0, 2.0], [3.0, 4.0]).tolist() == [4.0, 6.0]
    assert tg.sigmoid([0.0]).tolist() == [0.5]
    x = Tensor([1.0, 2.0], requires_grad=True)
    (x * [3.0, 4.0]).sum().backward()
    assert x.grad.tolist() == [3.0, 4.0]


@pytest.mark.parametrize(("row", "make"), CASES)
def test_lists_beside_a_tensor_are_arrays(row, make):
    """Recorded or not: an operation may ask any of its inputs for its shape."""
    first, *others = make(np.random.default_rng(5))
    right = row.f(Tensor(first), *others).numpy()
    for record in (False, True):
        lists = [a.tolist() if a.size else a for a in others]  # one without entries has no shape
        y = row.f(Tensor(first, record), *lists)
        np.testing.assert_array_equal(y.numpy(), right)


def test_comparisons_are_constants():
    x = Tensor([1.0, 2.0], requires_grad=True)
    for result in (x > 1, x >= 1, x < 2, x <= 2, x == 1, x != 1):
        assert isinstance(result, Tensor) and result.dtype == bool and not result.requires_grad
