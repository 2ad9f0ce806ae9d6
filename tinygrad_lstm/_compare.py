"""compare: what somebody derived by hand beside what backward found, one row a quantity, in the order of backward."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_lstm._backward import Gradients
from tinygrad_lstm._backward import gradients as differentiate
from tinygrad_lstm._errors import DataError, DtypeError, UnknownNameError
from tinygrad_lstm._node import NUMBERS
from tinygrad_lstm._operation import recorded
from tinygrad_lstm._recorder import recording
from tinygrad_lstm._tape import Tape, canonical
from tinygrad_lstm._tensor import Tensor
from tinygrad_lstm._text import aligned

__all__ = ["Comparison", "Rounding", "Row", "compare"]

RTOL = {2: 1e-2, 4: 1e-4, 8: 1e-9}  # by the bytes of a number: float16, float32, float64
ROUNDINGS = 16  # how many roundings a number may have gone through


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
        ``right``, ``wrong``, ``wrong shape``, ``not finite``, ``unknown name`` or ``not differentiated``.
    note : str
        What the verdict leaves open: the other shape, the entry that is not finite, the nearest name.
    """

    name: str
    shape: tuple[int, ...] | None
    error: float | None
    rtol: float | None
    verdict: str
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing speaks against it: it is right, or a constant of this tape, which has no derivative."""
        return self.verdict in ("right", "not differentiated")


@dataclass(frozen=True)
class Comparison:
    """What :func:`compare` found. It is true if everything is right, and prints as a table.

    Attributes
    ----------
    root : str
        The name of the value that was differentiated.
    rows : tuple of Row
        In the order in which backward runs: from the root to the parameters, the branches of a value before their sum.
    """

    root: str
    rows: tuple[Row, ...]

    @property
    def ok(self) -> bool:
        """Whether at least one row is right and none fails."""
        return all(row.ok for row in self.rows) and any(row.verdict == "right" for row in self.rows)

    @property
    def exit_status(self) -> int:
        """What a program ends with: 0 if everything is right, 1 if not."""
        return 0 if self.ok else 1

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        cells = [("quantity", "shape", "largest error", "verdict"), *map(_cells, self.rows)]
        counts = Counter(row.verdict for row in self.rows)
        tolerances = ", ".join(f"{rtol:.0e}" for rtol in sorted({row.rtol for row in self.rows if row.rtol is not None}))
        return "\n".join(
            [
                f"by hand and by backward from {self.root}, in the order in which backward runs",
                *aligned(cells),
                f"{len(self.rows)} rows: {', '.join(f'{n} {verdict}' for verdict, n in counts.items())}",
                f"largest error = max|hand - tape| / max|tape|; right up to {tolerances or 'rounding'}, or within what rounding does to the value",
            ]
        )


def compare(gradients: Gradients, hand: Mapping[Any, Any], rtol: float | None = None) -> Comparison:
    """Compare derivatives by hand with those of backward.

    Parameters
    ----------
    gradients : Gradients
        What ``gradients(loss)`` returned, for any graph.
    hand : mapping of str to array_like or Tensor
        The derivatives by hand, by the tape's names: ``"c<2>"`` for a total, ``"c<2> via keep<3>"`` for a branch. Tensors
        of the tape are keys too.
    rtol : float, optional
        The largest relative error that counts as right. By default 1e-9 for float64, 1e-4 for float32 and 1e-2 for
        float16, by the coarser side. A value that rounding alone moves by more (one that is 0 but for rounding, for
        instance) may differ by that much.

    Returns
    -------
    Comparison
        A row for each name in `hand`, in the order in which backward runs.

    Raises
    ------
    DtypeError
        If `gradients` is no Gradients, `hand` no mapping, or one of its values is not made of numbers.
    DataError
        If `hand` is empty, or `rtol` is not a tolerance.

    Examples
    --------
    >>> from tinygrad_lstm import Tensor, gradients
    >>> x = Tensor(3.0, requires_grad=True, name="x")
    >>> y = (x * x).named("y")
    >>> report = compare(gradients(y * y), {"y": 18.0, "x": 54.0})
    >>> [(row.name, row.verdict) for row in report.rows], report.exit_status
    ([('y', 'right'), ('x', 'wrong')], 1)
    """
    _check(gradients, hand, rtol)
    tape = gradients.tape
    places = {id(x): i for i, x in enumerate((*(stage.output for stage in reversed(tape.stages)), *tape.leaves))}
    rounding = Rounding(gradients)
    rows = []
    for key, value in hand.items():
        name, array = key if isinstance(key, str) else tape.label(key), _numbers(key, value)
        try:
            place = _place(gradients, key, places)
            row = _row(name, key, array, rounding, rtol)
        except UnknownNameError as error:
            place = (len(places), 0, 0)
            row = _without_derivative(name, key, tape, error)
        rows.append((place, row))
    return Comparison(tape.label(tape.root), tuple(row for _, row in sorted(rows, key=lambda pair: pair[0])))


class Rounding:
    """How far rounding alone moves the derivatives of a tape.

    A value that is 0 but for rounding, or a gate that is shut but for its last digits, cannot be judged by a relative
    error. So the tape runs again, forward and backward, with every number moved at random by the roundings that it may
    have gone through; what a derivative then moves is what its digits are worth.

    Parameters
    ----------
    gradients : Gradients
        The derivatives. Nothing runs before the first question.
    """

    def __init__(self, gradients: Gradients) -> None:
        self.gradients = gradients
        self._runs: dict[Any, list[Gradients]] = {}

    def moves(self, key: Any, precision: np.finfo[Any]) -> np.ndarray:
        """How far rounding to `precision` moves each entry of a derivative."""
        if precision not in self._runs:
            self._runs[precision] = [self._run(float(precision.eps), seed) for seed in range(3)]
        value = _plain(self.gradients[key])
        with np.errstate(all="ignore"):
            moves = [np.abs(run[_twin(key, self.gradients.tape, run.tape)] - value) for run in self._runs[precision]]
        underflow = float(precision.tiny) * max(1.0, self._largest)
        return np.clip(np.nan_to_num(np.max(moves, axis=0)), underflow, self.limit(precision))  # type: ignore[no-any-return]

    def limit(self, precision: np.finfo[Any]) -> float:
        """The move that is never exceeded, a share of the largest gradient of the tape: at a kink it would be the jump."""
        return 1024 * float(precision.eps) * self._largest

    @functools.cached_property
    def _largest(self) -> float:
        values = (_plain(self.gradients[x]) for x in self.gradients.tape.values if x.requires_grad)
        return max(float(np.max(np.abs(value), initial=0, where=np.isfinite(value))) for value in values)

    def _run(self, eps: float, seed: int) -> Gradients:
        tape, rng = self.gradients.tape, np.random.default_rng(seed)

        def move(x: Any) -> Any:
            if np.result_type(x).kind not in "fc":
                return x
            shift = ROUNDINGS * eps * rng.uniform(-1, 1, np.shape(x))
            return np.asarray(x + x * shift, x.dtype) if isinstance(x, np.ndarray) else x * (1 + float(shift))  # a number stays weak

        twins = {id(x): Tensor(move(x._array), x.requires_grad) for x in tape.leaves}
        with recording(True), np.errstate(all="ignore"):
            for stage in tape.stages:
                inputs = (twins[id(x)] if id(x) in twins else move(x) for x in stage.inputs)
                twin = recorded(stage.output._op)(*inputs, **stage.params)
                twin._array = move(twin._array)
                twins[id(stage.output)] = twin
            for x in tape.values:
                twins[id(x)]._label, twins[id(x)]._block = x._label, x._block
            return differentiate(twins[id(tape.root)], _plain(self.gradients[tape.root]))


def _twin(key: Any, tape: Tape, other: Tape) -> Any:
    """The key by which another run of `tape` knows a value."""
    return key if isinstance(key, str) else next(b for a, b in zip(tape.values, other.values, strict=True) if a is key)


def _check(gradients: Any, hand: Any, rtol: Any) -> None:
    if not isinstance(gradients, Gradients):
        raise DtypeError("compare needs derivatives", expected="gradients(loss)", got=type(gradients).__name__, do="compare(gradients(loss), hand)")
    if not isinstance(hand, Mapping):
        raise DtypeError("the hand side is no mapping", where="compare", expected="names and arrays, such as a dict", got=type(hand).__name__)
    if not hand:
        raise DataError("the hand side is empty, so there is nothing to compare", where="compare")
    check_tolerance("compare", rtol)


def check_tolerance(where: str, rtol: Any) -> None:
    """Refuse what is no tolerance; None stands for the usual one."""
    if rtol is not None and not (isinstance(rtol, (int, float, np.integer, np.floating)) and 0 <= rtol < np.inf):
        raise DataError("this is not a tolerance", where=f"{where}(rtol=...)", expected="a number from 0", got=repr(rtol))


def _numbers(key: Any, value: Any) -> np.ndarray:
    try:
        array = np.asarray(_plain(value))
    except ValueError as error:  # ragged lists
        raise DtypeError("the hand value is no array", where=str(key), got=str(error)) from error
    if array.dtype.kind not in NUMBERS:
        raise DtypeError("the hand value does not hold numbers", where=str(key), expected="an array, a Tensor or a number", got=type(value).__name__)
    return array


def _plain(value: Any) -> Any:
    return getattr(value, "_array", value)


def _place(gradients: Gradients, key: Any, places: dict[int, int]) -> tuple[int, int, int]:
    """When backward finds a quantity: the step at which the value's sum is complete, its branches before it."""
    value, consumer = gradients.parts(key)
    if not consumer:
        return places[id(gradients.find(key))], 1, 0
    step = places[id(gradients.find(value))]
    gradients[key]  # an unknown consumer is refused here
    return step, 0, places[id(gradients.tape.names[canonical(consumer).partition("[")[0]][0])]


