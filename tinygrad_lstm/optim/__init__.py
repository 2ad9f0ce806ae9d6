"""Optimizers, gradient clipping and schedules of the learning rate, as PyTorch has them."""

from tinygrad_lstm.optim.adam import Adam, AdamW
from tinygrad_lstm.optim.clipping import clip_grad_norm, clip_grad_value
from tinygrad_lstm.optim.optimizer import Optimizer
from tinygrad_lstm.optim.schedules import (
    CosineAnnealingLR,
    LinearLR,
    ReduceLROnPlateau,
    Schedule,
    StepLR,
)
from tinygrad_lstm.optim.sgd import SGD, RMSprop

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "CosineAnnealingLR",
    "LinearLR",
    "Optimizer",
    "RMSprop",
    "ReduceLROnPlateau",
    "Schedule",
    "StepLR",
    "clip_grad_norm",
    "clip_grad_value",
]
