"""The formulas of a tape as lines of a derivation, which go past several rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from tinygrad_lstm.comparison.chain import Chain, edge
from tinygrad_lstm.comparison.formulas import Formulas
from tinygrad_lstm.comparison.multiplied import Multiplied, TooMany
from tinygrad_lstm.comparison.tidy import tidy
from tinygrad_lstm.comparison.tree import Tree
from tinygrad_lstm.derivation.expression import (
    Apply,
    Expression,
    Leaf,
    leaves,
    number,
    occurrences,
    parts,
    substitute,
    total,
)
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.tape import Branch

__all__ = ["Lines"]

LONGEST = 4  # stages that one line goes past
TOGETHER = 8  # branches of a value that are looked at for where they come together
REGION = 20  # values that are passed until they do
PASSING = ("add", "add_n")
SEEDS = ("add", "add_n", "subtract", "negative", "multiply", "divide")
OPENED = 8  # parts of what has no name and is opened in one


class Lines(Formulas):
    """The formulas; the parameters are those of :class:`Formulas`."""

    def __init__(self, chain: Chain) -> None:
        super().__init__(chain)
        self._lines: dict[Any, Expression] = {}

    def past(self, branch: Branch, stages: int) -> Expression:
        """The same past the values above it that have one branch, though they have names: as a
        derivation may write several steps as one."""
        node = branch.stage.output
        formula, given = self.rule(branch), self.chain.gradients.branches(node)
        met = len(given) != 1 or self.base(node) in self.forks  # the last block too
        if stages <= 0 or met or node._hooks:
            return self.correct(branch)
        above = self.past(given[0], stages - 1)
        return self.put(formula, node, above)

    def line(self, branch: Branch) -> Expression:
        """What one line of a derivation may hold: the rule past the stages above it that have one
        branch, and what has no name opened, where that is short."""
        key, node, formula = edge(branch), branch.stage.output, self.rule(branch)
        if key not in self._lines:
            for _ in range(LONGEST):
                above = self.chain.gradients.branches(node)
                met = len(above) != 1 or self.base(node) in self.forks  # the last block too
                if met or node._hooks or self.chain.is_given(node):
                    break
                formula = self.put(formula, node, self.rule(above[0]))
                node = above[0].stage.output
            inner = {leaf: self._values[leaf] for leaf in leaves(formula) if leaf in self._values}
            inner = {leaf: e for leaf, e in inner.items() if len(parts(e)) <= OPENED}
            self._lines[key] = _unmasked(substitute(formula, inner) if inner else formula)
        return self._lines[key]

    def whole(self, branch: Branch) -> Expression:
        """The derivative by what a branch belongs to, as the sum of its branches."""
        x = branch.stage.output._inputs[branch.argument]
        if id(x) not in self._lines:  # one formula, whose parts are known by their identity
            self._lines[id(x)] = total([self.line(b) for b in self.chain.gradients.branches(x)])
        return self._lines[id(x)]

    def met(self, branch: Branch) -> Expression:
        """The derivative by what a branch belongs to, past values whose branches come together
        again: as it is written at the end of a derivation."""
        x = branch.stage.output._inputs[branch.argument]
        key = id(x), "met"
        if key not in self._lines:
            apart = sorted(
                self._groups(x), key=len, reverse=True
            )  # alike in each call of a function
            groups = [self._past_forks(group) for group in apart]
            self._lines[key] = total([e for e, _ in groups])
            self._lines[id(x), "terms"] = total([term for _, found in groups for term in found])
        return self._lines[key]

    def terms(self, branch: Branch) -> Expression:
        """The same as the sum of all that it is when it is multiplied out."""
        self.met(branch)
        return self._lines[id(branch.stage.output._inputs[branch.argument]), "terms"]

    def meets(self, x: Any) -> bool:
        """Whether there is more in that than in the line of each branch."""
        branches = self.chain.gradients.branches(x)
        if len(branches) == 1 and branches[0].stage.op in PASSING:
            return False  # what is passed on as it is has been written
        for group in self._groups(x):
            passed, last = self._region(group)
            forks = any(len(self.chain.gradients.branches(y)) > 1 for y in passed)
            several = len(group) > 1 or forks or any(map(self._twice, group))
            if last is not None and (several or len(passed) > LONGEST):
                return True
        return False

    @staticmethod
    def is_line(x: Any) -> bool:
        """Whether a derivation has a line for a value: it has a name, or is a product."""
        return x._op is not None and bool(x.name or x._op.kind == "product")

    def _groups(self, x: Any) -> list[list[Branch]]:
        """The branches of a value, those together that come together again."""
        branches = self.chain.gradients.branches(x)
        groups = [[b] for b in branches]
        for pair in combinations(branches, 2) if len(branches) <= TOGETHER else ():
            mine = [g for g in groups if any(b in g for b in pair)]
            if len(mine) == 2 and self._region(pair)[1] is not None:
                groups = [g for g in groups if g not in mine] + [mine[0] + mine[1]]
        return groups

    def _region(self, group: Sequence[Branch]) -> tuple[list[Any], Any]:
        """The values between some branches and the one where they come together again, and that;
        None where they do not, or never part. No line goes past a product of matrices."""
        front = {id(b.stage.output): b.stage.output for b in group}
        passed: list[Any] = []
        node = group[0].stage.output
        x = node._inputs[group[0].argument]
        parted = len(front) > 1 or any(map(self._twice, group)) or self.is_line(x)
        found: tuple[list[Any], Any] = [], None
        while len(passed) < REGION:
            y = max(front.values(), key=lambda v: self.chain.places[id(v)])
            above = self.chain.gradients.branches(y)
            if len(front) == 1 and parted and passed:
                found = passed[:], y
                parts = len(above) > 1 and self.is_line(y)
                if parts or any(map(self._is_layer, above)):
                    break
            if y._op.kind == "product" or y._hooks or self.chain.is_given(y) or not above:
                break
            del front[id(y)]
            passed.append(y)
            front |= {id(b.stage.output): b.stage.output for b in above}
            parted = parted or len(above) > 1 or any(map(self._twice, above))
        return found

    @staticmethod
    def _is_layer(branch: Branch) -> bool:
        """Whether a stage reads a parameter: a line of its own."""
        read = (x for x in branch.stage.inputs if isinstance(x, Node))
        return any(x._op is None and x.requires_grad for x in read)

    def _twice(self, branch: Branch) -> bool:
        """Whether the rule of a branch has the gradient that arrives in several places."""
        arriving = self.gradient_leaf(branch.stage.output)
        return occurrences(self.rule(branch)).get(arriving, 0) > 1

    def _past_forks(self, group: Sequence[Branch]) -> tuple[Expression, list[Expression]]:
        """What some branches send back, of the derivative where they come together; and its
        terms."""
        passed, last = self._region(group)
        if last is None:
            return total(lines := [self.line(b) for b in group]), lines
        made: dict[int, Expression] = {}
        for y in sorted(passed, key=lambda v: self.chain.places[id(v)]):
            made[id(y)] = self._sum_of(self.chain.gradients.branches(y), made)
        read = [v for y in (*passed, last) for v in (y, *y._inputs) if isinstance(v, Node)]
        formula = self._sum_of(group, made)
        found, seed = [formula], self._seed(last)
        with suppress(TooMany):
            written = Multiplied(formula, dict.fromkeys(map(self.leaf, read)))
            formula, found = written.formula, written.terms
        return self.put(formula, last, seed), [self.put(e, last, seed) for e in found]

    def _sum_of(self, branches: Sequence[Branch], made: Mapping[int, Expression]) -> Expression:
        """What branches send back, of derivatives that are written already."""
        rules = ((self.rule(b), b.stage.output) for b in branches)
        return total(
            [self.put(rule, y, made.get(id(y), self.gradient_leaf(y))) for rule, y in rules]
        )

    def _seed(self, x: Any) -> Expression:
        """The derivative by a value, as a number where it is one: what a loss is added up of."""
        y = x
        while y.shape == () and not self.chain.is_given(y) and y._op.kind == "arithmetic":
            above = self.chain.gradients.branches(y)
            if not above:
                return number(self.chain.totals[id(x)])
            if len(above) > 1 or above[0].stage.op not in SEEDS:
                break
            y = above[0].stage.output
        return self.gradient_leaf(x)

    def locals(self, branch: Branch) -> Iterator[Expression]:
        """The local derivatives of one stage after another, from a branch on, as far as each is
        read by one."""
        formula, node = self.rule(branch), branch.stage.output
        for _ in range(LONGEST):
            arriving = self.gradient_leaf(node)
            if arriving in leaves(formula):
                yield substitute(formula, {arriving: number(np.ones(node.shape))})
            above = self.chain.gradients.branches(node)
            if len(above) != 1 or node._hooks:
                return
            formula = self.put(formula, node, self.rule(above[0]))
            node = above[0].stage.output

    def as_function_of(self, e: Expression, x: Any) -> Expression:
        """A formula in which all that is computed from a value is opened, as far as that is."""
        for _ in range(REGION):
            every = ((leaf, self.source.get(leaf)) for leaf in leaves(e) if not leaf.gradient)
            made = {leaf: u for leaf, u in every if u is not None and self.reads(u, x)}
            if not made:
                break
            e = substitute(e, {leaf: self.computed(u) for leaf, u in made.items()})
        return e

    def reads(self, u: Any, x: Any) -> bool:
        """Whether a value is computed from another one, a few steps after it."""
        places, found = self.chain.places, [u]
        first = places.get(id(x), 0)
        for v in found:  # grows while it is walked, by what is computed after x
            read = [w for w in v._inputs if isinstance(w, Node)] if v._op is not None else []
            if any(w is x for w in read):
                return True
            later = (w for w in read if places.get(id(w), first) < first)
            found += [w for w in later if not any(w is f for f in found)]
            if len(found) > REGION:
                return False
        return False

    @cached_property
    def forks(self) -> set[str]:
        """What the values are called that are forks, in some block."""
        branches = self.chain.gradients.branches
        return {self.base(x) for x in self.chain.order if len(branches(x)) > 1}

    def ratio(self, e: Expression) -> Expression:
        """A value by what it is computed of, where that is a product or a quotient; else as it
        is."""
        x = self.source.get(e) if isinstance(e, Leaf) and not e.gradient else None
        plain = x is None or x._op is None or x._op.name not in ("multiply", "divide")
        return e if plain else self.computed(x)

    def opened(self, branch: Branch) -> Expression:
        """The same with what its stage computed written out, as ``a / b``, and all that has no
        name."""
        node, formula = branch.stage.output, substitute(self.correct(branch), self._values)
        leaf, formula = self.leaf(node), _unmasked(formula)
        if node._op.kind != "arithmetic" or leaf not in leaves(formula):
            return formula
        return tidy(substitute(formula, {leaf: self.computed(node)}))


def _unmasked(formula: Expression) -> Expression:
    """A formula without masks that change nothing, as nobody writes them: what they would make 0
    is 0."""
    if not any(isinstance(e, Apply) and e.op.name == "where" for e in parts(formula)):
        return formula
    tree = Tree(formula)
    same = {
        id(part): part.args[1]
        for part in tree.order
        if isinstance(part, Apply)
        and part.op.name == "where"
        and part.args[1].shape == part.shape
        and np.array_equal(tree.arrays[id(part)], tree.arrays[id(part.args[1])])
    }
    return tree.formula(same) if same else formula
