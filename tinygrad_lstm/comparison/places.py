"""Where a mistake may be made in what is not given: a place in all blocks, and the rows that
inherit from it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

from tinygrad_lstm.comparison.chain import Chain, edge
from tinygrad_lstm.comparison.changes import Changes
from tinygrad_lstm.comparison.lines import Lines
from tinygrad_lstm.comparison.rerun import Rerun
from tinygrad_lstm.comparison.rows import Entry, Row
from tinygrad_lstm.comparison.search import Search
from tinygrad_lstm.comparison.stacked import Blocks
from tinygrad_lstm.comparison.steps import LINE, MET, RULE, SUM, TERMS
from tinygrad_lstm.comparison.tree import Tree
from tinygrad_lstm.derivation.expression import Apply, parts
from tinygrad_lstm.engine.gradients import Part
from tinygrad_lstm.engine.tape import Branch

__all__ = ["Place", "Places"]


SUMS = ("add", "add_n")
SILENT = ("where", "reshape", "squeeze", "expand_dims", "broadcast_to")  # stages without a line
BLOCKS = 128  # of a loop: more lines are not multiplied out
WAYS, LONGEST = 6, 80  # branches, and parts, of a sum that is written as one
FEW = 12  # places that may be one: of more, a loop has no blocks

Edges = list[tuple[Any, Branch]]


class Place(NamedTuple):
    """The branches of one place in all blocks, and the wrong rows that inherit from them."""

    edges: list[tuple[Any, Branch]]
    rows: int  # as bits
    spoiled: int  # right rows that a mistake here would change
    level: int = RULE  # how its formula is written
    calls: tuple[tuple[Edges, Mapping[str, str]], ...] = ()  # of one function: those but the first

    @property
    def own(self) -> Edges:
        """The branches in which a mistake is the same by name; of several calls those of the
        first."""
        others = sum(len(edges) for edges, _ in self.calls)
        return self.edges[: len(self.edges) - others]


class Places:
    """The places.

    Parameters
    ----------
    search : Search
        What is known of the formulas.
    open_ : sequence of Entry
        The rows that nothing in their own formula explains.
    found : sequence of Entry
        All rows.
    """

    search: Search
    rows: list[Entry]
    rerun: Rerun
    places: list[Place]
    formulas: Lines
    chain: Chain
    parts: list[Part]

    def __init__(self, search: Search, open_: Sequence[Entry], found: Sequence[Entry]) -> None:
        self.search, self.formulas, self.chain = search, search.formulas, search.chain
        self.rows = [entry for entry in open_ if self._usable(entry)]
        self.parts = [entry.part for entry in self.rows if entry.part]
        self.rerun = Rerun(self.chain, self.parts, self.formulas)
        right = [e.part for e in found if e.part and _tells(e.row)]
        self.right = [p for p in right if p.kind == "total" and p.value._op is None]
        self.places = self._places([part.value for part in self.right])
        self._changes: dict[int, Changes] = {}
        self._blocks: dict[int, Blocks] = {}
        self._trees: dict[int, Tree] = {}
        self._others: dict[int, list[tuple[Blocks, Changes, Mapping[str, str]]]] = {}

    def _usable(self, entry: Entry) -> bool:
        if entry.part is None or not entry.usable or not entry.hand.size:
            return False
        return not self.search.opaque(entry.part, self.chain.follows(entry.part))

    def _places(self, right: list[Any]) -> list[Place]:
        """The places from which wrong rows inherit: first those from which all do, and no right
        one."""
        spoiled = {id(x): 1 << i for i, x in enumerate(right)}
        below = self.rerun.masks(spoiled)
        groups: dict[Any, list[tuple[Any, Branch]]] = defaultdict(list)
        for x, branch in self.rerun.edges:
            groups[self.search.place(branch)].append((x, branch))
        places = []
        ends = chain.from_iterable(map(self._ends, groups.values()))
        for edges in (*groups.values(), *self._alike(list(groups.values())), *ends):
            reached = self._reached(edges, below)
            places.append(Place(edges, *reached))
            if self._has_line(*edges[self._middle(edges)], len(edges) > 1):
                places.append(Place(edges, *reached, LINE))
        places += [*self._wholes(below), *self._called(below)]
        every = (1 << len(self.rows)) - 1
        places = list({_same(place): place for place in reversed(places)}.values())[::-1]
        places.sort(
            key=lambda p: (
                -p.level,
                p.rows != every,
                p.spoiled.bit_count(),
                -p.rows.bit_count(),
            )
        )
        return places

    def _wholes(self, below: dict[int, int]) -> Iterator[Place]:
        """The derivatives by values as wholes, each by the first of its branches: sums of these,
        and what is written past forks."""
        sums: dict[tuple[int, str], Edges] = defaultdict(list)
        for x in self.chain.order:
            first = self._first(x)
            if first is not None and self.rerun.inherits.get(edge(first)):
                several = len(self.chain.gradients.branches(x)) > 1
                for level in (SUM,) * several + (MET, TERMS):
                    sums[level, self.formulas.base(x)].append((x, first))
        layers: dict[tuple[int, str], list[Edges]] = defaultdict(list)
        for (level, base), edges in sums.items():
            layers[level, self.search.scopes.alike(base)].append(edges)
        every = (
            (level, list(chain.from_iterable(found)))
            for (level, _), found in layers.items()
            if len(found) > 1
        )
        for level, edges in (*((level, edges) for (level, _), edges in sums.items()), *every):
            ends = [edges[:1], edges[-1:]] if len(edges) > 2 and self._ends_apart(edges) else []
            for some in (edges, *ends):
                if self._is_whole(some, level):
                    yield Place(some, *self._reached(some, below), level)

    def _ends_apart(self, edges: Edges) -> bool:
        """Whether a derivative is another sum in the first block or the last than between them, as
        of a state that is read after the loop."""
        counts = [len(self.chain.gradients.branches(x)) for x, _ in edges]
        return counts[1:-1] != counts[:-2] or counts[1:-1] != counts[2:]

    def _is_whole(self, edges: Edges, level: int) -> bool:
        """Whether the derivative by a value is written as one so, and is not too long."""
        x, branch = edges[self._middle(edges)]
        if level != SUM and (len(edges) > BLOCKS or not self.formulas.meets(x)):
            return False
        return len(parts(self.search.formula(branch, level))) <= LONGEST

    def _called(self, below: dict[int, int]) -> Iterator[Place]:
        """The same places in several calls of one function, one after the other."""
        base, found = self.formulas.base, defaultdict[Any, Edges](list)
        for x, branch in self.rerun.edges:
            found[base(branch.stage.output), branch.argument].append((x, branch))
            if branch is self._first(x):
                found[base(x)].append((x, branch))
        for call in self.search.vocabulary.calls.every:
            lines = [key for key in found if key[0] in call.names and isinstance(key, tuple)]
            for key in (*lines, *(name for name in call.others[0] if name in found)):
                name, *argument = key if isinstance(key, tuple) else (key,)
                there = [(names.get(name, ""), *argument) for names in call.others]
                each = [found.get(k if argument else k[0], []) for k in there]
                if all(each):
                    calls = tuple(zip(each, call.others, strict=True))
                    yield from self._in_calls(found[key], calls, below, bool(argument))

    def _in_calls(
        self, own: Edges, calls: tuple[Any, ...], below: dict[int, int], line: bool
    ) -> Iterator[Place]:
        """A place in several calls, as its formula may be written."""
        edges = [*own, *chain.from_iterable(edges for edges, _ in calls)]
        x, branch = own[self._middle(own)]
        if line:
            levels = [RULE] + [LINE] * self._has_line(x, branch, True)
        else:
            several = len(self.chain.gradients.branches(x)) > 1
            every = (*(SUM,) * several, MET, TERMS)
            levels = [level for level in every if self._is_whole(own, level)]
        reached = self._reached(edges, below)
        yield from (Place(edges, *reached, level, calls) for level in levels)

    def _first(self, x: Any) -> Branch | None:
        """The first branch of a value whose derivative may be written as one."""
        branches = self.chain.gradients.branches(x)
        open_ = x._op is not None and not x._hooks and not self.chain.is_given(x)
        return branches[0] if open_ and 0 < len(branches) <= WAYS else None

    def _reached(self, edges: Edges, below: Mapping[int, int]) -> tuple[int, int]:
        """The wrong rows that inherit from some branches, and the right ones, as bits."""
        rows = spoils = 0
        for x, branch in edges:
            rows |= self.rerun.inherits[edge(branch)]
            spoils |= below.get(id(x), 0)
        return rows, spoils

    def _has_line(self, x: Any, branch: Branch, several: bool) -> bool:
        """Whether a derivation may have more than its rule in the line of a branch: where several
        branches come together, a stage sends on to several, or nobody writes it down. The only line
        of a parameter is searched as a row."""
        met = len(self.chain.gradients.branches(x)) > 1
        split = len(self.chain.by_stage[id(branch.stage.output)]) > 1
        split = split and branch.stage.op not in SUMS  # which pass on what arrives as it is
        silent = branch.stage.op in SILENT
        if not (several or x._op) or not (met or split or silent):
            return False
        return len(parts(self.formulas.line(branch))) > len(parts(self.formulas.rule(branch)))

    def _ends(self, edges: Edges) -> list[Edges]:
        """Where a place leads to values of several names, those of each: one loop goes on from
        another there, or begins."""
        found: dict[str, Edges] = defaultdict(list)
        for x, branch in edges:
            found[self.formulas.base(x)].append((x, branch))
        return list(found.values()) if len(found) > 1 else []

    def _alike(self, groups: Sequence[Edges]) -> list[Edges]:
        """Places that one line of a loop stands for, though it is not one over blocks: those of
        several heads, or layers."""
        kinds: dict[Any, list[Edges]] = defaultdict(list)
        for edges in groups:
            kinds[self.search.kind(edges[0][1])].append(edges)
        found: dict[Any, list[Edges]] = defaultdict(list)
        for kind, places in kinds.items():
            for edges in places if 1 < len(places) <= FEW else ():
                order = parts(self.formulas.rule(edges[0][1]))
                shape = tuple((e.op.name if isinstance(e, Apply) else "", e.shape) for e in order)
                found[kind, shape].append(edges)
        alike = [places for places in (*found.values(), *self._layers(groups)) if len(places) > 1]
        return [list(chain.from_iterable(places)) for places in alike]

    def _layers(self, groups: Iterable[Edges]) -> Iterable[list[Edges]]:
        """Places that are called the same in scopes that are alike."""
        found: dict[Any, list[Edges]] = defaultdict(list)
        for edges in groups:
            _, branch = edges[0]
            scope, dot, stem = self.formulas.base(branch.stage.output).rpartition(".")
            if dot:
                like = self.search.scopes.alike(f"{scope}.")
                found[like, stem, branch.argument].append(edges)
        return found.values()

    def _middle(self, edges: Edges) -> int:
        """Which branch of a place stands for all: one inside of the first loop, but not in its
        middle, which is its own mirror image."""
        roles = [self.formulas.base(branch.stage.output) for _, branch in edges]
        return roles.count(roles[0]) // 3

    def _pattern(self, number: int) -> tuple[Blocks, Changes]:
        """The formula of a place in all blocks, and what can go wrong in that of one."""
        if number not in self._blocks:
            branches = [b for _, b in self.places[number].own]
            pattern = self._middle(self.places[number].own)
            level = self.places[number].level
            self._blocks[number] = self._alike_blocks(branches, pattern, level)
            self._changes[number] = self.search.changes(branches[pattern], level)
        return self._blocks[number], self._changes[number]

    def _alike_blocks(self, branches: Sequence[Branch], pattern: int, level: int) -> Blocks:
        """The formula of some branches in all blocks."""
        rule = partial(self.search.formula, level=level)
        return Blocks(self.search.vocabulary, branches, pattern, rule)

    def _calls(self, number: int) -> list[tuple[Blocks, Changes, Mapping[str, str]]]:
        """The same in the other calls of a function, and what is called otherwise there."""
        if number not in self._others:
            level, found = self.places[number].level, []
            for edges, names in self.places[number].calls:
                branches, pattern = [b for _, b in edges], self._middle(edges)
                blocks = self._alike_blocks(branches, pattern, level)
                found.append((blocks, self.search.changes(branches[pattern], level), names))
            self._others[number] = found
        return self._others[number]

    def _tree(self, blocks: Blocks, n: int) -> Tree:
        root = blocks.orders[n][-1]
        if id(root) not in self._trees:
            self._trees[id(root)] = Tree(root)
        return self._trees[id(root)]


def _tells(row: Row) -> bool:
    """Whether a row is right by its numbers: of one that is 0 but for rounding they say nothing."""
    if row.error is None or row.rtol is None:
        return False
    return row.verdict == "right" and row.error <= row.rtol


def _same(place: Place) -> Any:
    """The same for places of the same branches, whatever they have in common."""
    return place.level, frozenset(edge(b) for _, b in place.edges)
