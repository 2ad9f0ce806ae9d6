"""A cell by hand whose output is projected before it is passed on."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from tinygrad_lstm.by_hand.arrays import Arrays
from tinygrad_lstm.by_hand.chain import Equations

__all__ = ["projected"]


def projected(cell: Equations) -> Equations:
    """The equations of an LSTM, with r<t> = W_r a<t> in the place of a<t> as its output.

    Parameters
    ----------
    cell : Equations
        Those of a cell with the states a and c. It reads r<t-1> as it would a<t-1>.
    """

    def forward(p: Any, v: Any, r: np.ndarray, c: np.ndarray) -> None:
        cell.forward(p, v, r, c)
        v.r = v.a @ p.W_r.T

    def backward(p: Any, v: Any, later: Any) -> None:
        v.Δr = v.by_error + later.before_r
        v.ΔW_r = v.Δr.T @ v.a
        v.by_error = v.Δr @ p.W_r  # all that arrives at a<t>: no other block reads it
        cell.backward(p, v, SimpleNamespace(**{**vars(later), "before_a": np.zeros(())}))
        v.before_r = v.before_a

    def named(v: Any) -> Arrays:
        found = cell.named(v)
        found[f"r<{v.t - 1}> via z<{v.t}>"] = found.pop(f"a<{v.t - 1}> via z<{v.t}>")
        return {f"r<{v.t}>": v.Δr} | found

    return Equations(forward, backward, named, ("r", "c"), cell.parameters, ("W_r",))
