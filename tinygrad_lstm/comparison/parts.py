"""A formula with what is needed to change it: where its values and gradients are, and words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from tinygrad_lstm.comparison.lines import Lines
from tinygrad_lstm.comparison.tree import Tree, factors
from tinygrad_lstm.comparison.vocabulary import Vocabulary
from tinygrad_lstm.derivation.expression import Apply, Expression, Leaf
from tinygrad_lstm.engine.tape import Branch

__all__ = ["Parts"]

PAST = 16  # stages of which one formula may have the rules


class Parts:
    """The parts of a formula.

    Parameters
    ----------
    tree : Tree
        The formula.
    vocabulary : Vocabulary
        What may stand in it by mistake.
    branch : Branch
        The branch whose formula it is, or through which it begins.
    shaped : bool
        Whether the result has the right shape; else values of other shapes may stand in it too.
    """

    tree: Tree
    vocabulary: Vocabulary
    branch: Branch
    shaped: bool
    formulas: Lines
    at: int | None
    nodes: list[tuple[int, Expression]]
    products: list[tuple[int, Apply, list[Expression]]]

    def __init__(
        self, tree: Tree, vocabulary: Vocabulary, branch: Branch, shaped: bool = True
    ) -> None:
        self.shaped = shaped
        self.tree, self.vocabulary, self.branch = tree, vocabulary, branch
        self.formulas = vocabulary.formulas
        self.at = vocabulary.at(branch)
        self.nodes = list(enumerate(tree.order))[::-1]
        self.products = [
            (i, n, factors(n))
            for i, n in self.nodes
            if isinstance(n, Apply) and n.op.name in ("multiply", "divide") and tree.top(n)
        ]

    def _words(self, text: str, *formulas: Expression) -> Callable[[], str]:
        """A text about formulas, written when it is asked for."""
        return lambda: text.format(*map(self.formulas.text, formulas))

    def _about(self, part: Expression) -> frozenset[Leaf]:
        """The values of the tape in a factor."""
        known = self.tree.values.get(id(part))
        if known is None:
            known = frozenset().union(*(self._about(a) for a in getattr(part, "args", ())))
        return known

    def _function(self, about: frozenset[Leaf]) -> str:
        """The operation of whose local derivative a factor about some values is: that of the next
        stage, from the branch on, that reads or returns one of them."""
        values = {id(self.formulas.source[leaf]) for leaf in about if leaf in self.formulas.source}
        stages = [branch.stage for branch in self._begins()]
        for stage in stages:
            if any(id(x) in values for x in (stage.output, *stage.inputs)):
                return str(stage.op)
            above = self.formulas.chain.gradients.branches(stage.output)
            stages += [branch.stage for branch in above] if len(stages) < PAST else []
        return str(self.branch.stage.op)

    def _begins(self) -> Sequence[Branch]:
        """The branches through which the formula begins."""
        return (self.branch,)

    def _in_order(self, some: Iterable[Leaf]) -> list[Leaf]:
        """Some values and gradients, in the order in which the formula has them."""
        places = {id(node): i for i, node in enumerate(self.tree.order)}
        return sorted(some, key=lambda leaf: places.get(id(leaf), len(places)))

    def _sends(self, part: Expression) -> bool:
        known = self.tree.gradients.get(id(part))
        if known is None:
            return any(self._sends(a) for a in getattr(part, "args", ()))
        return bool(known)

    def _leaves(self) -> Iterator[tuple[int, Leaf, Any]]:
        """The values of the tape in the formula."""
        for i, node in self.nodes:
            if isinstance(node, Leaf) and not node.gradient and node in self.formulas.source:
                yield i, node, self.formulas.source[node]
