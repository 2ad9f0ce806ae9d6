"""Reductions and products at their corners: ties, zeros, overflow, NaN, constant data, arguments
that NumPy has and we do not."""

import numpy as np
import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import DtypeError, IndexingError, ShapeError, Tensor, gradients


def slope(f, value, weights=None):
    x = Tensor(value, requires_grad=True)
    y = f(x)
    return gradients(y, np.ones(y.shape) if weights is None else weights)[x]


@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        (np.max, [1.0, 3.0, 3.0], [0, 0.5, 0.5]),
        (np.min, [1.0, 3.0, 1.0, 1.0], [1 / 3, 0, 1 / 3, 1 / 3]),
        (lambda x: np.max(x, axis=1), [[2.0, 2.0], [1.0, 4.0]], [[0.5, 0.5], [0, 1]]),
        (np.median, [2.0, 1.0, 2.0], [0.5, 0, 0.5]),
        (np.median, [1.0, 2.0, 2.0, 5.0], [0, 0.5, 0.5, 0]),
        (np.median, [1.0, 2.0, 3.0, 3.0], [0, 0.5, 0.25, 0.25]),
        (lambda x: np.linalg.norm(x, np.inf), [-2.0, 1.0, 2.0], [-0.5, 0, 0.5]),
        (lambda x: np.linalg.norm(x, -np.inf), [-2.0, 5.0, 2.0], [-0.5, 0, 0.5]),
    ],
)
def test_ties_share_equally(f, x, expected):
    np.testing.assert_array_equal(slope(f, x), expected)


@pytest.mark.parametrize("p", [None, 1, 1.5, 2, 3, 0.5, np.inf])
def test_norm_at_zero_has_the_subgradient_zero(p):
    np.testing.assert_array_equal(slope(lambda x: np.linalg.norm(x, p), [0.0, 0.0]), [0, 0])
    partly = slope(lambda x: np.linalg.norm(x, p), [0.0, -2.0])
    assert partly[0] == 0 and partly[1] == pytest.approx(-1)


def test_second_derivative_of_a_norm_at_zero_is_finite():
    x = Tensor([0.0, 0.0], requires_grad=True)
    g = gradients(np.linalg.norm(x) + (x * x).sum(), create_graph=True)[x]
    np.testing.assert_array_equal(gradients(g.sum())[x], [2, 2])


@pytest.mark.parametrize(
    ("x", "first"),
    [([0.0, 2.0, 3.0], [6, 0, 0]), ([2.0, 0.0, 3.0, 0.0], [0, 0, 0, 0]), ([0.0], [1])],
)
def test_prod_with_zeros(x, first):
    np.testing.assert_array_equal(slope(np.prod, x), first)


def test_prod_with_two_zeros_differentiates_twice_and_thrice():
    """d3 (a b c d) / da dc db is d, although a = c = 0 and the first derivatives vanish."""
    x = Tensor([0.0, 2.0, 0.0, 5.0], requires_grad=True)
    for f in (np.prod, lambda x: np.cumprod(x)[-1]):
        by_a = gradients(f(x), create_graph=True)[x][0]
        by_ac = gradients(by_a, create_graph=True)[x][2]
        assert by_ac.item() == 10
        np.testing.assert_array_equal(gradients(by_ac)[x], [0, 5, 0, 2])


def test_constant_data_has_no_spread():
    for value in ([2.0, 2.0, 2.0], [0.1] * 7, 4.0):
        np.testing.assert_allclose(slope(np.var, value), np.zeros_like(value), atol=1e-15)
        assert np.isfinite(slope(np.std, value)).all()
    assert slope(np.std, [2.0, 2.0]).tolist() == [0, 0]


def test_too_few_entries_for_ddof_are_nan_and_not_a_number():
    with pytest.warns(RuntimeWarning, match="Degrees of freedom"), np.errstate(invalid="ignore"):
        assert np.isnan(slope(lambda x: np.var(x, ddof=1), [3.0])).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exponentials_far_out(dtype):
    x = np.array([-1e4, 1e4, 1e4 - 1, 0], dtype)
    parts = np.array([0, 1 / (1 + np.exp(-1)), np.exp(-1) / (1 + np.exp(-1)), 0])
    np.testing.assert_allclose(
        tg.logsumexp(Tensor(x)).item(), 1e4 + np.log1p(np.exp(-1)), rtol=1e-6
    )
    np.testing.assert_allclose(tg.softmax(x), parts, rtol=1e-6)
    np.testing.assert_allclose(tg.log_softmax(x)[0], -2e4, rtol=1e-3)
    np.testing.assert_allclose(slope(tg.logsumexp, x), parts, rtol=1e-6)
    for f in (tg.softmax, tg.log_softmax):
        assert np.isfinite(slope(f, x, np.arange(4.0))).all()


