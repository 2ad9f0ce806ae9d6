"""NumPy's own functions, ufuncs and conversions, given Tensors: recorded, constant by convention,
or refused by name.

Conventions tested here:

* A function of NumPy that has a rule returns a recorded Tensor. Predicates, comparisons, positions
  and counts (``np.isnan``, ``np.argsort``, ``np.searchsorted``) are constants, and so are functions
  whose derivative is 0 wherever it exists (``np.floor``, ``np.sign``) and arrays made in the
  likeness of a Tensor (``np.zeros_like``).
* Every other function raises an error that names it. None returns an array that has silently lost
  the gradient.
* ``float(t)``, ``int(t)``, ``t.item()`` and what is built on them (``math.sin(t)``,
  ``np.float64(t)``, ``np.fromiter``) make plain numbers, as in PyTorch; all but
  ``item()`` warn (see tests/engine/test_leaving.py).
  ``np.asarray(t)`` and ``np.array(t)`` raise for a Tensor that requires gradients.
"""

import copy
import io
import pickle
import warnings

import numpy as np
import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import DtypeError, Error, GradientError, Tensor, gradients


def words(text):
    return set(text.split())


CONSTANT = words(  # floating-point results without a gradient, by convention
    """
    around ceil empty_like fix floor floor_divide full_like heaviside nextafter ones_like rint round
    sign spacing trunc zeros_like
    """
)
PARTLY = {
    "norm",
    "slogdet",
}  # the norm of order 0 is a count, and the sign of a determinant is a step
NO_ARRAYS = words(  # functions that are not asked about the values of arrays
    """
    binary_repr broadcast_shapes datetime_data empty eye fftfreq from_dlpack frombuffer fromfunction
    fromiter frompyfunc fromstring identity indices isdtype isfortran isscalar issubdtype iterable
    mask_indices nested_iters ones promote_types rfftfreq tri typename zeros
    """
)
FILES = {
    "fromfile",
    "fromregex",
    "genfromtxt",
    "load",
    "loadtxt",
    "save",
    "savetxt",
    "savez",
    "savez_compressed",
}
SETTINGS = words(  # functions about NumPy itself
    """
    get_include get_printoptions getbufsize geterr geterrcall info set_printoptions setbufsize
    seterr seterrcall show_config show_runtime test
    """
)


def vector():
    return Tensor([0.3, 0.6, 0.9], requires_grad=True, name="v")


def matrix():
    return Tensor([[2.0, 0.5], [0.5, 1.0]], requires_grad=True, name="m")


def number():
    return Tensor(0.5, requires_grad=True, name="s")


def functions():
    for space in (np, np.linalg, np.fft):
        for name in sorted(dir(space)):
            function = getattr(space, name)
            if (
                name.startswith("_")
                or not callable(function)
                or isinstance(function, type)
                or name in FILES | SETTINGS | NO_ARRAYS
            ):
                continue
            yield pytest.param(name, function, id=f"{space.__name__}.{name}")


def calls(name, function):
    """Arguments to try a function with, a Tensor that requires gradients in each of them."""
    for make in (vector, matrix, number):
        t = make()
        yield from ((t,), (t, t), (t, t, t), ([t, t],), (t, 1), (t, 0, 1), (t, [0]))
        if isinstance(function, np.ufunc) and function.nin == 2:
            yield from ((np.ones(t.shape), t), (2.0, t), (np.float32(2), t), ([1.0], t))
        if name in (
            "where",
            "compress",
            "extract",
            "place",
            "putmask",
            "select",
            "piecewise",
            "copyto",
        ):
            yield from (
                (t.numpy() > 0, t),
                (t.numpy() > 0, t, t),
                ([t.numpy() > 0], [t]),
                (np.zeros(t.shape), t),
                (np.zeros(t.shape), True, t),
            )
        if name in ("einsum", "einsum_path"):
            yield ("...->...", t)
        if name in (
            "apply_along_axis",
            "apply_over_axes",
            "choose",
            "put_along_axis",
            "full",
            "interp",
        ):
            yield from (
                (np.sum, 0, t),
                (np.sum, t, 0),
                ([0, 0], [t, t]),
                (np.ones((2, 2)), np.zeros((1, 2), int), t, 0),
                ((2,), t),
                ([0.5], [0.0, 1.0], t),
            )


