"""The loop that trains a model: forward, backward, a step; nothing is hidden in it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinygrad_lstm.engine.recorder import no_grad
from tinygrad_lstm.errors import DataError
from tinygrad_lstm.nn.module import Module
from tinygrad_lstm.optim.clipping import clip_grad_norm
from tinygrad_lstm.optim.optimizer import Optimizer
from tinygrad_lstm.parallel.data_parallel import DataParallel, data_parallel

__all__ = ["batches", "evaluate", "fit", "handed_out", "in_shards", "train_epoch"]

Batch = tuple[Any, ...]
Backward = Callable[[Callable[..., Any], Batch], float]
"""Fills ``.grad`` with the derivatives of a loss over a batch, and returns its value."""


def fit(
    model: Module,
    optimizer: Optimizer,
    loss: Callable[..., Any],
    epochs: int | Iterable[int],
    training: Callable[[int], Iterable[Batch]] | Sequence[Batch],
    validation: Iterable[Batch] = (),
    clip: float | None = 1.0,
    after: Callable[[int, float, float], bool | None] | None = None,
    backward: Backward | None = None,
) -> None:
    """Train a model.

    Parameters
    ----------
    model : Module
        What is trained.
    optimizer : Optimizer
        Of its parameters.
    loss : callable
        ``loss(*batch)`` returns the scalar that is made smaller.
    epochs : int or iterable of int
        How many, or their numbers: ``range(1, 101)``; from a later one on to continue.
    training : callable or list of tuple
        ``training(epoch)`` returns the batches of an epoch; see :func:`batches`. Or the batches,
        the same in every epoch.
    validation : iterable of tuple
        Batches on which the loss is only measured.
    clip : float or None, default 1
        The largest norm of all gradients together.
    after : callable, optional
        ``after(epoch, loss, validation_loss)`` is called after every epoch, and ends the training
        where it returns True.
    backward : callable, optional
        How derivatives are found: ``in_shards`` lets several workers do it. By default the tape
        of this process does.

    Raises
    ------
    DataError
        If the loss is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_lstm import nn, optim
    >>> from tinygrad_lstm.training import batches, fit
    >>> model, losses = nn.Linear(1, 1, rng=0), []
    >>> x = np.linspace(-1, 1, 8)[:, np.newaxis]
    >>> fit(
    ...     model, optim.SGD(model, lr=0.1), lambda x, t: ((model(x) - t) ** 2).mean(),
    ...     range(1, 51), lambda epoch: batches(epoch, 4, x, 3 * x),
    ...     after=lambda epoch, loss, _: losses.append(loss))
    >>> losses[-1] < losses[0] / 100
    True
    """
    if isinstance(validation, Iterator):  # it would be there for the first epoch alone
        validation = list(validation)
    for epoch in range(1, epochs + 1) if isinstance(epochs, int) else epochs:
        batches = training(epoch) if callable(training) else training
        trained = train_epoch(model, optimizer, loss, batches, clip, backward)
        measured = evaluate(model, loss, validation)
        if after is not None and after(epoch, trained, measured):
            return


def train_epoch(
    model: Module,
    optimizer: Optimizer,
    loss: Callable[..., Any],
    batches: Iterable[Batch],
    clip: float | None,
    backward: Backward | None = None,
) -> float:
    """One pass over the batches; the mean of their losses."""
    backward = backward or _on_the_tape
    model.train()
    losses = []
    for batch in batches:
        optimizer.zero_grad()
        losses.append(backward(loss, batch))
        if clip is not None:
            clip_grad_norm(optimizer.parameters, clip)
        optimizer.step()
    if not losses or not math.isfinite(sum(losses)):
        raise DataError(
            "the loss is not finite" if losses else "an epoch has no batch",
            where="fit",
            do="choose a smaller learning rate" if losses else None,
        )
    return float(np.mean(losses))


def _on_the_tape(loss: Callable[..., Any], batch: Batch) -> float:
    value = loss(*batch)
    value.backward()
    return float(value.item())


def in_shards(step: DataParallel) -> Backward:
    """Let the workers of `step` find the derivatives, each of its shard of a batch.

    Parameters
    ----------
    step : DataParallel
        Of the loss that is trained; see :func:`tinygrad_lstm.data_parallel`.
    """

    def backward(loss: Callable[..., Any], batch: Batch) -> float:
        value, found = step(*batch)
        for name, parameter in step.parameters.items():
            parameter.grad = np.array(found[name])
        return float(value)

    return backward


@contextmanager
def handed_out(
    loss: Callable[..., Any], executor: Any = None, workers: int | None = None
) -> Iterator[Backward | None]:
    """Who finds the derivatives of a mean over batches while the context lasts: the workers of
    :func:`tinygrad_lstm.data_parallel`, or without an executor nobody else."""
    if executor is None:
        yield None
        return
    with data_parallel(loss, executor, reduction="mean", workers=workers) as step:
        yield in_shards(step)


def evaluate(model: Module, loss: Callable[..., Any], batches: Iterable[Batch]) -> float:
    """The mean loss of batches, without training; NaN if there are none. The model is left in the
    mode that it was in."""
    mode = model.training
    model.eval()
    try:
        with no_grad():
            losses = [loss(*batch).item() for batch in batches]
    finally:
        model.train(mode)
    return float(np.mean(losses)) if losses else math.nan


def batches(seed: Any, size: int, *arrays: Any) -> Iterable[Batch]:
    """The rows of arrays in a random order that `seed` decides, some at a time.

    Parameters
    ----------
    seed : int or sequence of int
        The same seed gives the same order.
    size : int
        The rows of a batch; the last one may be smaller.
    *arrays : ndarray, shape (rows, ...)
        What is cut, along the first axis.
    """
    order = np.random.default_rng(seed).permutation(len(arrays[0]))
    for i in range(0, len(order), size):
        rows = order[i : i + size]
        yield tuple(array[rows] for array in arrays)
