"""What a training run has learned: a table against the baselines, and plots."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from tinygrad_lstm.errors import DrawingError
from tinygrad_lstm.files import write
from tinygrad_lstm.text import aligned
from tinygrad_lstm.training.run import Run
from tinygrad_lstm.training.times import whole
from tinygrad_lstm.viz.plot import loss_curves
from tinygrad_lstm.viz.series import forecasts

__all__ = ["plots", "table", "years"]

SHOWN = 3  # the plot shows the held-out part and, before it, twice as much


def table(run: Run) -> str:
    """The errors on the held-out part, the model's first."""
    scores = run.scores()
    own, *others = scores.values()
    best = min(others)
    rows = [("forecast", "root mean squared error", "error of the model over this")]
    rows += [(name, f"{error:.4g}", f"{own / error:.3f}") for name, error in scores.items()]
    share = abs(1 - own / best)
    verdict = "smaller" if own < best else "larger"
    return "\n".join(
        ["", *aligned(rows), f"the model's error is {share:.1%} {verdict} than the best baseline's"]
    )


def plots(run: Run, folder: Path) -> str:
    """Draw the losses and the forecasts into a folder, and say where; or why not."""
    o, first = run.options, max(0, len(run.series) - SHOWN * run.options.test)
    try:
        trained, measured = zip(*run.history, strict=True)
        ax = loss_curves({"training": trained, "validation": measured}, log=True)
        _write(ax, folder / "loss.svg")
        x, _ = run.held_out()
        ahead = run.parts.test + o.horizon - 1 - first
        said = {
            f"said {o.horizon} ahead": (ahead, run.predict(x)[:, -1]),
            "forecast": (len(run.series) - first, run.forecast(max(10, o.horizon))),
        }
        values, start = run.series.between(first, len(run.series)), _number(run, first)
        _write(forecasts(values, said, label=run.series.name, start=start), folder / "forecast.svg")
    except DrawingError as error:
        return f"no plots: {error}"
    return f"plots: {folder / 'loss.svg'}, {folder / 'forecast.svg'}"


def _write(ax: object, path: Path) -> None:
    drawn = BytesIO()
    ax.figure.savefig(drawn, format=path.suffix[1:])  # type: ignore[attr-defined]
    write(path, drawn.getvalue(), "the plot", DrawingError)


def _number(run: Run, row: int) -> float:
    """What the time axis shows for a row: its year where the times are whole numbers in a row."""
    times = whole(run.series.times)
    return times[row] if times else row


def years(run: Run) -> str:
    """The times of the held-out part, in brackets."""
    times = run.series.times
    return f" ({times[run.parts.test]} to {times[-1]})" if times else ""
