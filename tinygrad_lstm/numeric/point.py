"""A function of Tensors at a point, and its derivatives there from numbers that know no rule.
Always in float64.

Where every stage is analytic the derivative along a direction d is ``imag(f(x + ihd)) / h`` (the
complex step: Squire & Trapp, 1998). Nothing is subtracted, so h can be tiny and the result is exact
to rounding. Elsewhere it is a central difference with Richardson extrapolation, at the step at
which its own error estimate is smallest. So it is for single entries whose complex step underflows.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_lstm.engine.recorder import recording
from tinygrad_lstm.engine.tape import Tape
from tinygrad_lstm.errors import DataError, DtypeError, GradientError
from tinygrad_lstm.numeric.differences import FLOAT64, differentiate, weighted
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["Point", "dense"]

# the complex step: its square vanishes beside any value in use, and its products do not underflow
H = 1e-100


class Point:
    """A function at a point: its result there, and numeric derivatives, for which it runs with or
    without recording.

    Parameters
    ----------
    f : callable
        Takes Tensors and returns a Tensor.
    tensors : sequence of Tensor
        The point. Float64 copies are used.
    where : str
        Who asks; it is named in errors.
    record : bool
        Whether f records when it runs for a numeric derivative.
    """

    arrays: list[np.ndarray]
    f: Callable[..., Any]
    record: bool
    labels: list[Any]
    inputs: list[Tensor]
    result: Any
    y: np.ndarray
    obstacle: str | None

    def __init__(
        self, f: Callable[..., Any], tensors: Sequence[Any], where: str, record: bool = True
    ) -> None:
        if not tensors:
            raise DtypeError(
                "there is nothing to differentiate by",
                where=where,
                expected="f and at least one Tensor",
            )
        self.arrays = [_real(x, f"{where}, argument {i}") for i, x in enumerate(tensors, 2)]
        self.f, self.record, self.labels = f, record, [x.name for x in tensors]
        self.inputs = self._tensors(self.arrays)
        with recording(True):
            self.result = f(*self.inputs)
        self.y = _checked(self.result, self.inputs, where)
        if not np.allclose(self(self.arrays), self.y, rtol=1e-12, atol=0):
            raise GradientError(
                "f is not deterministic",
                where=where,
                expected="the same result each time",
                do="fix its seed inside f",
            )
        self.obstacle = self._obstacle()

    def _tensors(self, arrays: list[np.ndarray]) -> list[Tensor]:
        return [Tensor(a, True, name) for a, name in zip(arrays, self.labels, strict=True)]

    def __call__(self, arrays: list[np.ndarray]) -> np.ndarray:
        with recording(self.record), np.errstate(all="ignore"):
            return self.f(*self._tensors(arrays))._array  # type: ignore[no-any-return]

    def label(self, i: int) -> str:
        """What to call input `i`."""
        return self.labels[i] or f"input {i}"

    def derivatives(self, i: int, entries: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """What `along` returns for each of the entries of input `i`, by their flat indices: of
        shape (4, K, entries)."""
        columns = [self.along(i, entries[[j]], np.ones(1), weights) for j in range(len(entries))]
        return np.stack(columns, axis=-1) if columns else np.zeros((4, len(weights), 0))

    def along(
        self, i: int, entries: np.ndarray, direction: np.ndarray, weights: np.ndarray
    ) -> np.ndarray:
        """What `differentiate` returns of K weighted sums of f's entries, where entries of input
        `i` move in a direction."""
        if self.obstacle:
            return self.differences(i, entries, direction, weights)
        slope = weighted(weights, self._moved(i, entries, 1j * H * direction).imag.ravel() / H)
        return np.array(
            [slope, np.zeros_like(slope), *np.full((2, len(slope)), np.nan)]
        )  # nothing is known to be wrong with it

    def differences(
        self, i: int, entries: np.ndarray, direction: np.ndarray, weights: np.ndarray
    ) -> np.ndarray:
        """As `along`, by differences even where the complex step can be used."""
        sizes = np.abs(self.arrays[i].ravel())
        sizes = np.where(sizes == 0, np.max(sizes), sizes)[entries]
        return differentiate(lambda h: self._moved(i, entries, h * direction), sizes, weights)

    def mend_underflow(
        self, found: np.ndarray, i: int, entries: np.ndarray, claims: np.ndarray, weight: np.ndarray
    ) -> None:
        """Judge by differences what backward claims and the complex step may have lost: h times it
        is no number."""
        if not self.obstacle:
            for j in np.flatnonzero((claims != 0) & (np.abs(found[0]) < FLOAT64.tiny / H)):
                found[:, j] = self.differences(i, entries[[j]], np.ones(1), weight[np.newaxis])[
                    :, 0
                ]

    def _moved(self, i: int, entries: np.ndarray, step: np.ndarray) -> np.ndarray:
        """The value of f where entries of input `i` are moved."""
        moved = [np.array(a, np.result_type(a, step), order="C") for a in self.arrays]
        moved[i].reshape(-1)[entries] += step
        return self(moved)

    def _obstacle(self) -> str | None:
        """Why the complex step cannot be used, or None. Stages first; then a trial, for what f does
        outside the tape."""
        for stage in Tape(self.result):
            if not stage.output._op.analytic:
                return f"the stage {stage.name} is not known to be analytic"
        rng = np.random.default_rng(0)
        along = [
            dense(rng, a.shape) * np.where(a == 0, np.max(np.abs(a), initial=0) or 1, a)
            for a in self.arrays
        ]
        weights = dense(rng, (1, self.y.size))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", np.exceptions.ComplexWarning)
                z = self([a + 1j * H * d for a, d in zip(self.arrays, along, strict=True)])
        except Exception as error:  # whatever f does with a complex array
            return f"f does not run on complex arrays ({type(error).__name__}: {error})"
        if z.dtype.kind != "c" or not np.allclose(
            z, self.y, rtol=1e-9, atol=1e-9 * np.max(np.abs(self.y), initial=0)
        ):
            return "f gives another value on complex arrays"
        step = weights @ (z.imag.ravel() / H)
        slope, doubt, *_ = differentiate(
            lambda h: self([a + h * d for a, d in zip(self.arrays, along, strict=True)]),
            np.ones(1),
            weights,
        )
        agree = (np.abs(step - slope) <= 1e-6 * np.abs(slope) + 10 * doubt).all()
        return (
            None
            if agree
            else "a part of f is not analytic: along a random direction, the complex step and a "
            "difference disagree"
        )


def dense(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Random numbers of either sign, none of them small: no entry goes unseen in their sum."""
    return np.asarray(rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape))


