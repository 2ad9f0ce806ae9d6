"""Losses, layer functions and activations: PyTorch's stored numbers, and what they refuse."""

import json
import pathlib

import numpy as np
import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import DtypeError, IndexingError, ShapeError, Tensor, gradients

CASES = json.loads((pathlib.Path(__file__).parents[1] / "reference" / "losses.json").read_text())[
    "cases"
]
LOGITS = Tensor([[0.3, -1.2, 2.0], [0.1, 0.4, -0.2]], requires_grad=True)


@pytest.mark.parametrize(
    "case", CASES, ids=lambda c: f"{c['function']}-{c['params'].get('reduction', '')}"
)
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-13), (np.float32, 2e-6)])
def test_as_pytorch(case, dtype, rtol):
    f = getattr(tg, case["function"])
    inputs = [np.array(x) for x in case["inputs"]]
    xs = [
        Tensor(x.astype(dtype), requires_grad=True) if i in case["differentiable"] else x
        for i, x in enumerate(inputs)
    ]
    y = f(*xs, **case["params"])
    assert y.dtype == dtype
    np.testing.assert_allclose(y.numpy(), case["value"], rtol=rtol, atol=rtol)
    g = gradients(y, np.arange(1, y.size + 1, dtype=dtype).reshape(y.shape))
    for i, expected in zip(case["differentiable"], case["gradients"], strict=True):
        assert g[xs[i]].dtype == dtype
        np.testing.assert_allclose(g[xs[i]], expected, rtol=rtol, atol=10 * rtol)


def test_tails_keep_their_relative_precision():
    """Where PyTorch rounds to 0; the numbers are from 40-digit arithmetic."""
    np.testing.assert_allclose(
        tg.gelu(np.array([-10.0, -20.0])),
        [-7.619853024160527e-23, -5.507248237212449e-88],
        rtol=1e-13,
    )
    np.testing.assert_allclose(
        tg.softplus(np.array([-40.0, -700.0])),
        [4.248354255291589e-18, 9.859676543759770e-305],
        rtol=1e-13,
    )
    np.testing.assert_allclose(
        tg.erfc(np.array([5.0, 26.0])), [1.537459794428035e-12, 5.663192408856143e-296], rtol=1e-13
    )
    losses = tg.binary_cross_entropy_with_logits(
        np.array([40.0, -40.0]), np.array([1.0, 0.0]), reduction="none"
    )
    np.testing.assert_allclose(losses, [4.248354255291589e-18] * 2, rtol=1e-13)


def test_cross_entropy_with_an_excluded_class():
    x = Tensor([[0.0, -np.inf, 0.0]], requires_grad=True)
    for target in ([0], [[1.0, 0.0, 0.0]]):
        y = tg.cross_entropy(x, target)
        assert y.item() == pytest.approx(np.log(2))
        np.testing.assert_allclose(gradients(y)[x], [[-0.5, 0, 0.5]])


def test_classes_may_be_a_tensor_and_the_callers_array_may_change():
    classes = np.array([2, 0])
    y, z = tg.cross_entropy(LOGITS, classes), tg.cross_entropy(LOGITS, Tensor(classes))
    table = Tensor(np.arange(6.0).reshape(3, 2), requires_grad=True)
    rows = tg.embedding(table, classes)
    classes[:] = 1
    np.testing.assert_array_equal(gradients(y)[LOGITS], gradients(z)[LOGITS])
    np.testing.assert_array_equal(gradients(rows, np.ones((2, 2)))[table], [[1, 1], [0, 0], [1, 1]])


REFUSED = {
    "a class too high": (IndexingError, lambda: tg.cross_entropy(LOGITS, [0, 3])),
    "a negative class": (IndexingError, lambda: tg.cross_entropy(LOGITS, [0, -1])),
    "classes that are floats": (DtypeError, lambda: tg.cross_entropy(LOGITS, [0.0, 1.0])),
    "classes of a wrong shape": (ShapeError, lambda: tg.cross_entropy(LOGITS, [0, 1, 2])),
    "an unknown reduction": (
        ShapeError,
        lambda: tg.cross_entropy(LOGITS, [0, 1], reduction="average"),
    ),
    "delta 0": (ShapeError, lambda: tg.huber(LOGITS, 0.0, delta=0.0)),
    "an unknown approximation": (ShapeError, lambda: tg.gelu(LOGITS, approximate="fast")),
    "weights of another shape": (ShapeError, lambda: tg.layer_norm(LOGITS, np.ones(2), np.ones(2))),
    "a bias of another shape": (ShapeError, lambda: tg.layer_norm(LOGITS, np.ones(3), np.ones(2))),
    "a scalar weight": (ShapeError, lambda: tg.layer_norm(LOGITS, 1.0, 0.0)),
    "no generator": (DtypeError, lambda: tg.dropout(LOGITS, 0.5, 0)),
    "p above 1": (ShapeError, lambda: tg.dropout(LOGITS, 1.5, np.random.default_rng(0))),
    "a row too high": (IndexingError, lambda: tg.embedding(LOGITS, [0, 2])),
    "a negative row": (IndexingError, lambda: tg.embedding(LOGITS, -1)),
    "a mask as rows": (DtypeError, lambda: tg.embedding(LOGITS, [True, False])),
}


@pytest.mark.parametrize(("kind", "call"), REFUSED.values(), ids=REFUSED)
def test_refused(kind, call):
    with pytest.raises(kind) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text and text.count("expected") == 1 and text.count("got") <= 1
    first, rest = text.split(": ", 1)
    assert not rest.startswith(first)  # where it was is said once


def test_dropout():
    x = Tensor(np.ones((200, 200), np.float32), requires_grad=True)
    y = tg.dropout(x, 0.25, np.random.default_rng(3))
    scale = np.float32(1 / 0.75)
    assert y.dtype == np.float32 and set(np.unique(y.numpy())) == {np.float32(0), scale}
    assert np.mean(y.numpy() == 0) == pytest.approx(0.25, abs=0.01)  # four standard deviations
    np.testing.assert_array_equal(
        gradients(y, np.ones(y.shape))[x], y.numpy()
    )  # the same entries, the same scale
    again = tg.dropout(x, 0.25, np.random.default_rng(3))
    np.testing.assert_array_equal(again.numpy(), y.numpy())
    np.testing.assert_array_equal(tg.dropout(x, 0, np.random.default_rng(3)).numpy(), x.numpy())
    np.testing.assert_array_equal(tg.dropout(x, 1, np.random.default_rng(3)).numpy(), 0)
    with pytest.raises(TypeError):
        tg.dropout(x, 0.25)
