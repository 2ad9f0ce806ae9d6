"""The parameters of the document's LSTM: drawn or given, and listed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from tinygrad_lstm.engine.arrays import Seed
from tinygrad_lstm.errors import DataError, DtypeError, ShapeError
from tinygrad_lstm.lstm.cell import BIASES, WEIGHTS, Cell
from tinygrad_lstm.lstm.inputs import check_finite
from tinygrad_lstm.tensor.tensor import Tensor
from tinygrad_lstm.text import as_table

__all__ = ["Parameters"]

Self = TypeVar("Self", bound="Parameters")


class Parameters(Cell):
    """A cell with its parameters; see :class:`tinygrad_lstm.LSTM`."""

    hidden_size: int
    input_size: int
    bias: bool

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        rng: Seed = None,
        dtype: Any = np.float64,
        forget_bias: float = 0.0,
        bias: bool = True,
    ) -> None:
        check_sizes(input_size=input_size, hidden_size=hidden_size)
        if np.dtype(dtype) not in (np.float32, np.float64):
            raise DtypeError(
                "an LSTM computes in single or double precision",
                where="LSTM(dtype=...)",
                expected="float32 or float64",
                got=np.dtype(dtype),
            )
        if forget_bias and not bias:
            raise DataError(
                "there is no bias to start from",
                where="LSTM(forget_bias=...)",
                expected="bias=True",
            )
        source, reach = source_of(rng), hidden_size**-0.5
        arrays = {
            name: source.uniform(-reach, reach, (hidden_size, hidden_size + input_size))
            for name in WEIGHTS
        }
        if bias:
            arrays |= {name: np.zeros(hidden_size) for name in BIASES}
            arrays["b_f"] += forget_bias
        self._take({name: Tensor(array, True, name, dtype) for name, array in arrays.items()})

    @classmethod
    def from_arrays(cls: type[Self], arrays: Mapping[str, Any]) -> Self:
        """An LSTM with given parameters.

        Parameters
        ----------
        arrays : mapping of str to array_like or Tensor
            ``W_f`` .. ``W_o`` of shape (H, H + D) and ``b_f`` .. ``b_o`` of shape (H,), or the
            weights alone for an LSTM without biases. Arrays are copied; Tensors are used as they
            are.

        Raises
        ------
        ShapeError
            If a parameter is missing, has no place here, or has another shape than the rest.
        """
        names = WEIGHTS if set(arrays) == set(WEIGHTS) else (*WEIGHTS, *BIASES)
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
        self.bias = "b_f" in parameters
        zero = np.zeros(shape[0], parameters["W_f"].dtype)
        constants = {} if self.bias else {name: Tensor(zero, name=name) for name in BIASES}
        for name, p in (parameters | constants).items():
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
        """The parameters by name: the four weights, then the four biases, if there are any."""
        names = (*WEIGHTS, *BIASES) if self.bias else WEIGHTS
        return {name: getattr(self, name) for name in names}

    def zero_grad(self) -> None:
        """Forget ``.grad`` of every parameter."""
        for p in self.parameters().values():
            p.zero_grad()

    def __repr__(self) -> str:
        sizes = f"input_size={self.input_size}, hidden_size={self.hidden_size}"
        details = "" if self.bias else ", bias=False"
        details += "" if self.W_f.dtype == np.float64 else f", dtype={self.W_f.dtype}"
        return f"LSTM({sizes}{details})"

    def _repr_html_(self) -> str:
        found = self.parameters()
        rows = [
            (name, str(p.shape), f"{np.linalg.norm(p.numpy()):.4g}") for name, p in found.items()
        ]
        return as_table(repr(self), [("parameter", "shape", "norm"), *rows])


def check_sizes(**sizes: Any) -> None:
    for name, size in sizes.items():
        if not isinstance(size, (int, np.integer)) or size < 1:
            raise ShapeError(
                "an LSTM needs at least one",
                where=f"LSTM({name}=...)",
                expected="a whole number from 1",
                got=repr(size),
            )


def source_of(rng: Seed) -> np.random.Generator:
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError) as error:
        raise DataError(
            "this is no source of random numbers",
            where="LSTM(rng=...)",
            expected="a seed from 0 or a Generator",
            got=repr(rng),
        ) from error
