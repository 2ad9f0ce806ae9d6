"""The derivative by another value, or by another stage, in the place of the right one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinygrad_lstm.comparison.chain import edge
from tinygrad_lstm.comparison.combined import Guess, Words
from tinygrad_lstm.comparison.steps import Steps
from tinygrad_lstm.engine.gradients import Part
from tinygrad_lstm.engine.memory import array_of

__all__ = ["elsewhere"]


def elsewhere(search: Steps, part: Part, correct: Words, hand: np.ndarray) -> Iterator[Guess]:
    """What else on the tape the value by hand is."""
    gradients, formulas = search.chain.gradients, search.formulas
    shapes = (hand.shape, hand.shape[::-1])
    for x in (x for x in search.chain.order if x.shape in shapes):
        if x is part.value and part.kind == "total":
            continue
        total = np.asarray(array_of(gradients[x]))
        for array, how in ((total, ""), (total.T, "ᵀ") if total.ndim == 2 else (total, "")):
            if search.fits(array, hand):
                name = formulas.gradient_name(x) + how
                looks = f"this is {name}, the derivative by another value"
                yield Guess("another derivative", name, correct, looks, array)
    own = set(map(edge, part.branches))
    for branch in gradients.branches(part.value):
        if edge(branch) not in own:
            other = formulas.stage(branch.stage.output)
            array = np.asarray(array_of(branch.gradient))
            if search.fits(array, hand):
                yours = formulas.text(formulas.correct(branch))
                looks = f"this comes back through {other}"
                yield Guess("another derivative", yours, correct, looks, array)
