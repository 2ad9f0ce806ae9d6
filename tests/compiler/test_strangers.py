"""Functions as people write them: records of arrays, iterators, caught errors, counters."""

import copy
import dataclasses
import itertools
import pickle
import types
from collections import OrderedDict, defaultdict

import numpy as np
import pytest

from tinygrad_lstm import LSTM, Tensor, compile, gradients, nn, optim
from tinygrad_lstm.errors import DataError, ShapeError

X = np.arange(6.0).reshape(2, 3)
w = Tensor(np.ones(3), True, "w")


@dataclasses.dataclass
class Batch:
    x: np.ndarray
    scale: float = 2.0


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    x: np.ndarray
    scale: float = 2.0


@dataclasses.dataclass
class Model:
    w: Tensor
    scale: float = 2.0
    calls: int = 0

    @property
    def x(self):
        self.calls += 1
        return self.w * X


def both(fast, eager, *args):
    loss, grads = fast(*args)
    expected = eager(*args)
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    np.testing.assert_allclose(grads["w"], gradients(expected)["w"], rtol=1e-12)


@pytest.mark.parametrize(
    "made",
    [
        Batch,
        Frozen,
        lambda x: types.SimpleNamespace(x=x, scale=2.0),
        lambda x: OrderedDict(x=x, scale=2.0),
        lambda x: defaultdict(float, x=x, scale=2.0),
    ],
)
def test_records_of_arrays_are_arguments_as_dictionaries_are(made):
    def loss(batch):
        get = batch.__getitem__ if isinstance(batch, dict) else lambda name: getattr(batch, name)
        return ((w * get("x")) ** get("scale")).sum()

    fast = compile(loss)
    for k in range(1, 40):
        both(fast, loss, made(X * k))
    plan = fast.plan(made(X))
    assert plan.compiled and fast.plan(made(X + 1)) is plan
    assert fast.plan(made(np.ones((5, 3)))) is not plan


def test_a_record_with_tensors_keeps_their_names_and_what_it_holds_is_read_afresh():
    def loss(model):
        return (model.w * X).sum() * model.scale

    fast, model = compile(loss), Model(w)
    both(fast, loss, model)
    model.scale = 5.0
    both(fast, loss, model)
    model.w = Tensor(np.full(3, 2.0), True, "w")
    both(fast, loss, model)
    assert fast.plan(model).compiled


class Trainer:
    """As people write one: what it is compiled into, and what else it keeps, stand beside."""

    def __init__(self):
        self.w, self.scale, self.history, self.steps = Tensor(np.ones(3), True, "w"), 2.0, [], 0
        self.fast = compile(self.loss)
        self.opt = optim.Adam({"w": self.w})

    def loss(self, x):
        return (self.w * x).sum() * self.scaled() * getattr(self, "factor", 1.0)

    def scaled(self):
        return self.scale

    def step(self, x):
        loss, grads = self.fast(x)
        self.w.grad = grads["w"]
        self.opt.step()
        self.history.append(loss)
        self.steps += 1


class Noted(Trainer):
    def loss(self, x):
        return super().loss(x) * self.scaled()

    def step(self, x):
        super().step(x)
        self.last = self.history[-1]


@pytest.mark.parametrize("kind", [Trainer, Noted])
def test_what_a_trainer_keeps_beside_its_loss_keeps_the_program(kind):
    trainer = kind()
    plan = trainer.fast.plan(X)
    for _ in range(3):
        trainer.step(X)
        both(trainer.fast, trainer.loss, X)
    if kind is Trainer:  # whose code asks for what it names alone
        assert trainer.fast.plan(X) is plan
    assert plan.compiled and len(trainer.history) == 3
    for name in ("scale", "factor"):
        setattr(trainer, name, 5.0)
        both(trainer.fast, trainer.loss, X)
    assert trainer.fast.plan(X).compiled


def counts(model):
    return model.x.sum() * model.calls


def takes(things):
    return (w * things.pop("x")).sum() * len(things)


def replaces(things):
    things[0] = things[0] * 2
    return (w * things[0]).sum()


@pytest.mark.parametrize(
    ("function", "make"),
    [
        (counts, lambda: Model(w)),
        (takes, lambda: {"x": X, "y": 1}),
        (replaces, lambda: [X]),
    ],
)
def test_a_function_that_changes_its_arguments_runs_on_the_tape(function, make):
    fast = compile(function)
    for _ in range(2):
        one, two = make(), make()
        loss, _ = fast(one)
        assert loss == function(two).item()
        if function is counts:
            assert one.calls == two.calls == 1
        else:
            assert len(one) == len(two)
    assert fast.plan(make()).reason == "it changes its arguments"


