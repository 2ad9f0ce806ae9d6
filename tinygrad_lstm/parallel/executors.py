"""One way to hand out work: threads, processes, Dask, or whatever has ``submit``."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import (
    FIRST_EXCEPTION,
    CancelledError,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from tinygrad_lstm.errors import DataError, DtypeError, Error
from tinygrad_lstm.parallel.payload import Loss, Message, Shelf, packed
from tinygrad_lstm.parallel.shards import Shard
from tinygrad_lstm.parallel.work import Job, Share, added, one_thread, run, run_lent, total
from tinygrad_lstm.parallel.workers import ended, processes

__all__ = ["Crew", "connected", "crew_of"]


class Crew:
    """Who works on the shards of a step.

    Parameters
    ----------
    size : int
        How many work at the same time.
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def shares(self, loss: Loss, job: Job, shards: Sequence[Shard], apart: bool) -> list[Share]:
        """The share of each shard, in their order; their sum alone, if not `apart`.

        Where one shard fails, the others are cancelled, and its error is raised.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Let go of what was made for this crew."""


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
        shelf = self._shelf(loss)
        with one_thread() if job.exact else contextlib.nullcontext():  # for the whole process
            found = _gathered([self._pool.submit(run_lent, shelf, job, s) for s in shards])
        return found if apart else [total(found)]

    def _shelf(self, loss: Loss) -> Shelf:
        return self._shelves.setdefault(loss, Shelf(loss.another))

    def close(self) -> None:
        if self._own:
            self._pool.shutdown(wait=False, cancel_futures=True)


class Pool(Crew):
    """An executor with ``submit``; what all shards need is sent with each.

    Parameters
    ----------
    executor : Executor
        For example of ``concurrent.futures``.
    """

    def __init__(self, executor: Any) -> None:
        super().__init__(getattr(executor, "_max_workers", None) or os.cpu_count() or 1)
        self._executor = executor

    def shares(self, loss: Loss, job: Job, shards: Sequence[Shard], apart: bool) -> list[Share]:
        return self._handed_out(packed(loss), job, shards, apart)

    def _handed_out(
        self, sent: Sequence[Message], job: Job, shards: Sequence[Shard], apart: bool
    ) -> list[Share]:
        found = _gathered([self._executor.submit(run, *sent, job, shard) for shard in shards])
        return found if apart else [total(found)]


class Processes(Pool):
    """Processes of this machine. The parameters of a step are one file, that each reads once.

    Parameters
    ----------
    executor : ProcessPoolExecutor, optional
        The user's. Without one there are `size` processes that end with this crew; where one of
        them is killed, the step runs again in new ones.
    """

    ATTEMPTS = 3

    def __init__(self, size: int = 0, executor: ProcessPoolExecutor | None = None) -> None:
        super().__init__(executor or processes(size))
        self._own = executor is None
        self._folder = tempfile.TemporaryDirectory(prefix="shards-")
        self._files: list[Path] = []

    def shares(self, loss: Loss, job: Job, shards: Sequence[Shard], apart: bool) -> list[Share]:
        sent = [message.filed(Path(self._folder.name)) for message in packed(loss)]
        self._forget(message.content for message in sent)
        try:
            return self._tried(sent, job, shards, apart, self.ATTEMPTS if self._own else 1)
        except KeyboardInterrupt:
            self.close()
            raise

    def _tried(
        self, sent: Sequence[Message], job: Job, shards: Sequence[Shard], apart: bool, tries: int
    ) -> list[Share]:
        """Hand out the shards; in new processes, where one was killed."""
        try:
            return self._handed_out(sent, job, shards, apart)
        except BrokenProcessPool as error:
            if tries == 1:
                raise DataError(
                    "a worker process was killed",
                    where="data_parallel",
                    do="look at the memory that a shard needs; use smaller shards",
                ) from error
        self._executor = processes(self.size)
        return self._tried(sent, job, shards, apart, tries - 1)

    def _forget(self, current: Iterator[Any]) -> None:
        """Remove the files of earlier steps."""
        kept = list(current)
        for path in self._files:
            if path not in kept:
                path.unlink(missing_ok=True)
        self._files = kept

    def close(self) -> None:
        self._folder.cleanup()
        if self._own:
            ended(self._executor)


