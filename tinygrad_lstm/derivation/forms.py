"""When two formulas are the same but for the block: what a recurrent form compares."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lstm.derivation.arrays import contents
from tinygrad_lstm.derivation.expression import Apply, Expression, parts
from tinygrad_lstm.derivation.written import Written
from tinygrad_lstm.engine.memory import SCALARS

__all__ = ["Forms", "runs", "telling"]


class Form(NamedTuple):
    """What a formula is made of: everything but the positions in its indices, and these."""

    frame: int
    positions: tuple[int, ...]


class Forms:
    """The forms of the formulas of a derivation: equal where two formulas differ by their block
    only."""

    def __init__(self, written: Written) -> None:
        self._written, self._places = written, written.derivation.places
        self._arrays = written.arrays
        self._known: dict[Any, int] = {}

    def of(self, e: Expression, t: int | None) -> Form:
        """The form of a formula, with the blocks counted from t."""
        known: dict[int, int] = {}
        positions: list[int] = []
        for part in parts(e):
            if isinstance(part, Apply):
                params = tuple(
                    (name, self._plain(value, t, positions if name == "key" else None))
                    for name, value in part.params.items()
                )
                args = (known[id(arg)] for arg in part.args)
                found: Any = (id(part.op), params, part.shape, *args)
            elif part.name is None:
                found = self._plain(part.array, t, None)
            else:
                found = (*self._placed(part.name, t), part.gradient, part.through)
            known[id(part)] = self._known.setdefault(found, len(self._known))
        return Form(known[id(e)], tuple(positions))

    def counted(
        self, formulas: Mapping[int, tuple[Expression, int | None]]
    ) -> tuple[dict[int, Form], dict[int, frozenset[int] | None]]:
        """The forms of several formulas, each with its block, where a position that moves on with
        the blocks is counted from the block, as the 2 in ``x[2]`` of block 3 is t−1.

        Returns
        -------
        dict of int to Form
            The forms.
        dict of int to frozenset of int, or None
            The positions that are counted so; None where another one is the same number, so that
            the two cannot be told apart.
        """
        found = {key: self.of(e, t) for key, (e, t) in formulas.items()}
        moving: dict[int, frozenset[int] | None] = dict.fromkeys(found, frozenset())
        frames: dict[int, list[int]] = defaultdict(list)
        for key, form in found.items():
            if form.positions and formulas[key][1] is not None:
                frames[form.frame].append(key)
        for keys in frames.values():
            blocks = [self._written.real(formulas[key][1] or 0) for key in keys]
            columns = zip(*(found[key].positions for key in keys), strict=True)
            moves = [_moves(column, blocks) for column in columns]
            for key, block in zip(keys, blocks, strict=True):
                pairs = list(zip(found[key].positions, moves, strict=True))
                counted = frozenset(i for i, m in pairs if m)
                moving[key] = None if counted & {i for i, m in pairs if not m} else counted
                away = tuple(i - block if m else i for i, m in pairs)
                found[key] = Form(found[key].frame, away)
        return found, moving

    def _placed(self, text: str, t: int | None) -> tuple[str, int | None]:
        name = self._places.get(text)
        if name is None:
            return text, None
        return name.role, name.shifted(-(t or 0)).block

    def _plain(self, value: Any, t: int | None, positions: list[int] | None) -> Any:
        """A parameter or number as something to compare; positions are put aside."""
        if isinstance(value, np.ndarray):
            name = self._arrays.name(value)
            return contents(value) if name is None else self._placed(name, t)
        if isinstance(value, (tuple, list)):
            return tuple(self._plain(each, t, positions) for each in value)
        if isinstance(value, slice):
            return "slice", self._plain((value.start, value.stop, value.step), t, positions)
        if isinstance(value, int) and not isinstance(value, bool) and positions is not None:
            positions.append(value)
            return int
        plain = isinstance(value, (*SCALARS, str, type(None)))
        return (type(value), value) if plain else id(value)


def _moves(column: tuple[int, ...], blocks: list[int]) -> bool:
    """Whether positions move on with the blocks."""
    away = {i - t for i, t in zip(column, blocks, strict=True)}
    return len(away) == 1 and len(set(column)) > 1


def telling(run: list[int], moving: Mapping[int, frozenset[int] | None]) -> int | None:
    """The block whose line can be written for all of a run."""
    return next((t for t in run if moving[t] is not None), None)


def runs(forms: Mapping[int, Any]) -> Iterator[list[int]]:
    """Blocks in a row that have the same form."""
    run: list[int] = []
    for t in sorted(forms):
        if run and (t != run[-1] + 1 or forms[t] != forms[run[0]]):
            yield run
            run = []
        run.append(t)
    yield run
