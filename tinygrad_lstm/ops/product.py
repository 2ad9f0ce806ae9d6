"""Products of vectors, matrices and arrays of any rank: sums over shared axes."""

from __future__ import annotations

import string
from typing import Any

import numpy as np

from tinygrad_lstm.engine.lazy import product
from tinygrad_lstm.engine.operation import implements, operation, unbroadcast
from tinygrad_lstm.errors import ShapeError
from tinygrad_lstm.ops.elementwise import multiply
from tinygrad_lstm.ops.reduce import restore

__all__ = [
    "cross",
    "dot",
    "einsum",
    "inner",
    "kron",
    "linear",
    "matmul",
    "outer",
    "tensordot",
    "trace",
    "vdot",
]

WIDE = 2**16
"""Entries of a weight of single precision from which on `linear` puts it on the left of few rows:
OpenBLAS then takes half to nine tenths of the time with kernels for AVX-512, and as long as
otherwise with older ones."""

LETTERS = (
    string.ascii_uppercase + string.ascii_lowercase
)  # in the order in which NumPy sorts indices


@operation(np.matmul, np.linalg.matmul, analytic=True, kind="product")
def matmul(a: Any, b: Any) -> Any:
    """The matrix product ``a @ b``, as :func:`numpy.matmul`: vectors, matrices and stacks of
    matrices."""
    return a @ b


def as_matrices(g: Any, a: Any, b: Any) -> tuple[Any, Any, Any]:
    """The gradient and the factors of ``a @ b`` with vectors written as matrices: a row on the
    left, a column on the right."""
    if b.ndim == 1:
        b, g = b.reshape((*b.shape, 1)), g.reshape((*g.shape, 1))
    if a.ndim == 1:
        a, g = a.reshape((1, *a.shape)), g.reshape((*g.shape[:-1], 1, g.shape[-1]))
    return g, a, b


@matmul.rule
def matmul_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    if a.ndim <= 2 and b.ndim <= 2:
        if a.ndim == 1:
            return b @ g if b.ndim == 2 else g * b
        return g @ b.T if b.ndim == 2 else np.outer(g, b)
    g, row, b = as_matrices(g, a, b)
    return unbroadcast(g @ b.swapaxes(-1, -2), row).reshape(a.shape)


@matmul.rule
def matmul_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    if a.ndim <= 2 and b.ndim <= 2:
        if a.ndim == 2:
            return product(a, g) if b.ndim == 2 else a.T @ g
        return np.outer(a, g) if b.ndim == 2 else g * a
    g, a, column = as_matrices(g, a, b)
    return unbroadcast(a.swapaxes(-1, -2) @ g, column).reshape(b.shape)


@implements(np.dot)
def dot(a: Any, b: Any) -> Any:
    """The product over the last axis of `a` and the last but one of `b`, as :func:`numpy.dot`.

    The stage is :func:`matmul`; :func:`multiply` where one of the two is a number, and
    :func:`tensordot` where `b` has more than two axes.
    """
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return multiply(a, b)
    return tensordot(a, b, axes=(-1, -2)) if np.ndim(b) > 2 else matmul(a, b)


@operation(np.tensordot, np.linalg.tensordot, analytic=True, kind="product")
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """The sum of products over pairs of axes, as :func:`numpy.tensordot`.

    Parameters
    ----------
    a, b : Tensor or array_like
        Values whose paired axes have the same lengths.
    axes : int or (int or sequence of int, int or sequence of int), default 2
        How many of the last axes of `a` are paired with as many of the first of `b`; or the axes of
        each, in pairs.

    Returns
    -------
    Tensor or ndarray
        With the axes of `a` that are left, then those of `b`.
    """
    return np.tensordot(a, b, axes)


def paired(a: Any, b: Any, axes: Any) -> tuple[list[int], list[int]]:
    """The axes of `a` and of `b` that are summed, in pairs, counted from the front."""
    if np.ndim(axes) == 0 and not isinstance(axes, (tuple, list)):
        return list(range(a.ndim - axes, a.ndim)), list(range(axes))
    first, second = (np.atleast_1d(part).astype(int) for part in axes)
    return [int(i) % a.ndim for i in first], [int(i) % b.ndim for i in second]


