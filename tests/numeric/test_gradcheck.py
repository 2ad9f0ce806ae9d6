"""gradcheck: it finds every planted wrong rule, cries wolf at no right one, and says why it
knows."""

import itertools

import numpy as np
import pytest
from rows import activation, elementwise, layer, linalg, loss, product, reduction, select, shape

import tinygrad_lstm as tl
from tinygrad_lstm import (
    LSTM,
    DataError,
    DtypeError,
    GradientError,
    ShapeError,
    Tensor,
    gradcheck,
    gradgradcheck,
    gradients,
)
from tinygrad_lstm.engine.operation import operation
from tinygrad_lstm.numeric.differences import differentiate
from tinygrad_lstm.numeric.gradcheck import numeric_gradients

WRONG = {"1.001": 1.001, "2": 2.0, "99": 99.0, "sign": -1.0, "zero": 0.0, "nan": np.nan}
SIZES = [10.0**k for k in range(-8, 9, 4)]


def tensor(*shape, size=1.0, low=None, seed=0):
    rng = np.random.default_rng([seed, *shape])
    return Tensor(
        size * (rng.normal(size=shape) if low is None else rng.uniform(low, low + 2, shape)),
        name="x",
    )


def planted(forward, slope, factor=1.0, only=None):
    """A stage of the user's own, whose rule is off by a factor, everywhere or in one entry."""

    @operation()
    def own(x):
        return forward(x)

    @own.rule
    def own_x(g, y, x):
        wrong = np.full(x.shape, factor)
        if only is not None:
            wrong = np.ones(x.shape)
            wrong[only] = factor
        return g * slope(x) * wrong

    return own


CUBE = (lambda x: x * x * x, lambda x: 3 * x * x)
SINE = (np.sin, np.cos)
EXPONENTIAL = (lambda x: np.exp(x / 1e8), lambda x: np.exp(x / 1e8) / 1e8)
FUNCTIONS = {"cube": CUBE, "sine": SINE, "exponential": EXPONENTIAL}


# Planted mistakes.


@pytest.mark.parametrize(
    ("function", "size"),
    [*itertools.product(["cube", "exponential"], SIZES), ("sine", 1e-8), ("sine", 1.0)],
)
@pytest.mark.parametrize("factor", WRONG)
@pytest.mark.parametrize("exact", [False, True])
def test_a_wrong_rule_is_caught_and_the_right_one_is_not(function, size, factor, exact):
    right, wrong = planted(*FUNCTIONS[function]), planted(*FUNCTIONS[function], WRONG[factor])
    right.op.analytic = wrong.op.analytic = exact  # then they are checked by the complex step
    x = tensor(4, size=size)
    assert gradcheck(right, x), str(gradcheck(right, x))
    for f in (wrong, lambda x: wrong(x).sum()):
        report = gradcheck(f, x)
        assert not report
        assert report.method.startswith("complex" if exact else "central")
        assert len(report.failures) == (
            16 if factor == "nan" and f is wrong else 4
        )  # 0 * nan is no 0


@pytest.mark.parametrize("factor", ["1.001", "99", "sign"])
@pytest.mark.parametrize("shape", [(3, 2), (9, 9)])  # the whole Jacobian, or one weighted sum
def test_a_rule_that_is_wrong_in_one_entry_is_caught_and_named(factor, shape):
    only = (shape[0] - 1, 1)
    report = gradcheck(planted(*SINE, WRONG[factor], only), tensor(*shape))
    (entry,) = report.failures
    assert entry.name.endswith(f"d x{list(only)}")
    slope = np.cos(tensor(*shape).numpy()[only])
    assert entry.tape / entry.numeric == pytest.approx(WRONG[factor])
    if shape == (3, 2):
        assert entry.name == "d f[2, 1] / d x[2, 1]" and entry.numeric == pytest.approx(slope)


def test_a_wrong_small_entry_beside_large_ones_is_caught():
    x = Tensor([1e-8, 1.0, 1e8], name="x")
    assert gradcheck(planted(*CUBE), x)
    (entry,) = gradcheck(planted(*CUBE, 1.001, only=(0,)), x).failures
    assert entry.name == "d f[0] / d x[0]"


