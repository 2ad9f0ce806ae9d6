"""The command line: the main job and its parts, on random numbers or on a series from a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from tinygrad_lstm.allocator import keep_freed_memory
from tinygrad_lstm.cli.commands.compare import COMPARE
from tinygrad_lstm.cli.commands.demo import DEMO
from tinygrad_lstm.cli.commands.draw import DRAW
from tinygrad_lstm.cli.commands.exercise import CHECK, EXERCISE
from tinygrad_lstm.cli.commands.explain import EXPLAIN
from tinygrad_lstm.cli.commands.forecast import FORECAST
from tinygrad_lstm.cli.commands.train import TRAIN
from tinygrad_lstm.cli.options import Parser
from tinygrad_lstm.errors import Error
from tinygrad_lstm.interrupt import raised

__all__ = ["main"]

COMMANDS = (DEMO, COMPARE, DRAW, EXPLAIN, TRAIN, FORECAST, EXERCISE, CHECK)

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
        raised()
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


def command_line() -> Parser:
    """The parser of the whole program."""
    parser = Parser(
        prog="tinygrad-lstm",
        description="Backpropagation through an LSTM: run it, check it, see it.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {version('tinygrad-lstm')}"
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        added = commands.add_parser(
            command.name,
            help=command.summary,
            description=f"{command.summary[0].upper()}{command.summary[1:]}.",
            allow_abbrev=False,
        )
        command.add_options(added)
        added.set_defaults(run=command.run)
    return parser
