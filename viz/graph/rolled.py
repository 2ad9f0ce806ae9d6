"""A graph rolled up: one block that stands for all, in which what it hands to its neighbours comes
back as a loop."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np

from tinygrad_lstm.engine.names import Name
from tinygrad_lstm.engine.node import Node as Value
from tinygrad_lstm.engine.tape import Tape
from tinygrad_lstm.errors import DrawingError
from tinygrad_lstm.viz.graph.data import Edge, Graph, Node, Verdict
from tinygrad_lstm.viz.graph.members import block_of_value

__all__ = ["kept", "rolled"]

ENDS = 3  # blocks at each end that are looked at, where all between are like them
GRAVEST = ("first", "because", "wrong", "open", "right")

Source = tuple[str, int]  # a value, and from how many blocks before it is read


def kept(tape: Tape, blocks: Sequence[int]) -> int | None:
    """How many blocks at each end are enough to roll a graph up; None for all, where one between
    them has other stages than its neighbours, or reads something else."""
    stages: dict[int | None, list[Any]] = {t: [] for t in blocks[ENDS - 1 : 1 - ENDS]}
    if len(stages) < ENDS or block_of_value(tape.root) in stages:
        return None
    for stage in tape.stages:
        x, t = stage.output, stage.block
        inputs = [i for i in x._inputs if isinstance(i, Value)]
        if t is not None and t in stages:
            found = map(block_of_value, inputs)
            steps = [None if of is None else t - of for of in found]
            stages[t].append((stage.op, _role(x), x.shape, [*map(_role, inputs)], steps))
        elif t is None:
            for i in inputs:
                if (of := block_of_value(i)) in stages:
                    stages[of].append(_role(i))
    first, *others = stages.values()
    return ENDS if all(several == first for several in others) else None


def _role(x: Any) -> str:
    return Name.parse(x.name).role if x.name else x._op.name if x._op else ""


def rolled(graph: Graph) -> Graph:
    """The graph at the level "rolled", from that at the level "gates": of all blocks, or of some at
    its ends if those between are like them.

    What differs from block to block is not shown: a node of the block has a shape in the place of
    numbers, and the gravest of the verdicts.

    Raises
    ------
    DrawingError
        If there are fewer than two blocks, or they are not alike.
    """
    return _Roller(graph).graph()


class _Roller:
    def __init__(self, graph: Graph) -> None:
        if len(graph.blocks) < 2:
            raise _refused("two blocks or more", f"{len(graph.blocks)}")
        self.old = graph
        self.within = [t for t in graph.blocks if t not in graph.folded]
        self.into: dict[str, list[Edge]] = defaultdict(list)
        for edge in graph.edges:
            self.into[edge.target].append(edge)
        self.values: dict[str, dict[int, Node]] = defaultdict(dict)
        for node in graph.nodes:
            if node.block in self.within:
                self.values[node.stem][node.block] = node
        self.verdicts: dict[str, dict[int | None, Verdict]] = defaultdict(dict)
        for verdict in graph.verdicts:
            name = Name.parse(verdict.name)
            if name.block in self.within:
                self.verdicts[name.role][name.block] = verdict
        self.reads = {stem: self._reads(several) for stem, several in self.values.items()}
        self._check()
        self.shown = {stem: self._node(stem) for stem in self.values}

    def _reads(self, several: dict[int, Node]) -> dict[Source, int]:
        """What a value is computed from, and as which argument."""
        found: dict[Source, int] = {}
        for t, node in several.items():
            for edge in self.into[node.key]:
                source = self.old.node(edge.source)
                if source.block in self.within:
                    found.setdefault((source.stem, t - source.block), edge.argument)
        return found

    def _check(self) -> None:
        read = {stem for sources in self.reads.values() for stem, _ in sources}
        for stem, several in self.values.items():
            for t in self.within:
                if t not in several:
                    if stem in read:
                        raise _refused("blocks that are alike", f"no {stem} in block {t}")
                    continue
                expected = {r for r in self.reads[stem] if t - r[1] in self.within}
                if self._reads({t: several[t]}).keys() != expected:
                    raise _refused("blocks that are alike", f"another {stem} in block {t}")

    def graph(self) -> Graph:
        root = self.old.node(self.old.root)
        outside = [n for n in self.old.nodes if self.old.frame(n.block) is None]
        return replace(
            self.old,
            nodes=(*self.shown.values(), *outside),
            edges=(*self._inner(), *self._outer()),
            root=self.shown[root.stem].key if root.block in self.within else root.key,
            runs=(),
            zeros=(),
            level="rolled",
        )

    # The nodes of the block.

    def _node(self, stem: str) -> Node:
        """The node that stands for a value of every block: the one that is read most often, since
        in the last block nothing goes on."""
        several = self.values[stem]
        shown = max(several.values(), key=lambda node: len(node.readers))
        ways = {i for node in several.values() for i in node.ways}
        ways |= {i for i, name in enumerate(self.old.ways) if Name.parse(name).role == stem}
        return replace(
            shown,
            name=f"{stem}<t>",
            block=self.old.blocks[0],
            said=(str(np.shape(shown.value)), *self._times(several)),
            value=None,
            gradient=None,
            unseen=None,
            target=None,
            ways=tuple(sorted(ways)),
            verdict=self._verdict(stem),
        )

    def _verdict(self, stem: str) -> Verdict | None:
        """The gravest verdict on a value of any block, and the blocks in which it is that."""
        several = self.verdicts.get(stem, {})
        kinds = {verdict.kind for verdict in several.values()}
        for kind in GRAVEST:
            if kind in kinds:
                blocks = [t for t, verdict in several.items() if verdict.kind == kind]
                said = several[blocks[0]].text.split(" because")[0]
                return Verdict(f"{stem}<t>", kind, ", ".join([said, *self._times(blocks)]))
        return None

    def _times(self, blocks: Collection[int | None]) -> tuple[str, ...]:
        """Which of the blocks these are, those between the drawn ones with their neighbours;
        nothing for all."""
        pieces: list[int | str] = []
        for is_one, piece in groupby(self.within, key=lambda t: t in blocks):
            ends = list(piece)
            if is_one:
                few = ends[-1] - ends[0] < 2
                pieces += ends if few else [f"{ends[0]} … {ends[-1]}"]
        whole = len(self.within) == sum(t in blocks for t in self.within)
        return () if whole else (f"t = {', '.join(map(str, pieces))}",)

    # The edges.

    def _inner(self) -> Iterator[Edge]:
        """The edges among the values of the block; the first of each loop has a label."""
        written = set()
        for stem, sources in self.reads.items():
            for (source, steps), argument in sources.items():
                start, said = self.shown[source], ""
                if steps and (source, steps) not in written:
                    said = f"{Name.parse(source).stem}<t{'−' if steps > 0 else '+'}{abs(steps)}>"
                    written.add((source, steps))
                yield Edge(
                    *(start.key, self.shown[stem].key, argument, start.fork),
                    ways=tuple(sorted({*start.ways} & {*self.shown[stem].ways})),
                    said=said,
                    steps=steps,
                )

    def _outer(self) -> Iterator[Edge]:
        """The edges from or to what is in no block, each with the blocks whose it is."""
        found: dict[tuple[str, str], dict[int | None, Edge]] = defaultdict(dict)
        for edge in self.old.edges:
            ends = [self.old.node(key) for key in (edge.source, edge.target)]
            framed = [n for n in ends if self.old.frame(n.block) is not None]
            if not framed:
                yield edge
            elif len(framed) == 1 and framed[0].block in self.within:
                keys = [self.shown[n.stem].key if n in framed else n.key for n in ends]
                found[keys[0], keys[1]][framed[0].block] = edge
        written = set()
        for (source, target), several in found.items():
            said = ", ".join(self._times(several) or ("every t",))
            yield replace(
                next(iter(several.values())),
                source=source,
                target=target,
                gradient=None,
                verdict=None,
                ways=tuple(sorted({i for edge in several.values() for i in edge.ways})),
                said="" if (source, said) in written else said,
            )
            written.add((source, said))


def _refused(expected: str, got: str) -> DrawingError:
    return DrawingError(
        "the graph cannot be rolled up",
        where='draw(level="rolled")',
        expected=expected,
        got=got,
        do='draw its blocks with level="gates"',
    )
