"""One quantity of a comparison: by hand, on the tape, and whether the two agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinygrad_lstm.comparison.spelling import spellings
from tinygrad_lstm.engine.backward import Gradients
from tinygrad_lstm.engine.gradients import Part
from tinygrad_lstm.engine.memory import NUMBERS, array_of
from tinygrad_lstm.engine.names import Key
from tinygrad_lstm.engine.tape import Tape
from tinygrad_lstm.errors import DtypeError, UnknownNameError
from tinygrad_lstm.numeric.rounding import Rounding

__all__ = ["Entry", "Judge", "Row", "entries"]

LARGER = (
    1000  # times may gradients by hand be larger than on the tape, what is rounding is rounding
)
RTOL = {2: 1e-2, 4: 1e-4, 8: 1e-9}  # by the bytes of a number: float16, float32, float64

NEUTRAL = ("right", "not differentiated", "missing", "not done yet")
UNUSABLE = ("wrong shape", "not finite")


@dataclass(frozen=True)
class Row:
    """One quantity of a comparison.

    Attributes
    ----------
    name : str
        The quantity, as the hand side calls it.
    shape : tuple of int or None
        Its shape on the tape; None for a name that has no derivative there.
    error : float or None
        ``max|hand - tape| / max|tape|``; None where the two cannot be subtracted.
    rtol : float or None
        The error up to which it counts as right.
    verdict : str
        ``right``, ``first wrong``, ``wrong because of``, ``wrong shape``, ``not finite``, ``unknown
        name``, ``missing``, ``not done yet`` (None was given) or ``not differentiated``.
    note : str
        What the verdict leaves open: the other shape, the entry that is not finite, the nearest
        name.
    because : str
        The row from which it inherits a mistake; empty where there is none above it. A row that is
        ``first wrong`` all the same has a mistake of its own besides.
    key : Key or None
        The quantity, in the one spelling of the tape, whatever the hand side calls it; None for an
        unknown name.
    """

    name: str
    shape: tuple[int, ...] | None
    error: float | None
    rtol: float | None
    verdict: str
    note: str = ""
    because: str = ""
    key: Key | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing speaks against it: it is right, or not given, or a constant of this tape,
        which has no derivative."""
        return self.verdict in NEUTRAL

    @property
    def own(self) -> bool:
        """Whether it is wrong by itself, and not only because of what it was computed from."""
        return self.verdict == "first wrong" or (self.verdict in UNUSABLE and not self.because)


@dataclass
class Entry:
    """A row in the making. An unknown name has no `part`, and comes last."""

    key: Any
    hand: np.ndarray
    part: Part | None
    place: tuple[int, int, int]
    row: Row

    @property
    def usable(self) -> bool:
        """Whether the hand value can be computed with."""
        return self.part is not None and self.row.verdict not in UNUSABLE


class Judge:
    """Compares arrays, and knows what rounding excuses.

    Parameters
    ----------
    gradients : Gradients
        The side of the tape.
    rtol : float, optional
        The relative tolerance; by default that of the coarsest dtype, of either side or of any
        stage: what was once rounded to float32 stays so in float64.
    """

    gradients: Gradients
    rtol: float | None

    def __init__(self, gradients: Gradients, rtol: float | None) -> None:
        self.gradients, self.rtol, self._rounding = gradients, rtol, Rounding(gradients)
        dtypes = {stage.output.dtype for stage in gradients.tape.stages}
        self._computed = [np.finfo(dtype) for dtype in dtypes if dtype.kind in "fc"]

    def row(self, name: str, key: Any, hand: np.ndarray) -> Row:
        """The row of a quantity that has a derivative on the tape."""
        tape = np.asarray(array_of(self.gradients[key]))
        if hand.dtype.kind == "c" and tape.dtype.kind != "c":
            what = "the hand value is complex, and the derivative by a real value is real"
            raise DtypeError(
                what,
                where=name,
                expected=str(tape.dtype),
                got=str(hand.dtype),
                do="give its real part",
            )
        if hand.shape != tape.shape:
            return Row(name, tape.shape, None, None, "wrong shape", f"by hand {hand.shape}")
        for side, array in (("by hand", hand), ("on the tape", tape)):
            if not np.isfinite(array).all():
                at = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
                return Row(
                    name, tape.shape, None, None, "not finite", f"{array[at]} {side}, at {list(at)}"
                )
        error, rtol, note = self.agreement(key, hand, tape)
        return Row(
            name, tape.shape, error, rtol, "first wrong" if note is None else "right", note or ""
        )

    def agreement(
        self, key: Any, hand: np.ndarray, reference: np.ndarray
    ) -> tuple[float, float, str | None]:
        """The relative error, the tolerance, and None for a disagreement; a note for an agreement,
        empty where none is needed."""
        sides = [np.finfo(a.dtype) for a in (reference, hand) if a.dtype.kind in "fc"]
        coarser = max(*sides, *self._computed, key=lambda info: info.eps)
        rtol = RTOL[min(coarser.dtype.itemsize, 8)] if self.rtol is None else self.rtol
        largest, off = (float(np.max(np.abs(a), initial=0)) for a in (reference, hand - reference))
        error = off / largest if largest else np.inf if off else 0.0
        if error <= rtol:
            return error, rtol, ""
        excused = off <= self._rounding.limit(coarser) and off <= self._moves(key, coarser, largest)
        return error, rtol, "the difference is rounding" if excused else None

    def _moves(self, key: Any, coarser: np.finfo[Any], largest: float) -> float:
        """How far rounding moves a value; more, where that is all there is to it, as it is by hand
        below a mistake that makes gradients larger."""
        moves = float(np.max(self._rounding.moves(key, coarser), initial=0))
        return moves * (LARGER if largest <= moves else 1)


