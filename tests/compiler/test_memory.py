"""The memory plan: nothing is read but what was written there last."""

import gc
import tracemalloc

import numpy as np
import pytest

from tinygrad_lstm import (
    LSTM,
    Tensor,
    add_n,
    compile,
    concatenate,
    gradients,
    linear,
    sigmoid,
    squared_error,
    tanh,
)
from tinygrad_lstm.compiler.graph import Value
from tinygrad_lstm.compiler.operations import LEAVES
from tinygrad_lstm.compiler.passes import accumulate, apart
from tinygrad_lstm.compiler.passes.optimise import PASSES
from tinygrad_lstm.compiler.planned import Planned
from tinygrad_lstm.compiler.strides import contiguous, reshaped
from tinygrad_lstm.compiler.trace import trace
from tinygrad_lstm.compiler.tracer import Tracer

T, N, D, H = 4, 2, 3, 5
RNG = np.random.default_rng(0)
Y = RNG.normal(size=(T, N, H))
W, b = Tensor(RNG.normal(size=(4 * H, H + D)), True, "W"), Tensor(np.zeros(4 * H), True, "b")


def fused(x, y):
    h = c = Tensor(np.zeros((N, H)))
    errors = []
    for t in range(T):
        s = linear(concatenate([h, x[t]], axis=-1), W, b)
        i, f, o = (sigmoid(s[:, k * H : (k + 1) * H]) for k in range(3))
        c = f * c + i * tanh(s[:, 3 * H :])
        h = o * tanh(c)
        errors.append(((h - y[t]) ** 2).sum())
    return add_n(*errors)


GATES = [
    (Tensor(RNG.normal(size=(H, H + D)), True), Tensor(RNG.normal(size=H), True)) for _ in "ifo"
]
PEEPHOLES = Tensor(RNG.normal(size=(3, H)), True, "p")


def peephole(x, y):
    h = c = Tensor(np.zeros((N, H)))
    outputs = []
    for t in range(T):
        z = concatenate([h, x[t]], axis=-1)
        i, f, o = (sigmoid(linear(z, *GATES[k]) + c * PEEPHOLES[k]) for k in range(3))
        c = f * c + i * tanh(o)
        outputs.append(o * tanh(c))
        h = outputs[-1]
    return squared_error(np.stack(outputs), y)


def planned(function, without=(), arrays=None):
    tracer = Tracer()
    arrays = arrays or (RNG.normal(size=(T, N, D)), RNG.normal(size=(T, N, H)))
    given = [tracer.abstract(tracer.input(i, x)) for i, x in enumerate(arrays)]
    program = trace(lambda: function(*given), {}, tracer)
    return Planned(program, "numpy", [p for p in PASSES if p not in without])


def writers(v):
    """The values whose bytes a value consists of."""
    found, waiting = set(), [v]
    while waiting:
        u = waiting.pop()
        found.add(u.number)
        if u.op in ("cut", "transpose", "reshape", "broadcast", "concatenate"):
            waiting += u.args
    return found


FUNCTIONS = {"lstm": LSTM(D, H, rng=0).error, "fused": fused, "peephole": peephole}


@pytest.mark.parametrize("large", [False, True], ids=["small", "as large"])
@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_every_instruction_reads_what_was_meant(function, large, monkeypatch):
    if large:  # what is done to large cells, here too
        monkeypatch.setattr(apart, "LARGEST", 0)
        monkeypatch.setattr(apart, "NARROW", 1)
        monkeypatch.setattr(accumulate, "LEAST", 1)
    plan = planned(function)
    memory = plan.memory
    owner = np.zeros(memory.size, np.int64)

    def first_bytes(v, place=None):
        place = place or memory.where(v)
        steps = np.meshgrid(*(np.arange(n) for n in v.shape), indexing="ij")
        moved = sum((s * n for s, n in zip(steps, place.strides, strict=True)), np.int64(0))
        return place.offset + moved * v.dtype.itemsize

    for v in plan.schedule.order:
        if v.op in LEAVES and v.number in memory.homes:
            owner[first_bytes(v)] = v.number
    for kind, what in plan.instructions:
        read = what.inputs if kind == "kernel" else [what.source] if kind == "copy" else what.args
        for v in read:
            assert set(np.unique(owner[first_bytes(v)])) <= writers(v), (kind, v)
        if kind == "copy":
            owner[first_bytes(what.source, what.place)] = what.source.number
        else:
            for v in what.outputs if kind == "kernel" else [what]:
                owner[first_bytes(v)] = v.number
    for root in plan.roots:
        assert set(np.unique(owner[first_bytes(root)])) <= writers(root)


