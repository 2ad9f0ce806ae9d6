"""Processes that work for this one: how they begin, and how they end."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from tinygrad_lstm.errors import DataError
from tinygrad_lstm.parallel.work import one_thread

__all__ = ["GUARD", "ended", "processes"]

GUARD = "start them under if __name__ == '__main__': in the script"


def processes(size: int) -> ProcessPoolExecutor:
    """A pool of so many, which import anew what they need.

    Raises
    ------
    DataError
        If this process is itself one of them, which imports the user's script.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise DataError(
            "processes import the script that starts them, and would start more",
            where="executor='processes'",
            do=GUARD,
        )
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    return ProcessPoolExecutor(size, mp_context=context, initializer=_start)


def _start() -> None:
    """Begin a worker: one thread for the linear algebra, since each core has a worker; and Ctrl-C
    is the caller's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(DataError):
        limits = one_thread()
        limits.__enter__()
        _kept.append(limits)


_kept: list[Any] = []


def ended(pool: ProcessPoolExecutor) -> None:
    """End the processes of a pool, whatever they are doing."""
    for worker in list((getattr(pool, "_processes", None) or {}).values()):
        worker.terminate()
    pool.shutdown(wait=True, cancel_futures=True)
