"""Lines of a derivation: a derivative on the left, the sum of what its branches send back on the
right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from tinygrad_lstm.derivation.expression import Apply, Expression, Leaf, leaves, total
from tinygrad_lstm.derivation.notation import TEXT, Notation
from tinygrad_lstm.derivation.opened import Inside
from tinygrad_lstm.engine.tape import Stage

__all__ = ["Line", "Term", "shapes"]


@dataclass(frozen=True, eq=False)
class Term:
    """What one branch of a value sends back.

    Attributes
    ----------
    stage : Stage
        The stage that reads the value, its consumer.
    argument : int
        The position of the value among the stage's inputs.
    expression : Expression
        The formula.
    """

    stage: Stage
    argument: int
    expression: Expression

    def __str__(self) -> str:
        return TEXT.write(self.expression)


@dataclass(frozen=True, eq=False)
class Line:
    """The derivative by one value, as a formula.

    Attributes
    ----------
    value : Tensor or None
        The value. None where a formula that is read several times gets a name.
    symbol : Leaf
        What stands on the left: ``δc<2>``.
    terms : tuple of Term
        The branches of the value, by (stage, argument); none for the value that is differentiated.
    expression : Expression
        What stands on the right: the sum of the terms.
    changed : bool
        Whether the value is not just what the formula says: it is brought to another dtype, or a
        hook has seen it.
    """

    value: Any
    symbol: Leaf
    terms: tuple[Term, ...]
    expression: Expression
    changed: bool = False

    @property
    def name(self) -> str:
        """The name of the value."""
        return self.symbol.name or ""

    @property
    def found(self) -> bool:
        """Whether :func:`gradients` finds it too: it is the derivative by a value of the tape, and
        not by one inside of a checkpoint."""
        return self.value is not None and not isinstance(self.value._place, Inside)

    def formulas(self) -> Iterator[tuple[Expression, Stage | None]]:
        """What is summed on the right side, each with its stage."""
        if not self.terms:
            yield self.expression, None
        yield from ((term.expression, term.stage) for term in self.terms)

    def with_formulas(self, change: Callable[[Expression, int | None], Expression]) -> Line:
        """The same line with other formulas in its terms, given each and the block of its stage;
        itself, where none is another."""
        old = [term.expression for term in self.terms]
        new = [change(term.expression, term.stage.block) for term in self.terms]
        if all(a is b for a, b in zip(old, new, strict=True)):
            return self
        terms = tuple(replace(t, expression=e) for t, e in zip(self.terms, new, strict=True))
        expression: Expression = total(new)
        if isinstance(self.expression, Apply) and self.expression.op.name == "hook":
            hook = self.expression
            expression = Apply(hook.op, (expression,), {}, expression.shape)
        return replace(self, terms=terms, expression=expression)

    def sides(self, notation: Notation = TEXT) -> tuple[str, str]:
        """What stands on the left and on the right of the equals sign."""
        return notation.name(self.symbol), notation.write(self.expression)

    def shapes(self, notation: Notation = TEXT) -> str:
        """The shapes of everything with a name in it."""
        return ", ".join(dict.fromkeys(shapes(notation, self.symbol, self.expression)))

    def __str__(self) -> str:
        return " = ".join(self.sides())


def shapes(notation: Notation, *expressions: Expression) -> list[str]:
    """The names in formulas, each with its shape."""
    return [
        f"{notation.name(leaf)} {leaf.shape}"
        for leaf in leaves(*expressions)
        if leaf.name is not None
    ]
