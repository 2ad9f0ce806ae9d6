"""Dtypes: forward as NumPy 2 (NEP 50), and every gradient in the dtype of the value that it belongs
to.

The result of an operation, by the dtype of a Tensor and of what it meets:

==========  ===========  ==============  ===============  ==========  ==========
Tensor      Python       Python complex  integer, bool    float32     float64
            number
==========  ===========  ==============  ===============  ==========  ==========
float16     float16      complex64       by size (below)  float32     float64
float32     float32      complex64       by size (below)  float32     float64
float64     float64      complex128      float64          float64     float64
longdouble  longdouble   clongdouble     longdouble       longdouble  longdouble
complex64   complex64    complex64       by size (below)  complex64   complex128
complex128  complex128   complex128      complex128       complex128  complex128
==========  ===========  ==============  ===============  ==========  ==========

* A Python number is weak: it takes the Tensor's dtype. A NumPy scalar or array is not:
  ``np.float64(2) * t`` is float64.
* Arrays of bool, int8 and uint8 keep float16; of up to 16 bits they keep float32 and complex64;
  wider ones need float64 or complex128. So float32 values with int64 indices as factors become
  float64, as in NumPy.
* The gradient of a leaf has the leaf's dtype and shape, whatever was computed on the way: float32
  parameters get float32 gradients.
* Integers and bool have no derivative: Tensors of them are constants, and ``requires_grad=True`` is
  refused. Where they meet a float Tensor they are read as numbers.
* The package's own functions (activations, softmax, losses) read integers and bool as floating
  point: as float64, and in a loss as the other value, so that targets do not widen it.
* Complex: the gradient of a real leaf is real. That of a complex leaf is the conjugate of the
  complex derivative where there is one, PyTorch's convention: minus the gradient is the way down.
"""

import operator

import numpy as np
import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import DtypeError, Tensor, gradients

REAL = [np.float16, np.float32, np.float64, np.longdouble]
COMPLEX = [np.complex64, np.complex128, np.clongdouble]
OTHERS = [np.bool_, np.int8, np.uint8, np.int16, np.int32, np.int64, np.uint64, *REAL, *COMPLEX]
WEAK = [2, 2.5, True, 2.5 + 1j]

BINARY = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "power": operator.pow,
    "where": lambda a, b: np.where(np.array([True, False]), a, b),
    "concatenate": lambda a, b: np.concatenate([a, np.atleast_1d(b)]),
    "stack": lambda a, b: np.stack([a, np.broadcast_to(b, (2,))]),
    "dot": lambda a, b: np.dot(a, b),
}
UNARY = {
    "exp": np.exp,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "square": np.square,
    "negative": np.negative,
    "sum": np.sum,
    "mean": np.mean,
    "index": lambda x: x[[1, 1, 0]],
    "reshape": lambda x: np.reshape(x, (1, 2)),
    "pad": lambda x: np.pad(x, 1, constant_values=0.5),
    "power (number)": lambda x: x**2,
    "reflected": lambda x: 1 - 2 / (3.5 * x),
    "tile": lambda x: np.tile(x, 2),
}
REAL_ONLY = {
    "sort": np.sort,
    "maximum": lambda x: np.maximum(x, 1),
    "sigmoid": tg.sigmoid,
    "relu": tg.relu,
}


def leaf(dtype):
    return Tensor(np.array([0.5, 1.5], dtype), requires_grad=True)


def check(f, x, expected):
    """The result has NumPy's dtype, and the gradient the leaf's, found by any of the ways."""
    y = f(x)
    assert y.dtype == expected.dtype and y.shape == expected.shape
    g = gradients(y, np.ones(y.shape, y.dtype))[x]
    assert g.dtype == x.dtype and g.shape == x.shape and np.isfinite(g).all()
    y.backward(np.ones(y.shape))
    assert x.grad.dtype == x.dtype
    np.testing.assert_array_equal(x.grad, g)


