"""The LSTM of the document: its values, its fork counts, its bad inputs."""

import numpy as np
import pytest

from tinygrad_lstm import (
    LSTM,
    DataError,
    DtypeError,
    ShapeError,
    Tensor,
    by_hand,
    compare,
    gradients,
    nn,
)

D, H, N = 3, 4, 2


def setup(T, last=False, seed=0):
    rng = np.random.default_rng(seed)
    lstm = LSTM(D, H, rng=seed)
    x, targets = rng.normal(size=(T, N, D)), rng.normal(size=(T, N, H))
    return lstm, x, targets, ([0] * (T - 1) + [1] if last else None)


@pytest.mark.parametrize("last", [False, True], ids=["every", "last"])
@pytest.mark.parametrize("T", range(1, 10))
def test_fork_counts_of_the_derivation(T, last):
    """DERIVATION section 3: exact numbers of forks and branches, by kind."""
    lstm, x, targets, mask = setup(T, last)
    tape = lstm.error(x, targets, mask=mask).tape
    counts = {}
    for fork in tape.forks:
        kind = "parameter" if fork.value.is_leaf else fork.name.split("<")[0]
        forks, branches = counts.get(kind, (0, 0))
        counts[kind] = (forks + 1, branches + len(fork.branches))
    expected = {"z": (T, 4 * T)}
    if T > 1:
        expected |= {"c": (T - 1, 2 * (T - 1)), "parameter": (8, 8 * T)}
        if not last:
            expected["a"] = (T - 1, 2 * (T - 1))
    assert counts == expected
    if T > 1:
        assert len(tape.forks) == (2 * T + 7 if last else 3 * T + 6)
        assert sum(len(f.branches) for f in tape.forks) == (14 * T - 2 if last else 16 * T - 4)


def test_forks_have_the_consumers_of_the_derivation():
    lstm, x, targets, _ = setup(3)
    forks = {f.name: [b.stage.name for b in f.branches] for f in lstm.error(x, targets).tape.forks}
    assert forks["c<2>"] == ["tanh_c<2>", "keep<3>"]
    assert forks["a<2>"] == ["Error<2>", "z<3>"]
    assert forks["z<3>"] == ["sum_f<3>", "sum_u<3>", "sum_c<3>", "sum_o<3>"]
    assert forks["W_f"] == ["sum_f<1>", "sum_f<2>", "sum_f<3>"]


def test_other_loss_sets_count_as_the_derivation_says():
    lstm, x, targets, _ = setup(6)
    tape = lstm.error(x, targets, mask=[0, 1, 0, 1, 0, 0]).tape
    stems = [f.name.split("<")[0] for f in tape.forks if not f.value.is_leaf]
    assert (stems.count("c"), stems.count("a"), stems.count("z")) == (
        3,
        1,
        4,
    )  # L = 4: c L-1, a |S|-1, concat L
    assert all(len(f.branches) == 4 for f in tape.forks if f.value.is_leaf)


def test_an_input_that_is_differentiated_is_read_by_every_block():
    lstm, x, targets, _ = setup(3)
    x = Tensor(x, requires_grad=True)
    forks = {f.name: [b.stage.name for b in f.branches] for f in lstm.error(x, targets).tape.forks}
    assert forks.pop("x") == ["x<1>", "x<2>", "x<3>"]
    assert len(forks) == 15


def test_values_follow_the_forward_stages():
    lstm, x, targets, _ = setup(2)
    W, b = ({g: lstm.parameters()[f"{k}_{g}"].numpy() for g in "fuco"} for k in "Wb")

    def sigmoid(v):
        return 1 / (1 + np.exp(-v))

    a = c = np.zeros((N, H))
    error = 0.0
    for t in range(2):
        z = np.hstack([a, x[t]])
        s = {g: z @ W[g].T + b[g] for g in "fuco"}
        c = c * sigmoid(s["f"]) + sigmoid(s["u"]) * np.tanh(s["c"])
        a = np.tanh(c) * sigmoid(s["o"])
        error += 0.5 * ((targets[t] - a) ** 2).sum()
    outputs, (a_T, c_T) = lstm(x)
    np.testing.assert_allclose(a_T.numpy(), a, rtol=1e-14)
    np.testing.assert_allclose(c_T.numpy(), c, rtol=1e-14)
    np.testing.assert_array_equal(outputs.numpy()[-1], a_T.numpy())
    assert outputs.shape == (2, N, H)
    assert lstm.error(x, targets).item() == pytest.approx(error, rel=1e-14)


