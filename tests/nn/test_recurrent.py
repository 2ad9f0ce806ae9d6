"""Recurrent layers against numbers stored from PyTorch, and what it does not have."""

import json
from pathlib import Path

import numpy as np
import pytest

from tinygrad_lstm import (
    DataError,
    ShapeError,
    Tensor,
    concatenate,
    gradients,
    nn,
    squared_error,
)
from tinygrad_lstm.tensor.parameters import flat

T, N, D, H = 4, 3, 2, 3
REFERENCE = Path(__file__).parents[1] / "reference" / "recurrent.json"
CASES = json.loads(REFERENCE.read_text(encoding="utf-8"))


def weighted(values):
    return sum((v * np.cos(np.arange(v.size)).reshape(v.shape)).sum() for v in values)


def drawn(kind, options):
    """The layer, x and state of make_recurrent.py."""
    rng = np.random.default_rng(0)
    layer = getattr(nn, kind)(D, H, **options)
    layer.load_state_dict({n: rng.normal(size=p.shape) for n, p in layer.parameters().items()})
    shape = (N, T, D) if layer.batch_first else (T, N, D)
    x = Tensor(rng.normal(size=shape), True)
    cells = layer.num_layers * layer.directions
    return layer, x, tuple(Tensor(rng.normal(size=(cells, N, w)), True) for w in layer.widths)


@pytest.mark.parametrize("checkpoint", [None, 3])
@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['kind']}-{c['options']}-{c['lengths']}")
def test_values_and_gradients_are_pytorchs(case, checkpoint):
    layer, x, state = drawn(case["kind"], case["options"])
    given = state if len(state) > 1 else state[0]
    y, last = layer(x, given, case["lengths"], checkpoint=checkpoint)
    last = last if isinstance(last, tuple) else (last,)
    weighted([y, *last]).backward()
    found = {"y": y.numpy(), **{f"{n}_n": v.numpy() for n, v in zip("hc", last, strict=False)}}
    found |= {name: p.grad for name, p in layer.parameters().items()}
    found |= {"x": x.grad, **{f"{n}_0": s.grad for n, s in zip("hc", state, strict=False)}}
    assert list(found) == list(case["found"])
    for name, value in case["found"].items():
        np.testing.assert_allclose(found[name].ravel(), value, rtol=1e-12, atol=1e-13)


def test_padding_is_not_read_and_gets_no_gradient():
    layer, x, _ = drawn("LSTM", {"num_layers": 2, "bidirectional": True})
    lengths, hurt = [2, 4, 1], x.numpy().copy()
    for row, length in enumerate(lengths):
        hurt[length:, row] = [np.nan, np.inf]
    results = []
    for values in (x.numpy(), hurt):
        x = Tensor(values, True)
        layer.zero_grad()
        y, (h, c) = layer(x, lengths=lengths)
        (squared_error(y, 1.0) + h.sum() + c.sum()).backward()
        grads = [p.grad for p in layer.parameters().values()]
        results.append([y.numpy(), h.numpy(), c.numpy(), x.grad, *grads])
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)
    for row, length in enumerate(lengths):
        assert not y.numpy()[length:, row].any() and not x.grad[length:, row].any()


