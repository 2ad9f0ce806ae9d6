"""Arrays inside formulas, such as indices and masks: the names by which a formula refers to them,
so that it can be computed from what is written."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from tinygrad_lstm.derivation.expression import Apply, Expression, parts
from tinygrad_lstm.derivation.notation import Notation
from tinygrad_lstm.derivation.row import Row
from tinygrad_lstm.engine.names import Name
from tinygrad_lstm.engine.tape import Stage

__all__ = ["Arrays", "contents", "is_long", "uniform"]

SHORT = 9  # entries: so many are written where they stand
MANY = 500  # entries: more are not written at all


class Arrays:
    """The arrays of a derivation that are too long to be written in the middle of a formula.

    An array that only the stages of one block read belongs to this block, as ``ids<2>``; what is
    equal has one name there.

    Parameters
    ----------
    formulas : iterable of (Expression, Stage or None)
        Each formula, and the stage whose rule it is.
    taken : mapping of str
        The names that mean something else.

    Attributes
    ----------
    values : dict of str to ndarray
        The arrays by name.
    places : dict of str to Name
        The names of those that belong to a block.
    """

    def __init__(
        self, formulas: Iterable[tuple[Expression, Stage | None]], taken: Mapping[str, Any]
    ) -> None:
        stems: dict[Any, tuple[str, set[int | None]]] = {}
        found: list[tuple[Any, np.ndarray, int | None]] = []
        for formula, stage in formulas:
            block = None if stage is None else stage.block
            for stem, array in _arrays(formula, stage):
                key = contents(array)
                stems.setdefault(key, (stem, set()))[1].add(block)
                found.append((key, array, block))
        self._names: dict[int, str] = {}
        self._kept = [array for _, array, _ in found]  # an id is that of a living array
        self.values: dict[str, np.ndarray] = {}
        self.places: dict[str, Name] = {}
        names: dict[Any, str] = {}
        for key, array, block in found:
            own = key if block is None else (key, block)
            if own not in names:
                name = self._free(stems[key][0], block, taken)
                names[own] = str(name)
                self.values[names[own]] = array
                if block is not None:
                    self.places[names[own]] = name
            self._names[id(array)] = names[own]

    def name(self, array: Any) -> str | None:
        """What an array is called; None for one that is written where it stands."""
        return self._names.get(id(array))

    def rows(
        self, notation: Notation, names: Iterable[str] | None = None, all: str = ""
    ) -> list[Row]:
        """A row for each name, with the entries of the array; with its shape where these are many,
        in LaTeX, and where the name stands for `all` blocks."""
        rows = []
        for name in self.values if names is None else names:
            array = self.values[name]
            text = repr(array.tolist()).replace("-", "−")
            if array.size > MANY or notation.latex or all:
                text = notation.words(f"{array.dtype} {array.shape}, one of the values")
            rows.append(Row(notation.called(all or name), (text,)))
        return rows

    def _free(self, stem: str, block: int | None, taken: Mapping[str, Any]) -> Name:
        marks = itertools.chain([""], (f"#{n}" for n in itertools.count(2)))
        names = (Name(stem + mark, block) for mark in marks)
        return next(n for n in names if str(n) not in taken and str(n) not in self.values)


def _arrays(formula: Expression, stage: Stage | None) -> Iterator[tuple[str, np.ndarray]]:
    """The long arrays of a formula, each with the word for it."""
    given = {}
    for name, value in stage.output._params.items() if stage is not None else ():
        if isinstance(value, np.ndarray):
            given[contents(value)] = name
    for part in parts(formula):
        if not isinstance(part, Apply):
            if part.name is None and isinstance(part.array, np.ndarray) and is_long(part.array):
                yield given.get(contents(part.array), "array"), part.array
            continue
        for name, value in part.params.items():
            for array in value if isinstance(value, tuple) else (value,):
                if isinstance(array, np.ndarray) and is_long(array):
                    word = "mask" if array.dtype == bool else "ids" if name == "key" else name
                    yield word, array


def is_long(array: np.ndarray) -> bool:
    """Whether an array is not written where it stands, but called by a name."""
    return array.size > SHORT and not uniform(array)


def uniform(array: np.ndarray) -> bool:
    """Whether an array repeats one number."""
    return array.size > 0 and bool(np.all(array == array.flat[0]))


def contents(array: np.ndarray) -> tuple[Any, ...]:
    """What two arrays have in common that are equal in everything."""
    return array.shape, array.dtype.str, array.tobytes()
