"""The tape as users see it, and what keeps it right: order, memory, threads, in-place edits."""

import gc
import pickle
import threading
import weakref

import numpy as np
import pytest

from tinygrad_lstm import (
    LSTM,
    Error,
    GradientError,
    ShapeError,
    Tensor,
    UnknownNameError,
    block,
    gradients,
    no_grad,
    scope,
    tanh,
)
from tinygrad_lstm.engine import naming


@pytest.fixture
def x():
    return Tensor([1.0, 2.0, 3.0], requires_grad=True, name="x")


def test_stages_say_what_they_are(x):
    with block(2):
        y = (x * 2.0).named("y")
    z = y.sum(axis=0)
    first, second = z.tape.stages
    assert (first.op, first.name, first.block, first.output) == ("multiply", "y<2>", 2, y)
    assert first.inputs[0] is x and first.inputs[1] == 2.0
    assert (second.op, second.name, second.block, second.params) == (
        "sum",
        "sum#1",
        None,
        {"axis": 0, "keepdims": False},
    )
    assert str(z.tape).splitlines()[0] == "tape of sum#1: 2 stages, 0 forks"
    assert "y<2> = multiply(x, 2.0)" in str(z.tape)


def test_names_have_one_canonical_spelling():
    with block(3):
        gate = (Tensor(1.0, requires_grad=True) * 2.0).named("Γ_f")
    g = gradients(gate * 1.0)
    assert g["Γ_f<3>"] == g["gamma_f<3>"] == 1.0
    with pytest.raises(UnknownNameError, match="did you mean 'Γ_f<3>'"):
        g["Γ_f<2>"]


def test_a_name_that_is_only_looked_for_needs_no_hint(monkeypatch):
    asked = []
    monkeypatch.setattr(
        naming.difflib, "get_close_matches", lambda text, *args, **kw: asked.append(text) or []
    )
    with scope("a"), block(3):
        gate = (Tensor(1.0, True, "W") * 2.0).named("h")
    g = gradients(gate * 1.0)
    assert "g<3>" not in g and "h<3>" in g and not asked
    with pytest.raises(UnknownNameError) as found:
        g["g<3>"]
    assert not asked
    again = pickle.loads(pickle.dumps(found.value))
    assert "lists them" in str(found.value) and str(again) == str(found.value)
    assert asked == ["g"] and found.value.do and repr(found.value).count(";") == 1


def test_a_name_given_twice_is_refused_but_the_tensors_answer(x):
    a, b = (x * 2.0).named("h"), (x * 3.0).named("h")
    g = gradients((a + b).sum())
    with pytest.raises(UnknownNameError, match="2 values are called 'h'"):
        g["h"]
    assert g[a].tolist() == [1, 1, 1]


def test_gradients_knows_what_it_does_not_have(x):
    k = Tensor(2.0, name="k")
    g = gradients((x * k).sum())
    with pytest.raises(UnknownNameError, match="a constant"):
        g["k"]
    with pytest.raises(UnknownNameError, match="not on this tape"):
        g[Tensor(1.0, requires_grad=True)]
    assert "x" in g and "k" not in g and g.get("nobody") is None
    assert list(g) == ["x", "multiply#1", "sum#1"]


