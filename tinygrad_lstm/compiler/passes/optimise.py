"""The passes, in their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from operator import attrgetter

from tinygrad_lstm.compiler.construct import Builder
from tinygrad_lstm.compiler.graph import Graph, Value
from tinygrad_lstm.compiler.passes.accumulate import accumulate
from tinygrad_lstm.compiler.passes.align import align
from tinygrad_lstm.compiler.passes.apart import apart
from tinygrad_lstm.compiler.passes.columns import columns
from tinygrad_lstm.compiler.passes.contract import contract
from tinygrad_lstm.compiler.passes.dense import dense
from tinygrad_lstm.compiler.passes.gather import gather
from tinygrad_lstm.compiler.passes.lift import lift
from tinygrad_lstm.compiler.passes.merge import merge
from tinygrad_lstm.compiler.passes.ones import ones
from tinygrad_lstm.compiler.passes.overlap import overlap
from tinygrad_lstm.compiler.passes.panels import panels
from tinygrad_lstm.compiler.passes.push import push
from tinygrad_lstm.compiler.passes.split import split
from tinygrad_lstm.compiler.passes.turn import turn
from tinygrad_lstm.compiler.passes.widen import widen

__all__ = ["PASSES", "Done", "optimise"]

Pass = Callable[[Builder, list[Value]], list[Value]]

PASSES: dict[str, Pass] = {
    "gather": gather,
    "contract": contract,
    "align": align,
    "split": split,
    "push": push,
    "merge": merge,
    "columns": columns,
    "lift": lift,
    "ones": ones,
    "apart": apart,
    "widen": widen,
    "dense": dense,
    "panels": panels,
    "turn": turn,
    "overlap": overlap,
    "accumulate": accumulate,
}

ORDER = (
    "gather",
    "contract",
    "align",
    "split",
    "push",
    "split",
    "merge",
    "columns",
    "lift",
    "ones",
    "apart",
    "widen",
    "dense",
    "panels",
    "turn",
    "overlap",
    "accumulate",  # the last: nobody else may come to read a part afterwards
)

BACKEND = {"widen": "numpy", "dense": "numpy", "panels": "native"}
"""Passes that only one backend gains by: compiled loops join what is of one shape anyway, and each
line of them costs the same; NumPy has no product by panels."""


@dataclass(frozen=True)
class Done:
    """What a pass has left: how many values of each operation."""

    name: str
    counts: Counter[str]


def optimise(
    graph: Graph,
    roots: list[Value],
    passes: Collection[str] = tuple(PASSES),
    backend: str = "numpy",
) -> tuple[list[Value], list[Done]]:
    """The roots of an equal graph that takes less work on a backend, and what each pass did."""
    build = Builder(graph)
    done: list[Done] = []

    seen: list[Value] = []

    def did(name: str) -> None:
        nonlocal seen
        order = graph.order(roots)
        if done and order is seen:  # it found nothing
            done.append(Done(name, done[-1].counts))
            return
        seen = order
        done.append(Done(name, Counter(map(attrgetter("op"), order))))
        graph.keep(order)

    did("recorded")
    for name in ORDER:
        if name in passes and BACKEND.get(name, backend) == backend:
            roots = PASSES[name](build, roots)
            did(name)
    return roots, done
