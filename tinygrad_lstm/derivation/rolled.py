"""The recurrent form of a derivation: one set of lines in t where the blocks repeat, and the edges
beside it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from tinygrad_lstm.derivation.derivation import Derivation
from tinygrad_lstm.derivation.expression import Apply, Expression, parts
from tinygrad_lstm.derivation.lines import Line, Term, shapes
from tinygrad_lstm.derivation.notation import SCOPE, SUM, TEXT, Notation
from tinygrad_lstm.derivation.row import Row
from tinygrad_lstm.engine.memory import SCALARS
from tinygrad_lstm.engine.names import Name, signed
from tinygrad_lstm.ops.reduce import add_n

__all__ = ["rolled"]

Family = dict[int, Line]  # the lines of one value, by block


def rolled(
    derivation: Derivation,
    lines: Iterable[Line],
    notation: Notation = TEXT,
    with_shapes: bool = False,
) -> list[Row]:
    """The lines of a derivation, with those of equal blocks written once.

    Parameters
    ----------
    derivation : Derivation
        Where they come from.
    lines : iterable of Line
        In the order of backward.
    notation : Notation
        How they are written.
    with_shapes : bool
        Whether the shapes of everything are noted.

    Returns
    -------
    list of Row
        The values of a block in the order in which backward meets them, each with its general line
        first.
    """
    families: dict[tuple[str, str, bool], Family] = defaultdict(dict)
    for line in lines:
        name = derivation.places.get(line.name)
        role, t = (line.name, 0) if name is None else (name.role, name.block or 0)
        families[role, line.symbol.through, name is not None][t] = line
    writer = Writer(derivation, notation, with_shapes)
    return [
        row
        for (_, _, placed), family in families.items()
        for row in (writer.family(family) if placed else [writer.single(family[0])])
    ]


class Writer:
    """What all lines of a rolled derivation have in common.

    Attributes
    ----------
    last : int
        T, the number of the last block.
    """

    def __init__(self, derivation: Derivation, notation: Notation, with_shapes: bool) -> None:
        self.derivation, self.places = derivation, derivation.places
        self.last = derivation.last
        self._forms: dict[Any, int] = {}
        self.notation, self.with_shapes = notation, with_shapes

    def family(self, family: Family) -> Iterator[Row]:
        """The rows of one value: the longest run of equal blocks, then the others, from the last
        block to the first."""
        runs = sorted(
            _runs({t: self.form(line.expression, t) for t, line in family.items()}),
            key=lambda run: (-len(run), -len(family[run[0]].terms), -run[0]),
        )
        general, at = family[runs[0][0]], runs[0][0]
        for run in runs:
            line, t = family[run[0]], run[0]
            letter = "t" if len(run) > 1 else "T" if t == self.last > 1 else ""
            there = self.relative(self.notation, t, letter)
            notes = [self.when(run)] if len(run) > 1 else self.missing(general, at, line, t, letter)
            notes += [line.shapes(there)] * bool(self.with_shapes)
            yield Row(there.name(line.symbol), (there.write(line.expression),), "; ".join(notes))

    def single(self, line: Line) -> Row:
        """The row of a value that belongs to no block."""
        return Row(
            self.at_the_end.name(line.symbol),
            (self.over_time(line),),
            self.all_shapes(line) if self.with_shapes else "",
        )

    def all_shapes(self, line: Line) -> str:
        """The shapes in a sum over the blocks, of one block."""
        own = [
            self.relative(self.notation, t, "t")
            if (t := term.stage.block) is not None
            else self.notation
            for term in line.terms
        ]
        found = [shapes(here, term.expression) for here, term in zip(own, line.terms, strict=True)]
        return ", ".join(
            dict.fromkeys(
                [*shapes(self.notation, line.symbol), *(each for names in found for each in names)]
            )
        )

    def when(self, run: list[int]) -> str:
        """The blocks of a run."""
        text = f"t = {run[0]}, …, {self.end(run[-1])}"
        return text.replace("…", r"\ldots").replace("−", "-") if self.notation.latex else text

    def end(self, t: int) -> str:
        """A block, counted from the last one where that is near."""
        return "T" if t == self.last else f"T−{self.last - t}" if self.last - t <= 2 else str(t)

    def missing(self, general: Line, at: int, line: Line, t: int, letter: str) -> list[str]:
        """What an edge says of the branches that the general line has and it has not, since their
        stages are not there."""
        present, words = [self.form(term.expression, t) for term in line.terms], self.notation.words
        notes = []
        for term in general.terms:
            there = self.derivation.tape.name(term.stage.output).shifted(t - at)
            absent = there.block is not None and str(there) not in self.places
            if absent and self.form(term.expression, at) not in present:
                called = self.notation.called(_in_block(there, letter, t))
                notes.append(f"{words('no ')}{called}{words(': its branch is 0')}")
        return notes

    def form(self, e: Expression, t: int | None, index: bool = False) -> Any:
        """What a formula is made of, with the blocks counted from t: equal where two formulas
        differ by nothing else."""
        known: dict[int, Any] = {}
        for part in parts(e):
            if isinstance(part, Apply):
                params = tuple(
                    (name, _plain(value, t if index and name == "key" else None))
                    for name, value in part.params.items()
                )
                found: Any = (
                    id(part.op),
                    params,
                    part.shape,
                    *(known[id(arg)] for arg in part.args),
                )
            elif part.name is None:
                found = _plain(part.array, None)
            else:
                name = self.places.get(part.name)
                found = (
                    part.name if name is None else name.role,
                    None if name is None else name.shifted(-(t or 0)).block,
                    part.gradient,
                    part.through,
                )
            known[id(part)] = self._forms.setdefault(found, len(self._forms))
        return known[id(e)]

    def relative(self, notation: Notation, t: int, letter: str, index: bool = False) -> Notation:
        """The notation in which block t is called by a letter, and the others by their distance
        from it; without a letter, by number.

        With `index` the positions in an index are counted from t too.
        """

        def rename(name: str) -> str:
            return _in_block(self.places[name], letter, t) if name in self.places else name

        return replace(
            notation,
            rename=rename,
            index=(lambda i: f"{letter}{signed(i - t)}") if index else None,
        )

    @cached_property
    def at_the_end(self) -> Notation:
        """The notation in which the last block is called T, and the others by number."""

        def rename(text: str) -> str:
            name = self.places.get(text)
            is_last = name is not None and name.block == self.last > 1
            return name.relative("T", self.last) if name is not None and is_last else text

        return replace(self.notation, rename=rename)

    def over_time(self, line: Line) -> str:
        """The right side of a line, with what equal stages of consecutive blocks send back as one
        sum over the blocks."""
        summed = (
            line.expression.args
            if isinstance(line.expression, Apply) and line.expression.op is add_n.op
            else ()
        )
        if summed == tuple(
            term.expression for term in line.terms
        ):  # by identity: a hook may have changed the sum
            for index in (False, True):  # an index may count the blocks
                groups: dict[Any, list[Term]] = defaultdict(list)
                for term in line.terms:
                    groups[self.form(term.expression, term.stage.block, index)].append(term)
                if len(groups) < len(line.terms):
                    return " + ".join(
                        part for terms in groups.values() for part in self.sums(terms, index)
                    )
        return self.at_the_end.write(line.expression)

    def sums(self, terms: list[Term], index: bool) -> Iterator[str]:
        """Terms of one form, as sums over their blocks."""
        blocks = {term.stage.block: term for term in terms if term.stage.block is not None}
        if len(blocks) < len(terms):
            yield from (self.at_the_end(term.expression, SUM) for term in terms)
            return
        for run in _runs(dict.fromkeys(blocks)):
            term, first, end = blocks[run[0]].expression, run[0], self.end(run[-1])
            if len(run) == 1:
                yield self.at_the_end(term, SUM)
                continue
            sign = (
                rf"\sum_{{t={first}}}^{{{end.replace('−', '-')}}}"
                if self.notation.latex
                else f"Σ_{{t={first}..{end}}}"
            )
            yield f"{sign} {self.relative(self.notation, first, 't', index)(term, SCOPE)}"


def _in_block(name: Name, letter: str, t: int) -> str:
    """The name of a value of some block, where block t is called by a letter."""
    return name.relative(letter, t) if letter else str(name)


def _plain(value: Any, t: int | None) -> Any:
    """A parameter or number as something to compare, positions counted from t."""
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype.str, value.tobytes()
    if isinstance(value, (tuple, list)):
        return tuple(_plain(each, t) for each in value)
    if isinstance(value, slice):
        return "slice", _plain((value.start, value.stop, value.step), None)
    if isinstance(value, int) and t is not None:
        return value - t
    return (type(value), value) if isinstance(value, (*SCALARS, str, type(None))) else id(value)


def _runs(forms: dict[int, Any]) -> Iterator[list[int]]:
    """Blocks in a row that have the same line."""
    run: list[int] = []
    for t in sorted(forms):
        if run and (t != run[-1] + 1 or forms[t] != forms[run[0]]):
            yield run
            run = []
        run.append(t)
    yield run
