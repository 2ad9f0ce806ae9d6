"""The graph of a picture as plain data: nodes, edges, blocks and the ledger of parameters. No Graphviz, no layout, no colours."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from tinygrad_lstm._errors import DrawingError
from tinygrad_lstm._node import Node as Value
from tinygrad_lstm._tape import Branch, Stage, Tape
from tinygrad_lstm.viz.formula import formula

__all__ = ["Edge", "Elided", "Graph", "Node", "Parameter", "Reader", "build", "elide"]


@dataclass(frozen=True)
class Reader:
    """One use of a value: which stage reads it as which argument, in which block, and what this use sends back."""

    name: str
    argument: int
    block: int | None
    gradient: Any = None


@dataclass(frozen=True)
class Node:
    """A value that is drawn: what a stage computed, or a leaf.

    Attributes
    ----------
    key : str
        The node's id in the picture: generated, in the order of the tape.
    name, formula : str
        What the tape calls it; how it was computed, or an empty string for a leaf.
    op : str
        The operation; "constant" or "leaf" (requires a gradient) where no stage computed the value.
    block : int or None
        The block in whose frame it belongs; 0 for an initial state.
    value, gradient : ndarray or None
        Its value; the total derivative, where gradients were given.
    readers : tuple of Reader
        The uses through which a gradient comes back: a fork has two or more.
    unseen : ndarray or None
        What comes back from readers that are not drawn.
    """

    key: str
    name: str
    formula: str
    op: str
    block: int | None
    value: Any
    gradient: Any = None
    readers: tuple[Reader, ...] = ()
    unseen: Any = None

    @property
    def stem(self) -> str:
        """The name without its block: the role that it has in every block."""
        return self.name.partition("<")[0]

    @property
    def fork(self) -> bool:
        return len(self.readers) > 1


@dataclass(frozen=True)
class Edge:
    """A stage `target` reads the value `source` as argument number `argument`.

    `gradient` is what the edge sends back, `fork` says whether it is a branch of a fork, and `through` whether it
    stands for a way through blocks that are not drawn.
    """

    source: str
    target: str
    argument: int
    fork: bool = False
    gradient: Any = None
    through: bool = False


@dataclass(frozen=True)
class Parameter:
    """A leaf that many blocks read. It is listed with each block's share instead of being wired to all of them."""

    name: str
    value: Any
    gradient: Any
    shares: tuple[Reader, ...]
    is_input: bool = False  # whether the blocks only read slices of it, as they do of a sequence x


@dataclass(frozen=True)
class Elided:
    """The blocks `first` to `last` that are not drawn, and the number of forks among their values."""

    first: int
    last: int
    forks: int

    @property
    def count(self) -> int:
        return self.last - self.first + 1

    def __contains__(self, block: int | None) -> bool:
        return block is not None and self.first <= block <= self.last


@dataclass(frozen=True)
class Graph:
    """What a picture shows, in the order of the tape.

    Attributes
    ----------
    root : str
        The key of the value that was differentiated.
    blocks : tuple of int
        All blocks of the tape, in order, whether drawn or not.
    forks : int
        The forks among the values of the whole tape; parameters are counted in their ledger.
    elided : Elided or None
        The blocks in the middle that were left out.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    parameters: tuple[Parameter, ...]
    root: str
    blocks: tuple[int, ...]
    forks: int
    has_gradients: bool
    elided: Elided | None = None

    def node(self, key: str) -> Node:
        return next(n for n in self.nodes if n.key == key)


def build(tape: Tape, gradients: Any = None) -> Graph:
    """The graph of a tape.

    Parameters
    ----------
    tape : Tape
        What to draw.
    gradients : Gradients, optional
        The result of ``gradients(loss)`` for the same loss.

    Raises
    ------
    DrawingError
        If nothing was recorded, or if `gradients` belongs to another graph.
    """
    if not tape.stages:
        raise DrawingError(
            "there is no graph to draw",
            where=tape.label(tape.root),
            expected="a value computed from Tensors with requires_grad=True, outside no_grad",
            got="no recorded stage",
        )
    if gradients is not None and gradients.tape.root is not tape.root:
        raise DrawingError(
            "these gradients belong to another graph",
            where="draw(gradients=...)",
            expected=f"gradients of {tape.label(tape.root)} itself",
            got=f"gradients of {gradients.tape.label(gradients.tape.root)} from another run",
            do="call gradients(loss) with the loss that is drawn",
        )
    return _Builder(tape, gradients).graph()


class _Builder:
    """The tape's values, told apart by identity, on their way to nodes, edges and parameters."""

    def __init__(self, tape: Tape, gradients: Any) -> None:
        self.tape, self.gradients = tape, gradients
        self.uses: dict[int, list[Branch]] = defaultdict(list)
        for stage in tape.stages:
            for i, x in enumerate(stage.inputs):
                if isinstance(x, Value):
                    self.uses[id(x)].append(Branch(stage, i))
        self.names = {id(x): tape.label(x) for x in tape.values}
        self.blocks = tuple(sorted({s.block for s in tape.stages if s.block is not None}))
        self.ledger = [x for x in tape.leaves if self.is_parameter(x)]
        in_ledger = {id(x) for x in self.ledger}
        self.drawn = [x for x in tape.values if id(x) not in in_ledger]
        self.keys = {id(x): f"n{i}" for i, x in enumerate(self.drawn)}
        self.readers = {id(x): self.readers_of(x) for x in tape.values}

    def is_parameter(self, x: Any) -> bool:
        """Whether a leaf is read by blocks, belongs to none of them, and is not the start of a single chain."""
        uses = self.uses[id(x)]
        inside = bool(uses) and all(use.stage.block is not None for use in uses)
        return x.requires_grad and _block(x) is None and inside and (len(uses) > 1 or len(self.blocks) == 1)

    def block_of(self, x: Any) -> int | None:
        """The block of a value; a constant without one belongs to the only block that reads it."""
        block = _block(x)
        if block is None and x.is_leaf and len(found := {use.stage.block for use in self.uses[id(x)]}) == 1:
            return found.pop()
        return block

    def readers_of(self, x: Any) -> tuple[Reader, ...]:
        if not x.requires_grad:
            return ()
        branches = self.gradients.branches(x) if self.gradients is not None else self.uses[id(x)]
        return tuple(Reader(self.names[id(b.stage.output)], b.argument, b.stage.block, array(b.gradient)) for b in branches)

    def gradient_of(self, x: Any) -> Any:
        return array(self.gradients[x]) if self.gradients is not None and x.requires_grad else None

    def graph(self) -> Graph:
        stages = {id(stage.output): stage for stage in self.tape.stages}
        nodes = tuple(self.node(x, stages.get(id(x))) for x in self.drawn)
        edges = tuple(edge for x in self.drawn for edge in self.edges_from(x))
        forks = sum(node.fork for node in nodes)
        return Graph(
            nodes, edges, tuple(map(self.parameter, self.ledger)), self.keys[id(self.tape.root)], self.blocks, forks, self.gradients is not None
        )

    def parameter(self, x: Any) -> Parameter:
        is_input = all(use.stage.op == "index" for use in self.uses[id(x)])
        return Parameter(self.names[id(x)], array(x), self.gradient_of(x), self.readers[id(x)], is_input)

    def node(self, x: Any, stage: Stage | None) -> Node:
        if stage is None:
            op = "leaf" if x.requires_grad else "constant"
            return Node(self.keys[id(x)], x.name or op, "", op, self.block_of(x), array(x), self.gradient_of(x), self.readers[id(x)])
        shown = formula(stage, self.names)
        return Node(self.keys[id(x)], self.names[id(x)], shown, stage.op, _block(x), array(x), self.gradient_of(x), self.readers[id(x)])

    def edges_from(self, x: Any) -> Iterable[Edge]:
        readers = self.readers[id(x)] or [None] * len(self.uses[id(x)])
        for use, reader in zip(self.uses[id(x)], readers, strict=True):
            sent = reader.gradient if reader else None
            yield Edge(self.keys[id(x)], self.keys[id(use.stage.output)], use.argument, len(self.readers[id(x)]) > 1, sent)


