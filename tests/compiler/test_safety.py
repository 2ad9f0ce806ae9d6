"""A program is used where it holds, and nowhere else."""

import numpy as np
import pytest

from tinygrad_lstm import (
    LSTM,
    Tensor,
    compile,
    detect_anomaly,
    dropout,
    embedding,
    gradients,
    no_grad,
    sigmoid,
    squared_error,
)
from tinygrad_lstm.errors import DataError, DtypeError, GradientError, ShapeError

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(3, 2, 3)), RNG.normal(size=(3, 2, 4))


def agrees(fast, function, *args):
    loss, grads = fast(*args)
    expected = function(*args)
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    g = gradients(expected)
    for name, total in grads.items():
        np.testing.assert_allclose(total, g[name], rtol=1e-10, atol=1e-12)


def test_parameters_are_read_afresh():
    lstm = LSTM(3, 4, rng=0)
    fast = compile(lstm.error)
    agrees(fast, lstm.error, X, Y)
    before = fast.plan(X, Y)
    with no_grad():
        lstm.W_f *= 0.5
    lstm.b_o.data[...] = 1.0
    agrees(fast, lstm.error, X, Y)
    lstm.W_f.data = lstm.W_f.data * 2
    agrees(fast, lstm.error, X, Y)
    assert fast.plan(X, Y) is before


def test_another_shape_or_dtype_is_another_program():
    lstm = LSTM(3, 4, rng=0)
    fast = compile(lstm.error)
    calls = [(X, Y), (X[:2], Y[:2]), (X.astype("f4"), Y)]
    for args in calls:
        agrees(fast, lstm.error, *args)
    assert len({id(fast.plan(*args)) for args in calls}) == 3


def test_a_parameter_that_is_exchanged_is_noticed():
    lstm = LSTM(3, 4, rng=0)
    fast = compile(lambda x, y: lstm.error(x, y))
    agrees(fast, lstm.error, X, Y)
    lstm.W_f = Tensor(lstm.W_f.data * 2, True, "W_f")
    agrees(fast, lstm.error, X, Y)


def test_captured_numbers_and_arrays_that_change_are_noticed():
    w, settings, weights = Tensor(X, True, "w"), {"scale": 2.0}, np.ones_like(X)

    def loss():
        return (w * w * weights).sum() * settings["scale"]

    fast = compile(loss)
    agrees(fast, loss)
    settings["scale"] = 3.0
    agrees(fast, loss)
    weights[0] = 7.0
    agrees(fast, loss)
    before = fast.plan()
    settings["scale"] = float("3")  # another object, the same number
    assert fast.plan() is before


def test_what_changes_at_every_call_ends_on_the_tape():
    w, settings = Tensor(2.0, True, "w"), {"scale": 0.0}

    def loss():
        return w * w * settings["scale"]

    fast = compile(loss)
    for k in range(20):
        settings["scale"] = float(k)
        assert fast()[0] == 4.0 * k
    assert "changes" in fast.plan().reason


@pytest.mark.parametrize(
    ("asks", "says"),
    [
        (lambda y: y if y > 0 else -y, "a condition depends on its value"),
        (lambda y: y * bool(y), "a condition depends on its value"),
        (lambda y: y * float(y.detach()), "float() asks for its value"),
        (lambda y: y * y.item(), "item"),
        (lambda y: y * np.asarray(y.detach()), "array"),
        (lambda y: y * len(f"{y.detach()!r}"), "printed"),
    ],
)
def test_what_depends_on_numbers_runs_on_the_tape(asks, says):
    w = Tensor(3.0, True, "w")

    def loss(x):
        return asks((w * x).sum())

    fast = compile(loss)
    for sign in (1, -1):
        agrees(fast, loss, sign * np.ones(2))
    assert says in fast.plan(np.ones(2)).reason


def test_prints_and_edits_run_on_the_tape(capsys):
    w = Tensor(np.ones(2), True, "w")

    def talks(x):
        print("step")
        return (w * x).sum()

    def edits(x):
        with no_grad():
            w[0] = w[0] + 1
        return (w * x).sum()

    fast = compile(talks)
    fast(X[0, 0, :2]), fast(X[0, 0, :2])
    assert capsys.readouterr().out == "step\n" * 2
    fast = compile(edits)
    assert [fast(np.ones(2))[0] for _ in range(3)] == [3.0, 4.0, 5.0]


def test_a_print_that_does_not_run_keeps_nobody_from_a_program(capsys):
    class Net:
        def __init__(self):
            self.w, self.aloud = Tensor(np.ones(2), True, "w"), False

        def __call__(self, x):
            if self.aloud:
                print("step")
            return (self.w * x).sum()

        def show(self):
            print(isinstance(self.w.data, np.ndarray))

    net, before = Net(), print
    fast = compile(net)
    agrees(fast, net, np.ones(2))
    assert fast.plan(np.ones(2)).compiled and before is print
    net.aloud = True
    fast(np.ones(2)), fast(np.ones(2))
    assert capsys.readouterr().out == "step\n" * 2
    assert "it prints, in line" in fast.plan(np.ones(2)).reason


