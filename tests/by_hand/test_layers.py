"""Layers, directions, lengths and masks by hand, against the tape."""

import numpy as np
import pytest

from tinygrad_lstm import DataError, DtypeError, Tensor, by_hand, compare, gradients, nn

T, N, D, H = 4, 3, 2, 3
DEEP = {"num_layers": 2, "bidirectional": True}
LENGTHS = [2, 4, 1]
ROWS = (np.arange(T)[:, None] == np.array(LENGTHS) - 1).astype(int)  # the last of each
CASES = [
    ("LSTM", {}, {}),
    ("LSTM", {}, {"mask": [0, 1, 0, 0]}),
    ("LSTM", {"num_layers": 3}, {"mask": [0, 1, 1, 0]}),
    ("LSTM", {"bidirectional": True}, {"mask": [0, 1, 0, 0]}),
    ("LSTM", DEEP, {}),
    ("LSTM", DEEP, {"lengths": LENGTHS}),
    ("LSTM", {**DEEP, "initial": "trained"}, {"lengths": LENGTHS, "mask": ROWS}),
    ("LSTM", {"bias": False, "batch_first": True}, {"lengths": LENGTHS}),
    ("GRU", DEEP, {"lengths": LENGTHS}),
    ("GRU", {"reset_after": False, "num_layers": 2}, {"lengths": LENGTHS}),
    ("RNN", {**DEEP, "nonlinearity": "relu"}, {"lengths": LENGTHS, "mask": ROWS}),
    ("RNN", {}, {}),
    ("LSTM", {"proj_size": 2, "num_layers": 2}, {"mask": [0, 1, 1, 0]}),
    ("LSTM", {**DEEP, "peephole": True}, {"lengths": LENGTHS}),
    ("LSTM", {"layer_norm": True, "bias": False}, {}),
    ("LSTM", {"layer_norm": True, "peephole": True, "proj_size": 2, **DEEP}, {"lengths": LENGTHS}),
]
DERIVED = {"LSTM": by_hand.lstm, "GRU": by_hand.gru, "RNN": by_hand.rnn}


def made(kind, options, given=True):
    rng = np.random.default_rng(0)
    model = getattr(nn, kind)(D, H, rng=0, **options)
    model.load_state_dict(
        {name: rng.normal(size=v.shape) for name, v in model.state_dict().items()}
    )
    width = model.output_size * model.directions
    x, targets = rng.normal(size=(T, N, D)), rng.normal(size=(T, N, width))
    if model.batch_first:
        x, targets = x.swapaxes(0, 1), targets.swapaxes(0, 1)
    cells = model.num_layers * model.directions
    state = tuple(Tensor(rng.normal(size=(cells, N, w)), True) for w in model.widths)
    if model.initial == "trained" or not given:
        state = None
    elif len(state) == 1:
        state = state[0]
    return model, Tensor(x, True), targets, state


@pytest.mark.parametrize(("kind", "options", "reading"), CASES, ids=str)
def test_every_quantity_by_hand_is_on_the_tape_and_equal(kind, options, reading):
    model, x, targets, state = made(kind, options)
    g = gradients(model.error(x, targets, state, **reading))
    hand = DERIVED[kind](model, x, targets, state, **reading)
    report = compare(g, hand)
    assert report.ok, str(report)
    leaves = {*model.parameters(), "x"}
    assert leaves <= set(hand)
    named = {s.name for s in g.tape if s.block is not None and s.output.name}
    assert {n for n in named - set(hand) if "held" not in n} <= {
        n for n in named if n.partition("<")[0].rpartition(".")[2] in ("reset", "renew")
    }
    for name in model.parameters():
        np.testing.assert_allclose(hand[name], g[name], rtol=1e-11, atol=1e-12)


def test_a_mistake_in_a_layer_is_found_where_it_is():
    model, x, targets, state = made("LSTM", DEEP)
    g = gradients(model.error(x, targets, state))
    hand = by_hand.lstm(model, x, targets, state)
    hand["layer2.reverse.c<2>"] = hand["layer2.reverse.c<2> via layer2.reverse.tanh_c<2>"]
    report = compare(g, hand)
    assert report.first.name == "layer2.reverse.c<2>"
    assert "branch" in report.diagnoses[0].kind


