"""Dask's workers, through a Client; and the Client of a scheduler at an address."""

from __future__ import annotations

import contextlib
import functools
import importlib
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from typing import Any

from tinygrad_lstm.errors import DataError, Error
from tinygrad_lstm.parallel.crew import After, Remote, nothing
from tinygrad_lstm.parallel.payload import Loss, Message, packed
from tinygrad_lstm.parallel.shards import Shard
from tinygrad_lstm.parallel.work import Job, Share, added, run, total

__all__ = ["Cluster", "client_of", "connected"]

Combine = Callable[[list[Any]], list[Any]]
"""What is made of the tasks of all items where they are, before anything is fetched."""


class Cluster(Remote):
    """Dask's workers, through a Client. The parameters are scattered, and sums made where they are.

    Parameters
    ----------
    client : distributed.Client
        Of a running cluster. A task of a worker that dies is run elsewhere.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        super().__init__(max(1, sum(client.nthreads().values())))

    def shares(self, loss: Loss, job: Job, shards: Sequence[Shard], apart: bool) -> list[Share]:
        once = functools.partial(self._once, run(job), packed(loss), shards)
        lost = (CancelledError, RuntimeError)  # a loss that raises is a DataError
        return self._tried(functools.partial(once, combine=list if apart else self._summed), lost)

    def sent(
        self,
        function: Callable[..., Any],
        messages: Sequence[Message],
        items: Sequence[Any],
        after: After = nothing,
    ) -> list[Any]:
        once = functools.partial(self._once, function, messages, items, after)
        return self._tried(once, (CancelledError,))

    def _summed(self, tasks: list[Any]) -> list[Any]:
        return [total(tasks, lambda a, b: self._client.submit(added, a, b))]

    def _tried(
        self, once: Callable[[], list[Any]], lost: tuple[type[Exception], ...], tries: int = 3
    ) -> list[Any]:
        """Run all items; again, where what was scattered died with the last worker that had it."""
        try:
            return once()
        except lost as error:
            if isinstance(error, Error):
                raise
            if tries == 1:
                words = f"the cluster could not finish a step: {error}"
                do = "look at the logs of its workers"
                raise DataError(words, where="the cluster", do=do) from error
        return self._tried(once, lost, tries - 1)

    def _once(
        self,
        function: Callable[..., Any],
        messages: Sequence[Message],
        items: Sequence[Any],
        after: After = nothing,
        combine: Combine = list,
    ) -> list[Any]:
        client = self._client
        # keys of their own: one that is asked for again while it is being forgotten may never come
        handed = [client.scatter(message, broadcast=True, hash=False) for message in messages]
        tasks = [client.submit(function, *handed, item, pure=False) for item in items]
        wanted = combine(tasks)
        try:
            if after is not nothing:
                _followed(tasks, after)
            found: list[Any] = client.gather(wanted)
            return found
        except BaseException:
            client.cancel(tasks + wanted)
            raise


def _followed(tasks: Sequence[Any], after: After) -> None:
    """Wait for tasks, and say of each that it is done, as long as none fails."""
    for task in importlib.import_module("distributed").as_completed(tasks):
        if task.status != "finished":
            return
        after()


def client_of(executor: Any) -> Any:
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
