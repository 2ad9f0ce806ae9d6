"""Each pass changes what it says, and not what is computed."""

import gc
from collections import Counter

import numpy as np
import pytest

from tinygrad_lstm import (
    LSTM,
    Tensor,
    add_n,
    compile,
    concatenate,
    gradients,
    sigmoid,
    squared_error,
    tanh,
)
from tinygrad_lstm.compiler.graph import Value, in_order
from tinygrad_lstm.compiler.passes import accumulate, apart, panels
from tinygrad_lstm.compiler.passes.optimise import BACKEND, ORDER, PASSES, optimise
from tinygrad_lstm.compiler.planned import Planned, taken
from tinygrad_lstm.compiler.reference import evaluate
from tinygrad_lstm.compiler.trace import trace
from tinygrad_lstm.compiler.tracer import Tracer

T, N, D, H = 4, 2, 3, 5
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(T, N, D)), RNG.normal(size=(T, N, H))
GRU = {f"W_{g}": Tensor(RNG.normal(size=(H, H + D)), True, f"W_{g}") for g in "run"}


def gru(x, y):
    h, errors = Tensor(np.zeros((N, H)), True, "h<0>"), []
    for t in range(T):
        z = concatenate([h, x[t]], axis=-1)
        r, u = (tanh(z @ GRU[f"W_{g}"].T) for g in "ru")
        n = tanh(concatenate([r * h, x[t]], axis=-1) @ GRU["W_n"].T)
        h = u * h + (1.0 - u) * n
        errors.append(squared_error(h, y[t]))
    return add_n(*errors)


def rnn(x, y):
    h, W = Tensor(np.zeros((N, H)), True, "h<0>"), GRU["W_r"]
    for t in range(T):
        h = tanh(concatenate([h, x[t]], axis=-1) @ W.T)
    return ((h - y[-1]) ** 2).sum()


def fused(x, y):
    """An LSTM whose gates are slices of one sum."""
    h, c = (Tensor(np.zeros((N, H)), True, f"{name}<0>") for name in "hc")
    errors = []
    for t in range(T):
        s = concatenate([h, x[t]], axis=-1) @ FUSED.T
        i, f, g, o = (tanh(s[:, k * H : (k + 1) * H]) for k in range(4))
        c = f * c + i * g
        h = o * tanh(c)
        errors.append(squared_error(h, y[t]))
    return add_n(*errors)


def stacked(x, y):
    """The loss of all outputs at once, which sends a slice back to every block."""
    a, _ = FUNCTIONS["lstm"].__self__(x)
    return squared_error(a[1:], y[1:]) + (a[0] * y[0]).sum()


BIASES = [Tensor(RNG.normal(size=H), True, f"b_{i}") for i in range(2)]
FUSED = Tensor(RNG.normal(size=(4 * H, H + D)), True, "W")
FUNCTIONS = {"lstm": LSTM(D, H, rng=0).error, "gru": gru, "rnn": rnn} | {
    "fused": fused,
    "stacked": stacked,
}


def recorded(function, *arrays, contracts=False):
    tracer = Tracer(contracts=contracts)
    xs = [tracer.abstract(tracer.input(i, a)) for i, a in enumerate(arrays or (X, Y))]
    return trace(lambda: function(*xs), {}, tracer)


def computed(program, roots):
    given = {
        n: (X, Y)[source] if isinstance(source, int) else source._array
        for n, source in program.inputs.items()
    }
    return evaluate(program.graph, roots, given, {})


