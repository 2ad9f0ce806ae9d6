"""Backpropagation through the LSTM derived by hand: the equations F1 to F16 and B0 to B18, one line an equation, in NumPy.

This is a judge of the tape, so it shares nothing with it: it has a forward pass of its own and uses no derivative rule.
A capital delta in front of a name stands for the derivative of Error by that value, over all of its branches:
``Δc`` is dError/dc<t>. ``*`` is the elementwise product, ``@`` the matrix product. F and B number the equations of the
derivation (forward stages, backward equations); E1 and E6 are errata of the document, whose formulas `as_printed` follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinygrad_lstm._errors import ShapeError, UnknownNameError
from tinygrad_lstm._recorder import no_grad

__all__ = ["lstm", "update"]

AS_PRINTED = frozenset({"E1", "E6"})  # what makes the document's main formula, read literally, depart from the truth

Arrays = dict[str, np.ndarray]


def lstm(lstm: Any, x: Any, targets: Any, state: Any = None, mask: Sequence[Any] | None = None, as_printed: bool = False) -> Arrays:
    """Differentiate the Error of an LSTM by everything in it, by the derivation's equations.

    Parameters
    ----------
    lstm : LSTM
        Its parameters are read. Nothing is recorded.
    x : array_like or Tensor, shape (T, N, D)
        The inputs.
    targets : array_like or Tensor, shape (T, N, H)
        What a<t> should have been.
    state : tuple of array_like or Tensor, optional
        ``(a<0>, c<0>)``, each of shape (N, H), or (H,) for one that the batch shares. Zero by default.
    mask : sequence of T numbers, each 0 or 1, optional
        Which blocks have a loss. All, by default.
    as_printed : bool, default False
        Follow the document to the letter: the branch of c<t> through the next block is Γ_f<t+1> (E1), and so is the
        derivative by c<0> (E6). Both lack the factor dError/dc<t+1>.

    Returns
    -------
    dict of str to ndarray
        dError/d<name> by the tape's names, in the order in which they are found: every value of every block, every branch
        (``"c<2> via keep<3>"``), every parameter with its share of each block (``"W_f via sum_f<2>"``), ``"x"`` of shape
        (T, N, D), ``"a<0>"`` and ``"c<0>"``. Blocks after the last loss do not reach Error: they have no names, and zeros
        in ``"x"``. A trained state that the batch shares is called ``"a_0"`` or ``"c_0"``, of shape (H,).

    Raises
    ------
    Error
        As ``lstm.error`` does, where the input does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_lstm import LSTM, by_hand
    >>> hand = by_hand.lstm(LSTM(input_size=1, hidden_size=2, rng=0), np.ones((3, 1, 1)), np.zeros((3, 1, 2)))
    >>> hand["W_f"].shape
    (2, 3)
    >>> bool(np.allclose(hand["c<2>"], hand["c<2> via tanh_c<2>"] + hand["c<2> via keep<3>"]))
    True
    """
    with no_grad():
        lstm.error(x, targets, state, mask)  # refuses what does not fit, in its own words
    p = SimpleNamespace(**{name: _array(value) for name, value in lstm.parameters().items()})
    x, targets = _array(x, p.b_f.dtype), _array(targets, p.b_f.dtype)
    zero = np.zeros((x.shape[1], len(p.b_f)), p.b_f.dtype)
    state = (zero, zero) if state is None else state
    a, c = (zero + _array(s, zero.dtype) for s in state)
    m = np.ones(len(x)) if mask is None else np.asarray(mask)
    last = int(np.flatnonzero(m)[-1]) + 1  # later blocks do not reach Error
    blocks = []
    for t in range(last):
        blocks.append(_forward(p, x[t], a, c))
        a, c = blocks[t].a, blocks[t].c
    found = _derive(p, x, targets, state, m, blocks, AS_PRINTED if as_printed else frozenset())
    return {name: np.array(value) for name, value in found.items()}  # copies: what is planted in one does not show in another


def update(parameters: Mapping[str, Any], gradients: Mapping[str, Any], rate: float) -> Arrays:
    """One step of gradient descent (B18): ``parameter - rate * gradient``.

    Parameters
    ----------
    parameters : mapping of str to array_like or Tensor
        Weights, biases, and trained initial states where there are any. They are not changed.
    gradients : mapping of str to array_like or Tensor
        dError/d<name> for each of their names: what :func:`lstm` or ``gradients(loss)`` returned.
    rate : float
        The learning rate α.

    Returns
    -------
    dict of str to ndarray
        The new parameters, in the dtype of the old.

    Raises
    ------
    UnknownNameError, ShapeError
        If a parameter has no gradient, or one of another shape.

    Examples
    --------
    >>> from tinygrad_lstm import by_hand
    >>> by_hand.update({"b_f": [1.0, 2.0]}, {"b_f": [10.0, 0.0]}, rate=0.01)
    {'b_f': array([0.9, 2. ])}
    """
    updated = {}
    for name, value in parameters.items():
        if name not in gradients:
            raise UnknownNameError("the parameter has no gradient", where=f"by_hand.update, {name}", do="give one, or leave the parameter out")
        old, slope = _array(value), _array(gradients[name])
        if old.shape != slope.shape:
            raise ShapeError("the gradient does not have its parameter's shape", where=f"by_hand.update, {name}", expected=old.shape, got=slope.shape)
        updated[name] = (old - float(rate) * slope).astype(old.dtype if old.dtype.kind == "f" else float)  # B18
    return updated


def _forward(p: Any, x: np.ndarray, a: np.ndarray, c: np.ndarray) -> Any:
    """F1 to F14: one block from x<t>, a<t-1> and c<t-1>."""
    v = SimpleNamespace(c_before=c)
    v.z = np.concatenate([a, x], axis=1)  # F1
    v.Γ_f = _sigmoid(v.z @ p.W_f.T + p.b_f)  # F2, F6
    v.Γ_u = _sigmoid(v.z @ p.W_u.T + p.b_u)  # F3, F7
    v.candidate = np.tanh(v.z @ p.W_c.T + p.b_c)  # F4, F8
    v.Γ_o = _sigmoid(v.z @ p.W_o.T + p.b_o)  # F5, F9
    v.c = c * v.Γ_f + v.Γ_u * v.candidate  # F10, F11, F12
    v.tanh_c = np.tanh(v.c)  # F13
    v.a = v.tanh_c * v.Γ_o  # F14
    return v


def _derive(p: Any, x: np.ndarray, targets: np.ndarray, state: Iterable[Any], m: np.ndarray, blocks: list[Any], errata: frozenset[str]) -> Arrays:
    """B0 to B17: the blocks from the last to the first, then the sums over time."""
    d: Arrays = {"Error": np.ones((), x.dtype)}
    by_x = np.zeros_like(x)
    for t in range(len(blocks), 0, -1):
        if m[t - 1]:
            d[f"Error<{t}>"] = d["Error"]  # F16
            d[f"a<{t}> via Error<{t}>"] = -(targets[t - 1] - blocks[t - 1].a)  # B1
        d |= _backward(p, blocks[t - 1], d, t, errata)
        by_x[t - 1] = d[f"x<{t}>"]
    d |= {"a<0>": d["a<0> via z<1>"], "c<0>": d["c<0> via keep<1>"]}  # B17
    d |= {name: d[f"{name[0]}<0>"].sum(axis=0) for name, s in zip(("a_0", "c_0"), state, strict=False) if _is_shared(s)}  # B17
    for gate in "fuco":
        d[f"W_{gate}"] = np.sum([d[f"W_{gate} via sum_{gate}<{t}>"] for t in range(1, len(blocks) + 1)], axis=0)  # B11
        d[f"b_{gate}"] = np.sum([d[f"b_{gate} via sum_{gate}<{t}>"] for t in range(1, len(blocks) + 1)], axis=0)  # B12
    return d | {"x": by_x}


def _backward(p: Any, v: Any, later: Arrays, t: int, errata: frozenset[str]) -> Arrays:
    """B2 to B16 for block t. `later` holds what is known: this block's loss branch, and the branches through block t+1."""
    units = v.a.shape[1]
    zero = np.zeros_like(v.a)
    by_error = later.get(f"a<{t}> via Error<{t}>", zero)
    next_a = later.get(f"a<{t}> via z<{t + 1}>", zero)  # B0
    next_c = later.get(f"c<{t}> via keep<{t + 1}>", zero)  # B0

    Δa = by_error + next_a  # B2
    ΔΓ_o = Δa * v.tanh_c  # B3
    Δtanh_c = Δa * v.Γ_o
    down_c = Δtanh_c * (1 - v.tanh_c**2)  # B4
    Δc = down_c + next_c  # B5
    ΔΓ_f = Δc * v.c_before  # B6
    ΔΓ_u = Δc * v.candidate  # B6
    Δcandidate = Δc * v.Γ_u  # B6

    Δsum_f = Δc * v.c_before * v.Γ_f * (1 - v.Γ_f)  # B7
    Δsum_u = Δc * v.candidate * v.Γ_u * (1 - v.Γ_u)  # B8
    Δsum_c = Δc * v.Γ_u * (1 - v.candidate**2)  # B9
    Δsum_o = Δa * v.tanh_c * v.Γ_o * (1 - v.Γ_o)  # B10

    Δz_f, Δz_u, Δz_c, Δz_o = Δsum_f @ p.W_f, Δsum_u @ p.W_u, Δsum_c @ p.W_c, Δsum_o @ p.W_o
    Δz = Δz_f + Δz_u + Δz_c + Δz_o  # B13
    Δx = Δz[:, units:]  # B14
    before_a = Δz[:, :units]  # B15
    before_c = Δc * v.Γ_f  # B16
    if ("E6" if t == 1 else "E1") in errata:
        before_c = v.Γ_f

    found = {
        f"a<{t}>": Δa, f"Γ_o<{t}>": ΔΓ_o, f"tanh_c<{t}>": Δtanh_c, f"c<{t}> via tanh_c<{t}>": down_c, f"c<{t}>": Δc,
        f"keep<{t}>": Δc, f"write<{t}>": Δc, f"Γ_f<{t}>": ΔΓ_f, f"Γ_u<{t}>": ΔΓ_u, f"c~<{t}>": Δcandidate,
        f"sum_f<{t}>": Δsum_f, f"sum_u<{t}>": Δsum_u, f"sum_c<{t}>": Δsum_c, f"sum_o<{t}>": Δsum_o,
        f"z<{t}> via sum_f<{t}>": Δz_f, f"z<{t}> via sum_u<{t}>": Δz_u, f"z<{t}> via sum_c<{t}>": Δz_c, f"z<{t}> via sum_o<{t}>": Δz_o,
        f"z<{t}>": Δz, f"x<{t}>": Δx, f"a<{t - 1}> via z<{t}>": before_a, f"c<{t - 1}> via keep<{t}>": before_c,
    }  # fmt: skip
    for gate, Δsum in zip("fuco", (Δsum_f, Δsum_u, Δsum_c, Δsum_o), strict=True):
        found[f"W_{gate} via sum_{gate}<{t}>"] = Δsum.T @ v.z  # B11, the share of this block
        found[f"b_{gate} via sum_{gate}<{t}>"] = Δsum.sum(axis=0)  # B12, the share of this block
    return found


@np.errstate(over="ignore")  # exp(-s) is inf where the gate is shut
def _sigmoid(s: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-s)))


def _array(value: Any, dtype: Any = None) -> np.ndarray:
    """The numbers of a Tensor as they are, of anything else in `dtype`."""
    return np.asarray(value._array if hasattr(value, "_array") else np.asarray(value, dtype))


def _is_shared(state: Any) -> bool:
    """Whether it is one trained state for the whole batch."""
    return np.ndim(_array(state)) == 1 and getattr(state, "requires_grad", False)
