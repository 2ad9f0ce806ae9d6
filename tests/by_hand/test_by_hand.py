"""The derivation by hand: against numbers it shares nothing with, and the document's formula where
it goes wrong."""

import ast
import inspect
from itertools import product

import numpy as np
import pytest
from cases import LEAVES, LOSSES, PARAMETERS, case, error

from tinygrad_lstm import LSTM, DataError, ShapeError, Tensor, UnknownNameError, by_hand, gradients
from tinygrad_lstm.by_hand import document
from tinygrad_lstm.lstm import errata as _errata
from tinygrad_lstm.numeric.gradcheck import numeric_gradients


def wave(*shape):
    return np.sin(np.arange(1, 1 + np.prod(shape)) * 1.7).reshape(shape)


def numeric(lstm, x, targets, state, mask):
    def total(*values):
        return LSTM.from_arrays(dict(zip(PARAMETERS, values, strict=False))).error(
            values[8], targets, values[9:], mask
        )

    return dict(
        zip(
            LEAVES,
            numeric_gradients(total, *map(Tensor, (*lstm.parameters().values(), x, *state))),
            strict=True,
        )
    )


# The true derivation.


@pytest.mark.parametrize(
    ("T", "N", "loss", "given"), [*product((1, 2, 3, 7), (1, 3), LOSSES, (False, True))]
)
def test_every_leaf_equals_the_numeric_derivative(T, N, loss, given):
    arguments = case(np.random.default_rng([T, N, given]), T, N, loss, given)
    hand, reference = by_hand.lstm(*arguments), numeric(*arguments)
    assert {name: error(hand[name], reference[name]) for name in LEAVES} == pytest.approx(
        dict.fromkeys(LEAVES, 0), abs=1e-11
    )


def test_stored_derivatives_of_another_engine():
    """PyTorch 2.13 in float64, on the same forward equations; blocks 1 and 3 have a loss."""
    arrays = {f"W_{g}": wave(2, 3) * k for k, g in enumerate("fuco", 1)} | {
        f"b_{g}": wave(2) / k for k, g in enumerate("fuco", 1)
    }
    hand = by_hand.lstm(
        LSTM.from_arrays(arrays),
        wave(3, 2, 1),
        np.cos(wave(3, 2, 2)),
        (wave(2, 2), -wave(2, 2)),
        [1, 0, 1],
    )
    stored = {
        "W_f": [
            [0.20188482740372501, -0.07814585453948311, 0.14356142992263854],
            [-0.10194106969232014, 0.025789873209040783, -0.07832641717396086],
        ],
        "W_u": [
            [-0.13453847963589044, 0.06449097792136521, -0.028689178594668546],
            [0.10734948925122598, -0.03272530811385262, 0.14850504635308945],
        ],
        "W_c": [
            [-0.43183478796821273, 0.08608339601174045, -0.4540570510118351],
            [0.19328089168161317, -0.17566023669795225, 0.017292757842543915],
        ],
        "W_o": [
            [0.07574167911218611, -0.02721630064537931, 0.08556232449431903],
            [-0.004918281989012677, -0.0077316936076622066, 0.02098173166191697],
        ],
        "b_f": [0.12241954255660326, 0.04395330302395576],
        "b_u": [-0.10203087384078839, -0.04294294368290934],
        "b_c": [-0.5352881334929626, -0.48604147708967593],
        "b_o": [0.03361204205490455, -0.007093377148503062],
        "x": [
            [[0.8780253676815418], [0.54492017640964]],
            [[0.3535025641285897], [0.019730165817252236]],
            [[0.4673883255853919], [0.243987539857222]],
        ],
        "a<0>": [
            [-0.9719509691715275, 0.3644921034598221],
            [-0.3894172205862819, -0.6034520786999575],
        ],
        "c<0>": [
            [-0.7470862786745014, -0.1202200475279543],
            [-0.09782845176918249, -0.264929091390332],
        ],
    }
    for name, value in stored.items():
        np.testing.assert_allclose(hand[name], value, rtol=1e-13, err_msg=name)


@pytest.mark.parametrize(("T", "loss"), [*product((1, 2, 5), LOSSES)])
def test_every_value_and_every_branch_of_the_tape_is_there_and_equal(T, loss):
    lstm, x, targets, state, mask = case(np.random.default_rng(T), T, 2, loss)
    x, *state = (Tensor(array, requires_grad=True) for array in (x, *state))
    g = gradients(lstm.error(x, targets, state, mask))
    hand = by_hand.lstm(lstm, x, targets, state, mask)
    branches = {
        f"{fork.name} via {b.stage.name}"
        for fork in g.tape.forks
        for b in fork.branches
        if fork.name != "x"
    }
    assert set(g) | branches <= set(hand)
    assert {name: hand[name].shape for name in hand} == {name: g[name].shape for name in hand}
    assert max(error(hand[name], g[name]) for name in hand) < 1e-12


