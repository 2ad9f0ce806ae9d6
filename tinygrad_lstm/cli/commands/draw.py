"""``draw``: the unrolled graph with its forks and gradients."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

from tinygrad_lstm.cli.folder import writable
from tinygrad_lstm.cli.options import (
    LARGEST,
    Command,
    add_problem,
    picture,
    positive_number,
    whole_number,
)
from tinygrad_lstm.cli.problem import problem
from tinygrad_lstm.comparison.comparison import compare
from tinygrad_lstm.engine.backward import gradients
from tinygrad_lstm.viz import draw
from tinygrad_lstm.viz.graph.levels import LEVELS
from tinygrad_lstm.viz.options import PAGES

__all__ = ["DRAW"]


def add_options(parser: ArgumentParser) -> None:
    add_problem(parser)
    parser.add_argument(
        "-o",
        metavar="FILE",
        dest="out",
        type=picture,
        default=Path("lstm.svg"),
        help=".svg .png .pdf .dot .html (default: lstm.svg)",
    )
    parser.add_argument(
        "--as-printed",
        action="store_true",
        help="mark what is wrong in the printed formulas read literally",
    )
    add_looks(parser)


def add_looks(parser: ArgumentParser) -> None:
    """Add the options that :func:`tinygrad_lstm.viz.draw` takes as they are."""
    block = whole_number(1, LARGEST)
    parser.add_argument(
        "--path",
        metavar="NAME",
        action="append",
        default=[],
        help="mark all ways from Error back to a value; may be repeated",
    )
    parser.add_argument(
        "--level",
        choices=LEVELS,
        default="stages",
        help="every stage, a figure of the cell, the same rolled up, one block, or blocks only "
        "(default: stages)",
    )
    parser.add_argument(
        "--expand",
        metavar="T",
        action="append",
        type=block,
        default=[],
        help="a block to draw in full",
    )
    parser.add_argument(
        "--parameters",
        choices=("once", "block"),
        default="once",
        help="list them once, or draw them in each block too",
    )
    _add_place(parser)


def _add_place(parser: ArgumentParser) -> None:
    """Add the options that say where the picture is read, and how much it may hold there."""
    parser.add_argument(
        "--entry",
        metavar="I,J",
        type=index,
        help="of arrays show one entry, such as 0,2: unit 2 of row 0",
    )
    parser.add_argument(
        "--width",
        metavar="PLACE",
        type=page,
        help=f"fit {', '.join(PAGES)} or so many points (default: as large as it is)",
    )
    parser.add_argument(
        "--wrap", metavar="B", type=whole_number(1, LARGEST), help="blocks in a row (default: all)"
    )
    parser.add_argument(
        "--theme", choices=("light", "dark"), default="light", help="the colours (default: light)"
    )


# what add_looks adds
LOOKS = ("path", "level", "expand", "parameters", "entry", "width", "wrap", "theme")


def index(text: str) -> tuple[int, ...]:
    """An index such as 0,2."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ArgumentTypeError(f"expected whole numbers, such as 0,2, got {text!r}") from None


def page(text: str) -> str | float:
    """The name of a page, or a number of points."""
    try:
        return text if text in PAGES else positive_number(text)
    except ArgumentTypeError as error:
        raise ArgumentTypeError(f"{', '.join(PAGES)}, or a number of points: {error}") from None


def run(options: Namespace) -> int:
    case = problem(options)
    with writable(options.out.parent, "-o"):
        loss = case.error()
        found = gradients(loss)
        report = compare(found, case.by_hand(as_printed=True)) if options.as_printed else None
        looks = {name: getattr(options, name) for name in LOOKS}
        draw(loss, options.out, gradients=found, title=case.title, comparison=report, **looks)
    print(f"picture: {options.out}")
    return 0


DRAW = Command("draw", "draw the unrolled graph with its forks and gradients", add_options, run)
