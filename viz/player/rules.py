"""The rule of each step as a list: text and, between it, the values and gradients that it speaks
of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tinygrad_lstm.derivation.expression import Expression, Leaf, is_number, number
from tinygrad_lstm.derivation.forward import forward
from tinygrad_lstm.derivation.notation import TEXT
from tinygrad_lstm.derivation.symbol import Symbol, sent
from tinygrad_lstm.engine.tape import Stage
from tinygrad_lstm.viz.look.text import printable
from tinygrad_lstm.viz.player.formulas import MARK

__all__ = ["Rule", "Rules"]

Rule = list[
    Any
]  # of texts, and {"of": i} for value i or {"of": i, "gradient": True} for its gradient


class Rules:
    """How stages compute their values, and what they send back.

    Parameters
    ----------
    index : mapping
        The number of each value by its ``id``.
    """

    def __init__(self, index: Mapping[int, int]) -> None:
        self._index = index
        self._symbols: dict[int, Symbol] = {}
        self._gradients: dict[int, Symbol] = {}

    def forward(self, stage: Stage) -> Rule:
        """How a stage computes its value."""
        return _pieces(forward(stage, self._mark))

    def starts(self, root: Any) -> None:
        """Say that backward starts at `root` with a one, so that no formula needs to name its
        gradient."""
        self._gradients[id(root)] = Symbol(number(1))

    def sent(
        self, node: Any, argument: int, gradient: Any, is_only: bool
    ) -> tuple[Rule, Expression]:
        """What a stage sends back to an argument, as it is read and as data.

        Parameters
        ----------
        node : Tensor
            The stage's output.
        argument : int
            The position of the value among its inputs.
        gradient : ndarray
            What arrived at the stage.
        is_only : bool
            Whether the value is read through this edge alone, so that a one that it is sent is its
            gradient.
        """
        if id(node) not in self._gradients:
            self._gradients[id(node)] = Symbol(Leaf(gradient, self._mark(node), gradient=True))
        written, _ = sent(node, argument, self._gradients[id(node)], self._symbol)
        if is_only and is_number(written, 1) and written.shape == ():
            self.starts(node._inputs[argument])
        return _pieces(TEXT.write(written)), written

    def _mark(self, x: Any) -> str:
        return (
            f"{MARK}{self._index[id(x)]}{MARK}"
            if id(x) in self._index
            else x.name or "a value that is not drawn"
        )

    def _symbol(self, x: Any) -> Symbol:
        if id(x) not in self._symbols:
            self._symbols[id(x)] = Symbol(Leaf(x._kept(), self._mark(x)))
        return self._symbols[id(x)]


def _pieces(text: str) -> Rule:
    """A formula with marks as a list."""
    pieces: Rule = []
    for i, piece in enumerate(re.split(f"(δ?{MARK}[0-9]+{MARK})", text)):
        if i % 2:
            found = {"of": int(piece.strip("δ" + MARK))}
            pieces.append(found | {"gradient": True} if piece[0] == "δ" else found)
        elif piece:
            pieces.append(printable(piece))
    return pieces