def parts(result):
    """The values that a result is made of."""
    if isinstance(result, (tuple, list)):
        for part in result:
            yield from parts(part)
    else:
        yield result


def loses(name, value):
    """Whether a result of floating-point numbers came out without its gradient."""
    if isinstance(value, (Tensor, np.ndarray, np.generic)) and value.dtype.kind not in "fcO":
        return False
    if isinstance(value, Tensor):
        return not value.requires_grad and name not in CONSTANT
    return isinstance(value, (np.ndarray, np.generic, float, complex)) and name not in CONSTANT


@pytest.mark.filterwarnings(
    "ignore"
)  # of values: 1 is no argument of arccosh, and some functions are deprecated
@pytest.mark.parametrize(("name", "function"), [*functions()])
def test_no_function_of_numpy_drops_the_gradient(name, function):
    answered = refusals = 0
    named = recorded = False
    for arguments in calls(name, function):
        try:
            result = function(*arguments)
        except Error as error:
            refusals += 1
            named |= function.__name__ in str(error) or "np.asarray" in str(error)
            continue
        except RecursionError:
            raise
        except Exception:  # not a way to call this function
            continue
        answered += 1
        for value in parts(result):
            recorded |= getattr(value, "requires_grad", False)
            assert name in PARTLY or not loses(name, value), (name, arguments, value)
    assert recorded or name not in PARTLY
    assert answered or refusals, f"no way was found to call {name}"
    assert answered or named, f"{name} is refused without its name"


def test_no_file_of_numpy_takes_a_gradient_along(tmp_path):
    for save in (
        lambda: np.save(io.BytesIO(), vector()),
        lambda: np.savez(io.BytesIO(), x=vector()),
        lambda: np.savetxt(io.StringIO(), vector()),
    ):
        with pytest.raises(Error, match="detach"):
            save()


@pytest.mark.parametrize(
    "make",
    [
        np.nditer,
        np.broadcast,
        np.ndenumerate,
        np.vectorize(abs),
        np.frompyfunc(abs, 1, 1),
        np.poly1d,
    ],
)
def test_classes_of_numpy_refuse(make):
    with pytest.raises(Error):
        make(vector())


def test_recorded_through_numpy():
    x, y = vector(), vector()
    for value, op in [
        (np.tanh(x), "tanh"),
        (np.concatenate([x, y]), "concatenate"),
        (np.mean(x), "mean"),
        (np.float64(2) * x, "multiply"),
        (np.float32(2) / x, "divide"),
        (np.ones((2, 3)) @ x, "matmul"),
        (np.ones(3) - x, "subtract"),
        (np.ones(3) ** x, "power"),
        (np.add(1, x), "add"),
        (np.where(x > 0.5, x, y), "where"),
        (np.arange(3) + x, "add"),
        (np.add(x, y, out=None), "add"),
        (np.add(x, 1, where=True, casting="same_kind", order="K", dtype=None, subok=True), "add"),
        (np.sum(x, axis=0, dtype=None, out=None), "sum"),
    ]:
        assert isinstance(value, Tensor) and value.requires_grad and value.tape.stages[-1].op == op


def test_an_array_is_not_changed_by_adding_a_tensor_in_place():
    array = np.ones(3)
    with pytest.raises(Error, match="add"):
        array += vector()
    np.testing.assert_array_equal(array, np.ones(3))
    with pytest.raises(GradientError):
        array[:] = vector()
    np.testing.assert_array_equal(array, np.ones(3))


