"""Mistakes in a sum of branches that is written as one: its branches of another step, two values
that are exchanged, slots of a concatenation that are mixed up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from itertools import combinations
from typing import Any

from tinygrad_lstm.comparison.brackets import CLOSED
from tinygrad_lstm.comparison.shifted import sent_back, written_over
from tinygrad_lstm.comparison.terms import Met
from tinygrad_lstm.comparison.tree import (
    Change,
    factors,
    flipped,
    summed_up,
    times,
)
from tinygrad_lstm.derivation.expression import (
    Apply,
    Expression,
    Leaf,
    leaves,
    number,
    substitute,
)
from tinygrad_lstm.engine.names import signed

__all__ = ["OF_A_ROW", "OTHER", "TAKEN", "WHOLE", "Sums"]

WHOLE = (
    *("signs", "steps", "added on", "exchanged", "slots", "turned", "shifts", "overwritten"),
    *("brackets", "spread"),
)
TAKEN = ("gradients",)  # which other is taken for one: there are many
OTHER = ("values", "clipped", "numbers")
OF_A_ROW = (
    *("added on", "exchanged", "values", "gradients", "functions", "asked", "without"),
    *("shifts", "overwritten"),
)

ADDED_ON = (
    "what was carried back in the next block is in it once more: += stands where = belongs, or it "
    "was not set back to 0"
)
# Other indices of a part: of two axes or more, which are counted from 0 to the last one there is.
TURNS: dict[str, Callable[[tuple[int, ...], Sequence[int]], tuple[int, ...]]] = {
    "from the end on": lambda key, last: tuple(n - k for k, n in zip(key, last, strict=True)),
    "with their indices exchanged": lambda key, last: key[::-1],
    "from the end on, along the first axis": lambda key, last: (last[0] - key[0], *key[1:]),
    "from the end on, along the last axis": lambda key, last: (*key[:-1], last[-1] - key[-1]),
}
FEW, SOME = 4, 6  # branches, of which all choices are tried


class Sums(Met):
    """What can go wrong in it where it is the sum of its branches."""

    @cached_property
    def _kinds(self) -> dict[str, Callable[[], Iterator[Change]]]:
        return {
            "signs": self._signs,
            "steps": self._of_another_step,
            "added on": self._added_on,
            "exchanged": self._exchanged,
            "slots": self._slots,
            "turned": self._turned,
            "shifts": partial(sent_back, self._terms),
            "overwritten": partial(written_over, self.tree),
            "brackets": self._brackets,
            "spread": self._on_others,
            "values": self._values,
            "gradients": self._gradients,
            "clipped": self._clipped,
            "numbers": self._multiplied,
            "functions": self._functions,
            "without": self._without,
            "asked": self._asked,
        }

    def _signs(self) -> Iterator[Change]:
        """Signs, and what is missing."""
        root = self.tree.root
        words = "the sign of the whole sum is flipped"
        yield Change(("-",), "sign", words, {id(root): flipped(root)})
        for chosen in self._choices():
            rest = [(1, t) for k, t in enumerate(self._terms) if k not in chosen]
            for factor in (-1.0, 0.5, 2.0) if rest else ():
                terms = [self._terms[k] for k in chosen]
                words = f"{len(chosen)} of {len(self._terms)} branches are there {factor:g} times"
                changed = {id(t): times(number(factor), t) for t in terms}
                kind = "sign" if factor < 0 else "factor"
                yield Change(("scaled", factor, chosen), kind, words, changed)
            if rest:
                words = f"{len(chosen)} of {len(self._terms)} branches are missing"
                other = {id(root): summed_up(rest)}
                yield Change(("missing", chosen), "branch missing", words, other)

    def _choices(self) -> Iterator[tuple[int, ...]]:
        """Branches that may have a mistake in common: two or more; of many, all, and those of one
        block, such as what a loop carries back."""
        n = len(self._terms)
        if n <= SOME:
            for size in range(2, n + 1):
                yield from combinations(range(n), size)
            return
        yield tuple(range(n))
        blocks: dict[Any, list[int]] = defaultdict(list)
        for k, branch in enumerate(self._begins()):
            blocks[branch.stage.block].append(k)
        yield from (tuple(chosen) for chosen in blocks.values() if 1 < len(chosen) < n)

    def _of_another_step(self) -> Iterator[Change]:
        """Branches of the next step, the last one, or of the mirror image of time."""
        for chosen in self._choices():
            for how in ("mirror", -1, 1):
                changed: dict[int, Expression] = {}
                for k in chosen:
                    term = self._terms[k]
                    moved = self._moved(term, how)
                    if any(a.gradient for a in moved):
                        changed[id(term)] = substitute(term, moved)
                if len(changed) == len(chosen):
                    step = "the mirror image of time" if how == "mirror" else f"t{signed(int(how))}"
                    words = f"{len(chosen)} branches are those of another step ({step})"
                    yield Change(("steps", how, chosen), "wrong block", words, changed)

    def _added_on(self) -> Iterator[Change]:
        """What was carried back in the next block, added once more: ``+=`` where ``=`` belongs."""
        x = self.branch.stage.output._inputs[self.branch.argument]
        block, branches = self.vocabulary.block(x), self._begins()
        after = self._at(self.formulas.gradient_leaf(x), 1)
        if after is None or len(branches) != len(self._terms):
            return
        own = [t for t, b in zip(self._terms, branches, strict=True) if b.stage.block == block]
        there = [(-1, substitute(t, self._moved(t, 1))) for t in own]
        root = self.tree.root
        other = summed_up([(1, root), (1, after), *there])
        yield Change(("added on",), "accumulation", ADDED_ON, {id(root): other})

    def _moved(self, term: Expression, how: Any) -> dict[Leaf, Leaf]:
        """What stands in a branch, by what it is in another block."""
        return {a: b for a in leaves(term) if (b := self._at(a, how)) is not None}

    def _at(self, leaf: Leaf, how: Any) -> Leaf | None:
        """What a value or a gradient of this block is in another one."""
        vocabulary, x = self.vocabulary, self.formulas.source.get(leaf)
        block = None if x is None else vocabulary.block(x)
        if self.at is None or block is None or x is None:
            return None
        there = vocabulary.mirror(block) if how == "mirror" else block + how
        other = vocabulary.in_block(self.formulas.base(x), there)
        if other is None or other.shape != leaf.shape or other is x:
            return None
        if not leaf.gradient:
            return self.formulas.leaf(other)
        known = id(other) in self.formulas.chain.totals
        return self.formulas.gradient_leaf(other) if known else None

    def _exchanged(self) -> Iterator[Change]:
        """Two values, each in the place of the other."""
        found = [(i, leaf) for i, leaf, _ in self._leaves()]
        for (i, a), (j, b) in combinations(found, 2):
            if a.shape == b.shape and a is not b:
                words = self._words("{} and {} are exchanged", a, b)
                yield Change(("exchanged", i, j), "wrong value", words, {id(a): b, id(b): a})

    def _turned(self) -> Iterator[Change]:
        """Parts of one value, such as the weights of a kernel, each in the place of that at the
        mirrored or exchanged indices, in all terms."""
        groups: dict[int, list[tuple[Apply, tuple[int, ...]]]] = defaultdict(list)
        for _, node in self.nodes:
            if isinstance(node, Apply) and node.op.name == "index" and not self._sends(node):
                key = node.params["key"]
                part = isinstance(key, tuple) and all(isinstance(k, int) for k in key)
                groups[id(node.args[0])] += [(node, key)] * part
        for n, found in enumerate(groups.values()):
            for how, turn in TURNS.items() if len(found) > 1 else ():
                changed: dict[int, Expression] = {}
                for node, key in found:
                    last = [length - 1 for length in node.args[0].shape[: len(key)]]
                    params = {**node.params, "key": turn(key, last)}
                    changed[id(node)] = Apply(node.op, node.args, params, node.shape)
                words = f"the parts of a value are taken {how}"
                yield Change(("turned", n, how), "reversed", words, changed)

    def _on_others(self) -> Iterator[Change]:
        """Factors of one branch on some others too, by a parenthesis that is closed too late."""
        n = len(self._terms)
        for k, term in enumerate(self._terms if n <= FEW + 1 else ()):
            found = [f for f in factors(term) if not self._sends(f)]
            others = [j for j in range(n) if j != k]
            for m, factor in enumerate(found[:FEW]):
                for size in range(1, n - 1):
                    for chosen in combinations(others, size):
                        changed = {
                            id(self._terms[j]): times(self._terms[j], factor) for j in chosen
                        }
                        words = self._words(f"{CLOSED}: {{}} belongs to {{}} alone", factor, term)
                        yield Change(("spread", k, m, chosen), "parenthesis", words, changed)

    def _slots(self) -> Iterator[Change]:
        """What belongs to one part of a concatenation, in the place of another."""
        parts = [e for e in self._terms if isinstance(e, Apply) and e.op.name == "scatter"]
        for a, b in combinations(parts, 2):
            if a.args[0].shape == b.args[0].shape:
                changed = {
                    id(one): Apply(one.op, one.args, other.params, one.shape)
                    for one, other in ((a, b), (b, a))
                }
                label = ("slots", self._terms.index(a), self._terms.index(b))
                words = "the parts of a concatenation are in another order"
                yield Change(label, "blocks permuted", words, changed)