def free(x: Any, axes: list[int]) -> list[int]:
    return [i for i in range(x.ndim) if i not in axes]


@tensordot.rule
def tensordot_a(g: Any, y: Any, a: Any, b: Any, axes: Any = 2) -> Any:
    of_a, of_b = paired(a, b, axes)
    kept, left = free(a, of_a), free(b, of_b)
    product = np.tensordot(
        g, b, (list(range(len(kept), g.ndim)), left)
    )  # the axes of a: those kept, then those summed in the order of b
    now = kept + [of_a[of_b.index(i)] for i in sorted(of_b)]
    return np.transpose(product, tuple(now.index(i) for i in range(a.ndim)))


@tensordot.rule
def tensordot_b(g: Any, y: Any, a: Any, b: Any, axes: Any = 2) -> Any:
    of_a, of_b = paired(a, b, axes)
    kept, left = free(a, of_a), free(b, of_b)
    product = np.tensordot(
        a, g, (kept, list(range(len(kept))))
    )  # the axes of b: those summed in the order of a, then those left
    now = [of_b[of_a.index(i)] for i in sorted(of_a)] + left
    return np.transpose(product, tuple(now.index(i) for i in range(b.ndim)))


@operation(name="inner", analytic=True, kind="product")
def inner_stage(a: Any, b: Any) -> Any:
    return np.inner(a, b)


@inner_stage.rule
def inner_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    return np.tensordot(g, b, b.ndim - 1)


@inner_stage.rule
def inner_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    kept = list(range(a.ndim - 1))
    return np.tensordot(g, a, (kept, kept))


@implements(np.inner)
def inner(a: Any, b: Any) -> Any:
    """The product over the last axes of `a` and `b`, as :func:`numpy.inner`; :func:`multiply` where
    one is a number."""
    return multiply(a, b) if np.ndim(a) == 0 or np.ndim(b) == 0 else inner_stage(a, b)


@operation(np.outer, np.linalg.outer, analytic=True, kind="product")
def outer(a: Any, b: Any) -> Any:
    """All products of an entry of `a` (the row) and an entry of `b` (the column), as
    :func:`numpy.outer`."""
    return np.outer(a, b)


@outer.rule
def outer_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    return (g @ np.reshape(b, -1)).reshape(a.shape)


@outer.rule
def outer_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    return (np.reshape(a, -1) @ g).reshape(b.shape)


@operation(np.vdot, kind="product")
def vdot(a: Any, b: Any) -> Any:
    """The sum of the products of the entries of `a` and `b`, each read as one row, as
    :func:`numpy.vdot`; `a` conjugated."""
    return np.vdot(a, b)


@vdot.rule
def vdot_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    return np.conjugate(g * np.reshape(b, a.shape))


@vdot.rule
def vdot_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    return g * np.reshape(np.conjugate(a), b.shape)


@operation(np.kron, analytic=True, kind="product")
def kron(a: Any, b: Any) -> Any:
    """`b` times each entry of `a`, as blocks, as :func:`numpy.kron`."""
    return np.kron(a, b)


def blocks(g: Any, a: Any, b: Any) -> tuple[Any, Any, Any]:
    """The gradient with an axis of `a` and one of `b` in turn, and the factors with equally many
    axes."""
    n = max(np.ndim(a), np.ndim(b))
    a, b = (np.reshape(x, (1,) * (n - np.ndim(x)) + np.shape(x)) for x in (a, b))
    return (
        g.reshape(tuple(length for pair in zip(a.shape, b.shape, strict=True) for length in pair)),
        a,
        b,
    )


@kron.rule
def kron_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    g, _, tile = blocks(g, a, b)
    return np.tensordot(g, tile, (list(range(1, g.ndim, 2)), list(range(tile.ndim)))).reshape(
        a.shape
    )


@kron.rule
def kron_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    g, places, _ = blocks(g, a, b)
    return np.tensordot(g, places, (list(range(0, g.ndim, 2)), list(range(places.ndim)))).reshape(
        b.shape
    )


