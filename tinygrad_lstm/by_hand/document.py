"""Backpropagation through the LSTM derived by hand: the equations F1 to F16 and B0 to B18, one line
an equation, in NumPy.

This is a judge of the tape, so it shares nothing with it: it has a forward pass of its own and uses
no derivative rule. A capital delta in front of a name stands for the derivative of Error by that
value, over all of its branches: ``Δc`` is dError/dc<t>. ``*`` is the elementwise product, ``@`` the
matrix product. F and B number the equations of the derivation (forward stages, backward equations).
The document's errata, which `as_printed` asks for, stand in a table of their own: where one is
asked for, a value set here becomes what is printed (see ``Values``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinygrad_lstm.by_hand.arrays import Arrays, array, sigmoid
from tinygrad_lstm.engine.recorder import no_grad
from tinygrad_lstm.lstm.errata import Values, chosen, formulas

__all__ = ["backward", "forward", "lstm", "named"]


def lstm(
    lstm: Any,
    x: Any,
    targets: Any,
    state: Any = None,
    mask: Sequence[Any] | None = None,
    as_printed: bool | str | Iterable[str] = False,
) -> Arrays:
    """Differentiate the Error of the document's LSTM; see :func:`tinygrad_lstm.by_hand.lstm`."""
    printed = formulas(chosen(as_printed))
    with no_grad():
        lstm.error(x, targets, state, mask)  # refuses what does not fit, in its own words
    names = [f"{kind}_{gate}" for kind in "Wb" for gate in "fuco"]
    p = SimpleNamespace(**{name: array(getattr(lstm, name)) for name in names})
    x, targets = array(x, p.b_f.dtype), array(targets, p.b_f.dtype)
    zero = np.zeros((x.shape[1], len(p.b_f)), p.b_f.dtype)
    state = (zero, zero) if state is None else state
    a, c = (zero + array(s, zero.dtype) for s in state)
    m = [1] * len(x) if mask is None else [int(there) for there in mask]
    last = int(np.flatnonzero(m)[-1]) + 1  # later blocks do not reach Error
    blocks = []
    for t in range(1, last + 1):
        v = Values(printed=printed, p=p, t=t, T=last, m=m[t - 1], x=x[t - 1], target=targets[t - 1])
        forward(p, v, a, c)
        blocks.append(v)
        a, c = v.a, v.c
    found = _derive(p, blocks, np.zeros_like(x), printed)
    found |= {
        name: found[f"{name[0]}<0>"].sum(axis=0)
        for name, s in zip(("a_0", "c_0"), state, strict=False)
        if _is_shared(s)
    }  # B17
    if not lstm.bias:
        found = {name: value for name, value in found.items() if not name.startswith("b_")}
    # copies: what is planted in one does not show in another
    return {name: np.array(value) for name, value in found.items()}


def forward(p: Any, v: Any, a: np.ndarray, c: np.ndarray) -> None:
    """F1 to F14: one block from x<t>, a<t-1> and c<t-1>."""
    v.c_before = c
    v.z = np.concatenate([a, v.x], axis=1)  # F1
    v.Γ_f = sigmoid(v.z @ p.W_f.T + p.b_f)  # F2, F6
    v.Γ_u = sigmoid(v.z @ p.W_u.T + p.b_u)  # F3, F7
    v.candidate = np.tanh(v.z @ p.W_c.T + p.b_c)  # F4, F8
    v.Γ_o = sigmoid(v.z @ p.W_o.T + p.b_o)  # F5, F9
    v.keep = v.c_before * v.Γ_f  # F10
    v.write = v.Γ_u * v.candidate  # F11
    v.c = v.keep + v.write  # F12
    v.tanh_c = np.tanh(v.c)  # F13
    v.a = v.tanh_c * v.Γ_o  # F14


def _derive(p: Any, blocks: list[Any], by_x: np.ndarray, printed: Any) -> Arrays:
    """B0 to B17: the blocks from the last to the first, then the sums over time."""
    found: Arrays = {"Error": np.ones((), by_x.dtype)}
    zero = np.zeros_like(blocks[0].a)
    later: Any = SimpleNamespace(before_a=zero, before_c=zero)  # B0
    for v in reversed(blocks):
        v.by_error = -v.m * (v.target - v.a)  # B1
        backward(p, v, later)
        found |= named(v, found["Error"])
        by_x[v.t - 1] = v.Δx
        later = v
    found |= {"a<0>": blocks[0].before_a, "c<0>": blocks[0].before_c}  # B17
    total = Values(printed=printed, blocks=blocks)
    for gate in "fuco":
        for name in (f"W_{gate}", f"b_{gate}"):
            shares = [getattr(v, f"Δ{name}") for v in blocks]
            setattr(total, name, np.sum(shares, axis=0))  # B11, B12
            found[name] = getattr(total, name)
    return found | {"x": by_x}


