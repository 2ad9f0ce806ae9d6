"""Who works: the one way in which shards of a batch, and items of any other kind, are handed
out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, as_completed
from typing import Any

from tinygrad_lstm.parallel.payload import Loss, Message, called, packed, packed_function
from tinygrad_lstm.parallel.shards import Shard
from tinygrad_lstm.parallel.work import Job, Share, run, total

__all__ = ["After", "Crew", "Remote", "gathered", "nothing"]

After = Callable[[], object]
"""Called when an item is done."""


def nothing() -> None:
    """Do nothing."""


class Crew:
    """Who works at the same time.

    Parameters
    ----------
    size : int
        How many they are.
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def shares(self, loss: Loss, job: Job, shards: Sequence[Shard], apart: bool) -> list[Share]:
        """The share of each shard, in their order; their sum alone, if not `apart`.

        Where one shard fails, the others are cancelled, and its error is raised.
        """
        raise NotImplementedError

    def results(
        self, function: Callable[[Any], Any], items: Sequence[Any], after: After = nothing
    ) -> list[Any]:
        """`function` of each item, in their order; where one fails, as for shares."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of what was made for this crew."""


class Remote(Crew):
    """Those who work in other processes: what all of them need is sent as messages."""

    def sent(
        self,
        function: Callable[..., Any],
        messages: Sequence[Message],
        items: Sequence[Any],
        after: After = nothing,
    ) -> list[Any]:
        """``function(*messages, item)`` of each item, in their order."""
        raise NotImplementedError

    def results(
        self, function: Callable[[Any], Any], items: Sequence[Any], after: After = nothing
    ) -> list[Any]:
        return self.sent(called, [packed_function(function)], items, after)

    def shares(self, loss: Loss, job: Job, shards: Sequence[Shard], apart: bool) -> list[Share]:
        found = self.sent(run(job), packed(loss), shards)
        return found if apart else [total(found)]


def gathered(futures: Sequence[Future[Any]], after: After = nothing) -> list[Any]:
    """The results, in order; at the first failure the rest is cancelled."""
    try:
        for future in as_completed(futures):
            if future.cancelled() or future.exception():
                break
            after()
        failed = [f for f in futures if f.done() and not f.cancelled() and f.exception()]
        if failed:
            raise failed[0].exception() or AssertionError
        return [future.result() for future in futures]
    finally:
        for future in futures:
            future.cancel()
