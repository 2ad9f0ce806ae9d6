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
    """All holes of an arena."""

    def __init__(self) -> None:
        self._holes: list[Hole] = []

    def add(self, offset: int, size: int, since: int, until: int) -> None:
        """So many bytes are free after one stage and before another."""
        if offset % ALIGNMENT == 0 and since < until:
            self._holes.append(Hole(offset, size, since, until))

    def take(self, size: int, born: int, last: int) -> int | None:
        """The first of so many bytes for a value that is there between two stages, or None."""
        size = whole(size)
        for hole in self._holes[-NEAR:]:
            if hole.since < born and last < hole.until and size <= hole.size:
                self.add(hole.offset, size, last, hole.until)
                hole.offset, hole.size = hole.offset + size, hole.size - size
                return hole.offset - size
        return None
