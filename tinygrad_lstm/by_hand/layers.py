"""Layers and directions by hand: what a layer's input receives arrives at the outputs below."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_lstm.by_hand import document
from tinygrad_lstm.by_hand.arrays import Arrays, array
from tinygrad_lstm.by_hand.cells import ELMAN, GRU, ORIGINAL_GRU, of_lstm
from tinygrad_lstm.by_hand.chain import Chain, Equations
from tinygrad_lstm.by_hand.layout import Layout, running
from tinygrad_lstm.by_hand.stored import by_equation, by_model, suffix_of
from tinygrad_lstm.engine.recorder import no_grad
from tinygrad_lstm.errors import DataError, DtypeError
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
        the other, and called as the tape calls them (``"layer2.c<3>"``, ``"reverse.a<1>"``), and
        so are peepholes, normalised sums and projections.
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
    DtypeError, DataError
        Where the derivation cannot know what was drawn (dropout in training, a noisy state that is
        not given), or `as_printed` asks for a cell that the document does not have.
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
    _check_kind(lstm, "lstm", "LSTM")
    if not hasattr(lstm, "num_layers"):
        return document.lstm(lstm, x, targets, state, mask, as_printed)
    printed = formulas(chosen(as_printed))
    return _Layers(lstm, of_lstm(lstm), printed).derive(x, targets, state, mask, lengths)


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
    _check_kind(gru, "gru", "GRU")
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
    _check_kind(rnn, "rnn", "RNN")
    return _Layers(rnn, ELMAN).derive(x, targets, state, mask, lengths)


class _Layers:
    """The chains of a model, and the derivation from its Error back through them."""

    def __init__(self, model: Any, equations: Equations, printed: Any = None) -> None:
        self.model, self.equations, self.printed = model, equations, printed or {}
        self.output = equations.states[0]

    def derive(self, x: Any, targets: Any, state: Any, mask: Any, lengths: Any) -> Arrays:
        """dError/d<name>, by the names of the tape."""
        _check(self.model, self.printed, state)
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
                p = by_equation(self.model, suffix_of(k, reverse))
                start = tuple(s[i] for s in starts)
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
                suffix = suffix_of(k, bool(i))
                found |= values | by_model(self.model, chain.totals, suffix)
                found |= {f"weight_hr_{suffix} via {r}": g for r, g in chain.shares()}
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

    def starts(self, state: Any, x: np.ndarray) -> list[np.ndarray]:
        """The initial states, each of shape (cells, N, H)."""
        cells = self.model.num_layers * self.model.directions
        shapes = [(cells, x.shape[1], width) for width in self.model.widths]
        if state is None and self.model.initial == "trained":
            state = [getattr(self.model, f"{letter}_0") for letter in "hc"[: len(shapes)]]
        if state is None:
            return [np.zeros(shape, x.dtype) for shape in shapes]
        given = state if isinstance(state, (tuple, list)) else (state,)
        arrays = [array(value, x.dtype) for value in given]
        return [
            np.broadcast_to(a[:, np.newaxis] if a.ndim == 2 else a, shape)
            for a, shape in zip(arrays, shapes, strict=True)
        ]

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


def _check(model: Any, printed: Any, state: Any) -> None:
    """Refuse what has not been derived, and what cannot be: it was drawn for the tape alone."""
    if model.dropout and model.training and model.num_layers > 1:
        raise DtypeError(
            "this has not been derived by hand",
            where="by_hand, dropout",
            do="compare in model.eval(), where nothing is dropped",
        )
    if model.initial == "noisy" and model.training and state is None:
        raise DataError(
            "a noisy state is drawn again at each call, so the tape has another one",
            where="by_hand, state",
            do="give the state to both, or compare in model.eval()",
        )
    extras = [e for e in ("proj_size", "peephole", "layer_norm") if getattr(model, e, False)]
    if printed and extras:
        raise DtypeError(
            "the document has no such cell, so it has printed nothing about it",
            where=f"by_hand, as_printed, {extras[0]}",
            do="leave as_printed out",
        )


def _check_kind(model: Any, function: str, kind: str) -> None:
    if not any(base.__name__ == kind for base in type(model).__mro__):
        raise DtypeError(
            "the equations are those of another model",
            where=f"by_hand.{function}",
            expected=kind,
            got=type(model).__name__,
        )
