"""Values in containers: dicts, lists, tuples and named tuples, one inside the other.

What stands in them is a leaf: an array, a Tensor, a number. A list of nothing but numbers is one
leaf, the array that NumPy makes of it; None stands for nothing at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tinygrad_lstm.engine.memory import SCALARS
from tinygrad_lstm.errors import ShapeError

__all__ = ["leaves", "matched", "parts", "placed", "rebuilt"]


def parts(tree: Any) -> dict[Any, Any] | None:
    """What a container holds, by key or by position. None for a leaf."""
    return None if isinstance(tree, list) and _is_array(tree) else _inside(tree)


def _inside(tree: Any) -> dict[Any, Any] | None:
    if tree is None:
        return {}
    if isinstance(tree, Mapping):
        return dict(tree)
    return dict(enumerate(tree)) if isinstance(tree, (list, tuple)) else None


def leaves(tree: Any) -> list[Any]:
    """The leaves of a tree, in its order."""
    return matched(tree, tree)


def rebuilt(tree: Any, values: Iterator[Any]) -> Any:
    """The same containers, with the next of `values` in the place of each leaf."""
    inside = parts(tree)
    if inside is None:
        return next(values)
    made = {key: rebuilt(part, values) for key, part in inside.items()}
    if tree is None or isinstance(tree, Mapping):
        return tree if tree is None else made
    kind: Any = type(tree)
    return getattr(kind, "_make", kind)(made.values())


def matched(tree: Any, other: Any, where: str = "") -> list[Any]:
    """What stands in `other` at the leaves of `tree`.

    Raises
    ------
    ShapeError
        If the containers are not the same; `where` says of what.
    """
    return [x for _, x in placed(tree, other, where)]


def placed(tree: Any, other: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    """As :func:`matched`, each with its place behind `where`: ``params['layers'][0]``."""
    inside = parts(tree)
    if inside is None:
        yield where, other
        return
    there = _inside(other)  # where values are in a list, so may numbers be
    if there is None or set(there) != set(inside):
        raise ShapeError(
            "the containers are not those of the values",
            where=where,
            expected=_described(tree, inside),
            got=_described(other, there),
        )
    for key, part in inside.items():
        yield from placed(part, there[key], f"{where}[{key!r}]")


def _is_array(values: list[Any]) -> bool:
    """Whether there are numbers alone in nested lists."""
    return bool(values) and all(
        isinstance(x, SCALARS) or (isinstance(x, list) and _is_array(x)) for x in values
    )


def _described(tree: Any, inside: dict[Any, Any] | None) -> str:
    kind = "None" if tree is None else f"a {type(tree).__name__}"
    if not inside:
        return kind
    return f"{kind} of {', '.join(map(repr, inside)) if isinstance(tree, Mapping) else len(inside)}"
