"""``exercise``: write a file in which derivatives are filled in. ``check``: mark it."""

from __future__ import annotations

import shlex
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from tinygrad_lstm.cli.folder import writable
from tinygrad_lstm.cli.options import LARGEST, Command, whole_number
from tinygrad_lstm.errors import DataError
from tinygrad_lstm.exercises.marks import Marks, check, check_all, table
from tinygrad_lstm.exercises.networks import NETWORKS
from tinygrad_lstm.exercises.sandbox import Limits
from tinygrad_lstm.exercises.sheet import written
from tinygrad_lstm.exercises.task import LEVELS, Exercise
from tinygrad_lstm.files import write

__all__ = ["CHECK", "EXERCISE"]


def add_exercise(parser: ArgumentParser) -> None:
    parser.add_argument(
        "network",
        metavar="NETWORK",
        help=f"{', '.join(NETWORKS)}; or FILE.py:function, which returns a loss of your own",
    )
    parser.add_argument("own", metavar="FILE.py:function", nargs="?", help="behind the word own")
    parser.add_argument(
        "--level",
        choices=LEVELS,
        default="chain",
        help="the derivative by every value; the forks, branch by branch; or all (default: chain)",
    )
    parser.add_argument(
        "--steps", metavar="T", type=whole_number(1, 100), default=3, help="blocks (default: 3)"
    )
    parser.add_argument(
        "--seed", metavar="S", type=whole_number(0, 2**63), default=0, help="of all numbers"
    )
    parser.add_argument(
        "-o", dest="out", metavar="FILE", type=Path, default=Path("exercise.py"), help="the file"
    )


def make(options: Namespace) -> int:
    own = options.network == "own"
    if own != (options.own is not None):
        raise DataError("name one network", where="exercise", do="own FILE.py:function, or a name")
    network = options.own if own else options.network
    exercise = Exercise(network, options.level, options.steps, options.seed)
    if options.out.exists():
        do = "give another with -o, or remove it first"
        raise DataError("the file is there already", where=str(options.out), do=do)
    with writable(options.out.parent, "-o"):
        write(options.out, written(exercise, options.out.name))
    count = len(exercise.asked)
    print(f"{options.out}: {len(exercise.keys)} derivatives in {count} functions")
    answer = shlex.quote(str(options.out))
    print(f"fill in the functions, then: tinygrad-lstm check {answer} --hints 1")
    return 0


def add_check(parser: ArgumentParser) -> None:
    parser.add_argument("answer", metavar="FILE", type=Path, help="an answer, or a folder of them")
    parser.add_argument(
        "--exercise",
        metavar="WORDS",
        help='which exercise it has to be: "lstm --level forks"; by default the file says it',
    )
    parser.add_argument(
        "--hints",
        metavar="N",
        type=whole_number(0, 4),
        default=0,
        help="1 where, 2 which kind of mistake, 3 the rule, 4 the solution (default: 0)",
    )
    parser.add_argument("--require", metavar="NAME", nargs="+", help="the derivatives that count")
    parser.add_argument(
        "--seconds", metavar="S", type=whole_number(1, LARGEST), default=10, help="(default: 10)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, and nothing else")
    parser.add_argument("--csv", metavar="FILE", type=Path, help="of a folder: the table as CSV")
    parser.add_argument("--html", metavar="FILE", type=Path, help="of a folder: the table as HTML")


def mark(options: Namespace) -> int:
    exercise = _exercise(options.exercise) if options.exercise else None
    limits = Limits(float(options.seconds))
    if options.answer.is_dir():
        return _mark_class(options, exercise, limits)
    if options.csv or options.html:
        raise DataError("a table is made of a folder", where="--csv, --html", got=options.answer)
    marks = check(options.answer, exercise, options.require, limits)
    if options.json:
        print(marks.json())
        return 0 if marks else 1
    hints = marks.hints(options.hints)
    print(marks, *([""] if hints else []), *([hints] if hints else []), sep="\n")
    return 0 if marks else 1


def _mark_class(options: Namespace, exercise: Exercise | None, limits: Limits) -> int:
    found = []
    for path, marks in check_all(options.answer, exercise, options.require, limits):
        found.append((path, marks))
        if sys.stderr.isatty():
            print(f"\r{len(found)} answers", end="", file=sys.stderr)
    for file, kind in ((options.csv, "csv"), (options.html, "html")):
        if file is not None:
            with writable(file.parent, f"--{kind}"):
                write(file, table(found, kind))
    if options.json:
        print("[" + ",\n".join(m.json() for _, m in found if isinstance(m, Marks)) + "]")
    elif not (options.csv or options.html):
        print(table(found, "csv"), end="")
    return 0 if all(found_marks for _, found_marks in _all(found)) else 1


def _all(found: list[tuple[Path, Marks | DataError]]) -> list[tuple[Path, bool]]:
    return [(path, isinstance(m, Marks) and bool(m)) for path, m in found]


def _exercise(words: str) -> Exercise:
    """An exercise from the words that make it."""
    parser = ArgumentParser(prog="--exercise", add_help=False, exit_on_error=False)
    add_exercise(parser)
    try:
        options, rest = parser.parse_known_args(words.split())
    except (Exception, SystemExit) as error:
        raise DataError("these words make no exercise", where="--exercise", got=words) from error
    if rest:
        raise DataError("these words make no exercise", where="--exercise", got=" ".join(rest))
    return Exercise(options.own or options.network, options.level, options.steps, options.seed)


EXERCISE = Command(
    "exercise",
    "write a file with the forward pass of a network, in which its derivatives are filled in",
    add_exercise,
    make,
)
CHECK = Command("check", "mark a file of an exercise, or a folder of them", add_check, mark)
