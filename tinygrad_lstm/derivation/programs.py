"""Derivations as Python: what is written, statement by statement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygrad_lstm.derivation.expression import Leaf, evaluate
from tinygrad_lstm.derivation.notation import TEXT
from tinygrad_lstm.derivation.python import Module
from tinygrad_lstm.derivation.written import Written

__all__ = ["in_steps"]


def in_steps(written: Written, values: Mapping[Leaf, Any]) -> str:
    """A module with a statement for each line.

    Parameters
    ----------
    written : Written
        The lines.
    values : mapping of Leaf to ndarray
        The values of the gradients.
    """
    module, notation = Module(written.arrays), written.noted(TEXT)
    whole = {line.symbol: line.expression for line in written.lines}
    for line in written.rows:
        said = " = ".join(line.sides(notation))
        if line.symbol in whole:
            dtype = np.asarray(evaluate(whole[line.symbol], values)).dtype
            module.line(line.symbol, line.expression, said, dtype)
        else:
            module.definition(line.symbol, line.expression, said)
    return module.text({line.name: line.symbol for line in written.lines if line.found})