class Cluster(Crew):
    """Dask's workers, through a Client. The parameters are scattered, and sums made where they are.

    Parameters
    ----------
    client : distributed.Client
        Of a running cluster. A task of a worker that dies is run elsewhere.
    """

    ATTEMPTS = 3

    def __init__(self, client: Any) -> None:
        self._client = client
        super().__init__(max(1, sum(client.nthreads().values())))

    def shares(self, loss: Loss, job: Job, shards: Sequence[Shard], apart: bool) -> list[Share]:
        return self._tried(packed(loss), job, shards, apart, self.ATTEMPTS)

    def _tried(
        self, sent: Sequence[Message], job: Job, shards: Sequence[Shard], apart: bool, tries: int
    ) -> list[Share]:
        """Run a step; again, where what was scattered died with the last worker that had it."""
        client = self._client
        handed = [client.scatter(message, broadcast=True) for message in sent]
        tasks = [client.submit(run, *handed, job, shard, pure=False) for shard in shards]
        sums = tasks if apart else [total(tasks, lambda a, b: client.submit(added, a, b))]
        try:
            found: list[Share] = client.gather(sums)
            return found
        except (Error, KeyboardInterrupt):
            client.cancel(tasks + sums)
            raise
        except (CancelledError, RuntimeError) as error:
            client.cancel(tasks + sums)
            if tries == 1:
                words = f"the cluster could not finish a step: {error}"
                do = "look at the logs of its workers"
                raise DataError(words, where="data_parallel", do=do) from error
        return self._tried(sent, job, shards, apart, tries - 1)


def _gathered(futures: Sequence[Future[Share]]) -> list[Share]:
    """The results, in order; at the first failure the rest is cancelled."""
    try:
        wait(futures, return_when=FIRST_EXCEPTION)
        failed = [f for f in futures if f.done() and not f.cancelled() and f.exception()]
        if failed:
            raise failed[0].exception() or AssertionError
        return [future.result() for future in futures]
    finally:
        for future in futures:
            future.cancel()


def crew_of(executor: Any, workers: int | None = None) -> Crew:
    """Who works, for what a user gave as executor.

    Parameters
    ----------
    executor : None, "threads", "processes", Executor or distributed.Client
        None is threads.
    workers : int, optional
        How many threads or processes; one for each core by default.
    """
    size = workers or os.cpu_count() or 1
    if executor is None or executor == "threads":
        return Threads(size)
    if executor == "processes":
        return Processes(size)
    if (client := _client(executor)) is not None:
        return Cluster(client)
    if isinstance(executor, ThreadPoolExecutor):
        return Threads(executor=executor)
    if isinstance(executor, ProcessPoolExecutor):
        return Processes(executor=executor)
    if hasattr(executor, "submit"):
        return Pool(executor)
    expected = "'threads', 'processes', a Client of Dask, or an Executor with submit"
    raise DtypeError("no executor", where="executor", expected=expected, got=repr(executor))


def _client(executor: Any) -> Any:
    """The Client of Dask behind an executor, or None."""
    client = getattr(executor, "_client", executor)  # that of client.get_executor()
    return client if hasattr(client, "scatter") and hasattr(client, "gather") else None


@contextlib.contextmanager
def connected(address: str, seconds: float = 10.0) -> Iterator[Any]:
    """A Client of the Dask scheduler at an address.

    Raises
    ------
    DataError
        If Dask is not installed, or nothing answers there.
    """
    try:
        from distributed import Client
    except ImportError as error:
        do = "install the extra dask"
        raise DataError("there is no Dask", where=f"scheduler {address}", do=do) from error
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # our error says it in one line
    try:
        client = Client(address, timeout=seconds)
    except (OSError, ValueError, TimeoutError) as error:
        raise DataError(
            "no scheduler answers",
            where=f"scheduler {address}",
            expected="the address of a running one, such as tcp://127.0.0.1:8786",
            do="start one with: dask scheduler",
        ) from error
    with client:
        yield client
