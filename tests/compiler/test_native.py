"""Compiled loops: right to the last digits, for NaN and infinity too, and compiled once."""

import numpy as np
import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import LSTM, Tensor, compile, gradients
from tinygrad_lstm.compiler.blas import TYPES, leading
from tinygrad_lstm.compiler.native import available
from tinygrad_lstm.compiler.native_backend import planes
from tinygrad_lstm.compiler.vector_code import LANES

pytestmark = pytest.mark.skipif(not available(), reason="needs llvmlite (the extra fast)")

SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-30, -1e-30, 88.7, -87.3, -100.0, 709.0, -745.0]


def machine():
    from tinygrad_lstm.compiler.native import library

    return library()


def loop(code, x, outputs):
    """What a kernel of one input makes of x, an array for each output."""
    found = [np.zeros_like(x) for _ in outputs]
    function = machine().function(("kernel", (TYPES[x.dtype], code, outputs, (False,))))
    numbers = [1, x.size, x.ctypes.data, 0]
    for out in found:
        numbers += [out.ctypes.data, 0]
    run(function, numbers)
    return found


def run(function, numbers):
    table = np.array([function, 2 + len(numbers), *numbers], np.int64)
    machine().run(table.ctypes.data, 1)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(
    ("op", "reference", "ulp"),
    [("exp", np.exp, 2), ("tanh", np.tanh, 2), ("sqrt", np.sqrt, 1), ("negative", np.negative, 0)],
)
def test_functions_to_the_last_digits(op, reference, ulp, dtype):
    rng = np.random.default_rng(0)
    x = np.concatenate([SPECIAL, *(rng.normal(size=501) * k for k in (1e-3, 1, 10, 100))])
    x = x.astype(dtype)
    (y,) = loop(((op, (("in", 0),)),), x, (0,))
    with np.errstate(all="ignore"):
        expected = reference(x.astype("f8" if dtype == "f4" else np.longdouble)).astype(dtype)
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(y[~finite], expected[~finite])
    np.testing.assert_array_equal(np.signbit(y[x == 0]), np.signbit(expected[x == 0]))
    largest = np.maximum(np.abs(expected[finite]), np.finfo(dtype).tiny)
    assert np.max(np.abs(y[finite] - expected[finite]) / largest) <= ulp * np.finfo(dtype).eps


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("n", [1, 3, 16, 17, 100])
def test_loops_of_any_length(n, dtype):
    x = np.arange(n, dtype=dtype)
    y, z = loop((("add", (("in", 0), ("number", 1.0))), ("square", (("t", 0),))), x, (0, 1))
    np.testing.assert_array_equal(y, x + 1)
    np.testing.assert_array_equal(z, (x + 1) ** 2)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_sums_are_as_accurate_as_numpys(dtype):
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(5000, 37)).astype(dtype)
    w = Tensor(np.ones((1, 37), dtype), True, "w")

    def loss(x):
        return ((w * x).sum(axis=0) ** 2).sum()

    exact = 2 * x.astype(np.longdouble).sum(axis=0) ** 2
    found = compile(loss, backend="native")(x)[1]["w"][0]
    assert np.max(np.abs(found - exact) / exact) < 8 * np.finfo(dtype).eps


def test_kernels_serve_all_shapes_and_lengths():
    rng = np.random.default_rng(0)
    before = {}
    for T, N in ((9, 2), (15, 3), (20, 1)):
        lstm = LSTM(3, 4, rng=0)
        x, y = rng.normal(size=(T, N, 3)), rng.normal(size=(T, N, 4))
        _, grads = compile(lstm.error, backend="native")(x, y)
        expected = gradients(lstm.error(x, y))
        for name, total in grads.items():
            np.testing.assert_allclose(total, expected[name], rtol=1e-10, atol=1e-12)
        before[T] = len(machine())
    assert len(set(before.values())) == 1


def test_a_loop_that_would_take_long_to_compile_is_left_to_numpy():
    w = Tensor(np.full(4, 0.5), True, "w")

    def loss(x):  # a recurrence entry by entry is one loop, however long
        h = 0.0
        for row in x:
            h = np.tanh(w * h + row)
        return h.sum()

    x = np.linspace(-1, 1, 1200).reshape(300, 4)
    before, fast = len(machine()), compile(loss, backend="native")
    found, expected = fast(x)[1]["w"], gradients(loss(x))["w"]
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    assert len(machine()) <= before + 2 and fast.plan(x).compiled


def test_another_shape_compiles_nothing():
    def first_call(T, N, D, H):
        lstm = tg.LSTM(D, H, rng=0, dtype="float32")
        x, y = (np.ones((T, N, n), "f4") for n in (D, H))
        compile(lstm.error, backend="native")(x, y)
        return len(machine())

    assert first_call(3, 1, 3, 4) == first_call(12, 4, 16, 32)  # which goes by panels


