"""compare: what it calls right and wrong, in which order, and in which words."""

import numpy as np
import pytest

from tinygrad_lstm import LSTM, DataError, DtypeError, Tensor, by_hand, compare, gradients, maximum, no_grad, sigmoid, tanh


def lstm_case(seed=0, T=3, N=2, H=4, D=3, scale=1.0, dtype=np.float64, mask=None):
    """Derivatives of an LSTM's Error by everything, and the same by hand."""
    rng = np.random.default_rng(seed)
    arrays = {f"W_{g}": rng.normal(size=(H, H + D)) for g in "fuco"} | {f"b_{g}": rng.normal(size=H) for g in "fuco"}
    lstm = LSTM.from_arrays({name: (scale * array).astype(dtype) for name, array in arrays.items()})
    x, a, c = (Tensor(rng.normal(size=shape), requires_grad=True, dtype=dtype) for shape in ((T, N, D), (N, H), (N, H)))
    targets = rng.normal(size=(T, N, H)).astype(dtype)
    return gradients(lstm.error(x, targets, (a, c), mask)), by_hand.lstm(lstm, x, targets, (a, c), mask)


def diamond():
    """A fork of an intermediate value: y is read twice."""
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    y = (x * 3.0).named("y")
    return gradients((tanh(y).named("left") + sigmoid(y).named("right")).sum().named("loss"))


def verdicts(report):
    return {row.name: row.verdict for row in report.rows}


# Right and wrong.


def test_the_derivation_by_hand_is_right_everywhere():
    g, hand = lstm_case()
    report = compare(g, hand)
    assert report and report.ok and report.exit_status == 0
    assert set(verdicts(report).values()) == {"right"}
    assert len(report.rows) == len(hand)
    assert {row.name: row.shape for row in report.rows} == {name: g[name].shape for name in hand}


@pytest.mark.parametrize("name", ["Error", "c<2> via keep<3>", "c<2>", "sum_f<1>", "W_f via sum_f<2>", "b_o", "x", "a<0>"])
@pytest.mark.parametrize("change", [lambda v: -v, lambda v: 2 * v, lambda v: 1.001 * v, lambda v: v * 0, lambda v: v + 1e-6 * np.max(np.abs(v))])
def test_one_wrong_row_is_one_wrong_row(name, change):
    g, hand = lstm_case()
    report = compare(g, hand | {name: change(hand[name])})
    assert not report and report.exit_status == 1
    assert [row.name for row in report.rows if not row.ok] == [name]


def test_one_wrong_entry_is_found():
    g, hand = lstm_case()
    hand["W_u"][2, 3] += 1e-3 * np.max(np.abs(hand["W_u"]))
    (wrong,) = (row for row in compare(g, hand).rows if not row.ok)
    assert wrong.name == "W_u" and wrong.error == pytest.approx(1e-3)


def test_the_error_is_relative_to_the_largest_entry_on_the_tape():
    x = Tensor([3.0, -4.0], requires_grad=True, name="x")
    g = gradients((x * x).sum())  # 6, -8
    assert compare(g, {"x": [6.0, -7.0]}).rows[0].error == pytest.approx(1 / 8)
    assert compare(g, {"x": [6.4, -8.0]}, rtol=0.06).ok
    assert not compare(g, {"x": [6.4, -8.0]}, rtol=0.04).ok


def test_the_tolerance_follows_the_coarser_dtype():
    g, hand = lstm_case()
    coarse = {name: value.astype(np.float32) for name, value in hand.items()}
    report = compare(g, coarse)
    assert report.ok and {row.rtol for row in report.rows} == {1e-4}
    g32, hand32 = lstm_case(dtype=np.float32)
    assert compare(g32, hand32).ok
    assert compare(g32, {name: value.astype(float) for name, value in hand32.items()}).ok
    assert not compare(g32, hand32 | {"W_f": hand32["W_f"] * 1.001}).ok
    assert not compare(g, hand | {"W_f": hand["W_f"].astype(np.float32).astype(float)}).ok  # lost digits, in float64


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("scale", [0.3, 1.0, 30.0])  # 30: gates shut and open to the last digit
def test_no_false_alarm(dtype, scale):
    for seed in range(12):
        report = compare(*lstm_case(seed, 1 + seed % 8, 1 + seed % 3, scale=scale, dtype=dtype, mask=[0] * (seed % 8) + [1] if seed % 2 else None))
        assert report.ok, str(report)


