"""A user's own stages: they behave as the built-in ones, and say what is wrong with them."""

import numpy as np
import pytest

from tinygrad_lstm import DtypeError, Error, GradientError, Tensor, grad, gradients, hessian, stage


@stage
def cube(x):
    return x**3


@cube.rule
def cube_x(g, y, x):
    return g * (3 * x**2)


@stage(name="blend")
def mix(a, b, weight=0.5):
    return weight * a + (1 - weight) * b


@mix.rule  # in any order
def blend_b(g, y, a, b, weight=0.5):
    return g * (1 - weight)


@mix.rule
def blend_a(g, y, a, b, weight=0.5):
    return g * weight


@stage
def product_of(*values):
    return np.prod(values, axis=0)


@product_of.rule
def product_of_i(g, y, values, i):
    rest = g
    for k, value in enumerate(values):
        if k != i:
            rest = rest * value
    return rest


def test_it_is_a_stage():
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    y = cube(x).named("y")
    (only,) = y.tape.stages
    assert (only.op, only.name, only.inputs) == ("cube", "y", (x,))
    z = mix(y, x, weight=0.25)
    assert [s.op for s in z.tape] == ["cube", "blend"] and z.tape.stages[1].params == {
        "weight": 0.25
    }
    z.sum().backward()
    np.testing.assert_allclose(x.grad, 0.25 * 3 * x.numpy() ** 2 + 0.75)


def test_it_takes_arrays_and_returns_arrays():
    assert type(cube(np.array([2.0]))) is np.ndarray
    assert cube(2.0) == 8.0
    assert cube.__name__ == "cube"


def test_it_differentiates_to_any_order():
    assert [f(2.0) for f in (grad(cube), grad(grad(cube)), grad(grad(grad(cube))))] == [
        12.0,
        12.0,
        6.0,
    ]
    x = np.array([2.0, 3.0, 5.0])
    H = hessian(lambda x: product_of(x[0], x[1], x[2]))(x)
    np.testing.assert_array_equal(H, [[0, 5, 3], [5, 0, 2], [3, 2, 0]])


def test_a_value_read_twice_by_it_is_a_fork():
    x = Tensor(3.0, requires_grad=True, name="x")
    y = mix(x, x)
    assert len(y.tape.forks) == 1
    assert [b.gradient for b in gradients(y).branches("x")] == [0.5, 0.5]


def test_a_stage_without_a_derivative_is_a_constant():
    @stage(differentiable=False)
    def positive(x):
        return x > 0

    x = Tensor([1.0, -1.0], requires_grad=True)
    assert not positive(x).requires_grad and positive(x).numpy().tolist() == [True, False]


class TestComplaints:
    x = Tensor([1.0, 2.0], requires_grad=True)

    def test_a_missing_rule_is_missed_where_it_is_needed(self):
        @stage
        def weighted(a, b):
            return a * b

        @weighted.rule
        def weighted_a(g, y, a, b):
            return g * b

        weighted(self.x, 2.0).sum().backward()
        with pytest.raises(
            GradientError,
            match=r"weighted_b: .* no rule was declared.*def weighted_b\(g, y, \.\.\.\)",
        ):
            weighted(self.x, self.x).sum().backward()

    def test_no_rule_at_all_does_not_drop_the_gradient(self):
        @stage
        def bare(x):
            return 2 * x

        y = bare(self.x).sum()
        with pytest.raises(GradientError, match="bare_x"):
            y.backward()

    def test_a_rule_of_another_name(self):
        with pytest.raises(Error, match="expected cube_x, got cube_y"):

            @cube.rule
            def cube_y(g, y, x):
                return g

    @pytest.mark.parametrize(
        ("answer", "message"),
        [
            (lambda g, x: np.ones(3), r"odd_x, .*wrong shape: expected \(2,\), got \(3,\)"),
            (lambda g, x: 1.0, r"odd_x: the derivative rule returns no array.* got float"),
            (lambda g, x: None, r"odd_x: .* got NoneType"),
            (lambda g, x: g @ np.ones((3, 3)), r"odd_x: the derivative rule fails: .*matmul"),
        ],
    )
    def test_a_wrong_rule_is_named(self, answer, message):
        @stage
        def odd(x):
            return x + 0.0

        @odd.rule
        def odd_x(g, y, x):
            return answer(g, x)

        with pytest.raises(GradientError, match=message):
            odd(self.x).sum().backward()

    def test_a_forward_that_returns_no_numbers(self):
        @stage
        def nothing(x):
            x + 1

        with pytest.raises(
            DtypeError,
            match="nothing: a stage's forward function returns an array of numbers: got NoneType",
        ):
            nothing(self.x)

    def test_a_forward_cannot_change_its_inputs(self):
        @stage
        def doubled(x):
            x *= 2
            return x

        with pytest.raises(Error, match=r"doubled: .*read-only"):
            doubled(self.x)
        assert self.x.numpy().tolist() == [1.0, 2.0]

    def test_a_stage_needs_inputs(self):
        with pytest.raises(Error, match="a stage has inputs"):
            stage(lambda axis=0: axis)


class TestNothingIsChanged:
    """What a rule or a forward function is given stays as it is, and what it returns is copied."""

    @pytest.mark.parametrize("written", ["g", "x", "y"])
    def test_a_rule_that_writes_is_named(self, written):
        @stage
        def sloppy(x):
            return 2 * x

        @sloppy.rule
        def sloppy_x(g, y, x):
            {"g": g, "x": x, "y": y}[written][...] *= 2
            return g

        x, other = Tensor([1.0, 2.0], requires_grad=True), Tensor([1.0, 1.0], requires_grad=True)
        with pytest.raises(GradientError, match=r"sloppy_x: .*rule fails: .*read-only"):
            (sloppy(x) + other).sum().backward()
        assert x.numpy().tolist() == [1.0, 2.0]

    def test_a_rule_of_any_number_of_inputs_that_writes(self):
        @stage
        def total(*values):
            return sum(values)

        @total.rule
        def total_i(g, y, values, argument):
            values[0][...] = 0
            return g

        x = Tensor([1.0, 2.0], requires_grad=True)
        with pytest.raises(GradientError, match="read-only"):
            total(x, x).sum().backward()

    def test_one_buffer_for_all_results(self):
        buffer, sent = np.zeros(2), np.zeros(2)

        @stage
        def square(x):
            return np.multiply(x, x, out=buffer)

        @square.rule
        def square_x(g, y, x):
            return np.multiply(g, 2 * x, out=sent)

        a, b = Tensor([1.0, 2.0], requires_grad=True), Tensor([3.0, 4.0], requires_grad=True)
        first, second = square(a), square(b)
        assert first.numpy().tolist() == [1.0, 4.0] and second.numpy().tolist() == [9.0, 16.0]
        (first + second + square(a)).sum().backward()
        assert a.grad.tolist() == [4.0, 8.0] and b.grad.tolist() == [6.0, 8.0]
        g = gradients((square(a) * square(b)).sum())
        assert g[a].tolist() == [18.0, 64.0] and g[b].tolist() == [6.0, 32.0]