def test_names_and_blocks_on_the_tape():
    lstm, x, targets, _ = setup(2)
    tape = lstm.error(x, targets).tape
    block = "z sum_f sum_u sum_c sum_o Γ_f Γ_u c~ Γ_o keep write c tanh_c a Error".split()
    assert [s.name for s in tape] == [f"{n}<{t}>" for t in (1, 2) for n in block] + ["Error"]
    assert [s.block for s in tape] == [1] * 15 + [2] * 15 + [None]
    assert {x.name for x in tape.leaves} == {
        *lstm.parameters(),
        "a<0>",
        "c<0>",
        "x<1>",
        "x<2>",
        "â<1>",
        "â<2>",
    }


def test_given_states_and_inputs_get_their_derivatives():
    """Against central differences on the value alone."""
    lstm, x, targets, _ = setup(3)
    rng = np.random.default_rng(5)
    given = {"x": x, "a<0>": rng.normal(size=(N, H)), "c<0>": rng.normal(size=(N, H))}

    def error(arrays, **kw):
        x, a, c = (Tensor(v, **kw) for v in arrays.values())
        return lstm.error(x, targets, state=(a, c))

    g = gradients(error(given, requires_grad=True))
    for name, array in given.items():
        direction = rng.normal(size=array.shape)
        up, down = (error({**given, name: array + h * direction}).item() for h in (1e-6, -1e-6))
        assert np.vdot(g[name], direction) == pytest.approx((up - down) / 2e-6, rel=1e-7)


def test_a_state_shared_by_the_batch_sums_over_it():
    lstm, x, targets, _ = setup(2)
    c = Tensor(np.full(H, 0.3), requires_grad=True)
    g = gradients(lstm.error(x, targets, state=(np.zeros(H), c)))
    assert g["c_0"].shape == (H,)
    np.testing.assert_allclose(g["c_0"], g["c<0>"].sum(axis=0), rtol=1e-14)


def test_from_arrays_round_trip():
    lstm, x, targets, _ = setup(2)
    copy = LSTM.from_arrays({name: p.numpy() for name, p in lstm.parameters().items()})
    assert (copy.input_size, copy.hidden_size) == (D, H)
    assert copy.error(x, targets).item() == lstm.error(x, targets).item()
    assert copy.W_f is not lstm.W_f and copy.W_f.requires_grad
    assert LSTM.from_arrays(lstm.parameters()).W_f is lstm.W_f


def test_float32():
    lstm = LSTM(D, H, rng=0, dtype=np.float32)
    _, x, targets, _ = setup(2)
    loss = lstm.error(x, targets)
    loss.backward()
    assert loss.dtype == np.float32 and all(
        p.grad.dtype == np.float32 for p in lstm.parameters().values()
    )
    lstm.zero_grad()
    assert lstm.W_f.grad is None


def test_training_learns():
    from tinygrad_lstm import no_grad

    lstm, x, _, _ = setup(4)
    targets = LSTM(D, H, rng=9)(x)[0].numpy()
    errors = []
    for _ in range(200):
        lstm.zero_grad()
        loss = lstm.error(x, targets)
        loss.backward()
        errors.append(loss.item())
        with no_grad():
            for p in lstm.parameters().values():
                p -= 0.3 * p.grad
    assert errors[-1] < 0.02 * errors[0]


@pytest.mark.parametrize(
    ("error", "match", "call"),
    [
        (
            ShapeError,
            r"x: .*expected \(T, N, 3\), got \(2, 2, 5\)",
            lambda m, x, t: m.error(np.ones((2, 2, 5)), t),
        ),
        (
            ShapeError,
            r"x: .*expected \(T, N, 3\), got \(2, 3\)",
            lambda m, x, t: m(np.ones((2, 3))),
        ),
        (
            ShapeError,
            r"N >= 1 rows, got shape \(2, 0, 3\)",
            lambda m, x, t: m.error(x[:, :0], t[:, :0]),
        ),
        (DtypeError, "float32 or float64, got float16", lambda m, x, t: LSTM(3, 4, dtype="f2")),
        (
            DataError,
            r"b_f\[1\]: inf in the data",
            lambda m, x, t: LSTM.from_arrays(
                {**m.parameters(), "b_f": np.array([0, np.inf, 0, 0])}
            ),
        ),
        (
            ShapeError,
            r"T >= 1 time steps, .* got shape \(0, 2, 3\)",
            lambda m, x, t: m.error(x[:0], t[:0]),
        ),
        (
            ShapeError,
            r"targets: .*expected \(2, 2, 4\), got \(2, 2, 3\)",
            lambda m, x, t: m.error(x, x),
        ),
        (
            ShapeError,
            r"a<0>: .*expected \(2, 4\), got \(2, 3\)",
            lambda m, x, t: m(x, state=(x[0], t[0])),
        ),
        (ShapeError, r"state: .*expected \(a_0, c_0\)", lambda m, x, t: m(x, state=(t[0],))),
        (ShapeError, r"mask: .*expected 2 numbers", lambda m, x, t: m.error(x, t, mask=[1])),
        (DataError, "mask: no block has a loss", lambda m, x, t: m.error(x, t, mask=[0, 0])),
        (
            DataError,
            r"x\[1, 0, 2\]: nan in the data",
            lambda m, x, t: m(np.where(np.arange(12).reshape(2, 2, 3) == 8, np.nan, x)),
        ),
        (ShapeError, r"unknown \['W_i'\]", lambda m, x, t: LSTM.from_arrays({"W_i": x})),
        (
            ShapeError,
            r"W_u: .*expected \(4, 7\)",
            lambda m, x, t: LSTM.from_arrays({**m.parameters(), "W_u": np.ones((4, 6))}),
        ),
        (ShapeError, "hidden_size", lambda m, x, t: LSTM(3, 0)),
    ],
)
def test_bad_input_is_refused_in_one_line(error, match, call):
    lstm, x, targets, _ = setup(2)
    with pytest.raises(error, match=match) as caught:
        call(lstm, x, targets)
    assert "\n" not in str(caught.value)


