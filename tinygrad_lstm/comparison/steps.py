"""The formulas of the rows, and when a guess fits one."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lstm.comparison.branches import Term, sum_of
from tinygrad_lstm.comparison.chain import Chain, edge
from tinygrad_lstm.comparison.changes import Changes
from tinygrad_lstm.comparison.combined import Words
from tinygrad_lstm.comparison.lines import Lines
from tinygrad_lstm.comparison.rows import Entry, Judge
from tinygrad_lstm.comparison.scopes import Scopes
from tinygrad_lstm.comparison.sums import Sums
from tinygrad_lstm.comparison.terms import Met, Terms
from tinygrad_lstm.comparison.tree import Tree
from tinygrad_lstm.comparison.vocabulary import Vocabulary
from tinygrad_lstm.derivation.expression import Expression, leaves
from tinygrad_lstm.engine.gradients import Part
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.tape import Branch, Tape

__all__ = ["LINE", "MANY_NUMBERS", "MET", "OPEN", "RULE", "SUM", "TERMS", "WHOLES", "Steps"]

CLOSE = {2: 1e-2, 4: 1e-5, 8: 1e-9}  # by the bytes of a number: how closely a guess has to fit
MANY_NUMBERS = 2  # from more on, a tolerance that the user gave holds for explanations too

WAY = 4  # operations on the way to a value with a name that tell what a stage is computed for
TERMS = -6  # stages: the same, each of its terms by itself
MET = -5  # stages: past values whose branches come together again, multiplied out
SUM = -4  # stages: the whole of a sum, its branches as lines
LINE = -3  # stages: several are written as one, all that has no name is opened
OPEN = -2  # stages: what has no name is opened, and what the stage itself computed
RULE = -1  # stages: the gradient that arrives stands as it is, though it has no name
WHOLES = (
    SUM,
    MET,
    TERMS,
)  # which write the derivative by a value, and not what a branch sends back
NOTHING = 1e-4  # of the right value: what is less is held against guesses as if it were so large
LOOSE = 1e-2  # no guess fits that is further off, in parts of the largest entry


class Goal(NamedTuple):
    """A value by hand that guesses are held against, and its largest entry."""

    hand: np.ndarray
    at: int
    value: Any
    size: float


class Steps:
    """The formulas of the rows.

    Parameters
    ----------
    judge : Judge
        The tape's side, and the tolerance.
    chain : Chain
        The chain rule on the values by hand.
    close : float
        How closely a guess has to fit at least; where the values by hand are made of others, they
        are less exact.
    """

    close: float
    allowed: float
    judge: Judge
    chain: Chain
    tape: Tape
    formulas: Lines
    vocabulary: Vocabulary

    def __init__(self, judge: Judge, chain: Chain, close: float = 0.0) -> None:
        self.close, self._goal = close, Goal(np.empty(0), 0, 0.0, 0.0)
        self._least: dict[int, float] = {}
        self._terms: dict[Any, list[Term]] = {}
        self.allowed = math.inf  # formulas that may still be computed
        self.judge, self.chain, self.tape = judge, chain, judge.gradients.tape
        self.formulas = Lines(chain)
        self.vocabulary = Vocabulary(self.formulas)
        self.sizes = self.vocabulary.sizes
        self._changes: dict[Any, Changes] = {}
        self.traces: dict[Any, np.ndarray | None] = {}
        self._read_by: dict[int, Counter[str]] = {}

    def fits(self, array: np.ndarray, hand: np.ndarray) -> bool:
        """Whether an explanation reproduces the hand value to rounding."""
        if array.shape != hand.shape or not array.size:
            return False
        goal = self._aim(hand)
        if not abs(array.item(goal.at) - goal.value) <= LOOSE * goal.size:
            return False  # most do not fit, and this is the short way to see it
        size = min(array.dtype.itemsize, hand.dtype.itemsize if hand.dtype.kind == "f" else 8, 8)
        close = max(self.close, CLOSE.get(size, CLOSE[8]))
        if hand.size > MANY_NUMBERS:  # one or two numbers of few digits agree with too much
            close = max(close, min(self.judge.rtol or 0, 1e-3))
        return bool(np.max(np.abs(array - hand), initial=0) <= close * goal.size)

    def near(self, lines: np.ndarray, hand: np.ndarray) -> np.ndarray:
        """Which of many arrays, a line each, may fit."""
        goal = self._aim(hand)
        return np.flatnonzero(np.abs(lines[:, goal.at] - goal.value) <= LOOSE * goal.size)

    def _aim(self, hand: np.ndarray) -> Goal:
        if self._goal.hand is not hand:
            at = int(np.argmax(np.abs(hand)))
            size = max(abs(hand.item(at)), self._least.get(id(hand), 0.0))
            self._goal = Goal(hand, at, hand.item(at), size)
        return self._goal

    def weigh(self, entry: Entry) -> None:
        """Let a row be held against guesses by what its right value is, if by hand it is nothing
        beside that: what is 0 but for rounding."""
        if entry.part is not None and entry.usable:
            right = np.max(np.abs(self.chain.follows(entry.part)), initial=0)
            self._least[id(entry.hand)] = NOTHING * float(right)

    def within(self, formulas: int = 1) -> bool:
        """Whether so many more formulas may be computed, which counts them."""
        self.allowed -= formulas
        return self.allowed >= 0

    def opaque(self, part: Part, right: np.ndarray) -> bool:
        """Whether the formula of a row cannot be searched."""
        complex_ = right.dtype.kind == "c" or any(
            b.stage.output.dtype.kind == "c" for b in part.branches
        )
        return complex_ or not part.branches

    def closed(self, term: Term) -> bool:
        """Whether the formula of a branch holds no gradients but those that are given."""
        found = (leaf for leaf in leaves(term.formula) if leaf.gradient)
        given = self.chain.is_given
        return all((x := self.formulas.source.get(g)) is None or given(x) for g in found)

    def terms(self, part: Part) -> list[Term]:
        """The branches of a row, each with its formula and its value."""
        if part.id not in self._terms:
            self._terms[part.id] = list(self._found_terms(part))
        return self._terms[part.id]

    def _found_terms(self, part: Part) -> Iterator[Term]:
        own = set(map(edge, part.branches))
        for i, branch in enumerate(self.chain.gradients.branches(part.value), 1):
            if edge(branch) in own:
                array = self.chain.follows(Part(part.value, (branch,), "branch"))
                hand = None
                if part.kind != "branch":
                    hand = self.formulas.sent_by_hand(part.value, branch)
                yield Term(branch, i, array if hand is None else hand, self.formulas)

    def correct(self, part: Part, terms: Sequence[Term] | None = None) -> Words:
        """The formula of a row."""
        terms = self.terms(part) if terms is None else terms
        if not terms:
            return "the gradient that backward starts with"
        return sum_of(terms)

    def changes(self, branch: Branch, level: int, shaped: bool = True) -> Changes:
        """What can go wrong in the formula of a branch, written past so many stages; in its `RULE`
        alone, which is the same in all blocks."""
        key = edge(branch), level, shaped
        if key not in self._changes:
            kinds, tree = {SUM: Sums, MET: Met, TERMS: Terms}, Tree(self.formula(branch, level))
            self._changes[key] = kinds.get(level, Changes)(tree, self.vocabulary, branch, shaped)
        return self._changes[key]

    def formula(self, branch: Branch, level: int) -> Expression:
        """The formula of a branch, written past so many stages."""
        how = self._how.get(level)
        return how(branch) if how else self.formulas.past(branch, level)

    @cached_property
    def _how(self) -> Mapping[int, Callable[[Branch], Expression]]:
        """How formulas are written that do not just go past some stages."""
        formulas = self.formulas
        how = {0: formulas.correct, RULE: formulas.rule, OPEN: formulas.opened}
        how |= {LINE: formulas.line, SUM: formulas.whole, MET: formulas.met, TERMS: formulas.terms}
        return how

    def kind(self, branch: Branch) -> tuple[Any, ...]:
        """What branches have in common that a derivation has in one line: the operation, what it
        is computed for, by which others, and with what parameters; by names without what tells
        layers apart (``W1``, ``W2``)."""
        node, named = branch.stage.output, branch.stage.output
        way: list[str] = []
        while not named.name and len(above := self.chain.gradients.branches(named)) == 1:
            named = above[0].stage.output
            way += [named._op.name] * (named._op.name not in way[-1:])
        alike = self.scopes.alike
        names = [alike(self.formulas.base(x)) for x in self._parameters(node)]
        purpose = alike(self.formulas.base(named)) if named.name else ""
        return branch.stage.op, branch.argument, purpose, tuple(way[:WAY]), *names

    @cached_property
    def scopes(self) -> Scopes:
        """Which scopes are alike."""
        return Scopes(self.formulas.base(stage.output) for stage in self.tape.stages)

    def place(self, branch: Branch) -> tuple[int | str, ...]:
        """What a branch is called in every block: by the argument, or what is read there where
        their number is open; and by the parameters that its stage reads in several blocks, as the
        stages of another loop have the same numbers."""
        node, argument = branch.stage.output, branch.argument
        base, read = self.formulas.base, node._inputs[argument]
        unnamed = self._parameters(node) if not node.name else []
        shared = [base(x) for x in unnamed if self._readers(x)[base(node)] > 1]
        return base(node), base(read) if node._op.variadic else argument, *shared

    def _readers(self, x: Any) -> Counter[str]:
        """How many stages of each name read a value."""
        if id(x) not in self._read_by:
            stages = (branch.stage.output for branch in self.chain.gradients.branches(x))
            self._read_by[id(x)] = Counter(map(self.formulas.base, stages))
        return self._read_by[id(x)]

    @staticmethod
    def _parameters(node: Any) -> list[Any]:
        """The leaves with a name and a derivative that a stage reads."""
        read = (x for x in node._inputs if isinstance(x, Node) and x._op is None)
        return [x for x in read if x.requires_grad and x.name]
