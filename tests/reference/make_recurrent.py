"""Write recurrent.json: outputs, states and gradients of PyTorch's recurrent layers, in float64.

    pip install torch==2.13.0
    python tests/reference/make_recurrent.py

Weights, inputs and states are drawn from a seed in the order of ``state_dict``; the test draws the
same. The loss is the sum of outputs and last states, each weighted by a cosine.
"""

import json
import pathlib

import numpy as np
import torch

torch.set_default_dtype(torch.float64)
T, N, D, H = 4, 3, 2, 3
DEEP = {"num_layers": 2, "bidirectional": True}
CASES = [
    ("LSTM", {}, None),
    ("LSTM", {"num_layers": 3}, None),
    ("LSTM", DEEP, None),
    ("LSTM", DEEP, [2, 4, 1]),
    ("LSTM", {"bias": False, "batch_first": True}, [4, 1, 3]),
    ("LSTM", {"proj_size": 2, **DEEP}, None),
    ("GRU", {}, None),
    ("GRU", DEEP, [2, 4, 1]),
    ("RNN", {"bias": False}, None),
    ("RNN", {"nonlinearity": "relu", **DEEP}, [2, 4, 1]),
]


def weighted(values):
    return sum((v * torch.cos(torch.arange(v.numel())).reshape(v.shape)).sum() for v in values)


def draw(kind, options):
    rng = np.random.default_rng(0)
    layer = getattr(torch.nn, kind)(D, H, **options)
    names = {name: rng.normal(size=p.shape) for name, p in layer.named_parameters()}
    layer.load_state_dict({name: torch.tensor(v) for name, v in names.items()})
    shape = (N, T, D) if layer.batch_first else (T, N, D)
    x = torch.tensor(rng.normal(size=shape), requires_grad=True)
    cells = layer.num_layers * (2 if layer.bidirectional else 1)
    widths = [layer.proj_size or H, H][: 2 if kind == "LSTM" else 1]
    state = [torch.tensor(rng.normal(size=(cells, N, w)), requires_grad=True) for w in widths]
    return layer, x, state


def run(kind, options, lengths):
    layer, x, state = draw(kind, options)
    start = tuple(state) if kind == "LSTM" else state[0]
    if lengths is None:
        y, last = layer(x, start)
    else:
        packing = {"batch_first": layer.batch_first}
        packed = torch.nn.utils.rnn.pack_padded_sequence(
            x, torch.tensor(lengths), enforce_sorted=False, **packing
        )
        y, last = layer(packed, start)
        y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, **packing)
    last = last if kind == "LSTM" else (last,)
    weighted([y, *last]).backward()
    found = {"y": y, **dict(zip(("h_n", "c_n"), last, strict=False))}
    found |= {name: p.grad for name, p in layer.named_parameters()}
    found |= {"x": x.grad, **dict(zip(("h_0", "c_0"), (s.grad for s in state), strict=False))}
    return {
        "kind": kind,
        "options": options,
        "lengths": lengths,
        "found": {name: value.detach().numpy().ravel().tolist() for name, value in found.items()},
    }


if __name__ == "__main__":
    path = pathlib.Path(__file__).with_name("recurrent.json")
    path.write_text(
        "[\n" + ",\n".join(json.dumps(run(*case)) for case in CASES) + "\n]\n", encoding="utf-8"
    )
