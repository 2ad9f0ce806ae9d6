"""Write long.json: gradients of PyTorch's LSTM through 1000 blocks, in float64, where they vanish,
where they explode, and where the gates are saturated.

    pip install torch==2.13.0
    python tests/reference/make_long.py

Weights and inputs are drawn from a seed in the order of ``state_dict``, and scaled. The loss is the
sum of the last output; kept are that output, the gradients of the weights, and the norms of the
gradients by x<1>, x<500> and x<1000>.
"""

import json
import pathlib

import numpy as np
import torch

torch.set_default_dtype(torch.float64)
T, D, H = 1000, 2, 4
SCALES = {"vanishing": 0.3, "exploding": 12.0, "saturated": 1e4}


def run(scale):
    rng = np.random.default_rng(0)
    layer = torch.nn.LSTM(D, H)
    names = {n: scale * rng.normal(size=p.shape) for n, p in layer.named_parameters()}
    layer.load_state_dict({name: torch.tensor(v) for name, v in names.items()})
    x = torch.tensor(rng.normal(size=(T, 1, D)), requires_grad=True)
    y, _ = layer(x)
    y[-1].sum().backward()
    norms = {str(t): x.grad[t - 1].norm().item() for t in (1, 500, 1000)}
    grads = {n: p.grad.numpy().ravel().tolist() for n, p in layer.named_parameters()}
    return {"y": y[-1, 0].detach().numpy().tolist(), "norms": norms, "grads": grads}


if __name__ == "__main__":
    path = pathlib.Path(__file__).with_name("long.json")
    found = {name: {"scale": scale, **run(scale)} for name, scale in SCALES.items()}
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
