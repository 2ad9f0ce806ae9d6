"""Expressions: formulas as data. What the derivative rules record when they run on symbols, ready
to be written or evaluated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_lstm.engine.memory import SCALARS
from tinygrad_lstm.engine.operation import Operation
from tinygrad_lstm.ops.elementwise import negative, square
from tinygrad_lstm.ops.reduce import add_n
from tinygrad_lstm.ops.shape import broadcast_to, transpose

__all__ = [
    "Apply",
    "Expression",
    "Leaf",
    "apply",
    "evaluate",
    "is_number",
    "leaves",
    "number",
    "occurrences",
    "parts",
    "substitute",
    "total",
]


@dataclass(frozen=True, eq=False)
class Leaf:
    """A value with a name, a gradient (``δ`` and the name of its value), or a number.

    Attributes
    ----------
    array : ndarray or scalar
        What was recorded. Of a gradient only its shape and dtype count: its value is what its own
        line says.
    name : str or None
        None for a number.
    gradient : bool
        Whether it stands for the derivative by the value of that name.
    through : str
        Where only some paths count: the value through which they lead.
    """

    array: Any
    name: str | None = None
    gradient: bool = False
    through: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        array = self.array
        return array.shape if isinstance(array, np.ndarray) else np.shape(array)


@dataclass(frozen=True, eq=False)
class Apply:
    """An operation applied to expressions."""

    op: Operation
    args: tuple[Expression, ...]
    params: Mapping[str, Any]
    shape: tuple[int, ...]


Expression = Leaf | Apply


def is_number(e: Expression, number: float) -> bool:
    """Whether `e` is this number, or an array of nothing else."""
    return (
        isinstance(e, Leaf)
        and e.name is None
        and np.size(e.array) > 0
        and bool(np.all(np.equal(e.array, number)))
    )


def apply(
    op: Operation, args: tuple[Expression, ...], params: Mapping[str, Any], shape: tuple[int, ...]
) -> Expression:
    """`op` applied to `args`, without what would only be in the reader's way: times one, plus zero,
    a double transpose."""
    plain = SIMPLER.get(op.name)
    simpler = plain(args, params, shape) if plain else None
    if simpler is not None and simpler.shape == shape:
        return simpler
    return Apply(op, args, params, shape)


def total(terms: Sequence[Expression]) -> Expression:
    """The sum, in the order of the terms."""
    return terms[0] if len(terms) == 1 else Apply(add_n.op, tuple(terms), {}, terms[0].shape)


def _times(args: Any, params: Any, shape: Any) -> Expression | None:
    for one, other in (args, args[::-1]):
        if is_number(one, 1):
            return other  # type: ignore[no-any-return]
        if is_number(one, -1) or (
            isinstance(one, Apply) and one.op.name == "negative" and is_number(one.args[0], 1)
        ):
            return apply(negative.op, (other,), {}, other.shape)
    return apply(square.op, args[:1], {}, shape) if args[0] is args[1] else None


def _plus(args: Any, params: Any, shape: Any) -> Expression | None:
    return next(
        (
            other
            for zero, other in (args, args[::-1])
            if is_number(zero, 0) and other.shape == shape
        ),
        None,
    )


def _undone(name: str) -> Callable[[Any, Any, Any], Expression | None]:
    """What is left of an operation that, done twice in the same way, changes nothing."""

    def simpler(args: Any, params: Any, shape: Any) -> Expression | None:
        inner = args[0]
        if name != "negative" and name != "conj" and isinstance(inner, Leaf) and inner.name is None:
            return _shaped(args, params, shape)
        again = (
            isinstance(inner, Apply)
            and inner.op.name == name
            and inner.params == params
            and params.get("axes") is None
        )
        if again:
            return inner.args[0]  # type: ignore[no-any-return]
        return _turned(inner, params, shape) if name in ("transpose", "swapaxes") else None

    return simpler


def _turned(inner: Expression, params: Any, shape: Any) -> Expression | None:
    """``(A B)ᵀ`` as ``Bᵀ Aᵀ``, where that takes a transpose away; a vector is its own transpose."""
    if len(shape) < 2:
        return inner
    if len(shape) != 2 or params.get("axes") is not None:
        return None
    if not isinstance(inner, Apply) or inner.op.name != "matmul":
        return None
    if any(len(f.shape) != 2 for f in inner.args) or not any(map(_is_turned, inner.args)):
        return None
    turned = [apply(transpose.op, (f,), {}, f.shape[::-1]) for f in reversed(inner.args)]
    return Apply(inner.op, tuple(turned), {}, shape)


def _is_turned(e: Expression) -> bool:
    return isinstance(e, Apply) and e.op.name == "transpose" and e.params.get("axes") is None


def _shaped(args: Any, params: Any, shape: Any) -> Expression | None:
    """Nothing, where the shape stays; and one number in any shape is that number."""
    x = args[0]
    if isinstance(x, Leaf) and x.name is None and np.size(x.array) == 1:
        return Leaf(np.broadcast_to(np.reshape(x.array, ()), shape))
    return x if x.shape == shape else None


def _broadcast(args: Any, params: Any, shape: Any) -> Expression | None:
    x = args[0]
    if isinstance(x, Apply) and x.op.name == "reshape" and x.args[0].shape == ():
        return apply(broadcast_to.op, x.args, params, shape)  # a single number broadcasts by itself
    return _shaped(args, params, shape)


def _power(args: Any, params: Any, shape: Any) -> Expression | None:
    return (
        args[0]
        if is_number(args[1], 1)
        else Leaf(np.broadcast_to(1.0, shape))
        if is_number(args[1], 0)
        else None
    )


def _summed(args: Any, params: Any, shape: Any) -> Expression | None:
    """One, for the sum of a one-hot code."""
    x, axis = args[0], params.get("axis")
    ones = isinstance(x, Apply) and x.op.name == "one_hot" and x.params.get("axis", -1) == axis
    return Leaf(np.broadcast_to(1.0, shape)) if ones else None


SIMPLER: dict[str, Callable[[Any, Any, Any], Expression | None]] = {
    "multiply": _times,
    "divide": lambda args, params, shape: args[0] if is_number(args[1], 1) else None,
    "add": _plus,
    "subtract": lambda args, params, shape: args[0] if is_number(args[1], 0) else None,
    "negative": _undone("negative"),
    "transpose": _undone("transpose"),
    "swapaxes": _undone("swapaxes"),
    "conj": _undone("conj"),
    "power": _power,
    "sum": _summed,
    "reshape": _shaped,
    "broadcast_to": _broadcast,
}


def parts(*expressions: Expression) -> list[Expression]:
    """Everything that formulas are made of, each part once and before what it is part of. No
    recursion, whatever the depth."""
    found: dict[int, Expression] = {}
    pending = list(reversed(expressions))
    while pending:
        e = pending[-1]
        inside = (
            [arg for arg in reversed(e.args) if id(arg) not in found]
            if isinstance(e, Apply) and id(e) not in found
            else []
        )
        if inside:
            pending += inside
        else:
            found.setdefault(id(pending.pop()), e)
    return list(found.values())


def leaves(*expressions: Expression) -> Iterator[Leaf]:
    """The leaves from left to right, each once."""
    return (e for e in parts(*expressions) if isinstance(e, Leaf))


def evaluate(e: Expression, gradients: Mapping[Leaf, Any]) -> Any:
    """The value of a formula: each operation's forward function on the values of its arguments.

    Parameters
    ----------
    e : Expression
        The formula.
    gradients : mapping of Leaf to array
        The values of the gradients in it, and of what else is not what was recorded.
    """
    values: dict[int, Any] = {}
    with np.errstate(all="ignore"):  # forward has warned
        for part in parts(e):
            if isinstance(part, Leaf):
                value = None if part.gradient else part.array
                values[id(part)] = gradients.get(part, value)
            else:
                values[id(part)] = part.op.forward(
                    *(values[id(arg)] for arg in part.args), **part.params
                )
    return values[id(e)]


def substitute(e: Expression, formulas: Mapping[Leaf, Expression]) -> Expression:
    """`e` with a formula in the place of each leaf that has one."""
    done: dict[int, Expression] = {}
    for part in parts(e):
        if isinstance(part, Leaf):
            done[id(part)] = formulas.get(part, part)
        else:
            args = tuple(done[id(arg)] for arg in part.args)
            same = all(a is b for a, b in zip(args, part.args, strict=True))
            done[id(part)] = part if same else apply(part.op, args, part.params, part.shape)
    return done[id(e)]


def occurrences(e: Expression) -> dict[Leaf, int]:
    """How often each leaf is written."""
    counts: dict[int, Counter[Leaf]] = {}
    for part in parts(e):
        found: Counter[Leaf] = Counter()
        for arg in part.args if isinstance(part, Apply) else ():
            found.update(counts[id(arg)])
        counts[id(part)] = found if isinstance(part, Apply) else Counter([part])
    return dict(counts[id(e)])


def number(value: Any) -> Leaf:
    """A number or an array of numbers, as a leaf."""
    return Leaf(value if isinstance(value, SCALARS) else np.asarray(value))
