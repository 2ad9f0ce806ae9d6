"""Which mistakes further up are worth a try: those whose effect points where the rows are wrong.

A mistake is made in every block alike, since it stands in a loop. What each would add there is
computed in all blocks at once, and what that does to the rows: exactly where these tell the
gradients by hand, and else to first order, without what the addition in one block changes in those
before it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from tinygrad_lstm.comparison.candidates import Candidate
from tinygrad_lstm.comparison.chain import edge
from tinygrad_lstm.comparison.changes import FAR, SIMPLE, Changes
from tinygrad_lstm.comparison.everywhere import FAR_FETCHED
from tinygrad_lstm.comparison.places import Place
from tinygrad_lstm.comparison.pointing import EXACT, Effect, Pointing, Supposed, Target, together
from tinygrad_lstm.comparison.progress import Progress
from tinygrad_lstm.comparison.rows import Entry
from tinygrad_lstm.comparison.search import Search
from tinygrad_lstm.comparison.stacked import Blocks, Columns
from tinygrad_lstm.comparison.stages import CALLED, PLAIN, SPOILING
from tinygrad_lstm.comparison.steps import MET, RULE, SUM
from tinygrad_lstm.comparison.supposed import Supposing
from tinygrad_lstm.comparison.tree import Change
from tinygrad_lstm.derivation.expression import Leaf

__all__ = ["BUDGET", "Likely"]

BUDGET, RUNS = 30_000, 2  # rules, beside those of two runs; a longer search ends, and says so
RULES = 0.1  # of it, for tries before the mistakes of the next stage are looked at too
LARGEST = 0.3  # of it, for the mistakes of some sorts in one place ..
LONGEST = 0.05  # .. whose formula is written past forks, before all are looked at
AT_ONCE = 0.25  # of a rule, for an operation in all blocks at once
WALKED = 0.05  # of a rule, for one on the walk from the rows to the loss
NUMBERS = 1000  # of a value so large, a rule costs as much as two on small ones
STACKED = 5000  # and of values in all blocks at once, an operation
LEAST, MORE = 0.4, 1.5  # how far-fetched a simple mistake is, and one of FAR_FETCHED
AGAIN = 1.2  # .. that comes to the same as one in another place, but for what it feeds back
ACROSS = 1.0  # how far off is what has nothing to do with the rows
COMMON = ("transpose", "wrong block")  # kinds that are simple, though other sorts come first
AWAY = 1.2  # .. and what is not tried unless it is simple, as it points away from them
CLOSER = 0.7  # .. and what is not tried in several calls of a function
MANY = 5  # terms that may have the same mistake
SPOILS = 2.0  # what is added for a mistake that would change right rows too


class Likely(Supposing):
    """The mistakes that may be made in some places; the parameters are those of :class:`Places`.

    Attributes
    ----------
    budget : int
        How many rules may run; of a value of NUMBERS numbers one counts twice.
    spent : float
        How much of that.
    points : dict of Candidate to ndarray
        Where the effect of a mistake points, in the directions in which rows are looked at.
    rest : bool
        Whether what is long is looked at, in the formulas of some of the open rows themselves.
    """

    budget: int
    spent: float
    points: dict[Candidate, np.ndarray]
    progress: Progress
    rest: bool

    def __init__(self, search: Search, open_: Sequence[Entry], found: Sequence[Entry]) -> None:
        super().__init__(search, open_, found)
        self.progress, self.spent, self.rest = Progress(), 0.0, False
        self.budget = BUDGET + RUNS * len(self.rerun.edges)
        sizes = [stage.output._array.size for stage in self.formulas.tape.stages]
        self._rule_cost = 1 + sum(sizes) / max(len(sizes), 1) / NUMBERS
        self.points = {}
        self._columns = Columns(search.vocabulary)
        self._seen: set[bytes] = set()
        # Of one place: changes, which may have several labels; effects, since of mistakes that come
        # to the same the first is tried.
        self._looked_at: dict[int, set[Any]] = defaultdict(set)
        self._same: dict[int, set[bytes]] = defaultdict(set)

    @property
    def ended(self) -> bool:
        """Whether the search ended at its budget."""
        return self.spent > self.budget

    def begin_again(self) -> bool:
        """Forget what has been looked at, as other rows are open now: whether it was ruled out by
        those that are explained."""
        self.apart, ruled = False, None in self._worlds.values()
        if ruled:
            self._looked_at.clear()
            self._same.clear()
        return ruled

    def _candidates(self, level: int, sorts: Sequence[str], where: str) -> Iterator[Candidate]:
        """The mistakes of some sorts in formulas that are written so, in places of one sort."""
        for number, place in enumerate(self.places):
            rows = place.rows & self.open_
            if where != (SPOILING if place.spoiled else CALLED if place.calls else PLAIN):
                continue
            own = rows.bit_count() == 1 or all(x._op is None for x, _ in place.edges)
            long = level != RULE or sorts == FAR
            if place.level == level and rows and (own and long and rows != self.open_) == self.rest:
                yield from self._in_place(number, sorts)

    def _in_place(self, number: int, sorts: Sequence[str]) -> Iterator[Candidate]:
        """The mistakes of some sorts in one place, if it can be there."""
        place, effects = self.places[number], self.effects
        blocks, changes = self._pattern(number)
        if self.answer(place, blocks.branches) is None:
            yield from (Candidate(ACROSS, 0, number, c.label) for c in changes.of(sorts))
            return
        world = self.supposed(place)
        if world is None:
            return
        looked = self.directions(world.rows, effects.row, place.spoiled)
        simple = {c.label for c in changes.of(SIMPLE)}
        wrong = looked & (effects.row < len(self.rows))
        missing, seen = effects.missing, self._same[number]
        rows = self.directions(world.first, effects.row, 0) if world.first else looked
        target = self._target(place, blocks, rows)
        found = self.pointing(number, sorts, world, target.tells, self._looked_at[number])
        for change, effect in found:
            points = effect.points[0]
            if (same := np.round(points, 9).tobytes()) in seen:
                continue
            seen.add(same)
            simpler = change.label in simple or change.kind in COMMON or place.level in (SUM, MET)
            off, fails = 0.0, effect.known and not target.off(effect) <= EXACT  # NaN too
            if fails and not world.first:
                continue
            if fails or not effect.known:
                off = _apart(points[wrong], missing[wrong])
                if off > (CLOSER if place.calls else AWAY) and (place.calls or not simpler):
                    continue
                off += SPOILS * (place.spoiled > 0)
            fetched = LEAST if simpler else MORE if change.kind in FAR_FETCHED else 1.0
            fetched *= AGAIN if place.level != RULE and same in self._seen else 1.0
            self._seen.add(same)
            candidate = Candidate(round(off, 6) * fetched, fetched, number, change.label)
            self.points[candidate] = points
            if not fails:  # else another mistake may be made besides
                yield candidate

    def _target(self, place: Place, blocks: Blocks, looked: np.ndarray) -> Target:
        """What the effect of a mistake in a place has to be."""
        like = set(map(edge, blocks.branches))
        like |= {edge(b) for edges, _ in place.calls for _, b in edges}
        others = [b for _, b in place.edges if edge(b) not in like]
        beside = self.answer(place, others) if others else None
        seen = None if beside is None else self.effects.seen(beside)
        return Target(self.effects.missing, looked, seen)

    def pointing(
        self,
        number: int,
        sorts: Sequence[str],
        world: Supposed,
        tells: bool,
        tried: set[Any] | None = None,
    ) -> Iterator[tuple[Change, Effect]]:
        """The mistakes of some sorts in one place, with what each does to the rows in a world; but
        those that have been tried, which are added to."""
        blocks, changes = self._pattern(number)
        answer = self.answer(self.places[number], blocks.branches)
        if answer is None:
            return
        tried, alone = set() if tried is None else tried, []
        found = Pointing(blocks, self.effects.seen(answer), world, tells, self._columns)
        calls = list(self._in_other_calls(number, world, tells))
        stacked = found.stacked
        cost = AT_ONCE * len(stacked.order) * (1 + stacked.array.size / STACKED)
        cost *= 1 + len(calls)
        first = self.places[number].level == MET and FAR[-1] not in sorts
        share = LONGEST if first else LARGEST
        until = self.spent + share * self.budget
        for change in (c for c in changes.of(sorts) if self._stands_out(c, blocks)):
            if self.ended or self.spent > until:
                break
            if (key := stacked.key(change)) is None or key not in tried:
                tried.add(key)
                runs, effect = found.runs, found.of(change)
                for other, alike, names in calls if effect is not None else ():
                    same = alike.labelled(change.label, changes, names)
                    effect = together(effect, other.of(same) if same is not None else None)
                self.spent += cost * (found.runs - runs)
                self.progress.step(self.spent / self.budget)
                if effect is not None:
                    yield change, effect
                    alone.append((change, effect))
        yield from _several(changes, alone)

    def _in_other_calls(
        self, number: int, world: Supposed, tells: bool
    ) -> Iterator[tuple[Pointing, Changes, Mapping[str, str]]]:
        """The same place in the other calls of a function."""
        for blocks, changes, names in self._calls(number):
            answer = self.answer(self.places[number], blocks.branches)
            if answer is not None:
                seen = self.effects.seen(answer)
                yield Pointing(blocks, seen, world, tells, self._columns), changes, names

    def _stands_out(self, change: Change, blocks: Blocks) -> bool:
        """Whether what another value is taken for has a name in a derivation, or is the same value
        of another block: of all others there are too many."""
        source, vocabulary = self.formulas.source, self.search.vocabulary
        for key, e in change.changed.items() if change.label[0] != "call" else ():
            if not isinstance(e, Leaf) or e.gradient or e not in source:
                continue
            part = blocks.order[blocks.index[key]]
            own = source.get(part) if isinstance(part, Leaf) else None
            alike = own is not None and self.formulas.base(own) == self.formulas.base(source[e])
            if not alike and not vocabulary.stands_out(source[e]):
                return False
        return True


def _several(
    changes: Changes, alone: Sequence[tuple[Change, Effect]]
) -> Iterator[tuple[Change, Effect]]:
    """The same mistake in several terms at once, where its effects add up."""
    alike: dict[Any, list[tuple[Any, Effect]]] = defaultdict(list)
    for change, effect in alone:
        if change.label[0] == "each" and not len(effect.along):
            alike[change.label[:2]].append((change.label[2], effect))
    for label, found in alike.items():
        for n in range(2, min(len(found), MANY) + 1):
            for chosen in combinations(found, n):
                along = chosen[0][1].along
                points = [np.add.reduce([effect.points[0] for _, effect in chosen])]
                where = tuple(k for (k,), _ in chosen)
                both = changes.labelled((*label, where))
                if both is not None:
                    yield both, Effect(points, along, all(e.known for _, e in chosen))


def _apart(points: np.ndarray, missing: np.ndarray) -> float:
    """How far off an effect points: 0 in the direction of what is missing, 1 across; more where it
    is too long or too short, though not much, as what is made in one block is passed on to the
    next."""
    size, wanted = float(np.linalg.norm(points)), float(np.linalg.norm(missing))
    if not size > 0 or not wanted > 0:
        return ACROSS
    along = float(points @ missing) / (size * wanted)
    off = float(np.sqrt(max(1 - along**2, 0.0))) + (along < 0)
    return off * (1 + abs(float(np.log(size / wanted))))