KEYWORDS = [
    ("out", lambda x: np.add(x, 1, out=np.zeros(3))),
    ("out", lambda x: np.tanh(x, out=np.zeros(3))),
    ("out", lambda x: np.add(np.ones(3), 1, out=x.detach())),
    ("out", lambda x: np.sum(x, out=np.zeros(()))),
    ("out", lambda x: np.concatenate([x, x], out=np.zeros(6))),
    ("out", lambda x: np.add.reduce(x, out=np.zeros(()))),
    ("where", lambda x: np.add(x, 1, where=np.array([True, False, True]))),
    ("where", lambda x: np.tanh(x, where=False)),
    ("dtype", lambda x: np.exp(x, dtype=np.float32)),
    ("dtype", lambda x: np.concatenate([x, x], dtype=np.float32)),
    ("casting", lambda x: np.multiply(x, 2, casting="unsafe")),
    ("order", lambda x: np.multiply(x, 2, order="F")),
    ("initial", lambda x: np.add.reduce(x, initial=5.0)),
    ("order", lambda x: np.reshape(x, (3, 1), order="F")),
    ("signature", lambda x: np.add(x, 1, signature="dd->d")),
]


@pytest.mark.parametrize(("keyword", "call"), KEYWORDS)
def test_keywords_are_refused_by_name(keyword, call):
    with pytest.raises(Error, match=keyword) as raised:
        call(vector())
    assert "\n" not in str(raised.value)


METHODS = {
    "add.reduce": lambda x: np.add.reduce(x),
    "add.reduce (axis)": lambda x: np.add.reduce(x, axis=1),
    "add.reduce (axes, keepdims)": lambda x: np.add.reduce(x, axis=(0, 1), keepdims=True),
    "add.reduce (None)": lambda x: np.add.reduce(x, axis=None),
    "multiply.reduce": lambda x: np.multiply.reduce(x),
    "maximum.reduce": lambda x: np.maximum.reduce(x, axis=1),
    "minimum.reduce": lambda x: np.minimum.reduce(x),
    "add.accumulate": lambda x: np.add.accumulate(x),
    "add.accumulate (axis)": lambda x: np.add.accumulate(x, axis=1),
    "multiply.accumulate": lambda x: np.multiply.accumulate(x),
    "multiply.outer": lambda x: np.multiply.outer(x, x[0]),
    "subtract.outer": lambda x: np.subtract.outer(np.arange(3.0), x),
}


@pytest.mark.parametrize("method", [*METHODS.values()], ids=METHODS)
def test_methods_of_ufuncs(method):
    array = np.array([[0.5, 2.0, -1.5], [1.25, 3.0, 0.75]])
    x = Tensor(array, requires_grad=True)
    y = method(x)
    np.testing.assert_allclose(y.numpy(), method(array), rtol=1e-14)
    weights = np.random.default_rng(0).normal(size=y.shape)
    g = gradients(y, weights)[x]
    for at in np.ndindex(array.shape):
        moved = array.astype(complex)
        step = np.zeros_like(array)
        step[at] = 1e-6
        if "imum" not in str(method.__code__.co_names):
            moved[at] += 1e-30j  # the complex step, exact to rounding
            expected = (weights * method(moved)).sum().imag / 1e-30
        else:
            expected = (weights * (method(array + step) - method(array - step))).sum() / 2e-6
        np.testing.assert_allclose(g[at], expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("add.at", lambda x: np.add.at(x, [0], 1.0)),
        ("add.at", lambda x: np.add.at(np.zeros(3), [0, 1, 2], x)),
        ("add.reduceat", lambda x: np.add.reduceat(x, [0, 1])),
        ("subtract.reduce", lambda x: np.subtract.reduce(x)),
        ("logaddexp.accumulate", lambda x: np.logaddexp.accumulate(x)),
        ("nextafter.outer", lambda x: np.nextafter.outer(x, x)),
        ("gcd", lambda x: np.gcd(x, x)),
        ("hfft", lambda x: np.fft.hfft(x)),
        ("convolve", lambda x: np.convolve(x, [0.0, 1.0])),
        ("where", lambda x: np.where(x)),
        ("copyto", lambda x: np.copyto(np.zeros(3), x)),
        ("fill_diagonal", lambda x: np.fill_diagonal(x * np.ones((3, 1)), 0)),
    ],
)
def test_what_has_no_rule_names_itself_and_the_way_out(name, call):
    with pytest.raises(Error, match=name) as raised:
        call(vector())
    assert "\n" not in str(raised.value)


