"""Layers without a memory, modules of one's own, and cells of one's own."""

import numpy as np
import pytest

from tinygrad_lstm import (
    LSTM,
    DtypeError,
    ShapeError,
    Tensor,
    UnknownNameError,
    gradients,
    nn,
    optim,
    squared_error,
    tanh,
)


def test_linear_and_layer_norm():
    x = np.random.default_rng(0).normal(size=(4, 2, 3))
    layer = nn.Linear(3, 5, rng=0)
    w, b = layer.state_dict().values()
    np.testing.assert_allclose(layer(x).numpy(), x @ w.T + b, rtol=1e-14)
    assert list(nn.Linear(3, 5, bias=False).parameters()) == ["weight"]
    norm = nn.LayerNorm([2, 3])
    y = norm(x).numpy()
    np.testing.assert_allclose(y.mean(axis=(1, 2)), 0, atol=1e-15)
    assert list(norm.parameters()) == ["weight", "bias"] and norm.weight.shape == (2, 3)
    assert not nn.LayerNorm(3, elementwise_affine=False).parameters()


@pytest.mark.parametrize("rows", [1, 64, 65])
def test_a_wide_weight_is_applied_to_few_rows_and_to_many(rows):
    layer, rng = nn.Linear(256, 256, rng=0, dtype=np.float32), np.random.default_rng(0)
    x = Tensor(rng.normal(size=(rows, 256)).astype(np.float32), requires_grad=True)
    y = layer(x)
    w, b = (v.astype(float) for v in layer.state_dict().values())
    assert y.dtype == np.float32 and y.numpy().flags.c_contiguous
    np.testing.assert_allclose(y.numpy(), x.numpy().astype(float) @ w.T + b, atol=1e-5)


def test_an_embedding_of_padding_gets_no_gradient():
    layer = nn.Embedding(4, 2, padding_idx=-1, rng=0)
    y = layer([[0, 3], [0, 1]])
    assert not y.numpy()[0, 1].any() and y.shape == (2, 2, 2)
    y.sum().backward()
    np.testing.assert_array_equal(layer.weight.grad[:, 0], [2, 1, 0, 0])


def test_dropout_drops_in_training_alone():
    layer, x = nn.Dropout(0.5, rng=0), np.ones(1000)
    assert 400 < np.count_nonzero(layer(Tensor(x)).numpy()) < 600
    assert layer.eval()(x) is x


class Regression(nn.Module):
    def __init__(self):
        self.encoder = nn.LSTM(2, 3, num_layers=2, rng=0)
        self.heads = [nn.Linear(3, 1, rng=1), nn.Linear(3, 1, rng=2)]
        self.scale = Tensor(2.0, True, "scale")

    def forward(self, x):
        y, _ = self.encoder(x)
        return (self.heads[0](y) + self.heads[1](y)) * self.scale


def test_a_module_of_ones_own():
    model = Regression()
    x = np.random.default_rng(0).normal(size=(4, 2, 2))
    loss = squared_error(model(x), 0.0)
    g = gradients(loss)
    names = ["encoder.weight_ih_l0", "heads.1.weight", "scale"]
    assert set(names) <= set(model.state_dict())
    for name in (*names, "encoder.layer2.c<3>", "encoder.W_f"):
        assert g[name].size
    other = Regression()
    other.load_state_dict(model.state_dict())
    np.testing.assert_array_equal(other(x).numpy(), model(x).numpy())
    assert model.encoder.training and not model.eval().encoder.training
    loss.backward()
    model.zero_grad()
    assert model.scale.grad is None
    with pytest.raises(UnknownNameError, match=r"missing \['scale'\]"):
        other.load_state_dict({k: v for k, v in model.state_dict().items() if k != "scale"})


