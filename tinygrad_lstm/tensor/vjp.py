"""vjp: the value of a function, and what sends a gradient back through it.

One rule says what comes back, of all transforms. Arrays in, arrays out; but where a Tensor is among
the arguments, and inside another transform, Tensors come out. These are recorded where they depend
on something else that requires gradients, so that transforms nest and their results can be part of
a loss.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_lstm.engine.backward import outgoing, reverse
from tinygrad_lstm.engine.leaving import watched
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.recorder import nested, recording
from tinygrad_lstm.engine.state import recorder
from tinygrad_lstm.engine.tape import ancestors
from tinygrad_lstm.engine.trees import leaves, matched, parts, placed, rebuilt
from tinygrad_lstm.errors import DtypeError
from tinygrad_lstm.ops.complex import copy
from tinygrad_lstm.tensor.outputs import arriving, joined
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["Pull", "arrays_alone", "name_of", "one_value", "pullback", "shown", "vjp"]

Pull = Callable[..., tuple[Any, ...]]


def vjp(f: Callable[..., Any], *xs: Any) -> tuple[Any, Pull]:
    """The value of ``f(*xs)``, and the function that sends a gradient back through it.

    Parameters
    ----------
    f : callable
        A function of Tensors that returns one Tensor, or several in dicts, lists and tuples.
    *xs : Tensor or array_like of floating-point or complex numbers
        Where it is differentiated, by all of them: values, or dicts, lists, tuples and named tuples
        of values.

    Returns
    -------
    y : Tensor or ndarray
        ``f(*xs)``.
    pull : callable
        ``pull(g)``, with `g` of the shape of `y`, is the tuple of the products of `g` with the
        Jacobians of `f`, each of the shape of its argument. It can be called any number of times.
        `g` may be left out for a real scalar. Containers of `y`, `g` and the results are those of
        ``f(*xs)`` and of `xs`.

    Raises
    ------
    DtypeError
        If an argument holds integers, or if `f` does not return a value.
    ShapeError
        If the containers of `g` are not those of `y`.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_lstm import vjp
    >>> y, pull = vjp(lambda x: x * x, np.array([1.0, 3.0]))
    >>> pull(np.array([1.0, 10.0]))
    (array([ 2., 60.]),)
    >>> y, pull = vjp(lambda p: {"sum": p["a"] + p["b"]}, {"a": 1.0, "b": 2.0})
    >>> pull({"sum": 10.0})
    ({'a': array(10.), 'b': array(10.)},)
    """
    return pullback(f, xs, arrays_alone(xs))


def pullback(f: Callable[..., Any], xs: tuple[Any, ...], plain: bool) -> tuple[Any, Pull]:
    """As :func:`vjp`. With `plain` arrays come out."""
    inputs = [_input(x, place) for place, x in placed(xs, xs, f"{name_of(f)}, argument ")]
    with recording(True), nested(), watched(inputs) as left:
        value = f(*rebuilt(xs, iter(inputs)))
        ys = _values(f, value)
    live = [i for i, y in enumerate(ys) if y._requires_grad]
    root = joined([ys[i] for i in live] or ys)
    left.check(root, name_of(f))
    nodes = ancestors(root, set(inputs))
    others = {
        x for node in nodes for x in node._inputs if isinstance(x, Node) and x._requires_grad
    }.difference(nodes, inputs)
    depends = bool(others) or any(x._op is not None for x in inputs)

    def pull(g: Any = None) -> tuple[Any, ...]:
        given = [None] if g is None else matched(value, g, f"the gradient of {name_of(f)}")
        recorded = any(getattr(v, "requires_grad", False) for v in given)
        keep = not plain and recorder().enabled and (depends or recorded)
        with recording(keep):
            start = [given[i] for i in live]
            totals = (
                reverse(nodes, root, arriving([ys[i] for i in live], start, keep)) if live else {}
            )
            found = [shown(_total(x, totals), plain) for x in inputs]
        back: tuple[Any, ...] = rebuilt(xs, iter(found))
        return back

    keep = depends and recorder().enabled
    return rebuilt(value, iter([shown(y if keep else y.detach(), plain) for y in ys])), pull


def arrays_alone(args: Any) -> bool:
    """Whether arrays come out."""
    return recorder().depth == 0 and not any(isinstance(x, Node) for x in leaves(args))


def shown(x: Any, plain: bool) -> Any:
    return np.array(x._array) if plain else x


def _input(x: Any, place: str) -> Any:
    """What stands for an argument: a value of its own, so that other uses of the argument do not
    count."""
    if isinstance(x, Tensor) and x.requires_grad and recorder().enabled:
        return copy(x)
    leaf = Tensor(x)
    if leaf.dtype.kind not in "fc":
        raise DtypeError(
            "only floating-point values have derivatives",
            where=place,
            expected="float32, float64 or complex",
            got=leaf.dtype,
            do="write 3.0 for 3, or leave it out of what is differentiated",
        )
    leaf.requires_grad = True
    return leaf


def _total(x: Any, totals: dict[Any, Any]) -> Any:
    total = outgoing(x, totals[x]) if x in totals else np.zeros_like(x._array)
    return total if isinstance(total, Node) else x._leaf(np.array(total))


def _values(f: Any, value: Any) -> list[Any]:
    """What a function returned, as Tensors."""
    found = leaves(value)
    if not found:
        raise DtypeError(
            "a function that is differentiated returns a value",
            where=name_of(f),
            expected="a Tensor",
            got=type(value).__name__,
            do="return it",
        )
    return [y if isinstance(y, Tensor) else Tensor(y) for y in found]


def one_value(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f`, which has to return one value, not several in a container."""

    @functools.wraps(f, updated=())
    def checked(*args: Any) -> Any:
        y = f(*args)
        if y is not None and parts(y) is not None:
            raise DtypeError(
                "a function that is differentiated returns one value",
                where=name_of(f),
                expected="a Tensor",
                got=type(y).__name__,
                do="stack or add them",
            )
        return y

    return checked


def name_of(f: Any) -> str:
    return getattr(f, "__name__", type(f).__name__)
