"""paths: the ways from a value back to what it was computed from, counted and listed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.tape import Branch, Tape
from tinygrad_lstm.errors import DtypeError
from tinygrad_lstm.text import as_table

__all__ = ["Path", "Paths", "paths"]

LISTED = 20  # paths in a printed list


@dataclass(frozen=True)
class Path:
    """One way back.

    Attributes
    ----------
    names : tuple of str
        The values on the way, from the one that is differentiated to the one it is differentiated
        by.
    branches : tuple of Branch
        The edges between them.
    """

    names: tuple[str, ...]
    branches: tuple[Branch, ...]

    def __str__(self) -> str:
        return " → ".join(self.names)


class Paths:
    """All ways from a value back to another: counted at once, listed as they are asked for.

    Parameters
    ----------
    tape : Tape
        The tape of the value that is differentiated.
    value : Tensor
        What it is differentiated by.
    through : Tensor, optional
        Where only the ways through this value count.

    Attributes
    ----------
    count : int
        How many there are. It is found by one walk over the tape, whatever the number. (``len`` is
        the same, but Python's ``len`` ends at 2**63.)
    """

    def __init__(self, tape: Tape, value: Any, through: Any = None) -> None:
        self._tape, self._value, self._through = tape, value, through
        self._ways = {
            id(tape.root): (1, int(through is None or through is tape.root))
        }  # of all, and of those that count
        for x in reversed(tape.reached(value).values()):
            if x is not tape.root:
                every, counted = (
                    sum(n)
                    for n in zip(
                        *(self._ways[id(b.stage.output)] for b in tape.readers[id(x)]), strict=True
                    )
                )
                self._ways[id(x)] = every, every if x is through else counted
        self.count: int = self._ways[id(value)][1]

    def __iter__(self) -> Iterator[Path]:
        """The paths, those first that leave the value by its first branch. Nothing is kept of those
        that were listed."""
        pending: list[tuple[Any, tuple[Branch, ...], bool]] = [
            (self._value, (), self._through is None)
        ]
        while pending:
            x, edges, through = pending.pop()
            through = through or x is self._through
            if x is self._tape.root and through:
                yield Path((*(b.stage.name for b in edges), self._tape.label(self._value)), edges)
            onward = (
                b
                for b in reversed(self._tape.readers.get(id(x), ()))
                if through or self._ways[id(b.stage.output)][1]
            )
            pending.extend((b.stage.output, (b, *edges), through) for b in onward)

    def __len__(self) -> int:
        return self.count

    def __bool__(self) -> bool:
        return self.count > 0

    def __str__(self) -> str:
        lines = [
            f"{_brief(self.count)} path{'s' * (self.count != 1)} {self._ends()}",
            *map(str, itertools.islice(self, LISTED)),
        ]
        return "\n".join(
            lines + [f"... and {_brief(self.count - LISTED)} more"] * (self.count > LISTED)
        )

    def __repr__(self) -> str:
        return f"<Paths {self._ends()}: {_brief(self.count)}>"

    def _repr_html_(self) -> str:
        rows = [(str(path), str(len(path.branches))) for path in itertools.islice(self, LISTED)]
        more = [(f"and {_brief(self.count - LISTED)} more", "")] if self.count > LISTED else []
        caption = f"{_brief(self.count)} path{'s' * (self.count != 1)} {self._ends()}"
        return as_table(caption, [("path", "edges"), *rows, *more])

    def _ends(self) -> str:
        root, value = self._tape.label(self._tape.root), self._tape.label(self._value)
        through = f" through {self._tape.label(self._through)}" if self._through is not None else ""
        return f"from {root} to {value}{through}"


def _brief(count: int) -> str:
    """A number of any size."""
    if count < 10**15:
        return str(count)
    exponent = math.floor(math.log10(count))
    return f"about {count // 10 ** (exponent - 2) / 100:.2f}·10^{exponent}"


def paths(loss: Any, wrt: Any, through: Any = None) -> Paths:
    """The ways from `loss` back to a value: along each the chain rule multiplies, and the products
    add up.

    Parameters
    ----------
    loss : Tensor
        The value that is differentiated.
    wrt : str or Tensor
        What it is differentiated by.
    through : str or Tensor, optional
        Where only the ways through this value count.

    Returns
    -------
    Paths
        Its ``count``, and the paths themselves where one iterates over it. In a recurrent network
        their number grows exponentially with the number of blocks; it is counted all the same.

    Raises
    ------
    UnknownNameError
        If a name is not on the tape.

    Examples
    --------
    >>> from tinygrad_lstm import Tensor, paths
    >>> x = Tensor(3.0, requires_grad=True, name="x")
    >>> y = (x * x).named("y")
    >>> print(paths((y + y).named("z"), "x"))
    4 paths from z to x
    z → y → x
    z → y → x
    z → y → x
    z → y → x
    """
    if not isinstance(loss, Node):
        raise DtypeError(
            "only what a tape led to has paths",
            where="paths",
            expected="a Tensor",
            got=type(loss).__name__,
        )
    tape = Tape(loss)
    return Paths(tape, tape.find(wrt), None if through is None else tape.find(through))
