"""Progress: a bar in a terminal where tqdm is installed, and else a line now and then."""

from __future__ import annotations

import importlib
import sys
from time import monotonic
from types import TracebackType
from typing import Any

__all__ = ["Progress"]


class Progress:
    """How far a training is.

    Parameters
    ----------
    epochs : int
        All of them.
    done : int
        Those that were done before.
    """

    def __init__(self, epochs: int, done: int) -> None:
        self.epochs, self.done, self.before, self.start = epochs, done, done, monotonic()
        self._bar = _bar(epochs, done)

    def show(self, loss: float, validation: float) -> None:
        """Say that an epoch has ended."""
        self.done += 1
        if self._bar is not None:
            self._bar.set_postfix_str(f"loss {loss:.4g}, validation {validation:.4g}", False)
            self._bar.update()
        elif self.done in (1, self.epochs) or str(self.done).rstrip("0") in ("1", "2", "5"):
            passed = monotonic() - self.start
            left = passed / (self.done - self.before) * (self.epochs - self.done)
            print(
                f"epoch {self.done} of {self.epochs}: loss {loss:.4g}, validation "
                f"{validation:.4g}, at most {left:.0f} s left",
                flush=True,
            )

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


def _bar(epochs: int, done: int) -> Any:
    """A bar of tqdm; None without a terminal or without tqdm."""
    if not sys.stderr.isatty():
        return None
    try:
        tqdm = importlib.import_module("tqdm")
    except ImportError:
        return None
    return tqdm.tqdm(total=epochs, initial=done, unit="epoch", leave=False, dynamic_ncols=True)