def test_a_contribution_that_is_missing_is_caught():
    assert not gradcheck(
        lambda x: x * x.detach(), tensor(3)
    )  # the tape does not see the second factor
    assert not gradcheck(lambda x, y: x * y.detach(), tensor(3), tensor(3, seed=1))


def test_a_wrong_rule_deep_in_a_network_is_caught():
    wrong = planted(np.tanh, lambda x: 1 - np.tanh(x), 1.0)  # 1 - tanh for 1 - tanh**2
    W, x = tensor(4, 3), tensor(2, 3, seed=1)
    assert gradcheck(lambda W, x: tl.squared_error(tl.tanh(x @ W.T), 1.0), W, x)
    assert not gradcheck(lambda W, x: tl.squared_error(wrong(x @ W.T), 1.0), W, x)


# Derivatives that are tiny beside the value.


def exponential(c):
    return lambda x: np.exp(x / c), lambda x: np.exp(x / c) / c


def bump(c):
    return lambda x: 1 + (x / c) ** 2, lambda x: 2 * x / c**2


@pytest.mark.parametrize("factor", WRONG)
@pytest.mark.parametrize(
    "count", [4, pytest.param(600, marks=pytest.mark.slow)]
)  # one by one, or along directions
@pytest.mark.parametrize("size", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("c", [1e9, 1e14, 1e18])
def test_larger_steps_see_a_slope_that_is_tiny_beside_the_value(c, size, count, factor):
    x = tensor(count, size=size)
    assert gradcheck(lambda x: planted(*exponential(c))(x).sum(), x)
    report = gradcheck(lambda x: planted(*exponential(c), WRONG[factor])(x).sum(), x)
    assert len(report.failures) >= 4 and not any(e.doubt for e in report.failures), str(report)


@pytest.mark.parametrize("factor", WRONG)
@pytest.mark.parametrize("c", [1e5, 1e7, 1e9])
def test_larger_steps_see_a_slope_that_vanishes_at_0(c, factor):
    x = tensor(4, low=1.0)
    assert gradcheck(planted(*bump(c)), x)
    report = gradcheck(planted(*bump(c), WRONG[factor]), x)
    assert len(report.failures) == (16 if factor == "nan" else 4) and not any(
        e.doubt for e in report.failures
    ), str(report)


@pytest.mark.parametrize("factor", ["1.001", "2", "sign", None])
@pytest.mark.parametrize("count", [4, 600])
@pytest.mark.parametrize("function", [exponential(1e60), bump(1e20)])
def test_what_no_difference_can_see_is_undecided(function, count, factor):
    report = gradcheck(
        lambda x: planted(*function, WRONG.get(factor, 1.0))(x).sum(), tensor(count, low=1.0)
    )
    assert len(report.failures) >= 4 and all(
        "rounding hides it" in e.doubt for e in report.failures
    ), str(report)


def test_one_wrong_tiny_slope_among_hundreds_is_found():
    for factor in (1.001, 2.0, -1.0, 0.0):
        wrong = planted(*exponential(1e8), factor, only=(123,))
        (entry,) = gradcheck(lambda x, wrong=wrong: wrong(x).sum(), tensor(600)).failures
        assert entry.name == "d f / d x[123]" and not entry.doubt


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("count", [40, 700])
@pytest.mark.parametrize(
    "f",
    [
        lambda x: tl.relu(x).sum() + 1e3,
        lambda x: (tl.relu(x) ** 2).sum(),
        lambda x: tl.where(x > 0, x * x, 0.0).sum(),
        lambda x: tl.relu(x[:30]) * 1.0,
        lambda x: tl.tanh(tl.relu(3 * x)).sum(),
    ],
)
def test_no_false_alarm_where_derivatives_are_0_or_tiny_beside_others(f, count, seed):
    report = gradcheck(f, tensor(count, seed=seed))
    assert report, str(report)


def test_steps_that_f_cannot_take_are_left_out():
    def f(x):
        if np.max(np.abs(x.numpy())) > 1e3:
            raise OverflowError("too far")
        return tl.relu(x) * 1e-6 + 1.0

    assert gradcheck(f, tensor(4, low=1.0))


# Thousands of entries.


@pytest.mark.parametrize(
    "f",
    [
        lambda x: tl.relu(x).sum(),
        tl.relu,
        lambda x: tl.where(x > 0, x, 0.0).sum(),
        lambda x: tl.maximum(x, -0.5 * x).sum(),
    ],
)
def test_a_piecewise_linear_function_of_thousands_takes_few_runs(f):
    runs = []
    report = gradcheck(lambda x: runs.append(1) or f(x), tensor(3000))
    assert report and len(runs) < 2000, (len(runs), str(report))


@pytest.mark.parametrize(
    ("function", "size"), [*itertools.product(["cube", "exponential"], SIZES), ("sine", 1.0)]
)
@pytest.mark.parametrize("factor", [*WRONG, None])
@pytest.mark.parametrize("scalar", [False, True])
def test_one_wrong_entry_among_ten_thousand_is_found_in_a_few_runs(function, size, factor, scalar):
    runs, only = [], 4321
    forward, slope = FUNCTIONS[function]
    own = planted(lambda x: runs.append(1) or forward(x), slope, WRONG.get(factor, 1.0), only)
    own.op.analytic = True
    report = gradcheck(lambda x: own(x).sum() if scalar else own(x), tensor(10_000, size=size))
    assert report.checked == 10_000 and len(runs) < 120
    assert [e.name.rpartition(" ")[2] for e in report.failures] == (
        [] if factor is None else [f"x[{only}]"]
    )
    assert "random directions" in str(report) and (" of 10000 entries of x" in str(report)) == (
        factor is not None
    )


@pytest.mark.parametrize("output", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("input_", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("factor", [*WRONG, None])
def test_differences_find_it_too(input_, output, factor):
    """Between 1 and 3 of its scale, so that no entry's own derivative is lost in the rounding of
    the others."""
    only = (3, 77)
    own = planted(
        lambda x: output * np.tanh(x / input_ / 2),
        lambda x: output / input_ / 2 * (1 - np.tanh(x / input_ / 2) ** 2),
        WRONG.get(factor, 1.0),
        only,
    )
    rng = np.random.default_rng(3)
    report = gradcheck(
        lambda x: own(x).sum(), Tensor(input_ * rng.uniform(1, 3, (6, 100)), name="x")
    )
    assert report.method.startswith("central")
    assert [e.name for e in report.failures] == ([] if factor is None else ["d f / d x[3, 77]"]), (
        str(report)
    )


@pytest.mark.parametrize("factor", WRONG)
def test_where_all_are_wrong_the_search_ends_early_unless_asked(factor):
    runs = []
    own = planted(lambda x: runs.append(1) or np.sin(x), np.cos, WRONG[factor])
    own.op.analytic = True
    report = gradcheck(lambda W, b: own(W).sum() + b.sum(), tensor(2000), tensor(3, seed=1))
    assert 20 <= len(report.failures) < 28 and len(runs) < 120
    assert "enough are off in x: every=True looks at all" in str(report)
    assert len(gradcheck(lambda x: own(x).sum(), tensor(600), every=True).failures) == 600


def test_two_errors_of_opposite_sign_do_not_cancel():
    factors = np.ones(1000)
    factors[[10, 500]] = 2.0, 0.0
    x = Tensor(np.ones(1000), name="x")
    own = planted(*CUBE, factors)
    own.op.analytic = True
    assert {e.name for e in gradcheck(lambda x: own(x).sum(), x).failures} == {
        "d f / d x[10]",
        "d f / d x[500]",
    }


def test_a_small_wrong_derivative_is_found_beside_large_ones():
    x = Tensor(10.0 ** np.linspace(-8, 8, 1000), name="x")
    for only in (0, 500, 999):
        own = planted(*CUBE, 1.001, only)
        own.op.analytic = True
        assert [e.name for e in gradcheck(own, x).failures] == [
            f"d (a weighted sum of f) / d x[{only}]"
        ]
    assert gradcheck(lambda x: x**3, x)


def test_a_missing_derivative_among_zeros_is_found():
    seen = np.ones(1000)
    seen[7] = 0
    assert gradcheck(lambda x: (x[:500] * x[:500]).sum(), tensor(1000))
    (entry,) = gradcheck(
        lambda x: (x[:500] * 2.0).sum() + x.detach()[777] * 3.0, tensor(1000)
    ).failures
    assert (entry.name, entry.tape, entry.numeric) == ("d f / d x[777]", 0.0, 3.0)


def test_a_kink_in_one_entry_of_many_is_named():
    x = tensor(1000, low=0.5)
    x.data[17] = 0.0
    (entry,) = gradcheck(lambda x: (tl.relu(x) * 2).sum(), x).failures
    assert entry.name == "d f / d x[17]" and KINK.format(0, 2) in str(entry)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "f",
    [
        lambda x: x**3,
        lambda x: tl.relu(x) * x,
        lambda x: tl.tanh(x).sum(),
        lambda x: tl.log(x * x).sum(),
    ],
)
def test_no_false_alarm_along_directions(f, size):
    report = gradcheck(f, tensor(600, size=size))
    assert report, str(report)


def test_a_wide_lstm_takes_few_runs():
    lstm, rng, runs = LSTM(20, 40, rng=0), np.random.default_rng(0), []
    names, x, targets = (
        list(lstm.parameters()),
        rng.normal(size=(3, 2, 20)),
        rng.normal(size=(3, 2, 40)),
    )

    def error(*values):
        runs.append(1)
        return LSTM.from_arrays(dict(zip(names, values, strict=True))).error(x, targets)

    report = gradcheck(error, *lstm.parameters().values())
    assert report and report.checked == 4 * (40 * 60 + 40) and len(runs) < 400, (
        len(runs),
        str(report),
    )


# Right functions.


ONE = {
    "negative": tl.negative,
    "square": tl.square,
    "exp": tl.exp,
    "tanh": tl.tanh,
    "sigmoid": tl.sigmoid,
    "relu": tl.relu,
    "cube": lambda x: x**3,
    "reciprocal": lambda x: 1 / x,
    "maximum": lambda x: tl.maximum(x, -0.5 * x),
    "where": lambda x: tl.where(x > 0, x * x, x),
    "mean": lambda x: x.mean(axis=0),
    "sum": lambda x: x.sum(axis=(0, 1)),
    "stack": lambda x: tl.stack([x, x * x]),
    "concatenate": lambda x: tl.concatenate([x, x[0:1]]),
    "index": lambda x: x[[0, 0, 1]] * x[1, 2],
    "transpose": lambda x: x.T.reshape(2, 3),
    "broadcast": lambda x: tl.broadcast_to(x, (2, 2, 3)),
    "product": lambda x: x @ x.T,
    "softmax": lambda x: tl.exp(x) / tl.exp(x).sum(axis=1, keepdims=True),
    "softmax summed": lambda x: (tl.exp(x) / tl.exp(x).sum()).sum(),
    "zero but for rounding": lambda x: 1.0 + 0.1 * x * 3 - 0.3 * x,
    "identity": lambda x: x,
    "partly unused": lambda x: x[0] * 1.0,
}
POSITIVE = {
    "log": tl.log,
    "sqrt": tl.sqrt,
    "power": lambda x: x**x,
    "log of itself": lambda x: tl.log(x * tl.log(1 + x)),
}


@pytest.mark.parametrize("name", [*ONE, *POSITIVE])
def test_no_false_alarm(name):
    for seed in range(5):
        x = tensor(2, 3, seed=seed) if name in ONE else tensor(2, 3, seed=seed, low=0.1)
        report = gradcheck((ONE | POSITIVE)[name], x)
        assert report, str(report)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "f",
    [
        lambda x: x**3,
        lambda x: tl.relu(x) * x,
        lambda x: tl.log(x * x),
        lambda x: tl.maximum(x, 2 * x).sum() ** 2,
    ],
)
def test_no_false_alarm_at_any_size(f, size):
    report = gradcheck(f, tensor(5, size=size))
    assert report, str(report)


@pytest.mark.parametrize("loss", [[1, 1, 1], [0, 0, 1]])
def test_the_lstm(loss):
    lstm, rng = LSTM(2, 3, rng=0), np.random.default_rng(0)
    names, targets = list(lstm.parameters()), rng.normal(size=(3, 2, 3))

    def total(*values):
        return LSTM.from_arrays(dict(zip(names, values, strict=False))).error(
            values[8], targets, values[9:], loss
        )

    state = [Tensor(rng.normal(size=shape)) for shape in ((3, 2, 2), (2, 3), (2, 3))]
    report = gradcheck(total, *lstm.parameters().values(), *state)
    assert report, str(report)
    assert report.method == "complex step" and report.checked == 4 * 15 + 4 * 3 + 12 + 6 + 6


def test_gradients_of_gradients():
    def slope(x):
        y = (tl.tanh(x) * x).sum()
        return gradients(y, create_graph=True)[x]

    assert gradcheck(slope, tensor(3))


# Second order.


def twice(forward, slope, second, factor=1.0, leaves=(), exact=True):
    """A stage of the user's own whose rule is right, and whose second derivative is off by a
    factor; `leaves` leave the tape."""

    @operation(analytic=exact)
    def inner(x):
        return slope(x)

    @inner.rule
    def inner_x(g, y, x):
        return g * second(x) * factor

    @operation(analytic=exact)
    def own(x):
        return forward(x)

    @own.rule
    def own_x(g, y, x):
        x = Tensor(x.numpy()) if "x" in leaves and isinstance(x, Tensor) else x
        g = Tensor(g.numpy()) if "g" in leaves and isinstance(g, Tensor) else g
        return g * inner(x)

    return own


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("count", [3, pytest.param(700, marks=pytest.mark.slow)])
@pytest.mark.parametrize("size", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("factor", [*WRONG, None])
def test_a_wrong_second_derivative_is_caught_and_the_right_one_is_not(factor, size, count, exact):
    own = twice(*CUBE, lambda x: 6 * x, WRONG.get(factor, 1.0), exact=exact)
    x = Tensor(size * np.random.default_rng(4).uniform(1, 2, count), name="x")
    assert gradcheck(own, x)
    report = gradgradcheck(own, x)
    assert bool(report) == (factor is None), str(report)
    assert report.method.startswith("complex" if exact else "central")
    assert all("/ d x[" in e.name for e in report.failures)


@pytest.mark.parametrize("factor", [1.0, 1.001])
def test_a_real_function_that_goes_through_complex_values(factor):
    @operation(name="square")
    def own(z):
        return z * z

    @own.rule
    def square_z(g, y, z):
        return factor * 2 * g * z

    def power(x):
        return tl.real(own(np.fft.rfft(x))).sum()

    report = gradcheck(power, tensor(5))
    assert bool(report) == (factor == 1.0) and report.method.startswith("central")
    with pytest.raises(DtypeError, match="complex128"):
        gradcheck(np.fft.rfft, tensor(5))


@pytest.mark.parametrize("leaves", ["x", "g"])
def test_a_rule_that_leaves_the_tape_is_caught(leaves):
    own = twice(np.sin, np.cos, lambda x: -tl.sin(x), leaves=leaves)
    assert gradcheck(own, tensor(3)) and gradgradcheck(
        twice(np.sin, np.cos, lambda x: -tl.sin(x)), tensor(3)
    )
    report = gradgradcheck(own, tensor(3))
    assert {e.name for e in report.failures} == {
        f"d (d g·f / d x[{i}]) / d {leaves}[{i}]" for i in range(3)
    }
    assert all(e.tape == 0 != e.numeric for e in report.failures)


def test_the_report_of_second_order():
    report = gradgradcheck(
        lambda x, y: (x * x * y).sum(), Tensor([1.0, 2.0], name="x"), Tensor(3.0, name="y")
    )
    assert report.method == "complex step" and report.checked == 3 * 4
    assert str(report).startswith("gradgradcheck: 12 derivatives, all agree")
    with pytest.raises(DtypeError, match="gradgradcheck, argument 2"):
        gradgradcheck(tl.exp, np.ones(2))


TABLE = [
    row
    for family in (activation, elementwise, layer, linalg, loss, product, reduction, select, shape)
    for row in family.ROWS
    if "fft" not in row.name or "shift" in row.name  # gradcheck judges real stages only
]


@pytest.mark.parametrize(
    "whole", [False, pytest.param(True, marks=pytest.mark.slow)]
)  # all inputs and both orders, or the first
@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in TABLE])
def test_no_false_alarm_over_the_table_of_operations(row, whole):
    twice = (
        whole and row.twice and row.name not in ("imag", "angle")
    )  # their rules compute with complex numbers
    for make in row.makes if whole else row.makes[:1]:
        xs = [Tensor(a.astype(float)) for a in make(np.random.default_rng(5))]
        for check in (gradcheck, *[gradgradcheck] * twice):
            report = check(row.f, *xs)
            if check is gradgradcheck and row.name == "qr (Q)":
                # some of its gradients are 0 but for rounding, which differs between processors
                off = [e for e in report.failures if max(abs(e.tape), abs(e.numeric)) > 1e-12]
                assert all(e.doubt for e in off), str(report)
            else:
                assert report, str(report)


