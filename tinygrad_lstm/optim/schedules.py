"""Schedules: a factor on an optimizer's rate for every epoch. Those of one optimizer multiply, so
that a warm-up and what follows it are two schedules."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tinygrad_lstm.errors import DataError, DtypeError
from tinygrad_lstm.optim.optimizer import Optimizer, at_least

__all__ = ["CosineAnnealingLR", "LinearLR", "ReduceLROnPlateau", "Schedule", "StepLR"]


class Schedule:
    """A factor on the rate of an optimizer. A subclass says in ``factor`` what it is.

    Parameters
    ----------
    optimizer : Optimizer
        Whose rate is changed, from now on and at each ``step()``.
    """

    optimizer: Optimizer
    epoch: int

    def __init__(self, optimizer: Optimizer) -> None:
        if not isinstance(optimizer, Optimizer):
            raise DtypeError(
                "a schedule changes the rate of an optimizer",
                where=type(self).__name__,
                expected="an optimizer",
                got=type(optimizer).__name__,
            )
        self.optimizer, self.epoch = optimizer, 0
        optimizer.factors[self] = self.factor()

    def factor(self) -> float:
        """The factor in ``self.epoch``."""
        raise NotImplementedError

    def step(self) -> None:
        """Go to the next epoch."""
        self.epoch += 1
        self.optimizer.factors[self] = self.factor()

    def state_dict(self) -> dict[str, Any]:
        """What a run needs to go on."""
        return {k: v for k, v in vars(self).items() if k != "optimizer"}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state_dict` returned."""
        if set(state) != set(self.state_dict()):
            raise DataError(
                "the state of another schedule",
                where=f"{type(self).__name__}.load_state_dict",
                expected=", ".join(self.state_dict()),
                got=", ".join(state),
            )
        vars(self).update(state)
        self.optimizer.factors[self] = self.factor()


class StepLR(Schedule):
    """The rate times `gamma` after every `step_size` epochs, as PyTorch's."""

    step_size: int
    gamma: float

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size = int(at_least(1, step_size, "StepLR(step_size=...)"))
        self.gamma = at_least(0, gamma, "StepLR(gamma=...)")
        super().__init__(optimizer)

    def factor(self) -> float:
        return float(self.gamma ** (self.epoch // self.step_size))


class CosineAnnealingLR(Schedule):
    """Half a cosine from the rate to `eta_min` in `T_max` epochs, as PyTorch's.

    Notes
    -----
    Source: Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts, 2017.
    """

    T_max: int
    least: float

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        self.T_max = int(at_least(1, T_max, "CosineAnnealingLR(T_max=...)"))
        self.least = eta_min / optimizer.base_lr
        super().__init__(optimizer)

    def factor(self) -> float:
        return self.least + (1 - self.least) * (1 + math.cos(math.pi * self.epoch / self.T_max)) / 2


class LinearLR(Schedule):
    """A warm-up: from `start_factor` times the rate to `end_factor` times it in `total_iters`
    epochs, as PyTorch's."""

    start: float
    end: float
    total_iters: int

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
    ) -> None:
        self.start, self.end = start_factor, end_factor
        self.total_iters = int(at_least(1, total_iters, "LinearLR(total_iters=...)"))
        super().__init__(optimizer)

    def factor(self) -> float:
        return self.start + (self.end - self.start) * min(1.0, self.epoch / self.total_iters)


class ReduceLROnPlateau(Schedule):
    """The rate times `factor` when a loss has not become smaller for `patience` epochs, as
    PyTorch's with ``mode="min"``.

    Parameters
    ----------
    optimizer : Optimizer
        Whose rate is changed.
    factor : float, default 0.1
        What the rate is multiplied by.
    patience : int, default 10
        How many epochs without progress are let pass.
    threshold : float, default 1e-4
        Relative; what counts as progress.
    min_lr : float, default 0
        The smallest rate.
    """

    by: float
    patience: int
    threshold: float
    least: float
    best: float
    waited: int
    now: float

    def __init__(
        self,
        optimizer: Optimizer,
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        min_lr: float = 0.0,
    ) -> None:
        self.by = at_least(0, factor, "ReduceLROnPlateau(factor=...)", 1)
        self.patience, self.threshold = patience, threshold
        self.least = min_lr / optimizer.base_lr
        self.best, self.waited, self.now = math.inf, 0, 1.0
        super().__init__(optimizer)

    def factor(self) -> float:
        return self.now

    def step(self, loss: float = math.nan) -> None:
        """Go to the next epoch.

        Parameters
        ----------
        loss : float
            That of the epoch that has ended.
        """
        if math.isnan(loss):
            raise DataError(
                "the schedule follows a loss", where="ReduceLROnPlateau.step", expected="step(loss)"
            )
        if loss < self.best * (1 - self.threshold) or self.best == math.inf:
            self.best, self.waited = float(loss), 0
        else:
            self.waited += 1
        if self.waited > self.patience:
            self.now, self.waited = max(self.now * self.by, self.least), 0
        super().step()
