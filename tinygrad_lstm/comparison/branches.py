"""What the branches of a sum send back, each with its formula, and words for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from tinygrad_lstm.comparison.lines import Lines
from tinygrad_lstm.comparison.paper import on_paper
from tinygrad_lstm.derivation.expression import Expression, Leaf, total
from tinygrad_lstm.engine.tape import Branch

__all__ = ["Term", "added", "beside", "otherwise", "places", "sum_of", "summed"]

WRITTEN_OUT = 4  # branches; of more the report says which one is concerned


class Term:
    """What a branch sends back when all is right. A loop has hundreds, and words for few.

    Parameters
    ----------
    branch : Branch
        The branch.
    number : int
        Which of the branches of its value it is.
    array : ndarray
        What it sends back.
    formulas : Lines
        How that is written.
    """

    def __init__(self, branch: Branch, number: int, array: np.ndarray, formulas: Lines) -> None:
        self.branch, self.array = branch, array
        self._number, self._formulas = number, formulas

    @cached_property
    def place(self) -> str:
        """Which branch it is, in words."""
        return f"branch {self._number} (through {self._formulas.stage(self.branch.stage.output)})"

    @cached_property
    def formula(self) -> Expression:
        """What is sent back, as a formula."""
        return self._formulas.through(self._formulas.correct(self.branch))

    def text(self) -> str:
        """The formula as text."""
        return on_paper(self.formula)


def places(
    terms: Sequence[Term], changed: Term | None = None, formula: Expression | None = None
) -> str:
    """A sum of branches by name, one of them written as `formula`."""
    first, *others = (
        on_paper(formula) if formula is not None and term is changed else _beside(term)
        for term in terms
    )
    return first + "".join(
        f"  −  {text[1:]}" if text.startswith("−") else f"  +  {text}" for text in others
    )


def _beside(term: Term) -> str:
    """A branch by its place; through a stage without a name, its formula."""
    return term.place if term.branch.stage.output.name else term.text()


def beside(terms: Sequence[Term], changed: Term) -> str:
    """The right formula of one branch beside the names of the others."""
    return places(terms, changed, changed.formula)


def otherwise(terms: Sequence[Term], changed: Term, how: Callable[[Expression], Expression]) -> str:
    """One branch beside the names of the others, its formula changed in some way."""
    return places(terms, changed, how(changed.formula))


def summed(terms: Sequence[Term]) -> np.ndarray:
    """What the branches send back together."""
    return np.asarray(sum((term.array for term in terms[1:]), terms[0].array))


def added(formulas: Sequence[Expression]) -> Expression:
    """A sum, written out where it is short."""
    if len(formulas) <= WRITTEN_OUT:
        return total(formulas)
    return _shortened(formulas[0], formulas[-1])


def sum_of(terms: Sequence[Term]) -> Expression:
    """The same of several branches."""
    if len(terms) <= WRITTEN_OUT:
        return total([term.formula for term in terms])
    return _shortened(terms[0].formula, terms[-1].formula)


def _shortened(first: Expression, last: Expression) -> Expression:
    return total([first, Leaf(np.empty(first.shape), ".."), last])
