"""One block of a gated recurrent unit by hand, in both forms."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lstm.by_hand.arrays import Arrays, sigmoid

__all__ = ["backward", "forward", "named", "original_backward", "original_forward"]


def forward(p: Any, v: Any, h: np.ndarray) -> None:
    """PyTorch's form: the reset gate acts on the sum over h<t-1>."""
    v.h_before = h
    v.z = np.concatenate([h, v.x], axis=1)
    v.Γ_r = sigmoid(v.z @ p.W_r.T + p.b_r)
    v.Γ_u = sigmoid(v.z @ p.W_u.T + p.b_u)
    v.sum_h = h @ p.W_h.T + p.b_h
    v.sum_x = v.x @ p.W_x.T + p.b_x
    v.candidate = np.tanh(v.sum_x + v.Γ_r * v.sum_h)
    v.h = v.Γ_u * h + (1 - v.Γ_u) * v.candidate


def original_forward(p: Any, v: Any, h: np.ndarray) -> None:
    """The paper's form: the reset gate acts on h<t-1>."""
    v.h_before = h
    v.z = np.concatenate([h, v.x], axis=1)
    v.Γ_r = sigmoid(v.z @ p.W_r.T + p.b_r)
    v.Γ_u = sigmoid(v.z @ p.W_u.T + p.b_u)
    v.z_reset = np.concatenate([v.Γ_r * h, v.x], axis=1)
    v.candidate = np.tanh(v.z_reset @ p.W_c.T + p.b_c)
    v.h = v.Γ_u * h + (1 - v.Γ_u) * v.candidate


def _output(v: Any, later: Any) -> None:
    """What both forms share: from h<t> to the update gate and the candidate's sum."""
    v.Δh = v.by_error + later.before_h
    v.ΔΓ_u = v.Δh * (v.h_before - v.candidate)
    v.Δcandidate = v.Δh * (1 - v.Γ_u)
    v.Δsum_c = v.Δcandidate * (1 - v.candidate**2)
    v.Δsum_u = v.ΔΓ_u * v.Γ_u * (1 - v.Γ_u)


def _gates(p: Any, v: Any) -> None:
    """What both forms share: from the sums of both gates to z<t>."""
    v.Δsum_r = v.ΔΓ_r * v.Γ_r * (1 - v.Γ_r)
    v.ΔW_r, v.Δb_r = v.Δsum_r.T @ v.z, v.Δsum_r.sum(axis=0)
    v.ΔW_u, v.Δb_u = v.Δsum_u.T @ v.z, v.Δsum_u.sum(axis=0)
    v.Δz = v.Δsum_r @ p.W_r + v.Δsum_u @ p.W_u


def backward(p: Any, v: Any, later: Any) -> None:
    """From what arrives from Error, and what the block after it, `later`, hands back."""
    units = v.h.shape[1]
    _output(v, later)
    v.ΔΓ_r = v.Δsum_c * v.sum_h
    v.Δsum_h = v.Δsum_c * v.Γ_r
    v.Δsum_x = v.Δsum_c
    _gates(p, v)
    v.ΔW_h, v.Δb_h = v.Δsum_h.T @ v.h_before, v.Δsum_h.sum(axis=0)
    v.ΔW_x, v.Δb_x = v.Δsum_x.T @ v.x, v.Δsum_x.sum(axis=0)
    v.x_via = {"z": v.Δz[:, units:], "sum_x": v.Δsum_x @ p.W_x}
    v.h_via = {"z": v.Δz[:, :units], "sum_h": v.Δsum_h @ p.W_h, "keep": v.Δh * v.Γ_u}
    v.before_h = v.h_via["z"] + v.h_via["sum_h"] + v.h_via["keep"]


def original_backward(p: Any, v: Any, later: Any) -> None:
    """From what arrives from Error, and what the block after it, `later`, hands back."""
    units = v.h.shape[1]
    _output(v, later)
    v.ΔW_c, v.Δb_c = v.Δsum_c.T @ v.z_reset, v.Δsum_c.sum(axis=0)
    v.Δz_reset = v.Δsum_c @ p.W_c
    v.Δreset = v.Δz_reset[:, :units]
    v.ΔΓ_r = v.Δreset * v.h_before
    _gates(p, v)
    v.x_via = {"z": v.Δz[:, units:], "z_reset": v.Δz_reset[:, units:]}
    v.h_via = {"z": v.Δz[:, :units], "reset": v.Δreset * v.Γ_r, "keep": v.Δh * v.Γ_u}
    v.before_h = v.h_via["z"] + v.h_via["reset"] + v.h_via["keep"]


def named(v: Any) -> Arrays:
    """What block t found, by the tape's names."""
    t = v.t
    found = {
        f"h<{t}>": v.Δh, f"keep<{t}>": v.Δh, f"write<{t}>": v.Δh, f"h~<{t}>": v.Δcandidate,
        f"sum_c<{t}>": v.Δsum_c, f"Γ_u<{t}>": v.ΔΓ_u, f"Γ_r<{t}>": v.ΔΓ_r, f"sum_u<{t}>": v.Δsum_u,
        f"sum_r<{t}>": v.Δsum_r, f"z<{t}>": v.Δz,
    }  # fmt: skip
    for stage in ("sum_h", "sum_x", "z_reset"):
        if hasattr(v, f"Δ{stage}"):
            found[f"{stage}<{t}>"] = getattr(v, f"Δ{stage}")
    found |= {f"h<{t - 1}> via {stage}<{t}>": sent for stage, sent in v.h_via.items()}
    return found | {f"x<{t}> via {stage}<{t}>": sent for stage, sent in v.x_via.items()}
