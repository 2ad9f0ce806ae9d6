"""How a stage is written on its node: ``c∘Γ_f``, ``σ(sum_f)``, ``W_f·z + b_f``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygrad_lstm.engine.tape import Stage

__all__ = ["formula"]

TEMPLATES = {
    "add": "{} + {}",
    "subtract": "{} − {}",
    "multiply": "{} ∘ {}",
    "divide": "{} / {}",
    "negative": "−{}",
    "power": "{} ^ {}",
    "square": "{}²",
    "sigmoid": "σ({})",
    "matmul": "{} @ {}",
    "linear": "{1}·{0} + {2}",  # the document's column form, W z + b
    "squared_error": "½ Σ({1} − {0})²",
}
JOINED = {"add_n": ("", " + ", ""), "concatenate": ("[", ", ", "]")}


def formula(stage: Stage, values: Mapping[int, str]) -> str:
    """The stage in the document's notation, with the names of what it read; of its own block,
    without the block.

    `values` are the names by the values' ``id``; an input that is none of them is a plain number.
    """
    own = f"<{stage.block}>"
    names = [(name := values.get(id(x)) or str(x)).removesuffix(own) or name for x in stage.inputs]
    if stage.op in TEMPLATES:
        return TEMPLATES[stage.op].format(*names)
    if stage.op == "index":
        return f"{names[0]}[{_key(stage.params.get('key'))}]"
    opening, comma, closing = JOINED.get(stage.op, (f"{stage.op}(", ", ", ")"))
    shown = names if len(names) < 3 else [names[0], "…", names[-1]]
    return opening + comma.join(shown) + closing


def _key(key: Any) -> str:
    """An index as it is written, with one word for an array in it."""
    if isinstance(key, tuple):
        return ", ".join(map(_key, key)) or "()"
    if isinstance(key, slice):
        start, stop, step = ("" if i is None else str(i) for i in (key.start, key.stop, key.step))
        return f"{start}:{stop}" + (f":{step}" if step else "")
    if isinstance(key, (list, np.ndarray)):
        return "mask" if np.asarray(key).dtype == bool else "array"
    return "..." if key is Ellipsis else str(key)