def _row(name: str, key: Any, hand: np.ndarray, rounding: Rounding, rtol: float | None) -> Row:
    """The row of a quantity that has a derivative on the tape."""
    tape = np.asarray(_plain(rounding.gradients[key]))
    if hand.shape != tape.shape:
        return Row(name, tape.shape, None, None, "wrong shape", f"by hand {hand.shape}")
    for side, array in (("by hand", hand), ("on the tape", tape)):
        if not np.isfinite(array).all():
            at = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            return Row(name, tape.shape, None, None, "not finite", f"{array[at]} {side}, at {list(at)}")
    coarser = max((np.finfo(a.dtype) for a in (tape, hand) if a.dtype.kind in "fc"), key=lambda info: info.eps)
    rtol = RTOL[min(coarser.dtype.itemsize, 8)] if rtol is None else rtol
    largest, off = (float(np.max(np.abs(a), initial=0)) for a in (tape, hand - tape))
    error = off / largest if largest else np.inf if off else 0.0
    if error <= rtol:
        return Row(name, tape.shape, error, rtol, "right")
    if off <= rounding.limit(coarser) and off <= np.max(rounding.moves(key, coarser)):
        return Row(name, tape.shape, error, rtol, "right", "the difference is rounding")
    return Row(name, tape.shape, error, rtol, "wrong")


def _without_derivative(name: str, key: Any, tape: Tape, error: UnknownNameError) -> Row:
    """The row of a name that the tape does not know, or knows as a constant."""
    if isinstance(key, str):
        value = canonical(key.partition(" via ")[0])
        share = re.compile(re.escape(value) + r"<\d+>")  # x, where the tape has x<1>, x<2>, ..
        found = tape.names.get(value) or [x for other in tape.names if share.fullmatch(other) for x in tape.names[other]]
    else:
        found = [x for x in tape.values if x is key]
    if found and not any(x.requires_grad for x in found):
        return Row(name, found[0].shape if len(found) == 1 else None, None, None, "not differentiated", "a constant on this tape")
    return Row(name, None, None, None, "unknown name", f"{error.what}; {error.do or f'expected {error.expected}'}")


def _cells(row: Row) -> tuple[str, str, str, str]:
    shape = "" if row.shape is None else str(row.shape)
    error = "" if row.error is None else f"{row.error:.2g}"
    return row.name, shape, error, f"{row.verdict} ({row.note})" if row.note else row.verdict
