"""The search for wrong derivatives among thousands: random directions first, single entries only
where one disagrees.

A block of entries moves together along a random unit direction, in which no component is small; the
numeric derivative along it is compared with the sum that backward claims. The block is right if the
two agree so closely that *one* entry that is off by its own tolerance would be seen. Where they do
not, or where the numeric derivative is not exact enough to say so, the block is halved, down to a
few entries that are looked at singly. The entries are sorted by the size of what is claimed, so a
small derivative need not be seen beside a large one.

So one wrong entry cannot hide. Several can only if their errors cancel, in each of two directions.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinygrad_lstm.numeric.point import Point, dense

__all__ = ["Search"]

FEW = 8  # a block of so many entries is looked at entry by entry
DIRECTIONS = 2  # a block is right in each of so many directions
# of the summands: what rounding may do to a derivative along a direction, a hundred units in the
# last place
ROUNDING = 2e-14
# of a derivative: how far off a single one has to be for differences to see it along a direction
SHARE = 1e-5
# .. and where backward claims 0, that of f over x times so much: the rounding of f may hide smaller
# ones
FLOOR = 1e-3


class Search:
    """The entries of f's inputs that are suspicious, by one weighted sum of f's entries.

    Parameters
    ----------
    point : Point
        f and its inputs.
    weight : ndarray, shape (M,)
        The weighted sum.
    rtol : float
        How far off a single derivative may be, relative to its size.

    Attributes
    ----------
    directions : int
        Along how many directions f was differentiated so far.
    """

    point: Point
    weights: np.ndarray
    rtol: float
    floor: float
    directions: int

    def __init__(self, point: Point, weight: np.ndarray, rtol: float) -> None:
        self.point, self.weights = point, weight[np.newaxis]
        self.rtol = max(rtol, SHARE) if point.obstacle else rtol
        self.floor = (
            FLOOR * float(np.abs(weight) @ np.abs(point.y).ravel()) if point.obstacle else 0.0
        )
        self.directions = 0
        self._rng = np.random.default_rng(1)

    def blocks(self, i: int, claims: np.ndarray) -> Iterator[np.ndarray]:
        """The flat indices of the suspicious entries of input `i`, a few at a time, those with
        large derivatives first.

        Parameters
        ----------
        i : int
            The input.
        claims : ndarray, shape (entries,)
            What backward found.
        """
        order = np.argsort(np.abs(claims), kind="stable")
        blocks = [part for part in np.split(order, [np.count_nonzero(claims == 0)]) if len(part)]
        while blocks:
            block = blocks.pop()
            if len(block) <= FEW:
                yield block
            elif not all(self._agree(i, block, claims[block]) for _ in range(DIRECTIONS)):
                half = len(block) // 2
                blocks += [block[:half], block[half:]]

    def _agree(self, i: int, block: np.ndarray, claims: np.ndarray) -> bool:
        """Whether backward is right along a random direction, and no single wrong entry can hide in
        the sum."""
        direction = dense(self._rng, block.shape) / np.sqrt(len(block))
        least = self.floor / max(1.0, float(np.max(np.abs(self.point.arrays[i].ravel()[block]))))
        with np.errstate(all="ignore"):
            shares = claims * direction
            seen = self.rtol * np.min(
                np.abs(direction) * np.where(claims == 0, least, np.abs(claims))
            )
            rounding = ROUNDING * np.sum(np.abs(shares))
            if not rounding <= seen:
                return False
            self.directions += 1
            numeric, error, left, _ = self.point.along(i, block, direction, self.weights)[:, 0]
            doubt = rounding + 10 * error
            allowed = (
                seen if np.any(claims) else doubt
            )  # beside zeros, whatever differences see is wrong
            return bool(
                np.isnan(left) and doubt <= seen and np.abs(np.sum(shares) - numeric) <= allowed
            )
