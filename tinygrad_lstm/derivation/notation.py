"""How formulas are written: as text, and as LaTeX that needs no package. One table for both."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lstm.derivation.expression import Apply, Expression, Leaf
from tinygrad_lstm.derivation.latex import escaped, latex_name
from tinygrad_lstm.derivation.linebreak import width
from tinygrad_lstm.engine.memory import SCALARS

__all__ = ["LATEX", "TEXT", "Notation"]

RELATION, SUM, SCOPE, SIGN, QUOTIENT, PRODUCT, MATRIX, POWER, ATOM = range(
    9
)  # how tightly a formula holds together


class Written(NamedTuple):
    """A formula as a string, and how tightly it holds together."""

    text: str
    strength: int


class Form(NamedTuple):
    """How an operation is written: in text, in LaTeX, how tightly that holds, and how tightly each
    argument has to."""

    text: str
    latex: str
    strength: int
    needs: tuple[int, ...]


def _call(text: str, latex: str) -> Form:
    return Form(text, latex, ATOM, (RELATION,))


def _infix(text: str, latex: str, strength: int, left: int, right: int) -> Form:
    return Form(f"{{}} {text} {{}}", f"{{}} {latex} {{}}", strength, (left, right))


# In LaTeX an accented letter alone in a group is no group: the {} behind it keeps its block apart
# from the exponent.
GROUP = "{{{}{{}}}}"
FORMS = {
    "add": _infix("+", "+", SUM, SUM, SCOPE),
    "subtract": _infix("−", "-", SUM, SUM, QUOTIENT),
    "negative": Form("−{}", "-{}", SIGN, (QUOTIENT,)),
    "multiply": _infix("∘", r"\odot", PRODUCT, SIGN, PRODUCT),
    "scale": _infix("·", r"\cdot", PRODUCT, SIGN, PRODUCT),  # a product with a single number
    "divide": Form("{} / {}", r"\frac{{{}}}{{{}}}", QUOTIENT, (SIGN, MATRIX)),
    "divide, wide": Form("{} / {}", "{} / {}", QUOTIENT, (SIGN, MATRIX)),
    "sqrt, wide": _call("√({})", r"\mathrm{{sqrt}}\left({}\right)"),
    "matmul": Form("{} {}", "{} {}", MATRIX, (MATRIX, MATRIX)),
    "linear": Form(
        "{} {}ᵀ + {}", r"{} {{{}{{}}}}^{{\top}} + {}", SUM, (MATRIX, ATOM, SCOPE)
    ),  # each row of a batch is a row
    "squared_error": Form(
        "½ Σ({1} − {0})²", r"\frac{{1}}{{2}} \sum ({1} - {0})^{{2}}", SCOPE, (QUOTIENT, SUM)
    ),
    "outer": _infix("⊗", r"\otimes", SCOPE, MATRIX, MATRIX),
    "transpose": Form("{}ᵀ", r"{{{}{{}}}}^{{\top}}", POWER, (ATOM,)),
    "square": Form("{}²", "{{{}{{}}}}^{{2}}", POWER, (ATOM,)),
    "power": Form("{}^{}", "{{{}{{}}}}^{{{}}}", POWER, (ATOM, ATOM)),
    "reciprocal": Form("1 / {}", r"\frac{{1}}{{{}}}", QUOTIENT, (MATRIX,)),
    "sigmoid": _call("σ({})", r"\sigma({})"),
    "absolute": _call("|{}|", r"\left|{}\right|"),
    "abs": _call("|{}|", r"\left|{}\right|"),
    "sqrt": _call("√({})", r"\sqrt{{{}}}"),
    "exp": _call("exp({})", r"\exp({})"),
    "log": _call("log({})", r"\log({})"),
    "tanh": _call("tanh({})", r"\tanh({})"),
    "sin": _call("sin({})", r"\sin({})"),
    "cos": _call("cos({})", r"\cos({})"),
    "total": Form("Σ {}", r"\sum {}", SCOPE, (PRODUCT,)),  # the sum of all entries
    "conj": Form("{}*", r"\overline{{{}}}", POWER, (ATOM,)),
    "greater": _infix(">", ">", RELATION, SUM, SUM),
    "greater_equal": _infix("≥", r"\ge", RELATION, SUM, SUM),
    "less": _infix("<", "<", RELATION, SUM, SUM),
    "less_equal": _infix("≤", r"\le", RELATION, SUM, SUM),
    "equal": _infix("=", "=", RELATION, SUM, SUM),
    "not_equal": _infix("≠", r"\ne", RELATION, SUM, SUM),
    "logical_and": _infix("∧", r"\wedge", RELATION, SUM, SUM),
    "logical_or": _infix("∨", r"\vee", RELATION, SUM, SUM),
    "logical_not": Form("¬{}", r"\neg {}", SIGN, (QUOTIENT,)),
}

DELTA = "δ", r"\delta "  # in text and in LaTeX
SIMPLE = r"[\w~^#.…]+(<[^<>\s]*>)?(#\d+)?"  # a name that needs no brackets
WRITTEN = (  # parameters of these types; a function or a generator says nothing in a formula
    *(*SCALARS, str, type(None), type(...), type, np.dtype, np.ndarray),
    *(tuple, list, slice),
)
INDICES = "nmkj"  # over which axes are summed
WIDEST = 150.0  # points: what is wider is not set in a fraction or under a root


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
            self._form(e.op.name, e.args)
            if e.op.name in FORMS and not e.params
            else self._function(e)
        )

    def _form(self, name: str, args: tuple[Expression, ...]) -> Written:
        form = FORMS[name]
        texts = [self(arg, need) for arg, need in zip(args, form.needs, strict=True)]
        template = form.latex if self.latex else form.text
        if texts[0].startswith(r"\left("):
            template = template.replace(GROUP, "{}")  # a line may break in brackets, in no group
        return Written(template.format(*texts), form.strength)

    def _function(self, e: Apply) -> Written:
        args = [self(arg, RELATION) for arg in e.args]
        usual = inspect.signature(e.op.forward).parameters
        told = {
            key: value
            for key, value in e.params.items()
            if isinstance(value, WRITTEN)
            and (key not in usual or not _same(usual[key].default, value))
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


def _added(notation: Notation, e: Apply) -> Written:
    first, *others = (notation(arg, SCOPE if i else SUM) for i, arg in enumerate(e.args))
    minus = notation.ascii("−")
    return Written(
        first
        + "".join(
            f" {minus} {term[1:]}" if term.startswith(minus) else f" + {term}" for term in others
        ),
        SUM,
    )


def _joined(notation: Notation, e: Apply) -> Written:
    """``[a, x]``, where arrays are joined along their last axis."""
    axis = e.params.get("axis", 0)
    if axis not in (-1, len(e.shape) - 1):
        return notation._function(replace(e, params={"axis": axis}))
    return Written(f"[{', '.join(notation(arg, SUM) for arg in e.args)}]", ATOM)


def _products(notation: Notation, e: Apply) -> Written | None:
    return notation._form("scale", e.args) if any(arg.shape == () for arg in e.args) else None


def _transposed(notation: Notation, e: Apply) -> Written | None:
    if len(e.shape) == 2 and e.params.get("axes") is None:
        return notation._form("transpose", e.args)
    if e.op.name == "transpose":
        return None
    axes = ", ".join(notation.ascii(shown(e.params.get(f"axis{i}", -i))) for i in (1, 2))
    return Written(f"{notation.plain('swapaxes')}({notation(e.args[0], SUM)}, {axes})", ATOM)


def _summed(notation: Notation, e: Apply) -> Written | None:
    """``Σ_n v[n, :]``: which axes are summed is seen in the brackets."""
    x, axis = e.args[0], e.params.get("axis")
    if e.params.get("keepdims"):
        return None
    axes = (
        range(len(x.shape))
        if axis is None
        else [i % len(x.shape) for i in np.atleast_1d(axis).tolist()]
    )
    if len(axes) == len(x.shape):
        return notation._form("total", (x,))
    if len(axes) > len(INDICES):
        return None
    letters = dict(zip(axes, INDICES, strict=False))
    key = ", ".join(letters.get(i, ":") for i in range(len(x.shape)))
    names = ", ".join(letters.values())
    sign = rf"\sum_{{{names}}}" if notation.latex else f"Σ_{names.replace(', ', '')}"
    return Written(f"{sign} {notation(x, ATOM)}[{key}]", SCOPE)


def _indexed(notation: Notation, e: Apply) -> Written:
    return Written(
        f"{notation(e.args[0], ATOM)}[{_key(notation, e.params['key'], e.args[0].shape)}]", ATOM
    )


def _scattered(notation: Notation, e: Apply) -> Written:
    key = _key(notation, e.params["key"], e.shape)
    return Written(
        f"{notation.plain('scatter')}({notation(e.args[0], SUM)}, [{key}], {shown(e.shape)})", ATOM
    )


def _reshaped(notation: Notation, e: Apply) -> Written:
    return Written(
        f"{notation.plain(e.op.name)}({notation(e.args[0], SUM)}, {shown(e.shape)})", ATOM
    )


def _key(notation: Notation, key: Any, shape: tuple[int, ...]) -> str:
    parts = key if isinstance(key, tuple) else (key,)
    reads = [
        0
        if part is None or part is ...
        else part.ndim
        if isinstance(part, np.ndarray) and part.dtype == bool
        else 1
        for part in parts
    ]
    axes = [
        sum(reads[:i]) + (len(shape) - sum(reads)) * any(part is ... for part in parts[:i])
        for i in range(len(parts))
    ]
    written = (
        notation.named(part)
        or _position(notation, part, shape[axis] if axis < len(shape) else None)
        for part, axis in zip(parts, axes, strict=True)
    )
    return ", ".join(written) or "()"


def _position(notation: Notation, part: Any, length: Any) -> str:
    if not isinstance(part, slice):
        text = _counted(notation, part) or shown(part)
        return notation.plain(text) if re.search("[a-z]{2}", text) else notation.ascii(text)
    start = _counted(notation, part.start) or ("" if part.start in (None, 0) else str(part.start))
    stop = _counted(notation, part.stop) or ("" if part.stop in (None, length) else str(part.stop))
    text = f"{start}:{stop}" + (f":{part.step}" if part.step not in (None, 1) else "")
    return notation.ascii(text)


def _counted(notation: Notation, i: Any) -> str | None:
    """A position that is counted from the block."""
    return notation.index(i) if notation.index and isinstance(i, int) else None


def _power(notation: Notation, e: Apply) -> Written | None:
    exponent = e.args[1]
    whole = (
        isinstance(exponent, Leaf)
        and exponent.name is None
        and exponent.shape == ()
        and exponent.array == 2
    )
    return notation._form("square", e.args[:1]) if whole else None


def _divided(notation: Notation, e: Apply) -> Written | None:
    """In one line where a fraction would be too wide to be broken."""
    wide = notation.latex and any(width(notation(arg, SUM)) > WIDEST for arg in e.args)
    return notation._form("divide, wide", e.args) if wide else None


def _root(notation: Notation, e: Apply) -> Written | None:
    wide = notation.latex and width(notation(e.args[0], SUM)) > WIDEST
    return notation._form("sqrt, wide", e.args) if wide else None


SPECIALS: dict[str, Callable[[Notation, Apply], Written | None]] = {
    "add_n": _added,
    "concatenate": _joined,
    "multiply": _products,
    "transpose": _transposed,
    "swapaxes": _transposed,
    "sum": _summed,
    "index": _indexed,
    "scatter": _scattered,
    "reshape": _reshaped,
    "broadcast_to": _reshaped,
    "power": _power,
    "divide": _divided,
    "sqrt": _root,
}


def _same(usual: Any, value: Any) -> bool:
    """Whether a parameter is what it is by default."""
    if usual is None or isinstance(value, np.ndarray):  # None == np.dtype(float), to NumPy
        return usual is value
    return bool(usual == value)


def shown(value: Any, exact: bool = False) -> str:
    """A number, array or index as it is written, a long array by its shape. An exact number is
    written with all its digits."""
    if isinstance(value, str):
        return repr(value)
    if isinstance(value, (bool, np.bool_)) or value is None:
        return str(value)
    if isinstance(value, SCALARS):
        brief = f"{value:.6g}"
        return (brief if not exact or type(value)(brief) == value else str(value)).replace("-", "−")
    if isinstance(value, np.ndarray):
        if value.size > 9:
            return f"array{value.shape}"
        text = np.array2string(
            value, separator=" ", formatter={"float_kind": "{:.4g}".format, "int_kind": str}
        )
        return " ".join(text.replace("-", "−").split())
    if isinstance(value, (tuple, list)):
        return f"({', '.join(map(shown, value))}{',' * (len(value) == 1)})"
    if isinstance(value, slice):
        return _position(TEXT, value, None)
    return "..." if value is Ellipsis else getattr(value, "__name__", str(value))


TEXT, LATEX = Notation(), Notation(latex=True)
