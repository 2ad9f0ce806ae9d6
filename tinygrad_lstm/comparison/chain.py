"""Where a derivation by hand goes wrong: the chain rule run on the hand side's own values, and what
each row inherits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from tinygrad_lstm.engine.backward import Gradients
from tinygrad_lstm.engine.gradients import Part
from tinygrad_lstm.engine.memory import array_of, conjugated
from tinygrad_lstm.engine.recorder import recording
from tinygrad_lstm.engine.tape import Branch
from tinygrad_lstm.engine.walk import edges, sent

__all__ = ["Chain", "Edge", "edge", "in_blocks"]

Edge = tuple[int, int]


def edge(branch: Branch) -> Edge:
    """What identifies a branch: the stage and the argument."""
    return id(branch.stage.output), branch.argument


class Chain:
    """The chain rule, run once more: where the hand side gives a value, that value is what the
    stages before it get.

    So each row can be held against what follows from the rows above it, right or wrong as those
    are.

    Parameters
    ----------
    gradients : Gradients
        The tape and its derivatives.
    given : mapping
        The hand values by ``Part.id``.

    Attributes
    ----------
    totals : dict
        The derivative by each value, by the value's ``id``: by hand, else as it follows.
    sent : dict
        What each branch sends back, by :func:`edge`, as it follows; ``given`` comes before it.
    """

    gradients: Gradients
    given: Mapping[Any, np.ndarray]
    order: list[Any]

    def __init__(self, gradients: Gradients, given: Mapping[Any, np.ndarray]) -> None:
        self.gradients, self.given = gradients, given
        tape = gradients.tape
        self._given_totals = {key[1] for key in given if key[0] == "total"}
        self.order = [
            *(stage.output for stage in reversed(tape.stages)),
            *(x for x in tape.leaves if x.requires_grad),
        ]
        self.sent: dict[Edge, np.ndarray] = {}
        self.totals: dict[int, np.ndarray] = {}
        self.by_stage: dict[int, list[tuple[Any, Branch]]] = defaultdict(list)
        for x in self.order:
            for branch in gradients.branches(x):
                self.by_stage[id(branch.stage.output)].append((x, branch))
        for node, i, _ in edges([stage.output for stage in tape.stages]):
            if id(node) not in self.totals:
                self.totals[id(node)] = self._total(node)
            self.sent[id(node), i] = rule(node, i, self.totals[id(node)])
        self.totals |= {id(x): self._total(x) for x in self.order if id(x) not in self.totals}

    @cached_property
    def places(self) -> dict[int, int]:
        """The place of each value in the order of backward, by its ``id``."""
        return {id(x): i for i, x in enumerate(self.order)}

    def _total(self, x: Any) -> np.ndarray:
        part = Part(x, self.gradients.branches(x), "total")
        return (
            np.asarray(self.given[part.id], x.dtype)
            if part.id in self.given
            else self.follows(part)
        )

    def follows(self, part: Part, sent: Mapping[Edge, np.ndarray] | None = None) -> np.ndarray:
        """What a quantity is by the rules, given what the hand side says of the quantities that it
        is computed from."""
        x, sent = part.value, self.sent if sent is None else sent
        if not part.branches or (x._hooks is not None and part.kind == "total"):
            return np.asarray(array_of(self.gradients[x]))
        if part.kind == "branch":
            return sent[edge(part.branches[0])]
        terms = []
        for branches in in_blocks(part):
            share = self.given.get(Part(x, branches, "share").id) if part.kind == "total" else None
            terms += [share] if share is not None else [self._branch(x, b, sent) for b in branches]
        return np.asarray(sum(terms[1:], terms[0]), x.dtype)

    def _branch(self, x: Any, branch: Branch, sent: Mapping[Edge, np.ndarray]) -> np.ndarray:
        hand = self.given.get(Part(x, (branch,), "branch").id)
        return sent[edge(branch)] if hand is None else hand

    def answering(self, parts: Sequence[Part]) -> dict[Edge, list[int]]:
        """Which of some quantities change with what a branch sends back, by :func:`edge`."""
        found: dict[Edge, list[int]] = defaultdict(list)
        for i, part in enumerate(parts):
            for b in self._open(part):
                found[edge(b)].append(i)
        return found

    @cached_property
    def passing(self) -> set[Edge]:
        """The branches with which the derivative by their value changes, and all that follows from
        it."""
        parts = (Part(x, self.gradients.branches(x), "total") for x in self.order)
        return {edge(b) for p in parts if not self.is_given(p.value) for b in self._open(p)}

    def _open(self, part: Part) -> list[Branch]:
        """The branches of a quantity of which neither they themselves nor their share is given."""
        x, given = part.value, self.given
        if part.kind == "branch":
            return list(part.branches)
        if part.kind == "total" and x._hooks is not None:
            return []
        return [
            b
            for branches in in_blocks(part)
            if part.kind == "share" or Part(x, branches, "share").id not in given
            for b in branches
            if Part(x, (b,), "branch").id not in given
        ]

    def rule(self, branch: Branch, g: np.ndarray) -> np.ndarray:
        """What the stage of a branch sends back when `g` arrives at its output."""
        return rule(branch.stage.output, branch.argument, g)

    def is_given(self, x: Any) -> bool:
        """Whether the hand side gives the derivative by `x`."""
        return id(x) in self._given_totals


def rule(node: Any, argument: int, g: np.ndarray) -> np.ndarray:
    """What a stage sends back to an argument when `g` arrives at its output."""
    with recording(False), np.errstate(all="ignore"):
        arriving = conjugated(np.asarray(g, node.dtype))
        return conjugated(np.asarray(sent(node, argument, arriving)))  # type: ignore[no-any-return]


def in_blocks(part: Part) -> list[tuple[Branch, ...]]:
    """The branches of a quantity, those of one block together."""
    blocks: dict[Any, list[Branch]] = defaultdict(list)
    for branch in part.branches:
        blocks[branch.stage.block].append(branch)
    return [tuple(branches) for branches in blocks.values()]