def _block(x: Any) -> int | None:
    """The block in which a value was recorded, or the one in its name (``a<0>``)."""
    named = re.search(r"<(\d{1,9})>$", x.name or "")
    return int(named[1]) if named else x.block


def array(value: Any) -> Any:
    """The array of a Tensor; arrays as they are."""
    return getattr(value, "_array", value)


def elide(graph: Graph, keep: int | None) -> Graph:
    """The graph with `keep` blocks at each end and what connects them; unchanged where that would hide fewer than three blocks.

    A hidden value that a visible stage reads stays, as the stand-in for the blocks before it: it shows the hand-over.
    Where a visible stage reads the same value of many hidden blocks (their Errors), one node holds all of them.
    """
    if keep is None or len(graph.blocks) < 2 * keep + 3:
        return graph
    elided = Elided(graph.blocks[keep], graph.blocks[-keep - 1], 0)
    hidden = {n.key: n for n in graph.nodes if n.block in elided}
    read = {e.source for e in graph.edges if e.source in hidden and e.target not in hidden}
    groups: dict[str, list[Node]] = defaultdict(list)
    for node in hidden.values():
        if node.key in read:
            groups[node.stem].append(node)
    stand_ins = {stem: _stand_in(group, elided) for stem, group in groups.items()}
    shown = {node.key: node for node in stand_ins.values()}
    return replace(
        graph,
        nodes=tuple(shown.get(n.key, n) for n in graph.nodes if n.key not in hidden or n.key in shown),
        edges=_reconnected(graph, hidden, stand_ins),
        elided=replace(elided, forks=sum(node.fork for node in hidden.values())),
    )


def _stand_in(group: list[Node], elided: Elided) -> Node:
    """What stays of the same value of hidden blocks: the one that is read elsewhere, or the sum of the entries of all that are."""
    first, last = group[0], group[-1]
    if first is last:
        unseen = [r.gradient for r in first.readers if r.block in elided and r.gradient is not None]
        return replace(first, unseen=sum(unseen)) if unseen else first
    total = sum(node.value.sum() for node in group)
    return replace(last, name=f"{first.name} … {last.name}", formula=f"sum of {len(group)}", value=total, gradient=None, readers=())


def _reconnected(graph: Graph, hidden: dict[str, Node], stand_ins: dict[str, Node]) -> tuple[Edge, ...]:
    """The edges among what is left: those into hidden blocks end at the stand-in of the value that they carry on."""
    stems = {n.key: n.stem for n in graph.nodes}
    found: dict[tuple[str, str, int], Edge] = {}
    for e in graph.edges:
        if e.source in hidden and e.target not in hidden:
            stand_in = stand_ins[stems[e.source]]
            if stand_in.key != e.source:  # many blocks in one node: one edge for all
                continue
            found[e.source, e.target, e.argument] = e
        elif e.source not in hidden and e.target not in hidden:
            found[e.source, e.target, e.argument] = e
        elif e.source not in hidden and stand_ins:
            stand_in = stand_ins.get(stems[e.source]) or next(iter(stand_ins.values()))
            found[e.source, stand_in.key, e.argument] = replace(e, target=stand_in.key, through=True)
    return tuple(found.values())
