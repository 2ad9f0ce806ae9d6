"""Mistakes by which a parenthesis is closed too early or too late."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from itertools import combinations
from typing import TypeGuard

from tinygrad_lstm.comparison.combined import MULTIPLIED
from tinygrad_lstm.comparison.parts import Parts
from tinygrad_lstm.comparison.tree import Change, factors, product, summed_up, terms, times
from tinygrad_lstm.derivation.expression import Apply, Expression, apply

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
        for i, node in self.nodes:
            yield from self._into_products(i, node)
        for i, node, parts in self.products:
            yield from self._closed_too_early(i, node, parts)
        for i, node, parts in self.products:
            yield from self._multiplied_out(i, node, parts)

    def _into_products(self, i: int, node: Expression) -> Iterator[Change]:
        """``(A + B) @ C`` for ``A @ C + B``, and the reverse; ``A ∘ B`` for ``A + B``."""
        signed = terms(node)
        if len(signed) == 2:
            words = self._words(MULTIPLIED, *(t for _, t in signed))
            other = times(*(t for _, t in signed))
            yield Change(("∘ for +", i), "sum for product", words, {id(node): other})
        for k, (s, term) in enumerate(signed if 1 < len(signed) <= 6 else []):
            if not _is_matrix_product(term):
                continue
            a, b = term.args
            for j, (sign, also) in enumerate(signed):
                if j != k and also.shape == a.shape:
                    both = summed_up([(1, a), (s * sign, also)])
                    whole = (s, apply(term.op, (both, b), term.params, term.shape))
                    rest = [t for m, t in enumerate(signed) if m not in (j, k)]
                    words = self._words(f"{CLOSED}: {{}} is multiplied by {{}} too", also, b)
                    changed = {id(node): summed_up([whole, *rest])}
                    yield Change(("(@", i, k, j), "parenthesis", words, changed)
        if _is_matrix_product(node):
            yield from self._out_of_products(i, node)

    def _out_of_products(self, i: int, node: Apply) -> Iterator[Change]:
        inner, by = terms(node.args[0]), node.args[1]
        for k, (sign, term) in enumerate(inner if len(inner) > 1 else []):
            if term.shape == node.shape:
                rest = summed_up([t for m, t in enumerate(inner) if m != k])
                alone = apply(node.op, (rest, by), node.params, node.shape)
                words = self._words(f"{CLOSED}: {{}} is multiplied by {{}}", term, by)
                changed = {id(node): summed_up([(1, alone), (sign, term)])}
                yield Change(("@)", i, k), "parenthesis", words, changed)

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

    def _multiplied_out(
        self, i: int, node: Expression, parts: list[Expression]
    ) -> Iterator[Change]:
        """``(A e + B) d e`` for ``A e + B d e``, which is ``(A + B d) e``: a sum is multiplied out,
        and the parenthesis closed before the last factors of a term, which the tape has inside."""
        for k, part in enumerate(parts):
            signed, others = terms(part), parts[:k] + parts[k + 1 :]
            few = len(others) <= 6 and 1 < len(signed) <= 3
            for j, outer in itertools.product(range(len(signed)), others) if few else ():
                found = factors(signed[j][1])
                for inner in found if len(found) > 1 else ():
                    moved = times(inner, outer)
                    rest = product([f for f in found if f is not inner])
                    sums = [
                        (s, rest if m == j else times(t, outer)) for m, (s, t) in enumerate(signed)
                    ]
                    alone = f"{CLOSED}: {{}} belongs to {{}} alone, and not to the whole sum"
                    words = self._words(alone, moved, rest)
                    label = ("(e", i, k, j, others.index(outer), found.index(inner))
                    other = product(
                        [summed_up(sums), moved, *(p for p in others if p is not outer)]
                    )
                    yield Change(label, "parenthesis", words, {id(node): other})


def _is_matrix_product(e: Expression) -> TypeGuard[Apply]:
    return isinstance(e, Apply) and e.op.name == "matmul"
