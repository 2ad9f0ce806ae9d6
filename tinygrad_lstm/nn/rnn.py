"""LSTM, GRU and RNN under PyTorch's names, made of the cells."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lstm.engine.arrays import Seed
from tinygrad_lstm.errors import DataError
from tinygrad_lstm.nn.cells import (
    ElmanCell,
    GRUCell,
    LSTMCell,
    OriginalGRUCell,
    Projected,
    VariantLSTMCell,
)
from tinygrad_lstm.nn.places import suffix_of
from tinygrad_lstm.nn.recurrent import Recurrent
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["GRU", "LSTM", "RNN"]


class LSTM(Recurrent):
    """Layers of the document's LSTM, under the names and shapes of :class:`torch.nn.LSTM`.

    Layer k + 1 reads the outputs of layer k. What is recorded has the document's names: ``c<3>`` in
    the first layer, ``layer2.c<3>`` in the second, ``reverse.c<3>`` where the sequence is read
    backwards. W_f and its siblings are made of the parameters by recorded stages; b_f is the sum of
    PyTorch's two biases.

    Parameters
    ----------
    input_size, hidden_size : int
        D, the width of x<t>, and H, the number of units.
    num_layers : int, default 1
        Layers above each other.
    bias : bool, default True
        Whether there are biases.
    batch_first : bool, default False
        Whether x and y are (N, T, ...).
    dropout : float, default 0
        The probability with which outputs of all layers but the last are dropped in training.
    bidirectional : bool, default False
        Whether each layer also reads its sequence backwards; y is twice as wide then.
    proj_size : int, default 0
        The width to which a<t> is projected before it is passed on; 0 for none.
    rng : int or numpy.random.Generator, optional
        The source of the initial weights, uniform in ``±1/sqrt(H)``, and of dropout.
    dtype : dtype, default float64
        float32 or float64.
    forget_bias : float, optional
        The initial sum of the two biases of the forget gate. Drawn as all others by default.
    layer_norm : bool, default False
        Whether sums and cell state are normalised (Ba, Kiros and Hinton, 2016).
    peephole : bool, default False
        Whether the gates see the cell state (Gers and Schmidhuber, 2000).
    initial : {"zero", "trained", "noisy"}, default "zero"
        The state where a call gives none: zeros; a parameter that the batch shares; or noise, drawn
        again at each call in training, and not learned.
    noise : float, default 0.1
        The standard deviation of a noisy one.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_lstm import nn
    >>> model = nn.LSTM(input_size=3, hidden_size=4, num_layers=2, bidirectional=True, rng=0)
    >>> y, (h_n, c_n) = model(np.zeros((5, 2, 3)))
    >>> y.shape, h_n.shape
    ((5, 2, 8), (4, 2, 4))
    """

    gates = "ufco"  # PyTorch's i f g o
    states: tuple[str, ...] = ("a", "c")

    layer_norm: bool
    peephole: bool

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        *,
        rng: Seed = None,
        dtype: Any = np.float64,
        forget_bias: float | None = None,
        layer_norm: bool = False,
        peephole: bool = False,
        initial: str = "zero",
        noise: float = 0.1,
    ) -> None:
        self.layer_norm, self.peephole = layer_norm, peephole
        sizes = (input_size, hidden_size, num_layers, proj_size)
        super().__init__(
            sizes, bias, batch_first, dropout, bidirectional, rng, dtype, initial, noise
        )
        for k, reverse in self.cells():
            suffix = suffix_of(k, reverse)
            if layer_norm:
                getattr(self, f"norm_weight_{suffix}").data = np.ones(5 * self.hidden_size)
                getattr(self, f"norm_bias_{suffix}").data = np.zeros(5 * self.hidden_size)
            if forget_bias is not None:
                self._forget(suffix, forget_bias)

    def _forget(self, suffix: str, forget_bias: float) -> None:
        if not self.bias:
            raise DataError(
                "there is no bias to start from",
                where="LSTM(forget_bias=...)",
                expected="bias=True",
            )
        rows = slice(self.hidden_size, 2 * self.hidden_size)
        for stem, value in (("bias_ih", forget_bias), ("bias_hh", 0.0)):
            p = getattr(self, f"{stem}_{suffix}")
            start = p.numpy().copy()
            start[rows] = value
            p.data = start

    def shapes(self, k: int) -> dict[str, tuple[int, ...]]:
        H, found = self.hidden_size, super().shapes(k)
        found |= {"peephole": (3 * H,)} if self.peephole else {}
        return found | ({"norm_weight": (5 * H,), "norm_bias": (5 * H,)} if self.layer_norm else {})

    def cell(self, suffix: str) -> Any:
        W, b = self.joined(suffix)
        p = {**self.gated("W", W, "ufco"), **self.gated("b", b, "ufco")}
        if self.peephole:
            p |= self.gated("p", self.stored("peephole", suffix), "ufo")
        if self.layer_norm:
            names = ("u", "f", "c", "o", "c_state")
            for stem, stored in (("gain", "norm_weight"), ("shift", "norm_bias")):
                p |= self.gated(stem, self.stored(stored, suffix), names)
        cell = VariantLSTMCell(**p) if self.peephole or self.layer_norm else LSTMCell(**p)
        if not self.proj_size:
            return cell
        zero = Tensor(np.zeros(self.proj_size, self.dtype), name="b_r")
        return Projected(cell, self.stored("weight_hr", suffix), zero)


class GRU(Recurrent):
    """Layers of gated recurrent units, under the names and shapes of :class:`torch.nn.GRU`.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional
        As for :class:`LSTM`.
    reset_after : bool, default True
        PyTorch's form, in which the reset gate acts on the sum over h<t-1>. False is the paper's
        (Cho et al., 2014), in which it acts on h<t-1> itself; the parameters have the same shapes.
    rng, dtype, initial, noise
        As for :class:`LSTM`.
    """

    gates = "ruc"  # PyTorch's r z n

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        reset_after: bool = True,
        rng: Seed = None,
        dtype: Any = np.float64,
        initial: str = "zero",
        noise: float = 0.1,
    ) -> None:
        self.reset_after = reset_after
        sizes = (input_size, hidden_size, num_layers, 0)
        super().__init__(
            sizes, bias, batch_first, dropout, bidirectional, rng, dtype, initial, noise
        )

    def cell(self, suffix: str) -> Any:
        W, b = self.joined(suffix)
        if not self.reset_after:
            return OriginalGRUCell(**self.gated("W", W, "ruc"), **self.gated("b", b, "ruc"))
        p = {**self.gated("W", W, "ru"), **self.gated("b", b, "ru")}
        for gate, side in (("h", "hh"), ("x", "ih")):
            p |= self.gated("W", self.stored(f"weight_{side}", suffix), f"..{gate}")
            p |= self.gated("b", self.stored(f"bias_{side}", suffix), f"..{gate}")
        return GRUCell(**p)


class RNN(Recurrent):
    """Layers of Elman's recurrent net, under the names and shapes of :class:`torch.nn.RNN`.

    Parameters
    ----------
    input_size, hidden_size, num_layers
        As for :class:`LSTM`.
    nonlinearity : {"tanh", "relu"}, default "tanh"
        What the sums go through.
    bias, batch_first, dropout, bidirectional, rng, dtype, initial, noise
        As for :class:`LSTM`.
    """

    gates = "h"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        rng: Seed = None,
        dtype: Any = np.float64,
        initial: str = "zero",
        noise: float = 0.1,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise DataError(
                "no such nonlinearity",
                where="RNN(nonlinearity=...)",
                expected="tanh or relu",
                got=repr(nonlinearity),
            )
        self.nonlinearity = nonlinearity
        sizes = (input_size, hidden_size, num_layers, 0)
        super().__init__(
            sizes, bias, batch_first, dropout, bidirectional, rng, dtype, initial, noise
        )

    def cell(self, suffix: str) -> Any:
        return ElmanCell(*self.joined(suffix), self.nonlinearity)