def test_an_error_reads_neither_padding_nor_rows_without_a_loss():
    layer, x, _ = drawn("LSTM", {})
    lengths, targets = [2, 4, 1], np.full((T, N, H), 0.5)
    y, _ = layer(x, lengths=lengths)
    there = np.arange(T)[:, None] < np.array(lengths)
    expected = 0.5 * ((0.5 - y.numpy()) ** 2)[there].sum()
    targets[~there] = np.nan
    assert layer.error(x, targets, lengths=lengths).item() == pytest.approx(expected, rel=1e-14)
    last = np.arange(T)[:, None] == np.array(lengths) - 1
    expected = 0.5 * ((0.5 - y.numpy()) ** 2)[last].sum()
    found = layer.error(x, targets, mask=last, lengths=lengths).item()
    assert found == pytest.approx(expected, rel=1e-14)
    assert {s.block for s in layer.error(x, targets, mask=[1, 0, 0, 0]).tape} == {1, None}
    with pytest.raises(DataError, match="no block has a loss"):
        layer.error(x, targets, mask=[0] * T)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("LSTM", {"peephole": True}),
        ("LSTM", {"layer_norm": True, "bidirectional": True}),
        ("LSTM", {"peephole": True, "layer_norm": True, "proj_size": 2, "num_layers": 2}),
        ("LSTM", {"initial": "trained"}),
        ("GRU", {"reset_after": False, "num_layers": 2}),
    ],
)
def test_what_pytorch_does_not_have_is_right_numerically(kind, options):
    layer = getattr(nn, kind)(D, H, rng=0, **options)
    rng = np.random.default_rng(1)
    start = {n: v + rng.normal(size=v.shape) / 3 for n, v in layer.state_dict().items()}
    x, targets = rng.normal(size=(3, 2, D)), rng.normal(size=(3, 2, layer(np.ones((1, D)))[0].size))

    def loss(step, along):
        layer.load_state_dict({n: v + step * along[n] for n, v in start.items()})
        return layer.error(x, targets)

    loss(0.0, start).backward()
    found = {n: p.grad for n, p in layer.parameters().items()}
    for name in start:
        along = {n: rng.normal(size=v.shape) * (n == name) for n, v in start.items()}
        up, down = (loss(h, along).item() for h in (1e-5, -1e-5))
        slope = np.vdot(found[name], along[name])
        assert (up - down) / 2e-5 == pytest.approx(slope, rel=1e-6, abs=1e-8), name


def test_peepholes_are_those_of_the_paper():
    layer, rng = nn.LSTM(1, 1, peephole=True, rng=0), np.random.default_rng(2)
    layer.load_state_dict({n: rng.normal(size=p.shape) for n, p in layer.parameters().items()})
    s = {n: v.ravel() for n, v in layer.state_dict().items()}
    x, h, c = 0.7, 0.2, -0.4
    total = s["weight_ih_l0"] * x + s["weight_hh_l0"] * h + s["bias_ih_l0"] + s["bias_hh_l0"]
    i, f, o = s["peephole_l0"]

    def sigmoid(v):
        return 1 / (1 + np.exp(-v))

    new = c * sigmoid(total[1] + f * c) + sigmoid(total[0] + i * c) * np.tanh(total[2])
    out = np.tanh(new) * sigmoid(total[3] + o * new)
    y, (_, c_n) = layer([[[x]]], ([[[h]]], [[[c]]]))
    np.testing.assert_allclose([y.item(), c_n.item()], [out, new], rtol=1e-14)


def test_an_unbatched_sequence_is_a_batch_of_one():
    layer, x, _ = drawn("GRU", {"num_layers": 2, "bidirectional": True})
    x = x.numpy()[:, :1]
    whole, last = layer(x)
    y, h = layer(x[:, 0], np.zeros((4, H)))
    np.testing.assert_array_equal(y.numpy(), whole.numpy()[:, 0])
    np.testing.assert_array_equal(h.numpy(), last.numpy()[:, 0])
    assert layer(x[:, 0], lengths=2)[1].shape == (4, H)


def test_one_to_many():
    layer = nn.LSTM(H, H, num_layers=2, rng=0)
    first = np.random.default_rng(0).normal(size=(1, 2, H))
    found = {}
    for feed, later in (("zeros", np.zeros_like(first)), ("first", first)):
        found[feed], (h, c) = layer(first, steps=3, feed=feed)
        expected, (h_n, c_n) = layer(np.concatenate([first, later, later]))
        np.testing.assert_array_equal(found[feed].numpy(), expected.numpy())
        np.testing.assert_array_equal([h.numpy(), c.numpy()], [h_n.numpy(), c_n.numpy()])
    expected, state = [], None
    x = first
    for _ in range(3):
        x, state = layer(x, state)
        expected.append(x.numpy()[0])
    y, (h, c) = layer(first, steps=3, feed="output")
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-14)
    np.testing.assert_allclose(h.numpy(), state[0].numpy(), rtol=1e-14)
    doubled, _ = layer(first, steps=3, feed=lambda output: output * 2)
    assert not np.array_equal(doubled.numpy(), y.numpy())
    with pytest.raises(DataError, match="feed"):
        layer(first, steps=2, feed="next")
    with pytest.raises(ShapeError, match=r"feed, block 2: .*expected \(2, 3\), got \(2, 1\)"):
        layer(first, steps=2, feed=lambda output: output[:, :1])
    with pytest.raises(DataError, match="steps="):
        layer(first, feed="output")
    with pytest.raises(ShapeError, match="reads one block.*got T = 3"):
        layer(found["zeros"].numpy(), steps=2)
    with pytest.raises(DataError, match="reverse"):
        nn.GRU(H, H, bidirectional=True)(first, steps=2, feed="output")


