"""From a tape to the graph of a picture. Only what is drawn becomes a node, so that a long sequence
costs little."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tinygrad_lstm.engine.collector import uncollected
from tinygrad_lstm.engine.memory import array_of
from tinygrad_lstm.engine.node import Node as Value
from tinygrad_lstm.engine.tape import Branch, Tape
from tinygrad_lstm.errors import DrawingError
from tinygrad_lstm.viz.graph.data import Edge, Graph, Node, Parameter, Reader, Run, Verdict
from tinygrad_lstm.viz.graph.gates import condensed
from tinygrad_lstm.viz.graph.levels import with_parameters
from tinygrad_lstm.viz.graph.marks import NO_VERDICTS, Verdicts, Ways
from tinygrad_lstm.viz.graph.members import Members
from tinygrad_lstm.viz.graph.rolled import rolled
from tinygrad_lstm.viz.graph.zeros import zeros
from tinygrad_lstm.viz.look.formula import formula

__all__ = ["build"]


def build(
    tape: Tape,
    gradients: Any = None,
    runs: Sequence[Run] = (),
    *,
    path: Sequence[Any] = (),
    verdicts: Verdicts = NO_VERDICTS,
    wired: bool = False,
    level: str = "stages",
) -> Graph:
    """The graph of a tape.

    Parameters
    ----------
    tape : Tape
        What to draw.
    gradients : Gradients, optional
        The result of ``gradients(loss)`` for the same loss.
    runs : sequence of Run
        The blocks that are folded or left out. A value of theirs that is read elsewhere stays, as
        the stand-in for the blocks before it: it shows the hand-over. Where the same value of many
        blocks is read elsewhere (their Errors), one node holds all of them.
    path : sequence of str or Tensor
        The values to which all ways from the root are marked.
    verdicts : Verdicts
        What a comparison found.
    wired : bool
        Whether parameters are nodes in each block that reads them. They are listed in any case.
    level : str
        With "gates", blocks show their states and gates only; with "rolled", one stands for all.

    Raises
    ------
    DrawingError
        If nothing was recorded, or if `gradients` belongs to another graph.
    UnknownNameError
        If `path` names a value that is not on the tape, or is a constant.
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
    with uncollected():
        graph = _Builder(Members(tape, runs), gradients, Ways(tape, path), verdicts).graph()
    if level == "gates":
        return condensed(graph, tape)
    if level == "rolled":
        return rolled(condensed(graph, tape))
    return zeros(with_parameters(graph) if wired else graph)


