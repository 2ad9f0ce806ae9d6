"""Write losses.json: values and gradients of losses, layer functions and activations as PyTorch
computes them, in float64.

    pip install torch==2.13.0
    python tests/reference/make_losses.py

Each case names a function of tinygrad_lstm, its inputs and parameters; "gradients" are those of the
sum of the outputs, weighted by 1, 2, 3, ... in order, by every input that is listed as
differentiable.
"""

import json
import pathlib

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
POINTS = [-1e4, -700.0, -40.0, -5.5, -1.0, -1e-9, 0.0, 1e-9, 0.3, 1.0, 5.5, 40.0, 700.0, 1e4]
MODERATE = [-5.5, -3.0, -1.0, -0.1, 0.0, 1e-9, 0.3, 1.0, 3.0, 5.5]
LOGITS = [[0.3, -1.2, 2.0], [1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [40.0, 0.0, -40.0]]
SHARES = [[0.2, 0.5, 0.3], [0.0, 0.0, 1.0], [0.1, 0.1, 0.8], [1.0, 0.0, 0.0]]
CLASSES = [2, 1, 0, 0]
PREDICTION = [[0.3, -1.2, 2.0], [1e4, 0.5, -3.0]]
TARGET = [[0.3, -1.0, 0.0], [-1e4, 0.2, -2.0]]
YES = [[1.0, 0.0, 0.3], [0.0, 1.0, 1.0]]
ROWS = [[0.1, 0.7, -0.4], [2.0, 2.0, 2.0], [1e4, -1e4, 3.0]]
WEIGHTS = [[0.5, -1.0], [2.0, 0.3], [1.5, 0.0]]


def softplus(x, beta=1.0):
    return (
        torch.logaddexp(beta * x, torch.zeros_like(x)) / beta
    )  # F.softplus is x itself from a threshold on


def layer_norm(x, weight, bias, eps=1e-5):
    return F.layer_norm(x, weight.shape, weight, bias, eps)


def embedding(weight, indices):
    return F.embedding(indices, weight)


ACTIVATIONS = {
    "sigmoid": (torch.sigmoid, POINTS, {}),
    "relu": (F.relu, POINTS, {}),
    "leaky_relu": (F.leaky_relu, POINTS, {"negative_slope": 0.2}),
    "elu": (F.elu, POINTS, {"alpha": 1.5}),
    "silu": (F.silu, POINTS, {}),
    "gelu": (F.gelu, POINTS, {}),
    "gelu (tanh)": (F.gelu, POINTS, {"approximate": "tanh"}),
    "softplus": (softplus, POINTS, {"beta": 2.0}),
    "logsigmoid": (F.logsigmoid, POINTS, {}),
    "erf": (torch.erf, MODERATE, {}),
    "erfc": (torch.erfc, MODERATE, {}),
    "expm1": (torch.expm1, POINTS[:-2], {}),
    "log1p": (torch.log1p, POINTS[5:], {}),
}
REDUCTIONS = [{"reduction": reduction} for reduction in ("mean", "sum", "none")]


def case(name, f, inputs, differentiable, params):
    """One entry of the file: what PyTorch's `f` makes of `inputs`."""
    tensors = [torch.tensor(x) for x in inputs]
    for i in differentiable:
        tensors[i].requires_grad_()
    value = f(*tensors, **params)
    weights = torch.arange(1.0, value.numel() + 1).reshape(value.shape)
    gradients = torch.autograd.grad((value * weights).sum(), [tensors[i] for i in differentiable])
    return {
        "function": name.split(" ")[0],
        "inputs": inputs,
        "differentiable": differentiable,
        "params": params,
        "value": value.tolist(),
        "gradients": [g.tolist() for g in gradients],
    }


def cases():
    for name, (f, points, params) in ACTIVATIONS.items():
        yield case(name, f, [points], [0], params)
    yield case("logaddexp", torch.logaddexp, [POINTS, POINTS[::-1]], [0, 1], {})
    for params in REDUCTIONS:
        yield case("absolute_error", F.l1_loss, [PREDICTION, TARGET], [0, 1], params)
        yield case("huber", F.huber_loss, [PREDICTION, TARGET], [0, 1], {"delta": 0.5, **params})
        yield case("cross_entropy", F.cross_entropy, [LOGITS, CLASSES], [0], params)
        yield case("cross_entropy", F.cross_entropy, [LOGITS, SHARES], [0, 1], params)
        yield case(
            "binary_cross_entropy_with_logits",
            F.binary_cross_entropy_with_logits,
            [PREDICTION, YES],
            [0, 1],
            params,
        )
    yield case(
        "layer_norm",
        layer_norm,
        [ROWS, [1.0, 0.5, -2.0], [0.0, 1.0, 0.3]],
        [0, 1, 2],
        {"eps": 1e-3},
    )
    yield case("embedding", embedding, [WEIGHTS, [[0, 2, 2], [2, 0, 2]]], [0], {})


if __name__ == "__main__":
    path = pathlib.Path(__file__).with_name("losses.json")
    lines = ",\n".join(json.dumps(c) for c in cases())
    path.write_text(f'{{"torch": "{torch.__version__.split("+")[0]}", "cases": [\n{lines}\n]}}\n')
    print(f"wrote {path.name}")
