"""A cell over a sequence: the one owner of blocks, names, lengths, truncation and checkpointing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tinygrad_lstm.engine.names import Name
from tinygrad_lstm.engine.recorder import block
from tinygrad_lstm.errors import ShapeError
from tinygrad_lstm.nn.sequence import Active, Blocks, blocks, filled, running
from tinygrad_lstm.ops.elementwise import where
from tinygrad_lstm.ops.shape import concatenate, ravel, stack
from tinygrad_lstm.tensor.checkpoint import checkpoint as as_one_stage
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["WHOLE", "Cell", "Cuts", "State", "padded", "steps", "unroll"]

State: TypeAlias = tuple[Tensor, ...]
Cell: TypeAlias = Callable[..., Any]


class Cuts(NamedTuple):
    """Where a sequence is cut: the state off from its past, and what is computed again."""

    window: int | None = None
    checkpoint: int | None = None


WHOLE = Cuts()


def unroll(
    cell: Cell,
    x: Any,
    state: Any,
    *,
    lengths: Any = None,
    reverse: bool = False,
    window: int | None = None,
    checkpoint: int | None = None,
) -> tuple[Any, Any]:
    """Run a recurrent cell over a sequence, a block for each of its steps.

    Parameters
    ----------
    cell : callable
        ``cell(x, *state)`` returns the next state: one Tensor, or a tuple of which the first is
        the block's output. Names that it gives end in the block's number.
    x : array_like or Tensor, shape (T, N, D)
        The inputs.
    state : array_like or Tensor, or tuple of them
        The state before the first block, each of shape (N, ...).
    lengths : array_like of int, shape (N,), optional
        How many blocks each row of the batch has. After its last one a row's state stays as it
        is, its output is 0, and what x holds there is not read.
    reverse : bool, default False
        Run from each row's last block to the first.
    window : int, optional
        Cut the state off from its past after every so many blocks: truncated backpropagation
        through time. The last state of a row that has come to its end is not cut off.
    checkpoint : int, optional
        Keep only the states between parts of so many blocks, and compute each part again in
        backward; see :func:`tinygrad_lstm.checkpoint`.

    Returns
    -------
    outputs : Tensor, shape (T, N, H)
        The output of every block.
    state : Tensor or tuple of Tensor
        The state after the last block, in the form of `state`.

    Raises
    ------
    ShapeError, DtypeError
        If there is no block, if lengths do not fit, or if the cell returns another number of
        values than it was given.

    Notes
    -----
    Source of the window: Williams and Peng, An efficient gradient-based algorithm for on-line
    training of recurrent network trajectories, 1990: BPTT(h; h') with h = h'.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_lstm import Tensor, nn, tanh
    >>> W = Tensor([[0.5]], requires_grad=True, name="W")
    >>> def cell(x, h):
    ...     return tanh(x + h @ W).named("h")
    >>> y, h = nn.unroll(cell, np.ones((3, 1, 1)), np.zeros((1, 1)))
    >>> y.shape, h.name
    ((3, 1, 1), 'h<3>')
    """
    x = x if isinstance(x, Tensor) else Tensor(x)
    if x.ndim < 2 or 0 in x.shape[:2]:
        raise ShapeError(
            "there is no block to run",
            where="unroll, x",
            expected="(T, N, ...), at least one block and one row",
            got=x.shape,
        )
    active = running(lengths, *x.shape[:2])
    single = not isinstance(state, (tuple, list))
    start = tuple(s if isinstance(s, Tensor) else Tensor(s, True) for s in _several(state))
    x = filled(x, active)
    sequence: Blocks = x if checkpoint else blocks(x)
    outputs, last = steps(cell, sequence, start, active, Cuts(window, checkpoint), reverse)
    return padded(outputs, active), last[0] if single else last


def steps(
    cell: Cell,
    x: Blocks,
    state: State,
    active: Active,
    cuts: Cuts = WHOLE,
    reverse: bool = False,
    feed: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Blocks, State]:
    """The blocks of a sequence, and the last state. Rows that have come to their end are not
    silenced in the outputs; see `padded`.

    Parameters
    ----------
    x : list of Tensor, or Tensor
        x<1> .. x<T>; one Tensor where blocks are checkpointed, and then so are the outputs.
    active : list of ndarray or None
        Which rows are running in each block; None where all are.
    feed : callable, optional
        Makes x<t>, t > 1, of the output of the block before.
    """
    order = range(len(active), 0, -1) if reverse else range(1, len(active) + 1)
    run = _Run(cell, active, reverse, feed)
    outputs: list[Tensor] = []
    for i, times in enumerate(_parts(order, cuts.window, "window")):
        state = _cut_off(state, active[times[0] - 1], times[0] + run.before) if i else state
        for part in _parts(times, cuts.checkpoint, "checkpoint"):
            over = run.blocks if cuts.checkpoint is None else run.as_one_stage
            made, state = over(part, x, state)
            outputs += made
    if reverse:
        outputs.reverse()
    return (outputs if cuts.checkpoint is None else concatenate(outputs)), state


def padded(outputs: Blocks, active: Active) -> Any:
    """The outputs as one Tensor, 0 where a row has come to its end."""
    y = stack(outputs) if isinstance(outputs, list) else outputs
    if any(rows is not None for rows in active):
        all_rows = np.ones(y.shape[1], bool)
        there = np.stack([all_rows if rows is None else rows for rows in active])
        y = where(there.reshape(*there.shape, *(1,) * (y.ndim - 2)), y, np.zeros((), y.dtype))
    return y.named("a")


class _Run:
    """A cell and what it is run under."""

    def __init__(self, cell: Cell, active: Active, reverse: bool, feed: Any) -> None:
        self.cell, self.active, self.before, self.feed = cell, active, 1 if reverse else -1, feed

    def blocks(
        self, times: Sequence[int], x: Any, state: State, first: int = 1
    ) -> tuple[list[Tensor], State]:
        """Block after block; the entries of `x` begin with block `first`."""
        outputs = []
        for t in times:
            with block(t):
                new = _several(self.cell(self.read(x[t - first], t, state), *state))
                _check(new, state)
                _name_start(state, new, t + self.before)
                rows = self.active[t - 1]
                outputs.append(new[0])
                state = new if rows is None else _held(rows, new, state)
        return outputs, state

    def read(self, x: Tensor, t: int, state: State) -> Any:
        """What block t reads: its input, or what is fed in its place."""
        if self.feed is None or t == 1:
            return x
        fed = self.feed(state[0])
        if np.shape(fed) != x.shape:
            raise ShapeError(
                "what is fed is no input of this layer",
                where=f"feed, block {t}",
                expected=x.shape,
                got=np.shape(fed),
                do="make one of it: feed=lambda output: ...",
            )
        return fed

    def as_one_stage(
        self, times: Sequence[int], x: Any, state: State
    ) -> tuple[list[Tensor], State]:
        """Blocks that are computed again in backward: a stage returns one Tensor, from which the
        outputs and the state are taken."""
        first, last = min(times), max(times)
        shapes: list[tuple[int, ...]] = []

        def part(x: Any, *state: Tensor) -> Any:
            outputs, state = self.blocks(times, x, state, first)
            values = (stack(outputs[:: -self.before]), *state)
            shapes[:] = [value.shape for value in values]
            return concatenate([ravel(value) for value in values])

        whole = as_one_stage(part)(x[first - 1 : last], *state)
        ends = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)]).tolist()
        outputs, *new = (
            whole[i:j].reshape(shape)
            for i, j, shape in zip(ends[:-1], ends[1:], shapes, strict=True)
        )
        return [outputs], tuple(new)


def _parts(times: Sequence[int], length: int | None, name: str) -> Iterator[Sequence[int]]:
    """The blocks in parts of a length; all in one without."""
    if length is None:
        yield times
        return
    if isinstance(length, bool) or not isinstance(length, (int, np.integer)) or length < 1:
        raise ShapeError(
            "a part has at least one block",
            where=name,
            expected="a whole number from 1",
            got=repr(length),
        )
    for i in range(0, len(times), int(length)):
        yield times[i : i + int(length)]


def _several(state: Any) -> State:
    return tuple(state) if isinstance(state, (tuple, list)) else (state,)


def _check(new: State, state: State) -> None:
    got = [v.shape if isinstance(v, Tensor) else type(v).__name__ for v in new]
    if got != [s.shape for s in state]:
        raise ShapeError(
            "a cell returns the next state, Tensors in the shapes of the state it was given",
            where="unroll, cell(x, *state)",
            expected=", ".join(str(s.shape) for s in state),
            got=", ".join(map(str, got)),
        )


def _name_start(state: State, new: State, t: int) -> None:
    """Name the state before the first block as the cell names the one after it."""
    for s, n in zip(state, new, strict=True):
        if s.name is None and n.name:
            s.name = f"{Name.parse(n.name).stem}<{t}>"


def _held(rows: np.ndarray, new: State, state: State) -> State:
    """The new state of the rows that are running; the others keep theirs."""
    return tuple(
        where(rows.reshape(-1, *(1,) * (n.ndim - 1)), n, s).named(f"held_{_stem(n)}")
        for n, s in zip(new, state, strict=True)
    )


def _cut_off(state: State, rows: np.ndarray | None, t: int) -> State:
    """The state after block t without its past; rows that do not run in the next block keep
    theirs: they have come to their end, or not yet begun."""
    cut = tuple(_cut(s) for s in state)
    if rows is None:
        return cut
    with block(t):
        return _held(rows, cut, state)


def _cut(state: Tensor) -> Tensor:
    """The same state without its past; a leaf that is differentiated, as an initial state is."""
    name = Name.parse(f"cut_{_stem(state)}")._replace(block=state.block)
    return Tensor(state, True, str(name))


def _stem(value: Tensor) -> str:
    """The name of a value without its block and scope."""
    return Name.parse(value.name).stem if value.name else "state"