@pytest.mark.parametrize("stages", [100_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_a_million_stages_without_recursion(stages):
    x = Tensor(1.0, requires_grad=True)
    y = x
    for _ in range(stages):
        y = y + 1e-6
    y.backward()
    assert x.grad == 1.0
    watch = weakref.ref(y)
    del y  # freeing the chain must not recurse either
    assert watch() is None


def test_a_graph_is_freed_without_the_cycle_collector(x):
    gc.disable()
    try:
        y = x * 2.0
        loss = tanh(y).sum()
        loss.backward()
        gradients(loss)
        str(loss.tape)
        watch = weakref.ref(y)
        del y, loss
        assert watch() is None
    finally:
        gc.enable()


def test_threads_record_at_the_same_time():
    found = {}

    def work(k):
        with block(k):
            x = Tensor(np.full(4, float(k)), requires_grad=True, name="x")
            y = x
            for _ in range(200):
                y = y * 1.01
            if k % 2:
                with no_grad():
                    assert not (x * 2.0).requires_grad
            (y * x).sum().backward()
            found[k] = x.grad[0], y.block

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert found == {k: (pytest.approx(2 * k * 1.01**200), k) for k in range(8)}


def test_no_grad_survives_an_exception_and_decorates(x):
    with pytest.raises(ZeroDivisionError), no_grad():
        1 / 0  # noqa: B018
    assert (x * 2.0).requires_grad

    @no_grad()
    def f():
        return (x * 2.0).requires_grad

    assert f() is False and (x * 2.0).requires_grad


class TestBackward:
    def test_grad_adds_up_over_graphs(self, x):
        for n in (1, 2):
            (x * x).sum().backward()
            np.testing.assert_array_equal(x.grad, n * 2 * x.numpy())
        x.zero_grad()
        assert x.grad is None

    def test_a_second_run_raises_and_changes_nothing(self, x):
        y = (x * x).sum()
        y.backward()
        before = x.grad.copy()
        with pytest.raises(GradientError, match=r"already run .* detach"):
            y.backward()
        np.testing.assert_array_equal(x.grad, before)

    def test_retain_graph(self, x):
        y = (x * x).sum()
        y.backward(retain_graph=True)
        y.backward()
        np.testing.assert_array_equal(x.grad, 4 * x.numpy())

    def test_a_carried_state_must_be_detached(self, x):
        state = tanh(x)
        state.sum().backward()
        with pytest.raises(GradientError, match="detach"):
            (state * 2.0).sum().backward()
        (state.detach() * x).sum().backward()

    def test_needs_a_scalar_or_a_gradient(self, x):
        with pytest.raises(GradientError, match=r"scalar .* expected shape \(\), got \(3,\)"):
            (x * 2.0).backward()
        with pytest.raises(GradientError, match=r"expected \(3,\), got \(2,\)"):
            (x * 2.0).backward(np.ones(2))
        (x * 2.0).backward([1.0, 0.0, 2.0])
        assert x.grad.tolist() == [2.0, 0.0, 4.0]

    def test_needs_something_to_differentiate(self):
        with pytest.raises(GradientError, match="nothing to differentiate"):
            Tensor(1.0).backward()

    def test_of_a_leaf(self):
        x = Tensor(2.0, requires_grad=True)
        x.backward()
        assert x.grad == 1.0
        assert gradients(x)[x] == 1.0 and len(x.tape) == 0

    def test_integers_have_no_derivative(self):
        with pytest.raises(
            TypeError, match=r"expected float32, float64 or complex, got int64.*3\.0 for 3"
        ):
            Tensor([1, 2], requires_grad=True, name="n")


class TestEdits:
    """An edit of a value that backward needs raises; it never gives a wrong gradient."""

    def test_of_a_leaf_between_forward_and_backward(self, x):
        y = (x * x).sum()
        x.data[0] = 9.0
        with pytest.raises(GradientError, match=r"stage multiply: x \(3,\) was edited"):
            y.backward()
        assert x.grad is None

    def test_through_a_view_that_was_taken_before(self, x):
        view = x.data[1:]
        y = (x * x).sum()
        view[0] = 9.0
        with pytest.raises(GradientError, match="was edited"):
            y.backward()

    def test_by_replacing_the_value(self, x):
        y = (x * x).sum()
        x.data = np.zeros(3)
        with pytest.raises(GradientError, match="was edited"):
            gradients(y)

    def test_of_a_constant(self, x):
        k = Tensor([1.0, 2.0, 3.0], name="k")
        y = (x * k).sum()
        k[0] = 5.0
        with pytest.raises(GradientError, match="k .* was edited"):
            y.backward()

    def test_of_the_original_arrays_does_not_reach_the_graph(self):
        original, factor = np.array([1.0, 2.0]), np.array([3.0, 4.0])
        x = Tensor(original, requires_grad=True)
        y = (x * factor).sum()
        original[:] = factor[:] = 0.0
        y.backward()
        assert x.grad.tolist() == [3.0, 4.0]

    def test_of_a_detached_view_does_not_reach_the_graph(self, x):
        y = (x * x).sum()
        x.detach().data[0] = 9.0
        x.detach().reshape(3, 1).data[0] = 9.0
        y.backward()
        assert x.grad.tolist() == [2.0, 4.0, 6.0]

    def test_of_a_computed_value_is_refused_at_once(self, x):
        y = x * 2.0
        with pytest.raises(ValueError, match="read-only"):
            y.data[0] = 1.0
        with pytest.raises(GradientError, match="cannot be assigned"):
            y[0] = 1.0
        with pytest.raises(GradientError, match="cannot be replaced"):
            y.data = np.zeros(3)

    def test_of_a_leaf_is_free_before_and_after(self, x):
        for _ in range(3):
            x.zero_grad()
            x.data[0] += 1.0
            held = x.data
            (x * x).sum().backward()
            np.testing.assert_array_equal(x.grad, 2 * x.numpy())
            held -= 0.1 * x.grad  # through a handle that is kept
            x.data -= 0.1 * x.grad

    def test_that_changes_nothing_is_no_edit(self, x):
        y = (x * x).sum()
        x.data[0] = 1.0
        y.backward()
        assert x.grad.tolist() == [2.0, 4.0, 6.0]

    def test_as_an_optimizer_makes_it(self, x):
        (x * x).sum().backward()
        same = x
        with no_grad():
            x -= 0.5 * x.grad
        assert x is same and x.numpy().tolist() == [0.0, 0.0, 0.0] and x.requires_grad

    def test_in_place_operators_record_a_new_value(self, x):
        y = x
        y += 1.0
        assert y is not x and y.tape.stages[0].op == "add" and x.numpy().tolist() == [1.0, 2.0, 3.0]


def test_thousands_of_training_steps_do_not_grow():
    import tracemalloc

    w = Tensor(np.ones(8), requires_grad=True)
    gc.disable()
    try:

        def train(steps):
            for _ in range(steps):
                w.zero_grad()
                (tanh(w) * w).sum().backward()
                for p in (w,):
                    with no_grad():
                        p -= 1e-4 * p.grad

        tracemalloc.start()
        train(1_000)  # until what is kept once is there
        before = tracemalloc.get_traced_memory()[0]
        train(2_000)
        # less than an array for each step: Python's lists of free tuples may still fill up
        assert tracemalloc.get_traced_memory()[0] - before < 2_000 * 100
    finally:
        tracemalloc.stop()
        gc.enable()


def test_numpy_errors_name_the_stage_and_its_inputs():
    a, b = Tensor(np.ones((2, 3)), requires_grad=True, name="a"), Tensor(np.ones(4), name="b")
    with (
        block(7),
        pytest.raises(
            ShapeError, match=r"multiply in block 7: .* got a float64 \(2, 3\), b float64 \(4,\)"
        ),
    ):
        a * b
    with pytest.raises(IndexError, match="index: "):
        a[5]
    assert issubclass(ShapeError, Error) and issubclass(ShapeError, ValueError)


def test_numpy_functions_record():
    x = Tensor([0.1, 0.2], requires_grad=True)
    y = np.float64(2) * np.tanh(np.concatenate([x, np.ones(1)])) + np.ones((3, 1))
    assert isinstance(y, Tensor) and y.shape == (3, 3)
    assert [s.op for s in (np.ones((4, 2)) @ x).tape] == ["matmul"]
    with pytest.raises(TypeError, match=r"np\.spacing: no derivative rule"):
        np.spacing(x)
    with pytest.raises(TypeError, match="no derivative rule"):
        np.fft.hfft(x)
    with pytest.raises(GradientError, match="would lose"):
        np.asarray(x)


def test_float32_stays_float32():
    x = Tensor(np.ones(3, np.float32), requires_grad=True)
    y = (2 * tanh(x) / 3.0 + 1).mean()
    assert y.dtype == np.float32
    y.backward()
    assert x.grad.dtype == np.float32
    mixed = (x * np.arange(3.0)).sum()
    assert mixed.dtype == np.float64 and gradients(mixed)[x].dtype == np.float32


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Tensor([[1.0], [1.0, 2.0]]), "no Tensor can be made"),
        (lambda: Tensor(1.0, dtype="junk"), "no Tensor can be made"),
        (lambda: Tensor(["1"], dtype=float), "holds numbers"),
        (lambda: Tensor([1j], dtype=float), "imaginary part would be lost"),
        (lambda: Tensor(np.array([{}])), "holds numbers"),
    ],
)
def test_what_is_no_tensor_is_refused(make, match):
    with pytest.raises(TypeError, match=match) as caught:
        make()
    assert isinstance(caught.value, Error)


