"""``forecast``: how a learned series goes on."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from tinygrad_lstm.cli.options import LARGEST, Command, whole_number
from tinygrad_lstm.training.run import Run
from tinygrad_lstm.training.times import following

__all__ = ["FORECAST"]


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--checkpoint", metavar="F", required=True, help="what tinygrad-lstm train has written"
    )
    parser.add_argument(
        "--steps",
        metavar="N",
        type=whole_number(1, LARGEST),
        default=10,
        help="how many values (default: 10)",
    )


def run(options: Namespace) -> int:
    training = Run.load(options.checkpoint)
    training.take_best()
    values = training.forecast(options.steps)
    print(f"time,{training.series.name}")
    for time, value in zip(following(training.series.times, options.steps), values, strict=True):
        print(f"{time},{value:.6g}")
    return 0


FORECAST = Command("forecast", "say how a learned series goes on, as CSV", add_options, run)
