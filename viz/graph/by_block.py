"""The values of a tape by their names without blocks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from tinygrad_lstm.engine.names import Name, apart, canonical
from tinygrad_lstm.engine.tape import Tape
from tinygrad_lstm.errors import DrawingError, UnknownNameError
from tinygrad_lstm.viz.look.text import printable

__all__ = ["blocks", "by_value", "stems"]

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
    parts = ((name, *apart(name)) for name in map(canonical, given))
    return [role if block == "t" else name for name, role, block in parts]


def by_value(tape: Tape) -> dict[str, dict[int, str]]:
    """The names on the tape that end in a block: for each value its name in every block."""
    found: dict[str, dict[int, str]] = defaultdict(dict)
    for name in tape.names:
        called = Name.parse(name)
        if called.block is not None:
            found[called.role][called.block] = name
    return found


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
