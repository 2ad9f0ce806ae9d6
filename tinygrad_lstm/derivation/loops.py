"""The recurrent form of a derivation as a Python module: loops over t where the blocks repeat."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_lstm.derivation.expression import Expression, Leaf
from tinygrad_lstm.derivation.forms import telling
from tinygrad_lstm.derivation.lines import Line
from tinygrad_lstm.derivation.notation import TEXT, Notation
from tinygrad_lstm.derivation.python import INDENT, Module, call, parsed, printable, unparsed
from tinygrad_lstm.derivation.rolled import Writer, families
from tinygrad_lstm.derivation.written import Written
from tinygrad_lstm.engine.names import Name

__all__ = ["in_loops"]

Moving = frozenset[int] | None


@dataclass
class Segment:
    """Lines in a row that belong to one block, and what they have in common with other blocks."""

    block: int | None
    lines: list[Line]
    forms: list[Any]


def in_loops(written: Written) -> str:
    """A module with a loop wherever blocks in a row have the same lines.

    Parameters
    ----------
    written : Written
        The lines; of fewer blocks than there are, where these say what all say.
    """
    return Loops(written).program()


class Loops(Module):
    """Statements that find values and derivatives by name, with the block counted from t."""

    def __init__(self, written: Written) -> None:
        super().__init__(written.arrays)
        self.written, self.places = written, written.derivation.places
        self.writer = Writer(written, written.noted(TEXT), False)
        self._formed: dict[Leaf, Any] = {}
        self._moving: dict[Leaf, Moving] = {}
        self._found = {line.symbol for line in written.lines if line.found}
        for placed, family in families(written):
            found = {t: (line.expression, t) for t, line in family.items()}
            forms, moving = self.writer.forms.counted(found)
            for t, line in family.items():
                self._formed[line.symbol] = (line.symbol.name if not placed else "", forms[t])
                self._moving[line.symbol] = moving[t]
        self._t: int | None = None
        self._counted: Moving = None
        for name in ("T", "t", "d", "u", "v"):
            self.sources.taken.add(name)

    def program(self) -> str:
        """The source of the module."""
        statements = ["v, d, u = values, {}, {}  # u: what is in between"]
        for run in self._loops(list(self._segments())):
            statements += self._run(run)
        kinds = {line.symbol.array.dtype.kind for line in self.written.lines}
        shown = "np.conj" if "c" in kinds else "np.asarray"
        return self.module([*statements, f"return {{name: {shown}(g) for name, g in d.items()}}"])

    def _segments(self) -> Iterator[Segment]:
        current = Segment(None, [], [])
        for line in self.written.rows:
            name = self.places.get(line.name)
            block = None if name is None else name.block
            if current.lines and (block is None or block != current.block):
                yield current
                current = Segment(block, [], [])
            current.block = block
            role = line.symbol.name if name is None else name.role
            current.lines.append(line)
            current.forms.append((role, line.symbol.through, self._formed[line.symbol]))
        if current.lines:
            yield current

    def _loops(self, segments: list[Segment]) -> Iterator[list[Segment]]:
        """Segments of blocks in a row, up or down, that are the same."""
        run: list[Segment] = []
        for segment in segments:
            if run and not self._follows(run, segment):
                yield run
                run = []
            run.append(segment)
        if run:
            yield run

    def _follows(self, run: list[Segment], segment: Segment) -> bool:
        last = run[-1]
        if segment.block is None or last.block is None or segment.forms != last.forms:
            return False
        step = segment.block - last.block
        return abs(step) == 1 and (len(run) == 1 or step == last.block - (run[-2].block or 0))

    def _run(self, run: list[Segment]) -> Iterator[str]:
        """The statements of a loop, or of a single segment."""
        first, last = run[0].block, run[-1].block
        told = [self._told([segment.lines[i] for segment in run]) for i in range(len(run[0].lines))]
        if len(run) == 1 or first is None or last is None or None in told:
            for segment in run:
                for line in segment.lines:
                    yield from self._statement(line, None, self.writer.at_the_end)
            return
        step = 1 if last > first else -1
        start, end = self.written.real(first), self.written.real(last)
        yield f"for t in range({start}, {end + step}{', -1' if step < 0 else ''}):"
        for line in filter(None, told):
            t = self._block(line)
            notation = self.writer.relative(t, "t", self._moving[line.symbol])
            yield from (INDENT + row for row in self._statement(line, t, notation))

    def _told(self, lines: list[Line]) -> Line | None:
        """The line that can be written for all of a loop."""
        return next((line for line in lines if self._moving[line.symbol] is not None), None)

    def _block(self, line: Line) -> int:
        return self.places[line.name].block or 0

    def _statement(self, line: Line, t: int | None, notation: Notation) -> Iterator[str]:
        """A comment that says what is printed, and the statement."""
        self._t, self._counted = t, self._moving[line.symbol] if t is not None else None
        single = self.places.get(line.name) is None and line.terms
        said = self.writer.over_time(line) if single else notation.write(line.expression)
        yield f"# {printable(f'{notation.name(line.symbol)} = {said}')}"
        target = self._entry(line.symbol, "d" if line.found else "u")
        yield f"{unparsed(target)} = {unparsed(self._value(line, bool(single)))}"

    def _value(self, line: Line, single: bool) -> ast.expr:
        """The right side, in the dtype of the left one."""
        e, wanted = line.expression, line.symbol.array.dtype
        if isinstance(e, Leaf) and e.name is None and line.value is not None:
            return self.formula(Leaf(np.asarray(e.array, wanted)))
        value = self._summed(line) if single else self.formula(e)
        return call("np.asarray", value, parsed(f"np.{wanted.name}")) if line.changed else value

    def _summed(self, line: Line) -> ast.expr:
        """The sum of the terms, with a loop for those of blocks in a row."""
        groups = self.writer.groups(line)
        if groups is None:
            return self.formula(line.expression)
        parts: list[ast.expr] = []
        for group in groups:
            for run, terms in self.writer.sequences(group):
                at = telling(run, {t: moving for t, (_, moving) in terms.items()}) if run else None
                if at is None or len(run) == 1:
                    parts += [self._term(e, None, None) for e, _ in terms.values()]
                else:
                    first, last = self.written.real(run[0]), self.written.real(run[-1])
                    inner = unparsed(self._term(terms[at][0], at, terms[at][1]))
                    parts.append(parsed(f"sum(({inner}) for t in range({first}, {last + 1}))"))
        total = parts[0]
        for part in parts[1:]:
            total = ast.BinOp(total, ast.Add(), part)
        return total

    def _term(self, e: Expression, t: int | None, moving: Moving) -> ast.expr:
        self._t, self._counted = t, moving
        return self.formula(e)

    def leaf(self, leaf: Leaf) -> ast.expr:
        if leaf.name is None:
            return self.literal(leaf.array)
        return self._entry(
            leaf, "d" if leaf in self._found else "u" if leaf in self._formed else "v"
        )

    def _entry(self, leaf: Leaf, where: str) -> ast.expr:
        text, name = str(leaf.name), self.places.get(str(leaf.name))
        behind = f"|{leaf.through}" if leaf.through else ""
        if name is None or name.block is None:
            return parsed(f"{where}[{text + behind!r}]")
        if self._t is None:
            named = str(name._replace(block=self.written.real(name.block))) + behind
            return parsed(f"{where}[{named!r}]")
        return ast.Subscript(ast.Name(where), self._formatted(name, name.block - self._t, behind))

    def _formatted(self, name: Name, away: int, behind: str) -> ast.expr:
        """``f"c<{t + 1}>"``."""
        parts: list[ast.expr] = [
            ast.Constant(f"{name.role}<"),
            ast.FormattedValue(_from_t(away), -1),
            ast.Constant(f">{behind}"),
        ]
        return ast.JoinedStr(parts)

    def position(self, k: Any) -> ast.expr:
        if not isinstance(k, slice) or self._counted is None or self._t is None:
            return self._place(k) if not isinstance(k, slice) else super().position(k)
        start, stop = (None if b is None else self._place(b) for b in (k.start, k.stop))
        step = None if k.step is None else self.literal(k.step)
        return ast.Slice(lower=start, upper=stop, step=step)

    def _place(self, i: Any) -> ast.expr:
        """A position, counted from t where it moves on with the blocks."""
        counted = self._counted is not None and isinstance(i, int) and i in self._counted
        if not counted or self._t is None:
            return self.literal(i)
        return _from_t(i - self.written.real(self._t))


def _from_t(away: int) -> ast.expr:
    return parsed(f"t {'+' if away > 0 else '-'} {abs(away)}" if away else "t")
