"""A training run on a series: it can be stopped at any moment and goes on as if it had not been."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from tinygrad_lstm.engine.recorder import no_grad
from tinygrad_lstm.errors import DataError
from tinygrad_lstm.nn.saving import load, save
from tinygrad_lstm.optim.schedules import CosineAnnealingLR
from tinygrad_lstm.training.baselines import baselines, rmse
from tinygrad_lstm.training.large import AnySeries, series_of
from tinygrad_lstm.training.loop import fit, handed_out
from tinygrad_lstm.training.model import OPTIMIZERS, Forecaster, MeanSquaredError, Options
from tinygrad_lstm.training.series import read_series
from tinygrad_lstm.training.windows import Parts, Scaling, split, windows

__all__ = ["Run"]

KIND = "tinygrad-lstm training run 1"
After: TypeAlias = "Callable[[Run], Any] | None"  # called with the run after every epoch


class Run:
    """A series, a model, and how far its training is.

    Training has two halves. In the first the loss of the validation part says after how many epochs
    the model is best. In the second a new model is trained for as many epochs on all that is known
    before the held-out part, validation included.

    Parameters
    ----------
    series : Series or LargeSeries
        What :func:`read_series`, which is asked for anything else, or :func:`open_series` returned.
        Of the latter a checkpoint has the name of its folder.
    options : Options, optional
        How it is learned. Options of its own may also be given by keyword.

    Attributes
    ----------
    model : Forecaster
        The model of the half that is running, or has ended.
    history : list of tuple
        The losses of training and of validation of every epoch of the first half.
    again : list of float or None
        The losses of every epoch of the second half; None before it.
    best_epoch : int
        That of the first half with the smallest loss of validation.

    Examples
    --------
    >>> from tinygrad_lstm.training import Run, read_series
    >>> run = Run(read_series("sunspots"), window=12, units=4, epochs=2, seed=0)
    >>> run.fit()
    >>> len(run.history), run.forecast(3).shape, list(run.scores())[1:]
    (2, (3,), ['persistence', 'seasonal persistence, period 10', 'linear autoregression'])
    """

    options: Options
    parts: Parts
    scaling: Scaling
    model: Forecaster
    schedule: CosineAnnealingLR
    best: dict[Any, Any]
    best_epoch: int
    optimizer: Any
    series: AnySeries

    def __init__(self, series: Any, options: Options | None = None, **chosen: Any) -> None:
        self.series = series = series if isinstance(series, AnySeries) else read_series(series)
        self.options = o = replace(options or Options(), **chosen)
        self.parts = split(len(series), o.window, o.horizon, o.validation, o.test)
        self.scaling = series.scaling(self.parts.validation)
        self.history: list[tuple[float, float]] = []
        self.again: list[float] | None = None
        self._begin()
        self.best, self.best_epoch = self.model.state_dict(), 0
        self._kept = self._state()

    def _begin(self) -> None:
        """A new model, as it is before the first epoch."""
        self.model = Forecaster(self.options)
        self.optimizer = OPTIMIZERS[self.options.optimizer](self.model, lr=self.options.rate)
        self.schedule = CosineAnnealingLR(self.optimizer, T_max=self.options.epochs)

    @property
    def stopped(self) -> bool:
        """Whether the first half has ended."""
        done = len(self.history)
        return done >= self.options.epochs or done - self.best_epoch >= self.options.patience

    @property
    def ended(self) -> bool:
        """Whether there is nothing left to train."""
        return self.again is not None and len(self.again) >= self.best_epoch

    def fit(self, after: After = None, executor: Any = None, workers: int | None = None) -> None:
        """Train to the end.

        Parameters
        ----------
        after : callable, optional
            Called with the run after every epoch.
        executor : optional
            Who finds the derivatives of a batch, shard by shard, as
            :func:`tinygrad_lstm.data_parallel` takes it; without one, this process does.
        workers : int, optional
            How many threads or processes, where `executor` is a word.

        Raises
        ------
        DataError
            If there is dropout, and workers that would each draw it again.
        """
        if executor is not None and self.options.dropout:
            raise DataError(
                "dropout is drawn in one process",
                where="executor",
                expected="no dropout, or no workers",
                got=f"dropout={self.options.dropout}",
            )
        who = (executor, workers)
        try:
            if not self.stopped:
                self._first_half(after, who)
            if self.again is None:
                self.again = []
                self._begin()
                self._kept = self._state()
            if not self.ended:
                self._second_half(self.again, after, who)
        except BaseException:
            self._restore(self._kept)  # what was trained of an epoch that has not ended
            raise

    def _first_half(self, after: After, who: Any) -> None:
        o, parts = self.options, self.parts
        validation = tuple(map(self.scaling.there, self._windows(parts.validation, parts.test)))

        def ended(epoch: int, loss: float, measured: float) -> bool:
            self.schedule.step()
            self.history.append((loss, measured))
            if measured <= min(loss for _, loss in self.history):
                self.best, self.best_epoch = self.model.state_dict(), epoch
            self._keep(after)
            return self.stopped

        epochs = range(len(self.history) + 1, o.epochs + 1)
        training = self._batches(0, parts.validation)
        self._fit(epochs, training, ended, who, [validation])

    def _second_half(self, again: list[float], after: After, who: Any) -> None:
        def ended(epoch: int, loss: float, measured: float) -> None:
            self.schedule.step()
            again.append(loss)
            self._keep(after)

        epochs = range(len(again) + 1, self.best_epoch + 1)
        training = self._batches(1, self.parts.test)
        self._fit(epochs, training, ended, who)

    def _fit(self, epochs: Any, training: Any, after: Any, who: Any, validation: Any = ()) -> None:
        loss = MeanSquaredError(self.model)
        with handed_out(loss, *who) as backward:
            fit(
                *(self.model, self.optimizer, loss, epochs, training, validation),
                after=after,
                backward=backward,
            )

    def _windows(self, start: int, end: int) -> tuple[np.ndarray, np.ndarray]:
        """The windows of a part, as they are in the series."""
        o, past = self.options, min(start, self.options.window)
        values = self.series.between(start - past, end)
        return windows(values, o.window, o.horizon, past, len(values))

    def _batches(self, half: int, end: int) -> Callable[[int], Any]:
        """The batches of an epoch; they depend on nothing but its number."""

        def training(epoch: int) -> Any:
            o, seed = self.options, [self.options.seed, half, epoch]
            self.model.reseed([*seed, 1])
            return self.series.batches([*seed, 0], o.batch, o.window, o.horizon, end, self.scaling)

        return training

    def _keep(self, after: After) -> None:
        self._kept = self._state()
        if after is not None:
            after(self)

    # What it says.

    def take_best(self) -> None:
        """Let the model be the best one so far, where the second half has not ended."""
        if not self.ended:
            self.model.load_state_dict(self.best)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """What follows windows (count, window): (count, horizon)."""
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
        window, end = self.options.window, len(self.series)
        values = self.series.between(end - window, end)
        while len(values) < window + steps:
            values = np.concatenate([values, self.predict(values[np.newaxis, -window:])[0]])
        return np.asarray(values[window:][:steps])

    def held_out(self) -> tuple[np.ndarray, np.ndarray]:
        """The windows of the held-out part, and what follows them."""
        return self._windows(self.parts.test, self.parts.end)

    def scores(self) -> dict[str, float]:
        """The root mean squared errors on the held-out part: of the model, then of the baselines,
        which are fitted on all that comes before it."""
        o, values = self.options, self.series.known(self.parts.test)
        known = windows(values, o.window, o.horizon, 0, len(values))
        x, targets = self.held_out()
        found = {self.name: rmse(self.predict(x), targets)}
        others = baselines(values, *known, len(values))
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
        try:
            if state["kind"] != KIND:
                raise KeyError("kind")
            run = cls(series_of(state["series"]), Options(**state["options"]))
            run._restore(state)
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(
                "there is no training run of this version", where=str(path), got=str(error)
            ) from error
        return run

    def _state(self) -> dict[str, Any]:
        return {
            "kind": KIND,
            "series": self.series.state(),
            "options": vars(self.options),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "history": [list(losses) for losses in self.history],
            "again": None if self.again is None else list(self.again),
            "best": self.best,
            "best_epoch": self.best_epoch,
        }

    def _restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.history = [(float(a), float(b)) for a, b in state["history"]]
        again = state["again"]
        self.again = None if again is None else [float(loss) for loss in again]
        self.best, self.best_epoch = dict(state["best"]), int(state["best_epoch"])
        self._kept = self._state()
