"""The judge of what backward says of one weighted sum of a function's entries: which derivatives by
its inputs are off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinygrad_lstm.engine.backward import gradients
from tinygrad_lstm.numeric.differences import FLOAT64
from tinygrad_lstm.numeric.point import Point
from tinygrad_lstm.numeric.rounding import Rounding

__all__ = ["Entry", "Judge", "index"]

CLEAR = 1e-3  # of a derivative: differences with a larger error decide nothing
DIVERGES = (
    "the differences do not converge, as beside a kink, where f is noisy, oscillates fast "
    "or underflows"
)
# of the largest derivative by an input: the rounding of the others may hide so small a one, as of a
# saturated unit
TINY = 1e-7
HIDDEN = "the derivative is so small beside f that rounding hides it from differences"


@dataclass(frozen=True)
class Entry:
    """One derivative on which backward and the numeric derivative do not agree, such as ``d f[2] /
    d x[0, 1]``."""

    name: str
    tape: float
    numeric: float
    tolerance: float  # how far apart they may be
    doubt: str  # why the numeric value cannot be trusted; empty where it can

    def __str__(self) -> str:
        apart = abs(self.tape - self.numeric)
        line = (
            f"{self.name}: backward {self.tape:.10g}, numeric {self.numeric:.10g}, "
            f"{apart:.2g} apart, tolerance {self.tolerance:.2g}"
        )
        return f"{line}; undecided: {self.doubt}" if self.doubt else line


class Judge:
    """What backward says of one weighted sum of f's entries, and which of it is off."""

    at: Point
    weight: np.ndarray
    what: str
    rtol: float
    rounding: Rounding
    size: float

    def __init__(self, at: Point, weight: np.ndarray, what: str, rtol: float) -> None:
        self.at, self.weight, self.what, self.rtol = at, weight, what, rtol
        with np.errstate(all="ignore"):  # an infinite derivative is reported, not warned of
            self.rounding = Rounding(gradients(at.result, weight.reshape(at.y.shape)))
        self.size = float(np.abs(weight) @ np.abs(at.y).ravel())

    def claims(self, i: int) -> np.ndarray:
        """The derivatives by the entries of input `i`, as backward has them."""
        x = self.at.inputs[i]
        return (
            np.ravel(self.rounding.gradients[x])
            if x in self.rounding.gradients
            else np.zeros(x.size)
        )

    def natural(self, i: int, slopes: np.ndarray) -> float:
        """The size that a derivative by input `i` naturally has: that of the largest slope, or of f
        over x."""
        largest = np.max(np.abs(slopes), initial=0, where=np.isfinite(slopes))
        return float(
            max(largest, self.size / max(1.0, np.max(np.abs(self.at.arrays[i]), initial=0)))
        )

    def failures(
        self, i: int, entries: np.ndarray, found: np.ndarray, slopes: np.ndarray
    ) -> list[Entry]:
        """Those of the entries of input `i` that are off, or that differences cannot decide."""
        x, claims = self.at.inputs[i], self.claims(i)
        tape = claims[entries]
        self.at.mend_underflow(found, i, entries, tape, self.weight)
        numeric, error, left, right = found
        apart, tolerance = np.abs(tape - numeric), self.rtol * np.abs(numeric) + 10 * error
        largest = np.max(np.abs(claims), initial=0, where=np.isfinite(claims))
        hidden = (error > CLEAR * np.abs(tape)) & (
            np.abs(tape) > TINY * largest
        )  # it would agree with too much
        kink = ~np.isnan(left)
        if (
            x in self.rounding.gradients and (kink | hidden | (apart > tolerance)).any()
        ):  # it is measured only where it matters
            moves = self.rounding.moves(x, FLOAT64).ravel()[entries]
            tolerance, hidden = tolerance + moves, hidden & (np.abs(tape) > moves)
            kink &= np.fmax(np.abs(left - tape), np.abs(right - tape)) > tolerance
        agrees, diverges = (
            apart <= tolerance,
            10 * error > CLEAR * self.natural(i, slopes) + FLOAT64.tiny,
        )
        doubts = {
            j: _kink(left[j], right[j]) if kink[j] else _undecided(diverges[j], agrees[j])
            for j in np.flatnonzero(kink | diverges | hidden | ~agrees).tolist()
        }
        where = f"d {self.what} / d {self.at.label(i)}"
        return [
            Entry(
                f"{where}{index(x.shape, int(entries[j]))}",
                float(tape[j]),
                float(numeric[j]),
                float(tolerance[j]),
                doubt,
            )
            for j, doubt in doubts.items()
        ]


def _undecided(diverges: bool, agrees: bool) -> str:
    """Why differences cannot decide on a derivative that is no kink; empty where they can."""
    return DIVERGES if diverges else HIDDEN if agrees else ""


def _kink(left: float, right: float) -> str:
    return f"a kink at this point (slope {left:.6g} from the left, {right:.6g} from the right)"


def index(shape: tuple[int, ...], entry: int) -> str:
    """The index of an entry, by its flat one; of a number there is none."""
    return str([int(j) for j in np.unravel_index(entry, shape)] or "")
