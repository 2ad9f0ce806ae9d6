"""Mistakes by which a parenthesis is closed too early or too late."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from tinygrad_lstm.comparison.parts import Parts
from tinygrad_lstm.comparison.tree import Change, factors, product, summed_up, terms, times
from tinygrad_lstm.derivation.expression import Expression

__all__ = ["CLOSED", "Brackets"]

CLOSED = "a parenthesis is closed in the wrong place"


class Brackets(Parts):
    """Factors of one term on a whole sum, and the reverse."""

    def _brackets(self) -> Iterator[Change]:
        """A factor of one term on a whole sum, and the reverse."""
        for i, node in self.nodes:
            signed = terms(node)
            for k, (_, term) in enumerate(signed if 1 < len(signed) <= 6 else []):
                found = factors(term)
                for n in range(1, min(len(found), 4)):
                    for chosen in combinations(found, n):
                        spread = [
                            (s, t if j == k else times(t, product(list(chosen))))
                            for j, (s, t) in enumerate(signed)
                        ]
                        alone = f"{CLOSED}: {{}} belongs to {{}} alone, and not to the whole sum"
                        words = self._words(alone, product(list(chosen)), term)
                        label = ("(", i, k, tuple(map(found.index, chosen)))
                        yield Change(label, "parenthesis", words, {id(node): summed_up(spread)})
        for i, node, parts in self.products:
            yield from self._closed_too_early(i, node, parts)

    def _closed_too_early(
        self, i: int, node: Expression, parts: list[Expression]
    ) -> Iterator[Change]:
        for k, part in enumerate(parts):
            signed, others = terms(part), parts[:k] + parts[k + 1 :]
            for n in range(1, len(others) + 1) if len(signed) > 1 else ():
                for chosen in combinations(others, n):
                    rest = [p for p in others if p not in chosen]
                    for j in range(len(signed)):
                        alone = [
                            (s, t if m == j else times(t, product(list(chosen))))
                            for m, (s, t) in enumerate(signed)
                        ]
                        whole = f"{CLOSED}: {{}} belongs to the whole sum"
                        words = self._words(whole, product(list(chosen)))
                        label = (")", i, k, j, tuple(map(others.index, chosen)))
                        other = product([*rest, summed_up(alone)])
                        yield Change(label, "parenthesis", words, {id(node): other})
