"""One block of the document's LSTM, on one screen."""

from __future__ import annotations

from typing import Any

from tinygrad_lstm.ops.elementwise import sigmoid, tanh
from tinygrad_lstm.ops.product import linear
from tinygrad_lstm.ops.shape import concatenate
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["BIASES", "WEIGHTS", "Cell"]

WEIGHTS = ("W_f", "W_u", "W_c", "W_o")
BIASES = ("b_f", "b_u", "b_c", "b_o")


class Cell:
    """The gates' weights and biases, and what one block does with them.

    Attributes
    ----------
    W_f, W_u, W_c, W_o : Tensor, shape (H, H + D)
        The weights.
    b_f, b_u, b_c, b_o : Tensor, shape (H,)
        The biases.
    """

    W_f: Tensor
    W_u: Tensor
    W_c: Tensor
    W_o: Tensor
    b_f: Tensor
    b_u: Tensor
    b_c: Tensor
    b_o: Tensor

    def cell(self, x: Any, a: Any, c: Any) -> tuple[Any, Any]:
        """One block: F1 to F14.

        Parameters
        ----------
        x : Tensor, shape (N, D)
            x<t>.
        a, c : Tensor, shape (N, H)
            a<t-1> and c<t-1>.

        Returns
        -------
        a, c : Tensor, shape (N, H)
            a<t> and c<t>.
        """
        z = concatenate([a, x], axis=-1).named("z")

        sum_f = linear(z, self.W_f, self.b_f).named("sum_f")
        sum_u = linear(z, self.W_u, self.b_u).named("sum_u")
        sum_c = linear(z, self.W_c, self.b_c).named("sum_c")
        sum_o = linear(z, self.W_o, self.b_o).named("sum_o")

        Γ_f = sigmoid(sum_f).named("Γ_f")
        Γ_u = sigmoid(sum_u).named("Γ_u")
        candidate = tanh(sum_c).named("c~")
        Γ_o = sigmoid(sum_o).named("Γ_o")

        keep = (c * Γ_f).named("keep")
        write = (Γ_u * candidate).named("write")
        c = (keep + write).named("c")
        a = (tanh(c).named("tanh_c") * Γ_o).named("a")
        return a, c
