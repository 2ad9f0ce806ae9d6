"""Ctrl-C while the command line is still being imported: the program ends, without a traceback.

This is the first module that the package imports. The interpreter's own handler would raise in the
middle of an import, where nothing of ours could catch it.
"""

from __future__ import annotations

import signal
import sys
from itertools import pairwise
from pathlib import PurePath

__all__ = ["raised"]


def _is_program() -> bool:
    """Whether this process is the command line: its script, or ``python -m tinygrad_lstm``."""
    script = PurePath(sys.argv[0] if sys.argv else "").stem
    return script == "tinygrad-lstm" or ("-m", "tinygrad_lstm") in pairwise(sys.orig_argv)


def raised() -> None:
    """From here on Ctrl-C raises KeyboardInterrupt again."""
    if STARTING:
        signal.signal(signal.SIGINT, signal.default_int_handler)


STARTING = _is_program() and signal.getsignal(signal.SIGINT) is signal.default_int_handler

if STARTING:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
