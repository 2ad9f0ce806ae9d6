"""DOT text to bytes: with the ``dot`` program, or with the Graphviz that the extra ``dot`` brings.
Always under a time limit."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from subprocess import PIPE

from tinygrad_lstm.errors import DrawingError

__all__ = ["FORMATS", "command", "no_graphviz", "render"]

FORMATS = ("svg", "png", "pdf", "dot", "html")
STARTS = {
    "plain": b"graph",
    "svg": b"<svg",
    "png": b"\x89PNG\r\n",
    "pdf": b"%PDF-",
}  # what is near the beginning of a file
ENDS = {
    "plain": b"stop",
    "svg": b"</svg>",
    "png": b"IEND",
    "pdf": b"%%EOF",
}  # .. and what is near its end, if it is whole
INSTALL = 'pip install "tinygrad-lstm[dot]", or install Graphviz (graphviz.org)'

# A process of its own: Graphviz inside this one could neither be stopped nor survive a crash.
EMBEDDED = """
import sys, pygraphviz
with pygraphviz.AGraph(string=sys.stdin.buffer.read().decode()) as graph:
    sys.stdout.buffer.write(graph.draw(format=sys.argv[1], prog="dot"))
"""


def render(dot: str, format: str, timeout: float) -> bytes:
    """A picture of DOT text.

    Parameters
    ----------
    dot : str
        The text.
    format : str
        One of `FORMATS` except html, which is a page around an SVG; or "plain" for positions as
        text.
    timeout : float
        The limit for Graphviz, in seconds.

    Raises
    ------
    DrawingError
        If there is no Graphviz, if it fails or takes too long, or if it would scale down a bitmap
        that is too large.
    """
    if format == "dot":
        return dot.encode()
    run = command(format)
    if run is None:
        raise no_graphviz(f"draw .{format}")
    status, drawn, said = _run(run, dot.encode(), timeout)
    if format == "png" and "too large for" in said:
        raise DrawingError(
            "the picture is too large for a PNG",
            where=run[0],
            expected="at most 32,767 pixels a side",
            do="draw fewer blocks (blocks=, level=), several rows of them (wrap=), or an SVG",
        )
    if status != 0 or STARTS[format] not in drawn[:1024] or ENDS[format] not in drawn[-64:]:
        reason = said.splitlines()[-1] if said else f"exit status {status}, and no whole {format}"
        raise DrawingError(
            "Graphviz failed",
            where=run[0],
            got=reason,
            do="check that Graphviz works, or save as .dot",
        )
    return drawn


def _run(run: list[str], text: bytes, timeout: float) -> tuple[int, bytes, str]:
    """The exit status of a program, and what it wrote to its two outputs. After `timeout` it ends,
    with all that it started."""
    try:
        process = subprocess.Popen(
            run, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
        )
    except OSError as error:
        raise DrawingError(
            "Graphviz could not be started", where=run[0], got=error.strerror, do=INSTALL
        ) from error
    with process:
        try:
            drawn, said = process.communicate(text, timeout)
        except BaseException as error:
            _end(process)
            if isinstance(error, subprocess.TimeoutExpired):
                do = "draw fewer blocks (blocks=, level=), or give a longer timeout="
                raise DrawingError(
                    "Graphviz took too long",
                    where=run[0],
                    expected=f"a picture within {timeout:g} s",
                    do=do,
                ) from None
            raise
    return process.returncode, drawn, said.decode(errors="replace").strip()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program and what it started: `dot` may be a script around the real one."""
    with suppress(OSError):  # it has just ended by itself
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def command(format: str) -> list[str] | None:
    """What draws the DOT text on its standard input; None where there is no Graphviz."""
    if program := shutil.which("dot"):
        return [program, f"-T{format}"]
    return (
        [sys.executable, "-c", EMBEDDED, format] if importlib.util.find_spec("pygraphviz") else None
    )


def no_graphviz(where: str, got: str | None = None) -> DrawingError:
    """The error for a machine without Graphviz; `got` is what there is instead of a picture."""
    return DrawingError("there is no Graphviz to draw with", where=where, got=got, do=INSTALL)