def test_the_branches_of_each_fork_add_up():
    hand = by_hand.lstm(*case(np.random.default_rng(0), 4, 2))
    totals = {name for name in hand if any(other.startswith(f"{name} via ") for other in hand)}
    assert len(totals) == 4 * 3 + 2 + 8  # c, a, z of each block; c<0> and a<0>; the parameters
    for name in totals:
        np.testing.assert_allclose(
            sum(hand[b] for b in hand if b.startswith(f"{name} via ")),
            hand[name],
            rtol=1e-12,
            atol=1e-15,
        )


def test_blocks_after_the_last_loss_have_no_rows_and_zeros_in_x():
    hand = by_hand.lstm(*case(np.random.default_rng(0), 4, 2)[:4], mask=[0, 1, 0, 0])
    assert not [name for name in hand if "<3>" in name or "<4>" in name]
    assert not hand["x"][2:].any() and hand["x"][:2].all()
    assert "a<1> via Error<1>" not in hand and "a<2> via z<3>" not in hand
    np.testing.assert_array_equal(hand["a<1>"], hand["a<1> via z<2>"])


def test_a_trained_state_that_the_batch_shares_is_summed_over_the_batch():
    lstm, x, targets, _, _ = case(np.random.default_rng(0), 3, 4)
    shared = tuple(
        Tensor(np.random.default_rng(1).normal(size=3), requires_grad=True) for _ in "ac"
    )
    hand, g = by_hand.lstm(lstm, x, targets, shared), gradients(lstm.error(x, targets, shared))
    for name, state in zip("ac", shared, strict=True):
        assert hand[f"{name}<0>"].shape == (4, 3)
        assert error(hand[f"{name}_0"], g[state]) < 1e-12
    given = by_hand.lstm(lstm, x, targets, tuple(s.detach().numpy() for s in shared))
    assert "a_0" not in given  # not trained: a constant
    np.testing.assert_array_equal(given["c<0>"], hand["c<0>"])


def test_it_shares_no_derivative_code_with_the_tape():
    imported = {
        node.module
        for node in ast.walk(ast.parse(inspect.getsource(document)))
        if isinstance(node, ast.ImportFrom)
    }
    assert {m for m in imported if m.startswith("tinygrad_lstm")} == {
        "tinygrad_lstm.lstm.errata",
        "tinygrad_lstm.by_hand.arrays",
        "tinygrad_lstm.engine.recorder",
    }
    imported = {
        node.module
        for node in ast.walk(ast.parse(inspect.getsource(_errata)))
        if isinstance(node, ast.ImportFrom)
    }
    assert {m for m in imported if m.startswith("tinygrad_lstm")} == {
        "tinygrad_lstm.engine.names",
        "tinygrad_lstm.errors",
    }


def test_arguments_stay_as_they_are_and_results_share_no_memory():
    lstm, *arguments = case(np.random.default_rng(0), 2, 1)
    before = [np.copy(a) for a in (*arguments[:2], *arguments[2])]
    hand = by_hand.lstm(lstm, *arguments)
    for name in list(hand):
        copies = {other: value.copy() for other, value in hand.items() if other != name}
        hand[name] += 1
        assert all(np.array_equal(hand[other], value) for other, value in copies.items())
    for array, copy in zip((*arguments[:2], *arguments[2]), before, strict=True):
        np.testing.assert_array_equal(array, copy)
    assert all(p.grad is None for p in lstm.parameters().values())


# The flags of a BLAS kernel that reads beyond a row, whatever stands there, are not ours.
@pytest.mark.filterwarnings("ignore:.* encountered in matmul:RuntimeWarning")
def test_float32_stays_float32_and_large_sums_stay_quiet():
    lstm = LSTM(2, 3, rng=0, dtype=np.float32)
    hand = by_hand.lstm(
        lstm, np.full((2, 1, 2), -300.0), np.zeros((2, 1, 3))
    )  # exp overflows: a shut gate
    assert {value.dtype for value in hand.values()} == {np.dtype(np.float32)}
    assert all(np.isfinite(value).all() for value in hand.values())


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"x": np.ones((2, 1, 9))}, ShapeError),
        ({"targets": np.ones((2, 1, 9))}, ShapeError),
        ({"x": np.full((2, 1, 2), np.nan)}, DataError),
        ({"mask": [0, 0]}, DataError),
        ({"mask": [1]}, ShapeError),
        ({"state": (np.zeros(3),)}, ShapeError),
    ],
)
def test_what_does_not_fit_is_refused_in_the_words_of_the_forward_pass(change, kind):
    lstm, x, targets, _, _ = case(np.random.default_rng(0), 2, 1)
    arguments = {"x": x, "targets": targets} | change
    with pytest.raises(kind) as hand:
        by_hand.lstm(lstm, **arguments)
    with pytest.raises(kind) as forward:
        lstm.error(**arguments)
    assert str(hand.value) == str(forward.value)


