"""The equations of each cell that has been derived by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lstm.by_hand import document, elman, variant
from tinygrad_lstm.by_hand import gru as gated
from tinygrad_lstm.by_hand.arrays import Arrays
from tinygrad_lstm.by_hand.chain import Equations
from tinygrad_lstm.by_hand.projected import projected

__all__ = ["ELMAN", "GRU", "LSTM", "ORIGINAL_GRU", "of_lstm"]

GATES = [f"{kind}_{gate}" for kind in "Wb" for gate in "fuco"]
BOTH = [f"{kind}_{gate}" for kind in "Wb" for gate in "ru"]


def _document_backward(p: Any, v: Any, later: Any) -> None:
    document.backward(p, v, later)
    v.x_via = {"z": v.Δx}


def _document_named(v: Any) -> Arrays:
    found = document.named(v, np.ones(()))
    return {
        (f"{name} via z<{v.t}>" if name == f"x<{v.t}>" else name): g for name, g in found.items()
    }


LSTM = Equations(document.forward, _document_backward, _document_named, ("a", "c"), tuple(GATES))
GRU = Equations(
    gated.forward, gated.backward, gated.named, ("h",), (*BOTH, "W_h", "W_x", "b_h", "b_x")
)
ORIGINAL_GRU = Equations(
    gated.original_forward, gated.original_backward, gated.named, ("h",), (*BOTH, "W_c", "b_c")
)
ELMAN = Equations(elman.forward, elman.backward, elman.named, ("h",), ("W", "b"))


def of_lstm(model: Any) -> Equations:
    """Those of an nn.LSTM, with what it adds to the document's."""
    found, parameters = LSTM, [*GATES]
    if model.peephole:
        parameters += [f"p_{gate}" for gate in variant.PEEPHOLES]
    if model.layer_norm:
        parameters += [f"{kind}_{n}" for kind in ("gain", "shift") for n in variant.NORMALISED]
    if model.peephole or model.layer_norm:
        cell = (variant.forward, variant.backward, variant.named)
        found = Equations(*cell, ("a", "c"), tuple(parameters))
    return projected(found) if model.proj_size else found
