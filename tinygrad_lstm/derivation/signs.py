"""The table of notation: the signs of operations, in text and in LaTeX, and how tightly they
hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from tinygrad_lstm.derivation.expression import Apply, Expression

# How tightly a formula holds together.
RELATION, SUM, SCOPE, SIGN, QUOTIENT, PRODUCT, MATRIX, POWER, ATOM = range(9)


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
INDICES = "nmkj"  # over which axes are summed
WIDEST = 150.0  # points: what is wider is not set in a fraction or under a root


class Pen(Protocol):
    """What writes a formula: :class:`Notation`, as the ways of writing single operations see it."""

    @property
    def latex(self) -> bool: ...

    @property
    def index(self) -> Callable[[int], str | None] | None: ...

    def __call__(self, e: Expression, strength: int) -> str: ...

    def form(self, name: str, args: tuple[Expression, ...]) -> Written: ...

    def function(self, e: Apply) -> Written: ...

    def named(self, value: Any) -> str | None: ...

    def plain(self, text: str) -> str: ...

    def ascii(self, text: str) -> str: ...
