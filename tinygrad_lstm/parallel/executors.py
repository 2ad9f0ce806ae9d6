"""Threads, processes, and whatever has ``submit``."""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from tinygrad_lstm.errors import DataError, DtypeError, ShapeError
from tinygrad_lstm.parallel.cluster import Cluster, client_of
from tinygrad_lstm.parallel.crew import After, Crew, Remote, gathered, nothing
from tinygrad_lstm.parallel.payload import Loss, Message, Shelf
from tinygrad_lstm.parallel.shards import Shard
from tinygrad_lstm.parallel.work import Job, Share, one_thread, run_lent, total
from tinygrad_lstm.parallel.workers import GUARD, ended, processes

__all__ = ["crew_of"]


class Threads(Crew):
    """Threads of this process. NumPy computes large products in several at once.

    Parameters
    ----------
    size : int
        How many there are, where `executor` is not given.
    executor : ThreadPoolExecutor, optional
        The user's.
    """

    def __init__(self, size: int = 0, executor: ThreadPoolExecutor | None = None) -> None:
        self._own = executor is None
        self._pool = executor or ThreadPoolExecutor(size, thread_name_prefix="shard")
        self._shelves: dict[Loss, Shelf] = {}
        super().__init__(self._pool._max_workers)

    def shares(self, loss: Loss, job: Job, shards: Sequence[Shard], apart: bool) -> list[Share]:
        shelf = self._shelves.setdefault(loss, Shelf(loss.another))
        with one_thread() if job.exact else contextlib.nullcontext():  # for the whole process
            found = self.results(functools.partial(run_lent, shelf, job), shards)
        return found if apart else [total(found)]

    def results(
        self, function: Callable[[Any], Any], items: Sequence[Any], after: After = nothing
    ) -> list[Any]:
        return gathered([self._pool.submit(function, item) for item in items], after)

    def close(self) -> None:
        if self._own:
            self._pool.shutdown(wait=False, cancel_futures=True)


class Pool(Remote):
    """An executor with ``submit``; what all items need is sent with each.

    Parameters
    ----------
    executor : Executor
        For example of ``concurrent.futures``.
    """

    def __init__(self, executor: Any) -> None:
        super().__init__(getattr(executor, "_max_workers", None) or os.cpu_count() or 1)
        self._executor = executor

    def sent(
        self,
        function: Callable[..., Any],
        messages: Sequence[Message],
        items: Sequence[Any],
        after: After = nothing,
    ) -> list[Any]:
        submit = self._executor.submit
        return gathered([submit(function, *messages, item) for item in items], after)


class Processes(Pool):
    """Processes of this machine. What all items need is one file, that each reads once.

    Parameters
    ----------
    executor : ProcessPoolExecutor, optional
        The user's. Without one there are `size` processes that end with this crew; where one of
        them is killed, what it was given runs again in new ones.
    """

    ATTEMPTS = 3

    def __init__(self, size: int = 0, executor: ProcessPoolExecutor | None = None) -> None:
        super().__init__(executor or processes(size))
        self._own = executor is None
        self._folder = tempfile.TemporaryDirectory(prefix="shards-")
        self._files: list[Path] = []

    def sent(
        self,
        function: Callable[..., Any],
        messages: Sequence[Message],
        items: Sequence[Any],
        after: After = nothing,
    ) -> list[Any]:
        filed = [message.filed(Path(self._folder.name)) for message in messages]
        self._forget([Path(str(message.content)) for message in filed])
        tried = functools.partial(super().sent, function, filed, items)
        try:
            return self._tried(tried, after, self.ATTEMPTS if self._own else 1)
        except KeyboardInterrupt:
            self.close()
            raise

    def _tried(self, hand_out: Callable[[After], list[Any]], after: After, tries: int) -> list[Any]:
        """Hand out the items; in new processes, where one was killed."""
        try:
            return hand_out(after)
        except BrokenProcessPool as error:
            if tries == 1:
                raise DataError(
                    "the worker processes were killed, or could not start",
                    where="executor='processes'",
                    do=f"look at the memory that they need (smaller shards need less); {GUARD}",
                ) from error
        self._executor = processes(self.size)
        return self._tried(hand_out, nothing, tries - 1)

    def _forget(self, current: Sequence[Path]) -> None:
        """Remove the files of earlier steps."""
        for path in self._files:
            if path not in current:
                path.unlink(missing_ok=True)
        self._files = list(current)

    def close(self) -> None:
        self._folder.cleanup()
        if self._own:
            ended(self._executor)


def crew_of(executor: Any, workers: int | None = None) -> Crew:
    """Who works, for what a user gave as executor.

    Parameters
    ----------
    executor : None, "threads", "processes", Executor or distributed.Client
        None is threads.
    workers : int, optional
        How many threads or processes; one for each core by default.
    """
    if workers is not None and (not isinstance(workers, int) or workers < 1):
        got = repr(workers)
        raise ShapeError("no number of workers", where="workers", expected="1 or more", got=got)
    size = workers or os.cpu_count() or 1
    if executor is None or executor == "threads":
        return Threads(size)
    if executor == "processes":
        return Processes(size)
    given = None if isinstance(executor, type) else executor  # a class has the methods, unbound
    if (client := client_of(given)) is not None:
        return Cluster(client)
    if isinstance(executor, ThreadPoolExecutor):
        return Threads(executor=executor)
    if isinstance(executor, ProcessPoolExecutor):
        return Processes(executor=executor)
    if hasattr(given, "submit"):
        return Pool(executor)
    expected = "'threads', 'processes', a Client of Dask, or an Executor with submit"
    raise DtypeError("no executor", where="executor", expected=expected, got=repr(executor))
