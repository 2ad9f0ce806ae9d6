"""A cell by hand over a sequence, in one direction: blocks forward, then backward."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinygrad_lstm.by_hand.arrays import Arrays
from tinygrad_lstm.engine.names import Key, Name
from tinygrad_lstm.lstm.errata import Values

__all__ = ["Chain", "Equations"]


@dataclass(frozen=True)
class Equations:
    """A cell derived by hand.

    Attributes
    ----------
    forward, backward : callable
        ``forward(p, v, *state)`` and ``backward(p, v, later)`` put what they find into `v`.
    named : callable
        What a block found, by the tape's names in a sequence that runs forward.
    states : tuple of str
        What is handed on, the output first.
    parameters : tuple of str
        What the blocks have a share of.
    stored : tuple of str
        What they have a share of too, which the tape knows by the model's name for it alone.
    """

    forward: Callable[..., None]
    backward: Callable[..., None]
    named: Callable[[Any], Arrays]
    states: tuple[str, ...]
    parameters: tuple[str, ...]
    stored: tuple[str, ...] = ()


class Chain:
    """The blocks of one layer and direction.

    Parameters
    ----------
    equations : Equations
        The cell.
    p : SimpleNamespace
        Its parameters.
    x : ndarray, shape (T, N, D)
        What it reads.
    rows : ndarray of bool, shape (T, N)
        Which rows are running; the others hand their state on as it is.
    state : tuple of ndarray, shape (N, ...)
        Where it starts.
    scope : str
        Where the tape has its values.
    reverse : bool
        Whether it runs from the last block to the first.
    printed : dict
        The document's errata to follow.
    """

    equations: Equations
    p: SimpleNamespace
    scope: str
    reverse: bool
    rows: np.ndarray
    steps: int
    blocks: list[Any]
    totals: dict[str, Any]

    def __init__(
        self,
        equations: Equations,
        p: SimpleNamespace,
        x: np.ndarray,
        rows: np.ndarray,
        state: tuple[np.ndarray, ...],
        scope: str,
        reverse: bool,
        printed: Any,
    ) -> None:
        self.equations, self.p, self.scope, self.reverse = equations, p, scope, reverse
        self.rows, self.steps = rows[::-1] if reverse else rows, len(x)
        self.blocks = []
        for t, entry in enumerate(x[::-1] if reverse else x, 1):
            v = Values(printed=printed, p=p, t=t, T=len(x), m=0, x=entry)
            equations.forward(p, v, *state)
            new = tuple(getattr(v, name) for name in equations.states)
            there = self.rows[t - 1][:, np.newaxis]
            state = tuple(np.where(there, n, s) for n, s in zip(new, state, strict=True))
            self.blocks.append(v)

    @property
    def outputs(self) -> np.ndarray:
        """What the blocks put out, shape (T, N, H), in the order of the sequence."""
        found = np.stack([getattr(v, self.equations.states[0]) for v in self.blocks])
        return found[::-1] if self.reverse else found

    def back(self, arrives: np.ndarray, live: np.ndarray, source: str) -> tuple[Arrays, Any]:
        """Backward over all blocks from which Error can be reached.

        Parameters
        ----------
        arrives : ndarray, shape (T, N, H)
            What arrives at the outputs from above.
        live : ndarray of bool, shape (T,)
            Where anything arrives at all.
        source : str
            What the tape calls x, without its block.

        Returns
        -------
        found : dict of str to ndarray
            By the tape's names; the sums over time of the parameters among them.
        by_x : ndarray, shape (T, N, D), and which blocks it reaches, shape (T,)
        """
        if self.reverse:
            arrives, live = arrives[::-1], live[::-1]
        last = int(np.flatnonzero(live)[-1]) + 1
        states = self.equations.states
        found: Arrays = {}
        by_x = np.zeros((self.steps, *self.blocks[0].x.shape))
        later: Any = SimpleNamespace(
            **{f"before_{s}": np.zeros_like(getattr(self.blocks[0], s)) for s in states}
        )
        for v in reversed(self.blocks[:last]):
            found |= self._block(v, later, arrives[v.t - 1], last)
            by_x[v.t - 1] = sum(v.x_via.values())
            later = v
        found |= {f"{s}<0>": getattr(self.blocks[0], f"before_{s}") for s in states}
        self.totals = {
            name: np.sum([getattr(v, f"Δ{name}") for v in self.blocks[:last]], axis=0)
            for name in (*self.equations.parameters, *self.equations.stored)
        }
        found |= {name: self.totals[name] for name in self.equations.parameters}
        reached = np.arange(self.steps) < last
        if self.reverse:
            by_x, reached = by_x[::-1], reached[::-1]
        return {self._key(k, source): value for k, value in found.items()}, (by_x, reached)

    def shares(self) -> Iterator[tuple[str, np.ndarray]]:
        """What each block's output sends back to a parameter that only the model has a name for."""
        for name in self.equations.stored:
            for v in self.blocks:
                if hasattr(v, f"Δ{name}"):
                    yield (
                        str(self._name(Name(self.equations.states[0], v.t))),
                        getattr(v, f"Δ{name}"),
                    )

    def _block(self, v: Any, later: Any, arrives: np.ndarray, last: int) -> Arrays:
        """One block backward: rows that have ended hand back what they were handed."""
        rows, states = self.rows[v.t - 1][:, np.newaxis], self.equations.states
        handed = {s: getattr(later, f"before_{s}") for s in states}
        v.by_error = arrives
        if rows.all():
            self.equations.backward(self.p, v, later)
            return self.equations.named(v)
        own = {f"before_{s}": rows * g for s, g in handed.items()}
        self.equations.backward(self.p, v, SimpleNamespace(**{**vars(later), **own}))
        found = self.equations.named(v)
        for s in states:
            setattr(v, f"before_{s}", getattr(v, f"before_{s}") + ~rows * handed[s])
            if v.t < last:
                found[f"held_{s}<{v.t}>"] = handed[s]
        return found

    def _key(self, text: str, source: str) -> str:
        """A key of a sequence that runs forward, as the tape has it: in its scope, with the blocks
        in their order, and with the names that what is read has there."""
        key = Key.parse(text)
        value, via = self._name(key.value), key.via and self._name(key.via)
        if key.value.stem == "x" and key.value.block is not None:
            value = Name.parse(f"{source}<{value.block}>")
        elif key.via is not None and self._was_held(key.value, key.via):
            value = value._replace(stem=f"held_{value.stem}")
        return str(key._replace(value=value, via=via))

    def _was_held(self, value: Name, via: Name) -> bool:
        """Whether a block reads a value of the block before that was held for some rows."""
        handed_on = value.block and via.block and value.block < via.block
        return bool(handed_on) and not self.rows[(value.block or 1) - 1].all()

    def _name(self, name: Name) -> Name:
        block = name.block
        if self.reverse and block is not None:
            block = self.steps + 1 - block
        return Name(name.stem, block, self.scope)
