"""Two mistakes further up, each of a known kind: those whose effects add up to what the rows differ
by are tried together."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from tinygrad_lstm.comparison.above import Altered, Changes
from tinygrad_lstm.comparison.candidates import Candidate, Several, Where
from tinygrad_lstm.comparison.chain import Chain
from tinygrad_lstm.comparison.changes import NEAR
from tinygrad_lstm.comparison.combined import FOLLOWS, Guess, written
from tinygrad_lstm.comparison.everywhere import FAILED
from tinygrad_lstm.comparison.masks import Masks
from tinygrad_lstm.comparison.pointing import EXACT, Supposed, differs
from tinygrad_lstm.comparison.rows import Entry
from tinygrad_lstm.comparison.search import Search
from tinygrad_lstm.comparison.stages import LONG, STAGES
from tinygrad_lstm.comparison.steps import LINE, MET, RULE, SUM, TERMS
from tinygrad_lstm.comparison.sums import WHOLE
from tinygrad_lstm.comparison.terms import EACH
from tinygrad_lstm.comparison.tree import Change
from tinygrad_lstm.engine.gradients import Part

__all__ = ["Pairs"]

AMONG = 1500  # mistakes, those that point nearest to where the rows are wrong
TRIED = 512  # pairs of them at most
ALLOWED = 3000  # formulas for what is wrong besides
CLOSE = 1e-8  # how closely these have to fit
SEPARATE = 3  # rows that may have a mistake each, of any sort
SHARE = 0.1  # of the budget that these may take
MATCHED = 0.5  # .. and those where the gradients by hand are known
NEARLY = 1e-6  # of the square of what is missing: how far off pairs are that are looked at
# Sorts of mistakes that are made beside others.
PAIRED = {
    RULE: tuple(s for s in NEAR if s != "derived"),
    LINE: LONG,
    SUM: WHOLE,
    MET: LONG,
    TERMS: EACH,
}

Pair = tuple[Candidate, Candidate]
Pointed = tuple[Candidate, np.ndarray]  # a mistake, and where its effect points


class Pairs(Masks):
    """The search for one mistake, then for two; the parameters are those of :class:`Places`."""

    def explained(self, several: Several | None = None) -> Iterator[tuple[Entry, Guess]]:
        """The rows that are explained, each with its explanation; see :meth:`Above.explained`."""
        yield from super().explained(several)
        for where in self.found:
            for i, guess in self._besides(where, self.rerun.rows_in(self.open_)):
                self.open_ &= ~(1 << i)
                yield self.rows[i], guess
        for search in (self.masked, self._two):
            if self.open_.bit_count() > 1:  # two mistakes give one row in too many ways
                for rows, guess in search(self.open_):
                    self.open_ &= ~rows
                    yield from ((self.rows[i], guess) for i in self.rerun.rows_in(rows))
        if self.open_.bit_count() <= SEPARATE:
            self.rest = True
            yield from self.searched(STAGES, several)
        self.progress.done()

    def one(self) -> Iterator[tuple[Entry, Guess]]:
        """The rows that one mistake explains."""
        yield from super().explained()

    def _besides(self, where: Where, left: Sequence[int]) -> Iterator[tuple[int, Guess]]:
        """The rows to which a mistake that was found leads, and which have another one in their own
        formula."""
        change, altered = self._made(where)
        with self.rerun.running():
            moved = self.rerun.totals(self._edits(where.place, altered))
        ids = {id(x): x for x in self.chain.order}
        parts = (Part(ids[key], self.chain.gradients.branches(ids[key]), "total") for key in moved)
        given = {part.id: moved[id(part.value)] for part in parts if part.value._op is not None}
        chain = Chain(self.chain.gradients, {**self.chain.given, **given})
        search = Search(self.search.judge, chain, CLOSE)
        search.allowed = ALLOWED
        first = self._told(altered, change, 0, where.place)
        for i in left:
            if self.places[where.place].rows >> i & 1:
                with contextlib.suppress(*FAILED):
                    guess = search.guess(self.rows[i], True)
                    if guess is not None:
                        looks = f"two mistakes: {first.looks_like}; and here: {guess.looks_like}"
                        yield i, guess._replace(kind="two mistakes", looks_like=looks)

    def _two(self, open_: int) -> Iterator[tuple[int, Guess]]:
        """The pair that explains all open rows."""
        for pairs in itertools.chain(self._matching(open_), self._near(open_)):
            with self.rerun.running():
                rows, guess = self._tried(pairs, open_)
            if guess is not None:
                yield rows, guess
                return

    def _near(self, open_: int) -> Iterator[list[Pair]]:
        """Those whose effects add up to nearly what the open rows differ by, to first order."""
        found, size = self._nearest_pairs(open_), self._most
        for start in range(0, len(found), size):
            yield found[start : start + size]

    def _matching(self, open_: int) -> Iterator[list[Pair]]:
        """Those whose effects add up to just what the open rows differ by, in the derivatives by
        the values of two names: if all mistakes are there, the gradients by hand are known."""
        until = self.spent + MATCHED * self.budget
        for two in self.grounds():
            world = self.supposed_in(two)
            if world is not None and self.spent < until:
                one, other = (list(self._in_ground(role, world)) for role in two)
                if pairs := list(self._matched(one, other, open_)):
                    yield pairs

    def _in_ground(self, role: str, world: Supposed) -> Iterator[Pointed]:
        """The mistakes in the derivative by the values of a name, with what each does in a
        world."""
        for number, place in enumerate(self.places):
            if {self.formulas.base(x) for x, _ in place.edges} == {role}:
                whole = len(self._pattern(number)[0].branches) == len(place.edges)
                found = self.pointing(number, PAIRED[place.level], world, whole)
                for change, (every, along, known) in found:
                    if known and not np.any(np.abs(along) > EXACT * np.max(np.abs(every[0]))):
                        candidate = Candidate(0.0, 0.0, number, change.label)
                        yield from ((candidate, points) for points in every)

    def _matched(
        self, one: Sequence[Pointed], other: Sequence[Pointed], open_: int
    ) -> Iterator[Pair]:
        """Those of two groups whose effects add up to what is missing."""
        looked = self.directions(open_, self.effects.row)
        missing = self.effects.missing[looked]
        a, b = ([points[looked] for _, points in group] for group in (one, other))
        if a and b:
            off = _between(missing - np.stack(a), np.stack(b))
            for i, j in np.argwhere(off <= NEARLY * (missing @ missing)).tolist():
                places = one[i][0].place, other[j][0].place
                if places[0] != places[1] and differs(a[i] + b[j], missing) <= EXACT:
                    yield one[i][0], other[j][0]

    def _nearest_pairs(self, open_: int) -> list[Pair]:
        """The pairs whose effects add up to nearly what the open rows differ by."""
        effects = self.effects
        looked = np.array([open_ >> int(i) & 1 for i in effects.row], bool)
        among = sorted(
            (c for c in self.points if self.places[c.place].rows & open_),
            key=lambda c: (c.off, c.fetched),
        )[:AMONG]
        if len(among) < 2 or not looked.any():
            return []
        points = np.stack([self.points[c][looked] for c in among])
        off = _between(effects.missing[looked] - points, points)
        places = np.array([c.place for c in among])
        off[(places[:, None] >= places[None])] = np.inf  # each once, and none in one place
        blocks = max((len(place.edges) for place in self.places), default=1)
        count = min(TRIED, max(1, int(SHARE * self.budget / (2 * blocks))), off.size - 1)
        chosen = np.argpartition(off, count, axis=None)[:count]
        chosen = chosen[np.argsort(off.flat[chosen], kind="stable")]
        pairs = zip(*np.unravel_index(chosen, off.shape), strict=True)
        return [(among[i], among[j]) for i, j in pairs if np.isfinite(off[i, j])]

    def _tried(self, pairs: Sequence[Pair], open_: int) -> tuple[int, Guess | None]:
        """Run the chain rule again with each of some pairs."""
        self.pairs += len(pairs)
        both = [[self._made(Where(c.place, c.label, open_)) for c in pair] for pair in pairs]
        changed: list[Changes] = [
            {**self._edits(a.place, one), **self._edits(b.place, other)}
            for (a, b), ((_, one), (_, other)) in zip(pairs, both, strict=True)
        ]
        every = [
            self.rerun.rows_in((self.places[a.place].rows | self.places[b.place].rows) & open_)
            for a, b in pairs
        ]
        fitting, _ = self._fits(every, lambda rows: changed)
        for pair, two, rows, fit in zip(pairs, both, every, fitting, strict=True):
            if fit.bit_count() == len(rows) > 1:
                return fit, self._told_both(pair, two, fit)
        return 0, None

    def _made(self, where: Where) -> tuple[Change, list[Altered]]:
        change = self._change(where)
        return change, self._altered(where, change)

    def _told_both(
        self, pair: Pair, two: Sequence[tuple[Change, list[Altered]]], rows: int
    ) -> Guess:
        """The explanation by two mistakes."""
        one, other = (
            self._told(altered, change, rows, c.place)
            for c, (change, altered) in zip(pair, two, strict=True)
        )
        yours = [written(guess.yours).removeprefix(FOLLOWS) for guess in (one, other)]
        return Guess(
            "two mistakes",
            FOLLOWS + "; and ".join(yours),
            f"{written(one.correct)}; and {written(other.correct)}",
            f"two mistakes: {one.looks_like}; and {other.looks_like}",
            np.empty(0),
        )


def _between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The squares of the distances between the lines of two arrays."""
    squares = np.sum(a**2, axis=1)[:, None] + np.sum(b**2, axis=1)
    return np.asarray(squares - 2 * a @ b.T)
