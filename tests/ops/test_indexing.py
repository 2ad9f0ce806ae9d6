"""Indexing in full, against NumPy: values, gradients, errors, and what assignment means."""

import time

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import tinygrad_lstm as tg
from tinygrad_lstm import (
    DtypeError,
    GradientError,
    IndexingError,
    ShapeError,
    Tensor,
    gradients,
    no_grad,
)

settings.register_profile("tests", max_examples=15, deadline=None, derandomize=True)
settings.load_profile("tests")


def leaf(shape=(2, 3)):
    return Tensor(
        np.arange(1.0, np.prod(shape, dtype=int) + 1).reshape(shape), requires_grad=True, name="x"
    )


def check(shape, key):
    """Value and gradient of ``x[key]``: an entry's gradient is the sum of the weights of the places
    where it ended up."""
    x = leaf(shape)
    y = x[key]
    numbers = np.arange(x.size).reshape(shape)[key]
    np.testing.assert_array_equal(y.numpy(), numbers + 1.0)
    assert y.shape == numbers.shape
    weights = np.cos(np.arange(y.size)).reshape(y.shape)
    expected = np.bincount(numbers.ravel(), weights.ravel(), x.size).reshape(shape)
    np.testing.assert_allclose(gradients(y, weights)[x], expected, rtol=1e-14)
    y.backward(weights)
    np.testing.assert_allclose(x.grad, expected, rtol=1e-14)


shapes = hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4)


@settings(max_examples=150)
@given(data=st.data(), shape=shapes)
def test_basic_indices(data, shape):
    check(shape, data.draw(hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True)))


@settings(max_examples=150)
@given(data=st.data(), shape=shapes)
def test_integer_arrays(data, shape):
    check(shape, data.draw(hnp.integer_array_indices(shape)))


@settings(max_examples=150)
@given(data=st.data(), shape=shapes)
def test_masks_of_any_rank(data, shape):
    rank = data.draw(st.integers(1, len(shape)))
    mask = data.draw(hnp.arrays(bool, shape[:rank]))
    check(shape, mask)
    check(shape, (Ellipsis, data.draw(hnp.arrays(bool, shape[-rank:]))))


@settings(max_examples=150)
@given(data=st.data(), shape=hnp.array_shapes(min_dims=3, max_dims=4, min_side=1, max_side=4))
def test_mixtures(data, shape):
    """Each axis with an index of a kind of its own; the arrays among them broadcast."""
    length = data.draw(st.integers(0, 3))

    def entry(n):
        numbers = st.lists(st.integers(-n, n - 1), min_size=length, max_size=length)
        return st.one_of(
            st.slices(n),
            st.integers(-n, n - 1),
            st.integers(-n, n - 1).map(np.int64),
            numbers,
            numbers.map(tuple),
            numbers.map(lambda k: Tensor(np.array(k, int))),
        )

    key = tuple(data.draw(entry(n)) for n in shape)
    x = leaf(shape)
    y = x[key]
    reference = tuple(
        k.numpy()
        if isinstance(k, Tensor)
        else np.array(k, int)
        if isinstance(k, (list, tuple))
        else k
        for k in key
    )
    numbers = np.arange(x.size).reshape(shape)[reference]
    weights = np.cos(np.arange(y.size)).reshape(y.shape)
    np.testing.assert_array_equal(y.numpy(), numbers + 1.0)
    np.testing.assert_allclose(
        gradients(y, weights)[x],
        np.bincount(numbers.ravel(), weights.ravel(), x.size).reshape(shape),
        rtol=1e-14,
    )


@pytest.mark.parametrize(
    "key", [np.int8(1), np.uint64(1), 1, True, np.True_, [], [[]], ([], [])], ids=repr
)
def test_odd_keys(key):
    x = leaf()
    expected = np.asarray(x.detach())[key]
    y = x[key]
    np.testing.assert_array_equal(y.numpy(), expected)
    g = gradients(y, np.ones(y.shape))[x]
    assert g.shape == x.shape and g.sum() == y.size


@pytest.mark.parametrize(
    "key",
    [
        Tensor([1, 0, 1]),
        Tensor([True, False]),
        (Tensor([0, 0]), Tensor([2, 2])),
        Tensor(1),
        range(2),
    ],
    ids=["int", "mask", "pair", "0-d", "range"],
)
def test_tensors_as_index(key):
    x = leaf()
    plain = tuple(np.asarray(k) for k in key) if isinstance(key, tuple) else np.asarray(key)
    y = x[key]
    np.testing.assert_array_equal(y.numpy(), np.asarray(x.detach())[plain])
    assert gradients(y, np.ones(y.shape))[x].sum() == y.size


def test_repeated_indices_add_up():
    x = leaf((3,))
    x[[0, 2, 0, 0]].sum().backward()
    np.testing.assert_array_equal(x.grad, [3, 0, 1])


def test_a_mask_made_of_the_value_itself():
    x = Tensor([-1.0, 2.0, -3.0, 4.0], requires_grad=True)
    (x[x > 0] ** 2).sum().backward()
    np.testing.assert_array_equal(x.grad, [0, 4, 0, 8])


def test_the_key_is_kept_as_it_was():
    x, key = leaf((3,)), np.array([0, 1])
    y = x[key] * x[[0, 1]]
    key[:] = 2
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, [2, 4, 0])