def entries(judge: Judge, hand: Mapping[Any, Any]) -> list[Entry]:
    """Every quantity of the hand side, in the order in which backward finds them."""
    tape = judge.gradients.tape
    places = {
        id(x): i
        for i, x in enumerate((*(stage.output for stage in reversed(tape.stages)), *tape.leaves))
    }
    found = [_entry(judge, key, value, places) for key, value in hand.items()]
    return sorted(found, key=lambda entry: entry.place)


def _entry(judge: Judge, key: Any, value: Any, places: dict[int, int]) -> Entry:
    """One quantity of the hand side."""
    gradients, tape = judge.gradients, judge.gradients.tape
    name, last = key if isinstance(key, str) else tape.label(key), (len(places), 0, 0)
    array = np.empty(0) if value is None else _numbers(key, value)
    try:
        part, meant = _meant(gradients, key)
    except UnknownNameError as error:
        return Entry(key, array, None, last, _without_derivative(name, key, tape, error))
    if value is None:
        shape = tuple(part.value.shape)
        row = Row(name, shape, None, None, "not done yet", key=gradients.key(part))
        return Entry(key, array, None, last, row)
    row = replace(judge.row(name, meant, array), key=gradients.key(part))
    if meant is not key:
        read = f"read as {meant}"
        row = replace(row, note=f"{read}; {row.note}" if row.note else read)
    return Entry(meant, array, part, _place(part, places), row)


def _meant(gradients: Gradients, key: Any) -> tuple[Part, Any]:
    """What a key asks for, and the key: in another spelling, where it misses a name by its own."""
    try:
        return gradients.part(key), key
    except UnknownNameError:
        others = spellings(key) if isinstance(key, str) else ()
        other = next((name for name in others if name in gradients), None)
        if other is None:
            raise
        return gradients.part(other), other


def _place(part: Part, places: dict[int, int]) -> tuple[int, int, int]:
    """When backward finds a quantity: the step at which the value's sum is complete, before it its
    branches and their shares."""
    consumer = places[id(part.branches[-1].stage.output)] if part.kind != "total" else 0
    return places[id(part.value)], ("branch", "share", "total").index(part.kind), consumer


def _numbers(key: Any, value: Any) -> np.ndarray:
    try:
        array = np.asarray(array_of(value))
    except ValueError as error:  # ragged lists
        raise DtypeError("the hand value is no array", where=str(key), got=str(error)) from error
    if array.dtype.kind not in NUMBERS:
        raise DtypeError(
            "the hand value does not hold numbers",
            where=str(key),
            expected="an array, a Tensor or a number",
            got=type(value).__name__,
        )
    return array


def _without_derivative(name: str, key: Any, tape: Tape, error: UnknownNameError) -> Row:
    """The row of a name that the tape does not know, or knows as a constant."""
    if isinstance(key, str):
        found = tape.naming.meant(str(Key.parse(key).value))
    else:
        found = [x for x in tape.values if x is key]
    if found and not any(x.requires_grad for x in found):
        return Row(
            name,
            found[0].shape if len(found) == 1 else None,
            None,
            None,
            "not differentiated",
            "a constant on this tape",
        )
    return Row(
        name,
        None,
        None,
        None,
        "unknown name",
        f"{error.what}; {error.do or f'expected {error.expected}'}",
    )