@pytest.mark.parametrize("scale", [0.3, 1.0, 30.0])
def test_no_false_alarm_between_a_float32_tape_and_float64_by_hand(scale):
    """Not one rounding is the same, and at scale 30 most derivatives are rounding, or below the smallest number."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        arrays = {f"W_{g}": rng.normal(size=(4, 7)) for g in "fuco"} | {f"b_{g}": rng.normal(size=4) for g in "fuco"}
        arrays = {name: (scale * array).astype(np.float32) for name, array in arrays.items()}
        x, targets = (rng.normal(size=(1 + 2 * seed, 2, n)).astype(np.float32) for n in (3, 4))
        g = gradients(LSTM.from_arrays(arrays).error(Tensor(x, requires_grad=True), targets))
        double = LSTM.from_arrays({name: array.astype(float) for name, array in arrays.items()})
        report = compare(g, by_hand.lstm(double, x.astype(float), targets.astype(float)))
        assert report.ok, str(report)


def test_a_vanished_gradient_is_still_compared():
    """60 blocks before the loss the derivatives are far below the last digit of Error's; they have digits of their own."""
    g, hand = lstm_case(T=60, scale=0.1, mask=[0] * 59 + [1])
    assert 0 < np.max(np.abs(g["c<1>"])) < 1e-15
    assert compare(g, hand).ok
    assert verdicts(compare(g, {"c<1>": 1.001 * hand["c<1>"], "x<1>": 0 * hand["x<1>"]})) == {"c<1>": "wrong", "x<1>": "wrong"}


# Zero, but for rounding.


def test_rounding_beside_zero_is_right_and_a_number_beside_zero_is_wrong():
    x = Tensor(np.linspace(-1, 1, 5), requires_grad=True, name="x")
    e = np.e**x
    g = gradients((e / e.sum()).sum())  # the softmax sums to 1, whatever x is
    assert np.max(np.abs(g["x"])) < 1e-15
    (row,) = compare(g, {"x": np.full(5, 1e-17)}).rows
    assert row.verdict == "right" and row.error > 1e-9 and "rounding" in row.note
    assert not compare(g, {"x": np.full(5, 1e-9)}).ok
    assert compare(g, {"x": np.zeros(5)}).ok


def test_a_derivative_below_the_smallest_number_is_right():
    x = Tensor([-100.0], requires_grad=True, name="x", dtype=np.float32)
    report = compare(gradients(sigmoid(x)), {"x": np.exp([-100.0])})  # 3.7e-44: float32 has two digits of it
    assert report.ok and report.rows[0].error > 1e-3


def test_an_exact_zero_is_compared():
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    g = gradients((x * 0.0).sum())
    assert compare(g, {"x": [0.0, 0.0]}).ok
    (row,) = compare(g, {"x": [0.0, 1e-6]}).rows
    assert row.verdict == "wrong" and row.error == np.inf


def test_prediction_equal_to_target():
    """All derivatives are rounding; the document's formula, read literally, gives numbers (E1)."""
    rng = np.random.default_rng(0)
    lstm, x = LSTM(3, 4, rng=0), rng.normal(size=(3, 2, 3))
    targets = np.nextafter(lstm(x)[0].detach().numpy(), 2)
    g = gradients(lstm.error(x, targets))
    assert 0 < np.max(np.abs(g["W_c"])) < 1e-15
    assert compare(g, by_hand.lstm(lstm, x, targets)).ok
    assert compare(g, {"W_c": np.zeros((4, 7)), "a<3>": -g["a<3>"]}).ok
    assert not compare(g, by_hand.lstm(lstm, x, targets, as_printed=True)).ok


def test_a_tie_is_no_excuse():
    """At a tie the derivative jumps when the values move; that is not rounding."""
    x, y = (Tensor([1.0, 2.0], requires_grad=True, name=name) for name in "xy")
    g = gradients(maximum(x, y).sum())
    assert compare(g, {"x": [0.5, 0.5]}).ok
    assert not compare(g, {"x": [1.0, 1.0]}).ok


