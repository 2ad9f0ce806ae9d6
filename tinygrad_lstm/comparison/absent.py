"""Values that a slip reads beyond the first block or the last, where the tape has none: whatever
stood there, it leaves its traces in a row that has more numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_lstm.comparison.branches import Term
from tinygrad_lstm.comparison.changes import Changes
from tinygrad_lstm.comparison.steps import Steps
from tinygrad_lstm.comparison.tree import Change, Tree
from tinygrad_lstm.derivation.expression import Leaf
from tinygrad_lstm.engine.names import signed

__all__ = ["ABSENT", "Absent", "Altered"]

ABSENT = "; beyond the end of the loop, another value that this tape does not hold"
FEW = 64  # numbers of a value that is looked for
SURE = 3  # numbers of a row beside those of the value, so that few others would fit
LINEAR = 1e-9

Altered = Mapping[int, tuple[Tree, Change]]  # the changes in some terms, by their `id`


class Absent(Steps):
    """Values that are not there; the parameters are those of :class:`Steps`."""

    def inside(self, every: Mapping[int, Changes], altered: Altered) -> Altered:
        """The changes without those that read a value beyond the ends of the loop, for which Python
        or a derivation has another one."""
        return {i: found for i, found in altered.items() if not self._beyond(every[i], found[1])}

    def _beyond(self, changes: Changes, change: Change) -> bool:
        if change.label[0] != "value" or change.label[2][1][:1] not in ("+", "−"):
            return False
        (other,) = change.changed.values()
        source = self.formulas.source.get(other) if isinstance(other, Leaf) else None
        block = None if source is None else self.vocabulary.block(source)
        seen, at = change.label[2], changes.at
        states = [] if source is None else self.vocabulary.states.get(id(source), [])
        blocks = [block, *(t for role, t in states if role == seen[0])]
        return at is not None and all(b is None or signed(b - at) != seen[1] for b in blocks)

    def absent(
        self,
        every: Mapping[int, Changes],
        altered: Altered,
        group: Sequence[Term],
        array: np.ndarray,
        hand: np.ndarray,
    ) -> np.ndarray | None:
        """The row with a value that is not known in the one block that has none; None where no
        value would do."""
        left = [term for term in group if id(term) not in altered]
        if len(left) != 1 or len(altered) < 2 or array.shape != hand.shape:
            return None
        _, change = next(iter(altered.values()))
        answers = self._answers(left[0], every[id(left[0])].tree, change)
        if answers is None:
            return None
        rest = np.ravel(hand - array + left[0].array)
        fitted: np.ndarray = answers @ np.linalg.lstsq(answers, rest, rcond=None)[0]
        other: np.ndarray = array - left[0].array + fitted.reshape(array.shape)
        return other

    def _answers(self, term: Term, tree: Tree, change: Change) -> np.ndarray | None:
        """What each number of a value adds to the row through a branch; None where that is no
        matrix, or would fit any row."""
        at: Any = change.label[1] if change.label[0] == "value" else None
        leaf = tree.order[at] if at is not None and at < len(tree.order) else None
        if not isinstance(leaf, Leaf) or leaf.gradient or not 0 < np.size(leaf.array) <= FEW:
            return None
        if np.asarray(leaf.array).dtype.kind != "f":
            return None
        key = id(tree), at
        if key not in self.traces:
            self.traces[key] = self._traces(tree, leaf, term.array)
        return self.traces[key]

    @staticmethod
    def _traces(tree: Tree, leaf: Leaf, array: np.ndarray) -> np.ndarray | None:
        size = int(np.prod(leaf.shape))
        if size + SURE > array.size or tree.array.shape != array.shape:
            return None
        ones = np.eye(size).reshape(size, *leaf.shape)
        found = np.stack([np.ravel(tree.run({}, {id(leaf): one})) for one in ones], axis=1)
        linear = found @ np.ravel(np.asarray(leaf.array))
        close = LINEAR * np.max(np.abs(array), initial=0)
        return found if np.max(np.abs(linear - np.ravel(array))) <= close else None