# Which method.


@pytest.mark.parametrize(
    ("f", "reason"),
    [
        (lambda x: tl.relu(x), "the stage relu#1 is not known to be analytic"),
        (lambda x: tl.maximum(x, 0.0), "maximum#1"),
        (planted(*SINE), "own#1"),
        (lambda x: x * float(x[0].item()), "does not run on complex arrays (TypeError"),
        (lambda x: x / np.max(np.abs(x.numpy())), "not analytic: along a random direction"),
        (lambda x: x * np.sign(x.numpy().imag + 0.5), None),
        (lambda x: x * (2.0 if x.dtype == complex else 1.0), "another value on complex arrays"),
    ],
)
def test_the_report_says_which_method_and_why(f, reason):
    report = gradcheck(f, tensor(3))
    assert report.method == (
        "central differences with Richardson extrapolation" if reason else "complex step"
    )
    assert (reason or "every stage is analytic") in report.reason
    assert report.reason in str(report)


def test_a_function_that_is_not_analytic_off_the_tape_is_judged_rightly():
    """The scale is a constant for the tape, but not for the truth: the complex step alone would not
    see it."""
    assert not gradcheck(lambda x: x / np.max(np.abs(x.numpy())), tensor(3))


def test_beside_a_jump_it_does_not_decide():
    report = gradcheck(lambda x: tl.where(x > 1.0, x * 3, x), Tensor([1.0 + 1e-10]))
    assert not report
    assert "undecided" in str(report)


