"""A training run on a series: it can be stopped at any moment and goes on as if it had not been."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_lstm.engine.recorder import no_grad
from tinygrad_lstm.errors import DataError
from tinygrad_lstm.nn.saving import load, save
from tinygrad_lstm.ops.loss import squared_error
from tinygrad_lstm.optim.schedules import CosineAnnealingLR
from tinygrad_lstm.training.baselines import baselines, rmse
from tinygrad_lstm.training.loop import batches, fit
from tinygrad_lstm.training.model import OPTIMIZERS, Forecaster, Options
from tinygrad_lstm.training.series import Series
from tinygrad_lstm.training.windows import Scaling, split, windows

__all__ = ["Run"]

KIND = "tinygrad-lstm training run 1"


class Run:
    """A series, a model, and how far its training is.

    Parameters
    ----------
    series : Series
        What :func:`read_series` returned.
    options : Options, optional
        How it is learned. Options of its own may also be given by keyword.

    Attributes
    ----------
    model : Forecaster
        The model, with the parameters of the best epoch once :meth:`fit` has ended.
    history : list of tuple
        The loss of training and of validation of every epoch.

    Examples
    --------
    >>> from tinygrad_lstm.training import Run, read_series
    >>> run = Run(read_series("sunspots"), window=12, units=4, epochs=2, seed=0)
    >>> run.fit()
    >>> len(run.history), run.forecast(3).shape, list(run.scores())[1:]
    (2, (3,), ['persistence', 'seasonal persistence, period 10', 'linear autoregression'])
    """

    def __init__(self, series: Series, options: Options | None = None, **chosen: Any) -> None:
        self.series = series
        self.options = o = replace(options or Options(), **chosen)
        self.parts = split(len(series), o.window, o.horizon, o.validation, o.test)
        self.scaling = Scaling.fitted(series.values[: self.parts.validation])
        self.model = Forecaster(o)
        self.optimizer = OPTIMIZERS[o.optimizer](self.model, lr=o.rate)
        self.schedule = CosineAnnealingLR(self.optimizer, T_max=o.epochs)
        self.history: list[tuple[float, float]] = []
        self.best = self.model.state_dict()
        self.best_epoch = 0
        self._kept = self._state()

    @property
    def ended(self) -> bool:
        """Whether there is nothing left to train."""
        done = len(self.history)
        waited = done - self.best_epoch
        return done >= self.options.epochs or waited >= self.options.patience

    def fit(self, after: Callable[[Run], Any] | None = None) -> None:
        """Train until the last epoch, or until the loss of validation has not become smaller for
        ``patience`` epochs. Then the model is that of the best one.

        Parameters
        ----------
        after : callable, optional
            Called with the run after every epoch.
        """
        o, data = self.options, self.scaling.there(self.series.values)
        x, targets = windows(data, o.window, o.horizon, 0, self.parts.validation)
        held = windows(data, o.window, o.horizon, self.parts.validation, self.parts.test)

        def loss(x: np.ndarray, targets: np.ndarray) -> Any:
            return squared_error(self.model(x), targets) * (2 / targets.size)

        def training(epoch: int) -> Any:
            self.model.reseed([o.seed, epoch, 1])
            return batches([o.seed, epoch, 0], o.batch, x, targets)

        def ended(epoch: int, trained: float, measured: float) -> bool:
            self.schedule.step()
            self._note(trained, measured)
            if after is not None:
                after(self)
            return self.ended

        try:
            if not self.ended:
                epochs = range(len(self.history) + 1, o.epochs + 1)
                fit(self.model, self.optimizer, loss, epochs, training, [held], after=ended)
        except BaseException:
            self._restore(self._kept)  # what was trained of an epoch that has not ended
            raise
        self.model.load_state_dict(self.best)

    def _note(self, trained: float, measured: float) -> None:
        self.history.append((trained, measured))
        if measured <= min(loss for _, loss in self.history):
            self.best, self.best_epoch = self.model.state_dict(), len(self.history)
        self._kept = self._state()

    # What it says.

    def predict(self, x: np.ndarray) -> np.ndarray:
        """What follows windows (count, window) of the series: (count, horizon)."""
        self.model.eval()
        with no_grad():
            found: np.ndarray = self.scaling.back(self.model(self.scaling.there(x)).numpy())
        return found

    def forecast(self, steps: int) -> np.ndarray:
        """How the series goes on: what has been said is read in its turn.

        Parameters
        ----------
        steps : int
            How many values.

        Returns
        -------
        ndarray, shape (steps,)
        """
        if steps < 1:
            raise DataError("there is nothing to forecast", where="steps", got=repr(steps))
        values = self.series.values[-self.options.window :]
        while len(values) < self.options.window + steps:
            new = self.predict(values[np.newaxis, -self.options.window :])[0]
            values = np.concatenate([values, new])
        return np.asarray(values[self.options.window :][:steps])

    def held_out(self) -> tuple[np.ndarray, np.ndarray]:
        """The windows of the held-out part, and what follows them."""
        o = self.options
        return windows(self.series.values, o.window, o.horizon, self.parts.test, self.parts.end)

    def scores(self) -> dict[str, float]:
        """The root mean squared errors on the held-out part: of the model, then of the baselines,
        which are fitted on all that comes before it."""
        o, values = self.options, self.series.values
        known = windows(values, o.window, o.horizon, 0, self.parts.test)
        x, targets = self.held_out()
        found = {self.name: rmse(self.predict(x), targets)}
        others = baselines(values, *known, self.parts.test)
        return found | {name: rmse(f(x), targets) for name, f in others.items()}

    @property
    def name(self) -> str:
        """The model, in words."""
        o = self.options
        return f"{o.cell}, {o.layers} x {o.units} units"

    # To and from a file.

    def save(self, path: Any) -> None:
        """Write the run to a file, as it was after the last whole epoch; see
        :func:`tinygrad_lstm.nn.save`."""
        save(path, self._kept)

    @classmethod
    def load(cls, path: Any) -> Run:
        """The run in a file.

        Raises
        ------
        DataError
            If the file is damaged, or holds no run.
        """
        state = load(path)
        if not isinstance(state, dict) or state.get("kind") != KIND:
            raise DataError("there is no training run in this file", where=str(path))
        try:
            run = cls(Series(**state["series"]), Options(**state["options"]))
            run._restore(state)
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(
                "the file holds no training run of this version", where=str(path), got=str(error)
            ) from error
        if run.ended:
            run.model.load_state_dict(run.best)
        return run

    def _state(self) -> dict[str, Any]:
        series = self.series
        return {
            "kind": KIND,
            "series": {
                "values": series.values,
                "name": series.name,
                "times": series.times,
                "filled": series.filled,
            },
            "options": self.options.as_dict(),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "history": [list(losses) for losses in self.history],
            "best": self.best,
            "best_epoch": self.best_epoch,
        }

    def _restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.history = [(float(a), float(b)) for a, b in state["history"]]
        self.best, self.best_epoch = dict(state["best"]), int(state["best_epoch"])
        self._kept = self._state()
