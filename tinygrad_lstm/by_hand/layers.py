"""Layers and directions by hand: what a layer's input receives arrives at the outputs below."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinygrad_lstm.by_hand import document
from tinygrad_lstm.by_hand.arrays import Arrays, array
from tinygrad_lstm.by_hand.cells import ELMAN, GRU, LSTM, ORIGINAL_GRU
from tinygrad_lstm.by_hand.chain import Chain, Equations
from tinygrad_lstm.by_hand.layout import Layout, running
from tinygrad_lstm.engine.recorder import no_grad
from tinygrad_lstm.errors import DtypeError
from tinygrad_lstm.lstm.errata import chosen, formulas

__all__ = ["gru", "lstm", "rnn"]


def lstm(
    lstm: Any,
    x: Any,
    targets: Any,
    state: Any = None,
    mask: Any = None,
    as_printed: bool | str | Iterable[str] = False,
    lengths: Any = None,
) -> Arrays:
    """Differentiate the Error of an LSTM by everything in it, by the derivation's equations.

    Parameters
    ----------
    lstm : LSTM or nn.LSTM
        Its parameters are read. Nothing is recorded. Layers and directions are derived one after
        the other, and called as the tape calls them (``"layer2.c<3>"``, ``"reverse.a<1>"``).
    x : array_like or Tensor, shape (T, N, D)
        The inputs.
    targets : array_like or Tensor, shape (T, N, H)
        What a<t> should have been.
    state : tuple of array_like or Tensor, optional
        ``(a<0>, c<0>)``, each of shape (N, H), or (H,) for one that the batch shares. Zero by
        default.
    mask : sequence of T numbers, each 0 or 1, optional
        Which blocks have a loss. All, by default. For nn.LSTM also (T, N).
    as_printed : bool, str or iterable of str, default False
        Follow the document to the letter. True is its main formula: the branch of c<t> through the
        next block is Γ_f<t+1> (E1), and so is the derivative by c<0> (E6); both lack the factor
        dError/dc<t+1>. A name or several are just those errata of the table ``by_hand.ERRATA``.

    lengths : array_like of int, shape (N,), optional
        For nn.LSTM: how many blocks each row has.

    Returns
    -------
    dict of str to ndarray
        dError/d<name> by the tape's names, in the order in which they are found: every value of
        every block, every branch (``"c<2> via keep<3>"``), every parameter with its share of each
        block (``"W_f via sum_f<2>"``), ``"x"`` of shape (T, N, D), ``"a<0>"`` and ``"c<0>"``.
        Blocks after the last loss do not reach Error: they have no names, and zeros in ``"x"``. A
        trained state that the batch shares is called ``"a_0"`` or ``"c_0"``, of shape (H,).

    Raises
    ------
    UnknownNameError
        If there is no erratum of a name in `as_printed`.
    Error
        As ``lstm.error`` does, where the input does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_lstm import LSTM, by_hand
    >>> lstm = LSTM(input_size=1, hidden_size=2, rng=0)
    >>> hand = by_hand.lstm(lstm, np.ones((3, 1, 1)), np.zeros((3, 1, 2)))
    >>> hand["W_f"].shape
    (2, 3)
    >>> bool(np.allclose(hand["c<2>"], hand["c<2> via tanh_c<2>"] + hand["c<2> via keep<3>"]))
    True
    """
    if not hasattr(lstm, "num_layers"):
        return document.lstm(lstm, x, targets, state, mask, as_printed)
    printed = formulas(chosen(as_printed))
    return _Layers(lstm, LSTM, printed).derive(x, targets, state, mask, lengths)


def gru(
    gru: Any, x: Any, targets: Any, state: Any = None, mask: Any = None, lengths: Any = None
) -> Arrays:
    """Differentiate the Error of an ``nn.GRU`` by everything in it, by hand.

    Parameters
    ----------
    gru : nn.GRU
        In PyTorch's form or the paper's. Its parameters are read.
    x, targets, state, mask, lengths
        As for ``gru.error``.

    Returns
    -------
    dict of str to ndarray
        As :func:`lstm` does.
    """
    equations = GRU if gru.reset_after else ORIGINAL_GRU
    return _Layers(gru, equations).derive(x, targets, state, mask, lengths)


def rnn(
    rnn: Any, x: Any, targets: Any, state: Any = None, mask: Any = None, lengths: Any = None
) -> Arrays:
    """Differentiate the Error of an ``nn.RNN`` by everything in it, by hand.

    Parameters
    ----------
    rnn : nn.RNN
        Its parameters are read.
    x, targets, state, mask, lengths
        As for ``rnn.error``.

    Returns
    -------
    dict of str to ndarray
        As :func:`lstm` does.
    """
    return _Layers(rnn, ELMAN).derive(x, targets, state, mask, lengths)


class _Layers:
    """The chains of a model, and the derivation from its Error back through them."""

    def __init__(self, model: Any, equations: Equations, printed: Any = None) -> None:
        extras = ("proj_size", "peephole", "layer_norm")
        found = [name for name in extras if getattr(model, name, False)]
        found += ["dropout"] if model.dropout and model.training else []
        if found:
            raise DtypeError(
                "this has not been derived by hand", where=f"by_hand, {found[0]}", do="leave it out"
            )
        self.model, self.equations, self.printed = model, equations, printed or {}
        self.output = equations.states[0]

    def derive(self, x: Any, targets: Any, state: Any, mask: Any, lengths: Any) -> Arrays:
        """dError/d<name>, by the names of the tape."""
        with no_grad():  # refuses what does not fit, in its own words
            self.model.error(x, targets, state, mask, lengths)
        x, targets = (array(v, self.model.dtype) for v in (x, targets))
        layout = Layout(self.model.batch_first, x.ndim == 3)
        x, targets = layout.inwards(x), layout.inwards(targets)
        rows = running(lengths, *x.shape[:2])
        layers = self.forward(np.where(rows[..., np.newaxis], x, 0), rows, state)
        counted = rows & layout.marks(mask, rows.shape)
        y = np.concatenate([chain.outputs for chain in layers[-1]], axis=-1)
        by_error = np.where(counted[..., np.newaxis], -(targets - y), 0)  # B1
        found = {"Error": np.ones((), x.dtype)} | self.losses(by_error, counted)
        found |= self.back(layers, by_error, counted.any(axis=1))
        found["x"] = layout.outwards(found["x"])
        return {name: np.array(value) for name, value in found.items()}

    def forward(self, x: np.ndarray, rows: np.ndarray, state: Any) -> list[list[Chain]]:
        """The chains of each layer."""
        layers: list[list[Chain]] = []
        starts = self.starts(state, x)
        for k in range(self.model.num_layers):
            sides = []
            for reverse in (False, True)[: self.model.directions]:
                i = k * self.model.directions + reverse
                p, start = self.parameters(k, reverse), tuple(s[i] for s in starts)
                scope = ".".join([*[f"layer{k + 1}"][:k], *["reverse"][:reverse]])
                sides.append(Chain(self.equations, p, x, rows, start, scope, reverse, self.printed))
            layers.append(sides)
            x = np.concatenate([chain.outputs for chain in sides], axis=-1)
        return layers

    def losses(self, by_error: np.ndarray, counted: np.ndarray) -> Arrays:
        """F16, and B1 by its names."""
        found: Arrays = {}
        name = self.name(self.model.num_layers - 1)
        for t in np.flatnonzero(counted.any(axis=1)).tolist():
            through = "Error" if counted[t].all() else "counted"
            found[f"Error<{t + 1}>"] = np.ones((), by_error.dtype)
            found[f"{name}<{t + 1}> via {through}<{t + 1}>"] = by_error[t]
            if through == "counted":
                found[f"counted<{t + 1}>"] = by_error[t]
        return found

    def back(self, layers: list[list[Chain]], arrives: np.ndarray, live: np.ndarray) -> Arrays:
        """From the last layer to the first."""
        found: Arrays = {}
        for k, sides in reversed(list(enumerate(layers))):
            if len(sides) == 2:
                found |= self.joined(k, sides, arrives, live)
            halves = np.split(arrives, len(sides), axis=-1)
            arrives, reached = np.zeros(1), np.zeros_like(live)
            for i, (chain, half) in enumerate(zip(sides, halves, strict=True)):
                values, (by_x, there) = chain.back(half, live, self.name(k - 1))
                found |= values | self.stored(chain, f"l{k}" + "_reverse" * i)
                arrives, reached = arrives + by_x, reached | there
            live = reached
        if self.model.initial == "trained":
            found |= self.trained(layers, found)
        found |= {f"x<{t + 1}>": arrives[t] for t in np.flatnonzero(live).tolist()}
        return found | {"x": arrives}

    def joined(self, k: int, sides: Any, arrives: np.ndarray, live: np.ndarray) -> Arrays:
        """What arrives where both directions are put side by side."""
        found: Arrays = {}
        for t in np.flatnonzero(live).tolist():
            y = f"{self.name(k)}<{t + 1}>"
            found[y] = arrives[t]
            for chain, half in zip(sides, np.split(arrives[t], 2, axis=-1), strict=True):
                scope = f"{chain.scope}." if chain.scope else ""
                found[f"{scope}{self.output}<{t + 1}> via {y}"] = half
        return found

    # Names, parameters and states.

    def name(self, k: int) -> str:
        """What the tape calls the outputs of layer k; those of layer -1 are the inputs."""
        if k < 0:
            return "x"
        stem = "y" if self.model.bidirectional else self.output
        return f"layer{k + 1}.{stem}" if k else stem

    def parameters(self, k: int, reverse: bool) -> SimpleNamespace:
        """The parameters by the names of the equations."""
        suffix = f"l{k}_reverse" if reverse else f"l{k}"
        state, gates = self.model.state_dict(), self.model.gates
        W_hh, W_ih = (state[f"weight_{side}_{suffix}"] for side in ("hh", "ih"))
        zero = np.zeros(len(W_hh))
        b_hh, b_ih = (state.get(f"bias_{side}_{suffix}", zero) for side in ("hh", "ih"))
        W, b = np.concatenate([W_hh, W_ih], axis=1), b_hh + b_ih
        parts = {f"W_{g}": w for g, w in zip(gates, np.split(W, len(gates)), strict=True)}
        parts |= {f"b_{g}": v for g, v in zip(gates, np.split(b, len(gates)), strict=True)}
        last = slice(-len(W_hh) // len(gates), None)
        return SimpleNamespace(
            **{
                **parts, "W": W, "b": b, "nonlinearity": getattr(self.model, "nonlinearity", ""),
                "W_h": W_hh[last], "W_x": W_ih[last], "b_h": b_hh[last], "b_x": b_ih[last],
            }
        )  # fmt: skip

    def stored(self, chain: Chain, suffix: str) -> Arrays:
        """The totals by PyTorch's names."""
        d, H = chain.totals, self.model.hidden_size
        if self.equations is ELMAN:
            whole, b_ih, b_hh = [d["W"]], d["b"], d["b"]
        elif self.equations is GRU:
            whole = [d["W_r"], d["W_u"], np.concatenate([d["W_h"], d["W_x"]], axis=1)]
            b_ih, b_hh = (np.concatenate([d["b_r"], d["b_u"], d[n]]) for n in ("b_x", "b_h"))
        else:
            whole = [d[f"W_{gate}"] for gate in self.model.gates]
            b_ih = b_hh = np.concatenate([d[f"b_{gate}"] for gate in self.model.gates])
        W = np.concatenate(whole)
        found = {f"weight_ih_{suffix}": W[:, H:], f"weight_hh_{suffix}": W[:, :H]}
        both = {f"bias_ih_{suffix}": b_ih, f"bias_hh_{suffix}": b_hh}
        return found | (both if self.model.bias else {})

    def starts(self, state: Any, x: np.ndarray) -> list[np.ndarray]:
        """The initial states, each of shape (cells, N, H)."""
        cells = self.model.num_layers * self.model.directions
        shape = (cells, x.shape[1], self.model.hidden_size)
        if state is None and self.model.initial == "trained":
            state = [
                getattr(self.model, f"{letter}_0") for letter in "hc"[: len(self.model.states)]
            ]
        if state is None:
            return [np.zeros(shape, x.dtype) for _ in self.model.states]
        given = state if isinstance(state, (tuple, list)) else (state,)
        arrays = [array(value, x.dtype) for value in given]
        return [np.broadcast_to(a[:, np.newaxis] if a.ndim == 2 else a, shape) for a in arrays]

    def trained(self, layers: list[list[Chain]], found: Arrays) -> Arrays:
        """B17 for states that the batch shares."""
        sums: Arrays = {}
        for letter, name in zip("hc", self.equations.states, strict=False):
            keys = [
                f"{chain.scope + '.' if chain.scope else ''}{name}"
                f"<{chain.steps + 1 if chain.reverse else 0}>"
                for sides in layers
                for chain in sides
            ]
            sums[f"{letter}_0"] = np.stack([found[key].sum(axis=0) for key in keys])
        return sums
