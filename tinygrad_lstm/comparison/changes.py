"""The mistakes that people make in a formula, as data: each is a change of some part of it, the
simpler ones first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import chain
from typing import Any

from tinygrad_lstm.comparison.axes import axes
from tinygrad_lstm.comparison.brackets import Brackets
from tinygrad_lstm.comparison.broadcasts import Broadcasts
from tinygrad_lstm.comparison.calls import renamed
from tinygrad_lstm.comparison.derived import Derived
from tinygrad_lstm.comparison.forms import Forms
from tinygrad_lstm.comparison.functions import Functions
from tinygrad_lstm.comparison.moved import Moved
from tinygrad_lstm.comparison.omitted import Omitted
from tinygrad_lstm.comparison.others import Others
from tinygrad_lstm.comparison.products import matrices, misplaced, reshaped, slices
from tinygrad_lstm.comparison.tree import Change
from tinygrad_lstm.derivation.expression import Expression

__all__ = ["FAR", "NEAR", "REST", "SIMPLE", "VALUES", "Changes", "Sort"]

SIMPLE = ("signs", "without", "initial", "forms")
VALUES = ("slices", "indices", "functions", "values", "call", "derived")
REST = (
    "gradients",
    "matrices",
    "misplaced",
    "axes",
    "reshaped",
    "reduced",
    "inserted",
    "clipped",
    "numbers",
    "constants",
    "bare",
)
NEAR = SIMPLE + VALUES + REST  # in the order in which they are tried
FAR = ("extra", "inside", "computed", "brackets", "more")  # many, and seldom what it is

Sort = dict[tuple[Any, ...], Change]  # mistakes by label


class Changes(Omitted, Forms, Functions, Derived, Others, Moved, Broadcasts, Brackets):
    """What can go wrong in a formula; the parameters are those of :class:`Parts`."""

    def all(self) -> Iterator[tuple[str, Change]]:
        """Every mistake with its sort, the simpler ones first."""
        return ((sort, change) for sort, make in self._kinds.items() for change in make())

    def alike(self, sort: str, label: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """The labels of a mistake: seen from another block, the same value may be the next one, the
        last, or that in the mirror image of time."""
        made = self.sort(sort)
        own = made[label].changed if label in made else {}
        same = (k for k, change in made.items() if _same(change.changed, own))
        return [label, *(k for k in same if k != label)]

    @cached_property
    def _kinds(self) -> dict[str, Callable[[], Iterator[Change]]]:
        """What makes the mistakes, by name."""
        return {
            "signs": self._signs,
            "without": self._without,
            "initial": self._initial,
            "forms": self._forms,
            "slices": partial(slices, self.tree, self.branch, self.formulas.text),
            "indices": self._indices,
            "functions": self._functions,
            "extra": self._extra,
            "values": self._values,
            "inside": self._inside,
            "computed": self._computed,
            "call": self._of_another_call,
            "derived": self._derived,
            "gradients": self._gradients,
            "matrices": partial(matrices, self.tree),
            "misplaced": partial(misplaced, self.tree, self.formulas.text),
            "axes": partial(axes, self.tree, self.formulas.ratio),
            "reshaped": partial(reshaped, self.tree),
            "reduced": self._reduced,
            "inserted": self._inserted,
            "clipped": self._clipped,
            "numbers": self._multiplied,  # after a mean for a sum, which says more of the same
            "constants": self._constants,
            "bare": self._bare,
            "brackets": self._brackets,
            "more": self._more,
        }

    @cached_property
    def labels(self) -> Sort:
        """Every mistake by its label."""
        found: Sort = {}
        for name in self._kinds:
            for label, change in self.sort(name).items():
                found.setdefault(label, change)
        return found

    def labelled(
        self,
        label: tuple[Any, ...],
        like: Changes | None = None,
        names: Mapping[str, str] | None = None,
    ) -> Change | None:
        """The mistake of a label, if it can be made here; where it can be made in another formula
        `like` this one, it is looked for among those of its sort, by other `names`."""
        name = {"value": "values", "δ": "gradients", "form": "forms"}.get(label[0])
        if like is not None:  # most often this is of a sort that has been looked at
            sorts = (*like._found, *(name for name in like.sorts if name not in like._found))
            name = next((name for name in sorts if label in like.sort(name)), None)
        label = renamed(label, names) if names else label
        return self.sort(name).get(label) if name else self.labels.get(label)

    @property
    def sorts(self) -> Iterable[str]:
        """The sorts of mistakes, the simpler ones first."""
        return self._kinds.keys()

    def of(self, names: Sequence[str]) -> Iterator[Change]:
        """The mistakes of some sorts, one for each label."""
        made = (name for name in names if name in self._kinds)
        return chain.from_iterable(self.sort(name).values() for name in made)

    def sort(self, name: str) -> Sort:
        """The mistakes of one sort by label."""
        if name not in self._found:
            found: Sort = {}
            for change in self._kinds[name]():
                found.setdefault(change.label, change)
            self._found[name] = found
        return self._found[name]

    @cached_property
    def _found(self) -> dict[str, Sort]:
        return {}


def _same(one: Mapping[int, Expression], other: Mapping[int, Expression]) -> bool:
    """Whether two mistakes write the same instead of the same parts."""
    return one.keys() == other.keys() and all(one[key] is other[key] for key in one)
