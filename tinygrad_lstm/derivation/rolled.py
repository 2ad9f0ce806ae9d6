"""The recurrent form of a derivation: one set of lines in t where the blocks repeat, and the edges
beside it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

from tinygrad_lstm.derivation.expression import Apply, Expression
from tinygrad_lstm.derivation.forms import Forms, runs, telling
from tinygrad_lstm.derivation.lines import Line, Term, shapes
from tinygrad_lstm.derivation.notation import TEXT, Notation
from tinygrad_lstm.derivation.row import Row
from tinygrad_lstm.derivation.signs import SCOPE, SUM
from tinygrad_lstm.derivation.written import Written
from tinygrad_lstm.engine.names import Name, signed
from tinygrad_lstm.ops.reduce import add_n

__all__ = ["Writer", "families", "rolled"]

Moving = frozenset[int] | None  # positions that move on with the blocks
Group = list[tuple[Term, Moving]]
Sequence = dict[int, tuple[Expression, Moving]]
FEW = 6  # blocks: of more the entries of an index are not written

Family = dict[int, Line]  # the lines of one value, by block


def rolled(
    written: Written, notation: Notation = TEXT, with_shapes: bool | None = None
) -> list[Row]:
    """The lines of a derivation, with those of equal blocks written once.

    Parameters
    ----------
    written : Written
        The lines.
    notation : Notation
        How they are written.
    with_shapes : bool, optional
        Whether the shapes of everything are noted; by default that of the value is.

    Returns
    -------
    list of Row
        The values of a block in the order in which backward meets them, each with its general line
        first.
    """
    writer = Writer(written, written.noted(notation), with_shapes)
    rows = [
        row
        for placed, family in families(written)
        for row in (writer.family(family) if placed else [writer.single(family[0])])
    ]
    return rows + writer.arrays()


def families(written: Written) -> Iterator[tuple[bool, Family]]:
    """The lines of each value by block, and whether it belongs to one at all."""
    found: dict[tuple[str, str, bool], Family] = defaultdict(dict)
    for line in written.rows:
        name = written.derivation.places.get(line.name)
        role, t = (line.name, 0) if name is None else (name.role, name.block or 0)
        found[role, line.symbol.through, name is not None][t] = line
    yield from ((placed, family) for (_, _, placed), family in found.items())


class Writer:
    """What all lines of a rolled derivation have in common.

    Attributes
    ----------
    last : int
        T, the number of the last block.
    """

    written: Written
    places: dict[str, Name]
    last: int
    notation: Notation
    with_shapes: bool | None

    def __init__(self, written: Written, notation: Notation, with_shapes: bool | None) -> None:
        self.written, self.derivation = written, written.derivation
        self.places, self.last = self.derivation.places, self.derivation.last
        self.forms = Forms(written)
        self.notation, self.with_shapes = notation, with_shapes

    def family(self, family: Family) -> Iterator[Row]:
        """The rows of one value: the longest run of equal blocks, then the others, from the last
        block to the first."""
        forms, moving = self.forms.counted({t: (x.expression, t) for t, x in family.items()})
        clear = [
            part
            for run in runs(forms)
            for part in ([[t] for t in run] if telling(run, moving) is None else [run])
        ]
        ordered = sorted(
            clear, key=lambda run: (-self.length(run), -len(family[run[0]].terms), -run[0])
        )
        general, at = family[ordered[0][0]], ordered[0][0]
        for run in ordered:
            t = run[0] if len(run) == 1 else telling(run, moving) or run[0]
            line = family[t]
            letter = "t" if len(run) > 1 else "T" if t == self.last > 1 else ""
            there = self.relative(t, letter, moving[t] if len(run) > 1 else None)
            notes = [self.when(run)] if len(run) > 1 else self.missing(general, at, line, t, letter)
            notes.append(self.written.shapes(line, there, self.with_shapes))
            note = "; ".join(filter(None, notes))
            yield Row(there.name(line.symbol), (there.write(line.expression),), note)

    def single(self, line: Line) -> Row:
        """The row of a value that belongs to no block."""
        shapes = self.written.shapes(line, self.notation, self.with_shapes)
        note = self.all_shapes(line) if self.with_shapes else shapes
        return Row(self.at_the_end.name(line.symbol), (self.over_time(line),), note)

    def all_shapes(self, line: Line) -> str:
        """The shapes in a sum over the blocks, of one block."""
        own = [
            self.relative(t, "t") if (t := term.stage.block) is not None else self.notation
            for term in line.terms
        ]
        found = [shapes(here, term.expression) for here, term in zip(own, line.terms, strict=True)]
        return ", ".join(
            dict.fromkeys(
                [*shapes(self.notation, line.symbol), *(each for names in found for each in names)]
            )
        )

    def length(self, run: list[int]) -> int:
        """How many blocks of the tape a run stands for."""
        return self.written.real(run[-1]) - self.written.real(run[0])

    def when(self, run: list[int]) -> str:
        """The blocks of a run."""
        text = f"t = {self.written.real(run[0])}, …, {self.end(run[-1])}"
        return text.replace("…", r"\ldots").replace("−", "-") if self.notation.latex else text

    def end(self, t: int) -> str:
        """A block, counted from the last one where that is near."""
        if t == self.last:
            return "T"
        return f"T−{self.last - t}" if self.last - t <= 2 else str(self.written.real(t))

    def missing(self, general: Line, at: int, line: Line, t: int, letter: str) -> list[str]:
        """What an edge says of the branches that the general line has and it has not, since their
        stages are not there."""
        present = [self.forms.of(term.expression, t) for term in line.terms]
        absent = []
        for term in general.terms:
            there = self.derivation.tape.name(term.stage.output).shifted(t - at)
            gone = there.block is not None and str(there) not in self.places
            if gone and self.forms.of(term.expression, at) not in present:
                absent.append(there)
        absent = list(dict.fromkeys(absent))
        blocks = {name.block for name in absent}
        words = self.notation.words
        if len(absent) > 1 and len(blocks) == 1 and absent[0].block not in self._blocks:
            where = self.in_block(absent[0]._replace(stem="", scope=""), letter, t)[1:-1]
            return [
                f"{words('no block ')}{self.notation.ascii(where)}{words(': these branches are 0')}"
            ]
        return [
            f"{words('no ')}{self.notation.called(self.in_block(name, letter, t))}"
            f"{words(': its branch is 0')}"
            for name in absent
        ]

    @cached_property
    def _blocks(self) -> set[int | None]:
        return {stage.block for stage in self.derivation.tape.stages}

    def in_block(self, name: Name, letter: str, t: int) -> str:
        """The name of a value of some block, where block t is called by a letter."""
        if letter:
            return name.relative(letter, t)
        return str(name._replace(block=self.written.real(name.block or 0)))

    def relative(self, t: int, letter: str, moving: frozenset[int] | None = None) -> Notation:
        """The notation in which block t is called by a letter, and the others by their distance
        from it; without a letter, by number. Positions that move on with the blocks are counted
        from t too."""

        def rename(text: str) -> str:
            return self.in_block(self.places[text], letter, t) if text in self.places else text

        def position(i: int) -> str | None:
            there = moving is not None and i in moving
            return f"{letter}{signed(i - self.written.real(t))}" if there else None

        return replace(self.notation, rename=rename, index=position if moving else None)

    @cached_property
    def at_the_end(self) -> Notation:
        """The notation in which the last block is called T, and the others by number."""

        def rename(text: str) -> str:
            name = self.places.get(text)
            if name is None:
                return text
            is_last = name.block == self.last > 1
            return self.in_block(name, "T" if is_last else "", self.last)

        return replace(self.notation, rename=rename)

    def over_time(self, line: Line) -> str:
        """The right side of a line, with what equal stages of consecutive blocks send back as one
        sum over the blocks."""
        groups = self.groups(line)
        if groups is None:
            return self.at_the_end.write(line.expression)
        return " + ".join(part for group in groups for part in self.sums(group))

    def groups(self, line: Line) -> list[Group] | None:
        """The terms of a line by their form; None where it is not their sum, as behind a hook."""
        e = line.expression
        summed = e.args if isinstance(e, Apply) and e.op is add_n.op else ()
        if not summed or summed != tuple(term.expression for term in line.terms):
            return None
        terms = dict(enumerate(line.terms))
        forms, moving = self.forms.counted(
            {i: (term.expression, term.stage.block) for i, term in terms.items()}
        )
        found: dict[Any, Group] = defaultdict(list)
        for i, term in terms.items():
            found[forms[i]].append((term, moving[i]))
        return list(found.values())

    def sequences(self, terms: Group) -> Iterator[tuple[list[int], Sequence]]:
        """Terms of one form, by the blocks in a row to which they belong; without blocks where
        they belong to none, or several to one."""
        blocks = {
            term.stage.block: (term.expression, moving)
            for term, moving in terms
            if term.stage.block is not None
        }
        if len(blocks) < len(terms):
            yield [], {i: (term.expression, moving) for i, (term, moving) in enumerate(terms)}
            return
        for run in runs(dict.fromkeys(blocks)):
            yield run, {t: blocks[t] for t in run}

    def sums(self, terms: Group) -> Iterator[str]:
        """Terms of one form, as sums over their blocks."""
        for run, found in self.sequences(terms):
            at = telling(run, {t: moving for t, (_, moving) in found.items()})
            if len(run) <= 1 or at is None:
                yield from (self.at_the_end(e, SUM) for e, _ in found.values())
                continue
            start, end = self.written.real(run[0]), self.end(run[-1])
            sign = (
                rf"\sum_{{t={start}}}^{{{end.replace('−', '-')}}}"
                if self.notation.latex
                else f"Σ_{{t={start}..{end}}}"
            )
            e, moving = found[at]
            yield f"{sign} {self.relative(at, 't', moving)(e, SCOPE)}"

    def arrays(self) -> list[Row]:
        """The rows of the indices and masks; one for all where most blocks have one."""
        arrays = self.written.arrays
        found: dict[str, list[str]] = defaultdict(list)
        for text in arrays.values:
            found[self.places[text].role if text in self.places else text].append(text)
        rows = []
        for texts in found.values():
            many = len(texts) > FEW
            name = (
                self.places[texts[0]].relative("t", self.places[texts[0]].block or 0)
                if many
                else ""
            )
            rows += arrays.rows(self.at_the_end, texts[:1] if many else texts, name)
        return rows
