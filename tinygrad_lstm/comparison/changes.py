"""The mistakes that people make in a formula, as data: each is a change of some part of it, the
simpler ones first."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from tinygrad_lstm.comparison.brackets import Brackets
from tinygrad_lstm.comparison.forms import Forms
from tinygrad_lstm.comparison.moved import Moved
from tinygrad_lstm.comparison.omitted import Omitted
from tinygrad_lstm.comparison.others import Others
from tinygrad_lstm.comparison.products import axes, matrices, reshaped, slices
from tinygrad_lstm.comparison.tree import Change

__all__ = ["Changes"]


class Changes(Omitted, Forms, Others, Moved, Brackets):
    """What can go wrong in a formula; the parameters are those of :class:`Parts`."""

    def simple(self) -> Iterator[Change]:
        """The mistakes that can be searched for in a whole tape."""
        yield from self._signs()
        yield from self._without()
        yield from self._initial()
        yield from self._forms()

    def all(self) -> Iterator[Change]:
        """Every mistake, the simpler ones first."""
        yield from self.simple()
        yield from slices(self.tree, self.branch, self.formulas.text)
        yield from self._indices()
        yield from self._extra()
        yield from self._values()
        yield from self._inside()
        yield from self._computed()
        yield from self._gradients()
        yield from matrices(self.tree)
        yield from axes(self.tree)
        yield from reshaped(self.tree)
        yield from self._reduced()
        yield from self._clipped()
        yield from self._multiplied()  # after a mean for a sum, which says more of the same
        yield from self._brackets()

    @cached_property
    def labels(self) -> dict[tuple[Any, ...], Change]:
        """Every mistake by its label."""
        found: dict[tuple[Any, ...], Change] = {}
        for change in self.all():
            found.setdefault(change.label, change)
        return found

    def labelled(self, label: tuple[Any, ...]) -> Change | None:
        """The mistake of a label, if it can be made here."""
        if "labels" in self.__dict__:
            return self.labels.get(label)
        among = {"value": self._values, "δ": self._gradients, "form": self._forms}
        made = among.get(label[0], self.all)()
        return next((change for change in made if change.label == label), None)
