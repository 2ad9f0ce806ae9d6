"""explain: the chain rule of a tape, written out in three views, and evaluated, which proves what
is written."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from tinygrad_lstm.derivation.derivation import Derivation
from tinygrad_lstm.derivation.expanded import expanded
from tinygrad_lstm.derivation.expression import Expression, Leaf, evaluate
from tinygrad_lstm.derivation.fewer import fewer
from tinygrad_lstm.derivation.lines import Line
from tinygrad_lstm.derivation.loops import in_loops
from tinygrad_lstm.derivation.notation import Notation
from tinygrad_lstm.derivation.opened import Opened
from tinygrad_lstm.derivation.programs import in_steps
from tinygrad_lstm.derivation.rolled import rolled
from tinygrad_lstm.derivation.row import Row
from tinygrad_lstm.derivation.view import View
from tinygrad_lstm.derivation.written import Written
from tinygrad_lstm.engine.memory import conjugated, read_only
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.tape import Tape
from tinygrad_lstm.errors import DataError, DtypeError

__all__ = ["Explanation", "explain"]

SMALL = 6  # entries: so many numbers can be read in the middle of a formula


def explain(loss: Any, wrt: Any = None, through: Any = None, gradient: Any = None) -> Explanation:
    """Write out the chain rule: the derivative of `loss` by `wrt`, line by line, as the tape has
    it.

    The formulas come from the derivative rules that backward runs, here run on symbols. There is no
    second table. A checkpoint is taken apart: its function runs again.

    Parameters
    ----------
    loss : Tensor
        The value to differentiate.
    wrt : str, Tensor or sequence of them, optional
        What it is differentiated by. By default all leaves that require gradients.
    through : str or Tensor, optional
        A value: only the paths from `loss` to `wrt` through it count. A derivative along them is
        written ``δv|c<2>`` where there are other paths too.
    gradient : array_like, optional
        What arrives at `loss`. May be left out where `loss` is a single number; it is 1 then.

    Returns
    -------
    Explanation
        It prints as its steps; ``.expanded`` and ``.rolled`` are the other views, ``.latex()`` and
        ``.markdown()`` other notations, and ``.evaluate()`` computes what is written.

    Raises
    ------
    UnknownNameError
        If there is no such value, or no path between them.
    GradientError
        If `loss` cannot be differentiated, as for :func:`gradients`.

    Examples
    --------
    >>> from tinygrad_lstm import Tensor, explain
    >>> x = Tensor(3.0, requires_grad=True, name="x")
    >>> y = (x * x).named("y")
    >>> z = (y + y).named("z")
    >>> e = explain(z, "x")
    >>> print(e)
    δz = 1
    δy = 1 + 1
    δx = δy · x + δy · x
    >>> e.evaluate()
    array(12.)
    """
    if not isinstance(loss, Node):
        what, got = "only what a tape led to can be explained", type(loss).__name__
        raise DtypeError(what, where="explain", expected="a Tensor", got=got)
    opened = Opened(loss)
    tape = Tape(opened.of(loss))
    several = wrt is None or isinstance(wrt, (list, tuple))
    given = wrt if several else [wrt]
    keys = [x for x in tape.leaves if x.requires_grad] if given is None else list(given)
    wanted = [tape.find(opened.of(key)) for key in keys]
    middle = None if through is None else tape.find(opened.of(through))
    derivation = Derivation(tape, wanted, middle, gradient)
    if not wanted:
        expected = "a name or Tensor, or several"
        raise DataError("there is nothing to explain", where="explain(wrt=...)", expected=expected)
    brief = None if middle is not None else functools.partial(fewer, tape, wanted, gradient)
    return Explanation(Written(derivation, wanted), several, brief)


class Explanation:
    """A derivation, in three views: :attr:`steps`, :attr:`expanded` and :attr:`rolled`.

    Attributes
    ----------
    tape : Tape
        The tape it was written from.
    lines : tuple of Line
        The derivative by each value on the way, in the order of backward.
    """

    tape: Tape

    def __init__(
        self, whole: Written, several: bool, brief: Callable[[], Written | None] | None
    ) -> None:
        self._whole, self.tape, self._several = whole, whole.derivation.tape, several
        self._brief = brief

    @property
    def lines(self) -> tuple[Line, ...]:
        return self._whole.lines

    @property
    def _derivation(self) -> Derivation:
        return self._whole.derivation

    @cached_property
    def _wanted(self) -> list[Line]:
        last = {id(line.value): line for line in self.lines}
        return [last[id(x)] for x in self._whole.wanted]

    @cached_property
    def _rolled(self) -> Written:
        """What the recurrent form is made from: as many blocks as it needs."""
        return (self._brief() if self._brief else None) or self._whole

    @property
    def steps(self) -> View:
        """One line for each stage and fork, in the order of backward: a sequence of Line.

        Beside each line stands the shape of its value. Called with ``shapes=True`` it notes the
        shapes of everything in the line, with ``shapes=False`` none; with ``numbers=True`` it puts
        the numbers in, where they are few.
        """

        def rows(
            notation: Notation, shapes: bool | None = None, numbers: bool = False
        ) -> list[Row]:
            notation = self._whole.noted(notation)
            return [
                Row(
                    left,
                    (right, *(self._numbers(line, notation) if numbers else ())),
                    self._whole.shapes(line, notation, shapes),
                )
                for line in self._whole.rows
                for left, right in [line.sides(notation)]
            ] + self._whole.arrays.rows(notation)

        return View(self, rows, lambda: self.lines, program=self.python)

    @property
    def expanded(self) -> View:
        """One formula, in which gradients are replaced by their own lines: as often as
        ``expanded(depth=...)`` says, else until none is left."""

        def rows(notation: Notation, depth: int | None = None) -> list[Row]:
            notation = self._whole.noted(notation)
            return [
                Row(notation.name(line.symbol), (notation.write(self.formula(line, depth)),))
                for line in self._wanted
            ] + self._whole.arrays.rows(notation)

        return View(self, rows, lambda: self._wanted)

    @property
    def rolled(self) -> View:
        """The recurrent form: one set of lines in t, where the blocks repeat, and the edges beside
        it. T is the last block.

        Beside each line stands the shape of its value. Called with ``shapes=True`` it notes the
        shapes of everything in the line, with ``shapes=False`` none.
        """

        def rows(notation: Notation, shapes: bool | None = None) -> list[Row]:
            return rolled(self._rolled, notation, shapes)

        last = max((stage.block or 0 for stage in self.tape.stages), default=0)
        heading = f"T = {last}" if last else ""
        return View(self, rows, lambda: self.lines, heading, lambda: in_loops(self._rolled))

    def evaluate(self) -> Any:
        """Compute what is written, from the recorded values: each formula by the forward functions
        of its operations.

        Returns
        -------
        ndarray, or dict of str to ndarray
            The derivative by `wrt`; by name, where that is several (of one name with ``#1``, ``#2``
            behind it). It equals ``gradients(loss)[wrt]`` to rounding. Of a complex value the
            formulas have ``dL/dx - i dL/dy`` and this is its conjugate, as everywhere.
        """
        found = {
            line.name: np.array(conjugated(self._values[line.symbol])) for line in self._wanted
        }
        return found if self._several else found[self._wanted[0].name]

    @cached_property
    def values(self) -> dict[str, np.ndarray]:
        """What forward computed, by name: what :meth:`python` reads. Arrays to look at, not to
        write to."""
        arrays = self._whole.arrays.values
        kept = {name: read_only(array) for name, array in arrays.items()}
        return self._whole.derivation.values | kept

    def python(self) -> str:
        """The derivation as a Python module that needs NumPy, and not this package.

        Its function ``backward(values)`` takes what forward computed, by name, as :attr:`values`
        has it, and returns the derivative of each line, by name: those of :func:`gradients`. A
        comment says what each statement computes, as it is printed. What is inside of a checkpoint
        is computed on the way.

        Returns
        -------
        str
            The source. Forward functions that are more than a formula come along as functions of
            the module.

        Raises
        ------
        DataError
            If something cannot be written in NumPy alone: a hook, or a rule without a source.

        Examples
        --------
        >>> from tinygrad_lstm import Tensor, explain
        >>> x = Tensor(3.0, requires_grad=True, name="x")
        >>> e = explain((x * x).named("y"))
        >>> space = {}
        >>> exec(e.python(), space)
        >>> space["backward"](e.values)
        {'y': array(1.), 'x': array(6.)}
        """
        return in_steps(self._whole, self._values)

    @cached_property
    def _values(self) -> dict[Leaf, Any]:
        """The value of every line, and of every formula that has a name."""
        values: dict[Leaf, Any] = {}
        for line in self._whole.rows:
            value = np.asarray(evaluate(line.expression, values))
            named = line.value is None
            values[line.symbol] = value if named else value.astype(line.symbol.array.dtype)
        return values

    def _numbers(self, line: Line, notation: Notation) -> list[str]:
        """The formula with numbers in the place of what is small enough, and the result."""

        def values(leaf: Leaf) -> Any:
            return self._values.get(leaf, leaf.array) if np.size(leaf.array) <= SMALL else None

        result = notation.numbers(self._values[line.symbol]).text
        with_numbers = replace(notation, values=values).write(line.expression)
        written = [with_numbers] * (with_numbers != notation.write(line.expression))
        return written + [result] * (line.symbol.array.size <= SMALL and result != with_numbers)

    def formula(self, line: Line, depth: int | None = None) -> Expression:
        """The right side of a line with gradients replaced by their own right sides, `depth` times;
        by default until none is left.

        Raises
        ------
        DataError
            If `depth` is not a whole number from 0, or the formula would have more than 5,000
            symbols, or 40 replacements one inside the other.
        """
        return expanded(self.lines, line, depth)

    def __str__(self) -> str:
        return str(self.steps)

    def __repr__(self) -> str:
        return (
            f"<Explanation of {', '.join(f'δ{line.name}' for line in self._wanted)}: "
            f"{len(self.lines)} lines>"
        )

    def latex(self) -> str:
        """The steps in LaTeX; see ``View.latex``."""
        return self.steps.latex()

    def markdown(self) -> str:
        """The steps as a table in Markdown."""
        return self.steps.markdown()

    def _repr_latex_(self) -> str:
        return self.steps._repr_latex_()