def test_the_way_out_is_said():
    with pytest.raises(DtypeError, match="detach"):
        np.convolve(vector(), [0.0, 1.0])


CONVERSIONS = {
    "asarray": np.asarray,
    "array": np.array,
    "array of a list": lambda x: np.array([x, x]),
    "asarray (dtype)": lambda x: np.asarray(x, np.float32),
    "asanyarray": np.asanyarray,
    "ascontiguousarray": np.ascontiguousarray,
    "full": lambda x: np.full((2, 3), x),
    "setitem": lambda x: np.zeros(3).__setitem__(slice(None), x),
    "ndarray.dot": lambda x: np.ones(3).dot(x),
    "a Tensor of Tensors": lambda x: Tensor([x, x]),
}


@pytest.mark.parametrize("convert", [*CONVERSIONS.values()], ids=CONVERSIONS)
def test_no_conversion_to_an_array_while_gradients_are_wanted(convert):
    with pytest.raises(Error) as raised:
        convert(vector())
    assert "\n" not in str(raised.value)


def test_conversion_without_gradient():
    x = Tensor([1.0, 2.0])
    array = np.asarray(x)
    assert type(array) is np.ndarray and array.tolist() == [1.0, 2.0]
    array[0] = 5  # a copy
    assert x.numpy().tolist() == [1.0, 2.0]
    assert np.asarray(x, np.float32).dtype == np.float32
    assert np.array(vector().detach()).tolist() == [0.3, 0.6, 0.9]


def test_numbers():
    constant = number().detach()
    assert float(constant) == 0.5 and int(constant) == 0 and number().item() == 0.5
    assert bool(number()) and float(Tensor([[2.0]])) == 2.0
    assert complex(Tensor(1 + 2j)) == 1 + 2j
    for convert in (float, int, bool, complex):
        with pytest.raises(Error, match="one entry"):
            convert(vector())
    assert [10, 20, 30][Tensor(2)] == 30 and list(range(Tensor(2))) == [0, 1]
    with pytest.raises(TypeError):
        [10, 20][number()]


def test_sequences():
    x = matrix()
    assert len(x) == 2 and all(isinstance(row, Tensor) and row.requires_grad for row in x)
    a, b = x
    assert [row.shape for row in (a, b)] == [(2,), (2,)] and isinstance(
        next(iter(vector())), Tensor
    )
    sum(vector()).backward()
    assert 0.6 in vector() and 7.0 not in vector() and not any(v == 7.0 for v in vector())
    for f in (len, iter, list):
        with pytest.raises(TypeError):
            f(number())


def test_printing():
    assert f"{number():.3f}" == "0.500" and f"{number() * 2:5.1f}" == "  1.0"
    assert f"{vector()}" == str(vector()) == repr(vector())
    assert "0.3" in str(vector()) and "requires_grad=True" in repr(vector())
    with pytest.raises(Error, match="one entry"):
        f"{vector():.3f}"
    assert len(str(Tensor(np.zeros(10_000)))) < 300


