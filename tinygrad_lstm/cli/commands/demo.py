"""``demo``: forward, backward, three judges of every gradient, and the picture."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from tinygrad_lstm.cli.folder import writable
from tinygrad_lstm.cli.options import Command, add_problem
from tinygrad_lstm.cli.problem import Problem, describe_forks, judge, problem
from tinygrad_lstm.engine.backward import gradients
from tinygrad_lstm.errors import DrawingError
from tinygrad_lstm.viz import draw
from tinygrad_lstm.viz.image.render import command as graphviz

__all__ = ["DEMO"]


def add_options(parser: ArgumentParser) -> None:
    add_problem(parser)
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        default=Path("out"),
        help="the folder for the picture (default: out)",
    )


def run(options: Namespace) -> int:
    case = problem(options)
    with writable(options.out, "--out") as folder:
        return demonstrate(case, folder / "lstm.svg")


def demonstrate(case: Problem, picture: Path) -> int:
    print(case)
    loss = case.error()
    print(f"Error = {loss.item():.6g}, after {len(loss.tape)} stages")
    print(describe_forks(loss.tape, case), end="\n\n")
    found = gradients(loss)
    print(
        "three judges: the tape, the derivation by hand, and numeric differentiation by "
        f"{case.probes}",
        flush=True,
    )
    table, right = judge(found, case)
    print(table, end="\n\n")
    try:
        draw(loss, picture, gradients=found, title=case.title)
    except DrawingError as error:
        if graphviz("svg"):
            raise
        print(f"no picture: {error}")  # the judges have spoken all the same
    else:
        print(f"picture: {picture}")
    return 0 if right else 1


DEMO = Command(
    "demo",
    "forward, backward, three judges of every gradient, and the picture",
    add_options,
    run,
)
