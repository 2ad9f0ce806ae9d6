"""derive: the hand side of a comparison, empty at first: every derivative that a tape has, with its
shape, to be filled in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, MutableMapping
from typing import Any

import numpy as np

from tinygrad_lstm.engine.gradients import Gradients, Part
from tinygrad_lstm.engine.memory import NUMBERS
from tinygrad_lstm.engine.names import Key
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.tape import Tape
from tinygrad_lstm.errors import DtypeError, ShapeError
from tinygrad_lstm.text import aligned

__all__ = ["Hand", "derive"]


def derive(loss: Any) -> Hand:
    """Everything that one can derive by hand for `loss`, to be filled in and given to
    :func:`compare`.

    Parameters
    ----------
    loss : Tensor
        The value to differentiate.

    Returns
    -------
    Hand
        A mapping with a key for each derivative, in the order of backward: of every value, of every
        branch of a fork, and the shares of the blocks in shared parameters. All are None, which is
        not done yet.

    Raises
    ------
    DtypeError
        If `loss` is no Tensor.

    Examples
    --------
    >>> from tinygrad_lstm import Tensor, derive
    >>> x = Tensor([3.0, 1.0], requires_grad=True, name="x")
    >>> loss = (x * x).named("y").sum().named("loss")
    >>> hand = derive(loss)
    >>> print(hand)
    derivative  shape  0 of 5 done
    loss        ()
    y           (2,)
    x via y[0]  (2,)
    x via y[1]  (2,)
    x           (2,)
    >>> hand["x"] = 2 * x.numpy()
    >>> hand["x"], hand["y"], len(hand.todo)
    (array([6., 2.]), None, 4)
    """
    if not isinstance(loss, Node):
        raise DtypeError(
            "only what a tape led to can be derived",
            where="derive",
            expected="a Tensor",
            got=type(loss).__name__,
        )
    return Hand(Tape(loss))


class Hand(MutableMapping[Any, Any]):
    """Derivatives by hand: a mapping from the keys that :func:`compare` accepts to arrays, or None
    for what is not done yet.

    Any spelling of a key will do, and the Tensor itself. What is set is copied.

    Attributes
    ----------
    tape : Tape
        The tape whose values are differentiated by.
    shapes : dict of str to tuple of int
        The shape that belongs to each key.
    """

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        values = [x for x in tape.values if x is tape.root or id(x) in tape.readers]
        self._asked = Gradients(tape, {}, {x: tape.readers.get(id(x), []) for x in values})
        self._keys: dict[tuple[Any, ...], str] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        for x in _as_backward_meets_them(tape):
            for key in self._keys_of(x):
                self._keys[self._asked.part(key).id] = key
                self.shapes[key] = x.shape
        self._given: dict[str, np.ndarray] = {}

    @property
    def todo(self) -> list[str]:
        """The keys that are not done yet."""
        return [key for key in self.shapes if key not in self._given]

    def __getitem__(self, key: Any) -> np.ndarray | None:
        return self._given.get(self._key(key))

    def __setitem__(self, key: Any, value: Any) -> None:
        own = self._key(key)
        if value is None:
            self._given.pop(own, None)
            return
        try:
            array = np.array(value.numpy() if isinstance(value, Node) else value)  # type: ignore[attr-defined]
        except ValueError as error:  # ragged lists
            raise ShapeError("no array can be made of this", where=own, got=str(error)) from error
        if array.dtype.kind not in NUMBERS:
            raise DtypeError("a derivative holds numbers", where=own, got=str(array.dtype))
        if array.shape != self.shapes[own]:
            raise ShapeError(
                "a derivative has the shape of its value",
                where=own,
                expected=self.shapes[own],
                got=array.shape,
            )
        array.flags.writeable = False
        self._given[own] = array

    def __delitem__(self, key: Any) -> None:
        self[key] = None

    def __contains__(self, key: object) -> bool:
        try:
            self._key(key)
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(self.shapes)

    def __len__(self) -> int:
        return len(self.shapes)

    def __str__(self) -> str:
        rows = [
            (key, str(shape), "done" * (key in self._given)) for key, shape in self.shapes.items()
        ]
        head = ("derivative", "shape", f"{len(self._given)} of {len(self)} done")
        return "\n".join(aligned([head, *rows]))

    def __repr__(self) -> str:
        root = self.tape.label(self.tape.root)
        return f"<Hand side of {root}: {len(self._given)} of {len(self)} done>"

    def _key(self, key: Any) -> str:
        """The one spelling of a key; one that has no derivative raises UnknownNameError."""
        part: Part = self._asked.part(key)
        return self._keys.get(part.id) or str(key)

    def _keys_of(self, x: Any) -> Iterator[str]:
        """The keys of one value: its branches, the shares of the blocks, its total."""
        name, branches = self.tape.name(x), self._asked.branches(x)
        if len(branches) > 1:
            read = Counter(b.stage for b in branches)
            for b in branches:
                argument = b.argument if read[b.stage] > 1 else None
                yield str(Key(name, self.tape.name(b.stage.output), argument))
            if x._op is None:
                blocks = dict.fromkeys(b.stage.block for b in branches)
                shares = (t for t in blocks if t is not None and len(blocks) > 1)
                yield from (str(Key(name, share=t)) for t in shares)
        yield str(name)


def _as_backward_meets_them(tape: Tape) -> Iterator[Any]:
    """The values by which there is a derivative, from the root to the leaves."""
    for stage in reversed(tape.stages):
        if stage.output is tape.root or id(stage.output) in tape.readers:
            yield stage.output
    yield from (x for x in tape.leaves if x is tape.root or id(x) in tape.readers)
