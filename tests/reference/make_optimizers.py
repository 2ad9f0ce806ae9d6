"""Write optimizers.json: parameters after 100 steps of PyTorch's optimizers, in float64.

    pip install torch==2.13.0
    python tests/reference/make_optimizers.py

The gradients are drawn from a seed, the same for each optimizer, and clipped where it is said.
"""

import json
import pathlib

import numpy as np
import torch

torch.set_default_dtype(torch.float64)
STEPS, SHAPE = 100, (2, 3)
CASES = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("Adam", {"lr": 0.01}),
    ("Adam", {"lr": 0.01, "betas": [0.8, 0.99], "weight_decay": 0.1, "amsgrad": True}),
    ("AdamW", {"lr": 0.01}),
    ("RMSprop", {"lr": 0.01}),
    ("RMSprop", {"lr": 0.01, "alpha": 0.9, "momentum": 0.5, "centered": True}),
]
SCHEDULES = [
    ("StepLR", {"step_size": 7, "gamma": 0.5}),
    ("CosineAnnealingLR", {"T_max": 20, "eta_min": 0.01}),
    ("LinearLR", {"start_factor": 0.25, "total_iters": 8}),
    ("ReduceLROnPlateau", {"factor": 0.5, "patience": 2, "min_lr": 0.02}),
]
LOSSES = [5.0, 4.0, 4.1, 3.99995, 4.2, 4.3, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 2.0, *[2.5] * 12]


def trained(kind, options):
    rng = np.random.default_rng(0)
    p = torch.tensor(rng.normal(size=SHAPE), requires_grad=True)
    optimizer = getattr(torch.optim, kind)([p], **options)
    for _ in range(STEPS):
        p.grad = torch.tensor(rng.normal(size=SHAPE)) + p.detach()
        torch.nn.utils.clip_grad_norm_([p], 2.0)
        optimizer.step()
    return {"kind": kind, "options": options, "end": p.detach().numpy().tolist()}


def rates(kind, options):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    schedule = getattr(torch.optim.lr_scheduler, kind)(optimizer, **options)
    found = []
    for loss in LOSSES:
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step(*([loss] if kind == "ReduceLROnPlateau" else []))
    return {"kind": kind, "options": options, "rates": found}


if __name__ == "__main__":
    found = {
        "optimizers": [trained(*case) for case in CASES],
        "losses": LOSSES,
        "schedules": [rates(*case) for case in SCHEDULES],
    }
    path = pathlib.Path(__file__).with_name("optimizers.json")
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
