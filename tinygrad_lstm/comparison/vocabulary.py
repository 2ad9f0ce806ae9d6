"""What may stand in a formula by mistake: values and gradients near the right one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np

from tinygrad_lstm.comparison.calls import Calls
from tinygrad_lstm.comparison.chain import Chain
from tinygrad_lstm.comparison.indices import Indices
from tinygrad_lstm.comparison.lines import Lines
from tinygrad_lstm.comparison.loops import Spans
from tinygrad_lstm.comparison.whole import Sizes
from tinygrad_lstm.engine.memory import array_of
from tinygrad_lstm.engine.names import signed
from tinygrad_lstm.engine.naming import block_of
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.tape import Branch, Tape

__all__ = ["Vocabulary"]

AWAY, MOST = 2, 40  # blocks that count as far; values near one, where the tape has no blocks


def blocks_of(formulas: Lines) -> dict[int, int | None]:
    """The block of each value, by its ``id``. In a loop without blocks, it is that of what repeats;
    or, where names tell, the last that a value is computed from."""
    tape, loop, constants = formulas.tape, formulas.loop, formulas.constants
    if loop:
        return {id(x): loop[id(x)].block if id(x) in loop else None for x in tape.values}
    found = {id(x): block_of(x) for x in tape.values}
    found |= {key: name.block for key, name in constants.items()}
    if all(stage.block is None for stage in tape.stages):
        for node in (stage.output for stage in tape.stages):
            if found[id(node)] is None:
                read = (found[id(x)] for x in node._inputs if isinstance(x, Node))
                found[id(node)] = max((b for b in read if b is not None), default=None)
    return found


class Vocabulary:
    """The values and gradients of a tape by shape and by nearness.

    Parameters
    ----------
    formulas : Lines
        Names for them.
    """

    formulas: Lines
    chain: Chain
    tape: Tape

    def __init__(self, formulas: Lines) -> None:
        self.formulas, self.chain, self.tape = formulas, formulas.chain, formulas.tape
        self._blocks = blocks_of(self.formulas)
        self._alike: dict[Any, list[Any]] = defaultdict(list)
        for x in self.tape.values:
            for key in ((x.shape, self.block(x)), (None, self.block(x)), x.shape):
                self._alike[key].append(x)
        self._spans = Spans(self.tape, self.formulas.base, self._blocks)
        self._extent, self._outer = self._ends()
        self.sizes = Sizes(self.tape)

    def _ends(self) -> tuple[dict[str, tuple[int, int]], dict[Any, list[Any]]]:
        """The first and the last block of each name, and the values there by shape."""
        roles: dict[str, dict[int, Any]] = defaultdict(dict)
        for x in self.tape.values:
            block = self._blocks[id(x)]
            if block is not None:
                roles[self.formulas.base(x)][block] = x
        outer: dict[Any, list[Any]] = defaultdict(list)
        for by_block in roles.values():
            for x in (by_block[min(by_block)], by_block[max(by_block)]):
                for shape in (x.shape, None):
                    outer[shape].append(x)
        return {role: (min(found), max(found)) for role, found in roles.items()}, outer

    def mirror(self, block: int) -> int:
        """The mirror image of a block in the time of its loop."""
        return self._spans.mirror(block)

    def block(self, x: Any) -> int | None:
        """The block of a value."""
        return self._blocks[id(x)] if id(x) in self._blocks else block_of(x)

    def at(self, branch: Branch) -> int | None:
        """The block of a branch: that of its stage, or of what the stage reads there; or elsewhere,
        if that is of one block."""
        node = branch.stage.output
        found = (branch.stage.block, self.block(node), self.block(node._inputs[branch.argument]))
        known = next((block for block in found if block is not None), None)
        if known is None:
            read = {self.block(x) for x in node._inputs if isinstance(x, Node)} - {None}
            known = read.pop() if len(read) == 1 else None
        return known

    def near(self, v: Any, at: int | None, shaped: bool = True, outer: bool = False) -> list[Any]:
        """Values of the shape of `v` in block `at`, beside it, in its mirror image, or in none;
        those that have its own name in another block first; of other shapes too, unless they are
        to be `shaped`."""
        base, shape = self.formulas.base(v), v.shape if shaped else None
        close = self._close(shape, at)
        if at is not None:
            own = (self.in_block(base, (self.block(v) or 0) + step) for step in (-1, 1))
            close = [*close, *(w for w in own if w is not None)]
            close += self._outer.get(shape, ()) if outer else ()
        near = [w for w in {id(w): w for w in close}.values() if w is not v]
        near.sort(key=lambda w: (self.formulas.base(w) != base, self.block(w) not in (at, None)))
        if at is not None:
            return near
        near.sort(key=lambda w: self._away(w, v))
        alike = [w for w in near if self.formulas.base(w) == base][: MOST // 2]
        first = [*alike, *filter(self.stands_out, near), *near]
        return list({id(w): w for w in first}.values())[:MOST]

    def _away(self, w: Any, v: Any) -> int:
        """How many blocks are between two values; 0 where one is in none."""
        a, b = self.block(w), self.block(v)
        return 0 if a is None or b is None else abs(a - b)

    def stands_out(self, x: Any) -> bool:
        """Whether a derivation has a name for a value: it is called by one, or is a leaf, what a
        function returned, or a fork."""
        if x._op is None or x._op.kind == "function":
            return True
        read = (y for y in x._inputs if isinstance(y, Node))
        if x._op.name == "matmul" and any(y._op is None and y.requires_grad for y in read):
            return True  # what a layer makes of its input
        return bool(x.name) or self.formulas.base(x) in self.formulas.forks

    def of_shape(self, shape: tuple[int, ...], at: int | None) -> list[Any]:
        """Values of a shape, near a block."""
        return [w for w in self._close(shape, at) if self.stands_out(w)][:MOST]

    def _close(self, shape: tuple[int, ...] | None, at: int | None) -> list[Any]:
        """Values in a block, beside it, in its mirror image, at the same step of another loop,
        or in none; of a shape, if one is asked for."""
        if at is None:
            return list(self.tape.values) if shape is None else self._alike.get(shape, [])
        near = (None, at - 1, at, at + 1, self.mirror(at), *self._spans.beside(at))
        blocks = dict.fromkeys(near)
        return [w for block in blocks for w in self._alike.get((shape, block), ())]

    def gradients_near(self, v: Any, at: int | None, x: Any) -> Iterator[Any]:
        """Values near `v` whose gradient is another one, and is known when that by `x` is computed,
        since it does not come from there."""
        totals = self.chain.totals
        for w in (w for w in self.near(v, at) if id(w) in totals):
            mirrored = at is not None and self.block(w) == self.mirror(at)
            known = (mirrored and self.formulas.base(w) == self.formulas.base(v)) or not (
                w._op is None or self._leads(w, x)
            )
            if known and not np.array_equal(totals[id(w)], totals[id(v)]):
                yield w

    def _leads(self, w: Any, x: Any) -> bool:
        """Whether `x` is computed from `w`, or is `w`; both are no constants. What is further away
        than some blocks leads there as what is not."""
        a, b = self.block(w), self.block(x)
        if a is not None and b is not None and b - a > AWAY:
            w = self.in_blocks[self.formulas.base(w)].get(b - AWAY, w)
        found, seen, place = [x], {id(x)}, self.chain.places.get(id(w), 0)
        for y in found:  # grows while it is walked, by what is later than w
            if y is w:
                return True
            read = (u for u in (y._inputs if y._op is not None else ()) if isinstance(u, Node))
            later = [u for u in read if self.chain.places.get(id(u), place + 1) <= place]
            found += [u for u in later if id(u) not in seen]
            seen |= set(map(id, later))
        return False

    def references(self, w: Any, at: int | None, v: Any = None) -> list[tuple[str, str]]:
        """What `w` is called as seen from block `at`, the same in every block: so many blocks
        away, or in the mirror image of time; the first or the last; or so many blocks from `v`, in
        whose place it stands. Python counts on from the end: what is before the first is the
        last."""
        b, base = self.block(w), self.formulas.base(w)
        if at is None:
            here = self.block(v) if v is not None and self.formulas.base(v) == base else None
            return [(base, "" if b is None or here is None else f"own{signed(b - here)}")]
        states = [(role, t) for role, t in self.states.get(id(w), ())]
        away = [(role, signed(t - at)) for role, t in states]
        if v is not None and self.block(v) is not None:  # as seen from v
            near = [*states, (base, b)] if b is not None else states
            own, here = self.formulas.base(v), self.block(v) or 0
            away += [(role, f"own{signed(t - here)}") for role, t in near if role == own]
        if b is None:
            return [(base, ""), *away]
        found = [(base, signed(b - at))]
        found += [(base, "mirror")] * (b == self.mirror(at))
        first, last = self._extent[base]
        for end, word, step in ((first, "the first", 1), (last, "the last", -1)):
            if b == end and first != last:
                found.append((base, word))
                beyond = self.in_block(base, at + step) is None and at in (first, last)
                found += [(base, signed(step))] * beyond
        return [*found, *away]

    def in_block(self, base: str, block: int | None) -> Any:
        """The value that is called so in a block, or the state that stands for it there; None where
        there is none."""
        return self.in_blocks[base].get(block)

    @cached_property
    def in_blocks(self) -> dict[str, dict[int | None, Any]]:
        """The values of each name by block, and the states that stand for them."""
        found: dict[str, dict[int | None, Any]] = defaultdict(dict)
        for x in self.tape.values:
            found[self.formulas.base(x)][self.block(x)] = x
        for x in self.tape.values:
            for role, block in self.states.get(id(x), ()):
                found[role].setdefault(block, x)
        return found

    @cached_property
    def calls(self) -> Calls:
        """The functions that are called several times."""
        return Calls(self.tape, self.formulas.base, self.block)

    @cached_property
    def indices(self) -> Indices:
        """The index arrays of the tape."""
        return Indices(self.tape, self.formulas.base, self.block, self.mirror)

    @cached_property
    def branches(self) -> dict[tuple[str, int | None], list[tuple[Node, Branch]]]:
        """The branches through the stages of an operation in a block, with what they lead to."""
        found: dict[tuple[str, int | None], list[tuple[Node, Branch]]] = defaultdict(list)
        for edges in self.chain.by_stage.values():
            for x, branch in edges:
                found[branch.stage.op, branch.stage.block].append((x, branch))
        return found

    @cached_property
    def states(self) -> dict[int, list[tuple[str, int]]]:
        """The values that stand for a state before the first block, and what that is called: where
        the first block reads one, the next reads what the first computed."""
        read: dict[tuple[str, int], dict[int, Any]] = defaultdict(dict)
        for stage in self.tape.stages:
            block = self.block(stage.output) if stage.block is None else stage.block
            for i, x in enumerate(stage.inputs if block is not None else ()):
                if isinstance(x, Node):
                    read[self.formulas.base(stage.output), i][block or 0] = x
        found: dict[int, list[tuple[str, int]]] = defaultdict(list)
        for by_block in read.values():
            for t, x in by_block.items():
                for step in (1, -1):
                    later = by_block.get(t + step)
                    if later is None or later._op is None:
                        continue
                    base = self.formulas.base(later)
                    begins = t - step not in by_block and self.formulas.base(x) != base
                    if x._op is None or begins:
                        found[id(x)].append((base, t - step))
        return found

    def initial(self, v: Any) -> tuple[list[Any], Any]:
        """The initial states that `v` is made of, and its value with zeros for them."""
        inner = v._inputs if v._op is not None else (v,)
        first = [
            u
            for u in inner
            if isinstance(u, Node) and self.tape.name(u).block == 0 and np.any(u._array)
        ]
        zeros = [
            np.zeros_like(u._array) if any(u is f for f in first) else array_of(u) for u in inner
        ]
        if not first:
            return [], None
        return first, zeros[0] if v._op is None else v._op.forward(*zeros, **v._params)
