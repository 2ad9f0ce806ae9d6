"""Layers, directions, lengths and masks by hand, against the tape."""

import numpy as np
import pytest

from tinygrad_lstm import DtypeError, Tensor, by_hand, compare, gradients, nn

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
]
DERIVED = {"LSTM": by_hand.lstm, "GRU": by_hand.gru, "RNN": by_hand.rnn}


def made(kind, options, given=True):
    rng = np.random.default_rng(0)
    model = getattr(nn, kind)(D, H, rng=0, **options)
    model.load_state_dict(
        {name: rng.normal(size=v.shape) for name, v in model.state_dict().items()}
    )
    width = H * model.directions
    x, targets = rng.normal(size=(T, N, D)), rng.normal(size=(T, N, width))
    if model.batch_first:
        x, targets = x.swapaxes(0, 1), targets.swapaxes(0, 1)
    cells = model.num_layers * model.directions
    state = tuple(Tensor(rng.normal(size=(cells, N, H)), True) for _ in model.states)
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


def test_what_has_not_been_derived_is_refused():
    for options in ({"peephole": True}, {"proj_size": 2}, {"dropout": 0.5, "num_layers": 2}):
        model = nn.LSTM(D, H, **options)
        with pytest.raises(DtypeError, match="not been derived"):
            by_hand.lstm(model, np.ones((T, N, D)), np.ones((T, N, H)))
    model = nn.LSTM(D, H, num_layers=2, dropout=0.5).eval()
    assert by_hand.lstm(model, np.ones((T, D)), np.ones((T, H)))["x"].shape == (T, D)
