"""Masks that are wrong wherever they are read: a derivation takes the mask of a step once, and
multiplies by it and by its complement in several lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from typing import NamedTuple, TypeAlias

import numpy as np

from tinygrad_lstm.comparison.above import Above, Changes
from tinygrad_lstm.comparison.chain import edge
from tinygrad_lstm.comparison.combined import Guess
from tinygrad_lstm.comparison.indices import is_binary
from tinygrad_lstm.comparison.steps import RULE
from tinygrad_lstm.comparison.tree import Tree
from tinygrad_lstm.derivation.expression import Leaf
from tinygrad_lstm.engine.tape import Branch

__all__ = ["Masks"]

FEW = 2  # rows that have to be open: one may be explained by chance

Array: TypeAlias = np.ndarray


class Read(NamedTuple):
    """A stage that multiplies by a mask.

    Attributes
    ----------
    branch : Branch
        What it sends back.
    tree : Tree
        The formula of that, and the mask in it.
    leaf : Leaf
    array : ndarray
        The mask.
    at : int
        The block.
    inverse : bool
        Whether it is the complement of what the first stage of the block multiplies by.
    """

    branch: Branch
    tree: Tree
    leaf: Leaf
    array: Array
    at: int
    inverse: bool = False


class Masks(Above):
    """The search for one mistake in all that reads a mask; the parameters are those of
    :class:`Places`."""

    def masked(self, open_: int) -> Iterator[tuple[int, Guess]]:
        """The rows that are explained, as bits, and the explanation."""
        rows = self.rerun.rows_in(open_)
        ways = self._ways() if len(rows) >= FEW and self._masks else ()
        for kind, words, other in ways:
            with self.rerun.running():
                (fitting,), count = self._fits([rows], partial(self._changed, other))
            self.spent += count * self._rule_cost
            if fitting.bit_count() == len(rows):
                yield fitting, self._told_of(kind, words)
                return

    def _changed(
        self, other: Callable[[Read], Array | None], asked: Sequence[Sequence[int]]
    ) -> list[Changes]:
        """What other masks change in a run of the chain rule, whatever rows are asked for."""
        changed: Changes = {
            edge(read.branch): (read.tree, {id(read.leaf): Leaf(array, "another mask")})
            for reads in self._masks.values()
            for read in reads
            if (array := other(read)) is not None and not np.array_equal(array, read.array)
        }
        return [changed] * len(asked)

    @cached_property
    def _masks(self) -> dict[str, list[Read]]:
        """What multiplies by constants that are 0 and 1, by scope."""
        every = [r for _, branch in self.rerun.edges if (r := self._read(branch)) is not None]
        told = {self._stage(read) for read in every if np.ptp(read.array)}  # no initial states
        found: dict[str, list[Read]] = defaultdict(list)
        for read in every:
            if self._stage(read) in told:
                found[read.branch.stage.scope].append(read)
        return {scope: self._with_complements(reads) for scope, reads in found.items()}

    def _read(self, branch: Branch) -> Read | None:
        node, at = branch.stage.output, branch.stage.block
        if branch.stage.op != "multiply" or at is None:
            return None
        x = node._inputs[1 - branch.argument]
        if not is_binary(x) or not x.ndim:
            return None
        tree = self.search.changes(branch, RULE).tree
        leaves = [e for e in tree.order if isinstance(e, Leaf) and not e.gradient]
        return Read(branch, tree, leaves[0], x._array, at) if len(leaves) == 1 else None

    def _with_complements(self, reads: list[Read]) -> list[Read]:
        """The same, and which are complements: a stage multiplies by the mask in all blocks, or by
        its complement. Which of the two is called the mask is the same in scopes that are alike."""
        stages: dict[str, dict[int, Array]] = defaultdict(dict)
        for read in reads:
            stages[self._stage(read)][read.at] = read.array
        first = stages[min(stages)]
        inverse = {
            stage: all(np.array_equal(a, 1 - first[at]) for at, a in arrays.items() if at in first)
            for stage, arrays in stages.items()
        }
        return [read._replace(inverse=inverse[self._stage(read)]) for read in reads]

    def _stage(self, read: Read) -> str:
        return self.formulas.base(read.branch.stage.output)

    def _told_of(self, kind: str, words: str) -> Guess:
        branch = next(iter(self._masks.values()))[0].branch
        node = branch.stage.output
        value = self.formulas.gradient_name(node._inputs[branch.argument])
        stage, right = self.formulas.stage(node), self.formulas.text(self.formulas.correct(branch))
        looks = f"further up, wherever a mask is read, as at {stage}: {words}"
        return Guess(kind, "", f"{value} through {stage} = {right}", looks, np.empty(0))

    def _ways(self) -> Iterator[tuple[str, str, Callable[[Read], Array | None]]]:
        """What may stand for masks, with its kind and words."""
        words = "1 stands for the mask, and 0 for its complement: the mask is left out"
        for inverse in (False, True):
            yield "term missing", words, partial(self._left_out, inverse)
        words = "the complement of the mask stands where the mask belongs, and the reverse"
        yield "local form", words, self._complement
        for scope in (None, *self._masks) if len(self._masks) > 1 else (None,):
            words = "the masks are read in reverse order of time" + f" in {scope}" * bool(scope)
            yield "reversed", words, partial(self._mirrored, scope)
        for step, word in ((-1, "before"), (1, "after")):
            yield "wrong block", f"that of the step {word} was used", partial(self._moved, step)

    def _left_out(self, inverse: bool, read: Read) -> Array:
        return np.full(read.array.shape, float(read.inverse == inverse))

    def _complement(self, read: Read) -> Array:
        return 1.0 - read.array

    def _mirrored(self, scope: str | None, read: Read) -> Array | None:
        mine = scope in (None, read.branch.stage.scope)
        return self._at(read, self.search.vocabulary.mirror(read.at)) if mine else None

    def _moved(self, step: int, read: Read) -> Array | None:
        return self._at(read, read.at + step)

    def _at(self, read: Read, at: int) -> Array | None:
        """The mask of another block."""
        others = (r for r in self._masks[read.branch.stage.scope] if r.at == at)
        other = next(others, None)
        if other is None:
            return None
        return other.array if other.inverse == read.inverse else 1.0 - other.array
