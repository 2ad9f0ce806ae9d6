"""Windows, baselines, the loop, and a run that is stopped and goes on."""

import numpy as np
import pytest

from tinygrad_lstm import DataError, nn, optim
from tinygrad_lstm.training import (
    Options,
    Run,
    Scaling,
    Series,
    baselines,
    batches,
    evaluate,
    fit,
    read_series,
    rmse,
    split,
    windows,
)
from tinygrad_lstm.training.baselines import season, seasonal

SMALL = {"window": 6, "units": 3, "epochs": 6, "validation": 10, "test": 20, "batch": 40}


def wave(rows=120):
    t = np.arange(rows)
    noise = np.random.default_rng(0).normal(size=rows) / 20
    return Series(np.sin(2 * np.pi * t / 10) + noise, "wave")


def test_windows_and_their_targets():
    x, targets = windows(np.arange(10.0), 3, 2, 0, 8)
    assert x[0].tolist() == [0, 1, 2] and targets[0].tolist() == [3, 4]
    assert targets[-1].tolist() == [6, 7]
    x, targets = windows(np.arange(10.0), 3, 2, 8, 10)  # a window reaches back into what is known
    assert x.tolist() == [[5, 6, 7]] and targets.tolist() == [[8, 9]]
    parts = split(50, 6, 1, 10, 20)
    assert (parts.validation, parts.test, parts.end) == (20, 30, 50)
    with pytest.raises(DataError, match="too short.*at least 46 rows"):
        split(45, 6, 1, 10, 20)


def test_scaling_knows_only_the_training_part():
    series = wave()
    changed = series.values.copy()
    changed[-30:] *= 100
    one, other = (Run(Series(v, "w"), **SMALL) for v in (series.values, changed))
    assert one.scaling == other.scaling
    values = np.array([3.0, 5.0])
    np.testing.assert_allclose(one.scaling.back(one.scaling.there(values)), values)
    with pytest.raises(DataError, match="two different numbers"):
        Scaling.fitted(np.ones(3))
    with pytest.raises(DataError, match="cannot be scaled"):
        Scaling.fitted(np.array([1e308, -1e308]))


def test_baselines():
    t = np.arange(100)
    values = np.sin(2 * np.pi * t / 12)
    assert season(values, 20) == 12 and season(np.arange(9.0), 5) in range(1, 6)
    x, targets = windows(values, 14, 3, 0, 80)
    found = baselines(values, x, targets, 80)
    names = ["persistence", "seasonal persistence, period 12", "linear autoregression"]
    assert list(found) == names
    held, after = windows(values, 14, 3, 80, 100)
    errors = [rmse(f(held), after) for f in found.values()]
    assert errors[0] > 0.3 and max(errors[1:]) < 1e-10
    assert seasonal(2, 5)(np.array([[9.0, 1, 2]])).tolist() == [[1, 2, 1, 2, 1]]


def test_the_loop_by_itself():
    model, x = nn.Linear(1, 1, rng=0), np.linspace(-1, 1, 12)[:, np.newaxis]

    def loss(x, t):
        return ((model(x) - t) ** 2).mean()

    seen = []
    fit(
        model,
        optim.SGD(model, lr=0.1),
        loss,
        range(1, 100),
        lambda epoch: batches(epoch, 5, x, 2 * x + 1),
        validation=[(x, 2 * x + 1)],
        after=lambda *numbers: seen.append(numbers) or len(seen) == 60,
    )
    assert len(seen) == 60 and seen[-1][0] == 60
    assert evaluate(model, loss, [(x, 2 * x + 1)]) == seen[-1][2] < 1e-3
    assert model.training
    evaluate(model.eval(), loss, [(x, x)])
    assert not model.training  # what is measured after training goes on without dropout
    assert sorted(len(b[0]) for b in batches(0, 5, x)) == [2, 5, 5]
    with pytest.raises(DataError, match="no batch"):
        fit(model, optim.SGD(model), loss, [1], lambda epoch: [])


def states(run):
    return [*run.model.state_dict().values(), run.history, run.again]


