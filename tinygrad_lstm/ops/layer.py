"""Functions that layers are made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lstm.engine.memory import by_shape
from tinygrad_lstm.engine.operation import operation, unbroadcast
from tinygrad_lstm.engine.state import drawn
from tinygrad_lstm.errors import DtypeError, IndexingError, ShapeError
from tinygrad_lstm.ops.select import at

__all__ = ["dropout", "embedding", "layer_norm"]


@operation()
def layer_norm(x: Any, weight: Any, bias: Any, eps: float = 1e-5) -> Any:
    """Each example shifted and scaled to mean 0 and variance 1, then scaled by `weight` and shifted
    by `bias`.

    Parameters
    ----------
    x : Tensor or array_like, shape ``(..., *S)``
        The examples.
    weight, bias : Tensor or array_like, shape S
        One shape, which says over which trailing axes an example extends.
    eps : float, default 1e-5
        Added to the variance (of divisor n), so that constant examples become `bias`.

    Returns
    -------
    Tensor or ndarray
        Of the shape of `x`.

    Raises
    ------
    ShapeError
        If `x` does not end in the axes of `weight`, or `bias` has another shape.

    Notes
    -----
    Source: Ba, Kiros and Hinton, Layer normalization, 2016.
    """
    inner = np.shape(weight)
    if not inner or np.shape(bias) != inner or np.shape(x)[-len(inner) :] != inner:
        expected = f"weight and bias of one shape, in which x of shape {np.shape(x)} ends"
        raise ShapeError(
            "shapes do not fit",
            where="layer_norm",
            expected=expected,
            got=f"{inner} and {np.shape(bias)}",
        )
    return standardised(x, weight, eps)[0] * weight + bias


def standardised(x: Any, weight: Any, eps: float) -> tuple[Any, Any, tuple[int, ...]]:
    """The examples with mean 0 and variance 1, what they were divided by, and their axes."""
    axes = tuple(range(-np.ndim(weight), 0))
    centred = x - np.mean(x, axis=axes, keepdims=True)
    deviation = np.sqrt(np.mean(centred * centred, axis=axes, keepdims=True) + eps)
    return centred / deviation, deviation, axes


@layer_norm.rule
def layer_norm_x(g: Any, y: Any, x: Any, weight: Any, bias: Any, eps: float = 1e-5) -> Any:
    h, deviation, axes = standardised(x, weight, eps)
    g = g * weight
    return (
        g - g.mean(axis=axes, keepdims=True) - h * (g * h).mean(axis=axes, keepdims=True)
    ) / deviation


@layer_norm.rule
def layer_norm_weight(g: Any, y: Any, x: Any, weight: Any, bias: Any, eps: float = 1e-5) -> Any:
    return unbroadcast(g * standardised(x, weight, eps)[0], weight)


@layer_norm.rule
def layer_norm_bias(g: Any, y: Any, x: Any, weight: Any, bias: Any, eps: float = 1e-5) -> Any:
    return unbroadcast(g, bias)


@operation(name="dropout", elementwise=True)
def masked(x: Any, mask: Any = None) -> Any:
    return x * mask


@masked.rule
def dropout_x(g: Any, y: Any, x: Any, mask: Any = None) -> Any:
    return g * mask


def dropout(x: Any, p: float, rng: np.random.Generator) -> Any:
    """Each entry set to 0 with probability `p`, the others scaled by ``1 / (1 - p)``: for training;
    leave it out afterwards.

    Parameters
    ----------
    x : Tensor or array_like
        Real or complex values.
    p : float
        The probability, from 0 to 1.
    rng : numpy.random.Generator
        Where the choice comes from: one draw from ``rng.random`` for each entry, whatever the
        dtype.

    Returns
    -------
    Tensor or ndarray
        Of the shape of `x`. Its mean over many draws is `x`.

    Raises
    ------
    DtypeError
        If `rng` is not a generator: a hidden one would make results that cannot be repeated.
    ShapeError
        If `p` is not a probability.

    Notes
    -----
    Source: Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, Dropout, 2014, in the
    inverted form of today.
    """
    if not isinstance(rng, np.random.Generator):
        expected, do = "a numpy.random.Generator", "pass np.random.default_rng(seed)"
        raise DtypeError(
            "no generator to draw from",
            where="dropout",
            expected=expected,
            got=type(rng).__name__,
            do=do,
        )
    if not 0 <= p <= 1:
        raise ShapeError("not a probability", where="dropout", expected="p from 0 to 1", got=p)
    scale = 1 / (1 - p) if p < 1 else 0.0
    dtype = np.result_type(x.dtype if hasattr(x, "dtype") else np.asarray(x), scale)
    return masked(x, mask=(drawn(rng.random, np.shape(x)) >= p) * np.asarray(scale, dtype))


def check_numbers(numbers: np.ndarray, count: int, where: str) -> None:
    """Raise unless `numbers` are integers from 0 to ``count - 1``: a negative one would silently
    count from the end."""
    if numbers.dtype.kind not in "iu":
        raise DtypeError(
            "classes and rows are numbered by integers",
            where=where,
            expected="an integer dtype",
            got=numbers.dtype,
        )
    if np.any((numbers < 0) | (numbers >= count)):
        raise IndexingError(
            "no such class or row",
            where=where,
            expected=f"0 to {count - 1}",
            got=f"{numbers.min()} to {numbers.max()}",
        )


@operation(name="embedding", kind="move")
def rows_of(weight: Any, indices: Any = None) -> Any:
    check_numbers(indices, len(weight), "embedding")
    return weight[indices]


@rows_of.rule
def embedding_weight(g: Any, y: Any, weight: Any, indices: Any = None) -> Any:
    return at(g, indices, weight.shape)


def embedding(weight: Any, indices: Any) -> Any:
    """The rows of `weight` with the numbers `indices`; the gradients of a row that is read several
    times add up.

    Parameters
    ----------
    weight : Tensor or array_like, shape (V, ...)
        A row for each of V words.
    indices : array_like of int, any shape
        Numbers of rows, from 0 to V - 1.

    Returns
    -------
    Tensor or ndarray, shape ``(*indices.shape, ...)``

    Raises
    ------
    DtypeError
        If `indices` are not integers.
    IndexingError
        If an index is not from 0 to V - 1.
    """
    numbers = indices if by_shape(indices) else np.array(indices)
    return rows_of(weight if hasattr(weight, "shape") else np.asarray(weight), indices=numbers)