KINK = "undecided: a kink at this point (slope {} from the left, {} from the right)"


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e5])
@pytest.mark.parametrize(
    ("f", "left", "right"),
    [
        (tl.relu, 0, 1),
        (abs, -1, 1),
        (lambda x: 3 * x - 2 * tl.relu(x), 3, 1),
        (lambda x: tl.exp(x) + 0.01 * tl.relu(x), 1, 1.01),
    ],
)
def test_at_a_kink_it_does_not_decide_and_says_so(f, left, right, size):
    report = gradcheck(f, Tensor([0.0, 2.0 * min(size, 10), -size / 10], name="x"))
    (entry,) = report.failures
    assert entry.name == "d f[0] / d x[0]"
    assert KINK.format(left, right) in str(report)


def test_at_a_tied_maximum_it_does_not_decide_and_says_so():
    report = gradcheck(lambda x: x.max(), Tensor([2.0, 2.0, 1.0], name="x"))
    assert [entry.name for entry in report.failures] == ["d f / d x[0]", "d f / d x[1]"]
    assert str(report).count(KINK.format(0, 1)) == 2


@pytest.mark.parametrize("x", [0.0, 1e-8, 1.0, -1e4])
@pytest.mark.parametrize(
    "forward",
    [
        lambda x: np.abs(x) ** 1.5,
        lambda x: x**4,
        lambda x: x * np.abs(x),
        lambda x: np.sin(3 * x),
        lambda x: np.maximum(x, 0) ** 2,
        np.floor,
    ],
)
def test_what_is_no_kink_is_not_called_one(forward, x):
    assert "a kink at this point" not in str(gradcheck(planted(forward, np.ones_like), Tensor([x])))


