"""An answer runs in a process of its own, under limits of time, memory and output. That keeps slips
from doing harm; it is no sandbox against somebody who means harm."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_lstm.exercises import runner
from tinygrad_lstm.exercises.sheet import Sheet
from tinygrad_lstm.exercises.task import Exercise

__all__ = ["Answer", "Limits", "answers"]

MEMORY = 2 << 30  # bytes of address space
WRITTEN = 32 << 20  # bytes of a file that it writes, its output among them
STARTING = 20.0  # seconds that are allowed for Python and NumPy to start, on a busy machine


@dataclass(frozen=True)
class Limits:
    """What an answer may use.

    Attributes
    ----------
    seconds : float
        Of time, for all functions together.
    memory : int
        Bytes.
    """

    seconds: float = 10.0
    memory: int = MEMORY


@dataclass(frozen=True)
class Answer:
    """What came of one function.

    Attributes
    ----------
    array : ndarray or None
        What it returned.
    said : str
        What there is to say where it returned no array.
    """

    array: np.ndarray | None
    said: str


def answers(exercise: Exercise, source: str, limits: Limits) -> dict[str, Answer]:
    """What the functions in `source` return, by key."""
    asked = {key: (a.function, t) for a in exercise.asked for key, t in a.keys.items()}
    with tempfile.TemporaryDirectory(prefix="answer-") as name:
        folder = Path(name)
        values = Sheet(exercise).values
        np.savez(folder / "values.npz", *values.values())
        plan = {
            "values": list(values),
            "asked": [(key, *asked[key]) for key in exercise.keys],
            "source": source,
        }
        (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
        ended = _run(folder, limits)
        return {
            key: _read(folder, number, exercise.shapes[key], ended)
            for number, key in enumerate(exercise.keys)
        }


def _run(folder: Path, limits: Limits) -> str:
    """Run the answer, and say why it ended early; empty where it did not."""
    program = [sys.executable, "-I", "-B", str(Path(runner.__file__)), str(folder)]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            program,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=_environment(),
            start_new_session=os.name == "posix",
            preexec_fn=_limited(limits) if os.name == "posix" else None,
        )
        try:
            status = process.wait(limits.seconds + STARTING)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            _kill(process)
    if status is None or status == -getattr(signal, "SIGXCPU", 24):
        return f"took longer than {limits.seconds:g} s"
    return "" if status == 0 else f"the program ended by itself, with status {status}"


def _environment() -> Mapping[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TMP") if name in os.environ}
    return {**kept, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def _limited(limits: Limits) -> Any:
    """What the new process does first: it limits itself."""
    import resource

    def limit() -> None:
        seconds = int(limits.seconds) + 2
        for kind, most in (
            (resource.RLIMIT_CPU, seconds),
            (resource.RLIMIT_AS, limits.memory),
            (resource.RLIMIT_FSIZE, WRITTEN),
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_NPROC, 0),  # it starts no process and no thread; root may
        ):
            resource.setrlimit(kind, (most, most + (kind == resource.RLIMIT_CPU)))

    return limit


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the process, and what it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def _read(folder: Path, number: int, shape: tuple[int, ...], ended: str) -> Answer:
    """What a function returned. The files are those of a stranger: nothing in them is run."""
    said = folder / f"{number}.txt"
    if not said.is_file():
        return Answer(None, ended or "was not run")
    array, file = None, folder / f"{number}.npy"
    if file.is_file() and file.stat().st_size <= WRITTEN:
        with contextlib.suppress(ValueError, OSError, EOFError):
            array = np.load(file, allow_pickle=False)
    words = " ".join(said.read_text(encoding="utf-8", errors="replace")[:500].split())
    if array is not None and array.shape != shape:
        return Answer(None, f"has shape {array.shape}, and {shape} is right")
    return Answer(
        array, words or ("" if array is not None else "returned nothing that can be read")
    )