@pytest.mark.parametrize("f", [tg.relu, tg.silu, tg.leaky_relu, tg.softplus, tg.abs])
def test_a_loop_keeps_nan_and_infinity(f):
    w = Tensor(np.ones(5), True, "w")

    def loss(x):
        return (f(w * x) * x).sum()

    fast = compile(loss, backend="native")
    fast(np.ones(5))
    for bad in (np.nan, np.inf, -np.inf):
        x = np.array([1.0, 2.0, bad, -1.0, 0.0])
        with np.errstate(all="ignore"):
            expected = gradients(loss(x))["w"]
            np.testing.assert_allclose(fast(x)[1]["w"], expected, rtol=1e-12)


def test_layouts():
    assert planes((2, 3), [(3, 1), (3, 1)]) == (1, 6, [(0, 1), (0, 1)])
    assert planes((2, 3), [(3, 1), (0, 1)]) == (2, 3, [(3, 1), (0, 1)])
    assert planes((2, 3, 4), [(12, 4, 1), (24, 8, 1)]) == (6, 4, [(4, 1), (8, 1)])
    assert planes((2, 3, 4), [(12, 4, 1), (1, 2, 6)]) is None
    assert planes((), [()]) == (1, 1, [(0, 1)])
    assert leading((4, 1), (3, 4)) == (111, 4) and leading((1, 4), (4, 3)) == (112, 4)
    assert leading((8, 2), (3, 4)) is None and LANES["float"] == 2 * LANES["double"]


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("turned", [False, True])
def test_products_by_panels(dtype, turned):
    """Whatever the rows and the strides, with NaN and infinity too."""
    rng, type = np.random.default_rng(0), TYPES[np.dtype(dtype)]
    lay, height = machine().function(("panels", type)), machine().height
    multiply, lanes = machine().function(("by panels", type, height)), LANES[type]
    for rows in range(1, 2 * height + 2):
        for inner in (1, 5, 128, 129, 300):
            shapes = (rows, inner), (inner, 3 * lanes)
            a, b = (rng.normal(size=shape).astype(dtype) for shape in shapes)
            if turned:
                a, b = np.asfortranarray(a), np.asfortranarray(b)
            if rows == 2:
                a[0, 0], a[1, -1] = np.inf, np.nan
            laid, out = np.empty(b.size, dtype), np.full((rows, 4 * lanes), np.nan, dtype)
            out[:, lanes:] = 1
            first = [*b.shape, b.ctypes.data, *b.strides, laid.ctypes.data]
            second = [rows, 3, inner, a.ctypes.data, *a.strides, laid.ctypes.data]
            second += [inner * lanes * a.itemsize, out.ctypes.data, out.strides[0]]
            run(lay, first), run(multiply, [*second, 0])
            exact = a.astype(np.longdouble) @ b.astype(np.longdouble)
            close = {"rtol": 0, "atol": 400 * np.finfo(dtype).eps, "equal_nan": True}
            np.testing.assert_allclose(out[:, : 3 * lanes], exact.astype(dtype), **close)
            run(multiply, [*second, 1])  # and is added
            np.testing.assert_allclose(out[:, : 3 * lanes], 2 * exact.astype(dtype), **close)
            assert (out[:, 3 * lanes :] == 1).all()


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("shape", [(2, 16), (7, 32), (13, 16), (5, 48), (1, 16), (4, 20)])
def test_a_program_by_panels(shape, dtype):
    rng, (n, h) = np.random.default_rng(1), shape
    w, v = (Tensor(0.3 * rng.normal(size=(h, h)), True, name, dtype) for name in "wv")
    x = rng.normal(size=(n, h)).astype(dtype)

    def loss(x):
        y, total = x, 0
        for t in range(10):
            y = tg.tanh(y @ w.T + y[::-1] @ v) if t % 2 else tg.tanh(y @ w.T) @ v
            total = total + (y**2).sum()
        return total

    # the tape in float32 is itself 2e-5 from float64 here
    agree(compile(loss, backend="native"), loss, x, rtol=1e-4 if dtype == "f4" else 1e-12)


def agree(fast, loss, x, rtol):
    value, grads = fast(x)
    expected = gradients(loss(x))
    assert fast.plan(x).compiled and value == pytest.approx(loss(x).item(), rel=rtol)
    for name, total in grads.items():
        atol = rtol * np.abs(expected[name]).max()
        np.testing.assert_allclose(total, expected[name], rtol=0, atol=atol)