def test_what_is_frozen_is_not_learned_but_saved():
    model, x = Regression(), np.random.default_rng(0).normal(size=(4, 2, 2))
    for p in [*model.encoder.parameters().values(), model.heads[1].weight]:
        p.requires_grad = False
    before = model.state_dict()
    assert list(before) == list(Regression().state_dict())
    optimizer = optim.SGD(model, lr=0.1)
    squared_error(model(x), 0.0).backward()
    optimizer.step()
    after = model.state_dict()
    moved = {name for name in after if not np.array_equal(after[name], before[name])}
    assert moved == {"heads.0.weight", "heads.0.bias", "heads.1.bias", "scale"}
    assert "weight (1, 3), frozen" in repr(model)
    fresh = Regression()
    fresh.load_state_dict(after)
    model.load_state_dict(before)  # what is frozen takes weights too
    np.testing.assert_array_equal(model.heads[1].weight.numpy(), before["heads.1.weight"])


class Stateful(nn.Module):
    def __init__(self):
        self.cells = {"deep": [[nn.Linear(2, 3, rng=0)], (nn.Linear(3, 3, rng=1),)]}
        self.ones, self.h = Tensor(np.ones(3)), Tensor(np.zeros(3))

    def forward(self, x):
        [first], (second,) = self.cells["deep"]
        self.seen = first(x) * self.ones
        y = second(self.seen) + self.h
        self.h = y.detach()
        return y


def test_constants_and_results_that_forward_keeps_are_no_parameters():
    model = Stateful()
    names = list(model.state_dict())
    assert names == [f"cells.deep.{k}.0.{n}" for k in (0, 1) for n in ("weight", "bias")]
    for _ in range(2):
        assert gradients(squared_error(model(np.ones((1, 2))), 0.0))[model.parameters()]
    assert list(model.state_dict()) == names
    Stateful().load_state_dict(model.state_dict())


