"""gradcheck: the derivative rules against numbers that know no rule. Always in float64.

Where every stage is analytic the derivative by an entry is ``imag(f(x + ih)) / h`` (the complex step: Squire & Trapp,
1998). Nothing is subtracted, so h can be tiny and the result is exact to rounding. Elsewhere it is a central difference
with Richardson extrapolation, at the step at which its own error estimate is smallest. So it is for single entries whose
complex step underflows. At a kink there is no derivative, whatever a rule says by convention: nothing is decided there.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_lstm._backward import gradients
from tinygrad_lstm._compare import Rounding, check_tolerance
from tinygrad_lstm._differences import FLOAT64, differentiate, weighted
from tinygrad_lstm._errors import DataError, DtypeError, GradientError, ShapeError
from tinygrad_lstm._recorder import recording
from tinygrad_lstm._tape import Tape
from tinygrad_lstm._tensor import Tensor

__all__ = ["Entry", "GradCheck", "gradcheck", "numeric_gradients"]

H = 1e-100  # the complex step: its square vanishes beside any value in use, and its products do not underflow
EVERY_OUTPUT = 64  # up to so many entries of f's result have their own row of the Jacobian
COMPLEX_STEP = ("complex step", 1e-9, "a complex step is exact to rounding")  # with the usual rtol, and why
DIFFERENCES = ("central differences with Richardson extrapolation", 1e-6, "a difference is not exact: ten times its estimated error is added")


@dataclass(frozen=True)
class Entry:
    """One derivative on which backward and the numeric derivative do not agree, such as ``d f[2] / d x[0, 1]``."""

    name: str
    tape: float
    numeric: float
    tolerance: float  # how far apart they may be
    doubt: str  # why the numeric value cannot be trusted; empty where it can

    def __str__(self) -> str:
        apart = abs(self.tape - self.numeric)
        line = f"{self.name}: backward {self.tape:.10g}, numeric {self.numeric:.10g}, {apart:.2g} apart, tolerance {self.tolerance:.2g}"
        return f"{line}; undecided: {self.doubt}" if self.doubt else line


@dataclass(frozen=True)
class GradCheck:
    """What :func:`gradcheck` found. It is true if every derivative agrees, and prints as a report."""

    method: str  # how the numeric derivatives were computed
    reason: str  # why so
    tolerance: str  # how far apart two values may be, and why
    checked: int  # how many derivatives were compared
    failures: tuple[Entry, ...]  # those that are off, worst first

    def __bool__(self) -> bool:
        return not self.failures

    def __str__(self) -> str:
        off = len(self.failures)
        lines = [f"gradcheck: {self.checked} derivatives, {f'{off} off' if off else 'all agree'}", *(f"  {e}" for e in self.failures[:5])]
        lines += [f"  and {off - 5} more"] if off > 5 else []
        return "\n".join([*lines, f"numeric: {self.method}, since {self.reason}", f"tolerance: {self.tolerance}"])


def gradcheck(f: Callable[..., Any], *tensors: Any, rtol: float | None = None) -> GradCheck:
    """Check the derivatives of a function by backward against numeric ones, entry by entry, in float64.

    Parameters
    ----------
    f : callable
        Takes Tensors and returns a Tensor, of any shape; the same one each time. Of up to 64 entries the whole Jacobian is
        checked, of more a random weighted sum.
    *tensors : Tensor
        Where to check. Copies in float64 are used; these Tensors are not touched.
    rtol : float, optional
        How far apart two derivatives may be, relative to their size. By default 1e-9 for the complex step, and 1e-6 for
        differences. What rounding does to the value, and the estimated error of a difference, are added.

    Returns
    -------
    GradCheck
        True if all agree. As text it names the worst entries, both values, the tolerance and its reasons. Where the numeric
        derivative cannot be trusted, and at a kink, which has none, an entry is undecided, and does not count as agreeing.

    Raises
    ------
    DtypeError
        If there are no Tensors or not of real floating-point numbers, if f returns none, or one not computed in float64.
    GradientError, DataError
        If f is not deterministic, depends on none of the Tensors, or is not finite; if `rtol` is not a tolerance.

    Examples
    --------
    >>> from tinygrad_lstm import Tensor, gradcheck, tanh
    >>> print(gradcheck(lambda x: tanh(x * x), Tensor([0.5, -2.0])))
    gradcheck: 4 derivatives, all agree
    numeric: complex step, since every stage is analytic
    tolerance: 1e-09 of the value (a complex step is exact to rounding), and what rounding does to it
    """
    check_tolerance("gradcheck", rtol)
    at = _Point(f, tensors)
    method, usual, why = DIFFERENCES if at.obstacle else COMPLEX_STEP
    rtol = usual if rtol is None else rtol
    weights, sums = _weights(at.y.shape)
    numeric = at.derivatives(weights)
    failures: list[Entry] = []
    for k, weight in enumerate(weights):
        rounding = Rounding(gradients(at.result, weight.reshape(at.y.shape)))
        for i, (x, found) in enumerate(zip(at.inputs, numeric, strict=True)):
            what = f"d {sums[k]} / d {x.name or f'input {i}'}"
            tape = rounding.gradients[x] if x in rounding.gradients else np.zeros(x.shape)
            at.mend_underflow(found[:, k], i, tape, weight)
            failures += _failures(what, rounding, x, tape, found[:, k], rtol, float(np.abs(weight) @ np.abs(at.y).ravel()))
    failures.sort(key=lambda e: abs(e.tape - e.numeric) / max(e.tolerance, 1e-300), reverse=True)
    reason, tolerance = at.obstacle or "every stage is analytic", f"{rtol:.0e} of the value ({why}), and what rounding does to it"
    return GradCheck(method, reason, tolerance, sum(found[0].size for found in numeric), tuple(failures))


def numeric_gradients(f: Callable[..., Any], *tensors: Any) -> list[np.ndarray]:
    """The derivatives of a scalar function by every entry of its arguments, from its values alone.

    Parameters
    ----------
    f : callable
        Takes Tensors and returns a Tensor with one entry. It runs under ``no_grad``.
    *tensors : Tensor
        Where. They are not touched.

    Returns
    -------
    list of float64 ndarray
        For each Tensor, of its shape.

    Raises
    ------
    ShapeError
        If the result is no scalar. The other errors are those of :func:`gradcheck`.

    Examples
    --------
    >>> from tinygrad_lstm import Tensor
    >>> numeric_gradients(lambda x: (x * x).sum(), Tensor([1.0, -3.0]))
    [array([ 2., -6.])]
    """
    at = _Point(f, tensors, record=False)
    if at.y.size != 1:
        raise ShapeError("only a scalar function has a gradient", where="numeric_gradients", expected="one entry", got=at.y.shape)
    return [found[0, 0] for found in at.derivatives(np.ones((1, 1)))]


class _Point:
    """A function at a point: its result there, and numeric derivatives, for which it runs with or without recording."""

    def __init__(self, f: Callable[..., Any], tensors: Sequence[Any], record: bool = True) -> None:
        if not tensors:
            raise DtypeError("there is nothing to differentiate by", where="gradcheck", expected="f and at least one Tensor")
        self.arrays = [_real(x, i) for i, x in enumerate(tensors, 2)]
        self.f, self.record, self.labels = f, record, [x.name for x in tensors]
        self.inputs = self._tensors(self.arrays)
        with recording(True):
            self.result = f(*self.inputs)
        self.y = _checked(self.result, self.inputs)
        if not np.allclose(self(self.arrays), self.y, rtol=1e-12, atol=0):
            raise GradientError("f is not deterministic", where="gradcheck", expected="the same result each time", do="fix its seed inside f")
        self.obstacle = self._obstacle()

    def _tensors(self, arrays: list[np.ndarray]) -> list[Tensor]:
        return [Tensor(a, True, name) for a, name in zip(arrays, self.labels, strict=True)]

    def __call__(self, arrays: list[np.ndarray]) -> np.ndarray:
        with recording(self.record), np.errstate(all="ignore"):
            return self.f(*self._tensors(arrays))._array  # type: ignore[no-any-return]

    def derivatives(self, weights: np.ndarray) -> list[np.ndarray]:
        """What `differentiate` returns of the K weighted sums of f's entries, for each input: of shape (4, K, *shape)."""
        column = self._differences if self.obstacle else self._complex_step
        found = []
        for i, x in enumerate(self.arrays):
            columns = np.array([column(i, j, weights) for j in np.ndindex(x.shape)]).reshape(x.size, 4, len(weights))
            found.append(columns.transpose(1, 2, 0).reshape(4, len(weights), *x.shape))
        return found

    def mend_underflow(self, found: np.ndarray, i: int, tape: np.ndarray, weight: np.ndarray) -> None:
        """Judge by differences what backward finds in input `i` and the complex step may have lost: h times it is no number."""
        if not self.obstacle:
            entries = np.moveaxis(found, 0, -1)
            for j in map(tuple, np.argwhere((tape != 0) & (np.abs(found[0]) < FLOAT64.tiny / H)).tolist()):
                entries[j] = self._differences(i, j, weight[np.newaxis])[:, 0]

    def _complex_step(self, i: int, j: tuple[int, ...], weights: np.ndarray) -> np.ndarray:
        """The derivatives by entry `j` of input `i`. Nothing is known to be wrong with them."""
        slope = weighted(weights, self._moved(i, j, 1j * H).imag.ravel() / H)
        return np.array([slope, np.zeros_like(slope), *np.full((2, len(slope)), np.nan)])

    def _differences(self, i: int, j: tuple[int, ...], weights: np.ndarray) -> np.ndarray:
        size = abs(self.arrays[i][j]) or np.max(np.abs(self.arrays[i]))
        return differentiate(lambda h: self._moved(i, j, h), size, weights)

    def _moved(self, i: int, j: tuple[int, ...], step: complex) -> np.ndarray:
        """The value of f where entry `j` of input `i` is moved."""
        moved = [a.astype(np.result_type(a, step)) for a in self.arrays]
        moved[i][j] += step
        return self(moved)

    def _obstacle(self) -> str | None:
        """Why the complex step cannot be used, or None. Stages first; then a trial, for what f does outside the tape."""
        for stage in Tape(self.result):
            if not stage.output._op.analytic:
                return f"the stage {stage.name} is not known to be analytic"
        rng = np.random.default_rng(0)
        along = [_dense(rng, a.shape) * np.where(a == 0, np.max(np.abs(a), initial=0) or 1, a) for a in self.arrays]
        weights = _dense(rng, (1, self.y.size))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", np.exceptions.ComplexWarning)
                z = self([a + 1j * H * d for a, d in zip(self.arrays, along, strict=True)])
        except Exception as error:  # whatever f does with a complex array
            return f"f does not run on complex arrays ({type(error).__name__}: {error})"
        if z.dtype.kind != "c" or not np.allclose(z, self.y, rtol=1e-9, atol=1e-9 * np.max(np.abs(self.y), initial=0)):
            return "f gives another value on complex arrays"
        step = weights @ (z.imag.ravel() / H)
        slope, doubt, *_ = differentiate(lambda h: self([a + h * d for a, d in zip(self.arrays, along, strict=True)]), 1.0, weights)
        agree = (np.abs(step - slope) <= 1e-6 * np.abs(slope) + 10 * doubt).all()
        return None if agree else "a part of f is not analytic: along a random direction, the complex step and a difference disagree"


