"""The mistakes that people make in one branch of a derivative, as data: each runs on symbols, and
so writes its own formula."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lstm.comparison.chain import Chain, edge
from tinygrad_lstm.comparison.formulas import Formulas, Sent
from tinygrad_lstm.comparison.guesses import negated
from tinygrad_lstm.derivation.expression import Leaf, number, substitute, total
from tinygrad_lstm.derivation.notation import TEXT
from tinygrad_lstm.derivation.symbol import Symbol
from tinygrad_lstm.engine.names import signed
from tinygrad_lstm.engine.naming import block_of
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.recorder import block, recording
from tinygrad_lstm.engine.tape import Branch
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["Mistake", "Mistakes"]

# The local derivative of a function of one value, in the forms in which it is remembered; y is what
# the function returned.
FORMS: dict[str, Callable[[Any], Any]] = {
    "y": lambda y: y,
    "1 − y": lambda y: 1 - y,
    "y ∘ (1 − y)": lambda y: y * (1 - y),
    "y²": lambda y: y * y,
    "1 − y²": lambda y: 1 - y * y,
    "(1 − y)²": lambda y: (1 - y) * (1 - y),
    "1 + y²": lambda y: 1 + y * y,
}

PRODUCTS: dict[str, Callable[[Any, Any], Any]] = {
    "g ∘ v": lambda g, v: g * v,
    "g v": lambda g, v: g @ v,
    "g vᵀ": lambda g, v: g @ v.T,
    "gᵀ v": lambda g, v: g.T @ v,
    "v g": lambda g, v: v @ g,
    "vᵀ g": lambda g, v: v.T @ g,
}


class Mistake(NamedTuple):
    """One mistake in one branch.

    Attributes
    ----------
    label : str
        The same for the same mistake in every block.
    kind, words : str
        What it is called, and what the report says.
    run : callable
        From the gradient that arrives at the stage's output to what the branch sends back, as
        formula and numbers.
    """

    label: str
    kind: str
    words: str
    run: Callable[[Symbol], Sent]


class Mistakes(Formulas):
    """What can go wrong in the branches of a tape.

    Parameters
    ----------
    chain : Chain
        The chain rule on the values by hand.
    """

    def __init__(self, chain: Chain) -> None:
        super().__init__(chain)
        self._places = {id(x): i for i, x in enumerate(chain.order)}
        self._alike: dict[tuple[int, ...], list[Any]] = defaultdict(list)
        for x in self.tape.values:
            self._alike[x.shape].append(x)

    def simple(self, branch: Branch) -> Iterator[Mistake]:
        """The mistakes that can be searched for in a whole tape."""
        name = self.tape.label(branch.stage.output)
        yield Mistake(
            "0",
            "branch missing",
            f"the branch through {name} is missing",
            lambda g: _scaled(self.correct(branch, g), 0),
        )
        yield Mistake(
            "-1",
            "sign",
            f"the sign of the branch through {name} is flipped",
            lambda g: _scaled(self.correct(branch, g), -1),
        )
        yield from self._without(branch)
        yield from self._initial(branch)
        yield from self._forms(branch)

    def of(self, branch: Branch) -> Iterator[Mistake]:
        """Every mistake in a branch, the simpler ones first."""
        yield from self.simple(branch)
        yield from self._swapped(branch)
        yield from self._factors(branch)
        yield from self._other_values(branch)
        yield from self._other_gradients(branch)
        yield from self._products(branch)
        yield from self._batch(branch)
        yield from self._one_term(branch)

    def _without(self, branch: Branch) -> Iterator[Mistake]:
        """One of the two factors of the chain rule is not there."""
        node = branch.stage.output
        x = node._inputs[branch.argument]
        words = (
            "the local derivative of a branch was added without the gradient that arrives "
            "there (chain rule not applied)"
        )
        yield Mistake(
            "1",
            "chain rule",
            words,
            lambda g: self.correct(branch, Symbol(number(np.ones_like(g._array)))),
        )
        batch = node.ndim > x.ndim
        words = (
            "the sum over the batch is missing"
            if batch
            else "the gradient was passed on without the local derivative of the stage"
        )
        yield Mistake("g", "batch sum" if batch else "local factor", words, _written(lambda g: g))

    def _initial(self, branch: Branch) -> Iterator[Mistake]:
        """The initial state taken to be zero, directly or in what the stage reads."""
        for v in self._read(branch):
            inner = v._inputs if v._op is not None else (v,)
            first = [
                u
                for u in inner
                if isinstance(u, Node) and self.tape.name(u).block == 0 and np.any(u._array)
            ]
            if not first:
                continue
            zeros = [
                np.zeros_like(u._array) if any(u is f for f in first) else getattr(u, "_array", u)
                for u in inner
            ]
            array = zeros[0] if v._op is None else v._op.forward(*zeros, **v._params)
            names = ", ".join(self.tape.label(u) for u in first)
            text = "0" if v._op is None else f"{self.tape.label(v)} with {names} = 0"
            other = Symbol(Leaf(array, text))
            yield Mistake(
                f"initial {names}",
                "initial state",
                f"the initial state {names} was forgotten (taken to be 0)",
                self._with(branch, v, other),
            )

    def _swapped(self, branch: Branch) -> Iterator[Mistake]:
        """Another part of the gradient of a concatenation."""
        node = branch.stage.output
        if branch.stage.op != "concatenate":
            return
        axis = node._params.get("axis", 0)
        for k in dict.fromkeys(sign * x.shape[axis] for sign in (1, -1) for x in node._values):

            def run(g: Symbol, k: int = k) -> Sent:
                name = f"{TEXT.write(g.expression)} with its parts swapped"
                return self.correct(branch, Symbol(Leaf(np.roll(g._array, k, axis), f"({name})")))

            yield Mistake(
                f"roll {k}",
                "halves",
                f"the parts of the concatenation {self.tape.label(node)} are swapped",
                run,
            )

    def _forms(self, branch: Branch) -> Iterator[Mistake]:
        """A wrong form of the local derivative."""
        node = branch.stage.output
        x = node._inputs[branch.argument]
        for v in self._read(branch):
            for text, form in (
                FORMS.items() if len(node._inputs) == 1 and v.shape == x.shape == node.shape else ()
            ):
                words = (
                    f"the local derivative of {branch.stage.op} has a wrong form: "
                    f"{text.replace('y', self.label(v))}"
                )
                yield Mistake(
                    f"{text} {self.base(v)}", "local form", words, _form(form, self.symbol(v))
                )

    def _factors(self, branch: Branch) -> Iterator[Mistake]:
        """A factor too many, and a sum where a product belongs."""
        node = branch.stage.output
        for v in self._read(branch):
            for text, form in FORMS.items() if v.shape == node.shape else ():
                words = f"there is a factor too many: {text.replace('y', self.label(v))}"
                yield Mistake(
                    f"times {text} {self.base(v)}",
                    "extra factor",
                    words,
                    self._after(branch, _form(form, self.symbol(v))),
                )
        yield Mistake(
            "times g",
            "extra factor",
            "the gradient that arrives was multiplied in twice",
            self._after(branch, _written(lambda g: g * g)),
        )
        if node._inputs[branch.argument].shape == node.shape:
            words = (
                "the local derivative was added to the gradient that arrives, where the two "
                "have to be multiplied"
            )
            yield Mistake("plus", "sum for product", words, self._plus(branch))

    def _after(self, branch: Branch, change: Callable[[Symbol], Sent]) -> Callable[[Symbol], Sent]:
        """The rule, run on a gradient that was changed before it arrived."""

        def run(g: Symbol) -> Sent:
            formula, array = change(g)
            changed = Symbol(Leaf(array, "g", gradient=True))
            rule, result = self.correct(branch, changed)
            return substitute(rule, {changed.leaf: formula}), result

        return run

    def _plus(self, branch: Branch) -> Callable[[Symbol], Sent]:
        def plus(g: Symbol) -> Sent:
            formula, array = self.correct(branch, Symbol(number(np.ones_like(g._array))))
            return total([g.expression, formula]), g._array + array

        return plus

    def _other_values(self, branch: Branch) -> Iterator[Mistake]:
        """A value of another block or gate where the right one belongs, or its transpose."""
        for v in self._read(branch):
            if v.ndim == 2 and v.shape[0] == v.shape[1]:
                name = self.label(v)
                words = f"{name} is transposed where it must not be, or the other way round"
                yield Mistake(
                    f"{self.base(v)}ᵀ",
                    "transpose",
                    words,
                    self._with(branch, v, self.transposed(v)),
                )
            for w in self._near(branch, v):
                name, other = self.base(v), self.base(w)
                words = f"{self.label(w)} was used where {self.label(v)} belongs"
                kind, where = (
                    ("wrong block", _shift(v, w))
                    if name == other
                    else ("wrong value", other + _shift(v, w))
                )
                yield Mistake(
                    f"{where} for {name}", kind, words, self._with(branch, v, self.symbol(w))
                )

    def _other_gradients(self, branch: Branch) -> Iterator[Mistake]:
        """The gradient of another value, or a part of the right one, multiplied with this branch's
        local derivative."""
        node = branch.stage.output
        fork = self.passed(node)
        for i, part in enumerate(
            branches if len(branches := self.chain.gradients.branches(fork)) > 1 else (), 1
        ):
            through, name = self.tape.label(part.stage.output), self.tape.label(fork)
            g = Symbol(Leaf(self.chain.sent[edge(part)], f"δ{name}|{through}"))
            words = (
                f"only branch {i} of δ{name} (through {through}) was carried on; the fork "
                f"has {len(branches)}"
            )
            yield Mistake(
                f"branch {i} {self.base(fork)}", "wrong gradient", words, self._arriving(branch, g)
            )
        value = self._places[id(node._inputs[branch.argument])]
        for w in self._near(branch, node):
            known = self._places.get(id(w), value) < value  # backward has come past it already
            if known and not np.array_equal(self.chain.totals[id(w)], self.chain.totals[id(node)]):
                g = self.gradient(w)
                words = (
                    f"the gradient δ{self.tape.label(w)} was used where "
                    f"δ{self.tape.label(node)} belongs"
                )
                yield Mistake(
                    f"δ{self.base(w)}{_shift(node, w)}",
                    "wrong gradient",
                    words,
                    self._arriving(branch, g),
                )

    def _arriving(self, branch: Branch, g: Symbol) -> Callable[[Symbol], Sent]:
        return lambda _: self.correct(branch, g)

    def _products(self, branch: Branch) -> Iterator[Mistake]:
        node = branch.stage.output
        others = [
            v for i, v in enumerate(node._inputs) if i != branch.argument and isinstance(v, Tensor)
        ]
        for v in others if node.ndim == 2 else ():
            if v.ndim != 2:
                continue
            for text, product in PRODUCTS.items():
                if text == "g ∘ v":
                    kind, words = (
                        "elementwise",
                        "an elementwise product stands where a matrix product belongs",
                    )
                else:
                    kind, words = (
                        "matrix product",
                        "a matrix product stands where an elementwise product belongs",
                    )
                if branch.stage.op != "multiply" and text != "g ∘ v":
                    kind, words = (
                        "transpose",
                        "the factors of the matrix product are transposed or in the wrong order",
                    )
                yield Mistake(text, kind, words, _with_value(product, self.symbol(v)))

    def _batch(self, branch: Branch) -> Iterator[Mistake]:
        """Only one row of the batch, where the rule sums over all of them."""
        node = branch.stage.output
        x = node._inputs[branch.argument]
        if (
            node.ndim < 2
            or node.shape[0] < 2
            or node.shape[0] > 64
            or (x.ndim and x.shape[0] == node.shape[0] and x.ndim == node.ndim)
        ):
            return
        for n in (0, node.shape[0] - 1):

            def run(g: Symbol, n: int = n) -> Sent:
                one = np.zeros_like(g._array)
                one[n] = g._array[n]
                return self.correct(
                    branch,
                    Symbol(
                        Leaf(one, f"{TEXT.write(g.expression)} of row {n} alone", gradient=False)
                    ),
                )

            yield Mistake(
                f"row {n}",
                "batch sum",
                f"the sum over the batch is missing: only row {n} is there",
                run,
            )

    def _one_term(self, branch: Branch) -> Iterator[Mistake]:
        """Only one term of a rule that is a sum or a difference."""
        for i, _ in enumerate(self.terms(branch, self.gradient(branch.stage.output))):
            words = f"a term of the rule of {branch.stage.op} is missing"
            yield Mistake(f"term {i}", "term missing", words, partial(self._term, branch, i))

    def _term(self, branch: Branch, i: int, g: Symbol) -> Sent:
        return self.terms(branch, g)[i]

    def _with(self, branch: Branch, v: Any, other: Symbol) -> Callable[[Symbol], Sent]:
        return lambda g: self.correct(branch, g, {id(v): other})

    def _read(self, branch: Branch) -> list[Any]:
        """What a rule may have read: the output and the inputs, each once."""
        node = branch.stage.output
        return list({id(v): v for v in (node, *node._inputs) if isinstance(v, Node)}.values())

    def _near(self, branch: Branch, v: Any) -> list[Any]:
        """Values of the shape of `v` in the same block, those beside it, or none; what has its own
        name in another block first."""
        at = branch.stage.block
        near = [
            w
            for w in self._alike[v.shape]
            if w is not v and (at is None or (t := block_of(w)) is None or abs(t - at) <= 1)
        ]
        return sorted(
            near, key=lambda w: (self.base(w) != self.base(v), block_of(w) not in (at, None))
        )


def _shift(v: Any, w: Any) -> str:
    """How many blocks `w` is away from `v`."""
    a, b = block_of(v), block_of(w)
    return f"<t{signed(b - a)}>" if a is not None and b is not None and a != b else ""


def _form(form: Callable[[Any], Any], v: Symbol) -> Callable[[Symbol], Sent]:
    return _written(lambda g: g * form(v))


def _with_value(product: Callable[[Any, Any], Any], v: Symbol) -> Callable[[Symbol], Sent]:
    return _written(lambda g: product(g, v))


def _scaled(right: Sent, factor: int) -> Sent:
    """Nothing, or the opposite."""
    formula, array = right
    return (negated(formula) if factor else number(0.0)), factor * array


def _written(product: Callable[..., Any]) -> Callable[[Symbol], Sent]:
    def run(g: Symbol) -> Sent:
        with recording(True), block(None), np.errstate(all="ignore"):
            result = product(g)
        return result.expression, result._array

    return run
