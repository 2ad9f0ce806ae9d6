"""A user's own stages: a forward function on arrays and one derivative rule per argument."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_lstm.engine.memory import NUMBERS, read_only
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.operation import Function, Operation, recorded
from tinygrad_lstm.errors import DtypeError, Error, GradientError

__all__ = ["stage"]


def stage(
    forward: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    differentiable: bool = True,
    analytic: bool = False,
    elementwise: bool = False,
    kind: str = "other",
) -> Any:
    """Make a stage of your own: a decorator for its forward function.

    The function gets arrays (read-only) and returns one, as do its rules; what they return is
    copied. Its arguments without a default are inputs, and get a derivative rule each; those with a
    default are parameters. The rules are declared with ``@<stage>.rule``, in any order, and are
    named ``<stage>_<argument>``: ``rule(g, y, *inputs, **parameters)`` returns what the gradient
    `g` of the output `y` sends back to that argument, of the argument's shape. Written in NumPy
    notation a rule serves gradients of gradients too. The stage is drawn, compared and explained as
    the built-in ones.

    Parameters
    ----------
    forward : callable
        The forward function. One of ``*inputs`` takes any number of them, and has one rule, named
        ``<stage>_i``, which is called as ``rule(g, y, inputs, argument, **parameters)``.
    name : str, optional
        What tapes and pictures call the stage, where that is not the function's name. Rules are
        named after it.
    differentiable : bool, default True
        False for a stage without a derivative, as a comparison: its output is a constant.
    analytic : bool, default False
        Whether `forward` also computes the function's analytic continuation when it is given
        complex arrays, so that :func:`gradcheck` can use the complex step.
    elementwise : bool, default False
        Whether each entry of the output depends on one entry of each input, with broadcasting. Then
        an entry that is not taken later on (by ``where``, by an index) sends nothing back, not even
        where its slope is infinite or undefined.
    kind : {"arithmetic", "function", "product", "reduction", "move", "loss", "other"}
        What sort of step it is: pictures draw each in its own shape and colour.

    Returns
    -------
    callable
        The stage. Given a Tensor it returns a Tensor and is recorded, given arrays it returns an
        array.

    Raises
    ------
    DataError
        If there is no such kind.
    GradientError
        In backward, where a rule that is needed is missing, fails, or returns something of another
        shape.

    Examples
    --------
    >>> from tinygrad_lstm import Tensor, stage
    >>> @stage
    ... def cube(x):
    ...     return x**3
    >>> @cube.rule
    ... def cube_x(g, y, x):
    ...     return g * (3 * x**2)
    >>> x = Tensor(2.0, requires_grad=True)
    >>> cube(x).backward()
    >>> x.grad
    array(12.)
    """
    if forward is None:
        return lambda function: stage(
            function,
            name=name,
            differentiable=differentiable,
            analytic=analytic,
            kind=kind,
            elementwise=elementwise,
        )
    op = Own(_guarded(forward, name or forward.__name__), name, analytic, elementwise, kind)
    if not op.arguments and not op.variadic:
        raise Error(
            "a stage has inputs: arguments without a default",
            where=op.name,
            do="give them no default",
        )
    if differentiable:
        op.rules = op.missing()
    return recorded(op)


class Own(Operation):
    """An operation whose rules are not trusted: what they return is checked."""

    def rule(self, function: Function) -> Function:
        """Declare a derivative rule; see :func:`stage`."""

        @functools.wraps(function)
        def checked(*args: Any, **params: Any) -> Any:
            try:
                contribution = function(*map(_shown, args), **params)
            except Error:
                raise
            except (TypeError, ValueError, IndexError, AttributeError) as error:
                raise GradientError(
                    f"the derivative rule fails: {error}", where=function.__name__
                ) from error
            if not hasattr(contribution, "shape"):
                where, got = function.__name__, type(contribution).__name__
                raise GradientError(
                    "the derivative rule returns no array",
                    where=where,
                    expected="an array of the argument's shape",
                    got=got,
                )
            return _fresh(contribution)

        super().rule(checked)
        return function


def _shown(x: Any) -> Any:
    """An argument as a function may see it that is not trusted: arrays are read-only."""
    if isinstance(x, (tuple, list)):  # all inputs, where their number is open
        return tuple(map(_shown, x))
    return read_only(x) if isinstance(x, np.ndarray) else x


def _fresh(result: Any) -> Any:
    """A result in memory of its own: the function may return the same buffer again, or what it was
    given."""
    return result.copy() if isinstance(result, np.ndarray) else result


def _guarded(forward: Callable[..., Any], name: str) -> Callable[..., Any]:
    """`forward` on read-only arrays, with its result checked."""

    @functools.wraps(forward)
    def guarded(*inputs: Any, **params: Any) -> Any:
        array = forward(*map(_shown, inputs), **params)
        if isinstance(array, Node) or np.asarray(array).dtype.kind not in NUMBERS:
            raise DtypeError(
                "a stage's forward function returns an array of numbers",
                where=name,
                got=type(array).__name__,
            )
        return _fresh(array)

    return guarded
