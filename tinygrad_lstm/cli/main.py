"""The command line: the main job and its parts, on random numbers or on a series from a file."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

from tinygrad_lstm.allocator import keep_freed_memory
from tinygrad_lstm.cli.as_printed import each_erratum, story
from tinygrad_lstm.cli.problem import Problem, describe_forks, judge, problem
from tinygrad_lstm.cli.series import SHIPPED
from tinygrad_lstm.comparison.comparison import compare
from tinygrad_lstm.derivation.explanation import explain
from tinygrad_lstm.engine.backward import gradients
from tinygrad_lstm.errors import DataError, DrawingError, Error
from tinygrad_lstm.lstm.errata import chosen
from tinygrad_lstm.viz import draw
from tinygrad_lstm.viz.graph.levels import LEVELS
from tinygrad_lstm.viz.image.render import FORMATS
from tinygrad_lstm.viz.image.render import command as graphviz

__all__ = ["main"]

LARGEST = 10**6  # of any size: beyond it a slip of the finger is likelier than a wish
BROKEN_PIPE = 141  # what a shell reports of a program whose reader went away
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words after the program's name; those of the process by default.

    Returns
    -------
    int
        The exit status: 0 if all is right, 1 if a gradient is wrong, 2 for input that cannot be
        used.
    """
    if sys.stdout is None:
        return _refuse("the standard output is closed; send it to a file or to /dev/null")
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may not know Γ
    try:
        try:
            options = command_line().parse_args(arguments)
            keep_freed_memory()
            return int(options.run(options))
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        _silence()
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except (Error, OSError) as error:
        if isinstance(error, OSError):
            _silence()
        return _refuse(str(error))
    except MemoryError as error:
        return _refuse(f"out of memory; choose smaller sizes. {error}")


def _refuse(message: str) -> int:
    print("tinygrad-lstm: error:", " ".join(message.split()), file=sys.stderr)
    return 2