# B18.


def test_update_returns_new_arrays_and_leaves_the_old():
    old = {"W": np.array([[1.0, 2.0]]), "b": Tensor([1.0], requires_grad=True)}
    new = by_hand.update(old, {"W": [[10.0, 20.0]], "b": np.array([-2.0]), "unused": 1}, rate=0.5)
    np.testing.assert_array_equal(new["W"], [[-4.0, -8.0]])
    np.testing.assert_array_equal(new["b"], [2.0])
    np.testing.assert_array_equal(old["W"], [[1.0, 2.0]])


def test_update_keeps_float32_and_takes_what_gradients_returned():
    lstm = LSTM(1, 2, rng=0, dtype=np.float32)
    g = gradients(lstm.error(np.ones((2, 1, 1)), np.ones((2, 1, 2))))
    new = by_hand.update(lstm.parameters(), g, rate=np.float64(0.1))
    assert {array.dtype for array in new.values()} == {np.dtype(np.float32)}
    np.testing.assert_allclose(new["W_c"], lstm.W_c.detach().numpy() - 0.1 * g["W_c"], rtol=1e-6)


@pytest.mark.parametrize(
    ("gradient", "kind"), [({}, UnknownNameError), ({"W": np.zeros((2, 1))}, ShapeError)]
)
def test_update_refuses_a_gradient_that_is_missing_or_misshapen(gradient, kind):
    with pytest.raises(kind, match=r"by_hand\.update, W"):
        by_hand.update({"W": np.zeros(2)}, gradient, rate=0.1)


# The document's formula, read literally (DERIVATION sections 5 and 6).

EXACT = {
    (1, False): {*PARAMETERS, "x", "a<0>"},
    (1, True): {*PARAMETERS, "x", "a<0>"},
    (2, False): {"W_f", "b_f", "W_o", "b_o"},
    (2, True): {"W_o", "b_o"},
}
# of the relative error, measured with another engine over 320 random cases, in the order of LEAVES
MEDIANS = {
    (1, False): (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3.1),
    (1, True): (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4),
    (2, False): (0, 1.5, 1.2, 0, 0, 1.5, 1.3, 0, 1.1, 2.4, 3.5),
    (2, True): (1.7, 1.5, 1, 0, 1.7, 1.1, 1.2, 0, 1.3, 1.9, 3.8),
    (3, False): (1.2, 2.3, 1.8, 0.13, 1.3, 1.8, 2.1, 0.12, 1.4, 2.3, 4.6),
    (3, True): (2.3, 1.8, 2, 0.24, 2.8, 1.9, 2.4, 0.21, 1.8, 3.8, 4.9),
    (7, False): (2.3, 3.5, 2.8, 0.62, 3.5, 3.5, 3.9, 0.64, 1.9, 13, 7.7),
    (7, True): (3, 3.1, 2.3, 0.53, 2.9, 3.1, 4.3, 0.55, 1.8, 3.7, 7.1),
}


@pytest.mark.parametrize(("T", "given"), [*product((1, 2, 3, 7), (False, True))])
def test_how_wrong_the_printed_formula_is(T, given):
    rng = np.random.default_rng([6, T, given])
    errors = {name: [] for name in LEAVES}
    for _, N, loss in product(range(10), (1, 4), ("every", "last")):
        arguments = case(rng, T, N, loss, given, *rng.integers(1, 6, 2))
        true, printed = by_hand.lstm(*arguments), by_hand.lstm(*arguments, as_printed=True)
        for name in LEAVES:
            errors[name].append(error(printed[name], true[name]))
    for name, measured in zip(LEAVES, MEDIANS[T, given], strict=True):
        if name in EXACT.get((T, given), ()):
            assert (
                max(errors[name]) == 0 == measured
            )  # the same formulas: not even rounding differs
        else:
            assert measured / 5 < np.median(errors[name]) < measured * 5, name