def test_minus_infinity_is_a_masked_entry():
    x = [[-np.inf, 0.0], [-np.inf, -np.inf]]
    np.testing.assert_array_equal(tg.logsumexp(np.array(x), axis=1), [0, -np.inf])
    np.testing.assert_array_equal(slope(lambda x: tg.logsumexp(x, axis=1), x), [[0, 1], [0, 0]])
    np.testing.assert_array_equal(slope(tg.softmax, x[0], [1.0, 2.0]), [0, 0])


def test_nan_is_passed_on_to_the_entries_it_comes_from():
    np.testing.assert_array_equal(slope(np.max, [1.0, np.nan, 2.0]), [0, 1, 0])
    np.testing.assert_array_equal(slope(np.median, [1.0, np.nan, 2.0]), [0, 1, 0])


def test_empty_values():
    assert tg.logsumexp(np.zeros(0)) == -np.inf
    assert slope(lambda x: np.prod(x), np.zeros((0, 2))).shape == (0, 2)
    with pytest.raises(ShapeError, match="max: zero-size array"):
        np.max(Tensor(np.zeros((2, 0))), axis=1)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.sum(x, dtype=np.float32),
        lambda x: np.sum(x, 0, np.float32),
        lambda x: np.var(x, 0, None, None, 1),
        lambda x: np.max(x, axis=0, initial=3.0),
        lambda x: np.median(x, overwrite_input=True),
        lambda x: np.cumsum(x, dtype=float),
    ],
)
def test_what_numpy_takes_and_we_do_not_is_refused(call):
    with pytest.raises(DtypeError, match=r"unexpected keyword|by position|not supported"):
        call(Tensor([[1.0, 2.0]], requires_grad=True))


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda x: np.sum(x, axis=2), "sum: axis 2 is out of bounds"),
        (lambda x: np.linalg.norm(x, axis=2), "norm: axis 2 is out of bounds"),
        (lambda x: np.linalg.norm(x, "nuc", axis=(0, 2)), "moveaxis.*axis 2 is out of bounds"),
        (lambda x: np.linalg.norm(x[None], 2), "no norm of order 2 over 3 axes"),
        (lambda x: np.linalg.norm(x, "fro", axis=0), "no norm of order 'fro' over 1 axes"),
        (lambda x: x @ 2, "matmul: .* b 2"),
        (lambda x: np.einsum("ijk", x), "einsum: .*too many subscripts"),
        (lambda x: np.einsum("...i->i", x), "einsum: .*no '...' ellipsis"),
        (lambda x: np.einsum(x, [0, 99]), "einsum: not understood"),
        (lambda x: np.tensordot(x, x, 1), "tensordot: shape-mismatch"),
    ],
)
def test_errors_name_the_stage(call, match):
    with pytest.raises((ShapeError, IndexingError), match=match) as caught:
        call(Tensor(np.ones((2, 3)), requires_grad=True))
    assert "\n" not in str(caught.value)


def test_einsum_is_one_stage_and_so_is_its_derivative():
    a, b = Tensor(np.ones((2, 3)), requires_grad=True), Tensor(np.ones((3, 2)), requires_grad=True)
    y = np.einsum("ij,jk->", a, b)
    assert [stage.op for stage in y.tape] == ["einsum"]
    g = gradients(y, create_graph=True)[a]
    assert {stage.op for stage in g.tape} == {"einsum", "reshape"}


def test_real_functions_of_complex_values_as_pytorch():
    """Numbers from PyTorch 2.13: the derivative of f by z = x + iy is df/dx + i df/dy."""
    z = np.array([1 + 2j, 3 - 1j])
    np.testing.assert_allclose(slope(np.linalg.norm, z), z / np.sqrt(15))
    np.testing.assert_allclose(slope(np.var, z), z - (2 + 0.5j))
    np.testing.assert_allclose(slope(lambda z: np.vdot(z, np.array([1j, 2.0])), z), [1j, 2])