@pytest.mark.parametrize("feed", ["zeros", "first", "output", lambda y: 2 * y])
@pytest.mark.parametrize(
    "options", [{}, {"checkpoint": 2}, {"window": 2, "checkpoint": 1}], ids=str
)
def test_one_to_many_with_lengths_and_checkpoints(feed, options):
    """Each row is what it is alone, cut off after its length; checkpoints change no number."""
    layer, lengths = nn.LSTM(H, H, num_layers=2, rng=0), [2, 4, 1]
    x = Tensor(np.random.default_rng(0).normal(size=(1, 3, H)), True)
    kept = {"window": options.get("window")}

    def found(run):
        layer.zero_grad(), x.zero_grad()
        outputs, states = run()
        (squared_error(outputs, 0.5) + squared_error(states, 0.5)).backward()
        grads = [p.grad for p in layer.parameters().values()]
        return [outputs.numpy(), states.numpy(), x.grad, *grads]

    def alone():
        outputs, states = [], []
        for i, n in enumerate(lengths):
            y, (h, _) = layer(x[:, i : i + 1], steps=n, feed=feed, **kept)
            outputs.append(concatenate([y, np.zeros((4 - n, 1, H))]))
            states.append(h)
        return concatenate(outputs, axis=1), concatenate(states, axis=1)

    def together():
        y, (h, _) = layer(x, lengths=lengths, steps=4, feed=feed, **options)
        return y, h

    for one, other in zip(found(alone), found(together), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-12, atol=1e-14)


def test_the_first_input_again_is_a_fork_of_every_block():
    layer = nn.LSTM(2, H, rng=0)
    x = Tensor(np.ones((1, 1, 2)), True)
    g = gradients(layer(x, steps=3, feed="first")[0].sum())
    assert [b.stage.name for b in g.branches("x<1>")] == ["z<1>", "z<2>", "z<3>"]


def test_initial_states():
    x = np.zeros((2, N, D))
    trained = nn.LSTM(D, H, initial="trained", rng=0)
    assert trained.h_0.shape == trained.c_0.shape == (1, H)
    g = gradients(trained(x)[0].sum())
    np.testing.assert_allclose(g["c_0"][0], g["c<0>"].sum(axis=0), rtol=1e-14)
    noisy = nn.LSTM(D, H, initial="noisy", noise=0.5, rng=0)
    one, other = (noisy(x)[0].numpy() for _ in range(2))
    assert not np.array_equal(one, other) and "h_0" not in noisy.parameters()
    noisy.eval()
    np.testing.assert_array_equal(noisy(x)[0].numpy(), noisy(x)[0].numpy())
    shared = np.full((1, H), 0.3)
    both = noisy(x, (shared, shared))[0].numpy()
    whole = np.broadcast_to(shared[:, None], (1, N, H))
    np.testing.assert_array_equal(both, noisy(x, (whole, whole))[0].numpy())


def test_forget_bias_is_the_sum_of_both():
    b = nn.LSTM(D, H, forget_bias=1.5, rng=0).state_dict()
    np.testing.assert_array_equal((b["bias_ih_l0"] + b["bias_hh_l0"])[H : 2 * H], 1.5)


def test_dropout_between_layers_in_training_only():
    layer, x = nn.LSTM(D, H, num_layers=2, dropout=0.5, rng=0), np.ones((3, 1, D))
    assert not np.array_equal(layer(x)[0].numpy(), layer(x)[0].numpy())
    layer.eval()
    plain = nn.LSTM(D, H, num_layers=2)
    plain.load_state_dict(layer.state_dict())
    np.testing.assert_array_equal(layer(x)[0].numpy(), plain(x)[0].numpy())
    assert nn.LSTM(D, H, dropout=1.0, num_layers=2)(x)[0].shape == (3, 1, H)


