"""What can be typed: the parser, the kinds of options, and those that describe a problem."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from tinygrad_lstm.errors import DataError
from tinygrad_lstm.training.series import SHIPPED
from tinygrad_lstm.viz.image.render import FORMATS

__all__ = [
    "LARGEST",
    "Command",
    "Parser",
    "add_problem",
    "picture",
    "positive_number",
    "whole_number",
]

LARGEST = 10**6  # of any size: beyond it a slip of the finger is likelier than a wish


class Parser(argparse.ArgumentParser):
    """A parser whose complaint is one of our errors, and so one line."""

    def error(self, message: str) -> NoReturn:
        raise DataError(message, do=f"see {self.prog} --help")


@dataclass(frozen=True)
class Command:
    """One command of the program.

    Attributes
    ----------
    name : str
        The word that is typed.
    summary : str
        What it does, as the help says it.
    add_options : callable
        Adds its options to a parser.
    run : callable
        Runs it with the options that were parsed, and returns the exit status.
    """

    name: str
    summary: str
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def add_problem(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which LSTM is run on which numbers."""
    size = whole_number(1, LARGEST)
    parser.add_argument(
        "--steps", metavar="T", type=size, help="blocks (default: 3, or as many as the series has)"
    )
    parser.add_argument(
        "--inputs", metavar="D", type=size, help="width of x<t> (default: 3; a series has 1)"
    )
    parser.add_argument(
        "--units",
        metavar="H",
        type=size,
        help="width of a<t> and c<t> (default: 4, or 2 for a series)",
    )
    parser.add_argument("--batch", metavar="N", type=size, help="rows of the batch (default: 1)")
    parser.add_argument(
        "--loss",
        choices=("every", "last"),
        default="every",
        help="which blocks have a loss (default: every)",
    )
    parser.add_argument(
        "--seed",
        metavar="S",
        type=whole_number(0, 2**63),
        default=0,
        help="of all random numbers (default: 0)",
    )
    parser.add_argument(
        "--data",
        metavar="FILE",
        help=f"a series as CSV; or {', '.join(SHIPPED)}, which comes with the package",
    )
    parser.add_argument("--column", metavar="NAME", help="the column of --data (default: the last)")


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """The type of an option that takes a whole number from `least` to `most`."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(
                f"expected a whole number from {least} to {most}, got {text!r}"
            )
        return number

    return parse


def positive_number(text: str) -> float:
    """The type of an option that takes a number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return number


def picture(text: str) -> Path:
    """The type of an option that takes the file of a picture."""
    if Path(text).suffix[1:].lower() not in FORMATS:
        raise argparse.ArgumentTypeError(
            f"expected a file that ends in {', '.join(f'.{f}' for f in FORMATS)}, got {text!r}"
        )
    return Path(text)
