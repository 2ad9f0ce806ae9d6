"""The tape: the stages that led to a value, in the order in which they ran, and the forks among
their values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Set
from functools import cached_property
from operator import attrgetter
from typing import Any

from tinygrad_lstm.engine.arrays import Value
from tinygrad_lstm.engine.names import Key, Name
from tinygrad_lstm.engine.naming import Naming
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.printed import printed
from tinygrad_lstm.engine.stage import Branch, Fork, Stage, brief
from tinygrad_lstm.errors import UnknownNameError

__all__ = ["Branch", "Fork", "Stage", "Tape", "ancestors"]


def ancestors(root: Node, stop: Set[Node] = frozenset()) -> list[Node]:
    """The nodes that stages computed on the way to `root` (included), in the order in which the
    stages ran.

    The walk ends at leaves, and at the nodes in `stop`, which are left out.
    """
    seen = {root, *stop}
    if root._op is None or root in stop:
        return []
    found = [root]
    for node in found:  # grows while it is walked: no recursion, whatever the depth
        for x in node._inputs:
            if isinstance(x, Node) and x._op is not None and x not in seen:
                seen.add(x)
                found.append(x)
    found.sort(key=attrgetter("_order"))
    return found


class Tape:
    """The stages that led to a value, in the order in which they ran.

    Parameters
    ----------
    root : Tensor
        The value, usually a loss. ``root.tape`` is the usual way to write this.

    Attributes
    ----------
    stages : tuple of Stage
        In recording order. Backward is one walk over them, reversed.
    forks : tuple of Fork
        The values that need a gradient and are read more than once, in the order in which they came
        to be.
    """

    naming: Naming
    stages: tuple[Stage, ...]

    def __init__(self, root: Any) -> None:
        self.root = root
        nodes = ancestors(root)
        self.naming = Naming(nodes, root)
        self.stages = tuple(Stage(node, self.naming) for node in nodes)

    @cached_property
    def readers(self) -> dict[int, list[Branch]]:
        """The branches of every value that needs a gradient, by the ``id`` of the value."""
        readers: dict[int, list[Branch]] = defaultdict(list)
        for stage in self.stages:
            for i, x in enumerate(stage.output._inputs):
                if isinstance(x, Node) and x._requires_grad:
                    readers[id(x)].append(Branch(stage, i))
        return readers

    @cached_property
    def _differentiable(self) -> set[int]:
        """The values that have a derivative, by their ``id``."""
        return {id(x) for x in self.values if x._requires_grad}

    @property
    def leaves(self) -> tuple[Any, ...]:
        """The Tensors that stages read but no stage computed: parameters, inputs, constants; in
        order of first use."""
        return self.naming.leaves

    @property
    def values(self) -> tuple[Any, ...]:
        """The leaves, then what each stage computed."""
        return (*self.leaves, *(stage.output for stage in self.stages))

    @cached_property
    def forks(self) -> tuple[Fork, ...]:
        return tuple(
            Fork(x, tuple(b)) for x in self.values if len(b := self.readers.get(id(x), ())) > 1
        )

    @property
    def names(self) -> dict[str, list[Any]]:
        """The values by name; those without a name by their operation and number
        (``multiply#1<2>``)."""
        return self.naming.by_text

    def name(self, x: Node) -> Name:
        """The name of a value of this tape, which no other has: that of several is numbered."""
        return self.naming.of(x) or Name(brief(x))

    def find(self, key: Any) -> Any:
        """The value that `key`, a name or a Tensor, stands for.

        In a name the block may be counted from the last one: ``c<T>``, ``c<T-1>``.

        Raises
        ------
        UnknownNameError
            If there is none on the tape, if several have that name, or if it is a constant.
        """
        if isinstance(key, (str, Name, Key)):
            key = self.naming.find(str(key))
        if id(key) not in self._differentiable:
            kind = "a constant" if any(key is x for x in self.values) else "not on this tape"
            raise UnknownNameError(
                f"there is no derivative by {getattr(key, 'name', None) or 'this value'}",
                where=f"the tape of {self.label(self.root)}",
                expected="a name, or a Tensor on the tape that requires gradients",
                got=kind if isinstance(key, Node) else type(key).__name__,
            )
        return key

    def reached(self, *values: Any) -> dict[int, Any]:
        """What `values` reach the root through: themselves and what was computed from them, by
        ``id``, in the order of the tape."""
        found = {id(x): x for x in values}
        for stage in self.stages:
            if any(id(x) in found for x in stage.output._inputs):
                found[id(stage.output)] = stage.output
        return found

    def __len__(self) -> int:
        return len(self.stages)

    def __iter__(self) -> Iterator[Stage]:
        return iter(self.stages)

    def __str__(self) -> str:
        return printed(self)

    __repr__ = __str__

    def label(self, x: Value) -> str:
        """How the tape writes a value: its name, its stage, or the number itself."""
        named = isinstance(x, Node) and x._op is not None and not getattr(x, "name", None)
        return str(self.naming.of(x) or brief(x)) if named else brief(x)
