"""Numbers of stages without a name: the same stage has the same number in every block."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence, Set

from tinygrad_lstm.engine.node import Node

__all__ = ["numbers_of"]

Run = tuple[int | None, int]
"""A block, and when it was entered."""

Program = dict[int, tuple[str, str, str | None]]
"""What a block ran: by its place since the block was entered, the scope, the operation and the name
given."""

Placed = tuple[Program, dict[int, int]]
"""What a block ran, with stages that are not on the tape, and where in that its own stages are."""


def numbers_of(nodes: Sequence[Node]) -> dict[int, int]:
    """The number of each stage without a name among those of its operation, scope and block.

    A stage that is not on the tape, since it led nowhere (what the last block hands on, the loss of
    a block without loss) or had nothing to differentiate, counts all the same where another block
    that ran the same shows it: then a stage has the same number in every block.
    """
    runs: dict[Run, list[Node]] = defaultdict(list)
    for node in nodes:
        runs[node._place.block, node._place.start].append(node)
    programs = {key: _program(run) for key, run in runs.items()}
    wholes = _wholes({key: program for key, program in programs.items() if key[0] is not None})
    numbers: dict[int, int] = {}
    counts: Counter[tuple[int | None, str, str]] = Counter()
    for (block, start), run in sorted(runs.items(), key=lambda item: item[0][1]):
        program = programs[block, start]
        whole, places = wholes.get((block, start)) or (program, {at: at for at in program})
        live = {places[node._order - start]: node for node in run}
        for at in sorted(whole):
            scope, op, label = whole[at]
            if label is None:
                counts[block, scope, op] += 1
            if at in live:
                numbers[id(live[at])] = counts[block, scope, op]
    return numbers


def _program(run: Sequence[Node]) -> Program:
    return {
        node._order - node._place.start: (node._place.scope, node._op.name, node._label)
        for node in run
    }


def _wholes(programs: dict[Run, Program]) -> dict[Run, Placed]:
    """For each block what it ran, with what others show of it that ran the same; and where in that
    its own stages are."""
    found: list[Program] = []
    wholes: dict[Run, Placed] = {}
    for key, program in sorted(programs.items(), key=lambda item: -len(item[1])):
        own = {at: at for at in program}
        if whole := next((whole for whole in found if _agree(whole, program)), None):
            whole |= program
            wholes[key] = whole, own
            continue
        ways = (way(whole, program) for way in (_thinned, _begun) for whole in found)
        wholes[key] = next(filter(None, ways), None) or (dict(program), own)
        if wholes[key][0] == program:
            found.append(wholes[key][0])
    return wholes


def _agree(whole: Program, program: Program) -> bool:
    """Whether nothing of one contradicts the other, and most of it is there too, or the two fill
    each other's gaps. (Another thread's stages make gaps that nothing fills.)"""
    seen = [whole[at] == entry for at, entry in program.items() if at in whole]
    return all(seen) and (
        2 * len(seen) >= len(program) or _are_filled(whole.keys() | program, len(whole | program))
    )


def _thinned(whole: Program, program: Program) -> Placed | None:
    """A block that is `whole` with less than half of it left out."""
    if 2 * len(program) <= len(whole):
        return None
    ahead, places = iter(sorted(whole)), {}
    for at in sorted(program):
        place = next((place for place in ahead if whole[place] == program[at]), None)
        if place is None:
            return None
        places[at] = place
    return whole, places


def _begun(whole: Program, program: Program) -> Placed | None:
    """A block that begins as `whole` does, and goes on in another way."""
    others = (at for at in program if whole.get(at, program[at]) != program[at])
    other = min(others, default=max(program) + 1)
    start = {at: whole[at] for at in whole if at < other}
    if not start.keys() & program or not _are_filled(start.keys() | program, other - 1):
        return None
    return start | program, {at: at for at in program}


def _are_filled(places: Set[int], count: int) -> bool:
    """Whether the first places, from 1 on, are taken without a gap. Those of stages inside of
    checkpoints lie between whole numbers, and nobody knows their gaps."""
    return count == int(count) and places >= set(range(1, int(count) + 1))
