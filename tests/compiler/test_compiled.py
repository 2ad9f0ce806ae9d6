"""compile(): every operation and every network, compiled, is what the tape says."""

import numpy as np
import pytest
from cases import gru_loss, lstm_loss, rnn_loss
from rows import activation, elementwise, layer, linalg, loss, product, reduction, select, shape

import tinygrad_lstm as tg
from tinygrad_lstm import LSTM, Tensor, compile, gradients
from tinygrad_lstm.compiler import numpy_backend
from tinygrad_lstm.compiler.native import available

ROWS = [
    row
    for family in (activation, elementwise, layer, linalg, loss, product, reduction, select, shape)
    for row in family.ROWS
]
CASES = [
    pytest.param(row, make, dtype, id=f"{row.name}-{i}-{dtype}")
    for row in ROWS
    for i, make in enumerate(row.makes)
    for dtype in ("float64", "float32")
    if dtype == "float64" or i == 0
]
ON_THE_TAPE = {
    "index (nonzero)",
    "piecewise",  # the shape of its result depends on numbers
    "dropout",
    "interp (x)",  # the row makes its own generator
}
TOLERANCE = {"float32": 1e-6, "float64": 1e-12}


def same(found, expected, size=0.0):
    """Equal relative to the largest entry, or to the size of what a loss adds up."""
    assert found.shape == expected.shape and found.dtype == expected.dtype
    largest = np.max(np.abs(expected), initial=size)
    difference = np.max(np.abs(found - expected), initial=0.0)
    assert difference <= TOLERANCE[str(found.dtype)] * largest


def check(fast, function, *args, size=0.0):
    """Two replays against the tape."""
    expected_loss = function(*args)
    expected = gradients(expected_loss)
    for _ in range(2):
        value, found = fast(*args)
        same(np.asarray(value), expected_loss.numpy(), size)
        for name, total in found.items():
            same(total, expected[name])
    assert len(found) == sum(x.requires_grad for x in expected_loss.tape.leaves)


@pytest.mark.parametrize(("row", "make", "dtype"), CASES)
def test_every_operation_runs_compiled(row, make, dtype):
    rng = np.random.default_rng(1)
    xs = [Tensor(a.astype(dtype), True, f"x{i}") for i, a in enumerate(make(rng))]
    y = row.f(*xs)
    weights = rng.normal(size=y.shape).astype(y.dtype)

    def weighted(*xs):
        return tg.sum(row.f(*xs) * weights)

    fast = compile(weighted)
    check(fast, weighted, *xs, size=np.abs(y.numpy() * weights).sum())
    assert row.name in ON_THE_TAPE or fast.plan(*xs).compiled


BACKENDS = [
    "numpy",
    pytest.param("native", marks=pytest.mark.skipif(not available(), reason="needs llvmlite")),
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "network",
    [
        lambda: lstm_loss(3),
        lambda: lstm_loss(4, D=2, H=3, N=2, every=False),
        lambda: lstm_loss(3, D=2, H=3, N=2, state=(3,), x_gradient=True),
        lambda: gru_loss(4),
        lambda: rnn_loss(5),
    ],
)
def test_the_networks_of_the_tests_run_compiled(network, backend):
    fast = compile(network, backend=backend)
    expected = network()
    loss, grads = fast()
    assert fast.plan().compiled
    same(np.asarray(loss), expected.numpy())
    g = gradients(expected)
    for name, total in grads.items():
        same(total, g[name])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("size", [(1, 1, 1, 1), (3, 2, 3, 4), (7, 5, 2, 3)])
def test_an_lstm_of_any_shape(size, dtype, backend):
    T, N, D, H = size
    rng = np.random.default_rng(0)
    lstm = LSTM(D, H, rng=0, dtype=dtype)
    x, targets = (rng.normal(size=(T, N, n)).astype(dtype) for n in (D, H))
    fast = compile(lstm.error, backend=backend)
    check(fast, lstm.error, x, targets)
    assert fast.plan(x, targets).compiled


def test_a_layer_on_top_of_the_outputs():
    rng = np.random.default_rng(0)
    lstm, other = LSTM(2, 3, rng=0), LSTM(3, 2, rng=1)
    x, y = rng.normal(size=(4, 2, 2)), rng.normal(size=(4, 2, 2))

    def loss(x, y):
        a, _ = lstm(x)
        return ((other(a)[0] - y) ** 2).mean()

    expected = loss(x, y)
    g = gradients(expected)
    fast = compile(loss)
    _, grads = fast(x, y)
    assert fast.plan(x, y).compiled
    for model in (lstm, other):
        for leaf in model.parameters().values():
            same(grads[leaf], g[leaf])


def test_a_plan_shows_the_program():
    rng = np.random.default_rng(0)
    lstm = LSTM(3, 4, rng=0)
    x, targets = rng.normal(size=(3, 2, 3)), rng.normal(size=(3, 2, 4))
    fast = compile(lstm.error)
    before, grads = fast(x, targets)
    text = str(fast.plan(x, targets))
    for part in ("46 stages", "argument 1 (3, 2, 3)", "W_f (4, 7)", "contract", "matmul", "memory"):
        assert part in text
    assert max(map(len, text.splitlines())) < 300
    again = fast(x, targets)  # what was run to be timed has left no trace
    assert again[0] == before
    for name, total in again[1].items():
        np.testing.assert_array_equal(total, grads[name])
    on_the_tape = compile(lambda x: (lstm.W_f * lstm.W_f.sum().item()).sum())
    assert "the tape is used" in str(on_the_tape.plan(x))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("size", [(40, 8, 4, 16), (12, 64, 16, 8)])
def test_in_float32_a_program_is_as_accurate_as_the_tape(size, backend):
    T, N, D, H = size
    rng = np.random.default_rng(0)
    narrow = LSTM(D, H, rng=0, dtype="float32")
    wide = LSTM.from_arrays({k: v.numpy().astype("f8") for k, v in narrow.parameters().items()})
    x, targets = (rng.normal(size=(T, N, n)).astype("f4") for n in (D, H))
    names = narrow.parameters()
    judge = gradients(wide.error(x.astype("f8"), targets.astype("f8")))
    eager = gradients(narrow.error(x, targets))
    _, compiled = compile(narrow.error, backend=backend)(x, targets)

    def error(found):
        """The root of the mean square, relative to that of each gradient."""
        squares = [((found[k] - judge[k]) ** 2).mean() / (judge[k] ** 2).mean() for k in names]
        return np.sqrt(np.mean(squares))

    # Whichever way a sum is taken its error is a random one, and another for each BLAS (0.87 to
    # 1.24 times the tape's were seen); products of all rows at once had up to 2.3 times.
    assert error(compiled) < 1.5 * error(eager) < 4e-7


def test_pieces_of_a_sum_are_added_up_without_a_blas_of_numpys(monkeypatch):
    lstm = LSTM(2, 3, rng=0)
    rng = np.random.default_rng(0)
    x, targets = rng.normal(size=(35, 3, 2)), rng.normal(size=(35, 3, 3))
    _, expected = compile(lstm.error, backend="numpy")(x, targets)
    monkeypatch.setattr(numpy_backend, "gemm", lambda dtype: None)
    _, found = compile(lstm.error, backend="numpy")(x, targets)
    for name, total in found.items():
        same(total, expected[name])
