"""The values of a tape by their names without blocks."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from tinygrad_lstm.engine.tape import Tape, canonical
from tinygrad_lstm.errors import DrawingError, UnknownNameError
from tinygrad_lstm.viz.look.text import printable

__all__ = ["blocks", "by_value", "split", "stems"]

MOST = 30  # names in an error


def stems(values: str | Sequence[str]) -> list[str]:
    """Values without their blocks, as names of the tape."""
    given = (
        [values]
        if isinstance(values, str)
        else list(values)
        if isinstance(values, Sequence)
        else []
    )
    if not given or not all(isinstance(name, str) for name in given):
        raise DrawingError(
            "these are no names of values",
            where="values",
            expected='"c", or ("c", "a")',
            got=ascii(values),
        )
    return [canonical(name).removesuffix("<t>") for name in given]


def by_value(tape: Tape) -> dict[str, dict[int, str]]:
    """The names on the tape that end in a block: for each value its name in every block."""
    found: dict[str, dict[int, str]] = defaultdict(dict)
    for name in tape.names:
        value, t = split(name)
        if t is not None:
            found[value][t] = name
    return found


def split(name: str) -> tuple[str, int | None]:
    """A name as the value and its block."""
    match = re.fullmatch(r"(.+)<(\d{1,9})>", name, flags=re.DOTALL)
    return (match[1], int(match[2])) if match else (name, None)


def blocks(found: dict[str, dict[int, str]], value: str) -> dict[int, str]:
    """The name of a value in each block, in the order of the blocks."""
    if value not in found:
        known = printable(", ".join(list(found)[:MOST])) or "values named in `with block(t):`"
        raise UnknownNameError(
            f"no block has a value called {value!r}",
            where="values",
            expected=known,
            do="choose with values=",
        )
    return dict(sorted(found[value].items()))
