"""What a function finds outside its arguments may change: the next call notices it."""

import functools
import random
import tracemalloc
import types
from collections import deque, namedtuple
from contextvars import ContextVar

import numpy as np
import pytest

from tinygrad_lstm import LSTM, Tensor, compile, gradients
from tinygrad_lstm.compiler.abstract import Untraceable
from tinygrad_lstm.compiler.trace import trace
from tinygrad_lstm.compiler.tracer import Tracer

X = np.arange(6.0).reshape(2, 3)


def agrees(fast, function, *args):
    loss, grads = fast(*args)
    expected = function(*args)
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    g = gradients(expected)
    assert len(grads) == sum(x.requires_grad for x in expected.tape.leaves)
    for name, total in grads.items():
        np.testing.assert_allclose(total, g[name], rtol=1e-12)


class Slots:
    __slots__ = ("absent", "k")

    def __init__(self):
        self.k = 2.0


class Base:
    k = 2.0

    @property
    def twice(self):
        return 2 * self.other()

    def other(self):
        return self.k


class Derived(Base):
    pass


def patched():
    module = types.ModuleType("of_the_user")
    module.k = 2.0
    return module, lambda: setattr(module, "k", 3.0), lambda: module.k


def on_slots():
    x = Slots()
    return x, lambda: setattr(x, "k", 3.0), lambda: x.k


def on_a_class():
    x = type("Own", (Derived,), {})()
    return x, lambda: setattr(type(x), "k", 3.0), lambda: x.twice


def on_a_method():
    class Own(Derived):
        def other(self):
            return 2.0

    x = Own()
    return x, lambda: setattr(Own, "other", lambda self: 5.0), lambda: x.twice


def in_a_deque():
    x = deque([2.0])
    return x, lambda: x.append(x.pop() + 1), lambda: x[0]


def in_a_set():
    x = {2.0}
    return x, lambda: (x.clear(), x.add(3.0)), lambda: sum(x)


def by_a_special_method():
    class Own:
        def __call__(self):
            return SCALES["k"]

    own = Own()
    return own, lambda: SCALES.update(k=SCALES["k"] + 1), own


def in_a_partial():
    module = types.ModuleType("of_the_user")
    module.k = 2.0
    read = functools.partial(lambda module: module.k, module)
    return read, lambda: setattr(module, "k", 3.0), read


def of_a_context():
    k = ContextVar("k", default=2.0)
    return k, lambda: k.set(3.0), k.get


def by_a_text(read):
    def make():
        x = Holder(2.0)
        return x, lambda: setattr(x, "k", 3.0), lambda: read(x)

    return make


class Holder:
    def __init__(self, k):
        self.k = k


SHOWN = "{0.k}"
TEXTS = [
    lambda x: float(SHOWN.format(x)),
    lambda x: x.__getattribute__(chr(107)),
    lambda x: eval(SHOWN[1:-1].replace("0", "x")),
    lambda x: sum(vars(x).values()),
]
SCALES = {"k": 2.0}
PLACES = [patched, on_slots, on_a_class, on_a_method, in_a_deque, in_a_set, by_a_special_method]
PLACES += [in_a_partial, of_a_context, *map(by_a_text, TEXTS)]


@pytest.mark.parametrize("make", PLACES)
def test_what_changes_is_noticed(make):
    w = Tensor(np.ones(3), True, "w")
    _, change, read = make()

    def loss(x):
        return (w * x).sum() * read()

    fast = compile(loss)
    agrees(fast, loss, X)
    assert fast.plan(X).compiled
    before = read()
    change()
    assert read() != before
    agrees(fast, loss, X)
    assert fast.plan(X).compiled


def test_the_sign_of_a_zero_that_changes_is_noticed():
    w, zeros = Tensor(np.ones(3), True, "w"), np.zeros((3, 2))

    def loss(x):
        return (w * np.copysign(x, zeros[:, 0])).sum()

    fast = compile(loss)
    agrees(fast, loss, X)
    zeros *= -1.0
    agrees(fast, loss, X)
    assert fast.plan(X).compiled


def test_data_that_an_argument_indexes_run_on_the_tape_and_are_not_kept():
    w, data = Tensor(np.ones(3), True, "w"), np.ones((200_000, 3))
    as_tensor = Tensor(data)
    fast = compile(lambda i: (w * data[i]).sum())
    tracemalloc.start()
    plan = fast.plan(np.arange(5))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < data.nbytes / 4 and "it indexes Tensors" in plan.reason
    fast = compile(lambda i: (w * as_tensor[i]).sum())
    assert fast(np.arange(5))[0] == 15 and fast.plan(np.arange(5)).compiled


def test_a_captured_tensor_that_requires_a_gradient_no_more():
    w, v = (Tensor(np.ones(3), True, name) for name in "wv")

    def loss(x):
        return (w * v * x).sum()

    fast = compile(loss)
    agrees(fast, loss, X)
    v.requires_grad = False
    agrees(fast, loss, X)
    v.requires_grad = True
    agrees(fast, loss, X)


