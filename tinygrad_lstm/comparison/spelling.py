"""Keys that miss a name by their spelling: ``h_4``, ``h4`` and ``h[4]`` for ``h<4>``; ``dW_f``,
``grad_W_f`` and ``δW_f`` for ``W_f``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile

from tinygrad_lstm.engine.names import Name

__all__ = ["Edit", "common", "difference", "edited", "spellings"]

Edit = tuple[str, str]  # what is written otherwise in a name: ``("2", "1")`` for U2_f and U1_f

PREFIXES = ("grad_", "delta_", "dL_d", "dL/d", "d_", "δ", "∂", "d", "g_")
BRACKETS = ("[]", "()", "{}")


def spellings(key: str) -> Iterator[str]:
    """The names that a key may stand for, the nearest first."""
    plain = [key, *(key.removeprefix(p) for p in PREFIXES if key.startswith(p) and key != p)]
    plain += [key.removesuffix(s) for s in ("_grad", ".grad") if key.endswith(s)]
    for text in dict.fromkeys(plain):
        if text != key:
            yield text
        stem, block = _apart(text)
        if stem and block:
            yield str(Name(stem, int(block)))


def _apart(text: str) -> tuple[str, str]:
    """What stands before a number at the end, and the number."""
    for left, right in map(tuple, BRACKETS):
        if text.endswith(right) and left in text:
            stem, _, inner = text[:-1].rpartition(left)
            return (stem, inner) if inner.isascii() and inner.isdecimal() else ("", "")
    stem = text.rstrip("0123456789")
    return stem.removesuffix("_"), text[len(stem) :]


def common(one: str, other: str) -> int:
    """How many letters two texts have in common at their beginning."""
    return len(list(takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))))


def difference(old: str, new: str) -> Edit:
    """What is left of two names without their common beginning and end; of one name in two scopes
    that differ by more than a number, the scopes."""
    (scope, dot, stem), (other, _, same) = old.rpartition("."), new.rpartition(".")
    n = common(old, new)
    m = common(old[n:][::-1], new[n:][::-1])
    left = old[n : len(old) - m], new[n : len(new) - m]
    if scope and other and stem == same and not all(map(str.isdecimal, left)):
        return scope + dot, other + dot
    return left


def edited(name: str, edit: Edit) -> str:
    """A name with the same difference: of ``("2", "1")``, W1 for W2; a scope is at the
    beginning."""
    old, new = edit
    if old.endswith("."):
        return new + name.removeprefix(old) if name.startswith(old) else name
    return name.replace(old, new, 1) if old else name
