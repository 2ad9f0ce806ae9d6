"""Functions of functions: vjp and what follows from it, grad, jvp, jacobian, hessian; to any order
by composition.

One rule says what comes back. Arrays in, arrays out; but where a Tensor is among the arguments, and
inside another transform, Tensors come out. These are recorded where they depend on something else
that requires gradients, so that transforms nest and their results can be part of a loss.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_lstm.engine.backward import outgoing, reverse, seed
from tinygrad_lstm.engine.leaving import watched
from tinygrad_lstm.engine.memory import conjugated
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.recorder import nested, recorder, recording
from tinygrad_lstm.engine.tape import ancestors
from tinygrad_lstm.errors import DtypeError, ShapeError
from tinygrad_lstm.ops.complex import copy, real
from tinygrad_lstm.ops.reduce import add_n
from tinygrad_lstm.ops.shape import stack
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["grad", "hessian", "hvp", "jacobian", "jvp", "value_and_grad", "vjp"]

Pull = Callable[..., tuple[Any, ...]]
Argnums = int | Sequence[int]


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
    return _vjp(f, xs, _plain(xs))


def _vjp(f: Callable[..., Any], xs: Sequence[Any], plain: bool) -> tuple[Any, Pull]:
    """As :func:`vjp`. With `plain` arrays come out."""
    inputs = [_input(x) for x in xs]
    with recording(True), nested(), watched(inputs) as left:
        y = _one_value(f, f(*inputs))
    left.check(y, _name(f))
    nodes = ancestors(y, set(inputs))
    others = {
        x for node in nodes for x in node._inputs if isinstance(x, Node) and x._requires_grad
    }.difference(nodes, inputs)
    depends = bool(others) or any(x._op is not None for x in inputs)

    def pull(g: Any = None) -> tuple[Any, ...]:
        keep = not plain and recorder.enabled and (depends or getattr(g, "requires_grad", False))
        with recording(keep):
            totals = reverse(nodes, y, seed(y, g, keep)) if y._requires_grad else {}
            return tuple(_shown(_total(x, totals), plain) for x in inputs)

    return _shown(y if depends and recorder.enabled else y.detach(), plain), pull


def grad(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """The function that computes the gradient of `f`.

    Parameters
    ----------
    f : callable
        A function of Tensors that returns a real scalar.
    argnums : int or sequence of int, default 0
        The positional arguments by which it is differentiated. The others, and keywords, are passed
        on as they are.

    Returns
    -------
    callable
        Takes the arguments of `f`, and returns an array or Tensor of the shape of the argument; for
        a sequence of `argnums` a tuple of them.

    Examples
    --------
    >>> from tinygrad_lstm import grad
    >>> grad(grad(lambda x: x**3))(2.0)
    array(12.)
    """
    both = value_and_grad(f, argnums)
    return _called(lambda *args, **kwargs: both(*args, **kwargs)[1], f"grad({_name(f)})")


def value_and_grad(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """The function that computes the pair of the value of `f` and its gradient; the parameters are
    those of :func:`grad`."""

    def call(*args: Any, **kwargs: Any) -> Any:
        y, pull = _vjp(*_chosen(f, argnums, args, kwargs), _plain(args))
        return y, _as_asked(pull(), argnums)

    return _called(call, f"value_and_grad({_name(f)})")


def jacobian(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """The function that computes the Jacobian of `f`, of the shape of the value followed by that of
    the argument.

    One reverse pass for each entry of the value. A complex function is taken to be analytic. The
    parameters are those of :func:`grad`, but the value may have any shape.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_lstm import jacobian
    >>> jacobian(lambda x: x * x)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """

    def call(*args: Any, **kwargs: Any) -> Any:
        at, xs = _chosen(f, argnums, args, kwargs)
        y, pull = _vjp(at, xs, _plain(args))
        if y.dtype.kind == "c" and any(
            np.dtype(getattr(x, "dtype", type(x))).kind != "c" for x in xs
        ):
            raise DtypeError(
                "an analytic function has complex arguments",
                where=f"jacobian({_name(f)})",
                expected="complex",
                got="a real one",
            )
        rows = [pull(unit.reshape(y.shape)) for unit in np.eye(y.size, dtype=y.dtype)]
        if not rows:
            return _as_asked(tuple(np.zeros((*y.shape, *np.shape(x))) for x in xs), argnums)
        return _as_asked(
            tuple(
                conjugated(stack(column)).reshape((*y.shape, *column[0].shape))
                for column in zip(*rows, strict=True)
            ),
            argnums,
        )

    return _called(call, f"jacobian({_name(f)})")


def hessian(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """The function that computes the second derivatives of `f`, a real scalar:
    ``jacobian(grad(f))``.

    For a sequence of `argnums` a tuple of tuples: the block in row i and column j is differentiated
    by i, then by j.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_lstm import hessian
    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 3.0]))
    array([[6., 2.],
           [2., 0.]])
    """
    if isinstance(argnums, int):
        return _called(jacobian(grad(f, argnums), argnums), f"hessian({_name(f)})")
    rows = [jacobian(grad(f, i), argnums) for i in argnums]
    return _called(
        lambda *args, **kwargs: tuple(row(*args, **kwargs) for row in rows), f"hessian({_name(f)})"
    )


def jvp(f: Callable[..., Any], xs: Any, tangents: Any) -> tuple[Any, Any]:
    """The value of ``f(*xs)``, and its derivative in the direction `tangents`.

    The vector-Jacobian product is linear in the vector, and its own derivative by it is the
    Jacobian: two reverse passes make one forward derivative.

    Parameters
    ----------
    f : callable
        A function of Tensors that returns one Tensor.
    xs, tangents : tuple of Tensor or array_like, or one of each
        The arguments, and the direction: a value of the same shape for each argument.

    Returns
    -------
    y, tangent : Tensor or ndarray
        The value, and the Jacobian times `tangents`, of one shape.

    Examples
    --------
    >>> from tinygrad_lstm import jvp
    >>> jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 10.0))
    (array(6.), array(23.))
    """
    xs, tangents = _paired(xs, tangents, "jvp")
    plain = _plain((*xs, *tangents))
    y, pull = _vjp(f, xs, plain=False)
    zero = np.zeros(y.shape, y.dtype)
    _, push = _vjp(lambda u: _inner(pull(u), tangents), [zero], plain)
    return _shown(y, plain), push()[0]


def hvp(f: Callable[..., Any], xs: Any, vectors: Any) -> Any:
    """The Hessian of a real scalar `f` times a vector, at the cost of a few evaluations of `f`.

    Parameters
    ----------
    f, xs, vectors
        As for :func:`jvp`.

    Returns
    -------
    Tensor or ndarray, or a tuple of them
        Of the shape of the argument; for a tuple of arguments a tuple.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_lstm import hvp
    >>> hvp(lambda x: x[0] ** 2 * x[1], np.array([1.0, 3.0]), np.array([1.0, 0.0]))
    array([6., 2.])
    """
    several = isinstance(xs, (tuple, list))
    xs, vectors = _paired(xs, vectors, "hvp")
    slopes = grad(f, range(len(xs)))
    _, pull = _vjp(lambda *xs: _inner(slopes(*xs), vectors), xs, _plain((*xs, *vectors)))
    return pull() if several else pull()[0]


# What they have in common.


def _plain(args: Sequence[Any]) -> bool:
    """Whether arrays come out."""
    return recorder.depth == 0 and not any(isinstance(x, Node) for x in args)


def _shown(x: Any, plain: bool) -> Any:
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
            where=_name(f),
            expected="a Tensor",
            got=type(y).__name__,
            do=do,
        )
    return y if isinstance(y, Tensor) else Tensor(y)


def _chosen(
    f: Callable[..., Any], argnums: Argnums, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Callable[..., Any], list[Any]]:
    """`f` as a function of the arguments `argnums` alone, and these arguments."""
    chosen = [argnums] if isinstance(argnums, int) else list(argnums)
    if not all(-len(args) <= i < len(args) for i in chosen):
        raise ShapeError(
            "there is no such argument to differentiate by",
            where=_name(f),
            expected=f"argnums below {len(args)}",
            got=argnums,
        )

    def at(*xs: Any) -> Any:
        given = list(args)
        for i, x in zip(chosen, xs, strict=True):
            given[i] = x
        return f(*given, **kwargs)

    return _called(at, _name(f)), [args[i] for i in chosen]


def _as_asked(found: tuple[Any, ...], argnums: Argnums) -> Any:
    return found[0] if isinstance(argnums, int) else found


def _paired(xs: Any, vectors: Any, where: str) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Arguments and directions as tuples of one length, of one shape each."""
    xs, vectors = (tuple(v) if isinstance(v, (tuple, list)) else (v,) for v in (xs, vectors))
    shapes, got = [np.shape(x) for x in xs], [np.shape(v) for v in vectors]
    if shapes != got:
        raise ShapeError(
            "a direction has the shape of its argument", where=where, expected=shapes, got=got
        )
    return xs, vectors


def _inner(gs: Sequence[Any], vectors: Sequence[Any]) -> Any:
    """The real inner product, in which a complex number is a pair of real ones."""
    return add_n(
        *[
            real(conjugated(g) * v).sum() if g.dtype.kind == "c" else (g * v).sum()
            for g, v in zip(gs, vectors, strict=True)
        ]
    )


def _name(f: Any) -> str:
    return getattr(f, "__name__", type(f).__name__)


def _called(function: Any, name: str) -> Callable[..., Any]:
    """`function`, with a name that says in a traceback what it is."""
    function.__name__ = function.__qualname__ = name
    return function  # type: ignore[no-any-return]