def test_tensors_with_names_of_their_own_keep_them():
    lstm, x, targets, _ = setup(3)
    rng = np.random.default_rng(1)
    series = Tensor(x, requires_grad=True, name="series")
    state = Tensor(rng.normal(size=(N, H)), requires_grad=True, name="start")
    g = gradients(lstm.error(series, targets, state=(state, state)))
    hand = by_hand.lstm(lstm, x, targets, state=(state, state))
    assert compare(g, hand).ok
    np.testing.assert_allclose(g["start"], hand["a<0>"] + hand["c<0>"], rtol=1e-12)
    np.testing.assert_allclose(g["series"], g["x"], rtol=1e-15)


def test_targets_of_blocks_without_a_loss_are_not_read():
    lstm, x, targets, _ = setup(3)
    unknown = np.where(np.arange(3)[:, None, None] < 2, np.nan, targets)
    assert (
        lstm.error(x, unknown, mask=[0, 0, 1]).item()
        == lstm.error(x, targets, mask=[0, 0, 1]).item()
    )
    with pytest.raises(DataError, match=r"targets\[1, 0, 0\]: nan"):
        lstm.error(x, unknown, mask=[0, 1, 1])


def test_without_biases():
    lstm = LSTM(input_size=2, hidden_size=3, rng=0, bias=False)
    x, targets = np.random.default_rng(1).normal(size=(3, 2, 2)), np.zeros((3, 2, 3))
    assert list(lstm.parameters()) == ["W_f", "W_u", "W_c", "W_o"]
    loss = lstm.error(x, targets)
    hand = by_hand.lstm(lstm, x, targets)
    assert compare(gradients(loss), hand).ok
    assert not any(name.startswith("b_") for name in hand)
    assert "b_f" not in gradients(loss)
    zero = {name: np.zeros(3) for name in ("b_f", "b_u", "b_c", "b_o")}
    with_zeros = LSTM.from_arrays(lstm.parameters() | zero)
    assert with_zeros.error(x, targets).item() == loss.item()
    again = LSTM.from_arrays(lstm.parameters())
    assert (again.bias, list(again.parameters())) == (False, list(lstm.parameters()))
    state = nn.to_pytorch(lstm)
    assert list(state) == ["weight_ih_l0", "weight_hh_l0"]
    np.testing.assert_array_equal(nn.from_pytorch(state).W_o.numpy(), lstm.W_o.numpy())
    with pytest.raises(DataError, match="there is no bias to start from"):
        LSTM(2, 3, bias=False, forget_bias=1.0)


def test_cell_states_of_all_blocks():
    lstm, x = LSTM(input_size=2, hidden_size=3, rng=0), np.ones((4, 2, 2))
    (a, c), (a_T, c_T) = lstm(x, cells=True)
    assert (a.shape, c.shape, c.name) == ((4, 2, 3), (4, 2, 3), "c")
    np.testing.assert_array_equal(a.numpy(), lstm(x)[0].numpy())
    np.testing.assert_array_equal(c.numpy()[-1], c_T.numpy())
    assert a_T.name == "a<4>"
    g = gradients([a, c], [np.ones(a.shape), np.ones(c.shape)])
    assert g.branches("c<2>")[-1].stage.name == "c"


def test_reprs():
    assert repr(LSTM(2, 3)) == "LSTM(input_size=2, hidden_size=3)"
    lstm = LSTM(2, 3, bias=False, dtype="float32")
    assert repr(lstm) == "LSTM(input_size=2, hidden_size=3, bias=False, dtype=float32)"
