"""The graph of a picture as plain data: nodes, edges, blocks and the ledger of parameters. No Graphviz, no layout, no colours."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_lstm._errors import DrawingError
from tinygrad_lstm._node import Node as Value
from tinygrad_lstm._tape import Branch, Stage, Tape
from tinygrad_lstm.viz.formula import formula

__all__ = ["Edge", "Elided", "Graph", "Node", "Parameter", "Reader", "build"]


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

    @property
    def key(self) -> str:
        """The edge's id in the picture, from those of its ends: ``n3-n7-0``."""
        return f"{self.source}-{self.target}-{self.argument}"


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
        If nothing was recorded, if `gradients` belongs to another graph, if a name is no text, or if a block is no whole
        number.
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
    for x in tape.values:
        _check_kind("a name is a text", x._label, str, "x.name")
        _check_kind("blocks are counted", x.block, (int, np.integer), "block(...)")
    return _Builder(tape, gradients).graph()


def _check_kind(what: str, value: Any, kind: Any, where: str) -> None:
    if value is not None and not isinstance(value, kind):
        raise DrawingError(what, where=where, expected="a string" if kind is str else "a whole number", got=ascii(value))


class _Builder:
    """The tape's values, told apart by identity, on their way to nodes, edges and parameters."""

    def __init__(self, tape: Tape, gradients: Any) -> None:
        self.tape, self.gradients = tape, gradients
        self.uses: dict[int, list[Branch]] = defaultdict(list)
        for stage in tape.stages:
            for i, x in enumerate(stage.inputs):
                if isinstance(x, Value):
                    self.uses[id(x)].append(Branch(stage, i))
        self.names = {id(x): tape.label(x) if x.name or not x.is_leaf else _unnamed(x) for x in tape.values}
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
            return Node(self.keys[id(x)], self.names[id(x)], "", op, self.block_of(x), array(x), self.gradient_of(x), self.readers[id(x)])
        shown = formula(stage, self.names)
        return Node(self.keys[id(x)], self.names[id(x)], shown, stage.op, _block(x), array(x), self.gradient_of(x), self.readers[id(x)])

    def edges_from(self, x: Any) -> Iterable[Edge]:
        readers = self.readers[id(x)] or [None] * len(self.uses[id(x)])
        for use, reader in zip(self.uses[id(x)], readers, strict=True):
            sent = reader.gradient if reader else None
            yield Edge(self.keys[id(x)], self.keys[id(use.stage.output)], use.argument, len(self.readers[id(x)]) > 1, sent)


def _unnamed(x: Any) -> str:
    """What stands for the name of a leaf without one."""
    return "parameter" if x.requires_grad else "constant"


def _block(x: Any) -> int | None:
    """The block in which a value was recorded, or the one in its name (``a<0>``)."""
    named = re.search(r"<(\d{1,9})>$", x.name or "")
    return int(named[1]) if named else x.block


def array(value: Any) -> Any:
    """The array of a Tensor; arrays as they are."""
    return getattr(value, "_array", value)