def test_who_asks_whether_something_is_an_array_is_told_the_truth():
    w = Tensor(np.ones(2), True, "w")

    def inner(x):
        return x * 2 if isinstance(x, np.ndarray) else x

    def loss(x):
        return (w * inner(x)).sum()

    fast = compile(loss)
    agrees(fast, loss, np.ones(2))
    assert "is an array" in fast.plan(np.ones(2)).reason


def test_a_parameter_that_the_function_sets_is_set_each_time():
    w = Tensor(np.ones(2), True, "w")

    def sets(x):
        with no_grad():
            w[0] = 5.0
        return (w * x).sum()

    fast = compile(sets)
    assert fast(np.ones(2))[0] == 6.0
    with no_grad():
        w[0] = 1.0
    assert fast(np.ones(2))[0] == 6.0
    assert "edited" in fast.plan(np.ones(2)).reason


def test_a_value_that_was_computed_before_runs_on_the_tape():
    w = Tensor(np.ones(2), True, "w")
    y = (w * 2.0).named("y")
    fast = compile(lambda x: (y * x).sum())
    agrees(fast, lambda x: (y * x).sum(), np.ones(2))
    assert "y was computed before" in fast.plan(np.ones(2)).reason


def test_an_array_argument_is_not_edited_unnoticed():
    w = Tensor(np.ones(2), True, "w")

    def loss(x):
        x[0] = 5.0
        return (w * x).sum()

    x = np.ones(2)
    assert compile(loss)(x)[0] == 6.0 and x[0] == 5.0


def test_the_numbers_of_a_parameter_are_no_constants():
    w = Tensor(np.ones(2), True, "w")
    for read in (
        lambda: w.numpy().sum(),
        lambda: w.data[0],
        lambda: w.sum().item(),
        lambda: w.detach().tolist()[0],
        lambda: float(np.count_nonzero(w)),
        lambda: np.asarray(w.detach())[0],
    ):

        def loss(x, read=read):
            return (w * x).sum() * read()

        fast = compile(loss)
        for scale in (1.0, 2.0):
            w.data = np.full(2, scale)
            agrees(fast, loss, np.ones(2))


def test_random_stages_draw_anew_as_the_tape_does():
    w = Tensor(np.ones((4, 5)), True, "w")
    rng, again = np.random.default_rng(7), np.random.default_rng(7)

    def loss(x, rng=rng):
        y = dropout(w * x, 0.5, rng)
        dropout(y, 0.1, rng)  # no result depends on it
        return (dropout(y, 0.3, rng) * x).sum()

    fast, x = compile(loss), np.arange(20.0).reshape(4, 5)
    found = [fast(x)[0] for _ in range(4)]
    assert fast.plan(x).compiled
    assert found == pytest.approx([loss(x, again).item() for _ in range(4)])
    assert len(set(found)) == 4 and rng.random() == again.random()


def test_a_generator_among_the_arguments_and_one_made_inside():
    w = Tensor(np.ones(20), True, "w")

    def given(x, rng):
        return (dropout(w * x, 0.5, rng) * x).sum()

    fast, x = compile(given), np.arange(20.0)
    rng, again = np.random.default_rng(7), np.random.default_rng(7)
    for _ in range(3):
        assert fast(x, rng)[0] == pytest.approx(given(x, again).item())
    assert fast.plan(x, rng).compiled
    inside = compile(lambda x: given(x, np.random.default_rng()))
    assert len({float(inside(x)[0]) for _ in range(5)}) > 1
    assert "makes itself" in inside.plan(x).reason


def test_rows_by_number_are_checked_at_each_replay():
    w = Tensor(np.arange(12.0).reshape(4, 3), True, "w")

    def loss(numbers):
        return (embedding(w, numbers) ** 2).sum()

    fast = compile(loss)
    for numbers in ([0, 1, 1], [3, 3, 3]):
        agrees(fast, loss, np.array(numbers))
    assert fast.plan(np.array([0, 1, 1])).compiled
    for bad in ([0, 1, 4], [0, -1, 1]):
        with pytest.raises(IndexError, match="no such class or row"):
            fast(np.array(bad))


NOT_TAKEN = {
    "where": lambda x: np.where(np.array([True, True, True]), x, np.log(0 * x)).sum(),
    "embedding": lambda x: (embedding(np.exp(400 * np.stack([x, x + 9])), [0, 0]) ** 0.1).sum(),
    "maximum": lambda x: np.maximum(np.exp(x), np.sqrt(x - x)).sum(),
    "root": lambda x: (np.sqrt(0 * x) * np.array([0.0, 0.0, 0.0]) + x * x).sum(),
    "a NaN of mathematics": lambda x: (np.sqrt(0 * x) + x).sum(),
}