# Order.


def test_rows_come_in_the_order_in_which_backward_runs():
    g, hand = lstm_case(T=2, N=1)
    names = [row.name for row in compare(g, dict(sorted(hand.items()))).rows]
    order = ["Error", "Error<2>", "a<2> via Error<2>", "a<2>", "tanh_c<2>", "c<2>", "keep<2>", "Γ_f<2>", "sum_f<2>", "z<2>", "a<1> via z<2>", "a<1>"]
    order += ["c<1> via keep<2>", "c<1> via tanh_c<1>", "c<1>", "z<1>", "W_f via sum_f<2>", "W_f via sum_f<1>", "W_f"]
    assert sorted(order, key=names.index) == order
    for name in names:  # nothing is judged before what it was computed from
        if " via " in name:
            value, _, consumer = name.partition(" via ")
            assert names.index(consumer) < names.index(name) < names.index(value)


# Any graph, any kind of number.


def test_any_graph_and_any_array_like():
    g = diamond()
    left, right = (np.asarray(g[f"y via {name}"]) for name in ("left", "right"))
    hand = {
        "loss": 1,
        "left": [1.0, 1.0],
        "y via left": Tensor(left),
        "y via right[0]": right.tolist(),
        "y": left + right,
        "x": tuple(3 * (left + right)),
    }
    assert verdicts(compare(g, hand)) == dict.fromkeys(("loss", "left", "y via right[0]", "y via left", "y", "x"), "right")


def test_other_spellings_and_tensors_as_names():
    g, hand = lstm_case()
    x = next(value for value in g.tape.leaves if value.name == "x")
    report = compare(g, {"gamma_f<2>": hand["Γ_f<2>"], "c̃<1>": hand["c~<1>"], "gamma_f<2> via keep<2>": hand["Γ_f<2>"], x: 2 * hand["x"]})
    assert [row.verdict for row in report.rows] == ["right", "right", "right", "wrong"]
    assert report.rows[-1].name == "x"


def test_derivatives_that_are_tensors():
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    assert compare(gradients((x * x * x).sum(), create_graph=True), {"x": [3.0, 12.0]}).ok


def test_a_root_that_is_no_scalar_and_a_recording_that_is_off():
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    g = gradients((x * x).named("y"), gradient=[1.0, 10.0])
    with no_grad():
        assert compare(g, {"y": [1.0, 10.0], "x": [2.0, 40.0 + 1e-15]}).ok
        assert verdicts(compare(g, {"x": [2.0, 40.0 + 1e-6]})) == {"x": "wrong"}


# What cannot be compared.


def test_verdicts_that_fail():
    g, hand = lstm_case(T=3, N=1)
    nan = hand["c<2>"] * np.nan
    report = compare(
        g,
        {
            "c<2>": nan,
            "W_f": hand["W_f"].T,
            "b_f": 1.0,
            "Γf<2>": hand["Γ_f<2>"],
            "c<2> via keep<9>": hand["c<2>"],
            "nothing like it": 1.0,
            "c<1>": hand["c<1>"],
        },
    )
    assert not report.ok
    found = verdicts(report)
    assert found.pop("c<1>") == "right"
    assert found == {
        "c<2>": "not finite",
        "W_f": "wrong shape",
        "b_f": "wrong shape",
        "Γf<2>": "unknown name",
        "c<2> via keep<9>": "unknown name",
        "nothing like it": "unknown name",
    }
    notes = {row.name: row.note for row in report.rows}
    assert notes["W_f"] == "by hand (7, 4)"
    assert "by hand, at [0, 0]" in notes["c<2>"]
    assert "Γ_f<2>" in notes["Γf<2>"]
    assert "keep<3>" in notes["c<2> via keep<9>"]


def test_two_nans_never_agree():
    x = Tensor([1.0, 0.0], requires_grad=True, name="x")
    with np.errstate(all="ignore"):
        g = gradients((x / x).sum())
    assert np.isnan(g["x"][1])
    assert verdicts(compare(g, {"x": g["x"]})) == {"x": "not finite"}
    assert verdicts(compare(g, {"x": [0.0, 0.0]})) == {"x": "not finite"}


