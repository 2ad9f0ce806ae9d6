"""A graph with only the values that a figure of a cell shows: states, gates, inputs and losses.

What is between them is folded into the edges.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_lstm.engine.tape import Tape
from tinygrad_lstm.engine.walk import edges as backward_edges
from tinygrad_lstm.engine.walk import sent
from tinygrad_lstm.viz.graph.data import Edge, Graph, Node, Reader, Run
from tinygrad_lstm.viz.graph.zeros import zeros
from tinygrad_lstm.viz.look.style import kind

__all__ = ["condensed"]


def condensed(graph: Graph, tape: Tape) -> Graph:
    """The graph at the level "gates".

    A block keeps what it hands to others, its named inputs, and its gates: functions with a name
    that are computed from parameters. An edge stands for all stages between its ends, and carries
    what comes back through them: the chain rule over those stages alone.
    """
    return zeros(_Condenser(graph, tape).graph())


class _Condenser:
    def __init__(self, graph: Graph, tape: Tape) -> None:
        self.old, self.tape = graph, tape
        self.values = {graph.keys[id(x)]: x for x in tape.values}
        self.into: dict[str, list[Edge]] = defaultdict(list)
        for edge in graph.edges:
            self.into[edge.target].append(edge)
        stems = self._stems()
        self.kept = {n.key for n in graph.nodes if not self._in_block(n) or n.stem in stems}

    def graph(self) -> Graph:
        edges: list[Edge] = []
        for node in self.old.nodes:
            if node.key in self.kept:
                edges += self._into(node) if self._in_block(node) else self.into[node.key]
        edges = [e for e in edges if e.source in self.kept]
        readers: dict[str, list[Reader]] = defaultdict(list)
        for e in edges:
            if e.through:
                continue
            to = self.old.node(e.target)
            readers[e.source].append(Reader(to.name, to.key, e.argument, to.block, e.gradient))
        nodes = [self._node(n, readers[n.key]) for n in self.old.nodes if n.key in self.kept]
        forks = {n.key for n in nodes if n.fork}
        states = {n.stem for n in nodes if n.fork}
        return replace(
            self.old,
            nodes=tuple(replace(n, quiet=n.stem not in states) for n in nodes),
            edges=tuple(replace(e, fork=e.source in forks) for e in edges),
            level="gates",
        )

    def _node(self, node: Node, readers: Iterable[Reader]) -> Node:
        targets = [x for e in self.into[node.key] if not (x := self.old.node(e.source)).formula]
        if kind(node) == "error" and len(targets) == 1 and targets[0].key not in self.kept:
            node = replace(node, target=targets[0].value)
        if not node.readers or self._is_left_out(node.block):
            return node
        unseen = (r for r in node.readers if self._is_left_out(r.block))
        return replace(node, readers=(*readers, *unseen))

    def _is_left_out(self, block: int | None) -> bool:
        return isinstance(self.old.frame(block), Run)

    # What is kept: the same stems in every block.

    def _in_block(self, node: Node) -> bool:
        return isinstance(self.old.frame(node.block), int)

    def _stems(self) -> set[str]:
        found = {n.stem for n in self.old.nodes if n.key == self.old.root}
        for edge in self.old.edges:
            source, target = self.old.node(edge.source), self.old.node(edge.target)
            if self.old.frame(source.block) != self.old.frame(target.block):
                found.add(source.stem)
        inputs = {share.node for p in self.old.parameters if p.is_input for share in p.shares}
        read = defaultdict(list)
        for edge in self.old.edges:
            read[edge.source].append(self.old.node(edge.target))
        for node in filter(self._in_block, self.old.nodes):
            is_target = all(kind(reader) == "error" for reader in read[node.key])
            if _is_named(node) and not is_target and (not node.formula or node.key in inputs):
                found.add(node.stem)
        weighed = self._weighed(found)
        return found | {
            n.stem
            for n in self.old.nodes
            if n.key in weighed and kind(n) == "function" and _is_named(n)
        }

    def _weighed(self, states: set[str]) -> set[str]:
        """What is computed from parameters, between the states of a block."""
        found = {s.node for p in self.old.parameters if not p.is_input for s in p.shares}
        for node in self.old.nodes:
            sources = [self.old.node(edge.source) for edge in self.into[node.key]]
            weighed = [s for s in sources if s.key in found and kind(s) != "function"]
            if any(s.stem not in states for s in weighed):
                found.add(node.key)
        return found

    # What is between.

    def _into(self, node: Node) -> list[Edge]:
        """The edges from all kept values that a kept value is computed from, in the order in which
        it reads them."""
        between, sources = {node.key: None}, {}
        for key in (walked := [node.key]):
            for edge in sorted(self.into[key], key=lambda edge: edge.argument):
                if edge.source in self.kept:
                    sources[edge.source] = edge
                elif edge.source not in between:
                    between[edge.source] = None
                    walked.append(edge.source)
        sent = self._sent(node, between)
        return [
            replace(edge, target=node.key, argument=i, gradient=sent.get(source))
            for i, (source, edge) in enumerate(sources.items())
        ]

    def _sent(self, node: Node, between: Mapping[str, None]) -> dict[str, Any]:
        """What comes back from a value to those that it is computed from, by key."""
        if node.gradient is None or not node.formula:
            return {}
        walked = [self.values[n.key] for n in self.old.nodes if n.key in between and n.formula]
        totals = {self.values[node.key]: node.gradient}
        for stage, i, x in backward_edges([x for x in walked if x.requires_grad]):
            g = np.asarray(sent(stage, i, totals[stage]))
            totals[x] = totals[x] + g if x in totals else g
        return {self.old.keys[id(x)]: g for x, g in totals.items() if id(x) in self.old.keys}


def _is_named(node: Node) -> bool:
    """Whether a user gave the value of a block its name."""
    return node.is_placed and node.called.number() is None
