"""``data_parallel``: the gradient of a batch, by workers that each have a shard of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any

import numpy as np

from tinygrad_lstm.engine.backward import gradients
from tinygrad_lstm.engine.gradients import Gradients
from tinygrad_lstm.engine.recorder import block
from tinygrad_lstm.errors import DataError, DtypeError, ShapeError
from tinygrad_lstm.ops.own import stage
from tinygrad_lstm.ops.reduce import add_n
from tinygrad_lstm.parallel.crew import Crew
from tinygrad_lstm.parallel.executors import crew_of
from tinygrad_lstm.parallel.payload import Loss
from tinygrad_lstm.parallel.shards import Axes, Shard, cut
from tinygrad_lstm.parallel.work import Job, Share
from tinygrad_lstm.tensor.parameters import flat
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["DataParallel", "data_parallel"]


def data_parallel(
    loss_fn: Callable[..., Any],
    executor: Any = None,
    shards: int | None = None,
    *,
    params: Any = None,
    reduction: str = "sum",
    weights: Sequence[float] | None = None,
    exact: bool = False,
    compile: bool = False,
    workers: int | None = None,
) -> DataParallel:
    """The value and the gradients of a loss over a batch, of which each worker has a shard.

    A parameter that all shards read is a fork, and each shard's gradient is one of its branches:
    what backward does at a fork, the sum, is all that the workers have to agree on.

    Parameters
    ----------
    loss_fn : callable
        ``loss_fn(*batch)`` returns a real scalar Tensor, a sum or a mean over the rows of the
        batch. For processes and clusters it can be pickled: a function of a module, or a method.
    executor : None, "threads", "processes", Executor or distributed.Client
        Who works: threads of this process (the default), processes of this machine, an executor of
        ``concurrent.futures``, a Client of Dask or its ``get_executor()``.
    shards : int, optional
        How many shards a batch of arrays is cut into; by default one for each worker. The sum is a
        tree over the shards in their order: its result depends on `shards`, not on who is fast.
    params : dict of str to Tensor, or object with ``parameters()``, optional
        What is differentiated by; by default those of the object whose method `loss_fn` is.
    reduction : {"sum", "mean"}
        What the loss does over rows. A mean is weighted by the rows of each shard. It is held
        against the loss of two rows at the first step.
    weights : sequence of float, optional
        What the loss of each shard is multiplied with, where it is neither.
    exact : bool, default False
        Let the linear algebra library run with one thread, so that the result is the same to the
        last bit for any workers, executor and order, at equal `shards`. Needs threadpoolctl (extra
        ``dask``).
    compile : bool, default False
        Let the loss run as a program (:func:`compile`).
    workers : int, optional
        The number of threads or processes where `executor` is a word or None.

    Returns
    -------
    DataParallel
        ``step(*batch, axis=0)`` returns the pair of the loss and its gradients.

    Raises
    ------
    DtypeError
        If `executor` is none, if there are no parameters, or if the loss cannot be pickled.
    GradientError
        If the loss reads a Tensor that requires gradients and is not among `params`.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_lstm import LSTM, data_parallel
    >>> lstm = LSTM(input_size=1, hidden_size=2, rng=0)
    >>> x, targets = np.ones((3, 8, 1)), np.zeros((3, 8, 2))
    >>> with data_parallel(lstm.error, shards=4) as step:
    ...     loss, g = step(x, targets, axis=1, branches=True)
    >>> g["W_f"].shape, len(g.branches("W_f"))
    ((2, 3), 4)
    """
    if reduction not in ("sum", "mean"):
        expected = "'sum' or 'mean'"
        raise DataError("no reduction", where="reduction", expected=expected, got=repr(reduction))
    if shards is not None and (not isinstance(shards, int) or shards < 1):
        got = repr(shards)
        raise ShapeError("no number of shards", where="shards", expected="1 or more", got=got)
    return DataParallel(
        loss_fn,
        _parameters(loss_fn, params),
        crew_of(executor, workers),
        shards,
        reduction,
        weights,
        exact,
        compile,
    )


class DataParallel:
    """What :func:`data_parallel` returns: call it with a batch. A context that ends its workers."""

    def __init__(
        self,
        loss_fn: Callable[..., Any],
        parameters: dict[str, Tensor],
        crew: Crew,
        shards: int | None,
        reduction: str,
        weights: Sequence[float] | None,
        exact: bool,
        compile: bool,
    ) -> None:
        self.parameters = parameters
        self._loss = Loss(loss_fn, parameters)
        self._reduction, self._weights, self._compile = reduction, weights, compile
        self._crew = crew
        self._shards = shards or self._crew.size
        self._exact, self._checked = exact, weights is not None
        self._closed = False

    def __call__(
        self, *batch: Any, axis: Axes = 0, branches: bool = False, **options: Any
    ) -> tuple[np.ndarray, Gradients]:
        """The loss of a batch, and its gradients by the parameters.

        Parameters
        ----------
        *batch : array_like, dask.array.Array, or one list of batches, Delayed or bag of Dask
            The arguments of the loss. Arrays are cut along `axis`; a list of tuples has a shard a
            tuple, a Dask array a shard a chunk, a bag of tuples a shard a partition.
        axis : int or sequence of (int or None), default 0
            The axis of the batch: one for all arguments, or one for each; None for an argument that
            every shard has whole.
        branches : bool, default False
            Whether to keep what each shard sent: ``g.branches("W_f")``, and ``"W_f @ 2"`` for the
            second. Otherwise only sums travel.
        **options
            Keywords of the loss, as they are.

        Returns
        -------
        loss : ndarray, shape ()
            The value.
        gradients : Gradients
            By the names of the parameters. Its tape has a stage for each shard, so that it is drawn
            and compared like any other.
        """
        if self._closed:
            raise DataError(
                "its workers have ended",
                where="data_parallel",
                do="call it inside of its with block",
            )
        shards = self._weighted(cut(batch, axis, self._shards))
        job = Job(axis, self._reduction, options, not self._checked, self._exact, self._compile)
        shares = self._crew.shares(self._loss, job, shards, branches)
        self._checked = True
        weight = sum(share.weight for share in shares) if self._mean else 1.0
        g = gradients(_recorded([share.scaled(1 / weight) for share in shares], self.parameters))
        return np.array(g.tape.root.numpy()), g

    @property
    def _mean(self) -> bool:
        return self._reduction == "mean" and self._weights is None

    def _weighted(self, shards: list[Shard]) -> list[Shard]:
        if self._weights is None:
            return shards
        if len(self._weights) != len(shards):
            expected, got = f"{len(shards)}, one for each shard", len(self._weights)
            raise ShapeError("the weights do not fit", where="weights", expected=expected, got=got)
        pairs = zip(shards, self._weights, strict=True)
        return [replace(shard, weight=float(w)) for shard, w in pairs]

    def close(self) -> None:
        """End the threads or processes that were started for this step."""
        self._crew.close()
        self._closed = True

    def __enter__(self) -> DataParallel:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        name = getattr(self._loss.function, "__qualname__", repr(self._loss.function))
        return f"<data_parallel({name}): {len(self.parameters)} parameters, {self._crew!r}>"


@stage
def shard(*parameters: Any, share: Share | None = None) -> np.ndarray:
    """The loss of a shard, computed elsewhere, and differentiated there."""
    assert share is not None
    return share.loss


@shard.rule  # type: ignore[untyped-decorator]
def shard_i(g: Any, y: Any, parameters: Any, argument: int, share: Share) -> Any:
    return g * list(share.gradients.values())[argument]


def _recorded(shares: Sequence[Share], parameters: Mapping[str, Tensor]) -> Any:
    """The losses of the shards as stages that read the parameters, and their sum."""
    leaves = [
        p if p.name == name else Tensor(p.numpy(), True, name) for name, p in parameters.items()
    ]
    losses = []
    for number, share in enumerate(shares, 1):
        with block(number):
            losses.append(shard(*leaves, share=share).named("loss"))
    return add_n(*losses).named("loss")


def _parameters(loss_fn: Callable[..., Any], params: Any) -> dict[str, Tensor]:
    """The parameters by name; those of a nested dict with points between the names."""
    owner = getattr(loss_fn, "__self__", loss_fn) if params is None else params
    if not (hasattr(owner, "parameters") or isinstance(owner, Mapping)) or not (
        found := flat(owner)
    ):
        raise DtypeError(
            "there are no parameters",
            where="data_parallel(params=...)",
            expected="a dict of Tensors by name, or an object with parameters()",
            got=type(owner).__name__,
        )
    for name, p in found.items():
        if not p.requires_grad or not p.is_leaf:
            expected, got = "a leaf that requires gradients", f"a Tensor of {p.shape}"
            raise DtypeError("no parameter", where=name, expected=expected, got=got)
    return found
