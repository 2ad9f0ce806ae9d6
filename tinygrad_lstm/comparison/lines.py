"""The formulas of a tape as lines of a derivation, which go past several rules."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np

from tinygrad_lstm.comparison.chain import Chain, edge
from tinygrad_lstm.comparison.formulas import Formulas
from tinygrad_lstm.comparison.tidy import tidy
from tinygrad_lstm.comparison.tree import Tree
from tinygrad_lstm.derivation.expression import (
    Apply,
    Expression,
    Leaf,
    leaves,
    number,
    parts,
    substitute,
    total,
)
from tinygrad_lstm.engine.tape import Branch

__all__ = ["Lines"]

LONGEST = 4  # stages that one line goes past
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
