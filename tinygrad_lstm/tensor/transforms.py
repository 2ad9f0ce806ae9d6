"""Functions of functions that follow from vjp: grad, jvp, jacobian, hessian; to any order by
composition.

What comes back, arrays or Tensors, is said in :mod:`tinygrad_lstm.tensor.vjp`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_lstm.engine.memory import conjugated
from tinygrad_lstm.engine.trees import leaves, matched, rebuilt
from tinygrad_lstm.errors import DtypeError, ShapeError
from tinygrad_lstm.ops.complex import real
from tinygrad_lstm.ops.reduce import add_n
from tinygrad_lstm.ops.shape import stack
from tinygrad_lstm.tensor.vjp import arrays_alone, name_of, one_value, pullback, shown

__all__ = ["elementwise_grad", "grad", "hessian", "hvp", "jacobian", "jvp", "value_and_grad"]

Argnums = int | Sequence[int]


def grad(
    f: Callable[..., Any], argnums: Argnums = 0, *, argnum: Argnums | None = None
) -> Callable[..., Any]:
    """The function that computes the gradient of `f`.

    Parameters
    ----------
    f : callable
        A function of Tensors that returns a real scalar.
    argnums : int or sequence of int, default 0
        The positional arguments by which it is differentiated. The others, and keywords, are passed
        on as they are. An argument is a value, or a dict, list, tuple or named tuple of values (a
        list of numbers is an array, as for NumPy).
    argnum : int or sequence of int, optional
        The same, under the name that HIPS/autograd gives it.

    Returns
    -------
    callable
        Takes the arguments of `f`, and returns an array or Tensor of the shape of the argument, in
        the containers in which it came; for a sequence of `argnums` a tuple of them.

    Examples
    --------
    >>> from tinygrad_lstm import grad
    >>> grad(grad(lambda x: x**3))(2.0)
    array(12.)
    >>> grad(lambda p: p["w"] * p["x"])({"w": 2.0, "x": 3.0})
    {'w': array(3.), 'x': array(2.)}
    """
    both = value_and_grad(f, argnums, argnum=argnum)
    return _called(lambda *args, **kwargs: both(*args, **kwargs)[1], f"grad({name_of(f)})")


def value_and_grad(
    f: Callable[..., Any], argnums: Argnums = 0, *, argnum: Argnums | None = None
) -> Callable[..., Any]:
    """The function that computes the pair of the value of `f` and its gradient; the parameters are
    those of :func:`grad`."""
    asked = _asked(argnums, argnum)

    def call(*args: Any, **kwargs: Any) -> Any:
        at, xs = _chosen(f, asked, args, kwargs)
        y, pull = pullback(one_value(at), xs, arrays_alone(args))
        return y, _as_asked(pull(), asked)

    return _called(call, f"value_and_grad({name_of(f)})")


def elementwise_grad(
    f: Callable[..., Any], argnums: Argnums = 0, *, argnum: Argnums | None = None
) -> Callable[..., Any]:
    """The function that computes the derivative of each entry of ``f(x)`` by the entry of `x` at
    its place: the gradient of the sum of ``f(x)``, for `f` that works entry by entry.

    The parameters are those of :func:`grad`, but the value may have any shape.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_lstm import elementwise_grad
    >>> elementwise_grad(lambda x: x**3)(np.array([1.0, 2.0]))
    array([ 3., 12.])
    """
    total = _called(lambda *args, **kwargs: np.sum(f(*args, **kwargs)), name_of(f))
    return _called(grad(total, argnums, argnum=argnum), f"elementwise_grad({name_of(f)})")


def jacobian(
    f: Callable[..., Any], argnums: Argnums = 0, *, argnum: Argnums | None = None
) -> Callable[..., Any]:
    """The function that computes the Jacobian of `f`, of the shape of the value followed by that of
    the argument.

    One reverse pass for each entry of the value. A complex function is taken to be analytic. The
    parameters are those of :func:`grad`, but the value may have any shape. Where it comes in
    containers, each value in them is replaced by its Jacobian, in the containers of the argument.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_lstm import jacobian
    >>> jacobian(lambda x: x * x)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    asked = _asked(argnums, argnum)

    def call(*args: Any, **kwargs: Any) -> Any:
        at, xs = _chosen(f, asked, args, kwargs)
        y, pull = pullback(at, xs, arrays_alone(args))
        values = leaves(y)
        _check_analytic(f, values, leaves(xs))

        def of(i: int) -> Any:
            rows = [leaves(pull(rebuilt(y, iter(unit)))) for unit in _units(values, i)]
            shape = values[i].shape
            blocks = [
                conjugated(stack(column)).reshape((*shape, *column[0].shape))
                for column in zip(*rows, strict=True)
            ] or [np.zeros((*shape, *np.shape(x))) for x in leaves(xs)]
            return _as_asked(rebuilt(xs, iter(blocks)), asked)

        return rebuilt(y, map(of, range(len(values))))

    return _called(call, f"jacobian({name_of(f)})")


