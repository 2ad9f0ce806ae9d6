"""One check of derivatives, as it is handed out: a few hundred entries are looked at one by one,
more of them along random directions first."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from tinygrad_lstm.numeric.directions import Search
from tinygrad_lstm.numeric.entries import Entry, Judge, index
from tinygrad_lstm.numeric.outcome import GradCheck
from tinygrad_lstm.numeric.point import Point, dense
from tinygrad_lstm.parallel.spread import spread

__all__ = ["Check"]

EVERY_INPUT = (
    500  # up to so many entries of the inputs are looked at one by one, unless asked otherwise ..
)
EVERY_OUTPUT = 64  # .. and then up to so many of f's result have their own row of the Jacobian
ENOUGH = 20  # of wrong entries of one input, where not every one was asked for
PARTS = 32  # in so many the entries are handed out
COMPLEX_STEP = (
    "complex step",
    1e-9,
    "a complex step is exact to rounding",
)  # with the usual rtol, and why
DIFFERENCES = (
    "central differences with Richardson extrapolation",
    1e-6,
    "a difference is not exact: ten times its estimated error is added",
)

Found = tuple[list[Entry], int, int]
"""What a search has found: wrong entries, how many were looked at singly, and along how many
directions."""


class Check:
    """A function at a point, whose derivatives are checked. A worker makes its own from the same
    arguments.

    Parameters
    ----------
    title : str
        Which check it is.
    f : callable
        Takes Tensors and returns a Tensor.
    tensors : sequence of Tensor
        The point.
    rtol : float or None
        How far apart two derivatives may be; None is what the method allows.
    every : bool
        Whether each entry is looked at by itself, however many there are.
    names : sequence of str
        Those of the result's entries, as opposed to f[0], f[1], ...
    """

    title: str
    at: Point
    rtol: float
    size: int
    every: bool
    weights: np.ndarray
    sums: Sequence[str]

    def __init__(
        self,
        title: str,
        f: Callable[..., Any],
        tensors: Sequence[Any],
        rtol: float | None,
        every: bool,
        names: Sequence[str] = (),
    ) -> None:
        self._given = (title, f, tensors, rtol, every, names)
        self.title, self.at = title, Point(f, tensors, title)
        self.method, usual, self.why = DIFFERENCES if self.at.obstacle else COMPLEX_STEP
        self.rtol = usual if rtol is None else rtol
        self.size = sum(a.size for a in self.at.arrays)
        self.every = every or self.size <= EVERY_INPUT or not self.at.y.size
        self.weights, self.sums = _weights(self.at.y.shape, self.every, names)

    def __reduce__(self) -> tuple[Any, ...]:
        return Check, self._given

    def report(self, executor: Any) -> GradCheck:
        """What is found, whoever looks."""
        look = self._one_by_one if self.every else self._by_search
        failures, search = look(executor)
        failures.sort(
            key=lambda e: abs(e.tape - e.numeric) / max(e.tolerance, 1e-300), reverse=True
        )
        reason = self.at.obstacle or "every stage is analytic"
        tolerance = f"{self.rtol:.0e} of the value ({self.why}), and what rounding does to it"
        count = self.size * len(self.weights)
        return GradCheck(self.title, self.method, reason, tolerance, count, tuple(failures), search)

    def _judges(self) -> Iterator[Judge]:
        """One for each of the sums."""
        pairs = zip(self.weights, self.sums, strict=True)
        return (Judge(self.at, weight, what, self.rtol) for weight, what in pairs)

    @cached_property
    def _judge(self) -> Judge:
        """That of the one sum of a search."""
        return next(self._judges())

    # Every entry that is off, by each of the sums.

    def _one_by_one(self, executor: Any) -> tuple[list[Entry], str]:
        parts = list(self._parts())
        found = spread(self.derivatives, parts, executor, title=self.title)
        failures: list[Entry] = []
        numeric = [
            [d for (j, _), d in zip(parts, found, strict=True) if j == i]
            for i in range(len(self.at.arrays))
        ]
        joined = [np.concatenate(n, axis=-1) if n else None for n in numeric]
        for k, judge in enumerate(self._judges()):
            for i, n in enumerate(joined):
                if n is not None:
                    failures += judge.failures(i, np.arange(n.shape[-1]), n[:, k], n[0, k])
        return failures, ""

    def _parts(self) -> Iterator[tuple[int, np.ndarray]]:
        """Some entries of one input at a time."""
        length = max(1, math.ceil(self.size / PARTS))
        for i, a in enumerate(self.at.arrays):
            for start in range(0, a.size, length):
                yield i, np.arange(start, min(start + length, a.size))

    def derivatives(self, part: tuple[int, np.ndarray]) -> np.ndarray:
        """The numeric derivatives by some entries of an input: (4, sums, entries)."""
        return self.at.derivatives(*part, self.weights)

    # The entries that are off, as far as random directions lead to them.

    def _by_search(self, executor: Any) -> tuple[list[Entry], str]:
        inputs = range(len(self.at.arrays))
        found = spread(self.searched, inputs, executor, title=self.title)
        failures = [entry for entries, *_ in found for entry in entries]
        singly, stopped = [], []
        for i, (off, looked, _) in enumerate(found):
            size, label = self.at.arrays[i].size, self.at.label(i)
            if looked:
                singly.append(
                    f"{'all' if looked == size else f'{looked} of {size}'} entries of {label}"
                )
            if len(off) >= ENOUGH:
                stopped.append(label)
        directions = sum(count for *_, count in found)
        report = (
            f"{directions} random "
            f"directions{', then one by one ' * bool(singly)}{', '.join(singly)}"
        )
        if stopped:
            report += f"; enough are off in {', '.join(stopped)}: every=True looks at all"
        return failures, report

    def searched(self, i: int) -> Found:
        """The search in one input."""
        judge = self._judge
        search = Search(self.at, judge.weight, judge.rtol)
        claims, failures, looked = judge.claims(i), [], 0
        for block in search.blocks(i, claims):
            numeric = self.at.derivatives(i, block, judge.weight[np.newaxis])[:, 0]
            failures += judge.failures(i, block, numeric, claims)
            looked += len(block)
            if len(failures) >= ENOUGH:
                break
        return failures, looked, search.directions


def _weights(
    shape: tuple[int, ...], every: bool, names: Sequence[str]
) -> tuple[np.ndarray, Sequence[str]]:
    """The weighted sums of f's entries that are differentiated, and what to call them."""
    size = math.prod(shape)
    if size <= (EVERY_OUTPUT if every else 1):
        return np.eye(size), names or [f"f{index(shape, i)}" for i in range(size)]
    return dense(np.random.default_rng(0), (1, size)), [
        f"(a weighted sum of {'the gradient' if names else 'f'})"
    ]
