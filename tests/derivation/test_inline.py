"""What a reader need not be told is left out, and what remains is right."""

import ast

import numpy as np
import pytest
import reading
from networks import NETWORKS, gru, layer_normed, packed_gru, parameters

import tinygrad_lstm as tg
from tinygrad_lstm import Tensor, explain, gradients
from tinygrad_lstm.derivation.notation import TEXT


def rows(view):
    return [row.partition("  ")[0] for row in str(view).splitlines()]


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_left_is_computed_line_by_line_from_the_text(name):
    """A reader who knows what forward computed computes each line from the lines above it."""
    loss = NETWORKS[name]()
    e, g = explain(loss), gradients(loss)
    values = {TEXT.called(name): value for name, value in e.values.items()}
    expected = {f"δ{TEXT.called(line.name)}": g[line.value] for line in e.lines}
    with np.errstate(all="ignore"):
        for row in rows(e):
            left, right = row.split(" = ", 1)
            if right.startswith("["):  # an index or a mask, defined
                entries = ast.literal_eval(right.replace("−", "-"))
                assert (np.array(entries) == e.values[left]).all()
                continue
            values[left] = np.asarray(reading.Reader(right, values).read())
            if left in expected:
                value = np.broadcast_to(values[left], expected[left].shape)
                np.testing.assert_allclose(value, expected.pop(left), rtol=1e-9, atol=1e-12)
    assert not expected


def test_lines_that_only_pass_on_are_what_they_stand_for():
    lines = rows(explain(gru()).rolled)
    assert "δz<t> = −δh<t> ∘ n<t> + δh<t> ∘ h<t−1>" in lines
    assert "δUz = Σ_{t=1..T} h<t−1>ᵀ δadd#2<t>" in lines
    assert "δn<t> = δh<t> ∘ (1 − z<t>)" in lines
    assert not any("matmul" in line for line in lines)
    assert len(rows(explain(gru()))) == 47 and len(gradients(gru())) == 95


def test_a_transpose_in_forward_leaves_no_trace():
    lines = rows(explain(packed_gru()).rolled)
    assert "δV = Σ_{t=1..T} δmatmul#3<t>ᵀ h<t>" in lines
    assert not any("transpose" in line for line in lines)
    rng = np.random.default_rng(0)
    p = parameters(rng, W=(3, 2), v=(3,))
    y = ((rng.normal(size=(4, 2)) @ p["W"].mT).named("s") @ p["v"].T).named("y")
    e = explain(y, gradient=np.ones(4))
    assert rows(e) == [
        "δy = gradient",
        "δs = δy ⊗ v",
        "δW = δsᵀ x",
        "δv = sᵀ δy",
    ]


def test_a_line_stays_where_somebody_asks_for_it():
    x = Tensor([1.0, 2.0], True, "x")
    y = -x
    loss = (y * 2.0).named("z").sum()
    assert rows(explain(loss)) == ["δsum#1 = 1", "δz = ones(2,)", "δx = −ones(2,) · 2"]
    assert rows(explain(loss, [y, x]))[2:] == ["δnegative#1 = ones(2,) · 2", "δx = −δnegative#1"]
    y.register_hook(lambda g: 2 * g)
    e = explain(loss)
    assert len(e.lines) == 4 and (e.evaluate()["x"] == gradients(loss)["x"]).all()


def test_another_dtype_is_not_passed_over():
    x = Tensor(np.linspace(0, 1, 5), True, "x", np.float32)
    y = x.astype(np.float64)
    loss = (tg.tanh(y) * np.pi).named("z").sum()
    e = explain(loss)
    assert e.evaluate()["x"].dtype == np.float32
    np.testing.assert_array_equal(e.evaluate()["x"], gradients(loss)["x"])


def test_common_formulas_are_written_once():
    lines = rows(explain(layer_normed()).rolled)
    assert lines.count("u1<t> = h<t−1> − mean(h<t−1>, axis=(−1,), keepdims=True)") == 1
    assert sum("mean(h<" in line for line in lines) == 1
    # in the place of names of formulas stand their numbers too
    numbers = rows(explain(layer_normed(1)).steps(numbers=True))
    assert not any("0 0 0" in row for row in numbers)
    x = Tensor([1.0], True, "u1")  # a name that is taken
    w = Tensor([[2.0, 1.0]], True, "w")
    e = explain(tg.layer_norm(w * x, np.ones(2), np.zeros(2)).named("y").sum())
    assert any(row.startswith("u1#1 = ") for row in rows(e))