class _Builder:
    """The members of a tape on their way to nodes, edges and parameters."""

    def __init__(self, members: Members, gradients: Any, ways: Ways, verdicts: Verdicts) -> None:
        self.of, self.gradients, self.ways, self.verdicts = members, gradients, ways, verdicts

    def readers(self, x: Any, named: bool = True) -> tuple[Reader, ...]:
        """Who reads a value, and what comes back; without their names where nobody asks for
        them."""
        if not x.requires_grad:
            return ()
        branches = self.gradients.branches(x) if self.gradients is not None else self.of.uses[id(x)]
        return tuple(
            Reader(
                self.of.name(b.stage.output) if named else "",
                self.of.keys[id(b.stage.output)],
                b.argument,
                b.stage.block,
                array_of(b.gradient),
                self._verdict_of_branch(x, b),
            )
            for b in branches
        )

    def _verdict(self, x: Any) -> Verdict | None:  # names cost more than all else
        return self.verdicts.of(self.of.called(x)) if self.verdicts.by_key else None

    def _verdict_of_branch(self, x: Any, b: Branch) -> Verdict | None:
        if not self.verdicts.by_key:
            return None
        return self.verdicts.of_branch(self.of.called(x), self.of.called(b.stage.output), b)

    def gradient(self, x: Any) -> Any:
        if self.gradients is None or not x.requires_grad:
            return None
        return array_of(self.gradients[x])

    # Nodes, edges and parameters.

    def graph(self) -> Graph:
        last = {id(group[-1]): group for group in self.of.stand_ins.values()}
        shown = [x for x in self.of.drawn if id(x) in last or self.of.run_of(x) is None]
        nodes = {id(x): self.node(x) for x in shown}
        for key, group in last.items():
            nodes[key] = self.stand_in(nodes[key], group)
        return Graph(
            nodes=tuple(nodes.values()),
            edges=tuple(self.edges(nodes)),
            parameters=tuple(map(self.parameter, self.of.ledger)),
            root=self.of.keys[id(self.of.tape.root)],
            blocks=self.of.blocks,
            forks=sum(map(self.of.is_fork, self.of.drawn)),
            has_gradients=self.gradients is not None,
            runs=self.of.runs,
            ways=self.ways.names,
            verdicts=self.verdicts.all,
            keys=self.of.keys,
            places=self.of.places,
        )

    def node(self, x: Any) -> Node:
        stage, name = self.of.stages.get(id(x)), self.of.name(x)
        op = stage.op if stage else "leaf" if x.requires_grad else "constant"
        shown = (
            formula(stage, {id(i): self.of.name(i) for i in stage.inputs if isinstance(i, Value)})
            if stage
            else ""
        )
        marks = self.ways.through(x), self._verdict(x)
        return Node(
            self.of.keys[id(x)],
            name,
            shown,
            op,
            self.of.places[id(x)],
            array_of(x),
            self.gradient(x),
            self.readers(x),
            None,
            *marks,
            kind=x._op.kind if stage else "",
            elementwise=bool(stage) and x._op.elementwise,
        )

    def stand_in(self, last: Node, group: list[Any]) -> Node:
        """What stays of the same value of hidden blocks: the one that is read elsewhere, or the sum
        of the entries of all that are."""
        if len(group) == 1:
            run = self.of.folded[last.block]
            unseen = [
                r.gradient
                for r in last.readers
                if self.of.folded.get(r.block) == run and r.gradient is not None
            ]
            return replace(last, unseen=sum(unseen)) if unseen else last
        total = sum(array_of(x).sum() for x in group)
        ways = tuple(sorted({i for x in group for i in self.ways.through(x)}))
        name = f"{self.of.name(group[0])} … {last.name}"
        return replace(
            last,
            name=name,
            formula=f"sum of {len(group)}",
            value=total,
            gradient=None,
            readers=(),
            ways=ways,
            verdict=None,
            role=last.stem,
        )

    def edges(self, nodes: Mapping[int, Node]) -> Iterator[Edge]:
        """The edges among what is drawn: those into a run end at the stand-in of the value that
        they carry on."""
        through: dict[tuple[str, str], Edge] = {}
        for x in self.of.drawn:
            if id(x) not in nodes:
                continue
            source, run, readers = (
                nodes[id(x)],
                self.of.run_of(x),
                nodes[id(x)].readers or self.readers(x),
            )
            for i, use in enumerate(self.of.uses[id(x)]):
                reader = readers[i] if readers else None
                to = self.of.folded.get(use.stage.block)
                if to is not None and to == run:
                    continue
                target = (
                    self.of.keys[id(use.stage.output)]
                    if to is None
                    else self.of.keys[id(self._entrance(to, source.stem))]
                )
                sent, verdict = (
                    (reader.gradient, reader.verdict) if reader and source.readers else (None, None)
                )
                edge = Edge(
                    source.key,
                    target,
                    use.argument,
                    source.fork,
                    sent,
                    to is not None,
                    source.ways,
                    verdict,
                )
                if to is None:
                    yield edge
                elif (known := through.get((source.key, target))) is None:
                    through[source.key, target] = edge
                elif sent is not None:
                    through[source.key, target] = replace(known, gradient=known.gradient + sent)
        yield from through.values()

    def _entrance(self, run: int, stem: str) -> Any:
        """Where an edge into a run ends: at the stand-in of the same role, or at the first."""
        group = self.of.stand_ins.get((run, stem)) or next(
            group for (r, _), group in self.of.stand_ins.items() if r == run
        )
        return group[-1]

    def parameter(self, x: Any) -> Parameter:
        original = self.of.originals.get(id(x), x)
        verdict = self._verdict(x) or self._verdict(original)
        return Parameter(
            self.of.name(x),
            array_of(x),
            self.gradient(x),
            self.readers(x, named=False),
            self.of.is_input(x),
            self.ways.through(original),
            verdict,
        )
