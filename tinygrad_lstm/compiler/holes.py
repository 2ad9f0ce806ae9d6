"""Memory that is free for a while: where the part of a product was read, before something else is
written there (`sharing`)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ALIGNMENT", "Holes", "whole"]

ALIGNMENT = 64  # bytes: a cache line
NEAR = 8  # holes that are looked at: those of the nearest blocks


def whole(size: int) -> int:
    """Bytes that are taken for `size` bytes."""
    return -(-size // ALIGNMENT) * ALIGNMENT


@dataclass(slots=True)
class Hole:
    """Bytes of the arena, and the stages between which they are free."""

    offset: int
    size: int
    since: int
    until: int


class Holes:
    """Holes of an arena.

    Parameters
    ----------
    near : int
        How many of them are looked at, the last ones.
    """

    def __init__(self, near: int = NEAR) -> None:
        self._near = near
        self._holes: list[Hole] = []

    def add(self, offset: int, size: int, since: int, until: int) -> None:
        """So many bytes are free after one stage and before another."""
        if offset % ALIGNMENT == 0 and since < until:
            self._holes.append(Hole(offset, size, since, until))

    def take(self, size: int, born: int, last: int) -> int | None:
        """The first of so many bytes for a value that is there between two stages, or None."""
        size = whole(size)
        for i, hole in enumerate(self._holes[-self._near :], -min(self._near, len(self._holes))):
            if hole.since < born and last < hole.until and size <= hole.size:
                offset = hole.offset
                hole.offset, hole.size = offset + size, hole.size - size
                if not hole.size:
                    del self._holes[i]
                self.add(offset, size, last, hole.until)
                return offset
        return None