def test_only_the_entries_that_are_concerned_are_undecided():
    report = gradcheck(tl.sqrt, Tensor([0.0, 1.0], name="x"))
    (entry,) = report.failures
    assert entry.name == "d f[0] / d x[0]" and "do not converge" in str(entry)


def test_an_infinite_derivative_is_reported_without_warnings():
    report = gradcheck(lambda x: (x * x) ** (1 / 3), Tensor([0.0, 1.0], name="x"))
    assert {e.name.rpartition(" ")[2] for e in report.failures} == {"x[0]"}


def test_an_infinite_derivative_does_not_hide_a_wrong_one():
    x = Tensor([0.0, 1.0], name="x")
    wrong = planted(np.sqrt, lambda x: np.array([np.inf, 0.6]))
    assert [e.name for e in gradcheck(lambda x: wrong(x).sum(), x).failures if not e.doubt] == [
        "d f / d x[1]"
    ]


def test_where_the_complex_step_underflows_differences_judge():
    assert gradcheck(lambda x: x * 1e-250, Tensor([1.0, -2.0]))
    assert gradcheck(lambda x: x * 1e-215, Tensor([1.0, -2.0]))
    assert gradcheck(lambda x: x * 1e-250 * 1e250, Tensor([1.0, -2.0]))
    report = gradcheck(lambda x: x * x, Tensor([1e-250]))
    assert not report and "undecided: the differences do not converge" in str(report)
    missing = planted(lambda x: x * 1e-250, lambda x: np.full(x.shape, 2e-250))
    missing.op.analytic = True
    (entry,) = gradcheck(missing, Tensor([1.0])).failures
    assert entry.numeric == pytest.approx(1e-250, rel=1e-9) and not entry.doubt


