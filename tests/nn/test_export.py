"""A file of ONNX, run by onnxruntime."""

import numpy as np
import pytest

from tinygrad_lstm import DtypeError, ShapeError, nn

T, N, D, H = 5, 3, 2, 4
DEEP = {"num_layers": 2, "bidirectional": True}


def run(path, x):
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("LSTM", {}),
        ("LSTM", DEEP),
        ("LSTM", {"peephole": True, "bias": False}),
        ("LSTM", {**DEEP, "initial": "trained", "batch_first": True}),
        ("GRU", DEEP),
        ("GRU", {"reset_after": False}),
        ("RNN", DEEP),
        ("RNN", {"nonlinearity": "relu", "initial": "trained"}),
    ],
    ids=str,
)
def test_a_recurrent_layer_computes_the_same(tmp_path, kind, options):
    pytest.importorskip("onnx")
    layer = getattr(nn, kind)(D, H, rng=0, dtype="f4", **options)
    rng = np.random.default_rng(0)
    layer.load_state_dict(
        {name: rng.normal(size=v.shape) / 2 for name, v in layer.state_dict().items()}
    )
    nn.export_onnx(layer, tmp_path / "m.onnx")
    x = rng.normal(size=(N, T, D) if layer.batch_first else (T, N, D)).astype("f4")
    y, last = layer(x)
    expected = [y, *(last if isinstance(last, tuple) else (last,))]
    for found, value in zip(run(tmp_path / "m.onnx", x), expected, strict=True):
        np.testing.assert_allclose(found, value.numpy(), rtol=1e-5, atol=1e-6)


def test_a_whole_model_computes_the_same(tmp_path):
    pytest.importorskip("onnx")
    model = nn.Sequential(
        nn.Embedding(5, D, rng=0, dtype="f4"),
        nn.GRU(D, H, rng=0, dtype="f4"),
        nn.Dropout(0.5),
        nn.LayerNorm(H, dtype="f4"),
        nn.Linear(H, 2, rng=0, dtype="f4"),
    ).eval()
    nn.export_onnx(model, tmp_path / "m.onnx")
    words = np.arange(T * N).reshape(T, N) % 5
    (y,) = run(tmp_path / "m.onnx", words)
    np.testing.assert_allclose(y, model(words).numpy(), rtol=1e-5, atol=1e-6)


def test_what_onnx_does_not_have_is_refused_and_nothing_is_written(tmp_path):
    pytest.importorskip("onnx")

    class Own(nn.Module):
        pass

    for error, module in (
        (DtypeError, Own()),
        (ShapeError, nn.LSTM(D, H, proj_size=2)),
        (ShapeError, nn.LSTM(D, H, layer_norm=True)),
    ):
        with pytest.raises(error):
            nn.export_onnx(module, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())
