"""How formulas are written: as text, and as LaTeX that needs no package. One table for both."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_lstm.derivation.expression import Apply, Expression, Leaf
from tinygrad_lstm.derivation.latex import escaped, latex_name
from tinygrad_lstm.derivation.shown import WRITTEN, same, shown
from tinygrad_lstm.derivation.signs import (
    ATOM,
    DELTA,
    FORMS,
    GROUP,
    POWER,
    RELATION,
    SIGN,
    SIMPLE,
    SUM,
    Written,
)
from tinygrad_lstm.derivation.specials import SPECIALS

__all__ = ["LATEX", "TEXT", "Notation"]


@dataclass(frozen=True)
class Notation:
    """A way of writing formulas.

    Attributes
    ----------
    latex : bool
        Whether it is LaTeX.
    rename : callable, optional
        What a value is called here, given its name on the tape: ``c<t+1>`` for ``c<3>``.
    values : callable, optional
        The numbers that are written for a leaf, or None to write its name.
    index : callable, optional
        How a position in an index is written: ``t−1`` for 2; or None, for its number.
    arrays : callable, optional
        What an index array or mask is called, or None to write its entries.
    """

    latex: bool = False
    rename: Callable[[str], str] | None = None
    values: Callable[[Leaf], Any] | None = None
    index: Callable[[int], str | None] | None = None
    arrays: Callable[[Any], str | None] | None = None

    def write(self, e: Expression) -> str:
        """The formula."""
        return self._written(e).text

    def __call__(self, e: Expression, strength: int) -> str:
        """The formula in a place that needs a strength: in brackets where it is weaker."""
        written = self._written(e)
        if written.strength >= strength:
            return written.text
        return rf"\left({written.text}\right)" if self.latex else f"({written.text})"

    def _written(self, e: Expression) -> Written:
        if isinstance(e, Leaf):
            return self._leaf(e)
        special = SPECIALS.get(e.op.name)
        written = special(self, e) if special else None
        return written or (
            self.form(e.op.name, e.args)
            if e.op.name in FORMS and not e.params
            else self.function(e)
        )

    def form(self, name: str, args: tuple[Expression, ...]) -> Written:
        """An operation as the table has it."""
        form = FORMS[name]
        texts = [self(arg, need) for arg, need in zip(args, form.needs, strict=True)]
        template = form.latex if self.latex else form.text
        if texts[0].startswith(r"\left("):
            template = template.replace(GROUP, "{}")  # a line may break in brackets, in no group
        return Written(template.format(*texts), form.strength)

    def function(self, e: Apply) -> Written:
        """An operation as a function of its arguments and of what it is told by name."""
        args = [self(arg, RELATION) for arg in e.args]
        usual = inspect.signature(e.op.forward).parameters
        told = {
            key: value
            for key, value in e.params.items()
            if isinstance(value, WRITTEN)
            and (key not in usual or not same(usual[key].default, value))
        }
        args += [
            f"{self.plain(key)}={self.named(value) or self.plain(shown(value))}"
            for key, value in told.items()
        ]
        return Written(f"{self.plain(e.op.name)}({', '.join(args)})", ATOM)

    def _leaf(self, leaf: Leaf) -> Written:
        numbers = leaf.array if leaf.name is None else self.values(leaf) if self.values else None
        if named := self.named(numbers):
            return Written(named, ATOM)
        if numbers is not None:
            return self.numbers(numbers, exact=leaf.name is None)
        assert leaf.name is not None
        return Written(self.name(leaf), POWER if leaf.through else ATOM)

    def name(self, leaf: Leaf) -> str:
        """What a value or gradient is called."""
        written, through = self.called(leaf.name or ""), self.called(leaf.through)
        written = f"{DELTA[self.latex]}{written}" if leaf.gradient else written
        if not leaf.through:
            return written
        return rf"{{{written}}}\big|_{{{through}}}" if self.latex else f"{written}|{through}"

    def named(self, value: Any) -> str | None:
        """What an array is called that has a name."""
        name = self.arrays(value) if self.arrays and isinstance(value, np.ndarray) else None
        return None if name is None else self.called(name)

    def called(self, name: str) -> str:
        """What a value of the tape is called. A name is one line."""
        name = self.rename(name) if self.rename else name
        written = latex_name(name) if self.latex else " ".join(name.split())
        return written if re.fullmatch(SIMPLE, name) else f"({written})"

    def numbers(self, value: Any, exact: bool = False) -> Written:
        """Numbers in a formula: a few digits of what was put in for a name, all of a constant's."""
        array = np.asarray(value)
        uniform = array.size == 1 or (
            array.size > 0 and array.dtype.kind not in "bc" and bool(np.all(array == array.flat[0]))
        )
        text = shown(array.flat[0], exact) if uniform else shown(array)
        if uniform and array.size > 1:  # with its shape, which may count
            text = {"1": f"ones{array.shape}", "0": f"zeros{array.shape}"}.get(
                text, f"full({array.shape}, {text})"
            )
        elif uniform and self.latex:
            text = re.sub(
                r"e([+−]?)0*(\d+)", lambda m: rf" \cdot 10^{{{m[1].strip('+')}{m[2]}}}", text
            )
        strength = SUM if "j" in text else SIGN if text.startswith("−") else ATOM
        return Written(
            self.plain(text)
            if re.search("[a-z]{3}|^.{0,2}\\[", text) and "cdot" not in text
            else self.ascii(text),
            strength,
        )

    def ascii(self, text: str) -> str:
        """Numbers, with the minus of the notation."""
        return text.replace("−", "-") if self.latex else text

    def words(self, text: str) -> str:
        """Words beside formulas."""
        return rf"\mbox{{{text}}}" if self.latex else text

    def plain(self, text: str) -> str:
        """Upright text, as names of functions are set."""
        return rf"\mathrm{{{escaped(text)}}}" if self.latex else text


TEXT, LATEX = Notation(), Notation(latex=True)
