"""compare: what it calls right and wrong, in which order, and in which words."""

import json
from html.parser import HTMLParser

import numpy as np
import pytest

from tinygrad_lstm import (
    LSTM,
    DataError,
    DtypeError,
    Tensor,
    UnknownNameError,
    assert_gradients_match,
    block,
    by_hand,
    compare,
    cross_entropy,
    gradients,
    maximum,
    no_grad,
    sigmoid,
    tanh,
)
from tinygrad_lstm.comparison import likely


def lstm_case(seed=0, T=3, N=2, H=4, D=3, scale=1.0, dtype=np.float64, mask=None):
    """Derivatives of an LSTM's Error by everything, and the same by hand."""
    rng = np.random.default_rng(seed)
    arrays = {f"W_{g}": rng.normal(size=(H, H + D)) for g in "fuco"} | {
        f"b_{g}": rng.normal(size=H) for g in "fuco"
    }
    lstm = LSTM.from_arrays({name: (scale * array).astype(dtype) for name, array in arrays.items()})
    x, a, c = (
        Tensor(rng.normal(size=shape), requires_grad=True, dtype=dtype)
        for shape in ((T, N, D), (N, H), (N, H))
    )
    targets = rng.normal(size=(T, N, H)).astype(dtype)
    return gradients(lstm.error(x, targets, (a, c), mask)), by_hand.lstm(
        lstm, x, targets, (a, c), mask
    )


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


@pytest.mark.parametrize(
    "name",
    ["Error", "c<2> via keep<3>", "c<2>", "sum_f<1>", "W_f via sum_f<2>", "b_o", "x", "a<0>"],
)
@pytest.mark.parametrize(
    "change",
    [
        lambda v: -v,
        lambda v: 2 * v,
        lambda v: 1.001 * v,
        lambda v: v * 0,
        lambda v: v + 1e-6 * np.max(np.abs(v)),
    ],
)
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
    assert not compare(
        g, hand | {"W_f": hand["W_f"].astype(np.float32).astype(float)}
    ).ok  # lost digits, in float64


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("scale", [0.3, 1.0, 30.0])  # 30: gates shut and open to the last digit
def test_no_false_alarm(dtype, scale):
    for seed in range(12):
        report = compare(
            *lstm_case(
                seed,
                1 + seed % 8,
                1 + seed % 3,
                scale=scale,
                dtype=dtype,
                mask=[0] * (seed % 8) + [1] if seed % 2 else None,
            )
        )
        assert report.ok, str(report)


