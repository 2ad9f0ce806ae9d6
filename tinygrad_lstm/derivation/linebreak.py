"""Long formulas in LaTeX: how wide they are set, and where they break, so that they fit on a
page."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["PAGE", "broken", "width"]

PAGE = 340.0  # points: the text of an article on A4 paper, at 10 points, is 345 wide
TOKEN = re.compile(r"\\[A-Za-z]+ ?|\\.|.", re.DOTALL)
SUMS, PRODUCTS = (" + ", " - "), (" + ", " - ", r" \odot ", r" \cdot ", r" \otimes ")
LISTS = (*PRODUCTS, ", ")
TWO = ("frac",)
ACCENTS = ("mathrm", "mbox", "overline", "hat", "tilde", "sqrt", "lefteqn")
WIDE = {  # points; what is not here is as wide as a letter
    "odot": 12.5,
    "otimes": 12.5,
    "cdot": 7.5,
    "sum": 16.0,
    "quad": 10.0,
    "ldots": 13.5,
    "langle": 4.0,
    "rangle": 4.0,
    "left": 2.0,
    "right": 2.0,
    "big": 2.0,
    "exp": 18.0,
    "log": 15.0,
    "tanh": 24.0,
    "sin": 14.0,
    "cos": 16.0,
    "ge": 13.5,
    "le": 13.5,
    "ne": 13.5,
    "wedge": 11.5,
    "vee": 11.5,
    "top": 8.0,
}
SIGNS = {"+": 12.5, "-": 12.5, "=": 13.5, "<": 13.5, ">": 13.5, "W": 11.0, "m": 9.0, "M": 10.8}
NARROW = dict.fromkeys(".,:;!|'[]() ijl", 4.0) | {" ": 0.0}
LETTER, SMALL = 6.9, 0.76


def width(formula: str) -> float:
    """About how many points wide a formula is set; rather too many than too few."""
    tokens = TOKEN.findall(formula)
    tokens.reverse()
    return _run(tokens, closed=False)


def _run(tokens: list[str], closed: bool) -> float:
    """The width of what comes next, to the end of the group or of everything."""
    total = 0.0
    while tokens:
        token = tokens.pop()
        if token == "}" and closed:
            break
        total += _one(token, tokens)
    return total


def _one(token: str, tokens: list[str]) -> float:
    """The width of a token with its arguments."""
    if token == "{":
        return _run(tokens, closed=True)
    if token in ("^", "_"):
        return SMALL * _argument(tokens)
    word = token[1:].strip()
    if token[0] == "\\" and word:
        if word in TWO:
            return 3.0 + max(_argument(tokens), _argument(tokens))
        if word in ACCENTS:
            return _argument(tokens) + (10.0 if word == "sqrt" else 0.0)
        return WIDE.get(word, LETTER)
    return SIGNS.get(token) or NARROW.get(token, LETTER)


def _argument(tokens: list[str]) -> float:
    while tokens and tokens[-1] == " ":
        tokens.pop()
    return _one(tokens.pop(), tokens) if tokens else 0.0


def broken(formula: str, room: float, signs: tuple[str, ...] = SUMS) -> list[str]:
    """A formula in pieces that are `room` points wide at most, where it can be broken so.

    It breaks before signs outside of all brackets; what is too wide then, before other signs, and
    inside of brackets. Each piece but the first begins with the sign before which it was broken.
    """
    lines = [""]
    for piece in _pieces(formula, room, signs):
        if lines[-1] and width(lines[-1] + piece) > room:
            lines.append(piece.lstrip())
        else:
            lines[-1] += piece
    return lines


def _pieces(formula: str, room: float, signs: tuple[str, ...]) -> Iterator[str]:
    """What need not be broken: sums first, then their terms where they are too wide."""
    finer = {SUMS: PRODUCTS, PRODUCTS: LISTS}
    for piece in _split(formula, signs, depth=99 if signs == LISTS else 0):
        if width(piece) <= room or signs not in finer:
            yield piece
        else:
            wide = _plain(piece) if finer[signs] == LISTS else piece
            yield from _pieces(wide, room, finer[signs])


def _plain(formula: str) -> str:
    """With brackets of a fixed size, inside of which lines may break."""
    return formula.replace(r"\left(", r"\big(").replace(r"\right)", r"\big)")


def _split(formula: str, signs: tuple[str, ...], depth: int) -> list[str]:
    """A formula cut before each of the signs that lies at most so deep in brackets, and in no
    group."""
    pieces, groups, brackets = [""], 0, 0
    mark = "|".join(map(re.escape, signs))
    for token in re.split(rf"({mark}|\\left|\\right|[()]|\\.|[{{}}])", formula):
        groups += {"{": 1, "}": -1}.get(token, 0)
        brackets += {r"\left": 1, r"\right": -1, "(": 1, ")": -1}.get(token, 0)
        if token in signs and not groups and brackets <= depth and pieces[-1].strip():
            pieces.append("")
        pieces[-1] += token
    return pieces