@pytest.mark.parametrize(
    "key",
    [
        2,
        -3,
        (0, 3),
        (0, 0, 0),
        [0, 2],
        np.array([[5]]),
        1.0,
        "a",
        [0.5],
        np.zeros((2, 4), bool),
        np.ones(3, bool),
        (..., ...),
        Tensor([0.5]),
        Tensor(9),
    ],
    ids=repr,
)
def test_what_is_no_index_is_refused_in_one_line(key):
    with pytest.raises(IndexingError, match="index") as raised:
        leaf()[key]
    assert "x float64 (2, 3)" in str(raised.value) and "\n" not in str(raised.value)
    assert isinstance(raised.value, IndexError)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.take(x, [9]),
        lambda x: np.take(x, 0, axis=5),
        lambda x: np.concatenate([x, 1.0]),
        lambda x: np.split(x, 2, axis=4),
        lambda x: tg.unstack(x, axis=2),
    ],
)
def test_out_of_range_in_relatives_of_indexing(f):
    with pytest.raises(IndexingError) as raised:
        f(leaf())
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.split(x, 5),
        lambda x: np.split(x, 0),
        lambda x: np.array_split(x, -1),
        lambda x: np.dsplit(x, 1),
        lambda x: np.pad(x, 1, mode="mean"),
        lambda x: np.pad(x, 1, mode="reflect", reflect_type="odd"),
        lambda x: np.concatenate([x, x.T]),
        lambda x: np.concatenate([x[:0], []]),
        lambda x: np.stack([x, x.T]),
        lambda x: np.squeeze(x, 0),
        lambda x: np.reshape(x, (4, 2)),
    ],
)
def test_shapes_that_do_not_fit(f):
    with pytest.raises((ShapeError, IndexingError)) as raised:
        f(leaf())
    assert "\n" not in str(raised.value)


def test_sorting_is_stable_and_the_gradient_follows():
    x = Tensor([2.0, 1.0, 2.0, 1.0], requires_grad=True)
    np.sort(x).backward([1, 10, 100, 1000])
    np.testing.assert_array_equal(x.grad, [100, 1, 1000, 10])
    assert np.argsort(x).numpy().tolist() == [1, 3, 0, 2]


def test_positions_are_constants():
    x = Tensor([[0.0, 2.0], [3.0, 0.0]], requires_grad=True)
    for result in (
        np.argmax(x),
        np.argmin(x, axis=0),
        np.argsort(x),
        np.argwhere(x),
        np.flatnonzero(x),
        np.searchsorted(np.arange(3.0), x),
    ):
        assert isinstance(result, Tensor) and result.dtype.kind == "i" and not result.requires_grad
    np.testing.assert_array_equal(np.nonzero(x), [[0, 1], [1, 0]])


def test_one_argument_of_where_is_refused():
    with pytest.raises(DtypeError, match="where"):
        np.where(leaf())


# Assignment.


def test_items_of_recorded_values_and_of_recording_leaves_are_not_assigned():
    x = leaf()
    y = x * 2
    for target in (x, y):
        before = target.detach().numpy().copy()
        with pytest.raises(GradientError, match="where, concatenate or stack"):
            target[0] = 1.0
        with pytest.raises(GradientError):
            target[0] += 1.0
        np.testing.assert_array_equal(target.numpy(), before)


def test_items_of_constants_and_of_leaves_under_no_grad():
    constant, x = Tensor([1.0, 2.0]), leaf((3,))
    constant[0] = 5
    with no_grad():
        x[1:] = 7
        x[0] += 1
    assert (
        constant.numpy().tolist() == [5, 2] and x.numpy().tolist() == [2, 7, 7] and x.requires_grad
    )


def test_an_item_assigned_between_forward_and_backward_is_noticed():
    x = leaf((3,))
    y = (x * x).sum()
    with no_grad():
        x[0] = 100
    with pytest.raises(GradientError, match="edited"):
        y.backward()


def test_adding_in_place_makes_a_new_value():
    """``y += 1`` on a recorded value binds the name to a new value; the old one is as it was, on
    the tape and for others."""
    x = leaf((3,))
    y = old = x * 1
    y += x
    assert y is not old
    np.testing.assert_array_equal(old.numpy(), x.numpy())
    y *= 2
    y -= 1
    y /= 2
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, [2, 2, 2])


def test_adding_in_place_under_no_grad_edits_a_leaf():
    x = same = leaf((3,))
    with no_grad():
        x -= 1.0
    assert x is same and x.is_leaf and x.requires_grad and x.numpy().tolist() == [0, 1, 2]


# Cost.


def seconds(f, *arguments):
    times = []
    for _ in range(3):
        start = time.process_time()
        f(*arguments)
        times.append(time.process_time() - start)
    return min(times)


def test_reading_every_row_is_linear_in_backward():
    """x[0], ..., x[T-1], as an LSTM reads its input: forty times the rows cost about forty times,
    not sixteen hundred; between the two there is room for a busy machine."""

    def run(steps):
        x = Tensor(np.ones((steps, 1000)), requires_grad=True)
        tg.add_n(*[x[t].sum() * t for t in range(steps)]).backward()
        assert x.grad[:, 0].tolist() == list(range(steps))

    assert seconds(run, 1200) < 300 * seconds(run, 30)


def test_a_number_read_many_times():
    x = Tensor(2.0, requires_grad=True)
    tg.add_n(*[x[()] * i for i in range(5)]).backward()
    assert x.grad == 10.0


def test_slices_and_other_uses_of_one_value_add_up():
    x = leaf()
    y = x * x  # an intermediate value: read whole, in slices, with repeated indices and by a mask
    (y.sum() + y[0].sum() + y[[1, 1]].sum() + y[y > 10].sum() + y[:, 1].sum()).backward()
    count = np.array([[2, 3, 2], [4, 5, 4]])
    np.testing.assert_array_equal(x.grad, 2 * np.asarray(x.detach()) * count)
