"""One block of Elman's recurrent net by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lstm.by_hand.arrays import Arrays

__all__ = ["backward", "forward", "named"]


def forward(p: Any, v: Any, h: np.ndarray) -> None:
    """h<t> from x<t> and h<t-1>."""
    v.z = np.concatenate([h, v.x], axis=1)
    v.sum = v.z @ p.W.T + p.b
    v.h = np.tanh(v.sum) if p.nonlinearity == "tanh" else np.maximum(v.sum, 0)


def backward(p: Any, v: Any, later: Any) -> None:
    """From what arrives from Error, and what the block after it, `later`, hands back."""
    units = v.h.shape[1]
    v.Δh = v.by_error + later.before_h
    v.Δsum = v.Δh * ((1 - v.h**2) if p.nonlinearity == "tanh" else v.sum > 0)
    v.ΔW, v.Δb = v.Δsum.T @ v.z, v.Δsum.sum(axis=0)
    v.Δz = v.Δsum @ p.W
    v.x_via, v.before_h = {"z": v.Δz[:, units:]}, v.Δz[:, :units]


def named(v: Any) -> Arrays:
    """What block t found, by the tape's names."""
    t = v.t
    return {
        f"h<{t}>": v.Δh, f"sum<{t}>": v.Δsum, f"z<{t}>": v.Δz,
        f"h<{t - 1}> via z<{t}>": v.before_h, f"x<{t}> via z<{t}>": v.x_via["z"],
    }  # fmt: skip