def same(one, other):
    for a, b in zip(states(one), states(other), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("stop", ["between epochs", "in the second half", "within an epoch"])
@pytest.mark.parametrize("kind", [{}, {"cell": "gru", "layers": 2, "dropout": 0.3}], ids=str)
def test_a_resumed_run_is_bit_equal(tmp_path, monkeypatch, stop, kind):
    whole = Run(wave(), **SMALL, **kind)
    whole.fit()
    cut = Run(wave(), **SMALL, **kind)
    if stop != "within an epoch":
        done = 3 if stop == "between epochs" else len(whole.history) + 2

        def interrupt(run):
            if len(run.history) + len(run.again or ()) == done:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            cut.fit(interrupt)
    else:
        calls, step = [], type(cut.optimizer).step

        def interrupted(self):
            calls.append(1)
            if len(calls) == 8:
                raise KeyboardInterrupt
            step(self)

        monkeypatch.setattr(type(cut.optimizer), "step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            cut.fit()
        monkeypatch.undo()
    cut.save(tmp_path / "run")
    again = Run.load(tmp_path / "run")
    assert not again.ended and again.history == cut.history and again.again == cut.again
    again.fit()
    same(whole, again)
    again.save(tmp_path / "run")
    ended = Run.load(tmp_path / "run")
    same(whole, ended)
    np.testing.assert_array_equal(whole.forecast(7), ended.forecast(7))


def test_a_run_stops_in_time_and_keeps_the_best():
    run = Run(wave(), **{**SMALL, "epochs": 200, "patience": 3, "rate": 0.05})
    run.fit()
    validation = [loss for _, loss in run.history]
    assert len(run.history) < 200 and run.best_epoch == 1 + int(np.argmin(validation))
    assert len(run.history) == run.best_epoch + 3 and len(run.again) == run.best_epoch
    scores = run.scores()
    assert scores[run.name] < scores["persistence"]


def test_several_values_at_once():
    run = Run(wave(), **{**SMALL, "horizon": 4})
    run.fit()
    assert run.predict(run.held_out()[0]).shape == (17, 4)
    assert run.forecast(10).shape == (10,) and run.forecast(1) == run.forecast(10)[:1]


def test_workers_train_as_one_process_does():
    one, other = (Run(wave(), **SMALL | {"epochs": 2}) for _ in range(2))
    one.fit()
    other.fit(executor="threads", workers=3)
    np.testing.assert_allclose(other.history, one.history, rtol=1e-9)
    np.testing.assert_allclose(other.forecast(5), one.forecast(5), rtol=1e-7)
    with pytest.raises(DataError, match="dropout is drawn in one process"):
        Run(wave(), **SMALL, dropout=0.1, layers=2).fit(executor="threads")


def test_what_cannot_be_used_is_refused(tmp_path):
    with pytest.raises(DataError, match="cell"):
        Options(cell="tcn")
    with pytest.raises(DataError, match="units"):
        Options(units=0)
    with pytest.raises(DataError, match="too short"):
        Run(read_series([1.0, 2.0, 3.0]))
    with pytest.raises(DataError, match="steps"):
        Run(wave(), **SMALL).forecast(0)
    for state in (3, {"kind": "other"}, {"kind": "tinygrad-lstm training run 1"}):
        nn.save(tmp_path / "run", state)
        with pytest.raises(DataError, match="no training run"):
            Run.load(tmp_path / "run")


@pytest.mark.slow
def test_the_sunspots_are_forecast_better_than_by_the_baselines():
    """The last 50 years, five seeds."""
    series, own = read_series("sunspots"), []
    for seed in range(5):
        run = Run(series, seed=seed)
        run.fit()
        first, *others = run.scores().values()
        own.append(first)
    assert np.mean(own) < 0.9 * min(others)


def test_a_run_reads_what_it_is_given():
    values = wave().values
    assert Run(values, **SMALL).series.name == "1"
    with pytest.raises(DataError, match="2 of 120 values are missing"):
        Run(np.where(np.arange(120) < 2, np.nan, values), **SMALL)


def test_batches_may_be_a_list_and_validation_an_iterator():
    model, seen = nn.Linear(1, 1, rng=0), []
    x = np.ones((4, 1))

    def loss(x, t):
        return ((model(x) - t) ** 2).mean()

    fit(
        model, optim.SGD(model, lr=0.1), loss, 3, [(x, 2 * x)], batches(0, 2, x, 2 * x),
        after=lambda *numbers: seen.append(numbers),
    )  # fmt: skip
    assert [epoch for epoch, *_ in seen] == [1, 2, 3] and np.isfinite(seen).all()