def test_at_a_tie_a_rule_that_takes_sides_is_not_called_right():
    """The tape's derivative jumps there when the values move; that is not rounding."""

    @operation()
    def larger(a, b):
        return np.maximum(a, b)

    @larger.rule
    def larger_a(g, y, a, b):
        return np.where(a >= b, g, 0)

    @larger.rule
    def larger_b(g, y, a, b):
        return np.where(b > a, g, 0)

    x, y = Tensor([1.0, 2.0]), Tensor([1.0, 2.0])
    assert gradcheck(larger, x, y + 1.0)
    assert len(gradcheck(larger, x, y).failures) == 4


def test_always_in_float64_and_nothing_is_touched():
    x = Tensor(np.linspace(0.1, 2, 4, dtype=np.float32), requires_grad=True, name="x")
    x.grad = np.ones(4, np.float32)
    seen = []

    def f(x):
        seen.append(x.dtype)
        x.data[...] = x.data  # even if f edits what it is given
        return tl.tanh(x) * 2

    before = x.numpy().copy()
    assert gradcheck(f, x)
    assert set(seen) == {np.dtype(float), np.dtype(complex)}
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x.numpy(), before)
    np.testing.assert_array_equal(x.grad, 1)


# The report.


def test_the_report_of_a_wrong_rule():
    report = gradcheck(
        planted(lambda x: x * x, lambda x: 2 * x, 1.5), Tensor([1.0, -2.0], name="x")
    )
    lines = str(report).splitlines()
    assert lines[0] == "gradcheck: 4 derivatives, 2 off"
    assert (
        lines[1].startswith("  d f[")
        and "backward" in lines[1]
        and "numeric" in lines[1]
        and "tolerance" in lines[1]
    )
    assert {entry.name: (entry.tape, round(entry.numeric, 6)) for entry in report.failures} == {
        "d f[0] / d x[0]": (3.0, 2.0),
        "d f[1] / d x[1]": (-6.0, -4.0),
    }
    assert lines[3] == (
        "numeric: central differences with Richardson extrapolation, since the stage own#1 is not "
        "known to be analytic"
    )
    assert lines[4].startswith(
        "tolerance: 1e-06 of the value (a difference is not exact: ten times its estimated error "
        "is added), and what rounding"
    )


