"""Gradients made smaller before a step."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lstm.optim.optimizer import at_least, checked_gradients
from tinygrad_lstm.tensor.parameters import distinct

__all__ = ["clip_grad_norm", "clip_grad_value"]


def clip_grad_norm(parameters: Any, max_norm: float, norm_type: float = 2.0) -> float:
    """Scale all gradients by one factor, so that their common norm is at most `max_norm`.

    Parameters
    ----------
    parameters : mapping, module, or iterable of Tensor
        Those without a gradient do not count.
    max_norm : float
        The largest norm.
    norm_type : float, default 2
        Which norm; ``numpy.inf`` for the largest entry.

    Returns
    -------
    float
        The norm before.

    Raises
    ------
    GradientError
        If a gradient is not finite: nothing would be left of the others.

    Notes
    -----
    Source: Pascanu, Mikolov and Bengio, On the difficulty of training recurrent neural networks,
    2013. The factor is ``max_norm / (norm + 1e-6)``, as PyTorch has it.
    """
    tensors = distinct(parameters)
    max_norm = at_least(0, max_norm, "clip_grad_norm(max_norm=...)")
    found = checked_gradients(tensors, "clip_grad_norm")
    norms = [np.linalg.norm(np.ravel(g), norm_type) for g in found.values()]
    total = float(np.linalg.norm(norms, norm_type)) if norms else 0.0
    factor = max_norm / (total + 1e-6)
    if factor < 1:
        for name in found:
            tensors[name].grad = tensors[name].grad * factor
    return total


def clip_grad_value(parameters: Any, clip_value: float) -> None:
    """Limit every entry of every gradient to ``±clip_value``.

    Parameters
    ----------
    parameters : mapping, module, or iterable of Tensor
        Those without a gradient do not count.
    clip_value : float
        The largest entry.

    Raises
    ------
    GradientError
        If a gradient is not finite.
    """
    tensors = distinct(parameters)
    limit = at_least(0, clip_value, "clip_grad_value(clip_value=...)")
    for name in checked_gradients(tensors, "clip_grad_value"):
        tensors[name].grad = np.clip(tensors[name].grad, -limit, limit)
