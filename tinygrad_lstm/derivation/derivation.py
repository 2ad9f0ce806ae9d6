"""The derivation: backward on symbols. One line for each value: its derivative is the sum of what
its branches send back."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Collection
from functools import cached_property
from typing import Any

import numpy as np

from tinygrad_lstm.derivation.constants import constants
from tinygrad_lstm.derivation.expression import (
    Apply,
    Expression,
    Leaf,
    is_number,
    number,
    total,
)
from tinygrad_lstm.derivation.lines import Line, Term
from tinygrad_lstm.derivation.symbol import Symbol, read, sent
from tinygrad_lstm.engine.backward import seed
from tinygrad_lstm.engine.hooks import hooked
from tinygrad_lstm.engine.memory import read_only
from tinygrad_lstm.engine.names import Name
from tinygrad_lstm.engine.operation import Operation
from tinygrad_lstm.engine.tape import Tape
from tinygrad_lstm.engine.walk import edges
from tinygrad_lstm.errors import UnknownNameError

__all__ = ["Derivation"]


class Derivation:
    """The lines of a derivation, from the value that is differentiated to those it is
    differentiated by.

    Parameters
    ----------
    tape : Tape
        The tape of the value that is differentiated.
    wanted : collection of Tensor
        What it is differentiated by.
    through : Tensor, optional
        Where only the paths through this value count.
    gradient : array_like, optional
        What arrives at the value that is differentiated; 1 for a scalar.

    Raises
    ------
    UnknownNameError
        If no path leads through `through`.
    GradientError
        If a value has been edited since a stage read it, or there is nothing to differentiate.
    """

    tape: Tape

    def __init__(
        self, tape: Tape, wanted: Collection[Any], through: Any = None, gradient: Any = None
    ) -> None:
        self.tape, self._wanted, self._through, self._given = tape, wanted, through, gradient
        self._begin = seed(tape.root, gradient)
        self._symbols: dict[int, Symbol] = {}
        self._stages = {stage.output: stage for stage in tape.stages}
        for _ in edges(list(self._stages)):  # which finds out whether a value has been edited
            pass
        if through is not None:
            self._above = {id(through), *map(id, Tape(through).values)}
            self._check_ways()

    def _check_ways(self) -> None:
        label = self.tape.label
        for x in self._wanted:
            if id(x) not in self._above:
                raise UnknownNameError(
                    "no path leads through this value",
                    where=f"explain, from {label(self.tape.root)} to {label(x)}",
                    expected=f"a value that is computed from {label(x)}",
                    got=label(self._through),
                )

    @cached_property
    def _called(self) -> dict[int, Name | None]:
        return _names(self.tape)

    @cached_property
    def _names(self) -> dict[int, str | None]:
        return {key: None if name is None else str(name) for key, name in self._called.items()}

    @cached_property
    def places(self) -> dict[str, Name]:
        """The name of each value that belongs to a block, by its text."""
        names = self._called.values()
        return {str(name): name for name in names if name is not None and name.block is not None}

    @cached_property
    def _start(self) -> Leaf:
        return Leaf(self._begin, self._free("gradient"))

    @cached_property
    def lines(self) -> list[Line]:
        """The lines, in the order of backward."""
        self._lines: list[Line] = []
        root, wanted, through = self.tape.root, self._wanted, self._through
        first = self._line(root, (), number(1) if self._given is None else self._start, self._begin)
        if through is None:
            self._walk(root, first, self.tape.reached(*wanted), "")
            return self._lines
        self._walk(root, first, self.tape.reached(through), "")
        between = {k: x for k, x in self.tape.reached(*wanted).items() if k in self._above}
        self._walk(through, self._gradients[id(through)], between, self._names[id(through)] or "")
        return self._lines

    @property
    def last(self) -> int:
        """The number of the last block, or 0."""
        return max(
            (stage.block for stage in self.tape.stages if stage.block is not None), default=0
        )

    @cached_property
    def values(self) -> dict[str, np.ndarray]:
        """What forward computed, and what it was computed from, by name: read-only."""
        named = ((self._names[id(x)], x) for x in self.tape.values)
        values = {name: read_only(x._kept()) for name, x in named if name is not None}
        return values | {str(self._start.name): read_only(np.asarray(self._start.array))}

    def free(self, n: int, block: int | None) -> str:
        """A name for the n-th formula of a block that is read several times."""
        name = self._free(f"u{n}", "" if block is None else f"<{block}>")
        if block is not None:
            self.places[name] = Name(f"u{n}", block)
        return name

    def _free(self, name: str, place: str = "") -> str:
        """A name that no value has."""
        taken = set(self._names.values())
        marks = itertools.chain([""], (f"#{n}" for n in itertools.count(1)))
        return next(free for mark in marks if (free := f"{name}{mark}{place}") not in taken)

    def _walk(self, first: Any, g: Symbol, values: dict[int, Any], through: str) -> None:
        """Write a line for each of `values` below `first`, at which `g` arrives, from the branches
        that lead there."""
        self._gradients = {id(first): g}
        arrived: dict[int, list[tuple[Term, np.ndarray]]] = defaultdict(list)
        whole = {id(first)}  # what reaches the root through nothing but `first`
        last, inputs = None, ()
        for node, i, x in edges([stage.output for stage in self.tape.stages]):
            if node is not last and id(node) in arrived:
                self._close(node, arrived[id(node)], through, whole)
            last, inputs = node, inputs if node is last else read(node, self._symbol)
            if id(node) in self._gradients and id(x) in values and x is not first:
                g = self._gradients[id(node)]
                formula, array = sent(node, i, g, self._symbol, inputs)
                arrived[id(x)].append((Term(self._stages[node], i, formula), array))
        for leaf in self.tape.leaves:
            if id(leaf) in arrived:
                self._close(leaf, arrived[id(leaf)], through, whole)

    def _close(
        self, x: Any, arrived: list[tuple[Term, np.ndarray]], through: str, whole: set[int]
    ) -> None:
        """The line of a value all of whose branches have arrived, last branch first."""
        terms, arrays = zip(*reversed(arrived), strict=True)
        if len(terms) == len(self.tape.readers[id(x)]) and all(
            id(term.stage.output) in whole for term in terms
        ):
            whole.add(id(x))
        g = arrays[0]
        for array in arrays[1:]:
            g = g + array
        self._gradients[id(x)] = self._line(
            x,
            terms,
            total([term.expression for term in terms]),
            g,
            "" if id(x) in whole else through,
        )

    def _line(
        self, x: Any, terms: tuple[Term, ...], expression: Expression, array: Any, through: str = ""
    ) -> Symbol:
        """Write the line of `x`, and return what stands for its derivative in the lines that
        follow."""
        if x._hooks:
            expression, array = (
                Apply(Operation(lambda g: hooked(x, g), "hook"), (expression,), {}, x.shape),
                hooked(x, array),
            )
        changed = array.dtype != x.dtype or bool(x._hooks)
        symbol = Leaf(
            np.asarray(array, x.dtype), self._names[id(x)], gradient=True, through=through
        )
        self._lines.append(Line(x, symbol, terms, expression, changed))
        return Symbol(
            expression if isinstance(expression, Leaf) and is_number(expression, 1) else symbol
        )

    def leaf(self, x: Any) -> Leaf:
        """What a value is in a formula."""
        return self._symbol(x).leaf

    def _symbol(self, x: Any) -> Symbol:
        if id(x) not in self._symbols:
            self._symbols[id(x)] = Symbol(Leaf(x._kept(), self._names[id(x)]))
        return self._symbols[id(x)]


def _names(tape: Tape) -> dict[int, Name | None]:
    """A name for each value; none for a constant that is better written as a number."""
    names: dict[int, Name | None] = {
        id(x): tape.name(x) if x.name or x._op is not None or x._requires_grad else None
        for x in tape.values
    }
    return names | constants(tape)