def counts(roots):
    return Counter(v.op for v in in_order(roots))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_blocks_send_back_is_contracted_as_it_is_recorded(name):
    whole, less = (recorded(FUNCTIONS[name], contracts=contracts) for contracts in (False, True))
    for a, b in zip(computed(whole, whole.roots), computed(less, less.roots), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    _, first = optimise(whole.graph, whole.roots)
    _, then = optimise(less.graph, less.roots)
    assert sum(then[0].counts.values()) < sum(first[0].counts.values())
    assert [d.counts for d in then[2:]] == [d.counts for d in first[2:]]  # from `contract` on


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("passes", [(p,) for p in PASSES] + [tuple(PASSES)], ids=lambda p: p[-1])
def test_a_pass_changes_no_result(name, passes):
    program = recorded(FUNCTIONS[name])
    before = computed(program, program.roots)
    backend = BACKEND.get(passes[0], "numpy")
    roots, done = optimise(program.graph, program.roots, passes, backend)
    here = [p for p in ORDER if p in passes and BACKEND.get(p, backend) == backend]
    assert [d.name for d in done] == ["recorded", *here]
    for a, b in zip(before, computed(program, roots), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    order = program.graph.order(roots)
    place = {v: i for i, v in enumerate(order)}
    assert place.keys() == set(in_order(roots))
    assert all(place[a] < place[v] for v in order for a in v.args)


@pytest.mark.parametrize("without", PASSES)
def test_a_program_without_one_of_the_passes(without):
    fast = compile(FUNCTIONS["lstm"], passes=[p for p in PASSES if p != without])
    expected = gradients(FUNCTIONS["lstm"](X, Y))
    for name, total in fast(X, Y)[1].items():
        np.testing.assert_allclose(total, expected[name], rtol=1e-11, atol=1e-12)


def test_what_each_pass_does_to_the_lstm():
    program = recorded(FUNCTIONS["lstm"])
    _, done = optimise(program.graph, program.roots)
    left = {d.name: d.counts for d in done}
    assert left["recorded"]["matmul"] == 12 * T  # four gates: forward, by z and by W
    # by z one for the four gates; by W one for all blocks
    assert left["contract"]["matmul"] == 4 * T + T + 4 and left["contract"]["dot"] == 1
    # one for all x, T recurrent ones, T by the state, two by all weights
    assert left["merge"]["matmul"] == 1 + T + T + 2
    assert left["align"]["concatenate"] < left["contract"]["concatenate"]
    assert left["columns"]["sum"] == 1
    assert left["lift"]["subtract"] == left["columns"]["subtract"] - T + 1
    # the biases of four gates, and their gradients, come with the products by x
    assert left["lift"]["add"] - left["ones"]["add"] == 4 * T and left["ones"]["sum"] == 0
    assert left["ones"]["matmul"] == left["lift"]["matmul"]
    # in every block the sums of four gates, and the sigmoids of three, which stand side by side,
    # and their derivatives
    assert left["ones"]["add"] - left["widen"]["add"] >= 3 * T
    assert left["lift"]["formula"] - left["widen"]["formula"] == 2 * 2 * T
    assert left["accumulate"] == left["overlap"]  # small sums are left
    assert left["overlap"]["concatenate"] == left["turn"]["concatenate"] - 1


def optimised(function):
    program = trace(function, {}, Tracer())
    return optimise(program.graph, program.roots)[0]


def test_large_values_are_not_widened():
    def both(rows):
        x = Tensor(np.ones((rows, 256)), True, "x")
        return (tanh(x[:, :128]) * tanh(x[:, 128:])).sum()

    assert counts(optimised(lambda: both(32)))["tanh"] == 1
    assert counts(optimised(lambda: both(64)))["tanh"] == 2


@pytest.mark.parametrize("name", ["lstm", "fused"])
def test_small_columns_lie_densely(name):
    def strided(passes):
        plan = Planned(recorded(FUNCTIONS[name]), "numpy", passes)
        read = [(k, v) for kind, k in plan.instructions if kind == "kernel" for v in k.inputs]
        return sum(
            plan.memory.where(v).strides[-2:] == (4 * H, 1) for k, v in read if v.shape == (N, H)
        )

    assert strided(tuple(PASSES)) == 0
    assert strided([p for p in PASSES if p not in ("widen", "dense")]) > 0


def test_large_columns_stand_apart():
    rows, units = 64, 65
    lstm = LSTM(D, units, rng=0)
    x, y = np.ones((9, rows, D)), np.linspace(0, 1, 9 * rows * units).reshape(9, rows, units)
    plan = Planned(recorded(lstm.error, x, y), "numpy", tuple(PASSES))
    gates = {v.number for v in in_order(plan.roots) if v.shape == (rows, units)}
    for kind, what in plan.instructions:
        for v in what.inputs if kind == "kernel" else ():
            assert v.number not in gates or plan.memory.where(v).strides == (units, 1)
    assert counts(plan.roots)["matmul"] == 4 + 9 * 4 + 9 + 4 * 2  # for x, forward, back, by weights
    left = {d.name: d.counts for d in plan.done}
    assert left["widen"]["add"] - left["accumulate"]["add"] == 9 * 4
    expected = gradients(lstm.error(x, y))
    for backend in (None, "numpy"):  # None: native, where that is installed
        for name, total in compile(lstm.error, backend=backend)(x, y)[1].items():
            np.testing.assert_allclose(total, expected[name], rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("backend", ["numpy", None])
def test_no_product_writes_over_what_another_adds_to(backend, monkeypatch):
    monkeypatch.setattr(apart, "LARGEST", 0)  # what is done to large cells, here too
    monkeypatch.setattr(apart, "NARROW", 1)
    monkeypatch.setattr(accumulate, "LEAST", 1)
    W, V = (
        Tensor(RNG.normal(size=(D, D)), True, "W"),
        Tensor(RNG.normal(size=(2 * D, D)), True, "V"),
    )

    def loss(x):
        states = [np.tanh(x[0] @ W)]
        for row in x:
            for other in (states[-min(len(states), 4)], row):
                states.append(np.tanh(concatenate([states[-1], other], axis=1) @ V))
            states.append(sigmoid(states[-1] @ W.T) * states[-2])
        return (np.stack(states) ** 2).mean()

    expected = loss(X)
    value, grads = compile(loss, backend=backend)(X)
    assert value == pytest.approx(expected.item(), rel=1e-12)
    for name, total in grads.items():
        np.testing.assert_allclose(total, gradients(expected)[name], rtol=1e-10)


def test_a_factor_that_many_products_read_transposed_is_turned_once():
    start, W = Tensor(RNG.normal(size=(N, H))), Tensor(RNG.normal(size=(H, H)), True, "W")

    def products(blocks):
        h = start
        for _ in range(blocks):
            h = tanh(h @ W.T)
        return h.sum()

    def turned(blocks):
        values = in_order(optimised(lambda: products(blocks)))
        factors = [v.args[1] for v in values if v.op == "matmul" and v.shape == (N, H)]
        return [factor for factor in factors if factor.op == "concatenate"]

    assert not turned(7)
    assert len(turned(8)) == 8 and len(set(turned(8))) == 1
    expected = gradients(products(8))
    for name, total in compile(lambda: products(8))()[1].items():
        np.testing.assert_allclose(total, expected[name], rtol=1e-12)


@pytest.mark.parametrize(
    ("blocks", "rows", "columns", "threads", "laid"),
    [
        (8, 2, 16, 1, True),
        (7, 2, 16, 1, False),  # not often enough
        (8, 1, 16, 1, False),  # no product of matrices
        (8, 2, 20, 1, False),  # the last panel is not full
        (8, 300, 16, 1, False),  # a BLAS is as fast
        (8, 2, 16, 2, True),  # too small for several threads
        (8, 250, 64, 2, False),
        (8, 250, 64, None, False),
    ],
)
def test_a_factor_that_many_products_read_is_laid_out_in_panels(
    blocks, rows, columns, threads, laid, monkeypatch
):
    monkeypatch.setattr(panels, "threads", lambda: threads)
    h = Tensor(RNG.normal(size=(rows, columns)))
    W = Tensor(RNG.normal(size=(columns, columns)), True, "W")

    def products():
        y = h
        for _ in range(blocks):
            y = tanh(y @ W)
        return y.sum()

    program = trace(products, {}, Tracer())
    before = computed(program, program.roots)
    roots, done = optimise(program.graph, program.roots, backend="native")
    left = {d.name: d.counts for d in done}
    assert left["panels"] - left["apart"] == (Counter(panels=1) if laid else Counter())
    factors = {v.args[1] for v in in_order(roots) if v.op == "matmul" and v.shape == h.shape}
    assert {f.op for f in factors} >= ({"panels"} if laid else set()) and len(factors) <= 2
    for x, y in zip(before, computed(program, roots), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-10)


def test_what_the_passes_do_to_a_gru():
    program = recorded(FUNCTIONS["gru"])
    _, done = optimise(program.graph, program.roots)
    # two forward and two backward in a block; what is left does not grow with T
    assert done[0].counts["matmul"] == 9 * T
    assert done[-1].counts["matmul"] <= 4 * T + 9


@pytest.mark.parametrize("name", ["fused", "stacked"])
def test_slices_are_gathered(name):
    program = recorded(FUNCTIONS[name])
    assert counts(program.roots)["place"] >= 2
    roots, _ = optimise(program.graph, program.roots)
    assert counts(roots)["place"] == 0


def plain(x, y):
    """Two layers as they are written without functions of the library's own."""
    zeros, total = Tensor(np.zeros((N, H))), 0
    h = [zeros, zeros]
    for t in range(T):
        h[0] = tanh(concatenate([h[0], x[t]], axis=1) @ GRU["W_r"].T + BIASES[0])
        h[1] = tanh(concatenate([h[1], h[0][:, :D]], axis=1) @ GRU["W_u"].T + BIASES[1])
        total = total + 0.5 * ((y[t] - h[1]) ** 2).sum()
    return total


def test_transposed_weights_powers_and_a_total_from_zero_cost_nothing():
    plan = Planned(recorded(plain), "native", tuple(PASSES))
    left = counts(plan.roots)
    # in a block, but for the first and the last, forward and back two for each layer
    assert left["matmul"] <= 4 * T + 4 and left["power"] == 0 and left["sum"] <= 3
    for kind, what in plan.instructions:
        for v in what.inputs if kind == "kernel" else ():
            assert v.ndim != 1 or plan.memory.where(v).strides == (1,)  # a bias is no column
            assert v.shape != (1, 1)
    expected = gradients(plain(X, Y))
    for backend in ("numpy", None):
        for name, total in compile(plain, backend=backend)(X, Y)[1].items():
            np.testing.assert_allclose(total, expected[name], rtol=1e-11, atol=1e-12)


def test_sums_of_products_of_two_factors_are_products():
    W, V = (Tensor(RNG.normal(size=shape), True, f"W{shape}") for shape in ((D, H), (2, H, D)))

    def loss(x, y):
        h = np.einsum("tnd,dh->htn", x, W) + np.einsum("khd,tnd", V, x).sum(axis=1).mT
        return (h**2).sum() + np.tensordot(V, x, (2, 2)).sum()

    counted = counts(recorded(loss).roots)
    assert counted["matmul"] and not counted["call"]
    expected = loss(X, Y)
    value, grads = compile(loss)(X, Y)
    assert value == pytest.approx(expected.item(), rel=1e-12)
    for leaf in (W, V):
        np.testing.assert_allclose(grads[leaf], gradients(expected)[leaf], rtol=1e-11)


def test_an_unknown_pass_is_refused():
    with pytest.raises(TypeError, match="no such pass"):
        compile(gru, passes=["contract", "unroll"])


def test_a_pass_that_only_numpy_gains_by_is_left_out_for_compiled_loops():
    program = recorded(FUNCTIONS["rnn"])
    for backend in ("numpy", "native"):
        _, done = optimise(program.graph, program.roots, backend=backend)
        assert ("widen" in [d.name for d in done]) == (backend == "numpy")


def test_what_passes_have_replaced_takes_no_memory():
    def alive():
        gc.collect()
        return sum(type(x) is Value for x in gc.get_objects())

    before = alive()
    program = recorded(FUNCTIONS["lstm"])
    roots, done = optimise(program.graph, taken(program))
    assert alive() - before < 1.1 * len(in_order(roots)) < sum(done[0].counts.values())
