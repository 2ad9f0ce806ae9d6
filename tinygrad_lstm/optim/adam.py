"""Adam and AdamW."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_lstm.optim.optimizer import STEPS, Memory, Optimizer, at_least

__all__ = ["Adam", "AdamW"]


class Adam(Optimizer):
    """Means of the gradients over roots of means of their squares, as :class:`torch.optim.Adam`.

    Parameters
    ----------
    parameters : mapping, module, or iterable of Tensor
        What is learned.
    lr : float, default 1e-3
        The learning rate.
    betas : tuple of float, default (0.9, 0.999)
        How much of the mean, and of the mean of squares, stays at each step.
    eps : float, default 1e-8
        Added to the root.
    weight_decay : float, default 0
        This times the parameter is added to its gradient.
    amsgrad : bool, default False
        Whether the largest mean of squares so far is taken.

    Notes
    -----
    Sources: Kingma and Ba, Adam: a method for stochastic optimization, 2015; Reddi, Kale and Kumar,
    On the convergence of Adam and beyond, 2018.
    """

    betas: tuple[float, float]
    eps: float
    amsgrad: bool

    def __init__(
        self,
        parameters: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(parameters, lr, weight_decay)
        self.betas = (at_least(0, betas[0], "betas[0]", 1), at_least(0, betas[1], "betas[1]", 1))
        self.eps, self.amsgrad = at_least(0, eps, "eps"), amsgrad

    def change(self, p: np.ndarray, g: np.ndarray, memory: Memory) -> np.ndarray:
        (one, two), zero, t = self.betas, np.zeros_like(p), memory[STEPS]
        m = memory["mean"] = one * memory.get("mean", zero) + (1 - one) * g
        v = memory["squares"] = two * memory.get("squares", zero) + (1 - two) * g * g
        if self.amsgrad:
            v = memory["largest"] = np.maximum(memory.get("largest", zero), v)
        root = np.sqrt(v) / math.sqrt(1 - two**t) + self.eps
        return np.asarray(self.lr / (1 - one**t) * (m / root))


class AdamW(Adam):
    """Adam with a weight decay of its own, as :class:`torch.optim.AdamW`.

    Parameters
    ----------
    parameters, lr, betas, eps, amsgrad
        As for :class:`Adam`.
    weight_decay : float, default 1e-2
        A step takes the rate times this of each parameter.

    Notes
    -----
    Source: Loshchilov and Hutter, Decoupled weight decay regularization, 2019.
    """

    def __init__(
        self,
        parameters: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(parameters, lr, betas, eps, weight_decay, amsgrad)

    def decayed(self, p: np.ndarray, g: np.ndarray) -> np.ndarray:
        return g

    def change(self, p: np.ndarray, g: np.ndarray, memory: Memory) -> np.ndarray:
        return np.asarray(self.lr * self.weight_decay * p + super().change(p, g, memory))
