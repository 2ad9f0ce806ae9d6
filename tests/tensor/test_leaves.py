"""Leaves and what is recorded: requires_grad, copies and pickles, no_grad in generators."""

import copy
import pickle

import numpy as np
import pytest

from tinygrad_lstm import LSTM, GradientError, Tensor, block, enable_grad, no_grad, tanh


class TestRequiresGrad:
    def test_of_a_leaf(self):
        x = Tensor([1.0])
        assert x.requires_grad_() is x and x.requires_grad
        assert (x * 2).requires_grad
        x.requires_grad = False
        assert not (x * 2).requires_grad

    def test_of_integers(self):
        n = Tensor([1, 2], name="n")
        with pytest.raises(
            TypeError, match=r"Tensor n\(requires_grad=True\): only floating-point.*got int64"
        ):
            n.requires_grad = True
        n.requires_grad_(False)

    def test_of_a_recorded_value(self):
        y = (Tensor(1.0, requires_grad=True) * 2).named("y")
        y.requires_grad = True
        with pytest.raises(GradientError, match=r"y\.requires_grad: .*detach"):
            y.requires_grad = False

    def test_of_a_constant_result(self):
        y = Tensor(1.0) * 2.0
        y.requires_grad = True
        (y * y).backward()
        assert y.grad == 4.0


class TestCopies:
    @pytest.mark.parametrize(
        "again", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
    )
    def test_of_a_leaf(self, again):
        with block(2):
            x = Tensor(np.array([1.0, 2.0], np.float32), requires_grad=True, name="x")
        (x * x).sum().backward()
        x.register_hook(lambda g: g * 0)
        y = again(x)
        assert (y.name, y.block, y.requires_grad, y.dtype, y.is_leaf) == (
            "x<2>",
            2,
            True,
            np.float32,
            True,
        )
        np.testing.assert_array_equal(y.grad, x.grad)
        assert not np.shares_memory(y.data, x.data) and not np.shares_memory(y.grad, x.grad)
        (y * 3.0).sum().backward()
        assert y.grad.tolist() == [5.0, 7.0] and x.grad.tolist() == [2.0, 4.0]

    def test_of_a_structure_keeps_what_is_shared(self):
        x = Tensor(1.0, requires_grad=True)
        a, b = copy.deepcopy([x, x])
        assert a is b and a is not x

    def test_of_a_model(self):
        lstm = LSTM(2, 3, rng=0)
        for again in (copy.deepcopy(lstm), pickle.loads(pickle.dumps(lstm))):
            again.W_f.data[:] = 0.0
            assert lstm.W_f.numpy().any() and not again.W_f.numpy().any()

    def test_of_a_recorded_value_raises(self):
        y = (Tensor(1.0, requires_grad=True) * 2).named("y")
        for again in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(GradientError, match=r"copy or pickle of y: .*detach"):
                again(y)
        assert copy.deepcopy(y.detach()).item() == 2.0


class TestRecording:
    x = Tensor(2.0, requires_grad=True)

    def recorded(self):
        return (self.x * 2).requires_grad

    def test_enable_grad_inside_no_grad(self):
        with no_grad():
            with enable_grad():
                assert self.recorded()
            assert not self.recorded()

            @enable_grad()
            def f():
                return self.recorded()

            assert f()

    def test_one_object_entered_twice(self):
        off = no_grad()
        with off, off:
            assert not self.recorded()
        assert self.recorded()

    def test_a_decorated_generator_does_not_leak(self):
        @no_grad()
        def steps(n):
            got = []
            try:
                for i in range(n):
                    try:
                        got.append((yield i, self.recorded()))
                    except KeyError as error:  # noqa: PERF203
                        got.append(error.args[0])
                return got
            finally:
                got.append(self.recorded())

        run = steps(3)
        assert next(run) == (0, False) and self.recorded()
        assert run.send("sent") == (1, False) and self.recorded()
        assert run.throw(KeyError("thrown")) == (2, False) and self.recorded()
        with pytest.raises(StopIteration) as end:
            run.send("last")
        assert end.value.value == ["sent", "thrown", "last", False]
        closed = steps(3)
        next(closed)
        closed.close()
        assert self.recorded()
        failing = steps(1)
        next(failing)
        with pytest.raises(ZeroDivisionError):
            failing.throw(ZeroDivisionError)
        assert self.recorded()

    def test_a_generator_suspended_inside_ends_with_it(self):
        def inside():
            with no_grad():
                yield self.recorded()

        with no_grad():
            run = inside()
            assert next(run) is False
        assert not self.recorded()  # suspended inside its block, which goes on: as in PyTorch
        run.close()
        assert self.recorded()  # whatever the order in which the two ended

    def test_blocks_and_recording_are_apart(self):
        with block(1), no_grad(), block(2):
            assert (self.x * 2).block == 2
        with block(1):
            with no_grad():
                pass
            assert tanh(self.x).block == 1 and self.recorded()
        assert tanh(self.x).block is None


