"""One block by hand of an LSTM whose gates see the cell state, or whose sums are normalised.

The equations are those of :mod:`document`, F1 to F14 and B2 to B16, with what is added to them: a
peephole ``p * c`` in the sums of f, u and o, and a normalisation between a value and its function.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lstm.by_hand.arrays import Arrays, sigmoid

__all__ = ["NORMALISED", "PEEPHOLES", "backward", "forward", "named"]

PEEPHOLES = "ufo"  # the gates that see the cell state
NORMALISED = ("u", "f", "c", "o", "c_state")
EPS = 1e-5  # added to the variance


def forward(p: Any, v: Any, a: np.ndarray, c: np.ndarray) -> None:
    """One block from x<t>, a<t-1> and c<t-1>: the gate o sees c<t>, the others c<t-1>."""
    v.c_before, v.standard, v.deviation = c, {}, {}
    v.z = np.concatenate([a, v.x], axis=1)
    v.Γ_f = sigmoid(_sum(p, v, "f", c))
    v.Γ_u = sigmoid(_sum(p, v, "u", c))
    v.candidate = np.tanh(_sum(p, v, "c", c))
    v.c = c * v.Γ_f + v.Γ_u * v.candidate
    v.Γ_o = sigmoid(_sum(p, v, "o", v.c))
    v.tanh_c = np.tanh(_normalised(p, v, "c_state", v.c))
    v.a = v.tanh_c * v.Γ_o


def backward(p: Any, v: Any, later: Any) -> None:
    """From what arrives from Error, and what the block after it, `later`, hands back."""
    units = v.z.shape[1] - v.x.shape[1]
    v.Δz_via, v.c_via = {}, {}
    v.Δa = v.by_error + later.before_a
    v.ΔΓ_o = v.Δa * v.tanh_c
    v.Δtanh_c = v.Δa * v.Γ_o

    _gate(p, v, "o", v.ΔΓ_o * v.Γ_o * (1 - v.Γ_o), v.c)
    v.down_c = _through_norm(p, v, "c_state", v.Δtanh_c * (1 - v.tanh_c**2))
    v.Δc = v.down_c + v.c_via["peep_o"] + later.before_c
    v.ΔΓ_f, v.ΔΓ_u, v.Δcandidate = v.Δc * v.c_before, v.Δc * v.candidate, v.Δc * v.Γ_u

    _gate(p, v, "f", v.ΔΓ_f * v.Γ_f * (1 - v.Γ_f), v.c_before)
    _gate(p, v, "u", v.ΔΓ_u * v.Γ_u * (1 - v.Γ_u), v.c_before)
    _gate(p, v, "c", v.Δcandidate * (1 - v.candidate**2), v.c_before)

    v.Δz = sum(v.Δz_via.values())
    v.x_via, v.before_a = {"z": v.Δz[:, units:]}, v.Δz[:, :units]
    v.c_via["keep"] = v.Δc * v.Γ_f
    v.before_c = v.c_via["keep"] + v.c_via["peep_f"] + v.c_via["peep_u"]


def named(v: Any) -> Arrays:
    """What block t found, by the tape's names."""
    t, p = v.t, v.p
    found = {
        f"a<{t}>": v.Δa, f"Γ_o<{t}>": v.ΔΓ_o, f"tanh_c<{t}>": v.Δtanh_c, f"c<{t}>": v.Δc,
        f"keep<{t}>": v.Δc, f"write<{t}>": v.Δc, f"Γ_f<{t}>": v.ΔΓ_f, f"Γ_u<{t}>": v.ΔΓ_u,
        f"c~<{t}>": v.Δcandidate, f"z<{t}>": v.Δz, f"x<{t}> via z<{t}>": v.x_via["z"],
        f"a<{t - 1}> via z<{t}>": v.before_a, f"c<{t - 1}> via keep<{t}>": v.c_via["keep"],
        f"c<{t}> via {'norm_c_state' if v.standard else 'tanh_c'}<{t}>": v.down_c,
    }  # fmt: skip
    for gate in "fuco":
        sees = hasattr(p, f"p_{gate}")
        total, of_z = f"sum_{gate}<{t}>", f"of_z_{gate}<{t}>" if sees else f"sum_{gate}<{t}>"
        found[total] = found[of_z] = getattr(v, f"Δsum_{gate}")
        found[f"z<{t}> via {of_z}"] = v.Δz_via[gate]
        for letter in "Wb":
            found[f"{letter}_{gate} via {of_z}"] = getattr(v, f"Δ{letter}_{gate}")
        if sees:
            found[f"peep_{gate}<{t}>"] = found[total]
            found[f"p_{gate} via peep_{gate}<{t}>"] = getattr(v, f"Δp_{gate}")
            seen = f"c<{t}>" if gate == "o" else f"c<{t - 1}>"
            found[f"{seen} via peep_{gate}<{t}>"] = v.c_via[f"peep_{gate}"]
    for name in v.standard:
        found[f"norm_{name}<{t}>"] = getattr(v, f"Δnorm_{name}")
        for kind in ("gain", "shift"):
            found[f"{kind}_{name} via norm_{name}<{t}>"] = getattr(v, f"Δ{kind}_{name}")
    return found


def _sum(p: Any, v: Any, gate: str, c: np.ndarray) -> np.ndarray:
    """The sum of a gate, as its function reads it."""
    total = v.z @ getattr(p, f"W_{gate}").T + getattr(p, f"b_{gate}")
    return _normalised(p, v, gate, total + getattr(p, f"p_{gate}", 0) * c)


def _gate(p: Any, v: Any, gate: str, arrives: np.ndarray, c: np.ndarray) -> None:
    """From what the function of a gate receives to its weights, z, and the c that it sees."""
    d = _through_norm(p, v, gate, arrives)
    setattr(v, f"Δsum_{gate}", d)
    setattr(v, f"ΔW_{gate}", d.T @ v.z)
    setattr(v, f"Δb_{gate}", d.sum(axis=0))
    setattr(v, f"Δp_{gate}", (d * c).sum(axis=0))
    v.Δz_via[gate] = d @ getattr(p, f"W_{gate}")
    v.c_via[f"peep_{gate}"] = d * getattr(p, f"p_{gate}", 0)


def _normalised(p: Any, v: Any, name: str, value: np.ndarray) -> np.ndarray:
    """Each row with mean 0 and variance 1, scaled and shifted, if the cell normalises."""
    if not hasattr(p, f"gain_{name}"):
        return value
    centred = value - value.mean(axis=1, keepdims=True)
    v.deviation[name] = np.sqrt((centred**2).mean(axis=1, keepdims=True) + EPS)
    v.standard[name] = centred / v.deviation[name]
    return np.asarray(v.standard[name] * getattr(p, f"gain_{name}") + getattr(p, f"shift_{name}"))


def _through_norm(p: Any, v: Any, name: str, arrives: np.ndarray) -> np.ndarray:
    """What the value before a normalisation receives: the mean and the deviation depend on it."""
    if name not in v.standard:
        return arrives
    ŝ = v.standard[name]
    setattr(v, f"Δnorm_{name}", arrives)
    setattr(v, f"Δgain_{name}", (arrives * ŝ).sum(axis=0))
    setattr(v, f"Δshift_{name}", arrives.sum(axis=0))
    d = arrives * getattr(p, f"gain_{name}")
    along = (d * ŝ).mean(axis=1, keepdims=True)
    return np.asarray((d - d.mean(axis=1, keepdims=True) - ŝ * along) / v.deviation[name])
