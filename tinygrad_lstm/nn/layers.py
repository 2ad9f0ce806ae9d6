"""Layers without a memory: Linear, Embedding, Dropout, LayerNorm, and Sequential."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_lstm.engine.arrays import Seed
from tinygrad_lstm.engine.memory import array_like, array_of
from tinygrad_lstm.errors import DtypeError, ShapeError
from tinygrad_lstm.nn.module import Module, generator, precision
from tinygrad_lstm.ops.elementwise import where
from tinygrad_lstm.ops.layer import dropout, embedding, layer_norm
from tinygrad_lstm.ops.product import linear
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["Dropout", "Embedding", "LayerNorm", "Linear", "Sequential", "as_tensor", "size"]


class Linear(Module):
    """``x @ weight.T + bias``, as :class:`torch.nn.Linear`.

    Parameters
    ----------
    in_features, out_features : int
        The widths of x and of the result.
    bias : bool, default True
        Whether a bias is added.
    rng : int or numpy.random.Generator, optional
        The source of the initial values, uniform in ``±1/sqrt(in_features)``.
    dtype : dtype, default float64
        float32 or float64.
    """

    weight: Tensor
    bias: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        rng: Seed = None,
        dtype: Any = np.float64,
    ) -> None:
        columns, rows = size(in_features, "Linear", "in_features"), size(out_features, "Linear")
        rng, dtype = generator(rng, "Linear"), precision(dtype, "Linear")
        reach = columns**-0.5
        self.weight = Tensor(rng.uniform(-reach, reach, (rows, columns)), True, "weight", dtype)
        start = rng.uniform(-reach, reach, rows) if bias else np.zeros(rows)
        self.bias = Tensor(start, bias, "bias", dtype)

    def forward(self, x: Any) -> Any:
        """The sums for x of shape (..., in_features)."""
        x = as_tensor(x, self.weight.dtype)
        if x.ndim < 1 or x.shape[-1] != self.weight.shape[1]:
            raise ShapeError(
                "the last axis does not fit this layer",
                where="Linear",
                expected=f"(..., {self.weight.shape[1]})",
                got=x.shape,
            )
        return linear(x, self.weight, self.bias)


class Embedding(Module):
    """A row of numbers for each word, as :class:`torch.nn.Embedding`.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        How many words, and the length of a row.
    padding_idx : int, optional
        A word that only fills: its row starts at 0 and receives no gradient.
    rng : int or numpy.random.Generator, optional
        The source of the initial values, of the standard normal distribution.
    dtype : dtype, default float64
        float32 or float64.
    """

    weight: Tensor

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        *,
        rng: Seed = None,
        dtype: Any = np.float64,
    ) -> None:
        rows = size(num_embeddings, "Embedding", "num_embeddings")
        columns = size(embedding_dim, "Embedding", "embedding_dim")
        start = generator(rng, "Embedding").standard_normal((rows, columns))
        if padding_idx is not None:
            if not -rows <= padding_idx < rows:
                raise ShapeError(
                    "there is no such row",
                    where="Embedding(padding_idx=...)",
                    expected=f"0 to {rows - 1}",
                    got=padding_idx,
                )
            padding_idx %= rows
            start[padding_idx] = 0
        self.padding_idx = padding_idx
        self.weight = Tensor(start, True, "weight", precision(dtype, "Embedding"))

    def forward(self, words: Any) -> Any:
        """The rows of words, which are whole numbers: shape ``(*words.shape, D)``."""
        words = array_like(array_of(words))
        rows = embedding(self.weight, words)
        if self.padding_idx is None:
            return rows
        filling = self.weight.numpy()[self.padding_idx]
        return where((words == self.padding_idx)[..., np.newaxis], filling, rows)


class Dropout(Module):
    """Each entry 0 with probability `p` while the module is in training, the others scaled up; see
    :func:`tinygrad_lstm.dropout`.

    Parameters
    ----------
    p : float, default 0.5
        The probability.
    rng : int or numpy.random.Generator, optional
        The source of the choice.
    """

    p: float
    rng: np.random.Generator

    def __init__(self, p: float = 0.5, *, rng: Seed = None) -> None:
        self.p, self.rng = probability(p, "Dropout"), generator(rng, "Dropout")

    def forward(self, x: Any) -> Any:
        """x with some entries dropped; x itself after ``eval()``."""
        return dropout(x, self.p, self.rng) if self.training and self.p else x


class LayerNorm(Module):
    """Each example with mean 0 and variance 1, then scaled and shifted, as
    :class:`torch.nn.LayerNorm`.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        The trailing axes of one example.
    eps : float, default 1e-5
        Added to the variance.
    elementwise_affine, bias : bool, default True
        Whether scale and shift are learned.
    dtype : dtype, default float64
        float32 or float64.
    """

    eps: float
    weight: Tensor
    bias: Tensor

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        *,
        dtype: Any = np.float64,
    ) -> None:
        shape = np.ones(normalized_shape).shape
        self.eps, dtype = eps, precision(dtype, "LayerNorm")
        self.weight = Tensor(np.ones(shape), elementwise_affine, "weight", dtype)
        self.bias = Tensor(np.zeros(shape), elementwise_affine and bias, "bias", dtype)

    def forward(self, x: Any) -> Any:
        """x of shape ``(..., *normalized_shape)``, normalised."""
        return layer_norm(as_tensor(x, self.weight.dtype), self.weight, self.bias, eps=self.eps)


class Sequential(Module):
    """Modules one after the other, numbered from 0: ``model[0]``, ``model[-1]``, ``model[:2]``. A
    function such as :func:`tinygrad_lstm.tanh` may stand among them. Of a recurrent layer the next
    one reads the outputs, not the state."""

    def __init__(self, *modules: Any) -> None:
        self.modules = modules
        for i, module in enumerate(modules):
            if not callable(module):
                raise DtypeError(
                    "this is no module",
                    where=f"Sequential, argument {i + 1}",
                    expected="modules, one by one",
                    got=type(module).__name__,
                )
            setattr(self, str(i), module)

    def __len__(self) -> int:
        return len(self.modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.modules)

    def __getitem__(self, i: Any) -> Any:
        return Sequential(*self.modules[i]) if isinstance(i, slice) else self.modules[i]

    def parts(self) -> Iterator[tuple[str, Any]]:
        """The modules, by number."""
        return ((str(i), m) for i, m in enumerate(self.modules) if isinstance(m, Module))

    def _described(self) -> Iterator[str]:
        for i, module in enumerate(self.modules):
            named = not isinstance(module, Module) and hasattr(module, "__name__")
            yield f"{i}: {module.__name__ if named else repr(module)}"

    def forward(self, x: Any) -> Any:
        """x through all modules."""
        for module in self.modules:
            x = module(x)
            x = x[0] if isinstance(x, tuple) else x
        return x


def as_tensor(x: Any, dtype: Any) -> Tensor:
    """A Tensor as it is, anything else as one of a dtype."""
    return x if isinstance(x, Tensor) else Tensor(x, dtype=dtype)


def size(value: Any, where: str, name: str = "out_features") -> int:
    """A whole number from 1."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ShapeError(
            "a layer needs at least one",
            where=f"{where}({name}=...)",
            expected="a whole number from 1",
            got=repr(value),
        )
    return int(value)


def probability(p: Any, where: str) -> float:
    """A number from 0 to 1."""
    if not 0 <= p <= 1:
        raise ShapeError("not a probability", where=where, expected="p from 0 to 1", got=repr(p))
    return float(p)