@pytest.mark.parametrize(
    "clone",
    [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_copies_of_leaves(clone):
    x = Tensor(np.float32([1, 2, 3]), requires_grad=True, name="W")
    (x * x).sum().backward()
    y = clone(x)
    assert (
        isinstance(y, Tensor)
        and y is not x
        and y.is_leaf
        and y.name == "W"
        and y.requires_grad
        and y.dtype == np.float32
    )
    np.testing.assert_array_equal(y.numpy(), x.numpy())
    y.zero_grad()
    (y * 3).sum().backward()
    np.testing.assert_array_equal(y.grad, [3, 3, 3])
    np.testing.assert_array_equal(x.grad, [2, 4, 6])


@pytest.mark.parametrize(
    "clone", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["deepcopy", "pickle"]
)
def test_memory_of_copies_is_their_own(clone):
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = clone(x)
    y.data[0] = 9
    assert x.numpy()[0] == 1
    model = clone({"W": x, "again": x})
    assert model["W"] is model["again"]


@pytest.mark.parametrize("clone", [copy.deepcopy, pickle.dumps], ids=["deepcopy", "pickle"])
def test_recorded_values_are_not_copied_with_their_past(clone):
    with pytest.raises(GradientError, match="detach"):
        clone(vector() * 2)


def test_questions_about_an_array():
    x = matrix()
    assert np.shape(x) == (2, 2) and np.ndim(x) == 2 and np.size(x) == 4
    for question in (
        np.isnan(x),
        np.isfinite(x),
        np.argsort(x),
        np.argmax(x, axis=0),
        x > 1,
        np.isclose(x, 1.0),
        tg.argmin(x),
    ):
        assert not getattr(question, "requires_grad", False)
    assert np.allclose(x, x) and np.array_equal(x, x)


V = np.array([1.0, 2.0, 4.0])

BESIDE_THE_FIRST = {
    "append": lambda t: np.append(V, t),
    "clip": lambda t: np.clip(V, t, 3.0),
    "clip (max)": lambda t: np.clip(V, None, t),
    "cross": lambda t: np.cross(V, t * V),
    "diff": lambda t: np.diff(V, prepend=t),
    "interp": lambda t: np.interp(V, V, t * V),
    "linspace": lambda t: np.linspace(0.0, t, 3),
    "nan_to_num": lambda t: np.nan_to_num(V, nan=t),
    "full": lambda t: np.full(2, t),
    "full_like": lambda t: np.full_like(V, t),
    "copyto": lambda t: np.copyto(V.copy(), t),
    "putmask": lambda t: np.putmask(V.copy(), V > 1, t),
    "put": lambda t: np.put(V.copy(), [0], t),
    "place": lambda t: np.place(V.copy(), V > 1, [t]),
    "fill_diagonal": lambda t: np.fill_diagonal(np.eye(2), t),
    "insert": lambda t: np.insert(V, 0, t),
    "select": lambda t: np.select([V > 1], [V], t),
    "pad": lambda t: np.pad(V, 1, constant_values=t),
    "piecewise": lambda t: np.piecewise(V, [V > 1], [t, 0.0]),
    "polyval": lambda t: np.polyval(V, t),
    "sum (initial)": lambda t: np.sum(V, initial=t),
    "max (initial)": lambda t: np.max(V, initial=t),
    "std (ddof)": lambda t: np.std(V, ddof=t),
    "average (weights)": lambda t: np.average(V, weights=t * V),
    "percentile": lambda t: np.percentile(V, t),
    "trapezoid": lambda t: np.trapezoid(V, dx=t),
    "gradient (spacing)": lambda t: np.gradient(V, t),
    "convolve": lambda t: np.convolve(V, t * V),
    "array": lambda t: np.array([t, t]),
    "arange": lambda t: np.arange(t),
    "vander": lambda t: np.vander(t * V),
    "unwrap": lambda t: np.unwrap(V, period=t),
    "isclose": lambda t: np.where(np.isclose(V, 1.0, atol=t), t, 0.0),
    "lstsq": lambda t: np.linalg.lstsq(np.eye(3), t * V),
    "multi_dot": lambda t: np.linalg.multi_dot([V, t * np.eye(3), V]),
    "out": lambda t: np.add(V, 1.0, out=t * V),
}


@pytest.mark.parametrize("f", BESIDE_THE_FIRST.values(), ids=BESIDE_THE_FIRST)
def test_a_tensor_beside_the_first_argument_is_recorded_or_refused(f):
    """Or there is a warning that it became a plain number."""
    t = Tensor(2.5, requires_grad=True)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            y = f(t)
        except Error:
            return
    if any("becomes plain numbers" in str(w.message) for w in said):
        return
    assert isinstance(y, Tensor)
    h = 1e-6
    values = [f(Tensor(2.5 + e)).numpy() for e in (h, -h)]
    slope = ((values[0] - values[1]) / (2 * h)).sum()
    assert gradients(y, np.ones(y.shape))[t] == pytest.approx(slope, abs=1e-7)
