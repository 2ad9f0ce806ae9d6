"""What LSTM, GRU and RNN share: parameters under PyTorch's names, layers, directions, states."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from tinygrad_lstm.errors import DataError
from tinygrad_lstm.nn.error import error
from tinygrad_lstm.nn.layers import probability, size
from tinygrad_lstm.nn.module import Module, generator, precision
from tinygrad_lstm.nn.places import both, each, projection, scopes, suffix_of
from tinygrad_lstm.nn.reading import Reading, read
from tinygrad_lstm.nn.sequence import Blocks
from tinygrad_lstm.nn.states import Start, initial_states, last_states
from tinygrad_lstm.nn.unroll import WHOLE, Cuts, State, padded, steps
from tinygrad_lstm.ops.layer import dropout
from tinygrad_lstm.ops.shape import concatenate
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["Recurrent"]


class Recurrent(Module):
    """Layers of a recurrent cell, in one direction or both. A subclass says what its gates are and
    makes the cell.

    Parameters
    ----------
    sizes : tuple of int
        Input size, hidden size, number of layers, and the size of the projection or 0.
    bias, batch_first, bidirectional : bool
        As in PyTorch.
    dropout : float
        The probability with which outputs of all layers but the last are dropped in training.
    rng : int or numpy.random.Generator, optional
        The source of the initial weights, uniform in ``±1/sqrt(hidden_size)``, and of dropout.
    dtype : dtype
        float32 or float64.
    initial : {"zero", "trained", "noisy"}
        The state where none is given.
    noise : float
        The standard deviation of a noisy one.
    """

    gates = ""
    states: tuple[str, ...] = ("h",)
    input_size: int
    hidden_size: int
    num_layers: int
    proj_size: int
    bias: bool
    batch_first: bool
    bidirectional: bool
    dropout: float
    rng: np.random.Generator
    dtype: np.dtype[Any]
    initial: str
    noise: float

    def __init__(
        self,
        sizes: tuple[int, int, int, int],
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        rng: Any,
        dtype: Any,
        initial: str,
        noise: float,
    ) -> None:
        name = type(self).__name__
        self.input_size = size(sizes[0], name, "input_size")
        self.hidden_size = size(sizes[1], name, "hidden_size")
        self.num_layers = size(sizes[2], name, "num_layers")
        self.proj_size = projection(sizes[3], self.hidden_size, name)
        self.bias, self.batch_first, self.bidirectional = bias, batch_first, bidirectional
        self.dropout, self.rng = probability(dropout, f"{name}(dropout=...)"), generator(rng, name)
        self.dtype, self.initial, self.noise = precision(dtype, name), initial, noise
        if initial not in ("zero", "trained", "noisy"):
            raise DataError(
                "no such initial state",
                where=f"{name}(initial=...)",
                expected="zero, trained or noisy",
                got=repr(initial),
            )
        reach = self.hidden_size**-0.5
        for k, reverse in self.cells():
            for stem, shape in self.shapes(k).items():
                start = self.rng.uniform(-reach, reach, shape)
                self._parameter(f"{stem}_{suffix_of(k, reverse)}", start)
        if initial == "trained":
            for i, width in enumerate(self.widths):
                zero = np.zeros((self.num_layers * self.directions, width))
                self._parameter(f"{'hc'[i]}_0", zero)

    def _parameter(self, name: str, start: np.ndarray) -> None:
        setattr(self, name, Tensor(start, True, name, self.dtype))

    # What there is.

    @property
    def directions(self) -> int:
        """1, or 2 where the layer is bidirectional."""
        return 2 if self.bidirectional else 1

    @property
    def output_size(self) -> int:
        """The width of one direction's output."""
        return self.proj_size or self.hidden_size

    @property
    def widths(self) -> tuple[int, ...]:
        """The width of each value of the state."""
        return (self.output_size, *(self.hidden_size for _ in self.states[1:]))

    def cells(self) -> Iterator[tuple[int, bool]]:
        """The layers from 0, and whether the direction is reverse, in PyTorch's order."""
        for k in range(self.num_layers):
            for reverse in (False, True)[: self.directions]:
                yield k, reverse

    def shapes(self, k: int) -> dict[str, tuple[int, ...]]:
        """The parameters of layer k in one direction."""
        rows = len(self.gates) * self.hidden_size
        columns = self.input_size if k == 0 else self.output_size * self.directions
        found: dict[str, tuple[int, ...]] = {
            "weight_ih": (rows, columns),
            "weight_hh": (rows, self.output_size),
        }
        if self.bias:
            found |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        return found | ({"weight_hr": (self.proj_size, self.hidden_size)} if self.proj_size else {})

    # What the cells are made of.

    def cell(self, suffix: str) -> Callable[..., Any]:
        """The cell of a layer and direction, made of its parameters by recorded stages."""
        raise NotImplementedError

    def stored(self, stem: str, suffix: str) -> Any:
        """A parameter; zeros for a bias that there is not."""
        if not self.bias and stem.startswith("bias"):
            return Tensor(np.zeros(len(self.gates) * self.hidden_size, self.dtype))
        return getattr(self, f"{stem}_{suffix}")

    def joined(self, suffix: str) -> tuple[Any, Any]:
        """W, which is applied to [h, x], and the sum of both biases."""
        weights = [self.stored("weight_hh", suffix), self.stored("weight_ih", suffix)]
        b = self.stored("bias_ih", suffix) + self.stored("bias_hh", suffix)
        return concatenate(weights, axis=1).named("W"), b.named("b")

    def gated(self, stem: str, rows: Any, gates: Iterable[str]) -> dict[str, Any]:
        """The rows of each gate, by name; a dot stands for rows that are left out."""
        H = self.hidden_size
        return {
            f"{stem}_{gate}": rows[i * H : (i + 1) * H].named(f"{stem}_{gate}")
            for i, gate in enumerate(gates)
            if gate != "."
        }

    # What a call does.

    def forward(
        self,
        x: Any,
        state: Any = None,
        lengths: Any = None,
        *,
        steps: int | None = None,
        feed: str | Callable[[Any], Any] = "zeros",
        window: int | None = None,
        checkpoint: int | None = None,
    ) -> tuple[Any, Any]:
        """Run forward over a sequence.

        Parameters
        ----------
        x : array_like or Tensor, shape (T, N, D)
            The inputs; (N, T, D) with ``batch_first``, (T, D) for one sequence without a batch.
        state : optional
            The state before the first block, as it is returned. Arrays are differentiated too.
        lengths : array_like of int, shape (N,), optional
            How many blocks each row has; see :func:`unroll`. One to many: where each row ends.
        steps : int, optional
            One to many: run so many blocks, of which x, with T = 1, is the first one's input.
        feed : {"zeros", "first", "output"} or callable, default "zeros"
            What the other blocks read then: zeros, the first input again, or the output of the
            block before; a function makes x<t> of that output.
        window, checkpoint : int, optional
            Truncation and checkpoints; see :func:`unroll`.

        Returns
        -------
        y : Tensor, shape (T, N, directions * H)
            The outputs of the last layer, laid out as x.
        state : Tensor or tuple of Tensor, each of shape (layers * directions, N, H)
            The state of every layer and direction after its last block.
        """
        reading = read(self, x, lengths, steps, feed, listed=checkpoint is None)
        y, last = self.run(reading, state, Cuts(window, checkpoint))
        return reading.laid_out(padded(y, reading.active)), last_states(self, last, reading)

    def run(self, reading: Reading, state: Any, cuts: Cuts = WHOLE) -> tuple[Blocks, list[State]]:
        """The blocks of the last layer, and the last states of all cells."""
        start = initial_states(self, state, reading)
        if reading.feed is not None:
            return self._fed(reading, start, cuts)
        y, last = reading.x, list[State]()
        for k in range(self.num_layers):
            sides = []
            for reverse in (False, True)[: self.directions]:
                with scopes(k, reverse):
                    cell = self.cell(suffix_of(k, reverse))
                    given = start(len(last))
                    side, end = steps(cell, y, given, reading.active, cuts, reverse)
                sides.append(side)
                last.append(end)
            with scopes(k):
                y = sides[0] if len(sides) == 1 else each(both, *sides)
            if self.dropout and self.training and k + 1 < self.num_layers:
                with scopes(k + 1):
                    y = each(self._dropped, y)
        return y, last

    def _fed(self, reading: Reading, start: Start, cuts: Cuts) -> tuple[Blocks, list[State]]:
        """All layers in one block before the next, since that reads what the last one puts out."""
        if self.bidirectional:
            raise DataError(
                "a reverse direction would read outputs that are not there yet",
                where=f"{type(self).__name__}(bidirectional=True)",
                do="feed zeros or the first input again",
            )
        cells: list[Callable[..., Any]] = []
        state: list[Tensor] = []
        for k in range(self.num_layers):
            with scopes(k):
                cells.insert(0, self.cell(suffix_of(k, False)))
                state[:0] = start(k)
        size = len(self.states)

        def stacked(x: Any, *state: Any) -> State:
            new: list[Tensor] = []
            for k in range(len(cells)):
                i = (len(cells) - 1 - k) * size
                with scopes(k):
                    made = cells[-1 - k](x, *state[i : i + size])
                new[:0] = made if isinstance(made, tuple) else (made,)
                x = new[0]
            return tuple(new)

        feed = reading.feed
        y, end = steps(stacked, reading.x, tuple(state), reading.active, cuts, feed=feed)
        return y, [end[i : i + size] for i in range(len(end) - size, -1, -size)]

    def _dropped(self, x: Any) -> Any:
        return dropout(x, self.dropout, self.rng).named("x")

    def error(
        self,
        x: Any,
        targets: Any,
        state: Any = None,
        mask: Any = None,
        lengths: Any = None,
    ) -> Any:
        """The document's Error of the outputs of the last layer: half the squared difference,
        summed over units, batch and blocks (F15, F16).

        Parameters
        ----------
        x, state, lengths
            As for a call.
        targets : array_like or Tensor, of the outputs' shape
            What they should have been. What stands where there is no loss is not read.
        mask : array_like of 0 and 1, shape (T,) or (T, N), optional
            Which blocks have a loss, or which rows in each; laid out as x. All, by default, that
            are not padding.

        Returns
        -------
        Tensor
            A scalar, named Error; that of a block is ``Error<t>``.
        """
        reading = read(self, x, lengths)
        y, _ = self.run(reading, state)
        return error(y, reading, targets, mask)
