"""Which scopes are alike: layers, directions, the twins of a Siamese network. One line of a
derivation stands for all of them, in a loop or a function."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

__all__ = ["Scopes"]

NUMBER = re.compile(r"\d+")  # of a name or a label
ALIKE = 0.7  # of all that two scopes have, which both have, by name


class Scopes:
    """The scopes of a tape.

    Parameters
    ----------
    names : iterable of str
        What its values are called in every block.
    """

    def __init__(self, names: Iterable[str]) -> None:
        stems: dict[str, set[str]] = defaultdict(set)
        for name in names:
            scope, dot, stem = name.rpartition(".")
            if dot:
                stems[scope].add(stem)
        self._first: dict[str, str] = {}  # of those that are alike
        for scope, own in stems.items():
            like = (
                other
                for other in self._first.values()
                if len(own & stems[other]) >= ALIKE * len(own | stems[other])
            )
            self._first[scope] = next(like, scope)

    def alike(self, label: Any, own: str | None = None) -> Any:
        """A name or the label of a change without what tells layers, heads and scopes that are
        alike apart: the same for ``a1`` and ``a2``, for ``forward.h`` and ``reverse.h``. As seen
        from the scope of the name `own`, what is of another one remains so."""
        if isinstance(label, tuple):
            return tuple(self.alike(part, own) for part in label)
        if not isinstance(label, str):
            return label
        scope, dot, stem = label.rpartition(".")
        other = "'" * (own is not None and scope in self._first and scope != self._scope(own))
        return NUMBER.sub("", self._first.get(scope, scope) + other + dot + stem)

    @staticmethod
    def _scope(name: str) -> str:
        return name.rpartition(".")[0]
