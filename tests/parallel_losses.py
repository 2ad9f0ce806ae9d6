"""Losses that worker processes import by name."""

import os
import signal
import time
from pathlib import Path

import numpy as np

from tinygrad_lstm import LSTM, Tensor


class Loss:
    """The error of an LSTM, with something that happens before it."""

    def __init__(self, before=None, *given):
        self.lstm = LSTM(2, 3, rng=0)
        self.before, self.given = before, given

    def parameters(self):
        return self.lstm.parameters()

    def __call__(self, x, targets, **options):
        if self.before is not None:
            self.before(*self.given)
        return self.lstm.error(x, targets, **options)


def wait(seconds):
    time.sleep(seconds)


def fail():
    raise ValueError("a worker's own words")


def die_once(file):
    """Kill this process, the first time."""
    try:
        Path(file).touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def mean_error(x, targets):
    return ((x * W - targets) ** 2).mean()


W = Tensor(np.array([0.5, -1.0]), True, "W")