def test_constants_of_the_tape_are_neutral():
    rng = np.random.default_rng(0)
    lstm, x, targets = LSTM(3, 4, rng=0), rng.normal(size=(3, 2, 3)), rng.normal(size=(3, 2, 4))
    g = gradients(lstm.error(x, targets))
    report = compare(g, by_hand.lstm(lstm, x, targets))
    assert report.ok
    neutral = [row.name for row in report.rows if row.verdict == "not differentiated"]
    assert {"x", "x<1>", "x<2>", "x<3>"} <= set(neutral)
    assert verdicts(compare(g, {"x<9>": 1.0})) == {"x<9>": "unknown name"}
    assert not compare(g, {"x": x}).ok  # nothing was compared


def test_a_branch_of_a_constant_is_neutral():
    x, k = Tensor(2.0, requires_grad=True, name="x"), Tensor(3.0, name="k")
    report = compare(gradients((x * k).named("y")), {"x": 3.0, "k": 2.0, "k via y": 2.0, k: 2.0})
    assert [row.verdict for row in report.rows] == ["right", *["not differentiated"] * 3]
    assert report.ok


def test_a_name_that_several_values_have():
    x = Tensor(2.0, requires_grad=True, name="x")
    g = gradients((x * x).named("y") * (x + x).named("y"))
    (row,) = compare(g, {"y": 1.0}).rows
    assert row.verdict == "unknown name" and "2 values are called 'y'" in row.note


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ((diamond(), [1.0]), DtypeError, "mapping.*list"),
        ((diamond(), {}), DataError, "nothing to compare"),
        ((Tensor(1.0), {"x": 1.0}), DtypeError, r"compare\(gradients\(loss\), hand\)"),
        ((diamond(), {"x": "three"}), DtypeError, "^x: "),
        ((diamond(), {"x": [[1.0], [1.0, 2.0]]}), DtypeError, "^x: "),
        ((diamond(), {"x": None}), DtypeError, "^x: .*NoneType"),
        ((diamond(), {"x": [1.0, 1.0]}, -1.0), DataError, "rtol"),
        ((diamond(), {"x": [1.0, 1.0]}, np.nan), DataError, "rtol"),
    ],
)
def test_what_is_refused(arguments, kind, words):
    with pytest.raises(kind, match=words) as error:
        compare(*arguments)
    assert "\n" not in str(error.value)


# Words.


def test_the_table():
    g = diamond()
    y = np.asarray(g["y"])
    report = compare(g, {"y": y, "x": y, "z": 1.0, "y via left": [0.0]})
    assert str(report).splitlines() == [
        "by hand and by backward from loss, in the order in which backward runs",
        "quantity    shape  largest error  verdict",
        "y via left  (2,)                  wrong shape (by hand (1,))",
        "y           (2,)   0              right",
        "x           (2,)   0.67           wrong",
        "z                                 unknown name (no value is called 'z'; print(loss.tape) lists them)",
        "4 rows: 1 wrong shape, 1 right, 1 wrong, 1 unknown name",
        "largest error = max|hand - tape| / max|tape|; right up to 1e-09, or within what rounding does to the value",
    ]


@pytest.mark.parametrize("rtol", ["1e-3", [1e-3], 1j, np.nan, -1, None.__class__])
def test_what_is_no_tolerance(rtol):
    with pytest.raises(DataError, match="not a tolerance.*a number from 0"):
        compare(diamond(), {"y": [1.0, 1.0]}, rtol=rtol)


def test_a_value_may_be_called_like_a_branch():
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    y = (x * 3.0).named("y via z")
    g = gradients((y * x).named("x via y").sum().named("loss"))
    assert dict(g).keys() == {"x", "y via z", "x via y", "loss"}
    np.testing.assert_array_equal(g["y via z"], x.numpy())
    np.testing.assert_array_equal(g["x via y via z"], 3 * x.numpy())
    report = compare(g, {"x": 6 * x.numpy(), "y via z": x, "x via y via z": [3.0, 6.0], "x via y": [1.0, 1.0], "x via none": 1.0})
    assert {name: verdict for name, verdict in verdicts(report).items() if verdict != "right"} == {"x via none": "unknown name"}
