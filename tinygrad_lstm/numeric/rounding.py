"""How far rounding alone moves a derivative, and which differences it excuses."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from tinygrad_lstm.engine.backward import Gradients
from tinygrad_lstm.engine.backward import gradients as differentiate
from tinygrad_lstm.engine.memory import array_of
from tinygrad_lstm.engine.operation import recorded
from tinygrad_lstm.engine.recorder import recording
from tinygrad_lstm.engine.tape import Tape
from tinygrad_lstm.errors import DataError
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["Rounding", "check_tolerance"]

ROUNDINGS = 16  # how many roundings a number may have gone through


class Rounding:
    """How far rounding alone moves the derivatives of a tape.

    A value that is 0 but for rounding, or a gate that is shut but for its last digits, cannot be
    judged by a relative error. So the tape runs again, forward and backward, with every number
    moved at random by the roundings that it may have gone through; what a derivative then moves is
    what its digits are worth.

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
        value = array_of(self.gradients[key])
        with np.errstate(all="ignore"):
            moves = [
                np.abs(run[_twin(key, self.gradients.tape, run.tape)] - value)
                for run in self._runs[precision]
            ]
        underflow = float(precision.tiny) * max(1.0, self._largest)
        return np.clip(np.nan_to_num(np.max(moves, axis=0)), underflow, self.limit(precision))  # type: ignore[no-any-return]

    def limit(self, precision: np.finfo[Any]) -> float:
        """The move that is never exceeded, a share of the largest gradient of the tape: at a kink
        it would be the jump."""
        return 1024 * float(precision.eps) * self._largest

    @functools.cached_property
    def _largest(self) -> float:
        values = (
            array_of(self.gradients[x]) for x in self.gradients.tape.values if x.requires_grad
        )
        return max(
            float(np.max(np.abs(value), initial=0, where=np.isfinite(value))) for value in values
        )

    def _run(self, eps: float, seed: int) -> Gradients:
        tape, rng = self.gradients.tape, np.random.default_rng(seed)

        def move(x: Any) -> Any:
            if np.result_type(x).kind not in "fc":
                return x
            shift = ROUNDINGS * eps * rng.uniform(-1, 1, np.shape(x))
            return (
                np.asarray(x + x * shift, x.dtype)
                if isinstance(x, np.ndarray)
                else x * (1 + float(shift))
            )  # a number stays weak

        twins = {id(x): Tensor(move(x._array), x.requires_grad) for x in tape.leaves}
        with recording(True), np.errstate(all="ignore"):
            for stage in tape.stages:
                inputs = (twins[id(x)] if id(x) in twins else move(x) for x in stage.inputs)
                twin = recorded(stage.output._op)(*inputs, **stage.params)
                twin._array = move(twin._array)
                twins[id(stage.output)] = twin
            for x in tape.values:
                twin = twins[id(x)]
                twin._label, twin._place = x._label, x._place
                if x._op is not None:
                    twin._order = x._order  # values without a name have the same numbers then
            return differentiate(twins[id(tape.root)], array_of(self.gradients[tape.root]))


def _twin(key: Any, tape: Tape, other: Tape) -> Any:
    """The key by which another run of `tape` knows a value."""
    return (
        key
        if isinstance(key, str)
        else next(b for a, b in zip(tape.values, other.values, strict=True) if a is key)
    )


def check_tolerance(where: str, rtol: Any) -> None:
    """Refuse what is no tolerance; None stands for the usual one."""
    if rtol is not None and (
        isinstance(rtol, bool)
        or not (isinstance(rtol, (int, float, np.integer, np.floating)) and 0 <= rtol < np.inf)
    ):
        raise DataError(
            "this is not a tolerance",
            where=f"{where}(rtol=...)",
            expected="a number from 0",
            got=repr(rtol),
        )
