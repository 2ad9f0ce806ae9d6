"""The parameters of a model by the names of the equations, and their derivatives by its own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from tinygrad_lstm.by_hand.arrays import Arrays
from tinygrad_lstm.by_hand.variant import NORMALISED, PEEPHOLES

__all__ = ["by_equation", "by_model", "suffix_of"]


def suffix_of(k: int, reverse: bool) -> str:
    """What the model's names of the parameters of a layer and direction end in."""
    return f"l{k}_reverse" if reverse else f"l{k}"


def by_equation(model: Any, suffix: str) -> SimpleNamespace:
    """The parameters of a layer and direction, as the equations call them."""
    state, gates = model.state_dict(), model.gates
    W_hh, W_ih = (state[f"weight_{side}_{suffix}"] for side in ("hh", "ih"))
    zero = np.zeros(len(W_hh))
    b_hh, b_ih = (state.get(f"bias_{side}_{suffix}", zero) for side in ("hh", "ih"))
    W, b = np.concatenate([W_hh, W_ih], axis=1), b_hh + b_ih
    found = _split("W", gates, W) | _split("b", gates, b)
    last = slice(-len(W_hh) // len(gates), None)
    found |= {
        "W": W, "b": b, "nonlinearity": getattr(model, "nonlinearity", ""),
        "W_h": W_hh[last], "W_x": W_ih[last], "b_h": b_hh[last], "b_x": b_ih[last],
    }  # fmt: skip
    for stem, kind, names in _EXTRAS:
        if f"{stem}_{suffix}" in state:
            found |= _split(kind, names, state[f"{stem}_{suffix}"])
    if model.proj_size:
        found["W_r"] = state[f"weight_hr_{suffix}"]
    return SimpleNamespace(**found)


def by_model(model: Any, d: Arrays, suffix: str) -> Arrays:
    """The derivatives `d` by what the equations have, as the model stores its parameters."""
    if "W" in d:  # Elman's
        whole, b_ih, b_hh = [d["W"]], d["b"], d["b"]
    elif "W_h" in d:  # PyTorch's GRU
        whole = [d["W_r"], d["W_u"], np.concatenate([d["W_h"], d["W_x"]], axis=1)]
        b_ih, b_hh = (np.concatenate([d["b_r"], d["b_u"], d[n]]) for n in ("b_x", "b_h"))
    else:
        whole = [d[f"W_{gate}"] for gate in model.gates]
        b_ih = b_hh = np.concatenate([d[f"b_{gate}"] for gate in model.gates])
    W, width = np.concatenate(whole), model.output_size
    found = {f"weight_ih_{suffix}": W[:, width:], f"weight_hh_{suffix}": W[:, :width]}
    if model.bias:
        found |= {f"bias_ih_{suffix}": b_ih, f"bias_hh_{suffix}": b_hh}
    for stem, kind, names in _EXTRAS:
        if f"{kind}_{names[0]}" in d:
            found[f"{stem}_{suffix}"] = np.concatenate([d[f"{kind}_{name}"] for name in names])
    if model.proj_size:
        found[f"weight_hr_{suffix}"] = d["W_r"]
    return found


_EXTRAS = (
    ("peephole", "p", PEEPHOLES),
    ("norm_weight", "gain", NORMALISED),
    ("norm_bias", "shift", NORMALISED),
)


def _split(kind: str, names: Any, value: np.ndarray) -> dict[str, Any]:
    parts = np.split(value, len(names))
    return {f"{kind}_{name}": part for name, part in zip(names, parts, strict=True)}
