"""``train``: learn a series, against baselines on what was held out."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

from tinygrad_lstm.cli.folder import writable
from tinygrad_lstm.cli.learned import plots, table, years
from tinygrad_lstm.cli.options import LARGEST, Command, positive_number, whole_number
from tinygrad_lstm.cli.progress import Progress
from tinygrad_lstm.errors import DataError
from tinygrad_lstm.parallel.cluster import connected
from tinygrad_lstm.training.csvfile import SHIPPED
from tinygrad_lstm.training.large import open_series
from tinygrad_lstm.training.model import CELLS, OPTIMIZERS, Options
from tinygrad_lstm.training.run import Run
from tinygrad_lstm.training.series import MISSING, read_series

__all__ = ["TRAIN"]

INTERRUPTED = 130
SECONDS = 2.0  # between two checkpoints, at least
KEPT = "run.ckpt"

LEARNING: dict[str, tuple[Any, str]] = {  # the options of training.Options, as they are typed
    "horizon": (whole_number(1, LARGEST), "how many values are said at once"),
    "window": (whole_number(1, LARGEST), "how many values are read for that"),
    "layers": (whole_number(1, 100), "recurrent layers"),
    "units": (whole_number(1, LARGEST), "units of each layer"),
    "epochs": (whole_number(1, LARGEST), "at most so many"),
    "batch": (whole_number(1, LARGEST), "windows in a batch"),
    "rate": (positive_number, "learning rate at the start"),
    "patience": (whole_number(1, LARGEST), "epochs without progress after which training ends"),
    "validation": (whole_number(1, LARGEST), "values kept for stopping in time"),
    "test": (whole_number(1, LARGEST), "last values, held out"),
    "seed": (whole_number(0, 2**63), "of all random numbers"),
}


def add_options(parser: ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--data",
        metavar="FILE",
        help="a series as CSV; a folder of CSV or Parquet files, however large (extra dask); or "
        f"{', '.join(SHIPPED)}, which comes with the package",
    )
    source.add_argument("--resume", metavar="F", help="go on with the run in a checkpoint")
    parser.add_argument("--column", metavar="NAME", help="the column of --data (default: the last)")
    parser.add_argument(
        "--missing", choices=MISSING, help="what is done about missing values (default: refuse)"
    )
    parser.add_argument("--decimal", choices=(".", ","), help="what stands before the decimals")
    for name, (kind, summary) in LEARNING.items():
        summary = f"{summary} (default: {getattr(Options, name)})"
        parser.add_argument(f"--{name}", metavar="N", type=kind, help=summary)
    parser.add_argument("--cell", choices=CELLS, help="what reads a window (default: lstm)")
    parser.add_argument("--optimizer", choices=OPTIMIZERS, help="what makes steps (default: adam)")
    parser.add_argument(
        "--checkpoint",
        metavar="F",
        type=Path,
        help=f"where the run is kept (default: {KEPT} in --out)",
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        default=Path("out"),
        help="the folder for plots (default: out)",
    )
    workers = parser.add_mutually_exclusive_group()
    workers.add_argument(
        "--workers", metavar="N", type=whole_number(1, 1000), help="processes that share a batch"
    )
    workers.add_argument(
        "--scheduler", metavar="ADDRESS", help="of Dask, whose workers share a batch (extra dask)"
    )


def run(options: Namespace) -> int:
    training = resumed(options) if options.resume else begun(options)
    kept = options.checkpoint or (Path(options.resume) if options.resume else options.out / KEPT)
    with writable(options.out, "--out") as folder, writable(kept.parent, "--checkpoint"):
        print(described(training))
        with crew(options) as who:
            ended = trained(training, kept, **who)
        if not ended:
            return INTERRUPTED
        print(table(training), end="\n\n")
        print(plots(training, folder))
        print(f"checkpoint: {kept}; tinygrad-lstm forecast --checkpoint {kept} --steps 10")
    return 0


def begun(options: Namespace) -> Run:
    """A new run."""
    chosen = {name: getattr(options, name) for name in (*LEARNING, "cell", "optimizer")}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    read = open_series if Path(options.data).is_dir() else read_series
    missing = options.missing or "refuse"
    series = read(options.data, options.column, missing=missing, decimal=options.decimal)
    return Run(series, **chosen)


def resumed(options: Namespace) -> Run:
    """The run in a checkpoint, which has its options."""
    others = (*LEARNING, "cell", "optimizer", "column", "missing", "decimal")
    given = [name for name in others if getattr(options, name) is not None]
    if given:
        raise DataError(
            "a run goes on with the options it was begun with",
            where=f"--{given[0]}",
            expected="--resume alone, or with --checkpoint and --out",
        )
    return Run.load(options.resume)


def described(training: Run) -> str:
    """What is trained on what."""
    series, o, parts = training.series, training.options, training.parts
    filled = f", {series.filled} missing values filled" if series.filled else ""
    return (
        f"column {series.name}, {len(series)} values{filled}: {parts.validation} for training, "
        f"{o.validation} for stopping, the last {o.test}{years(training)} held out\n"
        f"{training.name} read {o.window} values and say {o.horizon}; seed {o.seed}"
    )


@contextmanager
def crew(options: Namespace) -> Iterator[dict[str, Any]]:
    """Who finds the derivatives of a batch, as :meth:`Run.fit` takes it."""
    if options.scheduler is not None:
        with connected(options.scheduler) as client:
            yield {"executor": client}
    elif options.workers is not None:
        yield {"executor": "processes", "workers": options.workers}
    else:
        yield {}


def trained(training: Run, kept: Path, **who: Any) -> bool:
    """Train to the end, with checkpoints; whether that was not interrupted."""
    keep = _now_and_then(lambda: training.save(kept))
    with Progress() as progress:
        try:

            def after(run: Run) -> None:
                if run.again is None:
                    progress.show("epoch", len(run.history), run.options.epochs, *run.history[-1])
                else:
                    progress.show("again", len(run.again), run.best_epoch, run.again[-1])
                keep()

            training.fit(after, **who)
        except KeyboardInterrupt:
            training.save(kept)
            progress.close()
            print(
                f"stopped after epoch {len(training.again or training.history)}; go on with: "
                f"tinygrad-lstm train --resume {kept}",
                file=sys.stderr,
            )
            return False
    training.save(kept)
    print(
        f"{len(training.history)} epochs, the best was number {training.best_epoch}; "
        f"then {len(training.again or ())} on all that is not held out"
    )
    return True


def _now_and_then(do: Callable[[], None]) -> Callable[[], None]:
    """A function that does something, but not twice within some seconds."""
    last = -SECONDS

    def again() -> None:
        nonlocal last
        if monotonic() - last >= SECONDS:
            do()
            last = monotonic()

    return again


TRAIN = Command("train", "learn a series, against baselines on what was held out", add_options, run)