def test_a_record_that_contains_itself_runs_on_the_tape():
    batch = Batch(X)
    batch.scale = batch
    fast = compile(lambda batch: (w * batch.x).sum())
    assert fast(batch)[0] == X.sum() and "themselves" in fast.plan(batch).reason


@pytest.mark.parametrize("backend", ["numpy", None])
def test_lengths_and_masks_are_arguments(backend):
    model = nn.LSTM(3, 2, num_layers=2, bidirectional=True, rng=0)
    rng = np.random.default_rng(0)

    def loss(x, lengths, mask):
        y, last = model(x, lengths=lengths)
        error = top.error(y, np.ones((4, 3, 2)), lengths=lengths, mask=mask)
        return (y**2).sum() + last[0].sum() + error

    top = nn.LSTM(4, 2, rng=1)
    fast, everywhere = compile(loss, backend=backend), np.ones(4)
    with pytest.raises(ShapeError, match="do not fit the batch"):
        fast(rng.normal(size=(4, 3, 3)), np.array([5, 1, 1]), everywhere)
    for lengths, mask in (([4, 2, 1], [1, 1, 1, 1]), ([1, 4, 3], [0, 1, 0, 1]), ([4] * 3, [1] * 4)):
        args = rng.normal(size=(4, 3, 3)), np.array(lengths), np.array(mask, float)
        loss_, grads = fast(*args)
        expected = loss(*args)
        assert loss_ == pytest.approx(expected.item(), rel=1e-12)
        g = gradients(expected)
        for leaf in (*model.parameters().values(), *top.parameters().values()):
            np.testing.assert_allclose(grads[leaf], g[leaf], rtol=1e-9, atol=1e-12)
    plan = fast.plan(*args)
    assert plan.compiled
    with pytest.raises(ShapeError, match="do not fit the batch"):
        fast(args[0], np.array([4, 0, 1]), everywhere)
    with pytest.raises(DataError, match="no block has a loss"):
        fast(*args[:2], np.zeros(4))
    assert fast.plan(*args) is plan


class Loader:
    def __init__(self):
        self.batches = iter([1.0, 2.0, 3.0])
        self.scale = 2.0


@pytest.mark.parametrize(
    "source",
    [
        lambda: iter([1.0, 2.0, 3.0]),
        lambda: (k for k in (1.0, 2.0, 3.0)),
        lambda: itertools.count(1.0),
        lambda: map(float, range(1, 4)),
    ],
)
def test_what_an_iterator_gives_is_another_thing_each_time(source):
    def made():
        numbers = source()
        return lambda x: (w * x).sum() * next(numbers)

    function, eager = made(), made()
    fast = compile(function)
    for _ in range(3):
        both(fast, eager, X)
    assert "iterator" in fast.plan(X).reason
    fast = compile(lambda x, numbers: (w * x).sum() * next(numbers))
    one, two = source(), source()
    for _ in range(3):
        assert fast(X, one)[0] == X.sum() * next(two)


def test_an_iterator_that_code_does_not_name_keeps_nobody_from_a_program():
    loader = Loader()
    fast = compile(lambda x: (w * x).sum() * loader.scale)
    assert fast(X)[0] == 2 * X.sum() and fast.plan(X).compiled
    fast = compile(lambda x: (w * x).sum() * next(loader.batches))
    assert [fast(X)[0] for _ in range(3)] == [X.sum() * k for k in (1, 2, 3)]


def asks_item(x):
    try:
        return (w * x).sum() * (w * x).sum().item()
    except Exception:
        return (w * x).sum() * 7.0


def asks_bool(x):
    y = w * x
    try:
        if y.sum() > 0:
            y = y * 2
    except BaseException:
        y = y * 7
    return y.sum()


@pytest.mark.parametrize("function", [asks_item, asks_bool])
def test_what_is_asked_in_vain_and_caught_is_noticed(function):
    fast = compile(function)
    both(fast, function, X)
    both(fast, function, -X)
    assert "its value" in fast.plan(X).reason


def test_a_counter_on_a_class_counts_each_call_once():
    class Counter:
        n = 0

    class Derived(Counter):
        pass

    def loss(x):
        Counter.n += 1
        Derived.m = Counter.n
        return (w * x).sum() * Counter.n

    fast = compile(loss)
    assert [fast(X)[0] for _ in range(3)] == [X.sum() * k for k in (1, 2, 3)]
    assert Counter.n == Derived.m == 3


@pytest.mark.parametrize(
    "sent", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_a_copy_records_for_itself(sent):
    lstm = LSTM(3, 2, rng=0)
    x, y = np.ones((4, 2, 3)), np.zeros((4, 2, 2))
    fast = compile(lstm.error, passes=["contract", "merge"])
    loss, _ = fast(x, y)
    other = sent(fast)
    assert other(x, y)[0] == loss
    assert "merge" in str(other.plan(x, y)) and "lift" not in str(other.plan(x, y))
