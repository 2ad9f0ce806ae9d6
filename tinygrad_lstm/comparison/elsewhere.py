"""The derivative by another value, or by another stage, in the place of the right one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np

from tinygrad_lstm.comparison.chain import edge
from tinygrad_lstm.comparison.combined import Guess, Words
from tinygrad_lstm.comparison.steps import Steps
from tinygrad_lstm.engine.gradients import Part
from tinygrad_lstm.engine.memory import array_of

__all__ = ["Elsewhere"]

Shape = tuple[int, ...]
Total = tuple[Any, str, np.ndarray]  # a value, whether the derivative by it is turned, and that


class Elsewhere:
    """What else on a tape a value by hand is.

    Parameters
    ----------
    search : Steps
        What is known of the formulas.
    """

    def __init__(self, search: Steps) -> None:
        self._search = search
        self._lines: dict[Shape, np.ndarray] = {}

    @cached_property
    def _totals(self) -> dict[Shape, list[Total]]:
        """The derivatives by all values, and matrices turned, by their shapes."""
        found: dict[Shape, list[Total]] = defaultdict(list)
        chain = self._search.chain
        for x in chain.order:
            total = np.asarray(array_of(chain.gradients[x]))
            found[total.shape].append((x, "", total))
            if total.ndim == 2:
                found[total.T.shape].append((x, "ᵀ", total.T))
        return found

    def _near(self, hand: np.ndarray) -> Iterator[Total]:
        """Those that may be it."""
        totals = self._totals.get(hand.shape, ())
        if hand.shape not in self._lines and totals:
            self._lines[hand.shape] = np.array([np.ravel(total) for _, _, total in totals])
        if totals and hand.size:
            near = self._search.near(self._lines[hand.shape], hand)
            yield from (totals[k] for k in near.tolist())

    def of(self, part: Part, correct: Words, hand: np.ndarray) -> Iterator[Guess]:
        """The explanations of a row by what it is elsewhere."""
        search, formulas = self._search, self._search.formulas
        for x, how, array in self._near(hand):
            if (x is not part.value or part.kind != "total") and search.fits(array, hand):
                name = formulas.gradient_name(x) + how
                looks = f"this is {name}, the derivative by another value"
                yield Guess("another derivative", name, correct, looks, array)
        own = set(map(edge, part.branches))
        for branch in search.chain.gradients.branches(part.value):
            if edge(branch) not in own:
                other = formulas.stage(branch.stage.output)
                array = np.asarray(array_of(branch.gradient))
                if search.fits(array, hand):
                    yours = formulas.text(formulas.correct(branch))
                    looks = f"this comes back through {other}"
                    yield Guess("another derivative", yours, correct, looks, array)
