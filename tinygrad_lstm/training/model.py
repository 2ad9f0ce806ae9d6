"""A recurrent net that reads a window of a series and says how it goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_lstm.errors import DataError
from tinygrad_lstm.nn.layers import Linear
from tinygrad_lstm.nn.module import Module
from tinygrad_lstm.nn.rnn import GRU, LSTM, RNN
from tinygrad_lstm.ops.loss import squared_error
from tinygrad_lstm.optim.adam import Adam, AdamW
from tinygrad_lstm.optim.sgd import SGD, RMSprop

__all__ = ["Forecaster", "MeanSquaredError", "Options"]

CELLS: dict[str, Any] = {"lstm": LSTM, "gru": GRU, "rnn": RNN}
OPTIMIZERS: dict[str, Any] = {
    "adam": Adam,
    "adamw": AdamW,
    "rmsprop": RMSprop,
    "sgd": SGD,
}


@dataclass(frozen=True)
class Options:
    """How a series is learned.

    Attributes
    ----------
    horizon : int
        How many values are said at once.
    window : int
        How many values are read for that.
    cell : {"lstm", "gru", "rnn"}
        What reads them.
    layers, units : int
        How many, and how wide.
    dropout : float
        Between the layers.
    linear : bool
        Whether a linear autoregression is added to what the recurrent layer says.
    epochs : int
        At most so many.
    batch : int
        Windows in a batch.
    optimizer : {"adam", "adamw", "rmsprop", "sgd"}
        What makes the steps.
    rate : float
        Its learning rate at the start; it falls to 0 by half a cosine.
    patience : int
        After so many epochs without a smaller loss of validation training ends.
    validation, test : int
        How many of the last values are kept for stopping in time, and held out.
    seed : int
        Of all random numbers.
    """

    horizon: int = 1
    window: int = 24
    cell: str = "lstm"
    layers: int = 1
    units: int = 16
    dropout: float = 0.0
    linear: bool = False
    epochs: int = 200
    batch: int = 32
    optimizer: str = "adam"
    rate: float = 0.01
    patience: int = 40
    validation: int = 30
    test: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        for name, among in (("cell", CELLS), ("optimizer", OPTIMIZERS)):
            if getattr(self, name) not in among:
                raise DataError(
                    "no such choice",
                    where=f"Options({name}=...)",
                    expected=", ".join(among),
                    got=repr(getattr(self, name)),
                )
        for name in ("horizon", "window", "layers", "units", "epochs", "batch", "patience"):
            if getattr(self, name) < 1:
                raise DataError(
                    "this has to be at least 1",
                    where=f"Options({name}=...)",
                    got=repr(getattr(self, name)),
                )


class Forecaster(Module):
    """A recurrent layer over the window, a linear layer on its last output, and beside them a
    linear autoregression.

    Parameters
    ----------
    options : Options
        The sizes, and the seed.

    Notes
    -----
    Source of the linear part: Lai, Chang, Yang and Liu, Modeling long- and short-term temporal
    patterns with deep neural networks, 2018.
    """

    head: Linear
    linear: Linear
    recurrent: Any

    def __init__(self, options: Options) -> None:
        kind, rng = CELLS[options.cell], np.random.default_rng(options.seed)
        depth = {"num_layers": options.layers, "dropout": options.dropout}
        self.recurrent = kind(1, options.units, rng=rng, **depth)
        self.head = Linear(options.units, options.horizon, rng=rng)
        if options.linear:
            self.linear = Linear(options.window, options.horizon, rng=rng)
            self.linear.weight.data = np.zeros((options.horizon, options.window))

    def forward(self, x: np.ndarray) -> Any:
        """What follows windows (N, window): (N, horizon)."""
        y, _ = self.recurrent(np.ascontiguousarray(x.T[:, :, np.newaxis]))
        said = self.head(y[-1])
        return said + self.linear(x) if hasattr(self, "linear") else said

    def reseed(self, seed: Any) -> None:
        """Let dropout draw from a seed, so that an epoch can be repeated."""
        self.recurrent.rng = np.random.default_rng(seed)


class MeanSquaredError:
    """The loss of a forecaster, which workers can be sent.

    Parameters
    ----------
    model : Forecaster
        What says how windows go on.
    """

    def __init__(self, model: Forecaster) -> None:
        self.model = model

    def parameters(self) -> Any:
        """Those of the model."""
        return self.model.parameters()

    def __call__(self, x: np.ndarray, targets: np.ndarray) -> Any:
        """The mean over windows and what follows them."""
        return squared_error(self.model(x), targets) * (2 / targets.size)