@pytest.mark.parametrize("dtype", [*REAL, *COMPLEX])
@pytest.mark.parametrize("name", [*UNARY, *REAL_ONLY])
def test_one_value(name, dtype):
    if name in REAL_ONLY and dtype in COMPLEX:
        pytest.skip("not for complex numbers")
    f, x = {**UNARY, **REAL_ONLY}[name], leaf(dtype)
    check(f, x, f(np.array([0.5, 1.5], dtype)))


@pytest.mark.parametrize("dtype", [*REAL, *COMPLEX])
@pytest.mark.parametrize("name", BINARY)
def test_with_arrays_scalars_and_tensors(name, dtype):
    f, array = BINARY[name], np.array([0.5, 1.5], dtype)
    for other in OTHERS:
        b = np.array([1, 1], other)
        check(lambda x, b=b: f(x, b), leaf(dtype), f(array, b))
        check(lambda x, b=b: f(x, Tensor(b)), leaf(dtype), f(array, b))
        if name != "dot":
            check(lambda x, b=b: f(x, b[0]), leaf(dtype), f(array, b[0]))
        check(lambda x, b=b: f(b, x), leaf(dtype), f(b, array))
        if other in (*REAL, *COMPLEX):
            x, y = leaf(dtype), leaf(other)
            g = gradients(z := f(x, y), np.ones(f(x, y).shape))
            assert (
                z.dtype == f(array, np.array([0.5, 1.5], other)).dtype
                and g[x].dtype == dtype
                and g[y].dtype == other
            )


@pytest.mark.parametrize("dtype", [*REAL, *COMPLEX])
@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "power", "where"])
def test_python_numbers_are_weak(name, dtype):
    f, array = BINARY[name], np.array([0.5, 1.5], dtype)
    for number in WEAK:
        check(lambda x, number=number: f(x, number), leaf(dtype), f(array, number))
        check(lambda x, number=number: f(number, x), leaf(dtype), f(number, array))


def test_the_table():
    kinds = {"python": 2.5, "complex": 1j, "float32": np.ones(2, np.float32), "float64": np.ones(2)}
    table = {
        np.float16: ("float16", "complex64", "float32", "float64"),
        np.float32: ("float32", "complex64", "float32", "float64"),
        np.float64: ("float64", "complex128", "float64", "float64"),
        np.longdouble: (
            np.dtype("longdouble").name,
            np.dtype("clongdouble").name,
            np.dtype("longdouble").name,
            np.dtype("longdouble").name,
        ),
        np.complex64: ("complex64", "complex64", "complex64", "complex128"),
        np.complex128: ("complex128",) * 4,
    }
    for dtype, row in table.items():
        assert tuple((leaf(dtype) * other).dtype.name for other in kinds.values()) == row
    for small in (np.bool_, np.int8, np.uint8):
        assert (leaf(np.float16) * np.ones(2, small)).dtype == np.float16
    for integer, result in ((np.int16, np.float32), (np.int32, np.float64), (np.int64, np.float64)):
        assert (leaf(np.float32) * np.ones(2, integer)).dtype == result


@pytest.mark.parametrize("dtype", [bool, np.int8, np.int64, np.uint8])
def test_integers_and_bool_are_constants(dtype):
    n = Tensor(np.array([1, 0], dtype))
    assert n.dtype == dtype and not n.requires_grad
    assert (n + n).dtype == dtype and (n * 2.5).dtype == np.float64 and n.mean().dtype == np.float64
    x = leaf(np.float64)
    (n * x).sum().backward()
    np.testing.assert_array_equal(x.grad, [1, 0])
    with pytest.raises(DtypeError, match="floating-point"):
        Tensor(np.array([1, 0], dtype), requires_grad=True)


OWN = ["elu", "logsigmoid", "sigmoid", "silu", "softplus", "log_softmax", "logsumexp", "softmax"]
LOSSES = ["absolute_error", "binary_cross_entropy_with_logits", "huber", "squared_error"]


