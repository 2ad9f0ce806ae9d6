"""What layers, optimizers and their states refuse, and in which words."""

import sys

import numpy as np
import pytest

from tinygrad_lstm import LSTM, DataError, ShapeError, Tensor, UnknownNameError, nn, optim

X = np.zeros((3, 2, 1))


def test_a_state_is_a_pair():
    with pytest.raises(ShapeError, match="a state is a pair"):
        LSTM(1, 2, rng=0)(X, state=(np.zeros((2, 2)),))


def test_targets_and_masks_have_the_shape_of_the_outputs():
    lstm = nn.LSTM(1, 2, rng=0)
    with pytest.raises(ShapeError, match="the targets do not have the outputs' shape"):
        lstm.error(X, np.zeros((3, 2, 3)))
    with pytest.raises(ShapeError, match="a mask says of each block"):
        lstm.error(X, np.zeros((3, 2, 2)), mask=[2, 0, 0])
    first = nn.LSTM(1, 2, rng=0, batch_first=True)
    mask = np.array([[1, 0, 1], [0, 1, 1]])
    loss = first.error(X.swapaxes(0, 1), np.ones((2, 3, 2)), mask=mask)
    assert loss.item() == lstm.error(X, np.ones((3, 2, 2)), mask=mask.T).item()


def test_weights_are_finite():
    layer = nn.Linear(2, 1, rng=0)
    with pytest.raises(DataError, match="a weight is not finite"):
        layer.load_state_dict({"weight": [[np.inf, 0.0]], "bias": [0.0]})


@pytest.mark.parametrize(("name", "save"), [("safetensors", nn.save_safetensors)])
def test_what_is_not_installed_is_said(tmp_path, monkeypatch, name, save):
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, f"{name}.numpy", None)
    with pytest.raises(DataError, match="install"):
        save(tmp_path / "x", {"a": np.ones(1)})


def test_states_of_another_optimizer_and_schedule():
    w = Tensor([1.0], True, "w")
    sgd = optim.SGD({"w": w}, lr=0.1, momentum=0.9)
    w.grad = np.array([1.0])
    sgd.step()
    state = sgd.state_dict()
    with pytest.raises(UnknownNameError, match="there is no such parameter"):
        optim.SGD({"v": w}, lr=0.1, momentum=0.9).load_state_dict(state)
    with pytest.raises(DataError, match="the state of another schedule"):
        optim.StepLR(sgd, 2).load_state_dict({"epoch": 1})
