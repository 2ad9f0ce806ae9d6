"""Names and keys: the one grammar in which values, and the parts of their derivatives, are called.

=====  ==========================================  =================================
name   ``[scope.]stem[<block>]``                   ``c<2>``, ``layer2.c<3>``, ``Error``
key    ``name``                                    a total derivative
key    ``name via name``, ``name via name[1]``     what a stage, or its argument, sent back
key    ``name via #1``                             the same by number
key    ``name @ 2``                                the share of a block
=====  ==========================================  =================================

A block is a decimal number without leading zeros, of at most 18 digits. What a name holds besides
is up to its owner; only what would read as the key of a part is refused, where it is given.
"""

from __future__ import annotations

import operator
import re
import unicodedata
from typing import Any, NamedTuple

from tinygrad_lstm.errors import DataError, DtypeError

__all__ = [
    "CHECKED",
    "SCOPES",
    "Key",
    "Name",
    "apart",
    "at_block",
    "canonical",
    "checked_block",
    "checked_name",
    "checked_scope",
    "formerly",
    "joined",
    "relative",
    "signed",
    "spelled",
]

DIGITS = "0|[1-9][0-9]{0,17}"
PLACED = re.compile(rf"(.+)<({DIGITS})>", re.DOTALL)
INSIDE = re.compile(rf"<({DIGITS})>")
WRITTEN = re.compile(r"(.+)<([^<>]+)>", re.DOTALL)
LAST = re.compile(rf"<T(?:[-−]({DIGITS}))?>")
ARGUMENT = re.compile(rf"(.+)\[({DIGITS})\]", re.DOTALL)
SHARE = re.compile(rf"(.+) @ *({DIGITS}) *", re.DOTALL)
NUMBERED = re.compile(rf"(.+)#({DIGITS})", re.DOTALL)
LARGEST = 10**18  # blocks are smaller


class Name(NamedTuple):
    """What a value is called.

    Attributes
    ----------
    stem : str
        The name that was given; of a value without one, its operation and number:
        ``multiply#1``.
    block : int or None
        The block (time step).
    scope : str
        The scopes that it is in, from the outermost on, with dots between them.
    """

    stem: str
    block: int | None = None
    scope: str = ""

    @classmethod
    def parse(cls, text: str) -> Name:
        """The name that `text` spells: any text is one."""
        found = PLACED.fullmatch(text)
        head, block = (found[1], int(found[2])) if found else (text, None)
        scope, _, stem = head.rpartition(".")
        return cls(stem, block, scope) if scope and stem else cls(head, block)

    @property
    def role(self) -> str:
        """The name without its block: what is called so in every block."""
        return joined(self.scope, self.stem)

    def shifted(self, blocks: int) -> Name:
        """The same name some blocks later."""
        return self if self.block is None else self._replace(block=self.block + blocks)

    def number(self) -> tuple[str, int] | None:
        """The operation and the number of ``multiply#1``; None for a stem of another form."""
        found = NUMBERED.fullmatch(self.stem)
        return (found[1], int(found[2])) if found else None

    def relative(self, letter: str, t: int) -> str:
        """The name with its block counted from block `t`, which is called by a letter:
        ``c<t+1>``."""
        if self.block is None:
            return self.role
        return f"{self.role}<{letter}{signed(self.block - t)}>"

    def __str__(self) -> str:
        return self.role if self.block is None else f"{self.role}<{self.block}>"


class Key(NamedTuple):
    """What a derivative, or a part of one, is called.

    Attributes
    ----------
    value : Name
        The value that is differentiated by.
    via : Name or None
        For a branch, the stage that sent it back; ``#1`` stands for the first branch.
    argument : int or None
        Which of the stage's arguments the value is.
    share : int or None
        For a share, the block whose branches are summed.
    """

    value: Name
    via: Name | None = None
    argument: int | None = None
    share: int | None = None

    @classmethod
    def parse(cls, text: str) -> Key:
        """The key that `text` spells, in its one spelling: any text is one."""
        text = canonical(text)
        value, via, consumer = text.partition(" via ")
        if via:
            found = ARGUMENT.fullmatch(consumer)
            name, argument = (found[1], int(found[2])) if found else (consumer, None)
            return cls(Name.parse(value), Name.parse(name), argument)
        if found := SHARE.fullmatch(text):
            return cls(Name.parse(found[1]), share=int(found[2]))
        return cls(Name.parse(text))

    @property
    def is_total(self) -> bool:
        """Whether this is the whole derivative by a value."""
        return self.via is None and self.share is None

    @property
    def number(self) -> int | None:
        """The number of a branch that is asked for by number, from 1."""
        named = "" if self.via is None else str(self.via)
        plain = named[:1] == "#" and re.fullmatch(DIGITS, named[1:])
        return int(named[1:]) if plain and self.argument is None else None

    @property
    def consumers(self) -> tuple[tuple[Name, int | None], ...]:
        """What a branch may be called by: the stage and the argument; a stage may itself be called
        ``h[0]``."""
        if self.via is None:
            return ()
        whole = Name.parse(f"{self.via}[{self.argument}]")
        own = (self.via, self.argument)
        return (own,) if self.argument is None else ((whole, None), own)

    def __str__(self) -> str:
        argument = "" if self.argument is None else f"[{self.argument}]"
        via = "" if self.via is None else f" via {self.via}{argument}"
        return f"{self.value}{via}" + ("" if self.share is None else f" @ {self.share}")


