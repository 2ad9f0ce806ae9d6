"""Recurrent cells: one block of each, in plain forward code.

A cell is called as ``cell(x, *state)`` and returns the next state. Its parameters are Tensors by
the names of the derivation; a layer makes them of what it stores (see :mod:`recurrent`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_lstm.engine.operation import Recorded
from tinygrad_lstm.lstm.cell import Cell
from tinygrad_lstm.ops.elementwise import relu, sigmoid, tanh
from tinygrad_lstm.ops.layer import layer_norm
from tinygrad_lstm.ops.product import linear
from tinygrad_lstm.ops.shape import concatenate
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["ElmanCell", "GRUCell", "LSTMCell", "OriginalGRUCell", "Projected", "VariantLSTMCell"]


class LSTMCell(Cell):
    """The document's cell, F1 to F14, with parameters from elsewhere.

    Parameters
    ----------
    **parameters : Tensor
        ``W_f`` .. ``W_o`` of shape (H, H + D), ``b_f`` .. ``b_o`` of shape (H,).
    """

    def __init__(self, **parameters: Tensor) -> None:
        vars(self).update(parameters)

    def __call__(self, x: Tensor, a: Tensor, c: Tensor) -> tuple[Any, Any]:
        """a<t> and c<t>."""
        return self.cell(x, a, c)


class VariantLSTMCell:
    """An LSTM whose gates see the cell state (peepholes), or whose sums are normalised, or both.

    Parameters
    ----------
    **parameters : Tensor
        As for :class:`LSTMCell`; with peepholes ``p_f``, ``p_u``, ``p_o`` of shape (H,); with
        normalisation ``gain_f`` .. ``gain_o`` and ``gain_c_state``, and the same of ``shift``.

    Notes
    -----
    Sources: Gers and Schmidhuber, Recurrent nets that time and count, 2000; Ba, Kiros and Hinton,
    Layer normalization, 2016 (the sums of the gates, and c<t> on its way to a<t>).
    """

    def __init__(self, **parameters: Tensor) -> None:
        self.p = parameters

    def __call__(self, x: Tensor, a: Tensor, c: Tensor) -> tuple[Any, Any]:
        """a<t> and c<t>."""
        z = concatenate([a, x], axis=-1).named("z")

        Γ_f = sigmoid(self.sum("f", z, c)).named("Γ_f")
        Γ_u = sigmoid(self.sum("u", z, c)).named("Γ_u")
        candidate = tanh(self.sum("c", z, c)).named("c~")

        keep = (c * Γ_f).named("keep")
        write = (Γ_u * candidate).named("write")
        c = (keep + write).named("c")

        Γ_o = sigmoid(self.sum("o", z, c)).named("Γ_o")
        a = (tanh(self.normalised("c_state", c)).named("tanh_c") * Γ_o).named("a")
        return a, c

    def sum(self, gate: str, z: Any, c: Any) -> Any:
        """The sum of a gate."""
        p = self.p
        if f"p_{gate}" not in p:
            total = linear(z, p[f"W_{gate}"], p[f"b_{gate}"]).named(f"sum_{gate}")
        else:
            of_z = linear(z, p[f"W_{gate}"], p[f"b_{gate}"]).named(f"of_z_{gate}")
            total = (of_z + (c * p[f"p_{gate}"]).named(f"peep_{gate}")).named(f"sum_{gate}")
        return self.normalised(gate, total)

    def normalised(self, name: str, value: Any) -> Any:
        """`value` with mean 0 and variance 1, scaled and shifted, if the cell normalises."""
        if f"gain_{name}" not in self.p:
            return value
        gain, shift = self.p[f"gain_{name}"], self.p[f"shift_{name}"]
        return layer_norm(value, gain, shift).named(f"norm_{name}")


class Projected:
    """A cell whose output is projected to fewer units before it is passed on.

    Notes
    -----
    Source: Sak, Senior and Beaufays, Long short-term memory based recurrent neural network
    architectures for large vocabulary speech recognition, 2014: r_t.
    """

    cell: Callable[..., Any]
    W_r: Tensor
    b_r: Tensor

    def __init__(self, cell: Callable[..., Any], W_r: Tensor, b_r: Tensor) -> None:
        self.cell, self.W_r, self.b_r = cell, W_r, b_r

    def __call__(self, x: Tensor, r: Tensor, c: Tensor) -> tuple[Any, Any]:
        """r<t> and c<t>."""
        a, c = self.cell(x, r, c)
        return linear(a, self.W_r, self.b_r).named("r"), c


class GRUCell:
    """A gated recurrent unit in PyTorch's form: the reset gate acts on the sum over h<t-1>.

    Parameters
    ----------
    **p : Tensor
        ``W_r``, ``W_u`` of shape (H, H + D), ``W_h`` of shape (H, H) and ``W_x`` of shape (H, D),
        and a bias of shape (H,) for each.
    """

    def __init__(self, **p: Tensor) -> None:
        self.p = p

    def __call__(self, x: Tensor, h: Tensor) -> Any:
        """h<t>."""
        p = self.p
        z = concatenate([h, x], axis=-1).named("z")
        Γ_r = sigmoid(linear(z, p["W_r"], p["b_r"]).named("sum_r")).named("Γ_r")
        Γ_u = sigmoid(linear(z, p["W_u"], p["b_u"]).named("sum_u")).named("Γ_u")

        sum_h = linear(h, p["W_h"], p["b_h"]).named("sum_h")
        sum_x = linear(x, p["W_x"], p["b_x"]).named("sum_x")
        candidate = tanh((sum_x + (Γ_r * sum_h).named("reset")).named("sum_c")).named("h~")
        return _mixed(Γ_u, h, candidate)


class OriginalGRUCell:
    """The gated recurrent unit of the paper: the reset gate acts on h<t-1> itself.

    Parameters
    ----------
    **p : Tensor
        ``W_r``, ``W_u``, ``W_c`` of shape (H, H + D), and a bias of shape (H,) for each.

    Notes
    -----
    Source: Cho et al., Learning phrase representations using RNN encoder-decoder for statistical
    machine translation, 2014, equations 5 to 8.
    """

    def __init__(self, **p: Tensor) -> None:
        self.p = p

    def __call__(self, x: Tensor, h: Tensor) -> Any:
        """h<t>."""
        p = self.p
        z = concatenate([h, x], axis=-1).named("z")
        Γ_r = sigmoid(linear(z, p["W_r"], p["b_r"]).named("sum_r")).named("Γ_r")
        Γ_u = sigmoid(linear(z, p["W_u"], p["b_u"]).named("sum_u")).named("Γ_u")

        z_reset = concatenate([(Γ_r * h).named("reset"), x], axis=-1).named("z_reset")
        candidate = tanh(linear(z_reset, p["W_c"], p["b_c"]).named("sum_c")).named("h~")
        return _mixed(Γ_u, h, candidate)


def _mixed(Γ_u: Any, h: Any, candidate: Any) -> Any:
    """What a GRU keeps and what it writes."""
    keep = (Γ_u * h).named("keep")
    write = ((1.0 - Γ_u).named("renew") * candidate).named("write")
    return (keep + write).named("h")


class ElmanCell:
    """A recurrent net of one sum.

    Parameters
    ----------
    W, b : Tensor, shape (H, H + D) and (H,)
        The weights and the bias.
    nonlinearity : {"tanh", "relu"}
        What the sum goes through.

    Notes
    -----
    Source: Elman, Finding structure in time, 1990.
    """

    b: Tensor
    function: Recorded

    def __init__(self, W: Tensor, b: Tensor, nonlinearity: str) -> None:
        self.W, self.b, self.function = W, b, {"tanh": tanh, "relu": relu}[nonlinearity]

    def __call__(self, x: Tensor, h: Tensor) -> Any:
        """h<t>."""
        z = concatenate([h, x], axis=-1).named("z")
        return self.function(linear(z, self.W, self.b).named("sum")).named("h")