@pytest.mark.parametrize("edit", [lambda i: i.__setitem__(1, 2), lambda i: i.fill(0)])
def test_an_index_edited_later_does_not_change_the_gradient(edit):
    from tinygrad_lstm import index

    x, key, start, stop = (
        Tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True),
        np.array([0, 1]),
        np.array(1),
        np.array(3),
    )
    y = index(x, key=key).sum() + x[key].sum() + x[start:stop].sum()
    edit(key)
    start[...] = stop[...] = 0
    y.backward()
    assert x.grad.tolist() == [2.0, 3.0, 1.0, 0.0]
    with pytest.raises(ValueError, match="read-only"):
        y.tape.stages[0].params["key"][0] = 3


def test_a_computed_value_cannot_be_made_writeable(x):
    y = x * 2.0
    with pytest.raises(ValueError, match="WRITEABLE"):
        y.numpy().flags.writeable = True


def test_threads_add_to_one_leaf():
    import sys

    x = Tensor(np.zeros(3), requires_grad=True)

    def work():
        for _ in range(100):
            (x * 1.0).sum().backward()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work) for _ in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    finally:
        sys.setswitchinterval(interval)
    assert x.grad.tolist() == [800.0] * 3


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (
            lambda: gradients(5),
            "gradients: only a Tensor can be differentiated: expected a Tensor, got int",
        ),
        (lambda: Tensor(1.0, name=5), "a name is a str"),
        (lambda: LSTM(1, 1, rng=-1), "seed from 0 or a Generator, got -1"),
        (lambda: LSTM(1, 1, rng="a"), "seed from 0 or a Generator"),
    ],
)
def test_what_is_no_argument_is_refused(make, match):
    with pytest.raises(Error, match=match):
        make()
