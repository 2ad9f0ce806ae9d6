"""``spread``: a function of many things, by whoever works."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from tinygrad_lstm.parallel.executors import crew_of
from tinygrad_lstm.progress import bar

__all__ = ["HandOut", "spread", "spreading"]

Item = TypeVar("Item")
Result = TypeVar("Result")

SOON = 1.0  # seconds in which what is done shows no bar


def spread(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    executor: Any = None,
    *,
    workers: int | None = None,
    title: str | None = None,
) -> list[Result]:
    """A function of each of some items, by workers; with a bar in a terminal, where tqdm is
    installed.

    The function travels once to each worker, and the items one by one to whoever is free. What a
    killed worker had is done again by another.

    Parameters
    ----------
    function : callable
        Takes one item. For processes and clusters it can be pickled: a function of a module, or a
        method; with cloudpickle (extra ``dask``) any function. Where workers are threads, it is
        called by several at once. Tensors that it refers to travel as leaves.
    items : iterable
        What it is called with.
    executor : None, "threads", "processes", Executor or distributed.Client
        Who works, as for :func:`data_parallel`; None is this thread, one item after the other.
    workers : int, optional
        The number of threads or processes where `executor` is a word.
    title : str, optional
        What the bar says; by default the name of the function.

    Returns
    -------
    list
        The results, in the order of the items, whoever was fast.

    Raises
    ------
    DtypeError
        If `executor` is none, or if the function cannot be pickled.
    Exception
        What the function raises of an item; the others are cancelled.

    Examples
    --------
    >>> from tinygrad_lstm import spread
    >>> spread(abs, [-1, 2, -3], "threads", workers=2)
    [1, 2, 3]
    """
    with spreading(executor, workers) as hand_out:
        name = title or getattr(function, "__name__", "items")
        found: list[Result] = hand_out(function, list(items), str(name))
        return found


HandOut = Callable[[Callable[[Any], Any], Sequence[Any], str], list[Any]]


@contextmanager
def spreading(executor: Any, workers: int | None = None) -> Iterator[HandOut]:
    """What :func:`spread` does with a function, items and a title, several times with the same
    workers."""
    crew = None if executor is None else crew_of(executor, workers)

    def hand_out(function: Callable[[Any], Any], items: Sequence[Any], title: str) -> list[Any]:
        with _counted(title, len(items)) as after:
            if crew is None:
                return [_then(after, function(item)) for item in items]
            return crew.results(function, items, after)

    try:
        yield hand_out
    finally:
        if crew is not None:
            crew.close()


def _then(after: Callable[[], object], result: Result) -> Result:
    after()
    return result


@contextmanager
def _counted(title: str, total: int) -> Iterator[Callable[[], object]]:
    """What is called after each item."""
    shown = bar(title, total, "", delay=SOON)
    try:
        yield (lambda: None) if shown is None else shown.update
    finally:
        if shown is not None:
            shown.close()
