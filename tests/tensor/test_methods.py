"""The methods and operators of an ndarray, on a Tensor."""

import operator

import numpy as np
import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import DtypeError, Error, Tensor, UnknownAttributeError, gradients
from tinygrad_lstm.tensor.functions import PYTORCH, Functions

A = np.array([[0.5, -2.0, 3.0], [1.5, 4.0, -0.25]])

CALLS = {
    "abs": abs,
    "clip": lambda t: t.clip(-1, 2),
    "conj": lambda t: t.conj(),
    "copy": lambda t: t.copy(),
    "cumprod": lambda t: t.cumprod(axis=1),
    "cumsum": lambda t: t.cumsum(0),
    "diagonal": lambda t: t.diagonal(),
    "divmod": lambda t: divmod(t, 0.7)[1],
    "dot": lambda t: t.dot(np.arange(3.0)),
    "flatten": lambda t: t.flatten(),
    "max": lambda t: t.max(axis=0),
    "mean": lambda t: t.mean(1),
    "min": lambda t: t.min(),
    "mod": lambda t: t % 1.1,
    "mT": lambda t: np.asarray(t).T if isinstance(t, np.ndarray) else t.mT,
    "prod": lambda t: t.prod(axis=1),
    "ravel": lambda t: t.ravel(),
    "real": lambda t: t.real,
    "repeat": lambda t: t.repeat(2, axis=0),
    "reshape": lambda t: t.reshape(3, -1),
    "reshape (tuple)": lambda t: t.reshape((3, 2)),
    "positive": operator.pos,
    "squeeze": lambda t: t[:1].squeeze(0),
    "std": lambda t: t.std(axis=1, ddof=1),
    "sum": lambda t: t.sum(axis=1, keepdims=True),
    "swapaxes": lambda t: t.swapaxes(0, 1),
    "take": lambda t: t.take([0, 5, 0]),
    "trace": lambda t: t.trace(),
    "transpose": lambda t: t.transpose(1, 0),
    "var": lambda t: t.var(),
}


@pytest.mark.parametrize("f", CALLS.values(), ids=CALLS)
def test_they_record_and_agree(f):
    t = Tensor(A, requires_grad=True)
    y = f(t)
    assert isinstance(y, Tensor) and y.requires_grad
    np.testing.assert_allclose(y.numpy(), f(A), rtol=1e-14)
    g = gradients(y, np.ones(y.shape))[t]
    for at in np.ndindex(A.shape):
        e = np.zeros(A.shape)
        e[at] = 1e-6
        assert g[at] == pytest.approx(np.sum(f(A + e) - f(A - e)) / 2e-6, abs=1e-7)


@pytest.mark.parametrize("name", ["all", "any", "argmax", "argmin", "argsort", "tolist", "nonzero"])
def test_constants(name):
    y = getattr(Tensor(A, requires_grad=name != "tolist"), name)()
    np.testing.assert_array_equal(getattr(y, "_array", y), getattr(A, name)())
    assert not getattr(y, "requires_grad", False)


