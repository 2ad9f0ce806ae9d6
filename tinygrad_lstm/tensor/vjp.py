"""vjp: the value of a function, and what sends a gradient back through it.

One rule says what comes back, of all transforms. Arrays in, arrays out; but where a Tensor is among
the arguments, and inside another transform, Tensors come out. These are recorded where they depend
on something else that requires gradients, so that transforms nest and their results can be part of
a loss.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_lstm.engine.backward import outgoing, reverse, seed
from tinygrad_lstm.engine.leaving import watched
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.recorder import nested, recorder, recording
from tinygrad_lstm.engine.tape import ancestors
from tinygrad_lstm.errors import DtypeError
from tinygrad_lstm.ops.complex import copy
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["Pull", "arrays_alone", "name_of", "pullback", "shown", "vjp"]

Pull = Callable[..., tuple[Any, ...]]


def vjp(f: Callable[..., Any], *xs: Any) -> tuple[Any, Pull]:
    """The value of ``f(*xs)``, and the function that sends a gradient back through it.

    Parameters
    ----------
    f : callable
        A function of Tensors that returns one Tensor.
    *xs : Tensor or array_like of floating-point or complex numbers
        Where it is differentiated, by all of them.

    Returns
    -------
    y : Tensor or ndarray
        ``f(*xs)``.
    pull : callable
        ``pull(g)``, with `g` of the shape of `y`, is the tuple of the products of `g` with the
        Jacobians of `f`, each of the shape of its argument. It can be called any number of times.
        `g` may be left out for a real scalar.

    Raises
    ------
    DtypeError
        If an argument holds integers, or if `f` does not return one value.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_lstm import vjp
    >>> y, pull = vjp(lambda x: x * x, np.array([1.0, 3.0]))
    >>> pull(np.array([1.0, 10.0]))
    (array([ 2., 60.]),)
    """
    return pullback(f, xs, arrays_alone(xs))


def pullback(f: Callable[..., Any], xs: Sequence[Any], plain: bool) -> tuple[Any, Pull]:
    """As :func:`vjp`. With `plain` arrays come out."""
    inputs = [_input(x) for x in xs]
    with recording(True), nested(), watched(inputs) as left:
        y = _one_value(f, f(*inputs))
    left.check(y, name_of(f))
    nodes = ancestors(y, set(inputs))
    others = {
        x for node in nodes for x in node._inputs if isinstance(x, Node) and x._requires_grad
    }.difference(nodes, inputs)
    depends = bool(others) or any(x._op is not None for x in inputs)

    def pull(g: Any = None) -> tuple[Any, ...]:
        keep = not plain and recorder.enabled and (depends or getattr(g, "requires_grad", False))
        with recording(keep):
            totals = reverse(nodes, y, seed(y, g, keep)) if y._requires_grad else {}
            return tuple(shown(_total(x, totals), plain) for x in inputs)

    return shown(y if depends and recorder.enabled else y.detach(), plain), pull


def arrays_alone(args: Sequence[Any]) -> bool:
    """Whether arrays come out."""
    return recorder.depth == 0 and not any(isinstance(x, Node) for x in args)


def shown(x: Any, plain: bool) -> Any:
    return np.array(x._array) if plain else x


def _input(x: Any) -> Any:
    """What stands for an argument: a value of its own, so that other uses of the argument do not
    count."""
    return (
        copy(x)
        if isinstance(x, Tensor) and x.requires_grad and recorder.enabled
        else Tensor(x, requires_grad=True)
    )


def _total(x: Any, totals: dict[Any, Any]) -> Any:
    total = outgoing(x, totals[x]) if x in totals else np.zeros_like(x._array)
    return total if isinstance(total, Node) else x._leaf(np.array(total))


def _one_value(f: Any, y: Any) -> Any:
    if y is None or isinstance(y, (tuple, list, dict)):
        do = "stack or add them" if y else "return it"
        raise DtypeError(
            "a function that is differentiated returns one value",
            where=name_of(f),
            expected="a Tensor",
            got=type(y).__name__,
            do=do,
        )
    return y if isinstance(y, Tensor) else Tensor(y)


def name_of(f: Any) -> str:
    return getattr(f, "__name__", type(f).__name__)
