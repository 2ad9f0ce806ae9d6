"""Gradient descent, with momentum, and with a rate for each entry by the size of its gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lstm.errors import DataError
from tinygrad_lstm.optim.optimizer import Memory, Optimizer, at_least

__all__ = ["SGD", "RMSprop"]


class SGD(Optimizer):
    """Stochastic gradient descent, as :class:`torch.optim.SGD`.

    Parameters
    ----------
    parameters : mapping, module, or iterable of Tensor
        What is learned.
    lr : float, default 1e-3
        The learning rate.
    momentum : float, default 0
        How much of the last change goes on.
    dampening : float, default 0
        How much of a gradient does not enter the momentum.
    weight_decay : float, default 0
        This times the parameter is added to its gradient.
    nesterov : bool, default False
        Whether the momentum looks ahead.
    """

    momentum: float
    dampening: float
    nesterov: bool

    def __init__(
        self,
        parameters: Any,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(parameters, lr, weight_decay)
        self.momentum = at_least(0, momentum, "momentum")
        self.dampening, self.nesterov = float(dampening), nesterov
        if nesterov and not (momentum > 0 and dampening == 0):
            raise DataError(
                "Nesterov's form needs momentum and no dampening",
                where="SGD(nesterov=True)",
                expected="momentum > 0, dampening = 0",
                got=f"{momentum}, {dampening}",
            )

    def change(self, p: np.ndarray, g: np.ndarray, memory: Memory) -> np.ndarray:
        if not self.momentum:
            return self.lr * g
        before = memory.get("momentum")
        m = np.array(g) if before is None else self.momentum * before + (1 - self.dampening) * g
        memory["momentum"] = m
        return self.lr * (g + self.momentum * m if self.nesterov else m)


class RMSprop(Optimizer):
    """A gradient over the root of the mean of its squares, as :class:`torch.optim.RMSprop`.

    Parameters
    ----------
    parameters : mapping, module, or iterable of Tensor
        What is learned.
    lr : float, default 1e-2
        The learning rate.
    alpha : float, default 0.99
        How much of the mean stays at each step.
    eps : float, default 1e-8
        Added to the root.
    weight_decay : float, default 0
        This times the parameter is added to its gradient.
    momentum : float, default 0
        How much of the last change goes on.
    centered : bool, default False
        Whether the squares are those of the deviation from the mean gradient.

    Notes
    -----
    Source: Tieleman and Hinton, Lecture 6.5, 2012; centred: Graves, Generating sequences with
    recurrent neural networks, 2013.
    """

    alpha: float
    eps: float
    momentum: float
    centered: bool

    def __init__(
        self,
        parameters: Any,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ) -> None:
        super().__init__(parameters, lr, weight_decay)
        self.alpha, self.eps = at_least(0, alpha, "alpha"), at_least(0, eps, "eps")
        self.momentum, self.centered = at_least(0, momentum, "momentum"), centered

    def change(self, p: np.ndarray, g: np.ndarray, memory: Memory) -> np.ndarray:
        zero = np.zeros_like(p)
        v = self.alpha * memory.get("squares", zero) + (1 - self.alpha) * g * g
        memory["squares"] = v
        if self.centered:
            mean = self.alpha * memory.get("mean", zero) + (1 - self.alpha) * g
            memory["mean"] = mean
            v = v - mean * mean
        step = g / (np.sqrt(v) + self.eps)
        if self.momentum:
            step = memory["momentum"] = self.momentum * memory.get("momentum", zero) + step
        return np.asarray(self.lr * step)
