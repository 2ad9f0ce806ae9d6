"""``compare``: the tape's gradients beside the derivation by hand."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from tinygrad_lstm.cli.as_printed import each_erratum, story
from tinygrad_lstm.cli.options import Command, add_problem
from tinygrad_lstm.cli.problem import problem
from tinygrad_lstm.comparison.comparison import compare
from tinygrad_lstm.engine.backward import gradients
from tinygrad_lstm.lstm.errata import chosen

__all__ = ["COMPARE"]


def add_options(parser: ArgumentParser) -> None:
    add_problem(parser)
    parser.add_argument(
        "--as-printed",
        metavar="E1",
        nargs="*",
        help="read the printed formulas literally: the main one, or just these errata; all: "
        "each by itself, in one table",
    )


def run(options: Namespace) -> int:
    case, names = problem(options), options.as_printed
    if names == ["all"]:
        text, right = each_erratum(case)
        print(case, text, sep="\n")
        return 0 if right else 1
    as_printed = False if names is None else names or True
    comparison = compare(gradients(case.error()), case.by_hand(as_printed))
    print(case, comparison.text(), sep="\n")
    if as_printed:
        print("", story(chosen(as_printed), comparison, case), sep="\n")
    return 0 if comparison.ok else 1


COMPARE = Command(
    "compare",
    "compare the tape's gradients with the derivation by hand; the exit status is 1 where "
    "one is wrong",
    add_options,
    run,
)
