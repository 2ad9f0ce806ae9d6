"""Operations: a forward function and one derivative rule per argument; calling one records a stage.

An operation is *data*: its forward function and its rules are plain named functions in NumPy
notation. A rule is a pure function ``rule(gradient, output, *inputs, **parameters)`` that returns
the contribution of one argument. Since it says nothing about the kind of value it works on, the
same rule runs on arrays (backward), on Tensors (gradients of gradients) and on symbols (the chain
rule written out).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy import ndarray

from tinygrad_lstm.engine.arguments import Each, bound, complaint, described, missing
from tinygrad_lstm.engine.arrays import Params, Value
from tinygrad_lstm.engine.memory import SCALARS, array_like, frozen, own, unbroadcast
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.state import detector, recorder, watching
from tinygrad_lstm.errors import DataError, Error

__all__ = ["NUMPY", "Operation", "implements", "operation", "unbroadcast"]

Function = TypeVar("Function", bound=Callable[..., Any])
Rule = Callable[..., Any]  # rule(gradient, output, *inputs, **parameters)


KINDS = ("arithmetic", "function", "product", "reduction", "move", "loss", "other")


class Operation:
    """A forward function with one derivative rule per argument.

    Parameters
    ----------
    forward : callable
        ``forward(*inputs, **parameters)`` on arrays. Arguments without a default are inputs and get
        a rule each; the others are parameters. A forward function of ``*inputs`` takes any number
        of them and has one rule, declared as ``rule(gradient, output, inputs, argument,
        **parameters)``; `rules` binds the argument.
    name : str, optional
        What tapes, pictures and errors call it, where that is not the function's name.
    analytic : bool, default False
        Whether `forward` also computes the function's analytic continuation when it is given
        complex arrays. :func:`gradcheck` uses the complex step where all stages do.
    elementwise : bool, default False
        Whether each entry of the output depends on one entry of each input, with broadcasting (of a
        loss: where it is not reduced). The guard of branches not taken asks for it; see
        :mod:`tinygrad_lstm.engine.walk`.
    kind : {"arithmetic", "function", "product", "reduction", "move", "loss", "other"}
        What sort of step it is, which pictures show: arithmetic entry by entry, a function of each
        entry, a product that sums, a sum or its like, entries put together or picked out, a loss.

    Attributes
    ----------
    arguments : tuple of str
        The names of the inputs, in order; empty when their number is open.
    variadic : bool
        Whether the number of inputs is open.
    rules : sequence of callable
        The derivative rules by argument, each called as ``rules[i](gradient, output, *inputs,
        **parameters)``; empty for an operation without a derivative (a comparison).
    """

    __slots__ = (
        *("analytic", "arguments", "elementwise", "forward", "kind"),
        *("name", "parameters", "rules", "variadic"),
    )

    analytic: bool
    arguments: tuple[str, ...]
    elementwise: bool
    forward: Callable[..., Any]
    name: str
    parameters: tuple[str, ...]
    variadic: bool

    def __init__(
        self,
        forward: Callable[..., Any],
        name: str | None = None,
        analytic: bool = False,
        elementwise: bool = False,
        kind: str = "other",
    ) -> None:
        self.name = name or forward.__name__
        if kind not in KINDS:
            kinds, got = ", ".join(KINDS), repr(kind)
            raise DataError("no such kind of operation", where=self.name, expected=kinds, got=got)
        self.kind, self.forward = kind, forward
        self.analytic, self.elementwise = analytic, elementwise
        signature = inspect.signature(forward).parameters.values()
        self.variadic = any(p.kind is p.VAR_POSITIONAL for p in signature)
        fixed = [p for p in signature if p.kind is p.POSITIONAL_OR_KEYWORD]
        self.arguments = tuple(p.name for p in fixed if p.default is p.empty)
        self.parameters = tuple(p.name for p in fixed if p.default is not p.empty)
        self.rules: Any = ()

    def rule(self, function: Function) -> Function:
        """Declare the derivative rule of an argument: a decorator for
        ``<operation>_<argument>``."""
        names = [f"{self.name}_{argument}" for argument in self.arguments or ("i",)]
        if function.__name__ not in names:
            raise Error(
                "a derivative rule is named after its operation and argument",
                expected=" or ".join(names),
                got=function.__name__,
            )
        if self.variadic:
            self.rules = Each(function)
        else:
            declared: Any = self.rules or self.missing()
            rules = list(declared)
            rules[names.index(function.__name__)] = function
            self.rules = tuple(rules)
        return function

    def send(
        self, argument: int, g: Value, output: Value, inputs: Sequence[Value], params: Params
    ) -> Value:
        """What the rule of an argument returns: ``rules[argument](g, output, *inputs, **params)``,
        but not at the cost of all inputs where their number is open."""
        if self.variadic:
            return self.rules.rule(g, output, inputs, argument, **params)
        return self.rules[argument](g, output, *inputs, **params)

    def missing(self) -> tuple[Rule, ...] | Each:
        """What stands in for the rules until they are declared: it says so when it is needed."""
        if self.variadic:
            return Each(missing(f"{self.name}_i"))
        return tuple(missing(f"{self.name}_{argument}") for argument in self.arguments)

    def __repr__(self) -> str:
        return f"<Operation {self.name}>"


class Recorded(Protocol):
    """A function that computes an operation and records it; its rules are declared with
    ``@<name>.rule``."""

    op: Operation
    __name__: str

    def rule(self, function: Function) -> Function: ...

    def __call__(self, *inputs: Any, **params: Any) -> Any: ...


def recorded(op: Operation) -> Recorded:
    """The function that computes `op` and records a stage.

    Given plain arrays it returns a plain array. Given a Tensor anywhere it returns a Tensor, and
    records the stage when one of its inputs requires gradients.
    """
    forward, arity = op.forward, None if op.variadic else len(op.arguments)

    @functools.wraps(forward)
    def call(*inputs: Any, **params: Any) -> Any:
        if len(inputs) != arity and arity is not None:
            inputs, params = bound(op, inputs, params)
        node, record, foreign = None, False, False  # a Tensor among the inputs, if there is one
        values: Any = []
        for x in inputs:
            if isinstance(x, Node):
                node = x
                record = record or x._requires_grad
                values.append(x._array if x._lent is None else x._snapshot())
            else:
                foreign = True
                values.append(x)
        if node is None:
            return forward(*map(array_like, values), **params)
        record = record and recorder().enabled and (op.rules or node.symbolic)
        if record and (foreign or params):
            inputs, params = _keep(inputs, values, node, params)
        elif foreign:
            values = map(array_like, values)
        values = tuple(values)
        watch = watching and detector()
        try:
            if watch:
                values, array = watch.compute(op, inputs, values, params)
            elif type(array := forward(*values, **params)) is not ndarray:
                array = np.asarray(array)  # NumPy returns scalars for 0-d results
        except (ValueError, IndexError, TypeError, RecursionError) as error:
            raise complaint(op, error, inputs, values) from error
        output = node._computed(array, op, inputs, values, params) if record else node._leaf(array)
        if watch:
            watch.forward(output, op, inputs, values)
        return output

    call.op, call.rule, call.__doc__ = op, op.rule, described(op)  # type: ignore[attr-defined]
    return call  # type: ignore[return-value]


def _keep(
    inputs: tuple[Value, ...], values: list[Value], node: Node, params: Params
) -> tuple[tuple[Value, ...], Params]:
    """What a stage keeps of its inputs and parameters: of arrays copies, since their owner may edit
    them before backward. Those among the inputs become leaves."""
    kept = list(inputs)
    for i, x in enumerate(inputs):
        if not isinstance(x, (Node, SCALARS)):
            values[i] = own(x)
            kept[i] = node._leaf(values[i])
    return tuple(kept), {key: frozen(value) for key, value in params.items()}


NUMPY: dict[Any, Callable[..., Any]] = {}
"""NumPy's functions that work on Tensors, and what computes them here."""


def implements(*functions: Any) -> Callable[[Function], Function]:
    """Declare what computes NumPy's `functions` when they are given a Tensor."""

    def declare(ours: Function) -> Function:
        NUMPY.update(dict.fromkeys(functions, ours))
        return ours

    return declare


def operation(*functions: Any, **options: Any) -> Callable[[Callable[..., Any]], Recorded]:
    """Make a recorded function of a forward function, known to NumPy as `functions`.

    Its rules follow with ``@<name>.rule``, one for each argument. The options are those of
    :class:`Operation`.
    """

    def declare(forward: Callable[..., Any]) -> Recorded:
        return implements(*functions)(recorded(Operation(forward, **options)))

    return declare
