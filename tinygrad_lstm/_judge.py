"""The judge of what backward says of one weighted sum of a function's entries: which derivatives by its inputs are off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinygrad_lstm._backward import gradients
from tinygrad_lstm._differences import FLOAT64
from tinygrad_lstm._point import Point
from tinygrad_lstm._rounding import Rounding

__all__ = ["Entry", "Judge", "index"]


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


class Judge:
    """What backward says of one weighted sum of f's entries, and which of it is off."""

    def __init__(self, at: Point, weight: np.ndarray, what: str, rtol: float) -> None:
        self.at, self.weight, self.what, self.rtol = at, weight, what, rtol
        self.rounding = Rounding(gradients(at.result, weight.reshape(at.y.shape)))
        self.size = float(np.abs(weight) @ np.abs(at.y).ravel())

    def claims(self, i: int) -> np.ndarray:
        """The derivatives by the entries of input `i`, as backward has them."""
        x = self.at.inputs[i]
        return np.ravel(self.rounding.gradients[x]) if x in self.rounding.gradients else np.zeros(x.size)

    def natural(self, i: int, slopes: np.ndarray) -> float:
        """The size that a derivative by input `i` naturally has: that of the largest slope, or of f over x."""
        largest = np.max(np.abs(slopes), initial=0, where=np.isfinite(slopes))
        return float(max(largest, self.size / max(1.0, np.max(np.abs(self.at.arrays[i]), initial=0))))

    def failures(self, i: int, entries: np.ndarray, found: np.ndarray, slopes: np.ndarray) -> list[Entry]:
        """Those of the entries of input `i` that are off, or that differences cannot decide."""
        x, tape = self.at.inputs[i], self.claims(i)[entries]
        self.at.mend_underflow(found, i, entries, tape, self.weight)
        numeric, error, left, right = found
        apart, tolerance = np.abs(tape - numeric), self.rtol * np.abs(numeric) + 10 * error
        if x in self.rounding.gradients and (apart > tolerance).any():  # the rounding is measured only where it matters
            tolerance = tolerance + self.rounding.moves(x, FLOAT64).ravel()[entries]
        decided = (10 * error <= 1e-3 * self.natural(i, slopes) + FLOAT64.tiny) & np.isnan(left)
        off = np.flatnonzero(~(decided & (apart <= tolerance))).tolist()
        doubts = {j: "" if decided[j] else _doubt(left[j], right[j]) for j in off}
        where = f"d {self.what} / d {self.at.label(i)}"
        return [
            Entry(f"{where}{index(x.shape, int(entries[j]))}", float(tape[j]), float(numeric[j]), float(tolerance[j]), doubt)
            for j, doubt in doubts.items()
        ]


def _doubt(left: float, right: float) -> str:
    if np.isnan(left):
        return "the differences do not converge, as beside a kink, where f is noisy, oscillates fast or underflows"
    return f"a kink at this point (slope {left:.6g} from the left, {right:.6g} from the right)"


def index(shape: tuple[int, ...], entry: int) -> str:
    """The index of an entry, by its flat one; of a number there is none."""
    return str([int(j) for j in np.unravel_index(entry, shape)] or "")
