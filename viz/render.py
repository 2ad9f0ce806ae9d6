"""DOT text to bytes: with the ``dot`` program, or with the Graphviz that the extra ``dot`` brings. Always under a time limit."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

from tinygrad_lstm._errors import DrawingError

__all__ = ["FORMATS", "command", "no_graphviz", "render", "write"]

FORMATS = ("svg", "png", "pdf", "dot")
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
        One of `FORMATS`.
    timeout : float
        The limit for Graphviz, in seconds.

    Raises
    ------
    DrawingError
        If there is no Graphviz, if it fails or takes too long, or if it would scale a bitmap down that is too large.
    """
    if format == "dot":
        return dot.encode()
    run = command(format)
    if run is None:
        raise no_graphviz(f"draw .{format}")
    try:
        done = subprocess.run(run, input=dot.encode(), capture_output=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        raise DrawingError(
            "Graphviz took too long",
            where=run[0],
            expected=f"a picture within {timeout:g} s",
            do="draw fewer blocks (blocks=), or give a longer timeout=",
        ) from None
    except OSError as error:
        raise DrawingError("Graphviz could not be started", where=run[0], got=error.strerror, do=INSTALL) from error
    said = done.stderr.decode(errors="replace").strip()
    if format == "png" and (scaled := [line for line in said.splitlines() if "too large for" in line]):
        raise DrawingError("the picture is too large for a PNG", where=run[0], got=scaled[0], do="draw fewer blocks, or an SVG")
    if done.returncode != 0 or not done.stdout:
        reason = said.splitlines()[-1] if said else f"exit status {done.returncode}"
        raise DrawingError("Graphviz failed", where=run[0], got=reason, do="check that Graphviz works, or save as .dot")
    return done.stdout


def command(format: str) -> list[str] | None:
    """What draws the DOT text on its standard input; None where there is no Graphviz."""
    if program := shutil.which("dot"):
        return [program, f"-T{format}"]
    return [sys.executable, "-c", EMBEDDED, format] if importlib.util.find_spec("pygraphviz") else None


def no_graphviz(where: str, got: str | None = None) -> DrawingError:
    """The error for a machine without Graphviz; `got` is what there is instead of a picture."""
    return DrawingError("there is no Graphviz to draw with", where=where, got=got, do=INSTALL)


def write(path: Path, data: bytes) -> None:
    """Write a whole file or nothing.

    Raises
    ------
    DrawingError
        If the folder does not exist or cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        unfinished.write_bytes(data)
        os.replace(unfinished, path)
    except OSError as error:
        raise DrawingError("the picture cannot be written", where=str(path), got=error.strerror, do="check the folder and its permissions") from error
    finally:
        _remove(unfinished)


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except OSError:  # it has been moved to its place, or was never made
        pass
