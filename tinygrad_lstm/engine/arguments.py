"""How an operation is called: its arguments sorted into their places, its docstring, and what is
said where something does not fit."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from tinygrad_lstm.engine.state import recorder
from tinygrad_lstm.errors import DtypeError, Error, GradientError, IndexingError, ShapeError

__all__ = ["Each", "bound", "complaint", "described", "missing"]


class Signature(Protocol):
    """What is asked of an operation here."""

    name: str
    forward: Callable[..., Any]
    arguments: tuple[str, ...]
    parameters: tuple[str, ...]
    variadic: bool


def bound(
    op: Signature, inputs: tuple[Any, ...], params: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Sort positional parameters (``np.sum(x, 0)``) and inputs given by keyword into their
    places."""
    arity = len(op.arguments)
    if len(inputs) > arity + len(op.parameters):
        taken = ", ".join(op.arguments + op.parameters)
        raise DtypeError(
            "too many arguments by position",
            where=op.name,
            expected=taken,
            got=len(inputs),
            do="give the others by keyword",
        )
    params = {**dict(zip(op.parameters, inputs[arity:], strict=False)), **params}
    inputs = inputs[:arity]
    inputs += tuple(params.pop(name) for name in op.arguments[len(inputs) :] if name in params)
    if len(inputs) != arity:
        raise DtypeError(
            "wrong number of arguments",
            where=op.name,
            expected=", ".join(op.arguments),
            got=len(inputs),
        )
    return inputs, params


def complaint(op: Signature, error: Exception, inputs: tuple[Any, ...], values: Any) -> Error:
    """NumPy's complaint, with the operation, the block, and the inputs' names, dtypes and shapes;
    one of this package says what came by itself."""
    names = op.arguments or tuple(str(i) for i in range(len(inputs)))
    got = ", ".join(
        f"{getattr(x, 'name', None) or name} {value.dtype} {value.shape}"
        if isinstance(value, np.ndarray)
        else f"{name} {value!r}"
        for name, x, value in zip(names, inputs, values, strict=False)
    )
    block = recorder().place.block
    where = op.name if block is None else f"{op.name} in block {block}"
    if isinstance(error, Error):
        where = where if error.where in (None, op.name) else f"{where}, {error.where}"
        return type(error)(
            error.what, where=where, expected=error.expected, got=error.got, do=error.do
        )
    if isinstance(
        error, RecursionError
    ):  # NumPy came back to this operation for the sake of a parameter
        return DtypeError(
            "a parameter of an operation is a plain number or array, not a Tensor",
            where=where,
            got=got,
        )
    kind = (
        IndexingError
        if isinstance(error, IndexError)
        else DtypeError
        if isinstance(error, TypeError)
        else ShapeError
    )
    what = str(error).removeprefix(f"{op.name}: ")
    return kind(what, where=where, got=got, do="check the shapes and dtypes of these inputs")


def missing(name: str) -> Callable[..., Any]:
    """A rule that says that it is missing, when it is needed."""

    def rule(*args: Any, **params: Any) -> Any:
        raise GradientError(
            "this derivative is needed and no rule was declared for it",
            where=name,
            do=f"declare it: def {name}(g, y, ...)",
        )

    rule.__name__ = name
    return rule


def described(op: Signature) -> str:
    """The docstring of an operation; where its forward function says nothing of them, with the
    sections that all share."""
    doc = inspect.cleandoc(op.forward.__doc__ or "")
    if not doc or op.variadic:
        return doc
    inputs = (
        f"{', '.join(op.arguments)} : Tensor or array_like\n    Of any shape that NumPy "
        "accepts here."
    )
    options = "".join(f"\n{name} : optional\n    As NumPy has it." for name in op.parameters)
    result = (
        "Tensor or ndarray\n    A Tensor, recorded, where an input is one that requires gradients."
    )
    errors = "ShapeError, DtypeError\n    Where the inputs' shapes or dtypes do not fit."
    sections = {"Parameters": inputs + options, "Returns": result, "Raises": errors}
    return "\n\n".join(
        [
            doc,
            *(
                f"{title}\n{'-' * len(title)}\n{text}"
                for title, text in sections.items()
                if f"{title}\n---" not in doc
            ),
        ]
    )


class Each:
    """The rules of an operation with any number of inputs: one function for all, to which the
    argument is bound."""

    def __init__(self, rule: Callable[..., Any]) -> None:
        self.rule = rule

    def __getitem__(self, argument: Any) -> Any:
        def bound(g: Any, y: Any, *inputs: Any, **params: Any) -> Any:
            return self.rule(g, y, inputs, argument, **params)

        bound.__name__ = self.rule.__name__
        return bound

    __iter__ = None  # without an end