def test_the_printed_formula_is_wrong_in_every_layer():
    model, x, targets, state = made("LSTM", {"num_layers": 2})
    g = gradients(model.error(x, targets, state))
    report = compare(g, by_hand.lstm(model, x, targets, state, as_printed=True))
    assert not report.ok and report.first.name == "layer2.c<3> via layer2.keep<4>"


def test_all_variants_at_once_agree_with_complex_steps():
    """The forward pass once more, in NumPy: neither the tape's nor that of by_hand."""
    model, x, targets, state = made("LSTM", {"peephole": True, "layer_norm": True, "proj_size": 2})
    start = model.state_dict() | {
        "x": x.numpy(),
        "r<0>": state[0].numpy(),
        "c<0>": state[1].numpy(),
    }
    hand = by_hand.lstm(model, x, targets, state)
    for name, value in start.items():
        along = np.random.default_rng(1).normal(size=value.shape)
        slope = error_of(start | {name: value + 1e-30j * along}, targets).imag / 1e-30
        np.testing.assert_allclose(np.sum(hand[name] * along), slope, rtol=1e-12)


def error_of(p, targets):
    def norm(i, value):
        value = value - value.mean(axis=1, keepdims=True)
        value = value / np.sqrt((value * value).mean(axis=1, keepdims=True) + 1e-5)
        return value * gains[i] + shifts[i]

    gains, shifts = np.split(p["norm_weight_l0"], 5), np.split(p["norm_bias_l0"], 5)
    peep, (r,), (c,) = np.split(p["peephole_l0"], 3), p["r<0>"], p["c<0>"]
    total = 0
    for x, target in zip(p["x"], targets, strict=True):
        sums = x @ p["weight_ih_l0"].T + r @ p["weight_hh_l0"].T + p["bias_ih_l0"] + p["bias_hh_l0"]
        u, f, candidate, o = np.split(sums, 4, axis=1)
        u, f = norm(0, u + peep[0] * c), norm(1, f + peep[1] * c)
        c = c / (1 + np.exp(-f)) + np.tanh(norm(2, candidate)) / (1 + np.exp(-u))
        o = norm(3, o + peep[2] * c)
        r = (np.tanh(norm(4, c)) / (1 + np.exp(-o))) @ p["weight_hr_l0"].T
        total = total + np.sum((target - r) ** 2) / 2
    return total


def test_a_mistake_in_a_peephole_is_found():
    model, x, targets, state = made("LSTM", {"peephole": True})
    g = gradients(model.error(x, targets, state))
    hand = by_hand.lstm(model, x, targets, state)
    hand["c<2>"] = hand["c<2>"] - hand["c<2> via peep_o<2>"]
    report = compare(g, hand)
    assert report.first.name == "c<2>" and "peep_o<2>" in str(report)


def test_what_the_derivation_cannot_know_is_refused():
    x, targets = np.ones((T, N, D)), np.ones((T, N, H))
    dropping = nn.LSTM(D, H, num_layers=2, dropout=0.5)
    with pytest.raises(DtypeError, match="not been derived"):
        by_hand.lstm(dropping, x, targets)
    assert by_hand.lstm(dropping.eval(), x[:, 0], targets[:, 0])["x"].shape == (T, D)
    noisy = nn.LSTM(D, H, initial="noisy", rng=0)
    with pytest.raises(DataError, match="drawn again at each call"):
        by_hand.lstm(noisy, x, targets)
    state = (np.ones((1, N, H)), np.zeros((1, N, H)))
    g = gradients(noisy.error(x, targets, state))
    assert compare(g, by_hand.lstm(noisy, x, targets, state)).ok
    with pytest.raises(DtypeError, match="no such cell"):
        by_hand.lstm(nn.LSTM(D, H, peephole=True), x, targets, as_printed=True)
    with pytest.raises(DtypeError, match="by_hand.gru: .*expected GRU, got LSTM"):
        by_hand.gru(noisy, x, targets)