@pytest.mark.parametrize("tensor", [Tensor, np.asarray, lambda x: np.asarray(x).tolist()])
@pytest.mark.parametrize("dtype", [bool, np.int8, np.int64, np.uint8, np.uint64])
def test_own_functions_read_integers_as_floating_point(dtype, tensor):
    """Nothing wraps around, and nothing is computed in float16, as NumPy does for int8."""
    x = np.array([[0, 1, 1], [1, 0, 0]] if dtype is bool else [[0, 1, 3], [120, 2, 0]])
    for name in OWN:
        f = getattr(tg, name)
        np.testing.assert_allclose(f(tensor(x.astype(dtype))), f(x * 1.0), rtol=1e-15)
    right = np.eye(3)[[2, 0]]
    for name in [*LOSSES, "cross_entropy"]:
        f = getattr(tg, name)
        for logits in (x.astype(dtype), x * 0.1):
            expected = f(logits * 1.0, right)
            np.testing.assert_allclose(f(logits, tensor(right.astype(dtype))), expected, rtol=1e-15)


@pytest.mark.parametrize("name", [*LOSSES, "cross_entropy"])
def test_a_loss_has_the_dtype_of_the_predictions_whatever_that_of_the_targets(name):
    prediction = Tensor(np.array([[0.5, -1.0, 2.0]], np.float32), True)
    for dtype in (bool, np.uint8, np.int64):
        loss = getattr(tg, name)(prediction, np.array([[1, 0, 0]], dtype))
        assert loss.dtype == gradients(loss)[prediction].dtype == np.float32


@pytest.mark.parametrize(
    "value",
    ["a", object(), None, {"a": 1}, np.datetime64("2020-01-01"), [[1.0], [1.0, 2.0]]],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_number_is_refused(value):
    with pytest.raises((DtypeError, ValueError)) as raised:
        Tensor(value)
    assert "\n" not in str(raised.value)


def test_rounding_to_integers_cuts_the_gradient_visibly():
    y = leaf(np.float64).astype(int)
    assert y.dtype == int and not y.requires_grad


def test_float32_all_the_way():
    x, W = leaf(np.float32), Tensor(np.ones((3, 2), np.float32), requires_grad=True)
    loss = ((np.tanh(W @ x) * 0.5 + 1) ** 2).mean()
    g = gradients(loss, create_graph=True)
    twice = gradients((g[x] * g[x]).sum())
    assert loss.dtype == g[x].dtype == g[W].dtype == twice[W].dtype == np.float32
    assert all(branch.gradient.dtype == np.float32 for branch in gradients(loss).branches(W))


def test_a_sum_over_dtypes_at_a_fork():
    """Branches that compute in other dtypes come back in that of the value they share."""
    x = leaf(np.float32)
    y = x * 1
    (y * np.float64(3) + y).sum().backward()
    assert x.grad.dtype == np.float32 and x.grad.tolist() == [4, 4]


def test_complex_gradients():
    x = leaf(np.float64)
    y = (x * (2 + 3j)) ** 2  # real leaf: Re of the derivative of what is summed
    assert gradients(y, np.ones(2))[x].dtype == np.float64
    np.testing.assert_allclose(gradients(y, np.ones(2))[x], (2 * x.numpy() * (2 + 3j) ** 2).real)
    z = Tensor([1 + 2j, 3 - 1j], requires_grad=True)
    np.testing.assert_allclose(gradients((z * z).sum(), 1.0)[z], np.conj(2 * z.numpy()))


def test_special_values_pass_through():
    x = Tensor(np.array([np.inf, -np.inf, np.nan, -0.0]), requires_grad=True)
    (x[::-1] * 2).sum().backward()
    np.testing.assert_array_equal(x.grad, [2, 2, 2, 2])