def _real(x: Any, where: str) -> np.ndarray:
    """The float64 copy of an input."""
    if not isinstance(x, Tensor) or x.dtype.kind != "f":
        got = f"{type(x).__name__} {getattr(x, 'dtype', '')}".rstrip()
        raise DtypeError(
            "cannot be checked",
            where=where,
            expected="a Tensor of real floating-point numbers",
            got=got,
        )
    return x._array.astype(np.float64)


def _checked(result: Any, inputs: Sequence[Tensor], where: str) -> np.ndarray:
    """The value of f's result, if it is one that can be checked."""
    if not isinstance(result, Tensor):
        raise DtypeError(
            "f returned no Tensor", where=where, expected="a Tensor", got=type(result).__name__
        )
    tape = Tape(result)
    if not set(inputs).intersection(tape.leaves):
        raise GradientError(
            "the result of f depends on none of the Tensors given",
            where=where,
            do="compute it from f's arguments",
        )
    for x in tape.values:
        on_the_way = x is not result and not x.is_leaf and x.dtype == np.complex128
        if x.requires_grad and x.dtype != np.float64 and not on_the_way:
            raise DtypeError(
                "f computes where no derivative can be checked",
                where=tape.label(x),
                expected="float64",
                got=x.dtype,
            )
    if not np.isfinite(result._array).all():
        raise DataError(
            "the result of f is not finite",
            where=where,
            got=f"{result._array}",
            do="check at another point",
        )
    return result._array
