"""Loops that nothing marks: what a tape without blocks repeats, reading the same parameters, is its
blocks."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.tape import Tape

__all__ = ["Place", "Spans", "loop"]

NUMBER = re.compile(r"\d+")
FEW = 3  # loops beside one, whose steps are compared
MOST = 20_000  # stages of a tape that is looked at
SHARE = 0.25  # of the stages that a loop has to hold at least


class Place(NamedTuple):
    """Where a value is in a loop: what it is called in each block, and the block."""

    role: str
    block: int


def loop(tape: Tape) -> dict[int, Place]:
    """The place of each value of an unmarked loop, by its ``id``; empty where there is none."""
    nodes = [stage.output for stage in tape.stages]
    if len(nodes) > MOST or any(node._place.block is not None for node in nodes):
        return {}
    found = max(_runs(nodes), key=lambda run: (len(run[0]), -run[1]), default=([], 0))
    run, period = found
    return _placed(run, period) if len(run) >= SHARE * len(nodes) else {}


def _runs(nodes: Sequence[Any]) -> Iterator[tuple[Sequence[Any], int]]:
    """Stages in a row that repeat after so many, twice or more: each longer than those before."""
    known: dict[Any, int] = {}
    kinds = np.array([known.setdefault((x._op, x.shape), len(known)) for x in nodes])
    order = {id(x): i for i, x in enumerate(nodes)}
    longest = 0
    for period in range(1, len(nodes) // 2 + 1):
        same = kinds[:-period] == kinds[period:]
        if np.count_nonzero(same) < max(period, longest - period + 1):
            continue
        start, end = _longest(same)
        if end - start >= period and end - start + period > longest:
            first, last = _longest(_alike(nodes[start : end + period], period))
            run = nodes[start + first : start + last + period]
            longer = last - first >= period and len(run) > longest
            if longer and _is_loop(run, period, order):
                longest = len(run)
                yield run, period


def _alike(run: Sequence[Any], period: int) -> np.ndarray:
    """Which stages read the parameters that those read which repeat them, or those that are called
    the same but for a number, as layers do that have no names otherwise."""
    layers = not any(node.name for node in run)

    def same(a: Any, b: Any) -> bool:
        both = all(isinstance(x, Node) and x._op is None and x._requires_grad for x in (a, b))
        if not both or a is b:
            return True
        return layers and bool(a.name and b.name) and _numberless(a) == _numberless(b)

    pairs = zip(run, run[period:], strict=False)
    read = (zip(one._inputs, other._inputs, strict=False) for one, other in pairs)
    return np.array([all(same(a, b) for a, b in inputs) for inputs in read], bool)


def _longest(same: np.ndarray) -> tuple[int, int]:
    """Where the longest run of True begins and ends."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]]).astype(int)))
    if not len(edges):
        return 0, 0
    k = int(np.argmax(edges[1::2] - edges[::2]))
    return int(edges[2 * k]), int(edges[2 * k + 1])


def _is_loop(run: Sequence[Any], period: int, order: dict[int, int]) -> bool:
    """Whether each repetition reads what the one before it computed, and parameters."""
    shared = False
    for i, (one, other) in enumerate(zip(run, run[period:], strict=False)):
        for a, b in zip(one._inputs, other._inputs, strict=False):
            if not isinstance(b, Node) or not isinstance(a, Node):
                continue
            if a._op is None and b._op is None:
                shared = shared or a._requires_grad
            elif a._op is not None and b._op is not None and a is not b:
                if order[id(b)] - order[id(a)] != period and i >= period:
                    return False
            elif b._op is None and i >= period:
                return False
    return shared


def _placed(run: Sequence[Any], period: int) -> dict[int, Place]:
    """The places of what the stages computed, and of the leaves that those of one block read."""
    found: dict[int, Place] = {}
    read: dict[int, list[Place]] = {}
    roles = _roles(run, period)
    for k, node in enumerate(run):
        own = Place(roles[k % period], k // period + 1)
        found[id(node)] = own
        for i, x in enumerate(node._inputs):
            if isinstance(x, Node) and x._op is None:
                role = _numberless(x) if x._requires_grad and x.name else f"{own.role}[{i}]"
                read.setdefault(id(x), []).append(Place(role, own.block))
    for key, places in read.items():
        if len({place.block for place in places}) == 1:
            found[key] = places[0]
    return found


def _roles(run: Sequence[Any], period: int) -> list[str]:
    """What the values of each line of a loop are called: by the names they were given, without
    their numbers, where no other line has these."""
    found = []
    for k in range(period):
        names = {_numberless(node) for node in run[k::period]}
        found.append(names.pop() if len(names) == 1 else "")
    return [
        name if name and found.count(name) == 1 else f"{run[k]._op.name}#{k}"
        for k, name in enumerate(found)
    ]


def _numberless(x: Any) -> str:
    """The name of a value without its numbers, in whose place there is a sign, as another value
    may have the rest as its name."""
    return NUMBER.sub("·", x.name or "")


class Spans:
    """The loops of a tape, by their first and last blocks.

    Parameters
    ----------
    tape : Tape
        The tape.
    base : callable
        What a value is called, without its block.
    blocks : mapping of int to int
        The blocks of values, by their ``id``.
    """

    def __init__(
        self, tape: Tape, base: Callable[[Any], str], blocks: Mapping[int, int | None]
    ) -> None:
        names: dict[int, set[str]] = defaultdict(set)
        for stage in tape.stages:
            block = blocks[id(stage.output)]
            if block is not None:
                read = (x for x in (stage.output, *stage.inputs) if isinstance(x, Node))
                names[block] |= {base(x) for x in read if x.requires_grad and x.name}
        self._known: dict[int, tuple[int, int]] = {}
        self._loops: list[tuple[int, int]] = []
        for block in sorted(names):  # one without a name of the block before begins another loop
            first = self._loops[-1][0] if self._loops else block
            goes_on = not names[block].isdisjoint(names.get(block - 1, ()))
            self._loops[-1:] = [(first, block)] if goes_on else [*self._loops[-1:], (block, block)]

    def _of(self, block: int) -> tuple[int, int]:
        """The loop of a block; beyond all loops, they as one."""
        if block not in self._known:
            own = (loop for loop in self._loops if loop[0] <= block <= loop[1])
            every = self._loops or [(0, 0)]
            self._known[block] = next(own, (every[0][0], every[-1][1]))
        return self._known[block]

    def mirror(self, block: int) -> int:
        """The mirror image of a block in the time of its loop."""
        return sum(self._of(block)) - block

    def beside(self, block: int) -> Iterator[int]:
        """The blocks of other loops at the same step as a block, and those before them."""
        own = self._of(block)
        others = [loop for loop in self._loops if loop != own]
        for first, _ in others if len(others) <= FEW else ():
            yield from (first + block - own[0], first + block - own[0] - 1)
