"""A derivation as one formula: gradients replaced by their own lines."""

from __future__ import annotations

from collections.abc import Sequence

from tinygrad_lstm.derivation.expression import Expression, Leaf, occurrences, substitute
from tinygrad_lstm.derivation.lines import Line
from tinygrad_lstm.errors import DataError

__all__ = ["expanded"]

LONGEST = 5000  # symbols in one formula
DEEPEST = 40  # gradients replaced one inside the other


def expanded(lines: Sequence[Line], line: Line, depth: int | None) -> Expression:
    """The right side of a line with gradients replaced by their own right sides, `depth` times; by
    default until none is left.

    Raises
    ------
    DataError
        If `depth` is not a whole number from 0, or the formula would be too long.
    """
    if depth is not None and not (isinstance(depth, int) and depth >= 0):
        raise DataError(
            "not a depth",
            where="expanded(depth=...)",
            expected="a whole number from 0, or None",
            got=repr(depth),
        )
    fits, size = _depth(lines, line, depth)
    if size > LONGEST:
        raise DataError(
            "this formula is too long to write",
            where=f"expanded, δ{line.name}",
            expected=f"up to {LONGEST} symbols, nested up to {DEEPEST} deep",
            do=f"give depth={fits}",
        )
    formulas = {each.symbol: each.expression for each in lines}
    formula = line.expression
    for _ in range(fits):
        formula = substitute(formula, formulas)
    return formula


def _depth(lines: Sequence[Line], line: Line, depth: int | None) -> tuple[int, int]:
    """How often gradients can be replaced, up to `depth` times and while the formula is not too
    long; and how long it then is."""
    counts = {each.symbol: occurrences(each.expression) for each in lines}
    present, reached = counts[line.symbol], 0
    while depth is None or reached < depth:
        replaced: dict[Leaf, int] = {}
        for leaf, n in present.items():
            for inner, m in (counts[leaf] if leaf.gradient else {leaf: 1}).items():
                replaced[inner] = replaced.get(inner, 0) + n * m
        if replaced == present:
            break
        if sum(replaced.values()) > LONGEST or reached == DEEPEST:
            return reached, LONGEST + 1
        present, reached = replaced, reached + 1
    return reached, sum(present.values())
