"""Numbers against t, as plain arrays: what each branch of a value sends back, and the values
themselves. No drawing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_lstm.engine.gradients import Gradients
from tinygrad_lstm.engine.memory import array_of
from tinygrad_lstm.engine.names import Name
from tinygrad_lstm.engine.tape import Branch, Tape
from tinygrad_lstm.errors import DrawingError, ShapeError, UnknownNameError
from tinygrad_lstm.tensor.tensor import Tensor
from tinygrad_lstm.viz.graph.by_block import blocks, by_value, stems

__all__ = ["BlockValues", "Norms", "block_values", "gradient_norms"]

CLOSED, OPEN = 0.1, 0.9  # a gate that lets hardly anything through, or nearly all
LONGEST = 10**6  # blocks from the first to the last


@dataclass(frozen=True)
class Norms:
    """How large the derivatives by one value are in each block.

    A norm is the root of the sum of squares, over units and batch.

    Attributes
    ----------
    value : str
        The value without its block, ``"c"``.
    blocks : ndarray, shape (n,)
        The blocks t in which there is such a value, ascending; 0 is the initial state.
    total : ndarray, shape (n,)
        The norm of the total derivative.
    branches : dict of str to ndarray, shape (n,)
        The norm of what each branch sends back, by its consumer as seen from block t:
        ``"keep<t+1>"``. It is 0 in a block without that branch.
    """

    value: str
    blocks: np.ndarray
    total: np.ndarray
    branches: dict[str, np.ndarray]


@dataclass(frozen=True)
class BlockValues:
    """One value in each block.

    Attributes
    ----------
    value : str
        The value without its block, ``"Γ_f"``.
    blocks : ndarray, shape (n,)
        The blocks from the first to the last.
    entries : ndarray, shape (units, n)
        The units of the value (its last axis), averaged over its other axes: over the batch. NaN in
        a block without it.
    averaged : int
        Over how many entries the mean is.
    is_gate : bool
        Whether it is a sigmoid's in every block, and so between 0 and 1.
    below, above : float
        The share of all entries, of each unit, row and block, below 0.1 and above 0.9: of a gate,
        how often it is closed and open.
    """

    value: str
    blocks: np.ndarray
    entries: np.ndarray
    averaged: int
    is_gate: bool = False
    below: float = 0.0
    above: float = 0.0


def gradient_norms(
    gradients: Gradients, values: str | Sequence[str] | None = None
) -> tuple[Norms, ...]:
    """The norms of the total derivative and of every branch, block by block.

    Parameters
    ----------
    gradients : Gradients
        What ``gradients(loss)`` returned.
    values : str or sequence of str, optional
        Values without their blocks, ``("c", "a")``. By default those that one block hands to
        another.

    Returns
    -------
    tuple of Norms
        One for each value.

    Raises
    ------
    UnknownNameError
        If there is no such value in any block, if a block has several of that name, or if it is a
        constant.
    DrawingError
        If the argument is something else, or if no block hands a value to another.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_lstm import LSTM, gradients
    >>> from tinygrad_lstm.viz.plot import gradient_norms
    >>> lstm = LSTM(input_size=1, hidden_size=2, rng=0)
    >>> loss = lstm.error(np.ones((3, 1, 1)), np.zeros((3, 1, 2)))
    >>> (c,) = gradient_norms(gradients(loss), "c")
    >>> c.blocks
    array([0, 1, 2, 3])
    >>> list(c.branches)
    ['keep<t+1>', 'tanh_c<t>']
    >>> bool(c.branches["keep<t+1>"][-1] == 0)  # there is no block 4
    True
    """
    if not isinstance(gradients, Gradients):
        raise DrawingError(
            "these are no gradients",
            where="gradient_norms",
            expected="what gradients(loss) returned",
            got=type(gradients).__name__,
        )
    found = by_value(gradients.tape)
    wanted = stems(values) if values is not None else list(_carried(gradients.tape, found))
    if not wanted:
        raise DrawingError(
            "no block hands a value to another",
            where="gradient_norms",
            expected="values named in `with block(t):`",
            do="name them, or choose values=",
        )
    return tuple(_norms(gradients, value, blocks(found, value)) for value in wanted)


def block_values(loss: Tensor, values: str | Sequence[str]) -> tuple[BlockValues, ...]:
    """Values of the tape as arrays over the blocks.

    Parameters
    ----------
    loss : Tensor
        The value whose tape is read.
    values : str or sequence of str
        Values without their blocks, ``("Γ_f", "Γ_u")``.

    Returns
    -------
    tuple of BlockValues
        One for each value.

    Raises
    ------
    UnknownNameError
        If there is no such value in any block, or several in one.
    ShapeError
        If a value has not the same number of units in every block, or its blocks lie more than a
        million apart.
    DrawingError
        If `loss` is no Tensor, or if a value is complex.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_lstm import LSTM
    >>> from tinygrad_lstm.viz.plot import block_values
    >>> lstm = LSTM(input_size=1, hidden_size=2, rng=0)
    >>> loss = lstm.error(np.ones((3, 1, 1)), np.zeros((3, 1, 2)))
    >>> forget, update = block_values(loss, ("Γ_f", "gamma_u"))
    >>> forget.entries.shape  # units, blocks
    (2, 3)
    """
    if not isinstance(loss, Tensor):
        raise DrawingError(
            "only a Tensor has a tape",
            where="block_values",
            expected="a Tensor",
            got=type(loss).__name__,
        )
    tape = loss.tape
    found = by_value(tape)
    return tuple(_entries(tape, value, blocks(found, value)) for value in stems(values))


def _carried(tape: Tape, found: dict[str, dict[int, str]]) -> Iterator[str]:
    for value, names in found.items():
        readers = (
            (t, b.stage.block)
            for t, name in names.items()
            for x in tape.names[name]
            for b in tape.readers.get(id(x), ())
        )
        if any(block not in (t, None) for t, block in readers):
            yield value


def _norms(g: Gradients, value: str, names: dict[int, str]) -> Norms:
    """The norms of one value. An initial state may be a constant, which has none; where all blocks'
    are, `find` says so."""
    names = {
        t: name for t, name in names.items() if any(x.requires_grad for x in g.tape.names[name])
    } or names
    branches: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(len(names)))
    for i, (t, name) in enumerate(names.items()):
        for consumer, branch in _seen_from(t, g.branches(name)):
            branches[consumer][i] = _norm(branch.gradient)
    return Norms(
        value,
        np.array(list(names)),
        np.array([_norm(g[name]) for name in names.values()]),
        dict(branches),
    )


def _seen_from(t: int, branches: Iterable[Branch]) -> Iterator[tuple[str, Branch]]:
    """The branches under names that are the same in every block; a second one of a name is
    numbered."""
    seen: Counter[str] = Counter()
    for branch in branches:
        name = Name.parse(branch.stage.name).relative("t", t)
        seen[name] += 1
        yield (name if seen[name] == 1 else f"{name} ({seen[name]})"), branch


def _norm(derivative: Any) -> float:
    """The root of the sum of squares. Squares of scaled entries, since those of 1e-200 would be
    0."""
    entries = np.abs(array_of(derivative)).astype(np.float64)
    largest = float(entries.max(initial=0.0))
    if largest == 0 or not np.isfinite(largest):
        return largest
    with np.errstate(over="ignore", under="ignore"):
        return float(largest * np.sqrt(np.sum((entries / largest) ** 2)))


def _entries(tape: Tape, value: str, names: dict[int, str]) -> BlockValues:
    columns, first, last = {}, min(names), max(names)
    for t, name in names.items():
        x, *others = tape.names[name]
        if others:
            raise UnknownNameError(
                f"{len(others) + 1} values are called {name!r}",
                where="values",
                do="name them apart",
            )
        columns[t] = np.atleast_1d(array_of(x))
    sizes = {column.shape[-1] for column in columns.values()}
    if len(sizes) > 1 or 0 in sizes or last - first >= LONGEST:
        got = f"{sorted(sizes)} units in blocks {first} to {last}"
        raise ShapeError(
            "the blocks make no table of units",
            where=value,
            expected=f"as many units in each of up to {LONGEST:,} blocks",
            got=got,
        )
    if any(np.iscomplexobj(column) for column in columns.values()):
        raise DrawingError(
            "complex numbers have no heat map",
            where=value,
            expected="real values",
            do="name their real part, and plot that",
        )
    entries = np.full((sizes.pop(), last - first + 1), np.nan)
    for t, column in columns.items():
        entries[:, t - first] = column.reshape(-1, len(entries)).mean(axis=0, dtype=np.float64)
    every = np.concatenate([column.reshape(-1) for column in columns.values()])
    return BlockValues(
        value,
        np.arange(first, last + 1),
        entries,
        column.size // len(entries),
        all(_is_gate(tape.names[name][0]) for name in names.values()),
        float((every < CLOSED).mean()),
        float((every > OPEN).mean()),
    )


def _is_gate(x: Any) -> bool:
    return x._op is not None and x._op.name == "sigmoid"