def test_the_worst_come_first_and_a_long_list_is_cut():
    report = gradcheck(
        lambda x: planted(*SINE, 2.0)(x) + planted(*SINE, 5.0, only=(3,))(x), tensor(20, low=0.0)
    )
    assert len(report.failures) == 20
    assert report.failures[0].name == "d f[3] / d x[3]"
    assert "and 15 more" in str(report)


def test_the_tolerance_can_be_given():
    f, x = planted(*SINE, 1.001), tensor(3)
    assert not gradcheck(f, x)
    assert gradcheck(f, x, rtol=0.01)
    assert "1e-02 of the value" in str(gradcheck(f, x, rtol=0.01))


def test_shapes_at_the_edge():
    assert gradcheck(lambda x: x.sum() * 2.0, Tensor(0.0)).checked == 1
    assert (
        gradcheck(lambda x, y: (x * 2).sum() + y, Tensor(np.zeros((0, 3))), Tensor(1.0)).checked
        == 1
    )
    assert gradcheck(lambda x: x[:0] * 2.0, tensor(600)).checked == 0
    assert gradcheck(lambda x: tl.exp(x), tensor(10, 10)).checked == 100  # one weighted sum
    assert gradcheck(lambda x: tl.exp(x), tensor(8, 8)).checked == 64 * 64


