"""Which values of a tape are drawn, and where: in a block, as a stand-in for blocks that are left
out, or in the ledger."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Sequence
from dataclasses import replace
from typing import Any

from tinygrad_lstm.engine.names import Name
from tinygrad_lstm.engine.naming import block_of
from tinygrad_lstm.engine.node import Node as Value
from tinygrad_lstm.engine.tape import Branch, Stage, Tape
from tinygrad_lstm.viz.graph.data import Run

__all__ = ["Members", "block_of_value", "blocks_of"]


def blocks_of(tape: Tape) -> tuple[int, ...]:
    """The blocks of a tape, in order."""
    return tuple(sorted({s.block for s in tape.stages if s.block is not None}))


class Members:
    """The values of a tape, told apart by identity: which become nodes, in which block, and which
    are listed."""

    tape: Tape
    values: tuple[Any, ...]
    blocks_by_value: dict[int, int | None]
    prepared: set[int]
    stages: dict[int, Stage]
    blocks: tuple[int, ...]
    ledger: list[Any]
    originals: dict[int, Any]
    drawn: list[Any]
    keys: dict[int, str]
    places: dict[int, int | None]
    runs: tuple[Run, ...]
    stand_ins: dict[tuple[int, str], list[Any]]

    def __init__(self, tape: Tape, runs: Sequence[Run]) -> None:
        self.tape, self.values = tape, tape.values
        self.blocks = blocks_of(tape)
        self.stages = {id(stage.output): stage for stage in tape.stages}
        self.uses: dict[int, list[Branch]] = defaultdict(list)
        for stage in tape.stages:
            for i, x in enumerate(stage.output._inputs):
                if isinstance(x, Value):
                    self.uses[id(x)].append(Branch(stage, i))
        self.folded: dict[int | None, int] = {
            t: i for i, run in enumerate(runs) for t in run.blocks
        }
        self.blocks_by_value = {id(x): block_of_value(x) for x in self.values}
        self.prepared = self._prepared()
        self.ledger = [x for x in self.values if self.is_parameter(x)]
        self.originals = {
            id(x): x._inputs[0] for x in self.ledger if not x.is_leaf and self._is_copied_leaf(x)
        }  # of what an input is the copy
        listed = {id(x) for x in (*self.ledger, *self.originals.values())}
        self.drawn = [x for x in self.values if id(x) not in listed]
        self.keys = {id(x): f"n{i}" for i, x in enumerate(self.drawn)} | {
            id(x): f"p{i}" for i, x in enumerate(self.ledger)
        }
        self.places = {id(x): self.block_of(x) for x in self.drawn}
        self.runs = self._counted(runs)
        self.stand_ins = self._stand_ins()

    def is_parameter(self, x: Any) -> bool:
        """Whether a leaf is read by blocks, belongs to none of them, and is not the start of a
        single chain.

        So is the copy of a leaf of which blocks read slices: an input sequence with a name of its
        own; and what is made of parameters for the blocks.
        """
        if id(x) in self.prepared:
            return True
        if (
            not x.requires_grad
            or self.blocks_by_value[id(x)] is not None
            or not (x.is_leaf or self._is_copied_leaf(x))
        ):
            return False
        uses = self.uses[id(x)]
        inside = bool(uses) and all(use.stage.block is not None for use in uses)
        return (
            inside and (x.is_leaf or self.is_input(x)) and (len(uses) > 1 or len(self.blocks) == 1)
        )

    def _prepared(self) -> set[int]:
        """The parameters of which others are made outside of blocks, for blocks to read, and what
        is made of them: W_f is rows of a larger weight, b_f of the sum of two biases.

        All that such a value is made of is listed too, and all that reads it is in a block or
        listed: whatever fails this is drawn, and then so is what hangs on it.
        """
        made = [x for x in self.values if self._may_be_prepared(x)]
        listed: dict[int, Any] = {}
        while len(listed) != len(made):
            listed = {id(x): x for x in made}
            for x in reversed(made):
                if not self._is_for_blocks(x, listed):
                    del listed[id(x)]
            made = [x for x in listed.values() if all(id(i) in listed for i in self._sources(x))]
        values = {id(x) for x in made if not x.is_leaf}
        return values | {
            id(x) for x in made if any(id(b.stage.output) in values for b in self.uses[id(x)])
        }

    def _may_be_prepared(self, x: Any) -> bool:
        outside = x.requires_grad and self.blocks_by_value[id(x)] is None
        return outside and (x.is_leaf or x._op.kind == "move" or x._op.name == "add")

    def _sources(self, x: Any) -> list[Any]:
        return [] if x.is_leaf else [i for i in x._inputs if isinstance(i, Value)]

    def _is_for_blocks(self, x: Any, listed: Container[int]) -> bool:
        """Whether all that reads a value is in a block, or made for blocks itself."""
        readers = [use.stage for use in self.uses[id(x)]]
        return bool(readers) and all(
            stage.block is not None or id(stage.output) in listed for stage in readers
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
        block = self.blocks_by_value[id(x)]
        if block is None and x.is_leaf and len(found := self._read_in(x)) == 1:
            return found.pop()
        return block

    def _read_in(self, x: Any) -> set[int | None]:
        return {self.blocks_by_value[id(use.stage.output)] for use in self.uses[id(x)]}

    def run_of(self, x: Any) -> int | None:
        """The run in which a value is, by number."""
        return self.folded.get(self.places[id(x)])

    def is_fork(self, x: Any) -> bool:
        return x.requires_grad and len(self.uses[id(x)]) > 1

    def _counted(self, runs: Sequence[Run]) -> tuple[Run, ...]:
        stages = Counter(self.folded.get(stage.block) for stage in self.tape.stages)
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
            elsewhere = [use for use in self.uses[id(x)] if self.folded.get(use.stage.block) != run]
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

    def name(self, x: Any) -> str:
        x = self.originals.get(id(x), x)
        return (
            self.tape.label(x)
            if x.name or not x.is_leaf
            else "parameter"
            if x.requires_grad
            else "constant"
        )

    def called(self, x: Any) -> Name:
        """The name under which a comparison knows a value."""
        return self.tape.name(x)

    def stem(self, x: Any) -> str:
        return Name.parse(self.name(x)).role


def block_of_value(x: Any) -> int | None:
    """The block of a value; without a look at the text where its name was given without one."""
    label = x._label
    return block_of(x) if label is not None and "<" in label else x._place.block
