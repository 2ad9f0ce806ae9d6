"""Arrays on a node: which one number stands for them, and what shows the others."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lstm.errors import DrawingError
from tinygrad_lstm.viz.graph.data import Graph

__all__ = ["PLAIN", "Reading", "Strip", "at_entry", "exact", "number", "reach", "span", "summary"]

COLUMNS, ROWS = 12, 4  # of the largest array whose entries are cells
CELL = 7.0  # points: the side of a cell
LINE = 1.0  # between cells, and around them

Entry = tuple[int, ...]


class Reading(NamedTuple):
    """How arrays are read: with `few` digits, by one `entry` where they have it, and whether cells
    and ranges stand beside their sums."""

    few: bool = False
    entry: Entry | None = None
    details: bool = True

    def at(self, shape: tuple[int, ...]) -> Entry | None:
        """Where the entry is in an array of a shape. As in broadcasting axes are counted from the
        last, and one of length 1 stands for all; None where there is no such entry."""
        if self.entry is None:
            return None
        extra = len(shape) - len(self.entry)
        wanted = (0,) * extra + self.entry[max(0, -extra) :]
        if any(n != 1 for n in shape[: max(0, extra)]):
            return None
        inside = all(n == 1 or -n <= i < n for i, n in zip(wanted, shape, strict=True))
        index = (0 if n == 1 else i % n for i, n in zip(wanted, shape, strict=True))
        return tuple(index) if inside else None

    def of_parameter(self, shape: tuple[int, ...]) -> Reading:
        """How a parameter is read: at the last index of the entry on every axis, so that a weight
        is the one from a unit to itself."""
        return self._replace(entry=self.entry and self.entry[-1:] * len(shape))

    def is_summed(self, array: Any) -> bool:
        """Whether the sum of the entries stands for an array."""
        array = np.asarray(array)
        listed = 1 if self.few else 2
        return bool(array.size > listed) and self.at(array.shape) is None


PLAIN = Reading()


def at_entry(graph: Graph, entry: Entry) -> Graph:
    """The graph that shows one entry of each array.

    Raises
    ------
    DrawingError
        If no array has such an entry.
    """
    shapes = [np.shape(node.value) for node in graph.nodes if np.size(node.value) > 1]
    if shapes and all(Reading(entry=entry).at(shape) is None for shape in shapes):
        usual = Counter(shapes).most_common(1)[0][0]
        raise DrawingError(
            "no array of the graph has that entry",
            where="draw(entry=...)",
            expected=f"an index in an array such as those of shape {usual}",
            got=entry,
        )
    return replace(graph, entry=entry)


class Strip(NamedTuple):
    """The entries of a small array as cells: each as a share of the scale, from -1 to 1; what is
    not finite is NaN."""

    shares: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, array: Any, scale: float) -> Strip | None:
        """The cells of an array, one row for each index of its last axis but one; None if it is too
        large, or has nothing to be coloured by."""
        array = np.asarray(array)
        if array.ndim == 0 or array.size == 0 or np.iscomplexobj(array):
            return None
        rows = array.reshape(-1, array.shape[-1]).astype(float)
        if len(rows) > ROWS or rows.shape[1] > COLUMNS:
            return None
        shares = np.where(np.isfinite(rows), np.clip(rows / (scale or 1.0), -1, 1), np.nan)
        return cls(tuple(map(tuple, shares.tolist())))

    @property
    def width(self) -> float:
        return len(self.shares[0]) * (CELL + LINE) + LINE

    @property
    def height(self) -> float:
        return len(self.shares) * (CELL + LINE) + LINE


def reach(*arrays: Any) -> float:
    """The largest size of an entry, of those that are finite."""
    sizes = (np.abs(np.asarray(array)) for array in arrays if array is not None)
    return max((float(x[np.isfinite(x)].max(initial=0.0)) for x in sizes), default=0.0)


def number(x: Any, few: bool = False) -> str:
    """A number with sign, rounded to four digits after the point, or to three significant ones
    where that says more; with `few`, to three digits, or to two significant ones."""
    if isinstance(x, (bool, np.bool_)):
        return str(bool(x))
    if isinstance(x, (int, np.integer)) and x != 0:
        return f"{x:+d}".replace("-", "−")
    if np.iscomplexobj(x):
        return f"{x:.4g}".replace("-", "−")
    if x == 0:
        return "0"
    if few and 0.1 <= abs(x) < 1e4:
        return f"{x:+.3f}".replace("-", "−")
    if not np.isfinite(x) or 1e-3 <= abs(x) < 1e4:
        return f"{x:+.4f}".replace("-", "−")
    return f"{x:+.{1 if few else 2}e}".replace("-", "−")


def summary(array: Any, reading: Reading = PLAIN) -> str:
    """The one entry that is asked for; the entries of a small array; the sum of the entries of a
    larger one, which keeps the additions at forks true. With few digits one number in any case."""
    array = np.asarray(array)
    if array.size == 1:
        return number(array.reshape(-1)[0], reading.few)
    if (index := reading.at(array.shape)) is not None:
        return number(array[index], reading.few)
    if not reading.is_summed(array):
        return "[" + ", ".join(number(x, reading.few) for x in array.reshape(-1)) + "]"
    return "Σ " + number(array.sum(), reading.few)


def span(array: Any) -> str:
    """The norm, the smallest and the largest entry of an array: ``‖2.3‖ −0.41 … 1.2``."""
    array = np.asarray(array)
    norm = f"‖{np.linalg.norm(array.astype(complex)):.2g}‖"
    if np.iscomplexobj(array):
        return norm
    least, most = array.min() + 0.0, array.max() + 0.0  # no -0
    return f"{norm} {least:.2g} … {most:.2g}".replace("-", "−")


def exact(array: Any, most: int = 36) -> str:
    """The entries without rounding; of a large array the first ones and the last."""
    array = np.asarray(array)
    if array.size <= most:
        return str(array.tolist())
    flat = array.reshape(-1)
    return (
        f"[{', '.join(str(x) for x in flat[:8].tolist())}, …, {flat[-1].item()}] "
        f"({array.size} entries)"
    )