@pytest.mark.parametrize("backend", ["numpy", None])
def test_nothing_is_kept_of_a_graph(backend):
    def values():
        gc.collect()
        return sum(type(x) is Value for x in gc.get_objects())

    before = values()
    fast = compile(lambda x: squared_error(np.sort(x * b[0] + fused(x, Y)), x), backend=backend)
    x = RNG.normal(size=(T, N, D))
    fast(x)
    assert values() <= before
    assert "run as they are: 1 sort" in str(fast.plan(x))


@pytest.mark.parametrize("backend", ["numpy", None])
def test_a_first_call_takes_less_memory_than_the_tape(backend):
    def peak(call):
        gc.collect()
        tracemalloc.start()
        call()
        return tracemalloc.get_traced_memory()[1], tracemalloc.stop()

    lstm = LSTM(16, 32, rng=0, dtype="float32")
    x, y = (RNG.normal(size=(20, 16, n)).astype("f4") for n in (16, 32))
    fast = compile(lstm.error, backend=backend)
    fast(x[:2], y[:2])
    (planned, _), (tape, _) = peak(lambda: fast(x, y)), peak(lambda: lstm.error(x, y).backward())
    assert planned < 0.95 * tape  # the graph is not there when the program runs


def test_sums_gates_and_their_gradients_share_a_place():
    # small values are computed side by side instead, which takes some memory and fewer calls
    entries = planned(LSTM(D, H, rng=0).error, without=["widen", "dense"]).memory.size / 8
    given, weights = T * N * (D + 1 + H), 4 * H * (3 * (H + D + 2) + D + 1)
    assert entries < 1.1 * (T * N * (4 * H + 4 * H + D) + given + weights + 12 * N * H)


def test_places_of_results_are_lent_until_they_are_written():
    function = LSTM(8, 16, rng=0, dtype="float32").error
    plan = planned(function, arrays=[RNG.normal(size=(T, N, n)).astype("f4") for n in (8, 16)])
    memory, ((start, end),) = plan.memory, plan.memory.results.values()
    results = set().union(*map(writers, plan.roots))
    inside = [n for n, place in memory.homes.items() if start <= place.offset < end]
    assert set(inside) - results and memory.apart == []


@pytest.mark.parametrize("backend", ["numpy", None])
def test_results_that_are_arguments(backend):
    w = Tensor(RNG.normal(size=(8, 8)), True, "w")

    def loss(x, y):
        h = x
        for _ in range(3):
            h = tanh(h @ y)
        return (w * concatenate([x[:4], y[4:]])).sum() + (h * w).sum()

    fast = compile(loss, backend=backend)
    for _ in range(2):
        x, y = RNG.normal(size=(2, 8, 8))
        g = gradients(loss(x, y))
        np.testing.assert_allclose(fast(x, y)[1]["w"], g["w"], rtol=1e-12)
    fast = compile(lambda x, y: (w * concatenate([x, y])).sum(), backend=backend)
    np.testing.assert_array_equal(fast(x[:4], y[4:])[1]["w"], np.concatenate([x[:4], y[4:]]))


def test_the_last_to_read_an_argument_writes_in_its_place():
    lstm = LSTM(D, H, rng=0)
    plan = planned(lstm.error)
    given = {plan.memory.homes[v.number].offset for v in plan.schedule.order if v.op == "input"}
    kernels = [what for kind, what in plan.instructions if kind == "kernel"]
    written = [v for k in kernels for v in k.outputs if plan.memory.where(v).offset in given]
    assert ("subtract", (T * N, H)) in [(v.op, v.shape) for v in written]  # from the targets
    fast, x = compile(lstm.error, backend="numpy"), RNG.normal(size=(T, N, D))
    assert fast(x, Y)[0] == fast(x, Y)[0] == pytest.approx(lstm.error(x, Y).item(), rel=1e-12)


def test_the_strides_of_a_view_in_another_shape():
    assert contiguous((2, 3, 4)) == (12, 4, 1)
    assert reshaped((2, 3, 4), (12, 4, 1), (6, 4)) == (4, 1)
    assert reshaped((6, 4), (4, 1), (2, 12)) == (12, 1)
    assert reshaped((2, 3), (10, 1), (6,)) is None
    assert reshaped((2, 3), (10, 1), (2, 1, 3)) == (10, 0, 1)
    assert reshaped((4, 1, 6), (6, 99, 1), (8, 3)) == (3, 1)
    assert reshaped((0, 3), (3, 1), (3, 0)) == (0, 1)