def test_one_tensor_in_two_places_is_one_leaf():
    t, u = Tensor(X, True, "t"), Tensor(2 * X, True, "u")

    def loss(x, y):
        return (x * y * t).sum()

    fast = compile(loss)
    agrees(fast, loss, u, Tensor(X, True, "other"))
    agrees(fast, loss, u, u)
    agrees(fast, loss, t, u)  # given, and captured
    agrees(fast, loss, t, t)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: np.random.normal(),
        random.random,
        np.random.RandomState(0).uniform,
        random.Random(0).random,
    ],
)
def test_numbers_drawn_without_a_generator_are_drawn_anew(draw):
    w = Tensor(np.ones(3), True, "w")
    fast = compile(lambda x: (w * x).sum() * draw())
    assert len({float(fast(X)[0]) for _ in range(3)}) == 3
    assert "draws random numbers" in fast.plan(X).reason


def test_recording_draws_no_number():
    w = Tensor(np.ones(3), True, "w")

    def loss(x):
        return (w * x).sum() * random.random()

    random.seed(7)
    expected = [loss(X).item() for _ in range(2)]
    random.seed(7)
    fast = compile(loss)
    assert [fast(X)[0] for _ in range(2)] == expected


class Stateful:
    def __init__(self):
        self.lstm, self.state, self.seen = LSTM(2, 3, rng=0), None, []
        self.counts, self.total, self.kinds = {"calls": 0}, np.zeros(3), set()

    def loss(self, x, y):
        a, state = self.lstm(x, self.state)
        self.state = tuple(s.detach() for s in state)
        self.last = a
        self.seen.append(a)
        self.counts["calls"] += 1
        self.counts[len(self.seen)] = a
        self.total += 1
        self.kinds.add(len(self.seen))
        return ((a - y) ** 2).sum()


@pytest.mark.parametrize("asks", [False, True])
def test_what_a_function_changes_itself_it_changes_at_each_call_as_on_the_tape(asks):
    rng = np.random.default_rng(0)
    one, two = Stateful(), Stateful()

    def compiled(x, y):
        loss = one.loss(x, y)
        return loss * 1.0 if asks and loss.item() > -1 else loss

    fast = compile(compiled)
    for k in range(1, 5):
        x, y = rng.normal(size=(3, 2, 2)), rng.normal(size=(3, 2, 3))
        expected = two.loss(x, y)
        loss, grads = fast(x, y)
        assert loss == pytest.approx(expected.item(), rel=1e-12)
        np.testing.assert_allclose(grads["W_f"], gradients(expected)["W_f"], rtol=1e-12)
        np.testing.assert_array_equal(one.last.numpy(), two.last.numpy())
        assert len(one.seen) == one.counts["calls"] == one.total[0] == len(one.kinds) == k
    assert "change" in fast.plan(x, y).reason


def test_what_changes_in_an_argument_is_noticed():
    class Model:
        def __init__(self):
            self.w, self.k, self.seen = Tensor(np.ones(3), True, "w"), 1.0, []

    def loss(models, x):
        return (models["a"].w * x).sum() * models["a"].k

    def writes(models, x):
        models["a"].seen.append(1)
        return loss(models, x)

    model = Model()
    fast = compile(loss)
    agrees(fast, loss, {"a": model}, X)
    model.k = 2.0
    agrees(fast, loss, {"a": model}, X)
    model.w = Tensor(np.full(3, 5.0), True, "w")
    agrees(fast, loss, {"a": model}, X)
    agrees(fast, loss, {"a": Model()}, X)
    assert fast.plan({"a": model}, X).compiled
    fast = compile(writes)
    for _ in range(3):
        fast({"a": model}, X)
    assert len(model.seen) == 3


def test_numbers_that_change_from_call_to_call_end_on_the_tape():
    w, batch = Tensor(np.ones(3), True, "w"), namedtuple("Batch", "x y")

    def loss(batch, rate):
        return ((w * batch.x - batch.y) ** 2).sum() * np.copysign(1.0, rate) * rate

    fast = compile(loss, backend="numpy")
    for rate in (0.0, -0.0, *range(40)):
        agrees(fast, loss, batch(X + rate, X), rate)
    assert "is called with changes" in fast.plan(batch(X, X), 99).reason
    for rate in np.arange(40.0):  # numbers of NumPy's are read afresh
        agrees(fast, loss, batch(X + rate, X), rate)
    assert fast.plan(batch(X, X), np.float64(99.0)).compiled


def test_what_is_set_once_is_found_from_then_on():
    w, cache = Tensor(np.ones(3), True, "w"), {}

    def loss(x):
        if "scale" not in cache:
            cache["scale"] = np.float64(3.0)
        return (w * x).sum() * cache["scale"]

    fast = compile(loss)
    for _ in range(3):
        agrees(fast, loss, X)
    assert fast.plan(X).compiled


def test_a_value_that_another_recording_left_behind_is_not_used():
    w, left = Tensor(np.ones(3), True, "w"), []

    def keeps():
        left.append(w * 2.0)
        return left[0].sum()

    trace(keeps, {}, Tracer())
    with pytest.raises(Untraceable, match="another recording"):
        trace(lambda: (w * left[0]).sum(), {}, Tracer())