def _failures(what: str, rounding: Rounding, x: Tensor, tape: np.ndarray, found: np.ndarray, rtol: float, size: float) -> list[Entry]:
    """The derivatives by the entries of `x` that are off, or that differences cannot decide. `size` is that of f."""
    numeric, error, left, right = found
    apart, tolerance = np.abs(tape - numeric), rtol * np.abs(numeric) + 10 * error
    if x in rounding.gradients and (apart > tolerance).any():  # the rounding is measured only where it matters
        tolerance = tolerance + rounding.moves(x, FLOAT64)
    largest = np.max(np.abs(numeric), initial=0, where=np.isfinite(numeric))
    natural = max(largest, size / max(1.0, np.max(np.abs(x._array), initial=0)))
    decided = (10 * error <= 1e-3 * natural + FLOAT64.tiny) & np.isnan(left)
    off = map(tuple, np.argwhere(~(decided & (apart <= tolerance))).tolist())
    doubts = {j: "" if decided[j] else _doubt(left[j], right[j]) for j in off}
    return [Entry(f"{what}{[*j] or ''}", float(tape[j]), float(numeric[j]), float(tolerance[j]), doubt) for j, doubt in doubts.items()]


def _doubt(left: float, right: float) -> str:
    if np.isnan(left):
        return "the differences do not converge, as beside a kink, where f is noisy or where it underflows"
    return f"a kink at this point (slope {left:.6g} from the left, {right:.6g} from the right)"


