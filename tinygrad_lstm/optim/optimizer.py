"""What all optimizers share: the parameters by name, what is remembered of each, and a step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygrad_lstm.engine.recorder import no_grad
from tinygrad_lstm.errors import DataError, GradientError, ShapeError, UnknownNameError
from tinygrad_lstm.tensor.parameters import distinct
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["STEPS", "Memory", "Optimizer", "at_least", "checked_gradients"]

Memory = dict[str, Any]
"""What an optimizer remembers of one parameter: how many steps it has made, and arrays."""
STEPS = "steps"


class Optimizer:
    """Gradient descent in some form. A subclass says in ``change`` what a step subtracts.

    Parameters
    ----------
    parameters : mapping, module, or iterable of Tensor
        What is learned: ``model.parameters()``, or the model.
    lr : float
        The learning rate.
    weight_decay : float
        This times the parameter is added to its gradient.

    Attributes
    ----------
    lr : float
        The learning rate of the next step: what was given, times the factors of the schedules.
    """

    parameters: dict[str, Tensor]
    base_lr: float
    weight_decay: float

    def __init__(self, parameters: Any, lr: float, weight_decay: float = 0.0) -> None:
        self.parameters = distinct(parameters)
        if not self.parameters:
            raise DataError("there is nothing to learn", where=type(self).__name__)
        self.base_lr = at_least(0, lr, "lr")
        self.weight_decay = at_least(0, weight_decay, "weight_decay")
        self.factors: dict[object, float] = {}
        self.memory: dict[str, Memory] = {}

    @property
    def lr(self) -> float:
        return self.base_lr * math.prod(self.factors.values())

    @lr.setter
    def lr(self, lr: float) -> None:
        self.base_lr = at_least(0, lr, "lr")

    def zero_grad(self) -> None:
        """Forget ``.grad`` of every parameter."""
        for p in self.parameters.values():
            p.zero_grad()

    def step(self) -> None:
        """Change every parameter that has a gradient.

        Raises
        ------
        GradientError
            If a gradient is not finite, before anything is changed.
        """
        found = checked_gradients(self.parameters, f"{type(self).__name__}.step")
        for name, g in found.items():
            p, memory = self.parameters[name], self.memory.setdefault(name, {STEPS: 0})
            memory[STEPS] += 1
            with no_grad():
                p -= self.change(p.numpy(), self.decayed(p.numpy(), g), memory)

    def decayed(self, p: np.ndarray, g: np.ndarray) -> np.ndarray:
        """The gradient with that of the weight decay."""
        return g + self.weight_decay * p if self.weight_decay else g

    def change(self, p: np.ndarray, g: np.ndarray, memory: Memory) -> np.ndarray:
        """What is subtracted from a parameter `p` with gradient `g`."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """What a run needs to go on: the rate, and of each parameter the steps and arrays; copies,
        for :func:`tinygrad_lstm.nn.save`."""
        memory = {name: copied(memory) for name, memory in self.memory.items()}
        return {"kind": type(self).__name__, "lr": self.base_lr, "memory": memory}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state_dict` returned.

        Raises
        ------
        DataError, UnknownNameError, ShapeError
            If it is another optimizer's, or of other parameters.
        """
        where = f"{type(self).__name__}.load_state_dict"
        if state.get("kind") != type(self).__name__:
            raise DataError(
                "the state of another optimizer",
                where=where,
                expected=type(self).__name__,
                got=state.get("kind"),
            )
        found = {name: copied(memory) for name, memory in state["memory"].items()}
        for name, memory in found.items():
            if name not in self.parameters:
                raise UnknownNameError("there is no such parameter", where=f"{where}, {name}")
            shape = self.parameters[name].shape
            for key, value in memory.items():
                if key != STEPS and value.shape != shape:
                    raise ShapeError(
                        "the state does not have its parameter's shape",
                        where=f"{where}, {name}, {key}",
                        expected=shape,
                        got=value.shape,
                    )
        self.lr = state["lr"]
        self.memory = found


def copied(memory: Mapping[str, Any]) -> Memory:
    """What is remembered, in arrays of its own: of a parameter without axes NumPy makes scalars."""
    return {key: int(v) if key == STEPS else np.array(v) for key, v in memory.items()}


def checked_gradients(parameters: Mapping[str, Any], where: str) -> dict[str, np.ndarray]:
    """The gradients that there are, by name.

    Raises
    ------
    GradientError, ShapeError
        If one is not finite, or does not have its parameter's shape.
    """
    found = {name: p.grad for name, p in parameters.items() if p.grad is not None}
    for name, g in found.items():
        if np.shape(g) != parameters[name].shape:
            raise ShapeError(
                "the gradient does not have its parameter's shape",
                where=f"{where}, {name}",
                expected=parameters[name].shape,
                got=np.shape(g),
            )
        if not np.isfinite(g).all():
            raise GradientError(
                "a gradient is not finite",
                where=f"{where}, {name}",
                do="choose a smaller rate, or find its origin with detect_anomaly()",
            )
    return found


def at_least(least: float, value: Any, name: str, below: float = math.inf) -> float:
    """A finite number from `least`, and smaller than `below`."""
    number = float(value)
    if not least <= number < below:
        expected = f"a number from {least:g}" + (f", below {below:g}" if below < math.inf else "")
        raise DataError("this is not possible", where=name, expected=expected, got=repr(value))
    return number