@pytest.mark.parametrize("backend", ["numpy", None])
@pytest.mark.parametrize("name", NOT_TAKEN)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_branches_that_were_not_taken_send_back_what_they_do_on_the_tape(name, backend):
    function = NOT_TAKEN[name]
    x = np.array([0.5, 1.0, 1.5])
    w = Tensor(np.ones(3), requires_grad=True, name="w")

    def loss(x):
        return function(w * x)

    fast = compile(loss, backend=backend)
    assert fast.plan(x).compiled
    for factor in (1, 2):
        value, grads = fast(factor * x)
        expected = loss(factor * x)
        np.testing.assert_allclose(value, expected.numpy(), rtol=1e-12)
        np.testing.assert_allclose(grads["w"], gradients(expected)["w"], rtol=1e-12)
    assert np.isfinite(grads["w"]).all() == ("NaN" not in name)


def test_what_is_not_finite_comes_out_as_from_the_tape():
    w = Tensor(np.array([1.0, 0.0]), True, "w")

    def loss(x):
        return (w * x).sum()

    fast = compile(loss)
    assert fast(np.ones(2))[0] == 1
    value, grads = fast(np.array([np.inf, 1.0]))
    assert value == np.inf and grads["w"][0] == np.inf
    lstm = LSTM(3, 4, rng=0)
    fast = compile(lstm.error)
    fast(X, Y)
    with pytest.raises(DataError, match="nan in the data"):
        fast(np.where(X[0, 0, 0] == X, np.nan, X), Y)


@pytest.mark.parametrize("backend", ["numpy", None])
def test_large_numbers_are_no_reason_to_warn(backend):
    w = Tensor(np.ones(3, "f4"), True, "w")
    fast = compile(lambda x: (w * x).sum(), backend=backend)
    x = np.full(3, 1e30, "f4")  # whose squares overflow
    assert fast(x)[0] > 2e30 and fast(x)[1]["w"][0] == x[0]
    assert fast.plan(x).compiled


class Matrix(np.ndarray):
    def __mul__(self, other):
        return self @ other


def test_an_array_with_rules_of_its_own_runs_on_the_tape():
    w = Tensor(np.ones((2, 2)), True, "w")
    fast = compile(lambda x: (w * (x * x)).sum())
    assert fast(np.array([[1.0, 2.0], [3.0, 4.0]]).view(Matrix))[0] == 54
    with pytest.raises(DtypeError, match="mask"):
        fast(np.ma.array(np.ones((2, 2)), mask=np.eye(2)))
    assert "rules of its own" in fast.plan(np.eye(2).view(Matrix)).reason


def test_hooks_and_anomaly_detection_use_the_tape():
    w, seen = Tensor(np.ones(2), True, "w"), []

    def loss(x):
        return (w * x).sum()

    fast = compile(loss)
    fast(np.ones(2))
    handle = w.register_hook(lambda g: seen.append(g) or 2 * g)
    assert fast(np.ones(2))[1]["w"].tolist() == [2.0, 2.0] and len(seen) == 1
    handle.remove()
    with detect_anomaly():
        assert fast(np.ones(2))[1]["w"].tolist() == [1.0, 1.0]


def test_gradients_are_the_callers_own():
    w = Tensor(np.ones(2), True, "w")
    fast = compile(lambda x: (w * x).sum())
    first = fast(np.ones(2))[1]["w"]
    first += 7
    second = fast(np.full(2, 3.0))[1]["w"]
    assert first.tolist() == [8.0, 8.0] and second.tolist() == [3.0, 3.0] and w.grad is None


def test_tensors_among_the_arguments():
    w = Tensor(np.ones(2), True, "w")
    fast = compile(lambda x, *, more: sigmoid(w * x).sum() + more[0].sum())
    x, y = Tensor(np.ones(2), True, "x"), Tensor(np.ones(3), True)
    _, grads = fast(x, more=[y])
    np.testing.assert_allclose(grads[y], np.ones(3))
    assert {"w", "x"} < set(grads) and grads[x] is grads["x"]
    _, grads = fast(x.detach(), more=[y])
    assert "x" not in grads


def test_errors_are_those_of_the_tape():
    lstm = LSTM(3, 4, rng=0)
    fast = compile(lstm.error)
    with pytest.raises(ShapeError, match="does not fit this LSTM"):
        fast(X[..., :2], Y)
    with pytest.raises(GradientError, match="nothing to differentiate"):
        compile(lambda x: Tensor(x).sum())(X)
    with pytest.raises(DtypeError, match="returns no Tensor"):
        compile(lambda x: 3)(X)
    with pytest.raises(GradientError, match="real scalar"):
        compile(lambda x: lstm.W_f * 2)(X)
    with pytest.raises(DtypeError, match="no such backend"):
        compile(lstm.error, backend="fortran")
    with pytest.raises(GradientError, match="nothing to differentiate"), no_grad():
        fast(X, Y)


def test_a_function_that_calls_backward_fills_grad_each_time():
    w = Tensor(np.ones(2), True, "w")

    def loss(x):
        squared_error(w, x).backward()
        return squared_error(w, x)

    fast = compile(loss)
    for _ in range(3):
        fast(np.zeros(2))
    assert w.grad.tolist() == [3.0, 3.0]