def _silence() -> None:
    """Send the rest of the output nowhere: Python flushes it once more at exit, and would
    complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


# What can be typed.


class Parser(argparse.ArgumentParser):
    """A parser whose complaint is one of our errors, and so one line."""

    def error(self, message: str) -> NoReturn:
        raise DataError(message, do=f"see {self.prog} --help")


def command_line() -> Parser:
    parser = Parser(
        prog="tinygrad-lstm",
        description="Backpropagation through an LSTM: run it, check it, see it.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {version('tinygrad-lstm')}"
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run: Callable[[Any], int], summary: str) -> argparse.ArgumentParser:
        added = commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            allow_abbrev=False,
        )
        added.set_defaults(run=run)
        _add_problem_options(added)
        return added

    demo = command(
        "demo", run_demo, "forward, backward, three judges of every gradient, and the picture"
    )
    demo.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        default=Path("out"),
        help="the folder for the picture (default: out)",
    )

    table = command(
        "compare",
        run_compare,
        "compare the tape's gradients with the derivation by hand; the exit status is 1 where "
        "one is wrong",
    )
    literally = (
        "read the printed formulas literally: the main one, or just these errata; all: "
        "each by itself, in one table"
    )
    table.add_argument("--as-printed", metavar="E1", nargs="*", help=literally)

    picture = command("draw", run_draw, "draw the unrolled graph with its forks and gradients")
    picture.add_argument(
        "-o",
        metavar="FILE",
        dest="out",
        type=_picture,
        default=Path("lstm.svg"),
        help=".svg .png .pdf .dot .html (default: lstm.svg)",
    )
    picture.add_argument(
        "--path",
        metavar="NAME",
        action="append",
        default=[],
        help="mark all ways from Error back to a value; may be repeated",
    )
    picture.add_argument(
        "--as-printed",
        action="store_true",
        help="mark what is wrong in the printed formulas read literally",
    )
    picture.add_argument(
        "--level",
        choices=LEVELS,
        default="stages",
        help="every stage, one block, or blocks only (default: stages)",
    )
    picture.add_argument(
        "--expand",
        metavar="T",
        action="append",
        type=_whole_number(1, LARGEST),
        default=[],
        help="a block to draw in full",
    )
    picture.add_argument(
        "--parameters",
        choices=("once", "block"),
        default="once",
        help="list them once, or draw them in each block too",
    )
    picture.add_argument(
        "--wrap", metavar="B", type=_whole_number(1, LARGEST), help="blocks in a row (default: all)"
    )
    picture.add_argument(
        "--theme", choices=("light", "dark"), default="light", help="the colours (default: light)"
    )

    formula = command(
        "explain",
        run_explain,
        "write out the chain rule that leads to a gradient, and compute what was written",
    )
    formula.add_argument(
        "--wrt",
        metavar="NAME",
        default="W_f",
        help="the value, as the tape calls it: W_f, c<2>, gamma_f<1> (default: W_f)",
    )
    formula.add_argument("--through", metavar="NAME", help="only the paths through this value")
    formula.add_argument(
        "--view",
        choices=("steps", "rolled", "expanded"),
        default="steps",
        help="line by line, in t, or as one formula",
    )
    formula.add_argument(
        "--depth",
        metavar="N",
        type=_whole_number(0, LARGEST),
        help="how often --view expanded replaces gradients (default: all)",
    )
    formula.add_argument("--numbers", action="store_true", help="put the numbers into --view steps")
    formula.add_argument("--shapes", action="store_true", help="note the shapes")
    formula.add_argument("--latex", action="store_true", help="print LaTeX, and nothing else")
    return parser


def _add_problem_options(parser: argparse.ArgumentParser) -> None:
    size = _whole_number(1, LARGEST)
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
        type=_whole_number(0, 2**63),
        default=0,
        help="of all random numbers (default: 0)",
    )
    parser.add_argument(
        "--data",
        metavar="FILE",
        help=f"a series as CSV; or {', '.join(SHIPPED)}, which comes with the package",
    )
    parser.add_argument("--column", metavar="NAME", help="the column of --data (default: the last)")


def _whole_number(least: int, most: int) -> Callable[[str], int]:
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


def _picture(text: str) -> Path:
    if Path(text).suffix[1:].lower() not in FORMATS:
        raise argparse.ArgumentTypeError(
            f"expected a file that ends in {', '.join(f'.{f}' for f in FORMATS)}, got {text!r}"
        )
    return Path(text)


# The commands.


def run_demo(options: Any) -> int:
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


def run_compare(options: Any) -> int:
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


def run_draw(options: Any) -> int:
    case = problem(options)
    with writable(options.out.parent, "-o"):
        loss = case.error()
        found = gradients(loss)
        report = compare(found, case.by_hand(as_printed=True)) if options.as_printed else None
        chosen = {
            name: getattr(options, name)
            for name in ("path", "level", "expand", "parameters", "wrap", "theme")
        }
        draw(loss, options.out, gradients=found, title=case.title, comparison=report, **chosen)
    print(f"picture: {options.out}")
    return 0


def run_explain(options: Any) -> int:
    case = problem(options)
    loss = case.error()
    explanation = explain(loss, options.wrt, options.through)
    wanted = {"depth": options.depth, "numbers": options.numbers, "shapes": options.shapes}
    view = getattr(explanation, options.view)(
        **{name: value for name, value in wanted.items() if value not in (None, False)}
    )
    if options.latex:
        print(view.latex())
        return 0
    text, value = str(view), view.evaluate()
    found = gradients(loss)
    if (
        options.through is not None
    ):  # the derivative along these paths: from there on, with what arrives there
        found = gradients(loss.tape.find(options.through), found[options.through])
    row = compare(found, {options.wrt: value}).rows[0]
    print(
        case,
        text,
        f"computed as written, shape {value.shape}: {row.verdict}, largest error {row.error:.2g}",
        sep="\n",
    )
    return 0 if row.ok else 1


@contextmanager
def writable(folder: Path, option: str) -> Iterator[Path]:
    """`folder`, made where it is missing. Found out before anything is computed; removed again if
    that fails and left it empty."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        _make(folder, option)
        yield folder
    except BaseException:
        with suppress(OSError):  # not empty, or never made
            for path in missing:
                path.rmdir()
        raise


def _make(folder: Path, option: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise DrawingError(
            "the folder cannot be written",
            where=str(folder),
            got=error.strerror,
            do=f"give another with {option}",
        ) from error
