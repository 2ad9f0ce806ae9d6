"""What a row of the table says, and makers of inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Make = Callable[[np.random.Generator], list[np.ndarray]]


@dataclass(frozen=True)
class Row:
    """One operation: what is called, NumPy's reference for it, and makers of inputs.

    `twice` says whether the second derivative is tested too (it exists and is not trivially noisy),
    `single` whether float32 inputs stay float32, `rtol` how closely the value must agree with the
    reference in float64.
    """

    name: str
    f: Callable[..., Any]
    reference: Callable[..., Any]
    makes: list[Make]
    twice: bool = True
    single: bool = True
    rtol: float = 1e-12


def normal(*shapes):
    return lambda rng: [rng.normal(size=shape) for shape in shapes]


def positive(*shapes):
    return lambda rng: [rng.uniform(0.3, 3.0, size=shape) for shape in shapes]


def apart(*shapes):
    """Values no two of which are close, so that a small step crosses no kink."""
    return lambda rng: [
        rng.permutation(np.arange(1, np.prod(s, dtype=int) + 1) * 0.37 - 1.05 + 0.11 * i).reshape(s)
        for i, s in enumerate(shapes)
    ]