def test_masks():
    t = Tensor(A, requires_grad=True)
    mask = (t > 0) & ~(t > 2) | (t < -1) ^ (t == 4)
    np.testing.assert_array_equal(mask.numpy(), (A > 0) & ~(A > 2) | (A < -1) ^ (A == 4))
    assert t[mask].requires_grad
    np.testing.assert_array_equal((t // 2).numpy(), A // 2)
    np.testing.assert_array_equal(t.round(1).numpy(), A.round(1))


def test_names_for_tracebacks_and_dir():
    assert Tensor.max.__name__ == Tensor.max.__code__.co_name == "max"
    assert "ndarray.max" in Tensor.max.__doc__
    assert {"max", "cumsum", "T", "register_hook"} <= set(dir(Tensor))


def test_numbers():
    n, x = Tensor(2), Tensor([1.25])
    assert (
        [10, 20, 30][n] == 30
        and list(range(n)) == [0, 1]
        and f"{x:.1f}" == "1.2"
        and f"{x}" == str(x)
    )
    assert (
        float(x) == 1.25
        and int(x) == 1
        and complex(x) == 1.25
        and bool(x)
        and Tensor(A).item(1, 2) == -0.25
    )
    assert 3.0 in Tensor(A) and 7.0 not in Tensor(A) and Tensor(4.0) in Tensor(A)
    for wrong in (
        lambda: [1][x],
        lambda: range(Tensor(1.0)),
        lambda: f"{Tensor(A):.1f}",
        lambda: float(Tensor(A)),
    ):
        with pytest.raises(Error):
            wrong()


def test_what_works_in_place_is_refused():
    t = Tensor(A)
    for wrong in (t.sort, lambda: t.fill(0.0)):
        with pytest.raises(DtypeError, match="not changed in place"):
            wrong()


def test_ufuncs_along_an_axis():
    t = Tensor(A, requires_grad=True)
    along = {
        "reduce": (np.add, np.multiply, np.maximum, np.minimum),
        "accumulate": (np.add, np.multiply),
    }
    for ufunc, method in ((ufunc, method) for method, ufuncs in along.items() for ufunc in ufuncs):
        for how in ({}, {"axis": 1}):
            y = getattr(ufunc, method)(t, **how)
            assert y.requires_grad
            np.testing.assert_allclose(y.numpy(), getattr(ufunc, method)(A, **how))
    np.testing.assert_array_equal(
        np.multiply.outer(t, np.arange(2.0)).numpy(), np.multiply.outer(A, np.arange(2.0))
    )
    np.testing.assert_array_equal(
        np.subtract.outer(np.arange(2.0), t).numpy(), np.subtract.outer(np.arange(2.0), A)
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            lambda t: np.add(t, 1, out=np.zeros((2, 3))),
            r"np\.add: out= is not supported for Tensors; assign the result",
        ),
        (lambda t: np.add(np.zeros((2, 3)), 1, out=t), r"np\.add: out= "),
        (lambda t: np.tanh(t, where=A > 0), r"np\.tanh: where= "),
        (lambda t: np.add.reduce(t, initial=3.0), r"np\.add\.reduce: .*initial"),
        (lambda t: np.add.at(np.zeros(3), [0], t[0]), r"np\.add\.at: no derivative rule"),
        (lambda t: np.add.reduceat(t, [0]), r"np\.add\.reduceat: no derivative rule"),
        (lambda t: np.concatenate([t], dtype=float), r"np\.concatenate: .*dtype"),
        (lambda t: np.fft.hfft(t), r"np\.fft\.hfft: no derivative rule"),
    ],
)
def test_options_without_a_meaning_here_are_refused_by_name(wrong, message):
    with pytest.raises(DtypeError, match=message):
        wrong(Tensor(A, requires_grad=True))


def test_options_at_their_defaults_are_nothing():
    t = Tensor(A, requires_grad=True)
    assert (
        np.mean(t, dtype=None, out=None).item() == A.mean()
        and np.add(t, 1, where=True, casting="same_kind").requires_grad
    )
    assert t.max(out=None).item() == 4.0


def test_questions_about_values():
    t = Tensor(A, requires_grad=True)
    assert (
        np.shape(t) == (2, 3)
        and np.ndim(t) == 2
        and np.size(t) == 6
        and np.result_type(t, np.float32) == np.dtype(float)
    )
    assert (
        np.allclose(t, A)
        and np.array_equal(t, A)
        and not np.iscomplexobj(t)
        and np.may_share_memory(t, t)
    )
    assert np.full_like(t, 2.0).tolist() == np.full((2, 3), 2.0).tolist() and np.empty_like(
        t
    ).shape == (2, 3)


FUNCTIONS = [n for n in vars(Functions) if not n.startswith("_") and n not in PYTORCH]
SQUARE = {"cholesky", "det", "inv"}
MORE = {
    **dict.fromkeys(("arctan2", "maximum", "minimum", "inner", "power", "vdot", "outer"), (2 + A,)),
    "broadcast_to": ((2, 2, 3),),
    "expand_dims": (1,),
    "matmul": (A.T,),
    "moveaxis": (0, 1),
    "roll": (1,),
    "take_along_axis": (np.array([[0], [2]]),),
    "tile": (2,),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_as_methods(name):
    t = Tensor(
        np.eye(3) + 0.5 if name in SQUARE else np.abs(A) / 5 + (name == "arccosh"),
        requires_grad=True,
    )
    found = getattr(t, name)(*MORE.get(name, ()))
    expected = getattr(tg, name, np.abs)(t, *MORE.get(name, ()))
    pairs = zip(found, expected, strict=True) if name == "unstack" else [(found, expected)]
    for y, z in pairs:
        assert y._op is z._op
        np.testing.assert_array_equal(y.numpy(), z.numpy())


@pytest.mark.parametrize("name", PYTORCH)
def test_pytorchs_names_are_answered_with_numpys(name):
    t = Tensor(A)
    assert not hasattr(t, name) and name not in dir(t)
    with pytest.raises(UnknownAttributeError, match=rf"Tensor.{name}: .* use "):
        getattr(t, name)


def test_a_name_that_nobody_has():
    with pytest.raises(AttributeError, match="'Tensor' object has no attribute 'tahn'") as error:
        _ = Tensor(A).tahn
    assert (error.value.name, error.value.obj.shape) == ("tahn", (2, 3))
