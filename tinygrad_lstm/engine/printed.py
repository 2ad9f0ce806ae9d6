"""A tape as text: a line for each stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from tinygrad_lstm.engine.arrays import Value
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.stage import Branch, Fork, Stage
from tinygrad_lstm.text import aligned

__all__ = ["printed"]


class Listed(Protocol):
    """What is printed of a tape."""

    root: Node
    stages: tuple[Stage, ...]

    @property
    def readers(self) -> Mapping[int, Sequence[Branch]]: ...

    @property
    def leaves(self) -> tuple[Node, ...]: ...

    @property
    def forks(self) -> tuple[Fork, ...]: ...

    def label(self, x: Value) -> str: ...


def printed(tape: Listed) -> str:
    """The stages in columns, with their forks, and the forks among the leaves behind them."""
    rows = [("block", "stage", "shape", "")]
    for stage in tape.stages:
        shown = ", ".join(tape.label(x) for x in stage.inputs)
        block = "" if stage.block is None else str(stage.block)
        text = f"{stage.name} = {stage.op}({shown})"
        rows.append((block, text, str(stage.output.shape), _mark(tape, stage.output)))
    count = f"{len(tape.stages)} stages, {len(tape.forks)} forks"
    lines = [f"tape of {tape.label(tape.root)}: {count}", *aligned(rows)]
    marked = [x for x in tape.leaves if _mark(tape, x)]
    if marked:
        lines.append("forks among the leaves:")
    return "\n".join([*lines, *(f"  {tape.label(x)} {x.shape}  {_mark(tape, x)}" for x in marked)])


def _mark(tape: Listed, x: Value) -> str:
    branches = tape.readers.get(id(x), ())
    return f"fork: {len(branches)} branches" if len(branches) > 1 else ""
