"""Linear algebra: stored numbers from PyTorch, what the results look like, and matrices at the edge
of the conditions."""

import json

import numpy as np
import pytest
from reference.make_linalg import FILE, FORMULAS

import tinygrad_lstm as tg
from tinygrad_lstm import DtypeError, Error, GradientError, ShapeError, Tensor, gradients

CASES = json.loads(FILE.read_text())


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{case['name']} {[np.shape(a) for a in case['inputs']]}" for case in CASES]
)
def test_as_pytorch(case):
    xs = [Tensor(a, requires_grad=True) for a in case["inputs"]]
    y = FORMULAS[case["name"]](np.linalg, *xs)
    np.testing.assert_allclose(y.numpy(), case["value"], rtol=1e-9, atol=1e-12)
    g = gradients(y, case["weights"], create_graph=True)
    along = tg.add_n(
        *[(g[x] * np.array(v)).sum() for x, v in zip(xs, case["directions"], strict=True)]
    )
    second = gradients(along)
    for x, first_expected, second_expected in zip(xs, case["first"], case["second"], strict=True):
        for got, expected in ((g[x].numpy(), first_expected), (second[x], second_expected)):
            np.testing.assert_allclose(
                got, expected, rtol=1e-7, atol=1e-8 * np.max(np.abs(expected))
            )


def symmetric(n, seed=0):
    a = np.random.default_rng(seed).normal(size=(n, n))
    return a + a.T


@pytest.mark.parametrize(
    ("function", "fields"),
    [
        (np.linalg.eigh, "eigenvalues eigenvectors"),
        (np.linalg.eig, "eigenvalues eigenvectors"),
        (np.linalg.qr, "Q R"),
        (np.linalg.slogdet, "sign logabsdet"),
        (np.linalg.svd, "U S Vh"),
    ],
)
def test_several_results_have_numpys_fields(function, fields):
    a = symmetric(3)
    ours, numpys = function(Tensor(a, requires_grad=True)), function(a)
    assert ours._fields == numpys._fields == tuple(fields.split())
    for mine, theirs in zip(ours, numpys, strict=True):
        assert isinstance(mine, Tensor)
        np.testing.assert_allclose(mine.numpy(), theirs, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["eigh", "svd"])
def test_a_decomposition_is_one_stage(name):
    first, second, *_ = getattr(tg, name)(Tensor(symmetric(3), requires_grad=True))
    tape = (first.sum() + second.sum()).tape
    assert [stage.op for stage in tape].count(name) == 1
    assert tape.forks[-1].value._op.name == name  # the parts are branches of one fork


@pytest.mark.parametrize(
    "f", [np.linalg.cholesky, lambda a: np.linalg.eigh(a, "U").eigenvectors, np.linalg.eigvalsh]
)
def test_the_gradient_of_a_function_of_symmetric_matrices_is_symmetric(f):
    x = Tensor(symmetric(3) + 6 * np.eye(3), requires_grad=True)
    y = f(x)
    g = gradients(y, np.random.default_rng(1).normal(size=y.shape))[x]
    np.testing.assert_allclose(g, g.T, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_det_of_singular_matrices(rank):
    """The derivative is the matrix of cofactors, a polynomial: three ways to come near it agree."""
    rng = np.random.default_rng(rank)
    a = rng.normal(size=(3, rank)) @ rng.normal(size=(rank, 3))
    x = Tensor(a, requires_grad=True)
    g = gradients(np.linalg.det(x), create_graph=True)[x]
    cofactors = np.array([np.cross(a[(i + 1) % 3], a[(i + 2) % 3]) for i in range(3)])
    np.testing.assert_allclose(g.numpy(), cofactors, atol=1e-14)
    by_last = gradients(g[0, 0], create_graph=True)[x]
    np.testing.assert_allclose(
        by_last.numpy(), [[0, 0, 0], [0, a[2, 2], -a[2, 1]], [0, -a[1, 2], a[1, 1]]], atol=1e-14
    )


def test_equal_eigenvalues_and_singular_values_have_finite_subgradients():
    x = Tensor(np.eye(3), requires_grad=True)
    for f in (np.linalg.eigvalsh, np.linalg.svdvals):
        np.testing.assert_allclose(gradients(f(x).sum())[x], np.eye(3), atol=1e-14)
    flat = Tensor(np.zeros((3, 2)), requires_grad=True)
    assert np.isfinite(gradients(np.linalg.svdvals(flat).sum())[flat]).all()
    with np.errstate(all="ignore"):  # the vectors have none, and this shows
        assert not np.isfinite(
            gradients(np.linalg.eigh(x).eigenvectors, np.arange(9.0).reshape(3, 3))[x]
        ).all()


def test_one_parameter_in_a_least_squares_problem():
    """The derivative of the residual's square by the data is the residual: the solution is at its
    minimum."""
    rng = np.random.default_rng(0)
    A, b = (
        Tensor(rng.normal(size=(5, 2)), requires_grad=True),
        Tensor(rng.normal(size=5), requires_grad=True),
    )
    Q, R = np.linalg.qr(A)
    x = np.linalg.solve(R, Q.T @ b)
    residual = A @ x - b
    g = gradients((residual * residual).sum() / 2)
    np.testing.assert_allclose(g[b], -residual.numpy(), atol=1e-12)
    np.testing.assert_allclose(g[A], np.outer(residual.numpy(), x.numpy()), atol=1e-12)


@pytest.mark.parametrize(
    ("call", "kind", "match"),
    [
        (lambda x: np.linalg.inv(0 * x), ShapeError, "inv: Singular matrix"),
        (lambda x: np.linalg.solve(0 * x, x), ShapeError, "solve: Singular matrix"),
        (lambda x: np.linalg.inv(x[:2]), ShapeError, "inv: .*must be square"),
        (lambda x: np.linalg.cholesky(-x), ShapeError, "cholesky: Matrix is not positive definite"),
        (
            lambda x: np.linalg.slogdet(0 * x).logabsdet.backward(),
            GradientError,
            "slogdet: the derivative does not exist",
        ),
        (
            lambda x: np.linalg.qr(0 * x).Q.sum().backward(),
            GradientError,
            "qr: the derivative does not exist",
        ),
        (lambda x: np.linalg.svd(x[:2]), ShapeError, "svd: .*full_matrices=False"),
        (lambda x: np.linalg.qr(x[:, :2], mode="complete"), ShapeError, "qr: .*'complete'"),
        (lambda x: np.linalg.svd(x[0]), ShapeError, "svd: a matrix is needed"),
        (lambda x: np.linalg.qr(x * 1j), DtypeError, "qr: the derivative is known for real"),
        (
            lambda x: np.linalg.cholesky(x + 0j).sum().backward(1.0 + 0j),
            DtypeError,
            "cholesky: the derivative is known for real",
        ),
        (lambda x: np.linalg.cond(x), DtypeError, "np.linalg.cond: no derivative rule"),
    ],
)
def test_errors(call, kind, match):
    with pytest.raises(kind, match=match) as caught:
        call(Tensor(np.eye(3), requires_grad=True))
    assert isinstance(caught.value, Error) and "\n" not in str(caught.value)


def test_plain_arrays_give_plain_arrays():
    a = symmetric(3)
    assert isinstance(tg.eigh(a).eigenvalues, np.ndarray) and isinstance(tg.inv(a), np.ndarray)
    np.testing.assert_allclose(tg.svd(a).U, np.linalg.svd(a).U)