def _units(values: list[Any], i: int) -> Iterator[list[Any]]:
    """For each entry of one of the values, gradients that are 1 there and 0 everywhere else."""
    zeros = [np.zeros(v.shape, v.dtype) for v in values]
    for unit in np.eye(values[i].size, dtype=values[i].dtype):
        yield [*zeros[:i], unit.reshape(values[i].shape), *zeros[i + 1 :]]


def _check_analytic(f: Callable[..., Any], values: list[Any], xs: list[Any]) -> None:
    if any(y.dtype.kind == "c" for y in values) and any(
        np.dtype(getattr(x, "dtype", type(x))).kind != "c" for x in xs
    ):
        raise DtypeError(
            "an analytic function has complex arguments",
            where=f"jacobian({name_of(f)})",
            expected="complex",
            got="a real one",
        )


def hessian(
    f: Callable[..., Any], argnums: Argnums = 0, *, argnum: Argnums | None = None
) -> Callable[..., Any]:
    """The function that computes the second derivatives of `f`, a real scalar:
    ``jacobian(grad(f))``.

    For a sequence of `argnums` a tuple of tuples: the block in row i and column j is differentiated
    by i, then by j. So it is with dicts and other containers.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_lstm import hessian
    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 3.0]))
    array([[6., 2.],
           [2., 0.]])
    """
    asked = _asked(argnums, argnum)
    return _called(jacobian(grad(f, asked), asked), f"hessian({name_of(f)})")


def jvp(f: Callable[..., Any], xs: Any, tangents: Any) -> tuple[Any, Any]:
    """The value of ``f(*xs)``, and its derivative in the direction `tangents`.

    The vector-Jacobian product is linear in the vector, and its own derivative by it is the
    Jacobian: two reverse passes make one forward derivative.

    Parameters
    ----------
    f : callable
        A function of Tensors that returns one Tensor, or several in dicts, lists and tuples.
    xs, tangents : tuple of Tensor or array_like, or one of each
        The arguments, and the direction: a value of the same shape for each argument, in the same
        containers.

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
    plain = arrays_alone((xs, tangents))
    y, pull = pullback(f, xs, plain=False)
    values = leaves(y)
    zeros = rebuilt(y, iter([np.zeros(v.shape, v.dtype) for v in values]))
    _, push = pullback(lambda u: _inner(pull(u), tangents), (zeros,), plain)
    return rebuilt(y, iter([shown(v, plain) for v in values])), push()[0]


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
    _, pull = pullback(lambda *xs: _inner(slopes(*xs), vectors), xs, arrays_alone((xs, vectors)))
    return pull() if several else pull()[0]


# What they have in common.


def _asked(argnums: Argnums, argnum: Argnums | None) -> Argnums:
    return argnums if argnum is None else argnum


def _chosen(
    f: Callable[..., Any], argnums: Argnums, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """`f` as a function of the arguments `argnums` alone, and these arguments."""
    chosen: list[Any] = list(argnums) if isinstance(argnums, Iterable) else [argnums]
    if not all(_is_whole(i) and -len(args) <= i < len(args) for i in chosen):
        raise ShapeError(
            "there is no such argument to differentiate by",
            where=name_of(f),
            expected=f"argnums below {len(args)}",
            got=repr(argnums),
        )

    def at(*xs: Any) -> Any:
        given = list(args)
        for i, x in zip(chosen, xs, strict=True):
            given[i] = x
        return f(*given, **kwargs)

    return _called(at, name_of(f)), tuple(args[i] for i in chosen)


def _as_asked(found: tuple[Any, ...], argnums: Argnums) -> Any:
    return found[0] if _is_whole(argnums) else found


def _is_whole(number: Any) -> bool:
    return isinstance(number, (int, np.integer))


def _paired(xs: Any, vectors: Any, where: str) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Arguments and directions as tuples of one length, of one shape each."""
    xs, vectors = (tuple(v) if isinstance(v, (tuple, list)) else (v,) for v in (xs, vectors))
    directions = matched(xs, vectors, where)
    shapes, got = [np.shape(x) for x in leaves(xs)], [np.shape(v) for v in directions]
    if shapes != got:
        raise ShapeError(
            "a direction has the shape of its argument", where=where, expected=shapes, got=got
        )
    return xs, vectors


def _inner(gs: Any, vectors: Any) -> Any:
    """The real inner product, in which a complex number is a pair of real ones."""
    return add_n(
        *[
            real(conjugated(g) * v).sum() if g.dtype.kind == "c" else (g * v).sum()
            for g, v in zip(leaves(gs), matched(gs, vectors), strict=True)
        ]
    )


def _called(function: Any, name: str) -> Callable[..., Any]:
    """`function`, with a name that says in a traceback what it is."""
    function.__name__ = function.__qualname__ = name
    return function  # type: ignore[no-any-return]
