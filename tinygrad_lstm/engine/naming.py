"""What the values of a tape are called: by the names they were given, and by numbers where they
have none."""

from __future__ import annotations

import difflib
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cached_property, partial

from tinygrad_lstm.engine.names import Key, Name, at_block, canonical, formerly, joined
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.numbering import numbers_of
from tinygrad_lstm.errors import UnknownNameError

__all__ = ["Naming", "block_of"]


class Naming:
    """The names of the values of a tape, no two the same.

    A value that was given a name has it, with ``#1``, ``#2`` behind the stem where several have the
    same. What a stage computed without a name is called by its operation and a number, which counts
    the nameless stages of that operation in its scope and block: ``multiply#1<2>``. A leaf without
    a name is a parameter, a constant, or a (single) number, with a number where it is in a block or
    not the only one. There is no reference to the tape, so that its stages may refer to this.

    Parameters
    ----------
    nodes : sequence of Tensor
        What the stages computed, in the order in which they ran.
    root : Tensor
        The last of them, or a leaf.
    """

    nodes: Sequence[Node]
    root: Node

    def __init__(self, nodes: Sequence[Node], root: Node) -> None:
        self.nodes, self.root = nodes, root

    @cached_property
    def leaves(self) -> tuple[Node, ...]:
        """The Tensors that stages read but no stage computed, in order of first use."""
        found = {
            id(x): x
            for node in self.nodes
            for x in node._inputs
            if isinstance(x, Node) and x._op is None
        }
        return tuple(found.values()) or ((self.root,) if self.root._op is None else ())

    def of(self, x: Node) -> Name | None:
        """The name of a value; None for what is not on the tape."""
        return self._names.get(id(x))

    @cached_property
    def by_text(self) -> dict[str, list[Node]]:
        """The values by what they may be called. A name that was given to several stands for all of
        them."""
        found: dict[str, list[Node]] = defaultdict(list)
        for x in (*self.leaves, *self.nodes):
            for text in sorted(self._texts(x), key=len):
                found[text].append(x)
        return found

    @cached_property
    def last(self) -> int:
        """T, the number of the last block; 0 without blocks."""
        return max((x._place.block or 0 for x in self.nodes), default=0)

    def _texts(self, x: Node) -> set[str]:
        """What a value may be called, in the spelling under which it is looked up."""
        own = str(self._names[id(x)])
        return {canonical(x.name or own), canonical(own)}

    def find(self, name: str) -> Node:
        """The value of a name; without its scope, or the outer of them, where it is the only one.

        Raises
        ------
        UnknownNameError
            If there is none, or if several have that name.
        """
        found = self._called(name)
        if len(found) == 1:
            return found[0]
        many = f"{len(found)} values are" if found else "no value is"
        what = f"{many} called {name!r}"
        do = partial(self._apart, found) if found else partial(self._hint, name)
        where = f"the tape of {self.root.name or self._names[id(self.root)]}"
        raise UnknownNameError(what, where=where, do=do)

    def meant(self, name: str) -> list[Node]:
        """The values that a name may stand for: as for :meth:`find`, else those of all blocks (x,
        where the tape has x<1>, x<2>, ...)."""
        spellings = self._spellings(name)
        roles = (r for r in self._roles if r in spellings or _is_inside(r, spellings))
        return self._called(name) or [
            x for role in roles for text in self._roles[role].values() for x in self.by_text[text]
        ]

    def _called(self, name: str) -> list[Node]:
        spellings = self._spellings(name)
        for text in spellings:
            if text in self.by_text:
                return self.by_text[text]
        inner = (x for text in dict.fromkeys(spellings) for x in self._inner.get(text, ()))
        return list({id(x): x for x in inner}.values())

    @cached_property
    def _inner(self) -> dict[str, list[Node]]:
        """The values by what they may be called without scopes."""
        found: dict[str, list[Node]] = defaultdict(list)
        for text, xs in self.by_text.items():
            inner = text
            while "." in inner:
                inner = inner.partition(".")[2]
                found[inner] += xs
        return found

    def _spellings(self, name: str) -> tuple[str, str]:
        text = canonical(name)
        return text, at_block(text, self.last)

    def called(self, name: str, values: Sequence[Node]) -> list[Node]:
        """Those of `values` that a name may stand for; as for :meth:`find`."""
        spellings = self._spellings(name)
        called = {id(x) for text in spellings for x in self.by_text.get(text, ())}
        whole = [x for x in values if id(x) in called]
        return whole or [
            x for x in values if any(_is_inside(text, spellings) for text in self._texts(x))
        ]

    def _apart(self, found: Sequence[Node]) -> str:
        shown = [str(self._names[id(x)]) for x in found[:3]] + ["..."] * (len(found) > 3)
        return f"ask for {', '.join(shown)}, with the Tensor itself, or name them apart"

    def _hint(self, name: str) -> str:
        key = Key.parse(name)
        if not key.is_total:
            return f"that is the key of a part; a value is asked for here, such as {key.value}"
        op, place = formerly(name) or ("", 0)
        if 0 < place <= len(self.nodes):
            node = self.nodes[place - 1]
            if node._op.name == op and not node.name:
                return (
                    f"it is {self._names[id(node)]} now: values without a name are numbered by "
                    "block and operation"
                )
        near = self._near(canonical(name))
        return f"did you mean {near!r}?" if near else "print(loss.tape) lists them"

    def _near(self, text: str) -> str | None:
        """The nearest name, by what is called so in every block, since those are few."""
        asked = Name.parse(text)
        roles = [role for role in self._roles if role.casefold() == asked.role.casefold()]
        roles = roles or difflib.get_close_matches(asked.role, self._roles, n=1)
        if not roles:
            return None
        blocks = self._roles[roles[0]]
        near = min(blocks, key=lambda b: abs((b or 0) - (asked.block or self.last)))
        return blocks[near]

    @cached_property
    def _roles(self) -> dict[str, dict[int | None, str]]:
        """The names by role and block."""
        found: dict[str, dict[int | None, str]] = defaultdict(dict)
        for text in self.by_text:
            name = Name.parse(text)
            found[name.role][name.block] = text
        return found

    @cached_property
    def _names(self) -> dict[int, Name]:
        return self._named((*self.leaves, *self.nodes), numbers_of(self.nodes))

    def of_leaves(self) -> dict[Node, Name]:
        """The names of the leaves, without those of all that is computed from them."""
        names = self._named(self.leaves, {})
        return {x: names[id(x)] for x in self.leaves}

    def _named(self, values: Sequence[Node], numbers: dict[int, int]) -> dict[int, Name]:
        """The names of values, the leaves first, of which the nameless stages have numbers."""
        everybody = (*self.leaves, *self.nodes)
        given = {id(x): canonical(text) for x in everybody if (text := x.name or _word(x))}
        shared = Counter(given.values())
        taken: set[Name] = set()
        counted: Counter[Name] = Counter()

        def numbered(name: Name, number: int = 0) -> Name:
            """The name with a number behind its stem; if somebody has it, with the next one."""
            if not taken:
                taken.update(map(Name.parse, shared))
            counted[name] += 1
            number = number or counted[name]
            while (found := name._replace(stem=f"{name.stem}#{number}")) in taken:
                number += 1
            taken.add(found)
            return found

        names = {}
        for x in values:
            text, place = given.get(id(x)), x._place
            if text is None:
                stem = _kind(x) if x._op is None else x._op.name
                name = numbered(Name(stem, place.block, place.scope), numbers.get(id(x), 0))
            elif shared[text] > 1:
                name = numbered(Name.parse(text))
            else:
                name = Name.parse(x.name or text)
            names[id(x)] = name
        return names


def block_of(x: Node) -> int | None:
    """The block in the name of a value (``a<0>``), else that in which it was recorded."""
    named = Name.parse(x.name).block if x.name else None
    return x._place.block if named is None else named


def _is_inside(text: str, names: Sequence[str]) -> bool:
    """Whether a text is one of the names in some scope."""
    return any(text.endswith(f".{name}") for name in names)


def _kind(leaf: Node) -> str:
    return "parameter" if leaf._requires_grad else "number" if leaf._array.size == 1 else "constant"


def _word(x: Node) -> str | None:
    """What a leaf without a name is called outside of blocks, if it is the only one; None for any
    other value."""
    return joined(x._place.scope, _kind(x)) if x._op is None and x._place.block is None else None