def canonical(text: str) -> str:
    """The one spelling under which a name is looked up: ``gamma_f<2>`` is ``Γ_f<2>``, ``c̃<2>`` is
    ``c~<2>``."""
    text = unicodedata.normalize("NFD", text).replace("\u0303", "~")
    return unicodedata.normalize("NFC", text.replace("gamma", "Γ"))


def apart(text: str) -> tuple[str, str]:
    """The role in a written name, and what it says of the block: ``("c", "t+1")`` for
    ``c<t+1>``."""
    found = WRITTEN.fullmatch(text)
    return (found[1], found[2]) if found else (text, "")


def joined(scope: str, name: str) -> str:
    """A name, or a scope, inside a scope."""
    return f"{scope}.{name}" if scope else name


def spelled(label: str, block: int | None, scope: str) -> str:
    """How a name that was given inside a block and a scope is shown; one that says its block
    (``a<0>``) keeps it."""
    text = joined(scope, label)
    says_it = label[-1] == ">" and PLACED.fullmatch(label)
    return text if block is None or says_it else f"{text}<{block}>"


def signed(k: int) -> str:
    """A distance in blocks: nothing, ``+1`` or ``−1``."""
    return "" if k == 0 else f"+{k}" if k > 0 else f"−{-k}"


def at_block(text: str, last: int) -> str:
    """The text with T, T−1, ... for a block written as numbers, where T is `last`."""
    return LAST.sub(lambda found: f"<{last - int(found[1] or 0)}>", text)


def relative(text: str) -> str:
    """A text with names in it, in which blocks are counted from the first one that it names."""
    first = INSIDE.search(text)
    t = int(first[1]) if first else 0
    return INSIDE.sub(lambda found: f"<t{signed(int(found[1]) - t)}>", text)


CHECKED: dict[str, str] = {}
"""Names that were given already, each by itself: a loop gives the same again and again."""


SCOPES: set[str] = set()
"""Scopes that were given: none, and so next to nothing to ask, where nobody uses them."""


def checked_name(name: Any, where: str) -> str:
    """A name that is given to a value.

    Raises
    ------
    DtypeError
        If it is no text.
    DataError
        If it is empty, or would be read as the key of a branch or a share.
    """
    if isinstance(name, str) and name in CHECKED:
        return CHECKED[name]
    if not isinstance(name, str):
        raise DtypeError("a name is a str", where=where, got=repr(name))
    if not name:
        raise DataError("a name has at least one character", where=where, do="None takes it away")
    if " via " in f" {name} " or not Key.parse(name).is_total:
        raise DataError(
            "this name would be read as the key of a part of a derivative",
            where=where,
            expected="a name without the word via, and without @ and a block at its end",
            got=repr(name),
        )
    if len(CHECKED) == 4096:  # who makes names up gives each of them once
        CHECKED.clear()
    return CHECKED.setdefault(str(name), str(name))


def checked_scope(name: Any) -> str:
    """The name of a scope: what may stand before a dot.

    Raises
    ------
    DtypeError, DataError
        As for :func:`checked_name`; and if it holds < or >, or has nothing beside a dot.
    """
    checked = checked_name(name, "scope")
    if not all(checked.split(".")) or set("<>") & set(checked) or " @ " in f" {checked} ":
        raise DataError(
            "this is no name of a scope",
            where="scope",
            expected='a name such as "layer2" or "encoder.layer2", without <, > and @',
            got=repr(name),
        )
    SCOPES.add(checked)
    return checked


def checked_block(number: Any) -> int | None:
    """The number of a block, or None for outside of all blocks.

    Raises
    ------
    DtypeError
        If it is no whole number.
    DataError
        If it is negative, or has more than 18 digits.
    """
    if number is None or (type(number) is int and 0 <= number < LARGEST):
        return number  # type: ignore[no-any-return]
    try:
        if isinstance(number, bool):
            raise TypeError
        counted = operator.index(number)
    except TypeError:
        raise DtypeError(
            "the number of a block is a whole number", where="block", got=repr(number)
        ) from None
    if not 0 <= counted < LARGEST:
        got = "a larger number" if counted > 0 else "a negative one"
        raise DataError("blocks are counted from 0, in at most 18 digits", where="block", got=got)
    return counted


def formerly(text: str) -> tuple[str, int] | None:
    """The operation and the place on the tape in a key such as ``multiply#3``, as version 0.1.0
    had it; None for any other."""
    name = Name.parse(canonical(text))
    return name.number() if name.block is None and not name.scope else None
