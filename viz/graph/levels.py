"""How much of a graph is drawn: which blocks stage by stage, which folded, and which left out
together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from tinygrad_lstm.errors import DrawingError
from tinygrad_lstm.viz.graph.data import Edge, Graph, Node, Run

__all__ = ["LEVELS", "runs", "with_parameters"]

LEVELS = ("stages", "gates", "rolled", "block", "blocks")
FEWEST = 3  # blocks that are left out together; fewer are drawn


def runs(
    blocks: Sequence[int],
    level: str = "stages",
    expand: Collection[int] = (),
    keep: int | None = None,
) -> tuple[Run, ...]:
    """The blocks that are not drawn stage by stage.

    Parameters
    ----------
    blocks : sequence of int
        All blocks, in order.
    level : {"stages", "gates", "rolled", "block", "blocks"}
        Every stage of each block, or its gates and states only, of each or of one for all; one
        block (the second, or the one of `expand`) and the rest left out; or each block folded.
    expand : collection of int
        Blocks that are drawn stage by stage at every level.
    keep : int, optional
        How many blocks at each end are not left out; none is by default.

    Raises
    ------
    DrawingError
        If there is no block of `expand`.
    """
    for t in expand:
        if t not in blocks:
            raise DrawingError(
                "there is no such block", where="draw(expand=...)", expected=_range(blocks), got=t
            )
    if level == "block":
        shown = set(expand) or set(blocks[:2][-1:])
        return tuple(Run(piece) for piece in _pieces(blocks, [t not in shown for t in blocks]))
    inner = range(keep, len(blocks) - keep) if keep is not None else range(0)
    left_out = [i in inner and t not in expand for i, t in enumerate(blocks)]
    together = [Run(piece) for piece in _pieces(blocks, left_out) if len(piece) >= FEWEST]
    if level in ("stages", "gates", "rolled"):
        return tuple(together)
    alone = {*blocks} - {*expand} - {t for run in together for t in run.blocks}
    return tuple(sorted([*together, *(Run((t,)) for t in alone)], key=lambda run: run.first))


def _pieces(blocks: Sequence[int], wanted: Sequence[bool]) -> Iterator[tuple[int, ...]]:
    """The longest pieces of neighbouring blocks that are wanted."""
    for is_wanted, piece in groupby(zip(wanted, blocks, strict=True), key=lambda pair: pair[0]):
        if is_wanted:
            yield tuple(t for _, t in piece)


def _range(blocks: Sequence[int]) -> str:
    return f"one of {blocks[0]} to {blocks[-1]}" if blocks else "a graph with blocks"


def with_parameters(graph: Graph) -> Graph:
    """The graph with a node for each parameter in each block that reads it and is drawn."""
    drawn = {node.key for node in graph.nodes}
    nodes: dict[str, Node] = {}
    edges: list[Edge] = []
    for i, p in enumerate(graph.parameters):
        for share in () if p.is_input else p.shares:
            if share.node in drawn:
                key = f"p{i}-{share.block}"
                nodes[key] = Node(
                    key, p.name, "", "parameter", share.block, p.value, ways=p.ways
                )  # one, though several stages may read it
                edges.append(
                    Edge(
                        key,
                        share.node,
                        share.argument,
                        len(p.shares) > 1,
                        share.gradient,
                        False,
                        p.ways,
                        share.verdict,
                    )
                )
    return replace(graph, nodes=(*graph.nodes, *nodes.values()), edges=(*graph.edges, *edges))
