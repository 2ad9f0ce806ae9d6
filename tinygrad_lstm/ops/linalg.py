"""Linear algebra on stacks of matrices ``(..., M, N)``, under the names and with the results of
:mod:`numpy.linalg`.

A stage has one output. A decomposition with several (eigh, svd) is one stage that stacks its parts
as rows, and :func:`index` takes them apart again; so it is computed once, and its one rule sees the
gradients of all parts together.

The matrices of `slogdet`, `cholesky` and `qr` are real: complex ones raise. Complex eigenvectors
and singular vectors have a free phase, which what is computed from them may not depend on.

Source of the derivatives: Giles, "An extended collection of matrix derivative results" (2008), for
inv, solve, det and svd; Murray, "Differentiation of the Cholesky decomposition" (2016); Walter and
Lehmann, "Algorithmic differentiation of linear algebra functions" (2010), for qr, eig and eigh;
Boeddeker et al., "On the computation of complex-valued gradients with application to statistically
optimum beamforming" (2017), for complex eig; Wan and Zhang, "Automatic differentiation for complex
valued SVD" (2019).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tinygrad_lstm.engine.memory import conjugated
from tinygrad_lstm.engine.operation import implements, operation, unbroadcast
from tinygrad_lstm.errors import DtypeError, GradientError, ShapeError
from tinygrad_lstm.ops.complex import real
from tinygrad_lstm.ops.elementwise import quotient

__all__ = [
    "EigResult",
    "EighResult",
    "QRResult",
    "SVDResult",
    "SlogdetResult",
    "cholesky",
    "det",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "inv",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
]


class EigResult(NamedTuple):
    """Eigenvalues, shape (..., M), and the eigenvectors as columns of length 1, shape (..., M, M),
    both complex unless all are real."""

    eigenvalues: Any
    eigenvectors: Any


class EighResult(NamedTuple):
    """Eigenvalues in ascending order, shape (..., M), and the eigenvectors as columns, shape (...,
    M, M)."""

    eigenvalues: Any
    eigenvectors: Any


class QRResult(NamedTuple):
    """Orthonormal columns, shape (..., M, K), and an upper triangle, shape (..., K, N)."""

    Q: Any
    R: Any


class SlogdetResult(NamedTuple):
    """The sign of a determinant and the logarithm of its absolute value."""

    sign: Any
    logabsdet: Any


class SVDResult(NamedTuple):
    """Left vectors as columns (..., M, K), singular values in descending order (..., K), right
    vectors as rows (..., K, N)."""

    U: Any
    S: Any
    Vh: Any


def mT(x: Any) -> Any:
    """Every matrix transposed."""
    return x.swapaxes(-1, -2)


def only_real(x: Any, name: str) -> Any:
    """`x`, where it is real: what these decompositions have derivatives for here."""
    if getattr(x, "dtype", np.dtype(float)).kind == "c":
        raise DtypeError(
            "the derivative is known for real matrices only",
            where=name,
            got=x.dtype,
            do="use NumPy on x.detach().numpy()",
        )
    return x


def matrix_shape(a: Any, where: str) -> tuple[int, int]:
    """The numbers of rows and columns of `a`."""
    if np.ndim(a) < 2:
        raise ShapeError("a matrix is needed", where=where, expected="(..., M, N)", got=np.shape(a))
    rows, columns = np.shape(a)[-2:]
    return rows, columns


# Equations.


@operation(np.linalg.inv, analytic=True)
def inv(a: Any) -> Any:
    """The inverse of each square matrix, as :func:`numpy.linalg.inv`.

    Raises
    ------
    ShapeError
        If a matrix is singular or not square.
    """
    return np.linalg.inv(a)


@inv.rule
def inv_a(g: Any, y: Any, a: Any) -> Any:
    return -(mT(y) @ g @ mT(y))


@operation(np.linalg.solve, analytic=True)
def solve(a: Any, b: Any) -> Any:
    """The solution x of ``a @ x = b``, as :func:`numpy.linalg.solve`.

    Parameters
    ----------
    a : Tensor or array_like, shape (..., M, M)
        Invertible matrices.
    b : Tensor or array_like, shape (M,) or (..., M, K)
        One vector, or stacks of columns, which broadcast against `a`.

    Returns
    -------
    Tensor or ndarray, shape (..., M) or (..., M, K)

    Raises
    ------
    ShapeError
        If a matrix is singular, or the shapes do not fit.
    """
    return np.linalg.solve(a, b)


def columns(g: Any, y: Any, b: Any) -> tuple[Any, Any, Any]:
    """The gradient, the solution and the right side, with a vector written as a matrix of one
    column."""
    if b.ndim > 1:
        return g, y, b
    return g.reshape((*g.shape, 1)), y.reshape((*y.shape, 1)), b.reshape((*b.shape, 1))


@solve.rule
def solve_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    g, y, b = columns(g, y, b)
    return unbroadcast(-(solve(mT(a), g) @ mT(y)), a)


@solve.rule
def solve_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    g, y, column = columns(g, y, b)
    return unbroadcast(solve(mT(a), g), column).reshape(b.shape)


# Determinants.


@operation(np.linalg.det, analytic=True)
def det(a: Any) -> Any:
    """The determinant of each square matrix, as :func:`numpy.linalg.det`.

    The derivative is the matrix of cofactors, which is finite for singular matrices too. For an
    invertible matrix it comes from the inverse; near a singular one of size M it comes from its
    M**2 minors, at a cost of order M**5.
    """
    return np.linalg.det(a)


@det.rule
def det_a(g: Any, y: Any, a: Any) -> Any:
    return entrywise(g) * cofactors(a, y)


def entrywise(g: Any) -> Any:
    """A number for each matrix, shaped to multiply its entries."""
    return g.reshape((*g.shape, 1, 1))


def cofactors(a: Any, determinant: Any) -> Any:
    if a.shape[-1] == 0 or invertible(a):
        return entrywise(determinant) * mT(inv(a))
    n = a.shape[-1]
    rest = np.array([[j for j in range(n) if j != i] for i in range(n)], int).reshape(n, n - 1)
    signs = (-1.0) ** np.add.outer(np.arange(n), np.arange(n))
    return det(a[..., rest[:, None, :, None], rest[None, :, None, :]]) * signs.astype(a.dtype)


@operation()
def invertible(a: Any) -> Any:
    """Whether the inverse of every matrix is known to at least half of the digits."""
    return np.all(np.linalg.cond(a) < np.finfo(a.dtype).eps ** -0.5)


@operation(name="slogdet")
def log_of_det(a: Any) -> Any:
    return np.linalg.slogdet(a).logabsdet


@log_of_det.rule
def slogdet_a(g: Any, y: Any, a: Any) -> Any:
    return entrywise(g) * mT(where_regular("slogdet", inv, a))


def where_regular(name: str, function: Any, *matrices: Any) -> Any:
    """What `function` computes with the first matrix, which must be invertible for the derivative
    of `name` to exist."""
    try:
        return function(*matrices)
    except ValueError as error:  # LinAlgError of arrays, ShapeError of Tensors
        raise GradientError(
            "the derivative does not exist, since a matrix is singular", where=name
        ) from error


@operation()
def sign_of_det(a: Any) -> Any:
    """A constant: the sign does not change between singular matrices."""
    return np.linalg.slogdet(a).sign


@implements(np.linalg.slogdet)
def slogdet(a: Any) -> SlogdetResult:
    """The sign of the determinant and the logarithm of its absolute value, as
    :func:`numpy.linalg.slogdet`.

    The sign is a constant. For a singular matrix the logarithm is -inf and has no derivative:
    backward raises.
    """
    a = only_real(a, "slogdet")
    return SlogdetResult(sign_of_det(a), log_of_det(a))


# Decompositions.


@operation(np.linalg.cholesky)
def cholesky(a: Any, *, upper: bool = False) -> Any:
    """The triangle L with positive diagonal of ``a = L @ L.T``, as :func:`numpy.linalg.cholesky`.

    Parameters
    ----------
    a : Tensor or array_like, shape (..., M, M)
        Real, symmetric, positive definite. Only one triangle is read, but the gradient is that of a
        function of symmetric matrices and symmetric itself, as PyTorch's.
    upper : bool, default False
        Whether to return ``L.T``.

    Raises
    ------
    ShapeError
        If a matrix is not positive definite.
    """
    return np.linalg.cholesky(a, upper=upper)


@cholesky.rule
def cholesky_a(g: Any, y: Any, a: Any, upper: bool = False) -> Any:
    L, g = (mT(y), mT(g)) if upper else (y, g)
    Lt = mT(only_real(L, "cholesky"))
    inner = Lt @ g
    half = solve(
        Lt, mT(solve(Lt, np.tril(inner) + np.tril(inner, -1)))
    )  # the diagonal counts half, against the 2 of the sum
    return (half + mT(half)) / 4


@operation(name="qr")
def orthonormal(a: Any) -> Any:
    return np.linalg.qr(a).Q


@orthonormal.rule
def qr_a(g: Any, Q: Any, a: Any) -> Any:
    """With ``a = Q R``, da moves Q out of its span by (1 - Q Qt) da inv(R), and turns it by an
    antisymmetric matrix in it."""
    inside = mT(Q) @ g
    turned = np.tril(inside - mT(inside), -1)
    return mT(where_regular("qr", solve, np.triu(mT(Q) @ a), mT(g - Q @ (inside - turned))))


@implements(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    """Orthonormal columns Q and an upper triangle R with ``a = Q @ R``, as :func:`numpy.linalg.qr`.

    The stage `qr` computes Q; R is the product of Q transposed and `a`.

    Parameters
    ----------
    a : Tensor or array_like, shape (..., M, N)
        Real. Its first ``K = min(M, N)`` columns are linearly independent, or there is no
        derivative.
    mode : {"reduced", "r"}
        "r" returns R alone. The additional columns of "complete" are arbitrary and have no
        derivative.

    Returns
    -------
    QRResult
        Q of shape (..., M, K) and R of shape (..., K, N).
    """
    rows, length = matrix_shape(a, "qr")
    if mode not in ("reduced", "r") and not (mode == "complete" and rows <= length):
        raise ShapeError(
            "only the reduced decomposition has a derivative",
            where="qr",
            expected="mode 'reduced' or 'r'",
            got=repr(mode),
        )
    a = only_real(a, "qr")
    Q = orthonormal(a if length <= rows else a[..., :rows])
    R = np.triu(mT(Q) @ a)
    return R if mode == "r" else QRResult(Q, R)


@operation(name="eigh")
def eigen(a: Any, UPLO: Any = "L") -> Any:
    values, vectors = np.linalg.eigh(a, UPLO)
    return np.concatenate([values[..., None, :], vectors], axis=-2)


@eigen.rule
def eigh_a(g: Any, y: Any, a: Any, UPLO: str = "L") -> Any:
    w, V, gw, gV = real_part(y[..., :1, :]), y[..., 1:, :], g[..., :1, :], g[..., 1:, :]
    inside = quotient(skew(mT(V) @ gV) / 2, w - mT(w))
    return (conjugated(V) * gw + conjugated(V) @ inside) @ mT(V)


def skew(x: Any) -> Any:
    """A matrix less its conjugate transpose. The diagonal is 0: that of a complex one is a
    phase."""
    found = x - mT(conjugated(x))
    return off_diagonal(found) if found.dtype.kind == "c" else found


def off_diagonal(x: Any) -> Any:
    return x * (1 - np.eye(x.shape[-1]))


@implements(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> EighResult:
    """Eigenvalues and eigenvectors of symmetric matrices, as :func:`numpy.linalg.eigh`.

    Parameters
    ----------
    a : Tensor or array_like, shape (..., M, M)
        Symmetric; complex ones Hermitian. Only one triangle is read, but the gradient is that of a
        function of symmetric matrices and symmetric itself.
    UPLO : {"L", "U"}
        Which triangle is read.

    Returns
    -------
    EighResult
        The fields ``eigenvalues`` and ``eigenvectors``.

    Notes
    -----
    The derivative of the eigenvectors exists where the eigenvalues are distinct; where two are
    equal the gradient is not finite. That of the eigenvalues alone is always finite: at equal ones
    it is the one of the vectors found.
    """
    parts = eigen(a, UPLO=UPLO)
    return EighResult(real_part(parts[..., 0, :]), parts[..., 1:, :])


def real_part(x: Any) -> Any:
    """Of numbers that are real by themselves, and complex for the company they were in."""
    return real(x) if x.dtype.kind == "c" else x


@implements(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    """The eigenvalues of symmetric matrices, in ascending order; see :func:`eigh`."""
    return eigh(a, UPLO).eigenvalues


@operation(name="eig")
def decomposed(a: Any) -> Any:
    values, vectors = np.linalg.eig(a)
    return np.concatenate([values[..., None, :], vectors], axis=-2)


@decomposed.rule
def eig_a(g: Any, y: Any, a: Any) -> Any:
    w, V, gw, gV = y[..., :1, :], y[..., 1:, :], g[..., :1, :], g[..., 1:, :]
    of_V = mT(V) @ gV
    longer = np.real(np.diagonal(of_V, axis1=-2, axis2=-1))[..., None, :]  # but it has length 1
    of_V = off_diagonal(of_V - (mT(V) @ conjugated(V)) * longer)
    inside = quotient(of_V, w - mT(w)) + gw * np.eye(w.shape[-1])
    return np.linalg.solve(mT(V), inside @ mT(V))


@implements(np.linalg.eig)
def eig(a: Any) -> EigResult:
    """Eigenvalues and eigenvectors of square matrices, as :func:`numpy.linalg.eig`.

    Parameters
    ----------
    a : Tensor or array_like, shape (..., M, M)

    Returns
    -------
    EigResult
        The fields ``eigenvalues`` and ``eigenvectors``. They are in no order, and the vectors have
        a free phase (of real ones the sign).

    Notes
    -----
    The derivative exists where the eigenvalues are distinct. Of symmetric matrices :func:`eigh` has
    a better one.
    """
    parts = decomposed(a)
    return EigResult(parts[..., 0, :], parts[..., 1:, :])


@implements(np.linalg.eigvals)
def eigvals(a: Any) -> Any:
    """The eigenvalues of square matrices, in no order; see :func:`eig`."""
    return eig(a).eigenvalues


@operation(name="svd")
def singular(a: Any) -> Any:
    U, S, Vh = np.linalg.svd(a, full_matrices=False)
    return np.concatenate([U, S[..., None, :], mT(conjugated(Vh))], axis=-2)


@singular.rule
def svd_a(g: Any, y: Any, a: Any) -> Any:
    (U, s, V), (gU, gs, gV) = svd_parts(y, a), svd_parts(g, a)
    s = real_part(s)
    gap = s * s - mT(s * s)
    of_U, of_V = mT(U) @ gU, mT(V) @ gV
    inner = quotient(skew(of_U), gap) * s + mT(s) * quotient(skew(of_V), gap)
    U_, V_ = conjugated(U), conjugated(V)
    total = (U_ * (gs + turned(of_U - of_V, s)) + U_ @ inner) @ mT(V)
    if U.shape[-2] > U.shape[-1]:  # U can leave its span
        total = total + quotient(gU - U_ @ of_U, s) @ mT(V)
    if V.shape[-2] > V.shape[-1]:
        total = total + U_ @ mT(conjugated(quotient(gV - V_ @ of_V, s)))
    return total


def turned(x: Any, s: Any) -> Any:
    """What a common phase of a left and a right vector sends back to their singular value."""
    if x.dtype.kind != "c":
        return 0
    return 1j * quotient(np.imag(np.diagonal(x, axis1=-2, axis2=-1))[..., None, :], 2 * s)


def svd_parts(y: Any, a: Any) -> tuple[Any, Any, Any]:
    """Left vectors as columns, singular values as a row, right vectors as columns."""
    rows = np.shape(a)[-2]
    return y[..., :rows, :], y[..., rows : rows + 1, :], y[..., rows + 1 :, :]


@implements(np.linalg.svd)
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """Singular values and vectors, ``a = U @ diag(S) @ Vh``, as :func:`numpy.linalg.svd`.

    Parameters
    ----------
    a : Tensor or array_like, shape (..., M, N)
    full_matrices : bool, default True
        Must be False unless the matrices are square: the additional vectors are arbitrary and have
        no derivative.
    compute_uv : bool, default True
        Whether to return the vectors too.

    Returns
    -------
    SVDResult
        The fields ``U``, ``S`` and ``Vh``; without `compute_uv` only the singular values.

    Notes
    -----
    The derivative of the vectors exists where the singular values are distinct, and not zero unless
    the matrix is square; elsewhere the gradient is not finite. That of the values alone is always
    finite.
    """
    rows, length = matrix_shape(a, "svd")
    if full_matrices and compute_uv and rows != length:
        raise ShapeError(
            "only the reduced decomposition has a derivative",
            where="svd",
            got=np.shape(a),
            do="give full_matrices=False",
        )
    U, s, V = svd_parts(singular(a), a)
    S = real_part(s[..., 0, :])
    return SVDResult(U, S, mT(conjugated(V))) if compute_uv else S


@implements(np.linalg.svdvals)
def svdvals(a: Any) -> Any:
    """The singular values, in descending order; see :func:`svd`."""
    return svd(a, compute_uv=False)


@operation(name="pinv")
def pseudo_inverse(a: Any, rcond: Any = None) -> Any:
    return np.linalg.pinv(a, rcond)


@pseudo_inverse.rule
def pinv_a(g: Any, y: Any, a: Any, rcond: Any = None) -> Any:
    rows, columns = np.eye(a.shape[-2], dtype=y.dtype), np.eye(a.shape[-1], dtype=y.dtype)
    y_, back = conjugated(y), mT(conjugated(g))
    left = conjugated(rows - a @ y) @ back @ y_ @ mT(y)
    right = mT(y) @ y_ @ back @ conjugated(columns - y @ a)
    return left + right - mT(y) @ g @ mT(y)


@implements(np.linalg.pinv)
def pinv(a: Any, rcond: Any = None) -> Any:
    """The pseudo-inverse, as :func:`numpy.linalg.pinv`.

    The derivative is that among matrices of the same rank.

    Parameters
    ----------
    a : Tensor or array_like, shape (..., M, N)
        The matrices.
    rcond : float or array_like, optional
        Singular values below this part of the largest count as 0.

    Returns
    -------
    Tensor or ndarray, shape (..., N, M)

    Notes
    -----
    Source of the derivative: Golub and Pereyra, The differentiation of pseudo-inverses and
    nonlinear least squares problems whose variables separate, 1973.
    """
    return pseudo_inverse(a, rcond=rcond)