@pytest.mark.parametrize("scale", [0.3, 1.0, 30.0])
def test_no_false_alarm_between_a_float32_tape_and_float64_by_hand(scale):
    """Not one rounding is the same, and at scale 30 most derivatives are rounding, or below the
    smallest number."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        arrays = {f"W_{g}": rng.normal(size=(4, 7)) for g in "fuco"} | {
            f"b_{g}": rng.normal(size=4) for g in "fuco"
        }
        arrays = {name: (scale * array).astype(np.float32) for name, array in arrays.items()}
        x, targets = (rng.normal(size=(1 + 2 * seed, 2, n)).astype(np.float32) for n in (3, 4))
        g = gradients(LSTM.from_arrays(arrays).error(Tensor(x, requires_grad=True), targets))
        double = LSTM.from_arrays({name: array.astype(float) for name, array in arrays.items()})
        report = compare(g, by_hand.lstm(double, x.astype(float), targets.astype(float)))
        assert report.ok, str(report)


def test_what_was_rounded_to_float32_stays_so_where_float64_data_meet_it():
    rng = np.random.default_rng(0)
    w, data = rng.normal(size=(3, 3)).astype(np.float32), rng.normal(size=(2, 3))

    def network(w):
        w = Tensor(w, True, "w")
        scaled = (0.1 * w * w).named("scaled")  # float32, where w is
        h = tanh(data @ scaled).named("h")
        return gradients(((h - 1.0) ** 2).sum().named("L"))

    single, double = network(w), network(w.astype(float))
    assert single["h"].dtype == np.float64 and not np.allclose(single["h"], double["h"], 1e-9, 0)
    hand = {key: double[key] for key in ("h", "scaled", "w")}
    assert compare(single, hand).ok
    assert compare(single, hand | {"h": 1.001 * double["h"]}).first.name == "h"


def test_a_vanished_gradient_is_still_compared():
    """60 blocks before the loss the derivatives are far below the last digit of Error's; they have
    digits of their own."""
    g, hand = lstm_case(T=60, scale=0.1, mask=[0] * 59 + [1])
    assert 0 < np.max(np.abs(g["c<1>"])) < 1e-15
    assert compare(g, hand).ok
    assert verdicts(compare(g, {"c<1>": 1.001 * hand["c<1>"], "x<1>": 0 * hand["x<1>"]})) == {
        "c<1>": "first wrong",
        "x<1>": "first wrong",
    }


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
    report = compare(
        gradients(sigmoid(x)), {"x": np.exp([-100.0])}
    )  # 3.7e-44: float32 has two digits of it
    assert report.ok and report.rows[0].error > 1e-3


def test_an_exact_zero_is_compared():
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    g = gradients((x * 0.0).sum())
    assert compare(g, {"x": [0.0, 0.0]}).ok
    (row,) = compare(g, {"x": [0.0, 1e-6]}).rows
    assert row.verdict == "first wrong" and row.error == np.inf


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
    order = [
        "Error",
        "Error<2>",
        "a<2> via Error<2>",
        "a<2>",
        "tanh_c<2>",
        "c<2>",
        "keep<2>",
        "Γ_f<2>",
        "sum_f<2>",
        "z<2>",
        "a<1> via z<2>",
        "a<1>",
    ]
    order += [
        "c<1> via keep<2>",
        "c<1> via tanh_c<1>",
        "c<1>",
        "z<1>",
        "W_f via sum_f<2>",
        "W_f via sum_f<1>",
        "W_f",
    ]
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
    assert verdicts(compare(g, hand)) == dict.fromkeys(
        ("loss", "left", "y via right[0]", "y via left", "y", "x"), "right"
    )


def test_other_spellings_and_tensors_as_names():
    g, hand = lstm_case()
    x = next(value for value in g.tape.leaves if value.name == "x")
    report = compare(
        g,
        {
            "gamma_f<2>": hand["Γ_f<2>"],
            "c̃<1>": hand["c~<1>"],
            "gamma_f<2> via keep<2>": hand["Γ_f<2>"],
            x: 2 * hand["x"],
        },
    )
    assert [row.verdict for row in report.rows if row.verdict != "missing"] == [
        "right",
        "right",
        "right",
        "first wrong",
    ]
    assert report.first.name == "x"


def test_derivatives_that_are_tensors():
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    assert compare(gradients((x * x * x).sum(), create_graph=True), {"x": [3.0, 12.0]}).ok


def test_a_root_that_is_no_scalar_and_a_recording_that_is_off():
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    g = gradients((x * x).named("y"), gradient=[1.0, 10.0])
    with no_grad():
        assert compare(g, {"y": [1.0, 10.0], "x": [2.0, 40.0 + 1e-15]}).ok
        assert verdicts(compare(g, {"x": [2.0, 40.0 + 1e-6]})) == {"x": "first wrong"}


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
    found = {name: verdict for name, verdict in verdicts(report).items() if verdict != "missing"}
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
        ((diamond(), {"x": object()}), DtypeError, "^x: .*object"),
        ((diamond(), {"x": [1.0, 1.0]}, -1.0), DataError, "rtol"),
        ((diamond(), {"x": [1.0, 1.0]}, np.nan), DataError, "rtol"),
    ],
)
def test_what_is_refused(arguments, kind, words):
    with pytest.raises(kind, match=words) as error:
        compare(*arguments)
    assert "\n" not in str(error.value)


# Words.


@pytest.mark.parametrize("rtol", ["1e-3", [1e-3], 1j, np.nan, -1, None.__class__, True, np.True_])
def test_what_is_no_tolerance(rtol):
    with pytest.raises(DataError, match="not a tolerance.*a number from 0"):
        compare(diamond(), {"y": [1.0, 1.0]}, rtol=rtol)


def as_dict(report):
    return {
        row.name: (row.verdict, row.because)
        for row in report.rows
        if row.verdict not in ("right", "missing")
    }


def test_what_follows_from_a_wrong_row_is_wrong_because_of_it():
    g = diamond()
    left, right, y = g["y via left"], g["y via right"], g["y"]
    assert as_dict(
        compare(g, {"y via left": left, "y via right": right, "y": left, "x": 3 * left})
    ) == {
        "y": ("first wrong", ""),  # its branches are right, so the sum is wrong
        "x": ("wrong because of", "y"),
    }
    assert as_dict(
        compare(g, {"y via left": -left, "y": right - left, "x": 3 * (right - left)})
    ) == {
        "y via left": ("first wrong", ""),
        "y": ("wrong because of", "y via left"),
        "x": ("wrong because of", "y via left"),
    }
    assert as_dict(compare(g, {"y via left": -left, "y": y, "x": 3 * y})) == {
        "y via left": ("first wrong", "")
    }


def test_a_row_below_a_wrong_one_may_be_wrong_also_by_itself():
    g = diamond()
    left = g["y via left"]
    report = compare(g, {"y": left, "x": 2 * left})
    assert as_dict(report) == {"y": ("first wrong", ""), "x": ("first wrong", "y")}
    assert report.first.name == "y" and report.rows[-1].note == "wrong also by itself"
    assert [diagnosis.kind for diagnosis in report.diagnoses] == ["branch missing", "factor"]


def test_mistakes_that_do_not_depend_on_each_other_are_both_first():
    g, hand = lstm_case()
    report = compare(g, hand | {"W_o": -hand["W_o"], "Γ_f<2>": 2 * hand["Γ_f<2>"]})
    assert as_dict(report) == {"Γ_f<2>": ("first wrong", ""), "W_o": ("first wrong", "")}
    assert report.first.name == "Γ_f<2>"


def test_what_is_not_given_passes_a_mistake_on():
    """Between c<2> and W_f there are gates and sums that nobody has given."""
    g, hand = lstm_case()
    with_mistake = hand | {"c<3>": -hand["c<3>"], "b_f via sum_f<3>": -hand["b_f via sum_f<3>"]}
    kept = {name: with_mistake[name] for name in ("c<3>", "b_f via sum_f<3>", "b_o via sum_o<3>")}
    assert as_dict(compare(g, kept)) == {
        "c<3>": ("first wrong", ""),
        "b_f via sum_f<3>": ("wrong because of", "c<3>"),
    }


def test_what_cannot_be_computed_with_is_blamed_for_what_follows():
    g, hand = lstm_case()
    report = compare(
        g,
        {
            "c<3>": hand["c<3>"] * np.nan,
            "Γ_f<3>": hand["Γ_f<3>"] * np.nan,
            "sum_f<3>": 7 * hand["sum_f<3>"],
            "W_o": hand["W_o"],
        },
    )
    assert as_dict(report) == {
        "c<3>": ("not finite", ""),
        "Γ_f<3>": ("not finite", "c<3>"),
        "sum_f<3>": ("wrong because of", "c<3>"),
    }
    assert report.first.name == "c<3>"


def test_a_shape_or_a_nan_is_not_blamed_on_a_wrong_number():
    rng = np.random.default_rng(0)
    x, w, v = (
        Tensor(rng.normal(size=(5, 3)), name="x"),
        Tensor(rng.normal(size=(4, 3)), True, "w"),
        Tensor(rng.normal(size=(2, 4)), True, "v"),
    )
    h = tanh((x @ w.T).named("s")).named("h")
    g = gradients(((h @ v.T) ** 2).sum())
    wrong = {"h": -g["h"], "s": -g["s"]}
    for bad, verdict, kind in (
        (-g["w"].T, "wrong shape", "transpose"),
        (g["w"] * np.nan, "not finite", "not finite"),
    ):
        report = compare(g, wrong | {"w": bad})
        assert as_dict(report) == {
            "h": ("first wrong", ""),
            "s": ("wrong because of", "h"),
            "w": (verdict, ""),
        }
        assert [(d.name, d.kind, d.downstream) for d in report.diagnoses] == [
            ("h", "sign", 1),
            ("w", kind, 0),
        ]
    report = compare(g, {"h": g["h"].T, "s": g["s"].T, "w": g["w"] * np.inf})
    assert as_dict(report) == {
        "h": ("wrong shape", ""),
        "s": ("wrong shape", "h"),
        "w": ("not finite", "h"),
    }
    huge = compare(g, {"s": np.full(h.shape, 1.7e308), "w": np.full(w.shape, np.inf)})
    assert as_dict(huge) == {
        "s": ("first wrong", ""),
        "w": ("not finite", "s"),
    }  # an overflow follows


def test_complex_values_by_hand_of_a_real_derivative():
    g = diamond()
    for value in (g["y"] + 1j, g["y"] + 0j):
        with pytest.raises(DtypeError, match="^y: .*complex.*float64.*complex128.*real part"):
            compare(g, {"y": value})


def test_every_kind_of_graph_can_be_walked_again():
    """Complex values, a stage that selects, and a hook: what follows from the hand values is what
    backward makes of them."""
    z = Tensor([1.0 + 2.0j, 3.0 - 1.0j], requires_grad=True, name="z")
    w = (z * (2.0 - 1.0j)).named("w")
    g = gradients((w * w.conj()).real.sum())
    assert as_dict(compare(g, {"w": 3 * g["w"], "z": 3 * g["z"]})) == {
        "w": ("first wrong", ""),
        "z": ("wrong because of", "w"),
    }
    x = Tensor([-1.0, 2.0], requires_grad=True, name="x")
    y = maximum(x, 0.0).named("y")
    y.register_hook(lambda total: 10 * total)
    g = gradients((y * y).sum())
    assert compare(g, {"y": [0.0, 40.0], "x": [0.0, 40.0]}).ok
    assert as_dict(compare(g, {"y": [0.0, 80.0], "x": [0.0, 80.0]})) == {
        "y": ("first wrong", ""),
        "x": ("wrong because of", "y"),
    }


def test_a_long_tape_is_walked_without_recursion():
    g, hand = lstm_case(T=200, N=1, H=2, D=1)
    report = compare(g, hand | {"c<200>": -hand["c<200>"]})
    assert as_dict(report) == {"c<200>": ("first wrong", "")} and report.diagnoses[0].kind == "sign"


# Keys for parts.


def test_shares_of_a_block_and_branches_by_number():
    g, _ = lstm_case()
    for t in (1, 2, 3):
        np.testing.assert_array_equal(g[f"W_f @ {t}"], g[f"W_f via sum_f<{t}>"])
    np.testing.assert_array_equal(g["c<2> via #1"], g["c<2> via tanh_c<2>"])
    np.testing.assert_array_equal(g["c<2> via #2"], g["c<2> via keep<3>"])
    np.testing.assert_array_equal(g["z<2> @ 2"], g["z<2>"])
    assert (
        "W_f @ 3" in g and "W_f @ 4" not in g and "c<2> via #3" not in g and "c<2> via #0" not in g
    )
    for key, words in {
        "W_f @ 4": "1, 2, 3",
        "W_f @ x": "no value is called",
        "Error @ 1": "in blocks",
        "nobody @ 1": "nobody",
    }.items():
        with pytest.raises(UnknownNameError, match=words):
            g[key]


def test_a_share_is_the_sum_of_several_branches():
    x = Tensor(2.0, requires_grad=True, name="x")
    with block(1):
        y = x * x
    with block(2):
        z = y * x
    g = gradients(z)
    assert (g["x @ 1"], g["x @ 2"], g["x"]) == (8.0, 4.0, 12.0)
    assert not g["x @ 1"].flags.writeable
    assert g["x via multiply#1<1>[0]"] == 4.0  # a stage without a name, as the printed tape has it


def test_shares_say_in_which_block_the_sum_departs():
    g, _ = lstm_case()
    shares = {f"W_f @ {t}": g[f"W_f @ {t}"] for t in (1, 2, 3)}
    hand = shares | {"W_f @ 2": 2 * shares["W_f @ 2"]}
    report = compare(g, hand | {"W_f": sum(hand.values())})
    assert as_dict(report) == {
        "W_f @ 2": ("first wrong", ""),
        "W_f": ("wrong because of", "W_f @ 2"),
    }
    assert [row.name for row in report.rows[:4]] == ["W_f @ 3", "W_f @ 2", "W_f @ 1", "W_f"]


def test_parameters_that_are_not_given_are_listed_and_fail_nothing():
    g, hand = lstm_case()
    report = compare(g, {"W_f": hand["W_f"], "b_f": hand["b_f"]})
    assert report.ok and [row.name for row in report.rows if row.verdict == "missing"] == [
        name
        for name in (x.name for x in g.tape.leaves if x.requires_grad)
        if name not in ("W_f", "b_f")
    ]
    assert "not given: " in str(report) and "W_u" in str(report)
    assert all(
        row.verdict != "missing" for row in compare(g, {"c<2>": hand["c<2>"]}).rows
    )  # no parameter is given at all


# Words.


def the_report():
    lstm, rng = LSTM(3, 4, rng=0), np.random.default_rng(0)
    x, targets = Tensor(rng.normal(size=(3, 1, 3)), True), rng.normal(size=(3, 1, 4))
    g, printed = gradients(lstm.error(x, targets)), by_hand.lstm(lstm, x, targets, as_printed=True)
    names = ("c<3>", "c<2>", "sum_f<2>", "b_f", "b_o")
    return compare(g, {name: printed[name] for name in names} | {"z": 1.0})


def test_the_report_in_words():
    lines = str(the_report()).splitlines()
    start = lines.index("first difference: c<2>")
    assert lines[start + 1 : start + 5] == [
        "  yours equals   branch 1 (through tanh_c<2>)  +  Γ_f<3>",
        "  correct is     branch 1 (through tanh_c<2>)  +  δc<3> ∘ Γ_f<3>",
        "  looks like     the local derivative of a branch was added without the gradient that "
        "arrives there (chain rule not applied)",
        "  downstream     3 more rows differ only because of this one",
    ]
    table = lines.index(the_report().table.splitlines()[0])  # the wrong rows come after it
    names = ("quantity", "c<2>", "sum_f<2>", "b_f", "b_o", "z")
    shapes = ("shape", "(1,", "(1,", "(4,)", "(4,)", "unknown")
    assert start == 0
    assert [tuple(line.split()[:2]) for line in lines[table + 1 : table + 7]] == list(
        zip(names, shapes, strict=True)
    )
    assert lines[-1] == "report.table has all 6 rows"
    whole = [line.split()[0] for line in the_report().table.splitlines()[1:8]]
    assert whole == ["quantity", "c<3>", "c<2>", "sum_f<2>", "b_f", "b_o", "z"]
    assert the_report().text().endswith(the_report().table)


def test_downstream_of_the_only_mistake():
    g = diamond()
    assert (
        "  downstream     1 more row differs only because of this one"
        in str(compare(g, {"y": -g["y"], "x": -g["x"]})).splitlines()
    )


def test_an_unexplained_value_shows_where_it_deviates_most():
    g, hand = lstm_case()
    value = hand["W_u"].copy()
    value[2, 3] += 5
    (diagnosis,) = compare(g, hand | {"W_u": value}).diagnoses
    assert diagnosis.kind == "unexplained"
    right = hand["W_u"][2, 3]
    words = (
        f"1 of 28 entries differs (row 2 only), most of all [2, 3] is {value[2, 3]:.6g}, correct "
        f"{right:.6g} (difference 5, ratio {value[2, 3] / right:.4g})"
    )
    assert words in diagnosis.looks_like
    noise = np.random.default_rng(0).normal(size=value.shape)
    assert compare(g, hand | {"W_u": noise}).diagnoses[0].kind == "unexplained"


def test_an_unexplained_number_has_no_place():
    x = Tensor(3.0, requires_grad=True, name="x")
    (diagnosis,) = compare(gradients(x * x), {"x": 7.7}).diagnoses
    assert (
        diagnosis.looks_like
        == "no simple mistake gives it; it is 7.7, correct 6 (difference 1.7, ratio 1.283)"
    )
    (diagnosis,) = compare(gradients(x * 0.0), {"x": 7.7}).diagnoses
    assert (
        diagnosis.looks_like == "no simple mistake gives it; it is 7.7, correct 0 (difference 7.7)"
    )


@pytest.mark.parametrize(
    ("T", "budget", "words"),
    [(2, 10**6, "mistakes further up"), (20, 5000, "ended at its budget of 5,")],
)
def test_it_is_told_what_was_not_searched(T, budget, words, monkeypatch):
    monkeypatch.setattr(likely, "BUDGET", budget)
    g, hand = lstm_case(T=T, N=1)
    noise = np.random.default_rng(0).normal(size=hand["W_u"].shape)
    looks = compare(g, {"W_u": noise}).diagnoses[0].looks_like
    assert words in looks and f"give δsum_u<{T}>, δsum_u<{T - 1}>" in looks
    assert (
        compare(g, hand | {"W_u": noise})
        .diagnoses[0]
        .looks_like.startswith("no simple mistake gives it;")
    )  # nothing was left out


def test_json_is_data():
    report = the_report()
    data = json.loads(report.json())
    assert data["root"] == "Error" and data["ok"] is False and data["first"] == "c<2>"
    assert [(row["name"], row["verdict"], row["because"]) for row in data["rows"]] == [
        (row.name, row.verdict, row.because) for row in report.rows
    ]
    assert data["diagnoses"][0]["kind"] == "chain rule"
    x = Tensor([1.0], requires_grad=True, name="x")
    assert (
        json.loads(compare(gradients((x * 0.0).sum()), {"x": [1.0]}).json())["rows"][0]["error"]
        == "inf"
    )


def test_markdown_and_html():
    report = the_report()
    table = [line for line in report.markdown().splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1 and len(table) == 2 + sum(
        row.verdict != "missing" for row in report.rows
    )
    assert "first difference: c<2>" in report.markdown()

    class Cells(HTMLParser):
        def __init__(self):
            super().__init__()
            self.open, self.text = [], []

        def handle_starttag(self, tag, attrs):
            self.open += [tag] * (tag != "br")

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

        def handle_data(self, data):
            self.text.append(data)

    parser = Cells()
    parser.feed(report._repr_html_())
    assert parser.open == [] and "sum_f<2>" in parser.text and "c<2>" in parser.text


def test_a_long_table_shows_the_rows_of_one_verdict_that_follow_each_other_as_one():
    g, hand = lstm_case(T=20, N=1)
    report = compare(g, hand | {"c<10>": -hand["c<10>"], "W_f": hand["W_f"].T})
    lines = report.table.splitlines()
    assert len(report.rows) > 500 and len(lines) < 40 and len(str(report).splitlines()) < 20
    assert len(json.loads(report.json())["rows"]) == len(report.rows)
    table = lines[
        2 : next(i for i, line in enumerate(lines) if line.startswith(f"{len(report.rows)} rows"))
    ]
    shown = sum(
        int(line.rpartition("(")[2].split()[0]) if line.endswith(" rows)") else 1 for line in table
    )
    assert shown == len(report.rows)  # no row is left out
    assert sum("first wrong" in line or "wrong shape" in line for line in table) == 2
    assert len(str(compare(g, hand)).splitlines()) < 10
    g, hand = lstm_case(T=2, N=1)
    assert len(str(compare(g, hand)).splitlines()) > len(hand)


def test_names_that_would_break_the_report():
    x = Tensor([1.0, 2.0], requires_grad=True, name="x\n| <script>")
    y = (x * x).named("```y")
    report = compare(
        gradients((y * 2.0).sum().named("two\nlines")), {x.name: -4 * x.numpy(), y: [1.0, 1.0]}
    )
    assert len(str(report).splitlines()) == len(str(report).split("\n")) == 2 * 5 + 2 + 4 + 1 - 1
    markdown = report.markdown()
    assert "| x \\| \\<script> |" in markdown
    assert sum(line.startswith("|") for line in markdown.split("\n")) == 2 + 2
    assert sum(
        line == "````" for line in markdown.split("\n")
    ) == 4 and "```" not in markdown.split("\n")


def test_the_assertion_fails_with_the_report():
    g = diamond()
    assert_gradients_match(g, {"y": g["y"]})
    x = Tensor(3.0, requires_grad=True, name="x")
    assert_gradients_match(x * x, {"x": 6.0})
    assert_gradients_match(x * x, {"x": 6.01}, rtol=0.01)
    with pytest.raises(AssertionError) as error:
        assert_gradients_match(g, {"y": -g["y"], "x": g["x"]})
    assert str(error.value) == str(compare(g, {"y": -g["y"], "x": g["x"]}))


# Keys, what is not done, hints.


@pytest.mark.parametrize("key", ["c_2", "c2", "c[2]", "dc<2>", "grad_c<2>", "δc<2>", "dc_2"])
def test_a_key_that_misses_its_name_by_the_spelling_is_found(key):
    g, hand = lstm_case()
    (row,) = (r for r in compare(g, {key: hand["c<2>"]}).rows if r.verdict != "missing")
    assert (row.name, row.verdict, row.note) == (key, "right", "read as c<2>")
    assert str(row.key) == "c<2>"
    (wrong,) = (r for r in compare(g, {key: -hand["c<2>"]}).rows if not r.ok)
    assert wrong.verdict == "first wrong"


def test_none_is_not_done_yet():
    g = diamond()
    report = compare(g, {"y": None, "x": g["x"], "nobody": None})
    found = {row.name: row.verdict for row in report.rows}
    assert found == {"y": "not done yet", "x": "right", "nobody": "unknown name"}
    assert compare(g, {"y": None, "x": g["x"]}).ok and not compare(g, {"y": None}).ok
    assert "not done yet: y" in str(compare(g, {"y": None, "x": g["x"]}))
    assert as_dict(compare(g, {"y": None, "x": -g["x"]})) == {
        "y": ("not done yet", ""),
        "x": ("first wrong", ""),
    }


def test_a_row_that_follows_from_small_entries_is_not_blamed():
    v = Tensor([1.0, 1.0], True, "v")
    h = (v * np.array([0.0, 1.0])).named("h")
    g = gradients((h * np.array([1.0, 1e-10])).sum())
    report = compare(g, {"h": [1, 3e-10], "v": [0, 3e-10]})
    assert as_dict(report) == {"h": ("first wrong", ""), "v": ("wrong because of", "h")}
    assert "small" in report.rows[0].note and report.diagnoses[0].kind == "small entries"
    assert compare(g, {"h": [1, 3e-10]}).ok  # right by its largest entry, and nobody reads it
    assert compare(g, {"h": [1, 1e-10 * (1 + 1e-15)], "v": [0, 1e-10]}).ok


def test_hints_withhold_what_is_not_asked_for():
    report = the_report()
    where, kind, rule, solution = map(report.hints, (1, 2, 3, 4))
    assert "c<2> is wrong by itself; 3 more rows inherit from it" in where
    assert "gradient that arrives" not in where and "keep" not in where
    assert "a local derivative stands without the gradient that arrives" in kind
    assert "keep" not in kind and "Γ_f" not in kind
    assert "keep<3> = multiply(c<2>, Γ_f<3>)" in rule and "δc<3>" not in rule
    assert "δc<3> ∘ Γ_f<3>" in solution
    assert report.hints("where") == where and report.hints("solution") == solution
    for level in (0, 5, True, "all"):
        with pytest.raises(DataError, match="no such level"):
            report.hints(level)
    assert compare(diamond(), {"y": diamond()["y"]}).hints(4) == "nothing is wrong"


def test_an_assertion_tells_as_much_as_it_is_asked_to():
    g = diamond()
    with pytest.raises(AssertionError) as error:
        assert_gradients_match(g, {"y": -g["y"], "x": -g["x"]}, hints="where")
    assert str(error.value) == "y is wrong by itself; 1 more row inherits from it"
    assert_gradients_match(g, {"y": g["y"], "x": None}, require=["y"])
    with pytest.raises(AssertionError, match="^required, and not right: x$"):
        assert_gradients_match(g, {"y": g["y"], "x": None}, require=["x", "y"])
    with pytest.raises(AssertionError, match="^required, and not right: x, y$"):
        assert_gradients_match(g, {"left": g["left"]}, require=["x", "y"])
    with pytest.raises(DataError, match="no such level"):
        assert_gradients_match(g, {"y": g["y"]}, hints="everything")


# A diagnosis never costs the table.

SHAPES = [((3, 2), (2, 1)), ((1, 1), (1, 1)), ((1, 2), (2, 3)), ((0, 2), (2, 3)), ((3, 2), (2,))]


@pytest.mark.parametrize(("left", "right"), SHAPES)
@pytest.mark.parametrize("change", [lambda v: -v, lambda v: v + 1, lambda v: v * 0, np.transpose])
def test_axes_of_length_one_and_none(left, right, change):
    rng = np.random.default_rng(0)
    W, x = (Tensor(rng.normal(size=s), True, n) for s, n in ((left, "W"), (right, "x")))
    product = W @ x
    b = Tensor(rng.normal(size=product.shape), True, "b")
    for loss in ((product + b).sum(), tanh((product + b).named("s")).sum(), (product * b).sum()):
        g = gradients(loss)
        for names in (["W"], ["b"], ["W", "x", "b"]):
            report = compare(g, {name: change(np.asarray(g[name])) for name in names})
            assert str(report) and report.json() and report.markdown() and report.table


@pytest.mark.parametrize("value", [0.0, 1.0, -2.5])
def test_scalars(value):
    x, y = Tensor(value, True, "x"), Tensor(3.0, True, "y")
    g = gradients((tanh(x * y) + x * x).named("z") * y)
    for hand in ({"x": 7.0}, {"z": 0.0}, {"x": [7.0]}, {"y": -g["y"], "z": 1.0, "x": 2.0}):
        assert str(compare(g, hand))


def test_a_sum_multiplied_out_whose_parenthesis_is_closed_too_early():
    """``(A e + B) d e`` for ``A e + B d e``, where the tape has ``(A + B d) e``."""
    rng = np.random.default_rng(0)
    x, e, o, d, A = (rng.normal(size=(3, 4)) for _ in range(5))
    x = Tensor(x, True, "x")
    s = sigmoid(x).named("s")
    y = s * Tensor(e, name="e")
    loss = ((Tensor(o, name="o") * tanh(y) * Tensor(d, name="d")).sum() + (y * A).sum()).named("L")
    f, B = s.numpy(), o * (1 - np.tanh(y.numpy()) ** 2)
    report = compare(gradients(loss), {"x": (A * e + B) * d * e * f * (1 - f)})
    (found,) = report.diagnoses
    assert found.kind == "parenthesis" and "d ∘ e belongs to o ∘ (1 − tanh(" in found.looks_like


@pytest.mark.parametrize(("sign", "kind"), [(0, "term missing"), (1, "sign")])
def test_the_target_in_a_softmax_of_one_example(sign, kind):
    scores = Tensor([0.1, -0.4, 0.7], True, "y")
    g = gradients(cross_entropy(scores, 2).named("loss"))
    p = np.exp(scores.numpy()) / np.exp(scores.numpy()).sum()
    (found,) = compare(g, {"y": p + sign * np.eye(3)[2]}).diagnoses
    assert found.kind == kind and "[0 0 1]" in found.looks_like
