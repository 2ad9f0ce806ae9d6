"""Weights in other programs' layouts: exact round trips, and what is refused."""

import numpy as np
import pytest

from tinygrad_lstm import LSTM, DtypeError, ShapeError, UnknownNameError, nn

D, H = 2, 3
LAYERS = {
    "LSTM": lambda: nn.LSTM(D, H, num_layers=2, bidirectional=True, rng=0),
    "LSTM without bias": lambda: nn.LSTM(D, H, bias=False, rng=0),
    "GRU": lambda: nn.GRU(D, H, num_layers=2, bidirectional=True, rng=0),
    "original GRU": lambda: nn.GRU(D, H, reset_after=False, rng=0),
    "RNN": lambda: nn.RNN(D, H, num_layers=2, rng=0),
}


def same(a, b):
    for one, other in zip(a, b, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_round_trips_are_exact(make):
    layer, other = make(), make()
    x = np.random.default_rng(0).normal(size=(4, 2, D))
    y = layer(x)[0].numpy()
    for there, back in ((nn.to_keras, nn.from_keras), (nn.to_onnx, nn.from_onnx)):
        arrays = there(layer)
        for p in other.parameters().values():
            p.data = np.zeros(p.shape)
        back(other, arrays)
        np.testing.assert_allclose(other(x)[0].numpy(), y, rtol=1e-14)
        for one, two in zip(arrays, there(other), strict=True):
            same(*((v.values() if isinstance(v, dict) else v) for v in (one, two)))
    same(layer.state_dict().values(), other.state_dict().values())  # ONNX has both biases


def test_the_document_and_pytorch():
    layer = nn.LSTM(D, H, rng=0)
    document = nn.from_pytorch(layer.state_dict())
    x = np.random.default_rng(0).normal(size=(4, 2, D))
    np.testing.assert_allclose(document(x)[0].numpy(), layer(x)[0].numpy(), rtol=1e-14)
    again = nn.from_pytorch(nn.to_pytorch(document))
    same(*(tuple(p.numpy() for p in m.parameters().values()) for m in (document, again)))
    layer.load_state_dict(nn.to_pytorch(document))
    np.testing.assert_allclose(document(x)[0].numpy(), layer(x)[0].numpy(), rtol=1e-14)


def test_the_orders_of_gates():
    """By number: the rows of gate i hold i."""
    document = LSTM(D, 1)
    for i, gate in enumerate("fuco"):
        getattr(document, f"W_{gate}").data = np.full((1, 1 + D), i)
        getattr(document, f"b_{gate}").data = np.full(1, i)
    f, u, c, o = range(4)
    state = nn.to_pytorch(document)
    assert state["weight_ih_l0"][:, 0].tolist() == [u, f, c, o]
    layer = nn.LSTM(D, 1)
    layer.load_state_dict(state)
    assert nn.to_keras(layer)[0][0][0].tolist() == [u, f, c, o]
    onnx = nn.to_onnx(layer)[0]
    assert onnx["W"][0, :, 0].tolist() == [u, o, f, c]
    assert onnx["B"][0].tolist() == [u, o, f, c, 0, 0, 0, 0]
    gru = nn.GRU(1, 1)
    gru.load_state_dict({n: np.resize([0, 1, 2], p.shape) for n, p in gru.parameters().items()})
    assert nn.to_keras(gru)[0][0].shape == (1, 3) and nn.to_keras(gru)[0][2].shape == (2, 3)
    np.testing.assert_array_equal(np.argsort(nn.to_onnx(gru)[0]["B"][0, :3]), np.argsort([1, 0, 2]))


def test_peepholes_go_to_onnx():
    layer = nn.LSTM(D, H, peephole=True, rng=0)
    i, f, o = np.split(layer.peephole_l0.numpy(), 3)
    arrays = nn.to_onnx(layer)
    np.testing.assert_array_equal(arrays[0]["P"][0], np.concatenate([i, o, f]))
    other = nn.LSTM(D, H, peephole=True)
    nn.from_onnx(other, arrays)
    same(layer.state_dict().values(), other.state_dict().values())


def keras_like(layer, change):
    arrays = nn.to_keras(layer)
    change(arrays)
    nn.from_keras(layer, arrays)


@pytest.mark.parametrize(
    ("error", "match", "call"),
    [
        (
            ShapeError,
            r"cell 0, weight_ih_l0: the array is not in Keras's layout \(it is transposed\)",
            lambda m: keras_like(m, lambda a: a[0].__setitem__(0, a[0][0].T)),
        ),
        (ShapeError, "number of arrays", lambda m: keras_like(m, lambda a: a[0].pop())),
        (ShapeError, "number of layers", lambda m: keras_like(m, lambda a: a.pop())),
        (
            UnknownNameError,
            "missing|not the arrays",
            lambda m: nn.from_onnx(m, [{"W": np.ones((1, 12, 2))}]),
        ),
        (
            ShapeError,
            "layer 0, W: the array is not in ONNX's layout",
            lambda m: nn.from_onnx(m, [{**nn.to_onnx(m)[0], "W": np.ones((1, 2, 12))}]),
        ),
        (ShapeError, "proj_size=2", lambda m: nn.to_keras(nn.LSTM(D, H, proj_size=2))),
        (ShapeError, "peephole=True", lambda m: nn.to_keras(nn.LSTM(D, H, peephole=True))),
        (DtypeError, "only recurrent", lambda m: nn.to_onnx(nn.Linear(2, 3))),
        (UnknownNameError, "one layer", lambda m: nn.from_pytorch({"weight_ih_l1": 1})),
        (
            ShapeError,
            r"weight_ih_l0: .*expected \(12, 12\)",
            lambda m: nn.from_pytorch(
                {**m.state_dict(), "weight_ih_l0": m.state_dict()["weight_ih_l0"].T}
            ),
        ),
        (
            ShapeError,
            "transposed.*from_keras",
            lambda m: m.load_state_dict(
                {**m.state_dict(), "weight_ih_l0": m.state_dict()["weight_ih_l0"].T}
            ),
        ),
    ],
)
def test_a_wrong_layout_is_named_and_changes_nothing(error, match, call):
    layer = nn.LSTM(D, H, rng=0)
    before = layer.state_dict()
    with pytest.raises(error, match=match) as caught:
        call(layer)
    assert "\n" not in str(caught.value)
    same(before.values(), layer.state_dict().values())


def test_a_layer_of_nn_has_pytorchs_layout_already():
    with pytest.raises(DtypeError, match=r"to_pytorch: .*state_dict\(\)"):
        nn.to_pytorch(nn.LSTM(1, 1))
