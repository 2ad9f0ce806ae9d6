"""From a tape to the graph of a picture. Only what is drawn becomes a node, so that a long sequence
costs little."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_lstm.engine.node import Node as Value
from tinygrad_lstm.engine.tape import Branch, Tape
from tinygrad_lstm.errors import DrawingError
from tinygrad_lstm.viz.graph.data import Edge, Graph, Node, Parameter, Reader, Run
from tinygrad_lstm.viz.graph.levels import with_parameters
from tinygrad_lstm.viz.graph.marks import NO_VERDICTS, Verdicts, Ways
from tinygrad_lstm.viz.graph.zeros import zeros
from tinygrad_lstm.viz.look.formula import formula

__all__ = ["array", "build"]


def build(
    tape: Tape,
    gradients: Any = None,
    runs: Sequence[Run] = (),
    *,
    path: Sequence[Any] = (),
    verdicts: Verdicts = NO_VERDICTS,
    wired: bool = False,
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

    Raises
    ------
    DrawingError
        If nothing was recorded, if `gradients` belongs to another graph, if a name is no text, or
        if a block is no whole number.
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
    graph = _Builder(tape, gradients, runs, Ways(tape, path), verdicts).graph()
    return zeros(with_parameters(graph) if wired else graph)


def blocks_of(tape: Tape) -> tuple[int, ...]:
    """The blocks of a tape, in order.

    Raises
    ------
    DrawingError
        If a name is no text, or a block no whole number.
    """
    for x in tape.values:
        _check_kind("a name is a text", x._label, str, "x.name")
        _check_kind("blocks are counted", x.block, (int, np.integer), "block(...)")
    return _blocks(tape)


def _blocks(tape: Tape) -> tuple[int, ...]:
    return tuple(sorted({int(s.block) for s in tape.stages if s.block is not None}))


def _check_kind(what: str, value: Any, kind: Any, where: str) -> None:
    if value is not None and not isinstance(value, kind):
        raise DrawingError(
            what,
            where=where,
            expected="a string" if kind is str else "a whole number",
            got=ascii(value),
        )


class _Builder:
    """The tape's values, told apart by identity, on their way to nodes, edges and parameters."""

    def __init__(
        self, tape: Tape, gradients: Any, runs: Sequence[Run], ways: Ways, verdicts: Verdicts
    ) -> None:
        self.tape, self.gradients, self.ways, self.verdicts = tape, gradients, ways, verdicts
        self.blocks = _blocks(tape)
        self.stages = {id(stage.output): stage for stage in tape.stages}
        self.uses: dict[int, list[Branch]] = defaultdict(list)
        for stage in tape.stages:
            for i, x in enumerate(stage.output._inputs):
                if isinstance(x, Value):
                    self.uses[id(x)].append(Branch(stage, i))
        self.folded = {t: i for i, run in enumerate(runs) for t in run.blocks}
        self.ledger = [x for x in tape.values if self.is_parameter(x)]
        self.originals = {
            id(x): x._inputs[0] for x in self.ledger if not x.is_leaf
        }  # of what an input is the copy
        listed = {id(x) for x in (*self.ledger, *self.originals.values())}
        self.drawn = [x for x in tape.values if id(x) not in listed]
        self.keys = {id(x): f"n{i}" for i, x in enumerate(self.drawn)} | {
            id(x): f"p{i}" for i, x in enumerate(self.ledger)
        }
        self.places = {id(x): self.block_of(x) for x in self.drawn}
        self.runs = self._counted(runs)
        self.stand_ins = self._stand_ins()

    # What stands where.

    def is_parameter(self, x: Any) -> bool:
        """Whether a leaf is read by blocks, belongs to none of them, and is not the start of a
        single chain.

        So is the copy of a leaf of which blocks read slices: an input sequence with a name of its
        own.
        """
        if (
            not x.requires_grad
            or _block(x) is not None
            or not (x.is_leaf or self._is_copied_leaf(x))
        ):
            return False
        uses = self.uses[id(x)]
        inside = bool(uses) and all(use.stage.block is not None for use in uses)
        return (
            inside and (x.is_leaf or self.is_input(x)) and (len(uses) > 1 or len(self.blocks) == 1)
        )

    def _is_copied_leaf(self, x: Any) -> bool:
        return (
            self.stages[id(x)].op == "copy"
            and x._inputs[0].is_leaf
            and len(self.uses[id(x._inputs[0])]) == 1
        )

    def is_input(self, x: Any) -> bool:
        return all(use.stage.op == "index" for use in self.uses[id(x)])

    def block_of(self, x: Any) -> int | None:
        """The block of a value; a constant without one belongs to the only block that reads it."""
        block = _block(x)
        if (
            block is None
            and x.is_leaf
            and len(found := {_block(use.stage.output) for use in self.uses[id(x)]}) == 1
        ):
            return found.pop()
        return block

    def run_of(self, x: Any) -> int | None:
        """The run in which a value is, by number."""
        return self.folded.get(self.places[id(x)])  # type: ignore[arg-type]

    def is_fork(self, x: Any) -> bool:
        return x.requires_grad and len(self.uses[id(x)]) > 1

    def _counted(self, runs: Sequence[Run]) -> tuple[Run, ...]:
        stages = Counter(self.folded.get(stage.block) for stage in self.tape.stages)  # type: ignore[arg-type]
        forks = Counter(self.run_of(x) for x in self.drawn if self.is_fork(x))
        return tuple(replace(run, stages=stages[i], forks=forks[i]) for i, run in enumerate(runs))

    def _stand_ins(self) -> dict[tuple[int, str], list[Any]]:
        """The values of runs that are read outside of theirs, by run and role; the root is, and
        what other runs hand on."""
        hidden: dict[int, list[Any]] = defaultdict(list)
        found: dict[tuple[int, str], list[Any]] = defaultdict(list)
        handed_on = set()
        for x in self.drawn if self.folded else ():
            if (run := self.run_of(x)) is None:
                continue
            hidden[run].append(x)
            elsewhere = [use for use in self.uses[id(x)] if self.folded.get(use.stage.block) != run]  # type: ignore[arg-type]
            if elsewhere or x is self.tape.root:
                found[run, self.stem(x)].append(x)
            if any(use.stage.block is not None for use in elsewhere):
                handed_on.add(self.stem(x))
        for run, values in hidden.items():  # so that the last run looks like the others
            if missing := {stem for stem in handed_on if (run, stem) not in found}:
                found |= {
                    (run, self.stem(x)): [x]
                    for x in values
                    if x.requires_grad and self.stem(x) in missing
                }
        return found

    # What is said.

    def name(self, x: Any) -> str:
        x = self.originals.get(id(x), x)
        return (
            self.tape.label(x)
            if x.name or not x.is_leaf
            else "parameter"
            if x.requires_grad
            else "constant"
        )

    def stem(self, x: Any) -> str:
        return self.name(x).partition("<")[0]

    def readers(self, x: Any) -> tuple[Reader, ...]:
        if not x.requires_grad:
            return ()
        branches = self.gradients.branches(x) if self.gradients is not None else self.uses[id(x)]
        return tuple(
            Reader(
                b.stage.name,
                self.keys[id(b.stage.output)],
                b.argument,
                _plain(b.stage.block),
                array(b.gradient),
                self.verdicts.of_branch(self.name(x), b),
            )
            for b in branches
        )

    def gradient(self, x: Any) -> Any:
        return array(self.gradients[x]) if self.gradients is not None and x.requires_grad else None

    # Nodes, edges and parameters.

    def graph(self) -> Graph:
        last = {id(group[-1]): group for group in self.stand_ins.values()}
        shown = [x for x in self.drawn if id(x) in last or self.run_of(x) is None]
        nodes = {id(x): self.node(x) for x in shown}
        for key, group in last.items():
            nodes[key] = self.stand_in(nodes[key], group)
        return Graph(
            nodes=tuple(nodes.values()),
            edges=tuple(self.edges(nodes)),
            parameters=tuple(map(self.parameter, self.ledger)),
            root=self.keys[id(self.tape.root)],
            blocks=self.blocks,
            forks=sum(map(self.is_fork, self.drawn)),
            has_gradients=self.gradients is not None,
            runs=self.runs,
            ways=self.ways.names,
            verdicts=self.verdicts.all,
            keys=self.keys,
            places=self.places,
        )

    def node(self, x: Any) -> Node:
        stage, name = self.stages.get(id(x)), self.name(x)
        op = stage.op if stage else "leaf" if x.requires_grad else "constant"
        shown = (
            formula(stage, {id(i): self.name(i) for i in stage.inputs if isinstance(i, Value)})
            if stage
            else ""
        )
        marks = self.ways.through(x), self.verdicts.of(name)
        return Node(
            self.keys[id(x)],
            name,
            shown,
            op,
            self.places[id(x)],
            array(x),
            self.gradient(x),
            self.readers(x),
            None,
            *marks,
        )

    def stand_in(self, last: Node, group: list[Any]) -> Node:
        """What stays of the same value of hidden blocks: the one that is read elsewhere, or the sum
        of the entries of all that are."""
        if len(group) == 1:
            run = self.folded[last.block]  # type: ignore[index]
            unseen = [
                r.gradient
                for r in last.readers
                if self.folded.get(r.block) == run and r.gradient is not None
            ]  # type: ignore[arg-type]
            return replace(last, unseen=sum(unseen)) if unseen else last
        total = sum(array(x).sum() for x in group)
        ways = tuple(sorted({i for x in group for i in self.ways.through(x)}))
        name = f"{self.name(group[0])} … {last.name}"
        return replace(
            last,
            name=name,
            formula=f"sum of {len(group)}",
            value=total,
            gradient=None,
            readers=(),
            ways=ways,
            verdict=None,
        )

    def edges(self, nodes: Mapping[int, Node]) -> Iterator[Edge]:
        """The edges among what is drawn: those into a run end at the stand-in of the value that
        they carry on."""
        through: dict[tuple[str, str], Edge] = {}
        for x in self.drawn:
            if id(x) not in nodes:
                continue
            source, run, readers = (
                nodes[id(x)],
                self.run_of(x),
                nodes[id(x)].readers or self.readers(x),
            )
            for i, use in enumerate(self.uses[id(x)]):
                reader = readers[i] if readers else None
                to = self.folded.get(use.stage.block)  # type: ignore[arg-type]
                if to is not None and to == run:
                    continue
                target = (
                    self.keys[id(use.stage.output)]
                    if to is None
                    else self.keys[id(self._entrance(to, source.stem))]
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
        group = self.stand_ins.get((run, stem)) or next(
            group for (r, _), group in self.stand_ins.items() if r == run
        )
        return group[-1]

    def parameter(self, x: Any) -> Parameter:
        verdict = self.verdicts.of(self.tape.label(x)) or self.verdicts.of(self.name(x))
        original = self.originals.get(id(x), x)
        return Parameter(
            self.name(x),
            array(x),
            self.gradient(x),
            self.readers(x),
            self.is_input(x),
            self.ways.through(original),
            verdict,
        )


def _block(x: Any) -> int | None:
    """The block in which a value was recorded, or the one in its name (``a<0>``)."""
    named = re.search(r"<(\d{1,9})>$", x.name or "")
    return int(named[1]) if named else _plain(x.block)


def _plain(block: Any) -> int | None:
    """The number of a block as Python's own, where it was one of NumPy's."""
    return None if block is None else int(block)


def array(value: Any) -> Any:
    """The array of a Tensor; arrays as they are."""
    return getattr(value, "_array", value)