def backward(p: Any, v: Any, later: Any) -> None:
    """B2 to B16 for block t, from what arrives from Error and what the block after it, `later`,
    hands back."""
    v.later = later
    units = v.z.shape[1] - v.x.shape[1]
    v.Δa = v.by_error + later.before_a  # B2
    v.ΔΓ_o = v.Δa * v.tanh_c  # B3
    v.Δtanh_c = v.Δa * v.Γ_o
    v.down_c = v.Δtanh_c * (1 - v.tanh_c**2)  # B4
    v.Δc = v.down_c + later.before_c  # B5
    v.ΔΓ_f = v.Δc * v.c_before  # B6
    v.ΔΓ_u = v.Δc * v.candidate  # B6
    v.Δcandidate = v.Δc * v.Γ_u  # B6

    v.Δsum_f = v.Δc * v.c_before * v.Γ_f * (1 - v.Γ_f)  # B7
    v.Δsum_u = v.Δc * v.candidate * v.Γ_u * (1 - v.Γ_u)  # B8
    v.Δsum_c = v.Δc * v.Γ_u * (1 - v.candidate**2)  # B9
    v.Δsum_o = v.Δa * v.tanh_c * v.Γ_o * (1 - v.Γ_o)  # B10

    v.ΔW_f, v.Δb_f = v.Δsum_f.T @ v.z, v.Δsum_f.sum(axis=0)  # B11, B12, the shares of this block
    v.ΔW_u, v.Δb_u = v.Δsum_u.T @ v.z, v.Δsum_u.sum(axis=0)
    v.ΔW_c, v.Δb_c = v.Δsum_c.T @ v.z, v.Δsum_c.sum(axis=0)
    v.ΔW_o, v.Δb_o = v.Δsum_o.T @ v.z, v.Δsum_o.sum(axis=0)

    v.Δz_f = v.Δsum_f @ p.W_f
    v.Δz_u = v.Δsum_u @ p.W_u
    v.Δz_c = v.Δsum_c @ p.W_c
    v.Δz_o = v.Δsum_o @ p.W_o
    v.Δz = v.Δz_f + v.Δz_u + v.Δz_c + v.Δz_o  # B13
    v.Δx = v.Δz[:, units:]  # B14
    v.before_a = v.Δz[:, :units]  # B15
    v.before_c = v.Δc * v.Γ_f  # B16


def named(v: Any, of_error: np.ndarray) -> Arrays:
    """What block t found, by the tape's names."""
    t = v.t
    loss = {f"Error<{t}>": of_error, f"a<{t}> via Error<{t}>": v.by_error} if v.m else {}  # F16
    found = {
        f"a<{t}>": v.Δa,
        f"Γ_o<{t}>": v.ΔΓ_o,
        f"tanh_c<{t}>": v.Δtanh_c,
        f"c<{t}> via tanh_c<{t}>": v.down_c,
        f"c<{t}>": v.Δc,
        f"keep<{t}>": v.Δc,
        f"write<{t}>": v.Δc,
        f"Γ_f<{t}>": v.ΔΓ_f,
        f"Γ_u<{t}>": v.ΔΓ_u,
        f"c~<{t}>": v.Δcandidate,
    }
    for gate in "fuco":
        sum_g = f"sum_{gate}<{t}>"
        found[sum_g] = getattr(v, f"Δsum_{gate}")
        found[f"z<{t}> via {sum_g}"] = getattr(v, f"Δz_{gate}")
        found[f"W_{gate} via {sum_g}"] = getattr(v, f"ΔW_{gate}")
        found[f"b_{gate} via {sum_g}"] = getattr(v, f"Δb_{gate}")
    back = {
        f"z<{t}>": v.Δz,
        f"x<{t}>": v.Δx,
        f"a<{t - 1}> via z<{t}>": v.before_a,
        f"c<{t - 1}> via keep<{t}>": v.before_c,
    }
    return loss | found | back


def _is_shared(state: Any) -> bool:
    """Whether it is one trained state for the whole batch."""
    return np.ndim(array(state)) == 1 and getattr(state, "requires_grad", False)