def test_float32_stays_float32():
    layer = nn.GRU(D, H, num_layers=2, bidirectional=True, dtype=np.float32, rng=0)
    y, h = layer(np.ones((2, 2, D)), lengths=[1, 2])
    y.sum().backward()
    dtypes = {y.dtype, h.dtype, *(p.grad.dtype for p in layer.parameters().values())}
    assert dtypes == {np.dtype(np.float32)}


def test_names_tell_layers_and_directions():
    layer = nn.LSTM(D, H, num_layers=2, bidirectional=True, rng=0)
    tape = layer.error(np.ones((2, 1, D)), np.zeros((2, 1, 2 * H))).tape
    names = {stage.name for stage in tape}
    for name in ("c<1>", "reverse.c<2>", "y<1>", "layer2.z<1>", "layer2.reverse.a<1>", "Error<2>"):
        assert name in names
    assert {"a<0>", "c<0>", "reverse.a<3>", "layer2.c<0>"} <= {x.name for x in tape.leaves}
    g = gradients(tape.root)
    whole = np.concatenate([g["layer2.W_u"], g["layer2.W_f"], g["layer2.W_c"], g["layer2.W_o"]])
    np.testing.assert_array_equal(whole[:, H:], g["weight_ih_l1"])


def test_a_carried_state_asks_for_detach():
    from tinygrad_lstm import GradientError

    layer, x = nn.LSTM(D, H, rng=0), np.ones((2, 1, D))
    y, state = layer(x)
    y.sum().backward()
    y, _ = layer(x, state)
    with pytest.raises(GradientError, match="detach"):
        y.sum().backward()
    y, _ = layer(x, tuple(s.detach() for s in state))
    y.sum().backward()


@pytest.mark.parametrize("scale", [1e4, -1e4])
def test_saturated_gates_stay_finite(scale):
    layer = nn.LSTM(D, H, rng=0)
    layer.load_state_dict({n: np.full(p.shape, scale) for n, p in layer.parameters().items()})
    y, _ = layer(np.ones((3, 1, D)))
    y.sum().backward()
    assert np.isfinite(y.numpy()).all()
    assert all(np.isfinite(p.grad).all() for p in layer.parameters().values())


@pytest.mark.parametrize(
    ("error", "match", "call"),
    [
        (ShapeError, r"x: .*\(T, N, 2\).*got \(2, 2, 3\)", lambda m: m(np.ones((2, 2, 3)))),
        (ShapeError, "no block", lambda m: m(np.ones((0, 2, 2)))),
        (ShapeError, "each from 1 to 2", lambda m: m(np.ones((2, 2, 2)), lengths=[0, 2])),
        (ShapeError, "got 1 values", lambda m: m(np.ones((2, 2, 2)), np.zeros((1, 2, 3)))),
        (ShapeError, "h_0 of shape", lambda m: m(np.ones((2, 2, 2)), [np.zeros((1, 2, 2))] * 2)),
        (DataError, r"x\[1, 0, 1\]: nan", lambda m: m([[[0, 0]], [[0, np.nan]]])),
        (ShapeError, "hidden_size", lambda m: nn.LSTM(2, 0)),
        (ShapeError, "proj_size", lambda m: nn.LSTM(2, 3, proj_size=3)),
        (DataError, "initial", lambda m: nn.LSTM(2, 3, initial="warm")),
        (DataError, "forget_bias", lambda m: nn.LSTM(2, 3, bias=False, forget_bias=1)),
        (DataError, "nonlinearity", lambda m: nn.RNN(2, 3, nonlinearity="sin")),
        (ShapeError, "probability", lambda m: nn.LSTM(2, 3, dropout=1.5)),
        (ShapeError, "checkpoint", lambda m: m(np.ones((2, 2, 2)), checkpoint=0)),
    ],
)
def test_bad_input_is_refused_in_one_line(error, match, call):
    with pytest.raises(error, match=match) as caught:
        call(nn.LSTM(2, 3, rng=0))
    assert "\n" not in str(caught.value)


def test_parameters_are_pytorchs_by_name_and_order():
    names = list(nn.LSTM(D, H, num_layers=2, bidirectional=True, proj_size=2).state_dict())
    stems = ["weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"]
    assert names == [f"{s}_l{k}{d}" for k in (0, 1) for d in ("", "_reverse") for s in stems]
    assert [p.name for p in flat(nn.GRU(D, H, bias=False)).values()] == [
        "weight_ih_l0",
        "weight_hh_l0",
    ]
