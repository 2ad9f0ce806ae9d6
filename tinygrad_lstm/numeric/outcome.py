"""What gradcheck found, and how it is told."""

from __future__ import annotations

from dataclasses import dataclass

from tinygrad_lstm.numeric.entries import Entry

__all__ = ["GradCheck"]


@dataclass(frozen=True)
class GradCheck:
    """What :func:`gradcheck` found. It is true if every derivative agrees, and prints as a
    report."""

    title: str  # which of the two checks it was
    method: str  # how the numeric derivatives were computed
    reason: str  # why so
    tolerance: str  # how far apart two values may be, and why
    checked: int  # how many derivatives were compared
    failures: tuple[Entry, ...]  # those that are off, worst first
    search: str = ""  # what was looked at, where it was not every entry by itself

    def __bool__(self) -> bool:
        return not self.failures

    def __str__(self) -> str:
        off = len(self.failures)
        lines = [
            f"{self.title}: {self.checked} derivatives, {f'{off} off' if off else 'all agree'}",
            *(f"  {e}" for e in self.failures[:5]),
        ]
        lines += [f"  and {off - 5} more"] if off > 5 else []
        lines += [f"looked at: {self.search}"] if self.search else []
        return "\n".join(
            [*lines, f"numeric: {self.method}, since {self.reason}", f"tolerance: {self.tolerance}"]
        )
