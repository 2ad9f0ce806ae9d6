"""The LSTM of the document, in plain forward code: no derivative in sight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_lstm.engine.arrays import Seed
from tinygrad_lstm.engine.recorder import block
from tinygrad_lstm.errors import DataError, DtypeError, ShapeError
from tinygrad_lstm.lstm.cell import BIASES, WEIGHTS, Cell
from tinygrad_lstm.lstm.inputs import at, check_finite, has_loss
from tinygrad_lstm.ops.complex import copy
from tinygrad_lstm.ops.loss import squared_error
from tinygrad_lstm.ops.reduce import add_n
from tinygrad_lstm.ops.shape import broadcast_to, stack
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["LSTM"]


class LSTM(Cell):
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

    hidden_size: int
    input_size: int

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        rng: Seed = None,
        dtype: Any = np.float64,
        forget_bias: float = 0.0,
    ) -> None:
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
            if not isinstance(size, (int, np.integer)) or size < 1:
                raise ShapeError(
                    "an LSTM needs at least one",
                    where=f"LSTM({name}=...)",
                    expected="a whole number from 1",
                    got=repr(size),
                )
        if np.dtype(dtype) not in (np.float32, np.float64):
            raise DtypeError(
                "an LSTM computes in single or double precision",
                where="LSTM(dtype=...)",
                expected="float32 or float64",
                got=np.dtype(dtype),
            )
        try:
            rng, reach = np.random.default_rng(rng), hidden_size**-0.5
        except (TypeError, ValueError) as error:
            raise DataError(
                "this is no source of random numbers",
                where="LSTM(rng=...)",
                expected="a seed from 0 or a Generator",
                got=repr(rng),
            ) from error
        arrays = {
            name: rng.uniform(-reach, reach, (hidden_size, hidden_size + input_size))
            for name in WEIGHTS
        }
        arrays |= {
            name: np.full(hidden_size, forget_bias if name == "b_f" else 0.0) for name in BIASES
        }
        self._take({name: Tensor(array, True, name, dtype) for name, array in arrays.items()})

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> LSTM:
        """An LSTM with given parameters.

        Parameters
        ----------
        arrays : mapping of str to array_like or Tensor
            ``W_f`` .. ``W_o`` of shape (H, H + D) and ``b_f`` .. ``b_o`` of shape (H,). Arrays are
            copied; Tensors are used as they are.

        Raises
        ------
        ShapeError
            If a parameter is missing, has no place here, or has another shape than the rest.
        """
        names = (*WEIGHTS, *BIASES)
        if set(arrays) != set(names):
            missing, unknown = sorted(set(names) - set(arrays)), sorted(set(arrays) - set(names))
            raise ShapeError(
                "these are not the parameters of an LSTM",
                where="LSTM.from_arrays",
                expected=", ".join(names),
                got=f"missing {missing}, unknown {unknown}",
            )
        lstm = cls.__new__(cls)
        lstm._take(
            {
                n: arrays[n]
                if isinstance(arrays[n], Tensor)
                else Tensor(np.asarray(arrays[n]) * 1.0, True, n)
                for n in names
            }
        )
        return lstm

    def _take(self, parameters: dict[str, Tensor]) -> None:
        shape = parameters["W_f"].shape
        if len(shape) != 2 or not 0 < shape[0] < shape[1]:
            raise ShapeError(
                "a weight has a row for each unit and a column for each entry of [a, x]",
                where="W_f",
                expected="(H, H + D)",
                got=shape,
            )
        self.hidden_size, self.input_size = shape[0], shape[1] - shape[0]
        for name, p in parameters.items():
            expected = shape if name in WEIGHTS else shape[:1]
            if p.shape != expected:
                raise ShapeError(
                    "the parameter does not fit the shape of W_f",
                    where=name,
                    expected=expected,
                    got=p.shape,
                )
            check_finite(p, name)
            if p.name is None:
                p.name = name
            setattr(self, name, p)

    def parameters(self) -> dict[str, Tensor]:
        """The parameters by name: the four weights, then the four biases."""
        return {name: getattr(self, name) for name in (*WEIGHTS, *BIASES)}

    def zero_grad(self) -> None:
        """Forget ``.grad`` of every parameter."""
        for p in self.parameters().values():
            p.zero_grad()

    def __call__(self, x: Any, state: Any = None) -> tuple[Any, tuple[Any, Any]]:
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

        Returns
        -------
        a : Tensor, shape (T, N, H)
            The outputs of all blocks.
        state : tuple of Tensor
            ``(a<T>, c<T>)``, each of shape (N, H).
        """
        x, a, c = self._start(x, state)
        outputs = []
        for t in range(1, len(x) + 1):
            with block(t):
                a, c = self.cell(at(x, t).named("x"), a, c)
            outputs.append(a)
        return stack(outputs).named("a"), (a, c)

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
