"""A derivation ready to be written: without what a reader need not be told, and with names for what
occurs more than once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from tinygrad_lstm.derivation.arrays import Arrays
from tinygrad_lstm.derivation.derivation import Derivation
from tinygrad_lstm.derivation.inline import shortened
from tinygrad_lstm.derivation.lines import Line
from tinygrad_lstm.derivation.notation import Notation
from tinygrad_lstm.derivation.shared import shared

__all__ = ["Written"]


class Written:
    """The lines of a derivation as they are written.

    Parameters
    ----------
    derivation : Derivation
        The lines as backward makes them.
    wanted : list of Tensor
        What the derivation is for.
    real : mapping of int to int, optional
        The numbers of the blocks, where those of the derivation are others.
    """

    derivation: Derivation
    wanted: list[Any]

    def __init__(
        self, derivation: Derivation, wanted: list[Any], real: Mapping[int, int] | None = None
    ) -> None:
        self.derivation, self.wanted, self._real = derivation, wanted, real or {}

    def real(self, t: int) -> int:
        """The number of a block on the tape."""
        return t if not self._real else self._real.get(t, t + self._beyond(t))

    def _beyond(self, t: int) -> int:
        last = max(self._real)
        return self._real[last] - last if t > last else 0

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """A line for each value, without those that are replaced."""
        ids = set(map(id, self.wanted))
        return tuple(shortened(self.derivation.lines, ids, self.derivation.leaf))

    @cached_property
    def rows(self) -> list[Line]:
        """The lines, and before the first that reads it a line for each formula that occurs more
        than once."""
        return shared(self.lines, self.derivation.free)

    @cached_property
    def arrays(self) -> Arrays:
        """The indices and masks in the formulas."""
        formulas = (formula for line in self.lines for formula in line.formulas())
        arrays = Arrays(formulas, self.derivation.values)
        self.derivation.places.update(arrays.places)
        return arrays

    def shapes(self, line: Line, notation: Notation, wanted: bool | None) -> str:
        """What is noted of the shapes beside a line: of all that is `wanted`, none, or by default
        that of its value, where there are other values than numbers; in LaTeX none."""
        if wanted:
            return line.shapes(notation)
        told = wanted is None and not notation.latex and self._shaped
        return str(line.symbol.shape) if told else ""

    @cached_property
    def _shaped(self) -> bool:
        return any(line.symbol.shape for line in self.lines)

    def noted(self, notation: Notation) -> Notation:
        """The notation in which indices and masks have their names."""
        return replace(notation, arrays=self.arrays.name)
