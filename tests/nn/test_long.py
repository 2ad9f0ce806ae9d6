"""A thousand blocks, where gradients vanish and explode, against numbers stored from PyTorch; and
sequences that are too long to be kept."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinygrad_lstm import Tensor, nn

REFERENCE = Path(__file__).parents[1] / "reference" / "long.json"
STORED = json.loads(REFERENCE.read_text(encoding="utf-8"))
T, D, H = 1000, 2, 4


def run(scale, by=0.0):
    """The layer and x of make_long.py, x changed by a relative amount; what backward finds."""
    rng = np.random.default_rng(0)
    layer = nn.LSTM(D, H)
    layer.load_state_dict(
        {n: scale * rng.normal(size=p.shape) for n, p in layer.parameters().items()}
    )
    x = Tensor(rng.normal(size=(T, 1, D)) * (1 + by), True)
    y, _ = layer(x)
    y[-1].sum().backward()
    found = {n: p.grad.ravel() for n, p in layer.parameters().items()}
    norms = [np.linalg.norm(x.grad[t - 1]) for t in (1, 500, 1000)]
    return {"y": y.numpy()[-1, 0], **found}, norms


@pytest.mark.parametrize("kind", STORED)
def test_a_thousand_blocks(kind):
    """Equal within what rounding is amplified to, as a change of the inputs by 1e-13 shows."""
    stored = STORED[kind]
    found, norms = run(stored["scale"])
    moved, far = run(stored["scale"], by=1e-13)
    for name, value in {"y": stored["y"], **stored["grads"]}.items():
        largest = np.max(np.abs(value)) or 1.0
        amplified = np.max(np.abs(moved[name] - found[name])) / largest
        assert np.isfinite(found[name]).all()
        assert np.max(np.abs(found[name] - value)) / largest < 1e-12 + 10 * amplified, name
    for norm, other, value in zip(norms, far, stored["norms"].values(), strict=True):
        assert norm == pytest.approx(value, rel=1e-12, abs=1e-300 + 10 * abs(other - norm))
    if kind == "exploding":
        assert norms[0] > 1000 * norms[-1]


MEMORY = """
import sys
import numpy as np
from tinygrad_lstm import nn, squared_error
model, x = nn.LSTM(2, 8, rng=0), np.ones((int(sys.argv[1]), 1, 2))
y, _ = model(x, checkpoint=int(sys.argv[2]) or None)
squared_error(y, 0.5).backward()
with open("/proc/self/status") as status:  # of this program alone, not of what started it
    print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="asks Linux for the peak")
def test_checkpoints_bound_the_memory():
    def peak(steps, checkpoint):
        words = [sys.executable, "-c", MEMORY, str(steps), str(checkpoint)]
        return int(subprocess.run(words, capture_output=True, check=True, text=True).stdout)

    least = peak(10, 0)
    assert peak(4000, 60) - least < (peak(4000, 0) - least) / 3