def _dense(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Random numbers of either sign, none of them small: no entry goes unseen in their sum."""
    return np.asarray(rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape))


def _weights(shape: tuple[int, ...]) -> tuple[np.ndarray, list[str]]:
    """The weighted sums of f's entries that are differentiated, and what to call them."""
    size = math.prod(shape)
    if size <= EVERY_OUTPUT:
        return np.eye(size), [f"f{[*i] or ''}" for i in np.ndindex(shape)]
    return _dense(np.random.default_rng(0), (1, size)), ["(a weighted sum of f)"]


def _real(x: Any, position: int) -> np.ndarray:
    """The float64 copy of an input."""
    if not isinstance(x, Tensor) or x.dtype.kind != "f":
        got = f"{type(x).__name__} {getattr(x, 'dtype', '')}".rstrip()
        raise DtypeError("cannot be checked", where=f"gradcheck, argument {position}", expected="a Tensor of real floating-point numbers", got=got)
    return x._array.astype(np.float64)


def _checked(result: Any, inputs: Sequence[Tensor]) -> np.ndarray:
    """The value of f's result, if it is one that can be checked."""
    if not isinstance(result, Tensor):
        raise DtypeError("f returned no Tensor", where="gradcheck", expected="a Tensor", got=type(result).__name__)
    tape = Tape(result)
    if not set(inputs).intersection(tape.leaves):
        raise GradientError("the result of f depends on none of the Tensors given", where="gradcheck", do="compute it from f's arguments")
    for x in tape.values:
        if x.requires_grad and x.dtype != np.float64:
            raise DtypeError("f computes where no derivative can be checked", where=tape.label(x), expected="float64", got=x.dtype)
    if not np.isfinite(result._array).all():
        raise DataError("the result of f is not finite", where="gradcheck", got=f"{result._array}", do="check at another point")
    return result._array
