"""Progress: a bar in a terminal where tqdm is installed, and else a line now and then."""

from __future__ import annotations

from time import monotonic
from types import TracebackType

from tinygrad_lstm.progress import Bar, bar

__all__ = ["Progress"]


class Progress:
    """How far a training is: phases, each of so many epochs."""

    phase: str
    first: int
    start: float

    def __init__(self) -> None:
        self.phase, self.first, self.start = "", 0, monotonic()
        self._bar: Bar | None = None

    def show(
        self, phase: str, done: int, epochs: int, loss: float, validation: float | None = None
    ) -> None:
        """Say that an epoch has ended.

        Parameters
        ----------
        phase : str
            What the epochs are called.
        done, epochs : int
            The number of the epoch, and at most how many there are.
        loss, validation : float
            The losses.
        """
        if phase != self.phase:
            self.close()
            self.phase, self.first, self.start = phase, done - 1, monotonic()
            self._bar = bar(phase, epochs, "epoch", self.first)
        losses = f"loss {loss:.4g}"
        losses += "" if validation is None else f", validation {validation:.4g}"
        if self._bar is not None:
            self._bar.set_postfix_str(losses, False)
            self._bar.update()
        elif done in (1, epochs) or str(done).rstrip("0") in ("1", "2", "5"):
            left = (monotonic() - self.start) / (done - self.first) * (epochs - done)
            print(f"{phase} {done} of {epochs}: {losses}, at most {left:.0f} s left", flush=True)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
