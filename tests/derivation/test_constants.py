"""What constants are called that have no name."""

import networks
import numpy as np
from networks import parameters

import tinygrad_lstm as tg
from tinygrad_lstm import Tensor, block, explain


def rows(view):
    return [row.partition("  ")[0] for row in str(view).splitlines()]


def test_by_the_argument_that_they_are():
    lines = rows(explain(networks.gru()).rolled)
    assert "δWz = Σ_{t=1..T} x<t>ᵀ δadd#2<t>" in lines
    assert "δWn = Σ_{t=1..T} x<t>ᵀ δadd#6<t>" in lines  # one array, one name
    assert any(line.startswith("δh<t> = −(targets<t> − h<t>) + ") for line in lines)
    assert explain(networks.gru()).values["x<2>"].shape == (2, 3)


def test_a_state_without_a_name_is_the_state_before_the_first_block():
    lines = rows(explain(networks.packed_gru()).rolled)
    assert "δU = Σ_{t=1..T} δadd#2<t>ᵀ h<t−1>" in lines
    lines = rows(explain(networks.peephole()).rolled)
    assert "δp_i = Σ_{t=1..T} Σ_n (δadd#1<t> ∘ c<t−1>)[n, :]" in lines


def test_a_state_behind_the_last_block():
    rng = np.random.default_rng(0)
    p = parameters(rng, W=(2, 2))
    r, errors = np.zeros((1, 2)), []
    for t in (3, 2, 1):
        with block(t):
            r = tg.tanh(r @ p["W"] + rng.normal(size=(1, 2))).named("r")
            errors.append(r.sum().named("E"))
    e = explain(tg.add_n(*errors))
    assert "δW = Σ_{t=1..T} r<t+1>ᵀ δmatmul#1<t>" in rows(e.rolled)
    assert not e.values["r<4>"].any()


def test_names_that_are_taken_and_numbers():
    x = Tensor([[1.0, 2.0]], True, "x")
    y = (np.eye(2) * 3) @ (np.ones((2, 2)) + np.diag([1.0, 2.0])) @ x.T * 5.0 * np.array(7.0)
    e = explain(y.sum())
    assert rows(e)[-1] == "δx = δmatmul#1ᵀ x#2"
    assert set(e.values) >= {"x", "x#2"}


def test_masks():
    rng = np.random.default_rng(0)
    w, h = Tensor(rng.normal(size=(2, 2)), True, "w"), Tensor(np.ones((3, 2)), True, "h<0>")
    kept = np.array([[1.0], [1.0], [0.0]])
    for t in (1, 2):
        with block(t):
            h = (tg.where(rng.random((3, 2)) > 0.5, h @ w, h) * kept).named("h")
    lines = rows(explain(h.sum()).rolled)
    assert any("where(mask<" in line for line in lines)
    assert any("∘ mask#2<" in line for line in lines)


def test_the_first_state_where_a_stage_of_the_first_block_is_not_recorded():
    """[h<0>, x<1>] has nothing to differentiate, so that block 1 has one stage less."""
    rng = np.random.default_rng(0)
    W, U = (Tensor(rng.normal(size=(5, 3)), True, name) for name in "WU")
    h, c, x = np.zeros((2, 3)), np.zeros((2, 3)), rng.normal(size=(4, 2, 2))
    for t in range(1, 5):
        with block(t):
            u = tg.concatenate([h, x[t - 1]], axis=1)
            f, i = tg.sigmoid(u @ W), tg.sigmoid(u @ U)
            c = f * c + i
            h = tg.tanh(c)
    assert "δsigmoid#1<t> = δadd#1<t> ∘ add#1<t−1>" in str(explain(h.sum()).rolled)
    assert "<1> = δadd#1<1>" not in str(explain(h.sum()).rolled)