# Numeric gradients alone.


def test_numeric_gradients_do_not_need_the_rules():
    wrong = planted(*CUBE, 99.0)
    x = Tensor([1.0, -2.0, 0.5])
    (found,) = numeric_gradients(lambda x: wrong(x).sum(), x)
    np.testing.assert_allclose(found, [3.0, 12.0, 0.75], rtol=1e-8)
    found = numeric_gradients(
        lambda x, y: (x**3).sum() * y, Tensor([1.0, -2.0], dtype=np.float32), Tensor(2.0)
    )
    np.testing.assert_allclose(found[0], [6.0, 24.0], rtol=1e-15)
    np.testing.assert_allclose(found[1], -7.0, rtol=1e-15)
    assert [n.dtype for n in found] == [np.float64] * 2


def test_differences_are_extrapolated():
    """Without the extrapolation the best step leaves a median error of 3e-11 in a sum of this
    size."""
    x = tensor(200)
    (found,) = numeric_gradients(lambda x: planted(*SINE)(x).sum(), x)
    assert np.median(np.abs(found - np.cos(x.numpy()))) < 1e-11


@pytest.mark.parametrize("amplitude", [1e-12, 1e-10, 1e-6, 1e-2, 1.0])
@pytest.mark.parametrize("frequency", [1e2, 1e4, 1e5, 1e6, 1e7])
def test_fast_oscillation_does_not_mislead_the_differences(amplitude, frequency):
    """Large steps see the smooth part alone; what small ones see beside it counts, or nothing is
    decided."""
    for x in np.random.default_rng(6).uniform(0.5, 2, 20):
        slope = np.exp(x) + amplitude * frequency * np.cos(frequency * x)
        found, error, *_ = differentiate(
            lambda h, x=x: np.exp(x + h) + amplitude * np.sin(frequency * (x + h)),
            np.array([x]),
            np.ones((1, 1)),
        )[:, 0]
        assert abs(found - slope) <= 1e-6 * abs(slope) + 10 * error


# What is refused.


@pytest.mark.parametrize(
    ("f", "tensors", "kind", "words"),
    [
        (lambda: None, (), DtypeError, "at least one Tensor"),
        (lambda x: x, (np.ones(2),), DtypeError, "argument 2.*ndarray float64"),
        (lambda x: x, (Tensor([1, 2]),), DtypeError, "got Tensor int64"),
        (lambda x: x, (Tensor([1j]),), DtypeError, "got Tensor complex128"),
        (lambda x: x.numpy(), (Tensor(1.0),), DtypeError, "f returned no Tensor.*ndarray"),
        (lambda x: x.detach() * 2, (Tensor(1.0),), GradientError, "depends on none"),
        (
            lambda x: Tensor(1.0, requires_grad=True) * 2,
            (Tensor(1.0),),
            GradientError,
            "depends on none",
        ),
        (
            lambda x: x * np.random.default_rng().normal(),
            (Tensor(1.0),),
            GradientError,
            "deterministic",
        ),
        (lambda x: x.astype(np.float32) * 2, (Tensor(1.0),), DtypeError, "astype#1.*float32"),
        (lambda x: tl.where(x > 0, np.inf, x), (Tensor(1.0),), DataError, "not finite"),
    ],
)
def test_what_is_refused(f, tensors, kind, words):
    for check in (gradcheck, numeric_gradients):
        with pytest.raises(kind, match=words) as error:
            check(f, *tensors)
        assert "\n" not in str(error.value)


def test_what_else_is_refused():
    with pytest.raises(DataError, match="rtol"):
        gradcheck(tl.exp, tensor(2), rtol=-1)
    with pytest.raises(ShapeError, match="one entry"):
        numeric_gradients(tl.exp, tensor(2))