def test_sequential_passes_outputs_on():
    model = nn.Sequential(nn.GRU(2, 3, rng=0), nn.Dropout(0.1), nn.Linear(3, 1, rng=0)).eval()
    assert model(np.ones((4, 2, 2))).shape == (4, 2, 1)
    assert list(model.state_dict()) == [
        *(f"0.{n}_l0" for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")),
        "2.weight",
        "2.bias",
    ]
    with pytest.raises(DtypeError, match="define forward"):
        nn.Module()(1)


def test_functions_may_stand_in_a_sequence_and_it_is_read_as_one():
    model = nn.Sequential(nn.Linear(2, 3, rng=0), tanh, nn.Linear(3, 1, rng=1))
    x = np.ones((1, 2))
    assert [len(model), *map(type, (model[0], model[-1], model[1:]))] == [
        3,
        nn.Linear,
        nn.Linear,
        nn.Sequential,
    ]
    np.testing.assert_array_equal(model[1:](model[0](x)).numpy(), model(x).numpy())
    assert list(model) == [model[0], tanh, model[2]]
    assert repr(model.eval()).splitlines()[5] == "  1: tanh"
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_no_array_takes_the_place_of_a_parameter():
    layer = nn.Linear(2, 2, rng=0)
    with pytest.raises(DtypeError, match=r"Linear\.weight: .*set weight\.data"):
        layer.weight = np.ones((2, 2))
    layer.weight.data = np.ones((2, 2))
    assert "weight" in layer.state_dict()


def test_a_module_says_what_it_is_made_of():
    lines = repr(Regression()).splitlines()
    assert lines[:3] == ["Regression(", "  encoder: LSTM(", "    weight_ih_l0 (12, 2)"]
    assert "  heads.1: Linear(" in lines and lines[-2:] == ["  scale ()", ")"]
    assert repr(nn.Dropout(0.5)) == "Dropout()"


def elman(W):
    return lambda x, h: tanh((x + h @ W).named("sum")).named("h")


OPTIONS = [
    {},
    {"reverse": True},
    {"lengths": [3, 5]},
    {"lengths": [3, 5], "reverse": True},
    {"window": 2},
    {"window": 2, "reverse": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_checkpointed_cell_is_the_cell(options):
    rng = np.random.default_rng(0)
    x, h, w = rng.normal(size=(5, 2, 3)), rng.normal(size=(2, 3)), rng.normal(size=(3, 3))
    results = []
    for checkpoint in (None, 1, 2, 7):
        leaves = [Tensor(v, True) for v in (x, h, w)]
        y, last = nn.unroll(elman(leaves[2]), *leaves[:2], checkpoint=checkpoint, **options)
        (squared_error(y, 0.3) + last.sum()).backward()
        results.append([y.numpy(), last.numpy(), *(leaf.grad for leaf in leaves)])
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            np.testing.assert_allclose(two, one, rtol=1e-13, atol=1e-15)


def test_names_of_blocks_and_states():
    W = Tensor(np.eye(3), True, "W")
    y, h = nn.unroll(elman(W), np.ones((3, 1, 3)), (np.zeros((1, 3)),), window=2)
    assert isinstance(h, tuple) and h[0].name == "h<3>"
    tape = y.tape
    assert {"h<0>", "cut_h<2>", "x<1>", "W"} <= {x.name for x in tape.leaves}
    assert [s.block for s in tape if s.name.startswith("sum")] == [1, 2, 3]
    _, h = nn.unroll(elman(W), np.ones((3, 1, 3)), np.zeros((1, 3)), reverse=True)
    assert h.name == "h<1>"


def test_a_window_cuts_what_flows_back():
    W, x = Tensor(np.eye(1), True), Tensor(np.ones((5, 1, 1)), True)
    y, _ = nn.unroll(elman(W), x, np.zeros((1, 1)), window=2)
    y[-1].sum().backward()
    assert x.grad.ravel().astype(bool).tolist() == [False] * 4 + [True]


def test_a_cell_of_another_shape_is_refused():
    with pytest.raises(ShapeError, match=r"next state.*expected \(1, 3\), got \(1, 1\)"):
        nn.unroll(lambda x, h: h[:, :1], np.ones((3, 1, 3)), np.zeros((1, 3)))
    with pytest.raises(ShapeError, match="next state, Tensors.*got ndarray"):
        nn.unroll(lambda x, h: h.numpy(), np.ones((3, 1, 3)), np.zeros((1, 3)))
    with pytest.raises(ShapeError, match="no block"):
        nn.unroll(lambda x, h: h, np.ones((0, 1, 3)), np.zeros((1, 3)))
    with pytest.raises(DtypeError, match="lengths"):
        nn.unroll(lambda x, h: h, np.ones((2, 1, 3)), np.zeros((1, 3)), lengths=[1.0])


@pytest.mark.parametrize(
    ("error", "match", "call"),
    [
        (ShapeError, r"Linear: .*\(..., 3\), got \(2,\)", lambda: nn.Linear(3, 1)(np.ones(2))),
        (ShapeError, "in_features", lambda: nn.Linear(0, 1)),
        (ShapeError, "padding_idx", lambda: nn.Embedding(3, 1, padding_idx=3)),
        (DtypeError, "Sequential, argument 1.*got list", lambda: nn.Sequential([nn.Linear(1, 1)])),
        (
            DtypeError,
            "no array",
            lambda: nn.Linear(1, 1).load_state_dict(dict.fromkeys(["weight", "bias"], "x")),
        ),
        (DtypeError, "nn.to_pytorch", lambda: nn.export_onnx(LSTM(1, 1), "a.onnx")),
        (ShapeError, "probability", lambda: nn.Dropout(-0.1)),
        (DtypeError, "float32 or float64", lambda: nn.Linear(1, 1, dtype=int)),
        (ValueError, "rng", lambda: nn.Linear(1, 1, rng=-1)),
    ],
)
def test_bad_input_is_refused_in_one_line(error, match, call):
    with pytest.raises(error, match=match) as caught:
        call()
    assert "\n" not in str(caught.value)
