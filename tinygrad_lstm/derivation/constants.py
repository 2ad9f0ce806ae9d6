"""What constants without a name are called in a derivation: by what they are read as. The same
numbers have one name in a block."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lstm.derivation.arrays import contents
from tinygrad_lstm.engine.names import Name
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.tape import Tape

__all__ = ["constants"]

TARGETS = "targets"
WORDS = {"target": TARGETS, "condition": "mask"}  # for names of arguments
JOINED = {"concatenate", "stack", "einsum"}
SIZES = {"square", "power", "abs", "norm"}
FACTORS = {"matmul", "tensordot", "inner", "outer", "kron", "vdot"}


class Reading(NamedTuple):
    """A stage that reads a constant, and as which argument."""

    node: Any
    argument: int

    @property
    def value(self) -> Any:
        """The constant."""
        return self.node._inputs[self.argument]


def constants(tape: Tape) -> dict[int, Name]:
    """A name for each constant of a tape that has none and is more than a number, by its ``id``.

    What stands in the place of a state in another block is that state: where block 2 reads ``h<1>``
    block 1 reads ``h<0>``. Any other is called as the argument that it is; what is multiplied or
    joined, x; what masks, mask. One that the stages of one block read belongs to this block.
    """
    readings: dict[int, list[Reading]] = defaultdict(list)
    values: dict[int, Any] = {}
    for stage in tape.stages:
        for i, x in enumerate(stage.inputs):
            if isinstance(x, Node) and x._op is None and not x._requires_grad and not x._label:
                readings[id(x)].append(Reading(stage.output, i))
                values[id(x)] = x
    places, measured = _places(tape), _measured(tape)
    taken = {tape.name(x) for x in tape.values if id(x) not in values}
    names: dict[Any, Name] = {}
    found: dict[int, Name] = {}
    for key, x in values.items():
        blocks = {node._place.block for node, _ in readings[key]}
        block = blocks.pop() if len(blocks) == 1 else None
        if x._array.ndim == 0 or (x._array.size == 1 and block is None):
            continue
        same = (block, contents(x._array))
        if same not in names:
            names[same] = next(
                name
                for name in _candidates(tape, readings[key], block, places, measured)
                if name not in taken
            )
            taken.add(names[same])
        found[key] = names[same]
    return found


def _candidates(
    tape: Tape,
    readings: list[Reading],
    block: int | None,
    places: dict[Any, list[Any]],
    measured: set[int],
) -> Iterator[Name]:
    """What a constant may be called, the best name first, without end."""
    for reading in readings:
        if state := _state(tape, reading, places):
            yield state
    node, argument = readings[0]
    word = TARGETS if id(node) in measured else _word(node, argument)
    name = Name(word, block, node._place.scope)
    yield name
    n = 2
    while True:
        yield name._replace(stem=f"{name.stem}#{n}")
        n += 1


def _measured(tape: Tape) -> set[int]:
    """The differences from a constant whose size is asked for, by their ``id``: that constant is a
    target."""
    sizes = (
        stage.inputs[0]
        for stage in tape.stages
        if stage.op in SIZES or (stage.op == "multiply" and stage.inputs[0] is stage.inputs[1])
    )
    return {id(x) for x in sizes if isinstance(x, Node) and x._op and x._op.name == "subtract"}


def _state(tape: Tape, reading: Reading, places: dict[Any, list[Any]]) -> Name | None:
    """The name that a constant has as the state before the first block, or after the last one."""
    node, argument = reading
    block = node._place.block
    for step in (1, -1) if block is not None else ():
        for mark in _marks(tape, node):
            twins = places.get((block + step, node._place.scope, mark), ())
            x: Any = twins[0]._inputs[argument] if len(twins) == 1 else None
            if isinstance(x, Node) and x._op is not None and x._array.shape == reading.value.shape:
                name = tape.name(x)
                if name.block == block:  # what this block hands on to the other
                    return name.shifted(-step)
    return None


def _places(tape: Tape) -> dict[Any, list[Any]]:
    """The stages by their block, their scope, and what they may be known by in another block."""
    found: dict[Any, list[Any]] = defaultdict(list)
    for stage in tape.stages:
        for mark in _marks(tape, stage.output):
            found[stage.block, stage.scope, mark].append(stage.output)
    return found


def _marks(tape: Tape, node: Any) -> Iterator[tuple[Any, ...]]:
    """What a stage is known by in another block: the parameters that it reads, its place, or its
    name or number."""
    inputs = [x for x in node._inputs if isinstance(x, Node)]
    shared = [id(x) for x in inputs if x._op is None and x._requires_grad]
    if shared:
        yield node._op.name, len(node._inputs), *shared
    yield node._op.name, len(node._inputs), "place", node._order - node._place.start
    yield node._op.name, len(node._inputs), tape.name(node).role


def _word(node: Any, argument: int) -> str:
    op, array = node._op, node._inputs[argument]._array
    if op.name in JOINED or op.name in FACTORS:
        return "x"
    word = op.arguments[argument] if argument < len(op.arguments) else ""
    if len(word) > 1 or word == "x":
        return WORDS.get(word, word)
    chosen = array.dtype == bool or (np.isin(array, (0, 1)).all() and array.any())
    return "mask" if chosen else "constant"
