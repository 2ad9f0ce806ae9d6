"""Losses.

`squared_error` is the document's: half the sum. The others are PyTorch's: they take
``reduction="mean"`` (the default), ``"sum"`` or ``"none"``, and the mean is over all entries of the
loss without reduction.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lstm.engine.memory import array_of, floats
from tinygrad_lstm.engine.operation import operation, unbroadcast
from tinygrad_lstm.errors import ShapeError
from tinygrad_lstm.ops.elementwise import sigmoid
from tinygrad_lstm.ops.layer import check_numbers
from tinygrad_lstm.ops.reduce import log_softmax, restore, softmax, wide

__all__ = [
    "absolute_error",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "huber",
    "squared_error",
]


@operation(analytic=True, kind="loss")
def squared_error(prediction: Any, target: Any) -> Any:
    """Half the sum of squared differences, over all entries: ``1/2 * sum((target -
    prediction)**2)``.

    This is the Error of the LSTM's derivation (F15). Its derivative by the prediction is the
    difference itself (B1).

    Parameters
    ----------
    prediction, target : Tensor or array_like
        Values of one shape, or of shapes that broadcast.

    Returns
    -------
    Tensor or ndarray
        A scalar.
    """
    difference = apart(target, prediction).ravel()
    return 0.5 * difference.dot(difference)


@squared_error.rule
def squared_error_prediction(g: Any, y: Any, prediction: Any, target: Any) -> Any:
    return unbroadcast(-(g * (target - prediction)), prediction)


@squared_error.rule
def squared_error_target(g: Any, y: Any, prediction: Any, target: Any) -> Any:
    return unbroadcast(g * (target - prediction), target)


def apart(a: Any, b: Any) -> Any:
    """``a - b`` in floating point."""
    return np.subtract(floats(a, b), floats(b, a))


def reduced(losses: Any, reduction: str) -> Any:
    """The losses of all entries as `reduction` wants them."""
    if reduction not in ("mean", "sum", "none"):
        raise ShapeError(
            "an unknown reduction",
            where="reduction",
            expected='"mean", "sum" or "none"',
            got=repr(reduction),
        )
    return losses if reduction == "none" else losses.sum() if reduction == "sum" else losses.mean()


def spread(g: Any, count: int, reduction: str) -> Any:
    """The gradient of a reduction of `count` losses for each of them: for "none" its own, else one
    number for all."""
    return g / wide(count, g) if reduction == "mean" else g


@operation(elementwise=True, kind="loss")
def absolute_error(prediction: Any, target: Any, reduction: str = "mean") -> Any:
    """The absolute differences. Where there is no difference the derivative is 0.

    Parameters
    ----------
    prediction, target : Tensor or array_like
        Values of one shape, or of shapes that broadcast.
    reduction : {"mean", "sum", "none"}
        What becomes of the entries' losses.

    Returns
    -------
    Tensor or ndarray
        A scalar, or the losses of all entries for ``"none"``.

    Raises
    ------
    ShapeError
        If `reduction` is something else.
    """
    return reduced(np.absolute(apart(prediction, target)), reduction)


@absolute_error.rule
def absolute_error_prediction(
    g: Any, y: Any, prediction: Any, target: Any, reduction: str = "mean"
) -> Any:
    difference = prediction - target
    return unbroadcast(spread(g, difference.size, reduction) * np.sign(difference), prediction)


@absolute_error.rule
def absolute_error_target(
    g: Any, y: Any, prediction: Any, target: Any, reduction: str = "mean"
) -> Any:
    difference = prediction - target
    return unbroadcast(-spread(g, difference.size, reduction) * np.sign(difference), target)


@operation(elementwise=True, kind="loss")
def huber(prediction: Any, target: Any, delta: float = 1.0, reduction: str = "mean") -> Any:
    """Half the square of a difference up to `delta`, and ``delta * (|difference| - delta/2)``
    beyond: less for outliers.

    Parameters
    ----------
    prediction, target : Tensor or array_like
        Values of one shape, or of shapes that broadcast.
    delta : float, default 1.0
        Where the parabola goes over into straight lines. Positive.
    reduction : {"mean", "sum", "none"}
        What becomes of the entries' losses.

    Returns
    -------
    Tensor or ndarray
        A scalar, or the losses of all entries for ``"none"``.

    Raises
    ------
    ShapeError
        If `delta` is not positive or `reduction` is something else.

    Notes
    -----
    Source: Huber, Robust estimation of a location parameter, 1964.
    """
    if not delta > 0:
        raise ShapeError(
            "there is no loss without a parabola",
            where="huber",
            expected="a positive delta",
            got=delta,
        )
    difference = apart(prediction, target)
    inner = np.clip(difference, -delta, delta)
    return reduced(inner * (difference - inner / 2), reduction)


@huber.rule
def huber_prediction(
    g: Any, y: Any, prediction: Any, target: Any, delta: float = 1.0, reduction: str = "mean"
) -> Any:
    difference = prediction - target
    return unbroadcast(
        spread(g, difference.size, reduction) * np.clip(difference, -delta, delta), prediction
    )


@huber.rule
def huber_target(
    g: Any, y: Any, prediction: Any, target: Any, delta: float = 1.0, reduction: str = "mean"
) -> Any:
    difference = prediction - target
    return unbroadcast(
        -spread(g, difference.size, reduction) * np.clip(difference, -delta, delta), target
    )


@operation(kind="loss")
def cross_entropy(logits: Any, target: Any, axis: int = -1, reduction: str = "mean") -> Any:
    """The cross entropy of ``softmax(logits)`` as a prediction of `target`: minus the logarithm of
    what it gives the right class.

    Parameters
    ----------
    logits : Tensor or array_like, shape (..., C)
        A number for each of the classes, which lie along `axis`. A logit of -inf excludes a class.
    target : Tensor or array_like, shape (...) or (..., C)
        With an axis less than `logits`: the right classes, integers from 0 to C - 1. With the shape
        of `logits`: the probability of each class, for example one-hot.
    axis : int, default -1
        The axis of the classes. (In PyTorch it is axis 1.)
    reduction : {"mean", "sum", "none"}
        What becomes of the losses, of which there is one for each right class.

    Returns
    -------
    Tensor or ndarray
        A scalar, or the losses with the shape of `logits` without `axis` for ``"none"``.

    Raises
    ------
    ShapeError
        If `target` has another shape or `reduction` is something else.
    DtypeError
        If the classes are not integers.
    IndexingError
        If a class is not from 0 to C - 1.
    """
    share = floats(probabilities(target, logits, axis), logits)
    with np.errstate(
        invalid="ignore"
    ):  # 0 * -inf, of a class that is excluded and not the right one
        parts = np.where(share == 0, 0, -share * log_softmax(logits, axis=axis))
    return reduced(parts.sum(axis=axis), reduction)


@cross_entropy.rule
def cross_entropy_logits(
    g: Any, y: Any, logits: Any, target: Any, axis: int = -1, reduction: str = "mean"
) -> Any:
    share = probabilities(target, logits, axis)
    return each(g, logits, axis, reduction) * (
        softmax(logits, axis=axis) * share.sum(axis=axis, keepdims=True) - share
    )


@cross_entropy.rule
def cross_entropy_target(
    g: Any, y: Any, logits: Any, target: Any, axis: int = -1, reduction: str = "mean"
) -> Any:
    return -each(g, logits, axis, reduction) * log_softmax(logits, axis=axis)


def each(g: Any, logits: Any, axis: int, reduction: str) -> Any:
    """The gradient of a reduction for the loss of each right class, with the axis of the classes as
    an axis of length one."""
    return (
        restore(g, logits, axis, False)
        if reduction == "none"
        else spread(g, logits.size // logits.shape[axis], reduction)
    )


@operation()
def one_hot(classes: Any, count: Any = None, axis: Any = -1, dtype: Any = float) -> Any:
    """Class numbers as probabilities: 1 for the class, along `axis`, and 0 for the others."""
    return np.moveaxis(np.eye(count, dtype=dtype)[classes], -1, axis)


def probabilities(target: Any, logits: Any, axis: int) -> Any:
    """The targets of :func:`cross_entropy` as probabilities of the shape of `logits`: classes
    become one-hot."""
    shape = np.shape(logits)
    if np.shape(target) == shape:
        return target
    classes, count = np.asarray(array_of(target)), shape[axis]
    if classes.shape != (*shape[: axis % len(shape)], *shape[axis % len(shape) + 1 :]):
        expected = f"classes or probabilities for logits of shape {shape}"
        raise ShapeError(
            "targets and logits do not fit",
            where="cross_entropy",
            expected=expected,
            got=classes.shape,
        )
    check_numbers(classes, count, "cross_entropy")
    return one_hot(target, count=count, axis=axis, dtype=getattr(logits, "dtype", float))


@operation(elementwise=True, kind="loss")
def binary_cross_entropy_with_logits(logits: Any, target: Any, reduction: str = "mean") -> Any:
    """The cross entropy of ``sigmoid(logits)`` as a prediction of `target`, to full precision for
    logits of any size.

    Parameters
    ----------
    logits : Tensor or array_like
        Real numbers.
    target : Tensor or array_like
        The probability of a yes for each logit, for example 0 or 1. Of one shape, or of shapes that
        broadcast.
    reduction : {"mean", "sum", "none"}
        What becomes of the entries' losses.

    Returns
    -------
    Tensor or ndarray
        A scalar, or the losses of all entries for ``"none"``.

    Raises
    ------
    ShapeError
        If `reduction` is something else.
    """
    logits = floats(logits)
    target = floats(target, logits)
    wrong = np.where(
        np.greater(logits, 0), np.subtract(1, target), np.negative(target)
    )  # so that no two large numbers cancel
    return reduced(wrong * logits + np.log1p(np.exp(-np.absolute(logits))), reduction)


@binary_cross_entropy_with_logits.rule
def binary_cross_entropy_with_logits_logits(
    g: Any, y: Any, logits: Any, target: Any, reduction: str = "mean"
) -> Any:
    slope = sigmoid(logits) - target
    return unbroadcast(spread(g, slope.size, reduction) * slope, logits)


@binary_cross_entropy_with_logits.rule
def binary_cross_entropy_with_logits_target(
    g: Any, y: Any, logits: Any, target: Any, reduction: str = "mean"
) -> Any:
    slope = -logits + np.zeros_like(target)
    return unbroadcast(spread(g, slope.size, reduction) * slope, target)
