"""Functions of functions that follow from vjp: grad, jvp, jacobian, hessian; to any order by
composition.

What comes back, arrays or Tensors, is said in :mod:`tinygrad_lstm.tensor.vjp`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_lstm.engine.memory import conjugated
from tinygrad_lstm.errors import DtypeError, ShapeError
from tinygrad_lstm.ops.complex import real
from tinygrad_lstm.ops.reduce import add_n
from tinygrad_lstm.ops.shape import stack
from tinygrad_lstm.tensor.vjp import arrays_alone, name_of, pullback, shown

__all__ = ["grad", "hessian", "hvp", "jacobian", "jvp", "value_and_grad"]

Argnums = int | Sequence[int]


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
    return _called(lambda *args, **kwargs: both(*args, **kwargs)[1], f"grad({name_of(f)})")


def value_and_grad(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """The function that computes the pair of the value of `f` and its gradient; the parameters are
    those of :func:`grad`."""

    def call(*args: Any, **kwargs: Any) -> Any:
        y, pull = pullback(*_chosen(f, argnums, args, kwargs), arrays_alone(args))
        return y, _as_asked(pull(), argnums)

    return _called(call, f"value_and_grad({name_of(f)})")


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
        y, pull = pullback(at, xs, arrays_alone(args))
        if y.dtype.kind == "c" and any(
            np.dtype(getattr(x, "dtype", type(x))).kind != "c" for x in xs
        ):
            raise DtypeError(
                "an analytic function has complex arguments",
                where=f"jacobian({name_of(f)})",
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

    return _called(call, f"jacobian({name_of(f)})")


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
        return _called(jacobian(grad(f, argnums), argnums), f"hessian({name_of(f)})")
    rows = [jacobian(grad(f, i), argnums) for i in argnums]
    name = f"hessian({name_of(f)})"
    return _called(lambda *args, **kwargs: tuple(row(*args, **kwargs) for row in rows), name)


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
    plain = arrays_alone((*xs, *tangents))
    y, pull = pullback(f, xs, plain=False)
    zero = np.zeros(y.shape, y.dtype)
    _, push = pullback(lambda u: _inner(pull(u), tangents), [zero], plain)
    return shown(y, plain), push()[0]


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
    _, pull = pullback(lambda *xs: _inner(slopes(*xs), vectors), xs, arrays_alone((*xs, *vectors)))
    return pull() if several else pull()[0]


# What they have in common.


def _chosen(
    f: Callable[..., Any], argnums: Argnums, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Callable[..., Any], list[Any]]:
    """`f` as a function of the arguments `argnums` alone, and these arguments."""
    chosen = [argnums] if isinstance(argnums, int) else list(argnums)
    if not all(-len(args) <= i < len(args) for i in chosen):
        raise ShapeError(
            "there is no such argument to differentiate by",
            where=name_of(f),
            expected=f"argnums below {len(args)}",
            got=argnums,
        )

    def at(*xs: Any) -> Any:
        given = list(args)
        for i, x in zip(chosen, xs, strict=True):
            given[i] = x
        return f(*given, **kwargs)

    return _called(at, name_of(f)), [args[i] for i in chosen]


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


def _called(function: Any, name: str) -> Callable[..., Any]:
    """`function`, with a name that says in a traceback what it is."""
    function.__name__ = function.__qualname__ = name
    return function  # type: ignore[no-any-return]