@operation(np.trace, analytic=True, kind="reduction")
def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The sum of the diagonal of two axes, as :func:`numpy.trace`."""
    return np.trace(x, offset, axis1, axis2)


@trace.rule
def trace_x(g: Any, y: Any, x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    rows, columns = axis1 % x.ndim, axis2 % x.ndim
    diagonal = np.eye(x.shape[rows], x.shape[columns], offset, dtype=x.dtype)
    place = tuple(n if i in (rows, columns) else 1 for i, n in enumerate(x.shape))
    return restore(g, x, (rows, columns)) * (diagonal if rows < columns else diagonal.T).reshape(
        place
    )


@implements(np.linalg.trace)
def matrix_trace(x: Any, offset: int = 0) -> Any:
    return trace(x, offset=offset, axis1=-2, axis2=-1)


@operation(name="einsum", analytic=True, kind="product")
def contract(*operands: Any, subscripts: str, optimize: Any = False) -> Any:
    return np.einsum(subscripts, *operands, optimize=optimize)


@contract.rule
def einsum_i(
    g: Any, y: Any, operands: tuple[Any, ...], argument: int, subscripts: str, optimize: Any = False
) -> Any:
    """The same sum with `g` in the place of the operand, and the operand's indices as the output.

    An index that occurs twice in the operand reads a diagonal: the identity matrix puts its
    gradient back there. An index that occurs nowhere else was summed alone: ones spread its
    gradient. An axis of length one that was broadcast is summed.
    """
    terms, output = spelled_out(subscripts, [np.ndim(x) for x in operands])
    x, wanted = operands[argument], terms[argument]
    factors = [g, *(other for i, other in enumerate(operands) if i != argument)]
    indices = [output, *(term for i, term in enumerate(terms) if i != argument)]
    known = {
        letter
        for term, factor in zip(indices, factors, strict=True)
        for letter, n in zip(term, np.shape(factor), strict=True)
        if n != 1
    }
    unused = iter(sorted(set(LETTERS).difference(*terms)))
    target = ""
    for letter, n in zip(wanted, x.shape, strict=True):
        if n == 1:
            continue
        if letter in target:
            factors.append(np.eye(n, dtype=g.dtype))
            indices.append(letter + next(unused))
        elif letter not in known:
            factors.append(np.ones(n, g.dtype))
            indices.append(letter)
        target += indices[-1][-1] if letter in target else letter
    return contract(
        *factors, subscripts=f"{','.join(indices)}->{target}", optimize=optimize
    ).reshape(x.shape)


def spelled_out(subscripts: str, ndims: list[int]) -> tuple[list[str], str]:
    """The indices of each operand and of the output, one letter an axis, for `subscripts` that
    NumPy has accepted."""
    left, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    hidden = [
        ndim - len(term) + 3 if "..." in term else 0
        for term, ndim in zip(terms, ndims, strict=True)
    ]
    stretch = "".join(sorted(set(LETTERS) - set(left)))[: max(hidden)]
    if not arrow:
        output = "..." + "".join(
            letter for letter in sorted(set(left) - set(".,")) if left.count(letter) == 1
        )
    terms = [
        term.replace("...", stretch[len(stretch) - n :])
        for term, n in zip(terms, hidden, strict=True)
    ]
    return terms, output.replace("...", stretch)


@implements(np.einsum)
def einsum(subscripts: Any, *operands: Any, optimize: Any = False) -> Any:
    """The sum of products that the indices of `subscripts` describe, as :func:`numpy.einsum`, in
    one stage.

    Parameters
    ----------
    subscripts : str
        Indices of each operand and, after ``->``, of the output; without ``->`` the output has
        those that occur once, in alphabetical order. ``...`` stands for axes that broadcast.
    *operands : Tensor or array_like
        The factors. NumPy's other form, ``einsum(a, [0, 1], b, [1, 2], [0, 2])``, is understood
        too.
    optimize : bool or str, default False
        Passed on to NumPy, in the derivatives too: whether to look for a faster order of more than
        two factors.

    Returns
    -------
    Tensor or ndarray

    Raises
    ------
    ShapeError
        If the subscripts do not fit the operands.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_lstm import Tensor, einsum
    >>> A = Tensor(np.eye(2), requires_grad=True)
    >>> y = einsum("ij,j->i", A, np.array([3.0, 4.0])).sum()
    >>> y.backward()
    >>> A.grad
    array([[3., 4.],
           [3., 4.]])
    """
    if not isinstance(subscripts, str):
        subscripts, operands = in_letters(subscripts, *operands)
    return contract(*operands, subscripts=subscripts, optimize=optimize)


def in_letters(*given: Any) -> tuple[str, tuple[Any, ...]]:
    """``"ab,bc->ac", (x, y)`` for ``x, [0, 1], y, [1, 2], [0, 2]``."""
    operands, lists = (
        given[: len(given) // 2 * 2 : 2],
        [*given[1::2], *given[len(given) // 2 * 2 :]],
    )
    try:
        terms = ["".join("..." if i is ... else LETTERS[i] for i in each) for each in lists]
    except (TypeError, IndexError) as error:
        raise ShapeError(
            "not understood",
            where="einsum",
            expected="subscripts, or a list of indices from 0 to 51 behind each operand",
        ) from error
    return "->".join([",".join(terms[: len(operands)]), *terms[len(operands) :]]), operands


@operation(analytic=True, kind="product")
def linear(x: Any, W: Any, b: Any) -> Any:
    """The sum ``x @ W.T + b`` of a layer, as one stage.

    Parameters
    ----------
    x : Tensor or array_like, shape (..., D)
        The layer's input, a row for each example.
    W : Tensor or array_like, shape (H, D)
        The weights, a row for each unit.
    b : Tensor or array_like, shape (H,)
        The biases.

    Returns
    -------
    Tensor or ndarray, shape (..., H)
    """
    # with a matrix on the right dot is @, and NumPy takes a third of the time to start it
    wide = W.size >= WIDE and type(x) is np.ndarray and x.ndim == 2 and x.dtype == np.float32
    if wide and len(W) >= 4 * len(x):
        return np.ascontiguousarray(np.dot(W, x.T).T) + b
    return x.dot(W.T) + b


@linear.rule
def linear_x(g: Any, y: Any, x: Any, W: Any, b: Any) -> Any:
    return g.dot(W)


@linear.rule
def linear_W(g: Any, y: Any, x: Any, W: Any, b: Any) -> Any:
    return product(rows(g), rows(x))


@linear.rule
def linear_b(g: Any, y: Any, x: Any, W: Any, b: Any) -> Any:
    g = rows(g)
    if type(g) is np.ndarray and len(g) == 1:  # nothing to add
        return g[0]
    return np.add.reduce(g, axis=0)  # a sum that NumPy starts in half of the time


def rows(x: Any) -> Any:
    """`x` as a matrix with a row for each example."""
    return x if x.ndim == 2 else x.reshape((-1, x.shape[-1]))


@operation(name="cross", kind="product")
def perpendicular(a: Any, b: Any) -> Any:
    return np.linalg.cross(a, b)


@perpendicular.rule
def cross_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(perpendicular(b, g), a)


@perpendicular.rule
def cross_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    return unbroadcast(perpendicular(g, a), b)


@implements(np.cross, np.linalg.cross)
def cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    """The vector product of vectors of three entries, as :func:`numpy.cross`.

    Parameters
    ----------
    a, b : Tensor or array_like
        The vectors.
    axisa, axisb, axisc : int, default -1
        The axis of the vectors in `a`, in `b` and in the result.
    axis : int, optional
        All three of them.

    Returns
    -------
    Tensor or ndarray
    """
    if axis is not None:
        axisa = axisb = axisc = axis
    first, second = (x if i == -1 else np.moveaxis(x, i, -1) for x, i in ((a, axisa), (b, axisb)))
    y = perpendicular(first, second)
    return y if axisc == -1 else np.moveaxis(y, -1, axisc)
