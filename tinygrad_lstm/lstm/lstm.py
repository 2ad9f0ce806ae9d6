"""The LSTM of the document, in plain forward code: no derivative in sight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_lstm.engine.recorder import block
from tinygrad_lstm.errors import ShapeError
from tinygrad_lstm.lstm.inputs import at, check_finite, has_loss
from tinygrad_lstm.lstm.parameters import Parameters
from tinygrad_lstm.ops.complex import copy
from tinygrad_lstm.ops.loss import squared_error
from tinygrad_lstm.ops.reduce import add_n
from tinygrad_lstm.ops.shape import broadcast_to, stack
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["LSTM"]


class LSTM(Parameters):
    """One layer of LSTM in the notation of Kang & Seo, "Understanding Backpropagation as Applied to
    LSTM".

    The gates are forget (f), update (u; others call it the input gate), candidate (c) and output
    (o). Each has a weight that is applied to ``z<t> = [a<t-1>, x<t>]``, the previous output first.
    The prediction is a<t> itself.

    Parameters
    ----------
    input_size : int
        D, the width of x<t>.
    hidden_size : int
        H, the number of units.
    rng : int or numpy.random.Generator, optional
        The source of the initial weights, uniform in ``±1/sqrt(H)``. A number is a seed.
    dtype : dtype, default float64
        float32 or float64.
    forget_bias : float, default 0
        The initial value of b_f; the other biases start at 0.
    bias : bool, default True
        Whether there are biases. Without, they are constants of 0, and no parameters.

    Attributes
    ----------
    W_f, W_u, W_c, W_o : Tensor, shape (H, H + D)
        The weights.
    b_f, b_u, b_c, b_o : Tensor, shape (H,)
        The biases.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_lstm import LSTM
    >>> lstm = LSTM(input_size=3, hidden_size=4, rng=0)
    >>> x, targets = np.ones((3, 1, 3)), np.zeros((3, 1, 4))
    >>> a, (a_T, c_T) = lstm(x)
    >>> a.shape
    (3, 1, 4)
    >>> len(lstm.error(x, targets).tape.forks)
    15
    """

    def __call__(
        self, x: Any, state: Any = None, cells: bool = False
    ) -> tuple[Any, tuple[Any, Any]]:
        """Run forward over a sequence.

        Parameters
        ----------
        x : array_like or Tensor, shape (T, N, D)
            The inputs. Tensors that have no name yet get the tape's (x, a<0>, c<0>); one that
            requires gradients under another name enters through a stage ``copy``, so that both
            names are on the tape.
        state : tuple of array_like or Tensor, optional
            ``(a<0>, c<0>)``, each of shape (N, H), or (H,) for one state that the whole batch
            shares. Zero by default. Error is differentiated by them in any case, as by a leaf of
            its own unless a Tensor that requires gradients is given.
        cells : bool, default False
            Whether to return the cell states of all blocks too.

        Returns
        -------
        a : Tensor, shape (T, N, H)
            The outputs of all blocks; with `cells` the pair of them and the cell states, ``(a,
            c)``, both of this shape.
        state : tuple of Tensor
            ``(a<T>, c<T>)``, each of shape (N, H).
        """
        x, a, c = self._start(x, state)
        states = []
        for t in range(1, len(x) + 1):
            with block(t):
                a, c = self.cell(at(x, t).named("x"), a, c)
            states.append((a, c))
        outputs, memory = zip(*states, strict=True)
        all_a = stack(outputs).named("a")
        return (all_a, stack(memory).named("c")) if cells else all_a, (a, c)

    def error(
        self, x: Any, targets: Any, state: Any = None, mask: Sequence[Any] | None = None
    ) -> Any:
        """The Error of a sequence: half the squared difference, summed over units, batch and blocks
        (F15, F16).

        Parameters
        ----------
        x, state
            As for a call.
        targets : array_like or Tensor, shape (T, N, H)
            What a<t> should have been. The rows of blocks without a loss are not read.
        mask : sequence of T numbers, each 0 or 1, optional
            Which blocks have a loss: ``[0, 0, 1]`` for many-to-one. All, by default.

        Returns
        -------
        Tensor
            A scalar, named Error.

        Raises
        ------
        ShapeError, DataError
            If shapes do not fit, if there are no blocks or none has a loss, or if a number is not
            finite.
        """
        x, a, c = self._start(x, state)
        losses: Sequence[Any] = [1] * len(x) if mask is None else has_loss(mask, len(x)).tolist()
        targets = self._tensor(targets, "targets", (len(x), a.shape[0], self.hidden_size), losses)
        errors = []
        for t in range(1, len(x) + 1):
            with block(t):
                a, c = self.cell(at(x, t).named("x"), a, c)
                if losses[t - 1]:
                    errors.append(squared_error(a, at(targets, t).named("â")).named("Error"))
        return add_n(*errors).named("Error")

    def _start(self, x: Any, state: Any) -> tuple[Any, Any, Any]:
        x = self._tensor(x, "x", ("T", "N", self.input_size))
        if 0 in x.shape:
            raise ShapeError(
                "there is no block to run",
                where="x",
                expected="T >= 1 time steps, N >= 1 rows",
                got=f"shape {x.shape}",
            )
        shape = (x.shape[1], self.hidden_size)
        if state is None:
            zero = np.zeros(shape, self.W_f.dtype)
            return x, Tensor(zero, True, "a<0>"), Tensor(zero, True, "c<0>")
        if len(state) != 2:
            raise ShapeError(
                "a state is a pair",
                where="state",
                expected="(a_0, c_0)",
                got=f"{len(state)} values",
            )
        return x, self._state(state[0], "a<0>", shape), self._state(state[1], "c<0>", shape)

    def _state(self, value: Any, name: str, shape: tuple[int, int]) -> Any:
        """An initial state. It is differentiated in any case: B17 asks for it, and z<1> would not
        be recorded without."""
        if not isinstance(value, Tensor):
            value = Tensor(value, True, dtype=self.W_f.dtype)
        elif not value.requires_grad:
            value = Tensor(value, True)
        if value.ndim == 1:
            return broadcast_to(
                self._tensor(value, name.replace("<0>", "_0"), shape[1:]), shape=shape
            ).named(name)
        return self._tensor(value, name, shape)

    def _tensor(
        self, value: Any, name: str, shape: tuple[Any, ...], blocks: Sequence[Any] | None = None
    ) -> Any:
        """`value` as a finite Tensor of a shape, under the tape's name; letters in `shape` stand
        for any length."""
        tensor = value if isinstance(value, Tensor) else Tensor(value, dtype=self.W_f.dtype)
        if len(shape) != tensor.ndim or any(
            n != m and isinstance(n, int) for n, m in zip(shape, tensor.shape, strict=True)
        ):
            raise ShapeError(
                "the shape does not fit this LSTM",
                where=name,
                expected=f"({', '.join(map(str, shape))})",
                got=tensor.shape,
            )
        check_finite(tensor, name, blocks)
        called = tensor.name
        if called is None:
            return tensor.named(name)
        return tensor if called == name or not tensor.requires_grad else copy(tensor).named(name)
