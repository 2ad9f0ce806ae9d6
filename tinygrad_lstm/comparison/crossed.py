"""Explanations of a wrong sum over branches by what belongs elsewhere: the branch of another layer,
its weights in all branches, the factors of another branch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import combinations
from typing import TypeVar

from tinygrad_lstm.comparison.brackets import CLOSED
from tinygrad_lstm.comparison.branches import Term, places, summed
from tinygrad_lstm.comparison.chain import edge
from tinygrad_lstm.comparison.combined import Guess, Words
from tinygrad_lstm.comparison.spelling import Edit, difference
from tinygrad_lstm.comparison.steps import Steps
from tinygrad_lstm.comparison.tree import Tree, factors, product, times
from tinygrad_lstm.derivation.expression import Expression, Leaf, leaves

__all__ = ["crossed"]

T = TypeVar("T")
BRACKETED = 6  # branches, and factors of one, of which all choices are tried


def crossed(steps: Steps, terms: Sequence[Term], correct: Words) -> Iterator[Guess]:
    """A branch of another value in the place of one, and weights of another layer in all."""
    yield from _renamed(steps, terms, correct)
    yield from _borrowed(steps, terms)
    if len(terms) <= BRACKETED:
        for term in terms:
            yield from _spread(steps, term, terms, correct)


def _spread(steps: Steps, term: Term, terms: Sequence[Term], correct: Words) -> Iterator[Guess]:
    """Factors of one branch on others too: a parenthesis that is closed too late."""
    together, others = summed(terms), [other for other in terms if other is not term]
    found = [f for f in factors(term.formula) if not any(leaf.gradient for leaf in leaves(f))]
    for chosen in _some(found[:BRACKETED]):
        factor = product(list(chosen))
        value = Tree(factor).array
        beside = together.shape[together.ndim - value.ndim :] == value.shape
        twice = ([term, *also] for also in _some(others))
        for also in (*_some(others), *twice) if beside else ():
            array = together + (value - 1) * summed(also)
            said = steps.formulas.text(factor)
            looks = f"{CLOSED}: {said} belongs to {term.place} alone, and not to the whole sum"
            if also[0] is term:
                both = " and ".join(t.place for t in also)
                looks = f"{CLOSED}: {both} are multiplied by {said} once more"
            formulas = [
                times(t.formula, factor) if any(t is a for a in also) else t.formula for t in terms
            ]
            yield Guess("parenthesis", partial(_sum, steps, formulas), correct, looks, array)


def _some(things: Sequence[T]) -> Iterator[tuple[T, ...]]:
    """All choices of one or more."""
    for n in range(1, len(things) + 1):
        yield from combinations(things, n)


def _sum(steps: Steps, formulas: Sequence[Expression]) -> str:
    return "  +  ".join(map(steps.formulas.text, formulas))


def _borrowed(steps: Steps, terms: Sequence[Term]) -> Iterator[Guess]:
    """What another value gets through a stage of the same operation, in the same block."""
    together = summed(terms)
    for term in terms:
        stage = term.branch.stage
        for x, other in steps.vocabulary.branches[stage.op, stage.block]:
            if x.shape != term.array.shape or other.stage is stage:
                continue
            array = steps.chain.sent[edge(other)]
            formula = steps.formulas.through(steps.formulas.correct(other))
            looks = f"{term.place} is that of {steps.formulas.gradient_name(x)}, another value"
            yours, right = (partial(places, terms, term, e) for e in (formula, term.formula))
            yield Guess("wrong gradient", yours, right, looks, together - term.array + array)


def _renamed(steps: Steps, terms: Sequence[Term], correct: Words) -> Iterator[Guess]:
    """Other values in several branches, whose names differ from the right ones in the same way."""
    edits: dict[Edit, list[tuple[Term, Tree, dict[int, Expression]]]] = defaultdict(list)
    for term in terms:
        tree = Tree(steps.formulas.correct(term.branch))
        for edit, changed in _edits(steps, term, tree).items():
            edits[edit].append((term, tree, changed))
    for (old, new), changes in edits.items():
        if len(changes) < 2:
            continue
        array = summed(terms)
        for term, tree, changed in changes:
            array = array - term.array + tree.run(changed)
        yours = partial(_sum, steps, [tree.formula(changed) for _, tree, changed in changes])
        looks = f"in {len(changes)} branches, a value named with {new} was used for that with {old}"
        yield Guess("wrong value", yours, correct, looks, array)


def _edits(steps: Steps, term: Term, tree: Tree) -> dict[Edit, dict[int, Expression]]:
    """The values of a formula that another one may stand for, by the difference of their names."""
    found: dict[Edit, dict[int, Expression]] = defaultdict(dict)
    formulas, at = steps.formulas, term.branch.stage.block
    for part in tree.order:
        source = formulas.source.get(part) if isinstance(part, Leaf) and not part.gradient else None
        if source is None or not source.name:
            continue
        for w in steps.vocabulary.near(source, at):
            if w.name and w.block in (None, at):
                edit = difference(formulas.base(source), formulas.base(w))
                found[edit].setdefault(id(part), formulas.leaf(w))
    return found
