"""What the command line computes: an LSTM on random numbers or on a series, and three judges of its
gradients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tinygrad_lstm import by_hand
from tinygrad_lstm.comparison.comparison import Row, compare
from tinygrad_lstm.engine.backward import Gradients
from tinygrad_lstm.engine.names import Name
from tinygrad_lstm.engine.tape import Tape
from tinygrad_lstm.errors import DataError
from tinygrad_lstm.lstm.lstm import LSTM
from tinygrad_lstm.numeric.gradcheck import numeric_gradients
from tinygrad_lstm.tensor.tensor import Tensor
from tinygrad_lstm.text import aligned
from tinygrad_lstm.training.series import read_series, scale

__all__ = ["Problem", "describe_forks", "judge", "problem"]

ENTRIES = 1000  # of x: so many are differentiated by one at a time, each by one forward run ..
# .. and more than that in so many sums, since both the runs and the length of each grow with x
SUMS = 100
TOLERANCE = (
    1e-9  # relative; complex steps are exact to rounding, so a judge that differs by more is wrong
)


@dataclass(frozen=True)
class Problem:
    """An LSTM, what it reads and what it should have said."""

    lstm: LSTM
    x: Tensor
    targets: np.ndarray
    state: tuple[Tensor, Tensor]
    mask: list[int]
    origin: str

    @property
    def title(self) -> str:
        steps, batch, units = self.targets.shape
        loss = "every block" if all(self.mask) else "the last block"
        return (
            f"LSTM of T = {steps} blocks, N = {batch}, D = {self.x.shape[-1]}, H = {units}, "
            f"loss at {loss}"
        )

    def __str__(self) -> str:
        return f"{self.title}\n{self.origin}"

    def error(self) -> Tensor:
        return self.lstm.error(self.x, self.targets, self.state, self.mask)  # type: ignore[no-any-return]

    def by_hand(self, as_printed: bool | Iterable[str] = False) -> Any:
        return by_hand.lstm(
            self.lstm, self.x, self.targets, state=self.state, mask=self.mask, as_printed=as_printed
        )

    def judged(self) -> dict[str, Tensor]:
        """The values whose gradients are compared, by name."""
        a, c = self.state
        return {**self.lstm.parameters(), "x": self.x, "a<0>": a, "c<0>": c}

    @cached_property
    def directions(self) -> tuple[np.ndarray, np.ndarray]:
        """Along what x is moved: for each of its entries a direction's number, and how far the
        entry goes.

        Each direction is one entry. Of a long x it is many, with random weights of which none is
        small: one wrong entry, or any number of them, makes the derivative along their direction
        wrong.
        """
        size, shape = self.x.size, self.x.shape
        if size <= ENTRIES:
            return np.arange(size).reshape(shape), np.ones(shape)
        rng = np.random.default_rng(0)
        return (np.arange(size) % SUMS).reshape(shape), rng.uniform(0.5, 1.5, shape) * rng.choice(
            [-1, 1], shape
        )

    @property
    def probes(self) -> str:
        """What `numeric` differentiates by."""
        entries = sum(value.size for value in self.judged().values())
        if self.x.size <= ENTRIES:
            return f"each of {entries} entries"
        return (
            f"each of {entries - self.x.size} entries, and by the {self.x.size} of x in "
            f"{SUMS} random sums, each entry in one of them"
        )

    def along(self, by_x: np.ndarray) -> np.ndarray:
        """The derivatives along the directions, from those by the entries of x."""
        number, weight = self.directions
        return np.bincount(number.ravel(), (weight * by_x).ravel())

    def numeric(self) -> dict[str, np.ndarray]:
        """Numeric derivatives by everything judged; of x, along its directions."""
        values = self.judged()
        names = list(self.lstm.parameters())
        number, weight = self.directions

        def error(*tensors: Any) -> Any:
            *parameters, steps, a, c = tensors
            lstm = LSTM.from_arrays(dict(zip(names, parameters, strict=True)))
            return lstm.error(
                self.x.numpy() + weight * steps[number], self.targets, (a, c), self.mask
            )

        places = values | {"x": Tensor(np.zeros(number.max() + 1))}
        return dict(zip(values, numeric_gradients(error, *places.values()), strict=True))


def problem(options: Any) -> Problem:
    """The problem that the command line describes."""
    rng = np.random.default_rng(options.seed)
    if options.data is None:
        x, targets, origin = _random_sequence(options, rng)
    else:
        x, targets, origin = _series(options)
    steps, batch, units = targets.shape
    a, c = rng.standard_normal((2, batch, units)) / 2
    return Problem(
        LSTM(x.shape[-1], units, rng),
        Tensor(x, True, "x"),
        targets,
        (Tensor(a, True, "a<0>"), Tensor(c, True, "c<0>")),
        [1] * steps if options.loss == "every" else [0] * (steps - 1) + [1],
        origin,
    )


def _random_sequence(options: Any, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, str]:
    if options.column is not None:
        raise DataError(
            "there is no column to choose", where="--column", expected="--data FILE.csv beside it"
        )
    steps, batch = options.steps or 3, options.batch or 1
    x = rng.standard_normal((steps, batch, options.inputs or 3))
    return (
        x,
        rng.uniform(-1, 1, (steps, batch, options.units or 4)),
        f"random numbers, seed {options.seed}",
    )


def _series(options: Any) -> tuple[np.ndarray, np.ndarray, str]:
    """x<t> is a value of the series; the target of every unit is the next one."""
    for name in ("inputs", "batch"):
        if getattr(options, name) not in (None, 1):
            raise DataError(
                "a series has one value a block",
                where=f"--{name}",
                expected="1",
                got=getattr(options, name),
                do="leave it out",
            )
    series = read_series(options.data, options.column)
    values, label = series.values, series.name
    steps = options.steps or max(len(values) - 1, 1)
    if len(values) <= steps:
        raise DataError(
            "too few rows",
            where=options.data,
            expected=f"{steps + 1} for {steps} steps and the last target",
            got=len(values),
        )
    scaled = scale(values, label)[: steps + 1, np.newaxis, np.newaxis]
    origin = (
        f"column {label} of {options.data}, {len(values)} rows, scaled linearly from "
        f"[{values.min():g}, {values.max():g}] to [-1, 1]"
    )
    return (
        scaled[:-1],
        np.repeat(scaled[1:], options.units or 2, axis=2),
        f"{origin}; the target of every unit is the next value",
    )


def describe_forks(tape: Tape, case: Problem) -> str:
    """The counts of the derivation. Beside them, x is read once a block, through the stage that
    slices it."""
    parameters = case.lstm.parameters()
    counted = [fork for fork in tape.forks if fork.value is not case.x]
    kinds = Counter(
        "parameters" if fork.name in parameters else f"{Name.parse(fork.name).role}<t>"
        for fork in counted
    )
    branches = sum(len(fork.branches) for fork in counted)
    listed = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    also = (
        ""
        if len(counted) == len(tape.forks)
        else f"; x too, sliced for each of its {len(case.targets)} blocks"
    )
    return (
        f"{len(counted)} fork{'s' * (len(counted) != 1)} with {branches} branches, so "
        f"{branches - len(counted)} additions in backward: {listed}{also}"
    )


def judge(found: Gradients, case: Problem) -> tuple[str, bool]:
    """The table of the three judges, and whether they agree in every row."""
    hand = case.by_hand()
    by_hand_rows = compare(found, {name: hand[name] for name in case.judged()}, TOLERANCE).rows
    by_x, numeric = found["x"], case.numeric()
    numeric["x"] = (
        by_x + (numeric["x"] - case.along(by_x))[case.directions[0]]
    )  # a sum's difference is laid on each of its entries
    numeric_rows = {row.name: row for row in compare(found, numeric, TOLERANCE).rows}
    table = [("gradient of", "shape", "tape - by hand", "tape - numeric", "verdict")]
    right = 0
    for row in by_hand_rows:
        other = numeric_rows[row.name]
        right += row.ok and other.ok
        verdict = (
            "right" if row.ok and other.ok else f"by hand {_word(row)}, numeric {_word(other)}"
        )
        table.append((row.name, str(row.shape), _error(row), _error(other), verdict))
    lines = aligned(table)
    lines.append(
        f"{right} of {len(by_hand_rows)} right; errors are max|difference| / max|tape|, right up "
        f"to {TOLERANCE:.0e}"
    )
    return "\n".join(lines), right == len(by_hand_rows)


def _word(row: Row) -> str:
    return "right" if row.ok else row.verdict if row.error is None else "wrong"


def _error(row: Row) -> str:
    return row.verdict if row.error is None else f"{row.error:.2g}"
