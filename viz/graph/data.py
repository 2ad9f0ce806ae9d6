"""What a picture shows, as plain data, without layout or colours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tinygrad_lstm.engine.names import Name

__all__ = ["Edge", "Graph", "Node", "Parameter", "Reader", "Run", "Verdict", "Zero"]


@dataclass(frozen=True)
class Verdict:
    """What a comparison says about a quantity: its kind (right, first, because, wrong or open), and
    the words."""

    name: str
    kind: str
    text: str


@dataclass(frozen=True)
class Reader:
    """One use of a value: which stage reads it as which argument, in which block, and what this use
    sends back.

    `node` is the key of what that stage computed. Those of a parameter have no name.
    """

    name: str
    node: str
    argument: int
    block: int | None
    gradient: Any = None
    verdict: Verdict | None = None

    @cached_property
    def called(self) -> Name:
        return Name.parse(self.name)


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
        The operation; "constant" or "leaf" (requires a gradient) where no stage computed the value,
        "parameter" for what one block reads of a parameter.
    block : int or None
        The block in whose frame it belongs; 0 for an initial state.
    value, gradient : ndarray or None
        Its value; the total derivative, where gradients were given.
    readers : tuple of Reader
        The uses through which a gradient comes back: a fork has two or more.
    unseen : ndarray or None
        What comes back from readers that are not drawn.
    ways : tuple of int
        The marked ways (see `Graph.ways`) that go through it.
    verdict : Verdict or None
        What the comparison says about its derivative.
    role : str
        What the value is called in every block, for a node that stands for those of many.
    target : ndarray or None
        What a loss compares with, where that is no node.
    quiet : bool
        Whether its gradient is said in the tooltip only.
    kind : str
        The kind of the operation; empty where no stage computed the value.
    elementwise : bool
        Whether each entry is computed from one entry of each input.
    said : tuple of str
        What is written in the place of numbers, on a node that stands for those of all blocks.
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
    ways: tuple[int, ...] = ()
    verdict: Verdict | None = None
    role: str = ""
    target: Any = None
    quiet: bool = False
    kind: str = ""
    elementwise: bool = False
    said: tuple[str, ...] = ()

    @cached_property
    def called(self) -> Name:
        return Name.parse(self.name)

    @property
    def stem(self) -> str:
        """The name without its block: the role that it has in every block."""
        return self.role or self.called.role

    @property
    def word(self) -> str:
        """The name without its block and scope: what it is called in its cell."""
        return Name.parse(self.stem).stem

    @property
    def is_placed(self) -> bool:
        """Whether it is a single value, and its name says the block in which it is drawn."""
        return not self.role and self.block is not None and self.called.block == self.block

    @property
    def fork(self) -> bool:
        return len(self.readers) > 1


@dataclass(frozen=True)
class Edge:
    """A stage `target` reads the value `source` as argument number `argument`.

    `gradient` is what the edge sends back, `fork` says whether it is a branch of a fork, and
    `through` whether it stands for a way through blocks that are not drawn. In a graph that is
    rolled up an edge may be a loop, from the block so many `steps` before (or after, below 0), and
    `said` is written on it: the block from which its value is.
    """

    source: str
    target: str
    argument: int
    fork: bool = False
    gradient: Any = None
    through: bool = False
    ways: tuple[int, ...] = ()
    verdict: Verdict | None = None
    said: str = ""
    steps: int = 0

    @property
    def key(self) -> str:
        """The edge's id in the picture, from those of its ends: ``n3-n7-0``."""
        return f"{self.source}-{self.target}-{self.argument}"


@dataclass(frozen=True)
class Zero:
    """A branch that is not there, and so sends back 0: in other blocks, stages with the names
    `readers` read the node `source`; `block` is the one in which they would be.
    """

    source: str
    readers: tuple[str, ...]
    block: int

    @property
    def key(self) -> str:
        """Its id in the picture."""
        return f"{self.source}-zero-{self.block}"


@dataclass(frozen=True)
class Parameter:
    """A leaf that many blocks read: listed with each block's share, not wired to all of them."""

    name: str
    value: Any
    gradient: Any
    shares: tuple[Reader, ...]
    is_input: bool = False  # whether the blocks only read slices of it, as they do of a sequence x
    ways: tuple[int, ...] = ()
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Run:
    """Blocks not drawn stage by stage: one that is folded, or neighbours left out together.

    Attributes
    ----------
    blocks : tuple of int
        The blocks.
    stages, forks : int
        The stages in them, and the forks among their values.
    """

    blocks: tuple[int, ...]
    stages: int = 0
    forks: int = 0

    @property
    def first(self) -> int:
        return self.blocks[0]

    @property
    def last(self) -> int:
        return self.blocks[-1]

    @property
    def count(self) -> int:
        return len(self.blocks)

    def __hash__(self) -> int:
        return hash((self.first, self.last))


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
    runs : tuple of Run
        The blocks that are folded or left out.
    zeros : tuple of Zero
        The branches that are not there.
    ways : tuple of str
        The names to which the ways back from the root are marked.
    verdicts : tuple of Verdict
        All verdicts of a comparison, in its order, whether they could be drawn or not.
    keys : mapping of int to str
        The key of every value of the tape by its ``id``, whether drawn or not: a node's, or ``p0``
        for the first parameter.
    places : mapping of int to int or None
        The block of every value that can be a node by its ``id``.
    level : {"stages", "gates", "rolled"}
        Whether nodes are stages, or those of a cell's figure, of every block or one for all.
    entry : tuple of int or None
        The one entry of each array that is shown.
    details : bool
        Whether the entries of arrays are shown beside their sum.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    parameters: tuple[Parameter, ...]
    root: str
    blocks: tuple[int, ...]
    forks: int
    has_gradients: bool
    runs: tuple[Run, ...] = ()
    zeros: tuple[Zero, ...] = ()
    ways: tuple[str, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    keys: Mapping[int, str] = field(default_factory=dict)
    places: Mapping[int, int | None] = field(default_factory=dict)
    level: str = "stages"
    entry: tuple[int, ...] | None = None
    details: bool = True

    def node(self, key: str) -> Node:
        return self.by_key[key]

    @property
    def few(self) -> bool:
        """Whether nodes have few words and digits, as in a figure of a cell."""
        return self.level != "stages"

    @property
    def rolled(self) -> bool:
        """Whether one block stands for all."""
        return self.level == "rolled"

    @cached_property
    def by_key(self) -> Mapping[str, Node]:
        return {n.key: n for n in self.nodes}

    @cached_property
    def folded(self) -> Mapping[int | None, Run]:
        """The run of each block that is in one."""
        return {t: run for run in self.runs for t in run.blocks}

    @cached_property
    def frames(self) -> tuple[int | Run, ...]:
        """The blocks from left to right, with runs in the place of theirs."""
        drawn = self.blocks[:1] if self.rolled else self.blocks
        return tuple(dict.fromkeys(self.folded.get(t, t) for t in drawn))

    def frame(self, block: int | None) -> int | Run | None:
        """Where the values of a block are drawn: in its own frame, in that of a run, or (None)
        outside."""
        found = self.folded.get(block, block)
        return found if found in self._framed else None

    @cached_property
    def _framed(self) -> frozenset[int | Run]:
        return frozenset(self.frames)
