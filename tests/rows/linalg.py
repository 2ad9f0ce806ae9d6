"""Rows of the table: linear algebra. Inputs are well-conditioned, with distinct eigenvalues and
singular values.

Vectors are squared, since LAPACK may change their sign from one matrix to the next.
"""

import numpy as np

from rows.row import Row, normal


def square(*shape):
    """Invertible matrices: the identity, more than doubled, and noise."""
    return lambda rng: [rng.normal(size=shape) * 0.3 + 2.5 * np.eye(shape[-1])]


def singular(n, rank):
    """A matrix of lower rank than its size."""
    return lambda rng: [rng.normal(size=(n, rank)) @ rng.normal(size=(rank, n))]


def spread(*shape):
    """Matrices with singular values near 1, 2, 3, ... between random orthogonal matrices."""

    def make(rng):
        *batch, m, n = shape
        U, V = (np.linalg.qr(rng.normal(size=(*batch, k, k))).Q for k in (m, n))
        s = np.zeros((m, n))
        np.fill_diagonal(s, np.arange(1, min(m, n) + 1) + rng.uniform(-0.2, 0.2))
        return [U @ s @ V]

    return make


def symmetric(x):
    return x + np.swapaxes(x, -1, -2)


def ascending(*shape):
    """Matrices whose symmetric part has distinct, positive eigenvalues."""
    return lambda rng: [rng.normal(size=shape) * 0.1 + np.diag(np.arange(1.0, shape[-1] + 1))]


def both(name, f, *makes, **options):
    return Row(name, f, f, list(makes), rtol=1e-11, **options)


def pair(a, *b):
    return lambda rng: [*a(rng), *normal(*b)(rng)]


def of_symmetric(f):
    return lambda x: f(symmetric(x))


ROWS = [
    Row("pinv", np.linalg.pinv, np.linalg.pinv, [normal((4, 2)), normal((2, 2, 3))], rtol=1e-9),
    both("inv", np.linalg.inv, square(3, 3), square(2, 2, 2), square(0, 0)),
    both(
        "solve",
        np.linalg.solve,
        pair(square(3, 3), (3,)),
        pair(square(3, 3), (3, 2)),
        pair(square(2, 2, 2), (2,)),
        pair(square(2, 2, 2), (2, 2)),
    ),
    both(
        "solve (broadcast)",
        np.linalg.solve,
        pair(square(2, 1, 2, 2), (3, 2, 2)),
        pair(square(2, 2), (3, 2, 1)),
        pair(square(2, 2), (2, 0)),
    ),
    both("det", np.linalg.det, square(3, 3), square(2, 2, 2), square(1, 1), square(0, 0)),
    both(
        "det (singular)",
        np.linalg.det,
        singular(3, 2),
        singular(3, 1),
        singular(2, 0),
        singular(1, 0),
    ),
    both("slogdet", lambda x: np.linalg.slogdet(x).logabsdet, square(3, 3), square(2, 2, 2)),
    both("cholesky", of_symmetric(np.linalg.cholesky), square(3, 3), square(2, 2, 2), square(1, 1)),
    both(
        "cholesky (upper)", of_symmetric(lambda x: np.linalg.cholesky(x, upper=True)), square(3, 3)
    ),
    both(
        "qr (Q)",
        lambda x: np.linalg.qr(x).Q ** 2,
        spread(3, 3),
        spread(4, 2),
        spread(2, 3, 2),
        spread(2, 4),
    ),
    both(
        "qr (R)",
        lambda x: np.linalg.qr(x)[1] ** 2,
        spread(3, 3),
        spread(4, 2),
        spread(2, 3, 2),
        spread(2, 4),
    ),
    both("qr (r)", lambda x: np.linalg.qr(x, mode="r") ** 2, spread(3, 2)),
    both(
        "eigh (values)",
        of_symmetric(lambda x: np.linalg.eigh(x).eigenvalues),
        ascending(3, 3),
        ascending(2, 3, 3),
        ascending(0, 0),
    ),
    both(
        "eigh (vectors)",
        of_symmetric(lambda x: np.linalg.eigh(x, UPLO="U").eigenvectors ** 2),
        ascending(3, 3),
        ascending(2, 3, 3),
    ),
    both("eigvalsh", of_symmetric(np.linalg.eigvalsh), ascending(3, 3)),
    both(
        "svd (U)",
        lambda x: np.linalg.svd(x, full_matrices=False).U ** 2,
        spread(3, 3),
        spread(4, 2),
        spread(2, 4),
        spread(2, 2, 3),
    ),
    both(
        "svd (S)",
        lambda x: np.linalg.svd(x, full_matrices=False).S,
        spread(3, 3),
        spread(4, 2),
        spread(2, 4),
        spread(2, 2, 3),
    ),
    both(
        "svd (Vh)",
        lambda x: np.linalg.svd(x, full_matrices=False).Vh ** 2,
        spread(3, 3),
        spread(4, 2),
        spread(2, 4),
        spread(2, 2, 3),
    ),
    both("eigvals", lambda x: np.real(np.linalg.eigvals(x) ** 2).sum(), ascending(3, 3)),
    both("svdvals", np.linalg.svdvals, spread(3, 2)),
]
