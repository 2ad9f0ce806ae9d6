"""What a worker does: forward and backward over one shard."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_lstm.engine.backward import gradients
from tinygrad_lstm.engine.recorder import no_grad
from tinygrad_lstm.errors import DataError, DtypeError, Error, GradientError
from tinygrad_lstm.parallel.payload import Loss, Message, Shelf, loaded
from tinygrad_lstm.parallel.shards import Axes, Shard, rows_of, taken
from tinygrad_lstm.parallel.travel import travelling
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["Job", "Share", "added", "one_thread", "run", "run_lent", "total"]


@dataclass(frozen=True)
class Job:
    """How a shard is worked on.

    Attributes
    ----------
    axis : int or sequence of (int or None)
        The axis of the batch.
    reduction : {"sum", "mean"}
        What the loss does over the rows of a batch.
    options : dict
        Keywords of the loss.
    check : bool
        Whether `reduction` is held against the loss, on two rows.
    exact : bool
        Whether the linear algebra library runs with one thread, so that its sums have one order.
    compile : bool
        Whether the loss runs as a program.
    """

    axis: Axes
    reduction: str
    options: Mapping[str, Any]
    check: bool
    exact: bool
    compile: bool = False


@dataclass(frozen=True, eq=False)
class Share:
    """What one or more shards contribute: sums, which are divided by the weight at the end.

    Attributes
    ----------
    loss : ndarray, shape ()
        The loss, times the weight where the loss is a mean.
    gradients : dict of str to ndarray
        By the name of the parameter, likewise.
    weight : float
        The number of rows where the loss is a mean, and 1 where it is a sum.
    """

    loss: np.ndarray
    gradients: dict[str, np.ndarray]
    weight: float

    def scaled(self, weight: float) -> Share:
        """The share, times `weight`."""
        if weight == 1:
            return self
        scaled = {name: g * g.dtype.type(weight) for name, g in self.gradients.items()}
        return Share(self.loss * self.loss.dtype.type(weight), scaled, self.weight * weight)


def run(job: Job) -> Callable[[Message, Message, Shard], Share]:
    """What works on a shard in another process: it finds the loss function, and runs it."""
    return functools.partial(_run, job)


def _run(job: Job, function: Message, values: Message, shard: Shard) -> Share:
    with loaded(function, values) as loss:
        share: Share = travelling(run_here, loss, job, shard)
        return share


def run_lent(shelf: Shelf, job: Job, shard: Shard) -> Share:
    """Work on a shard in this process."""
    with shelf.lent() as loss:
        return run_here(loss, job, shard)


def run_here(loss: Loss, job: Job, shard: Shard) -> Share:
    """Forward and backward over one shard.

    Raises
    ------
    DataError, GradientError
        If the loss raises or is not finite, or reads what requires gradients and is no parameter;
        it names the rows of the shard.
    """
    try:
        with one_thread() if job.exact else contextlib.nullcontext():
            batches = _computed(shard.batches)
            if job.check and shard.number == 1:
                _check(loss.function, batches[0], job)
            share: Share = total([_share(loss, b, job, shard.weight) for b in batches])
            return share
    except Exception as error:
        words = str(error) if isinstance(error, Error) else f"{type(error).__name__}: {error}"
        kind = GradientError if isinstance(error, GradientError) else DataError
        raise kind(words, where=f"shard {shard.number}, {shard.said}") from error


def added(a: Share, b: Share) -> Share:
    """Two shares as one."""
    both = {name: g + b.gradients[name] for name, g in a.gradients.items()}
    return Share(a.loss + b.loss, both, a.weight + b.weight)


def total(shares: Iterable[Any], add: Callable[[Any, Any], Any] = added) -> Any:
    """The sum of shares as a balanced tree over their order, whoever comes first.

    Neighbours are added, then neighbours among the sums: ``((1 + 2) + (3 + 4)) + 5``.
    """
    level = list(shares)
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [add(a, b) for a, b in pairs] + level[len(level) - len(level) % 2 :]
    return level[0]


def _share(loss: Loss, batch: Sequence[Any], job: Job, weight: float | None) -> Share:
    value, found = (_replayed if job.compile and not job.check else _walked)(loss, batch, job)
    if not np.isfinite(value).all():
        raise DataError("the loss is not finite", got=value.item())
    if weight is None:
        weight = float(rows_of(batch, job.axis)) if job.reduction == "mean" else 1.0
    return Share(value, found, 1.0).scaled(weight)


Found = tuple[np.ndarray, dict[str, np.ndarray]]


def _walked(loss: Loss, batch: Sequence[Any], job: Job) -> Found:
    """The value and the derivatives, by the tape."""
    root = _real(loss.function(*batch, **job.options))
    g = gradients(root)
    leaves = {id(x) for x in g.tape.leaves}
    _refuse_others(loss, g.tape.leaves)
    found = {
        name: np.asarray(g[p]) if id(p) in leaves else np.zeros_like(p.numpy())
        for name, p in loss.parameters.items()
    }
    return np.asarray(root.numpy()).reshape(()), found


def _real(root: Any) -> Tensor:
    """What a loss has returned, if that is one."""
    if not isinstance(root, Tensor) or root.size != 1 or root.dtype.kind != "f":
        got = f"{root.dtype} {root.shape}" if isinstance(root, Tensor) else type(root).__name__
        raise DtypeError("the loss is no real number", expected="a Tensor of shape ()", got=got)
    return root


def _replayed(loss: Loss, batch: Sequence[Any], job: Job) -> Found:
    """The value and the derivatives, by a program."""
    value, g = loss.compiled(*batch, **job.options)
    found = {
        name: np.asarray(g[p.name]) if p.name in g else np.zeros_like(p.numpy())
        for name, p in loss.parameters.items()
    }
    return np.asarray(value).reshape(()), found


def _refuse_others(loss: Loss, leaves: Sequence[Tensor]) -> None:
    """A leaf that is found in two shards was not made for one of them."""
    known = {id(p) for p in loss.parameters.values()}
    others = {id(x): x for x in leaves if x.requires_grad and id(x) not in known}
    for key, x in others.items():
        if loss.seen.get(key) is x:
            raise GradientError(
                "the loss reads a Tensor that requires gradients and is no parameter",
                where=f"{x.name or 'a Tensor'} {x.shape}",
                do="give it in params=, or detach() it",
            )
    loss.seen.update(others)


def _check(loss_fn: Callable[..., Any], batch: Sequence[Any], job: Job) -> None:
    """Hold `reduction` against the loss of two rows, together and one by one."""
    if rows_of(batch, job.axis) < 2:
        return

    def value(start: int, stop: int) -> float:
        rows = taken(batch, job.axis, start, stop)
        return float(_real(loss_fn(*rows, **job.options)).item())

    with no_grad():
        both, again, one, other = value(0, 2), value(0, 2), value(0, 1), value(1, 2)
    if both != again:  # a loss that draws numbers cannot be held against itself
        return
    expected = {"sum": one + other, "mean": (one + other) / 2}
    near = {name: abs(both - v) <= 1e-3 * (abs(one) + abs(other)) for name, v in expected.items()}
    if not near[job.reduction]:
        fits = next((name for name, right in near.items() if right), None)
        raise DataError(
            f"the loss is no {job.reduction} over the rows of a batch",
            expected=f"{expected[job.reduction]:.6g} for the first two rows",
            got=f"{both:.6g}",
            do=f"give reduction={fits!r}" if fits else "give weights=, one for each shard",
        )


def _computed(batches: Any) -> list[Any]:
    """The batches of a shard; what is lazy is computed here, where it is needed."""
    if hasattr(batches, "__dask_graph__"):
        batches = batches.compute(scheduler="synchronous")
        batches = [batches] if isinstance(batches, tuple | np.ndarray) else list(batches)
    # an array is a batch of one argument; its rows are no arguments
    batches = [(batch,) if isinstance(batch, np.ndarray) else batch for batch in batches]
    lazy = [any(hasattr(x, "__dask_graph__") for x in batch) for batch in batches]
    if any(lazy):
        import dask

        batches = [dask.compute(*b, scheduler="synchronous") for b in batches]
    return list(batches)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let the linear algebra library run with one thread.

    Raises
    ------
    DataError
        If the package that does so is missing.
    """
    try:
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        do = "install the extra dask"
        raise DataError("exact=True needs threadpoolctl", where="data_parallel", do=do) from error
    with threadpool_limits(1):
        yield
