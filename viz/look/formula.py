"""How a stage is written on its node: ``c ∘ Γ_f``, ``σ(sum_f)``, ``z W_fᵀ + b_f``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinygrad_lstm.derivation.forward import forward
from tinygrad_lstm.engine.names import Name
from tinygrad_lstm.engine.tape import Stage

__all__ = ["formula"]

MOST = 2  # inputs of a sum or a concatenation


def formula(stage: Stage, names: Mapping[int, str]) -> str:
    """The stage in the notation of the derivation; what is of its own block and scope is written
    without them. `names` are what the inputs are called, by their ``id``."""

    def called(x: Any) -> str:
        name = Name.parse(names[id(x)])
        if name.block == stage.block:
            name = name._replace(block=None)
        if name.scope == stage.scope:
            name = name._replace(scope="")
        return str(name)

    return forward(stage, called, MOST)