@pytest.mark.parametrize("loss", ["every", "last"])
def test_where_the_printed_formula_departs_block_by_block(loss):
    T = 5
    arguments = case(np.random.default_rng(3), T, 2, loss)
    true, printed = by_hand.lstm(*arguments), by_hand.lstm(*arguments, as_printed=True)
    wrong = {name for name in true if error(printed[name], true[name]) > 1e-12}

    def differ(t, *names):
        return [name for name in names if f"{name}<{t}>" in wrong]

    values = [
        "a",
        "tanh_c",
        "Γ_o",
        "c",
        "keep",
        "write",
        "Γ_f",
        "Γ_u",
        "c~",
        "sum_f",
        "sum_u",
        "sum_c",
        "sum_o",
        "z",
        "x",
    ]
    assert differ(T, *values) == []
    assert differ(T - 1, *values) == [n for n in values if n not in ("a", "tanh_c", "Γ_o", "sum_o")]
    for t in range(1, T - 1):
        assert differ(t, *values) == values
    assert f"a<{T - 1}>" not in wrong  # dError/da<T-1> is always exact
    assert (
        f"c<{T - 1}> via keep<{T}>" in wrong and f"c<{T - 1}> via tanh_c<{T - 1}>" not in wrong
    )  # E1: this branch, this formula


def test_the_printed_branch_is_the_gate_alone():
    lstm, x, targets, state, mask = case(np.random.default_rng(0), 2, 3)
    printed = by_hand.lstm(lstm, x, targets, state, mask, as_printed=True)
    z = np.concatenate([state[0], x[0]], axis=1)
    gate = 1 / (1 + np.exp(-(z @ lstm.W_f.numpy().T + lstm.b_f.numpy())))
    np.testing.assert_allclose(printed["c<0>"], gate, rtol=1e-14)  # E6
    np.testing.assert_array_equal(printed["c<0>"], printed["c<0> via keep<1>"])


def test_the_printed_gradient_does_not_vanish_where_prediction_is_target():
    lstm, x, _, state, _ = case(np.random.default_rng(0), 3, 1)
    outputs, _ = lstm(x, state)
    targets = outputs.detach().numpy()
    true, printed = (
        by_hand.lstm(lstm, x, targets, state),
        by_hand.lstm(lstm, x, targets, state, as_printed=True),
    )
    assert all(np.max(np.abs(true[name])) < 1e-15 for name in LEAVES)
    assert np.max(np.abs(printed["W_f"])) > 0.01


def test_the_printed_gradient_does_not_scale_with_error():
    lstm, x, targets, state, _ = case(np.random.default_rng(0), 3, 1)
    outputs = lstm(x, state)[0].detach().numpy()
    tenfold = outputs + 10 * (
        targets - outputs
    )  # the differences, and so all derivatives, times 10
    once, ten = (by_hand.lstm(lstm, x, t, state)["W_c"] for t in (targets, tenfold))
    np.testing.assert_allclose(ten, 10 * once, rtol=1e-10)
    once, ten = (
        by_hand.lstm(lstm, x, t, state, as_printed=True)["W_c"] for t in (targets, tenfold)
    )
    assert np.max(np.abs(ten / once - 10)) > 1


def test_update_steps_learn_with_the_true_gradient_and_stall_with_the_printed():
    """B18 on a target that another LSTM of the same size can reach."""
    rng = np.random.default_rng(5)
    lstm, x, _, state, _ = case(rng, 3, 4)
    targets = case(rng, 3, 4)[0](x, state)[0].detach().numpy()
    reached = {}
    for as_printed in (False, True):
        trained = LSTM.from_arrays(
            {name: p.detach().numpy() for name, p in lstm.parameters().items()}
        )
        for _ in range(600):
            g = by_hand.lstm(trained, x, targets, state, as_printed=as_printed)
            trained = LSTM.from_arrays(by_hand.update(trained.parameters(), g, rate=0.1))
        reached[as_printed] = trained.error(x, targets, state).item()
    assert reached[False] < 0.1 * lstm.error(x, targets, state).item()
    assert reached[True] > 5 * reached[False]


def test_a_state_may_be_one_array():
    lstm, x, targets, state, mask = case(np.random.default_rng(0), 3, 2)
    hand, reference = (
        by_hand.lstm(lstm, x, targets, np.stack(state), mask),
        by_hand.lstm(lstm, x, targets, state, mask),
    )
    for name in LEAVES:
        np.testing.assert_array_equal(hand[name], reference[name])
    shared = by_hand.lstm(lstm, x, targets, np.ones((2, 3)), mask)
    assert (
        error(shared["a<0>"], by_hand.lstm(lstm, x, targets, [np.ones((2, 3))] * 2, mask)["a<0>"])
        == 0
    )
