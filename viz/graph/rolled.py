"""A graph rolled up: one block that stands for all, in which what it hands to its neighbours comes
back as a loop."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from tinygrad_lstm.errors import DrawingError
from tinygrad_lstm.viz.graph.data import Edge, Graph, Node

__all__ = ["rolled"]


def rolled(graph: Graph) -> Graph:
    """The graph at the level "rolled", from that at the level "gates" with all of its blocks.

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
        self.old, self.within = graph, {*graph.blocks}
        self.into: dict[str, list[Node]] = defaultdict(list)
        for edge in graph.edges:
            self.into[edge.target].append(graph.node(edge.source))
        self.values: dict[str, dict[int, Node]] = defaultdict(dict)
        for node in graph.nodes:
            if node.block in self.within:
                self.values[node.stem][node.block] = node
        self.reads = {stem: self._reads(several) for stem, several in self.values.items()}
        self._check()
        self.shown = {  # the one that is read most often: in the last block nothing goes on
            stem: max(several.values(), key=lambda n: len(n.readers))
            for stem, several in self.values.items()
        }

    def _reads(self, several: dict[int, Node]) -> dict[tuple[str, int], None]:
        """What a value is computed from: the values, and how many blocks away they are."""
        return {
            (source.stem, source.block - t): None
            for t, node in several.items()
            for source in self.into[node.key]
            if source.block is not None and source.stem in self.values
        }

    def _check(self) -> None:
        for stem, several in self.values.items():
            for t in self.old.blocks:
                if t not in several:
                    raise _refused("blocks that are alike", f"no {stem} in block {t}")
                expected = {r for r in self.reads[stem] if t + r[1] in self.within}
                found = {r for r in self._reads({t: several[t]}) if t + r[1] in self.within}
                if found != expected:
                    raise _refused("blocks that are alike", f"another {stem} in block {t}")

    def graph(self) -> Graph:
        block = self.old.blocks[0]
        outside = [n for n in self.old.nodes if n.block not in self.within]
        inside = [
            replace(node, name=f"{stem}<t>", block=block) for stem, node in self.shown.items()
        ]
        nodes = (replace(n, gradient=None, verdict=None, ways=()) for n in (*inside, *outside))
        return replace(
            self.old,
            nodes=tuple(nodes),
            edges=(*self._inner(), *self._outer()),
            zeros=(),
            ways=(),
            verdicts=(),
            has_gradients=False,
            level="rolled",
        )

    def _inner(self) -> Iterator[Edge]:
        for stem, sources in self.reads.items():
            for i, (source, steps) in enumerate(sources):
                start = self.shown[source]
                said = f"{start.word}<t{'+' if steps > 0 else '−'}{abs(steps)}>" if steps else ""
                yield Edge(start.key, self.shown[stem].key, i, start.fork, said=said)

    def _outer(self) -> Iterator[Edge]:
        """The edges from or to what is in no block, each with the blocks whose it is."""
        found: dict[tuple[str, str], list[tuple[Edge, int | None]]] = defaultdict(list)
        for edge in self.old.edges:
            ends = [self.old.node(key) for key in (edge.source, edge.target)]
            placed = [n for n in ends if n.block in self.within]
            if len(placed) < 2:
                keys = [self.shown[n.stem].key if n in placed else n.key for n in ends]
                found[keys[0], keys[1]].append((edge, placed[0].block if placed else None))
        for (source, target), several in found.items():
            inside = {block for _, block in several if block is not None}
            said = "" if not inside else "every t" if len(inside) > 1 else f"t = {min(inside)}"
            edge = several[0][0]
            yield Edge(source, target, edge.argument, edge.fork, said=said)


def _refused(expected: str, got: str) -> DrawingError:
    return DrawingError(
        "the graph cannot be rolled up",
        where='draw(level="rolled")',
        expected=expected,
        got=got,
        do='draw its blocks with level="gates"',
    )