class TestLoans:
    """An array that was handed out is never the one that a stage keeps, and edits are noticed."""

    @pytest.mark.parametrize(
        "view",
        [
            lambda a: a,
            lambda a: a[:1],
            lambda a: a[:, ::-1],
            lambda a: a.reshape(-1)[1:],
            lambda a: a.T.view(),
            lambda a: np.asarray(memoryview(a)),
        ],
    )
    def test_an_edit_through_any_view_is_noticed(self, view):
        x = Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True, name="x")
        part = view(x.data)  # the array itself is gone
        y = (x * x).sum()
        part[...] = 7.0
        with pytest.raises(GradientError, match="x .* was edited"):
            y.backward()

    def test_an_edit_before_forward_is_the_value(self):
        x = Tensor([1.0, 2.0], requires_grad=True)
        lent = x.data
        lent[0] = 5.0
        y = (x * x).sum()
        y.backward()
        assert x.grad.tolist() == [10.0, 4.0] and y.item() == 29.0

    def test_a_loan_ends_with_its_last_view(self):
        x = Tensor([1.0, 2.0], requires_grad=True)
        x.data[0] = 3.0
        y = x * x
        assert y.tape.stages[0].output._values[0] is x._array  # no copy is kept
        again = x.data
        assert again is x.data and not np.shares_memory(again, y.tape.stages[0].output._values[0])

    def test_an_optimizer_that_edits_and_looks(self):
        x = Tensor([1.0, 2.0], requires_grad=True)
        for _ in range(3):
            x.zero_grad()
            (x * x).sum().backward()
            x.data -= 0.25 * x.grad
        assert x.numpy().tolist() == [0.125, 0.25]

    @pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "g", "c8", "c16", "G", "i4", "?"])
    @pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (1, 3)])
    def test_of_any_dtype_and_shape(self, dtype, shape):
        x = Tensor(np.ones(shape, dtype))
        assert x.data.dtype == np.dtype(dtype) and x.data.shape == shape
        x.data[...] = 0
        assert not x.numpy().any()

    def test_a_loan_of_columns_keeps_their_order(self):
        x = Tensor(np.asfortranarray(np.arange(6.0).reshape(2, 3)))
        assert x.data.tolist() == [[0, 1, 2], [3, 4, 5]]


class TestNothingIsLostInPlace:
    @pytest.mark.parametrize(
        ("start", "edit"),
        [
            ([1, 2], lambda t: t.__iadd__(0.5)),
            ([1, 2], lambda t: t.__itruediv__(2)),
            ([1.0, 2.0], lambda t: t.__iadd__(1j)),
            ([True, False], lambda t: t.__iadd__(1)),
        ],
    )
    def test_a_part_of_the_result(self, start, edit):
        t = Tensor(start, name="t")
        with no_grad(), pytest.raises(TypeError, match="t, in place: a leaf keeps its dtype"):
            edit(t)
        assert t.numpy().tolist() == start

    def test_every_operator_edits(self):
        t = same = Tensor(np.array([[2.0, 3.0], [4.0, 5.0]], np.float32))
        a = t.numpy().copy()
        with no_grad():
            t **= 2
            t //= 3
            t %= 4
            t @= np.eye(2, dtype=np.float32)
            t += 1.0
        assert t is same
        np.testing.assert_array_equal(t.numpy(), a**2 // 3 % 4 + 1)

    def test_a_gradient_of_another_kind(self):
        x = Tensor([1.0, 2.0], requires_grad=True, name="x")
        y = (x * x).named("y")
        with pytest.raises(TypeError, match="backward of y: the gradient of a real value is real"):
            y.backward([1j, 1.0])
        with pytest.raises(TypeError, match="holds numbers"):
            y.backward("a")
        x.grad = np.ones((3, 2))
        with pytest.raises(GradientError, match=r"x\.grad: there is a gradient of another shape"):
            y.backward([1.0, 1.0])
        assert x.grad.shape == (3, 2)

    def test_the_mask_of_an_array(self):
        masked = np.ma.masked_array([1.0, 2.0], [True, False])
        with pytest.raises(TypeError, match=r"mask .*filled"):
            Tensor(masked)
        with pytest.raises(TypeError, match=r"mask .*filled"):
            Tensor([1.0, 2.0], requires_grad=True) * masked


def test_a_grad_set_to_the_number_0_as_in_micrograd():
    x = Tensor(3.0, requires_grad=True)
    x.grad = 0
    (x * x).backward()
    assert x.grad == 6.0
    v = Tensor([1.0, 2.0], requires_grad=True)
    v.grad = 0
    with pytest.raises(GradientError, match=r"expected \(2,\), got \(\); call zero_grad"):
        v.sum().backward()
