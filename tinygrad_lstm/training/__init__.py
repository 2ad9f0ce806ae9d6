"""Learning a series: reading it, a loop that trains, forecasts, and what they have to beat."""

from tinygrad_lstm.training.baselines import baselines, rmse
from tinygrad_lstm.training.large import LargeSeries, open_series
from tinygrad_lstm.training.loop import batches, evaluate, fit
from tinygrad_lstm.training.model import Forecaster, Options
from tinygrad_lstm.training.run import Run
from tinygrad_lstm.training.series import Series, read_series
from tinygrad_lstm.training.windows import Scaling, split, windows

__all__ = [
    "Forecaster",
    "LargeSeries",
    "Options",
    "Run",
    "Scaling",
    "Series",
    "baselines",
    "batches",
    "evaluate",
    "fit",
    "open_series",
    "read_series",
    "rmse",
    "split",
    "windows",
]
