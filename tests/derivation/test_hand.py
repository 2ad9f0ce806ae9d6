"""derive(loss): every key that compare accepts, empty, with its shape."""

import numpy as np
import pytest
from networks import NETWORKS

from tinygrad_lstm import (
    DtypeError,
    ShapeError,
    Tensor,
    UnknownNameError,
    compare,
    derive,
    gradients,
)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_key_is_one_that_compare_accepts(name):
    loss = NETWORKS[name]()
    hand, g = derive(loss), gradients(loss)
    assert len(hand) == len(list(hand)) and all(value is None for value in hand.values())
    assert set(g) <= set(hand)
    for key, shape in hand.shapes.items():
        assert g[key].shape == shape
        hand[key] = g[key]
    assert hand.todo == []
    if name in ("lstm", "gru, no names"):
        report = compare(g, hand)
        assert report.ok and all(row.verdict == "right" for row in report.rows)


def test_forks_have_their_branches_and_shared_parameters_their_shares():
    hand = derive(NETWORKS["lstm"]())
    assert list(hand)[:3] == ["Error", "Error<3>", "a<3>"]
    assert {"c<2> via tanh_c<2>", "c<2> via keep<3>", "W_f @ 2", "W_f via sum_f<2>"} <= set(hand)
    assert hand.shapes["W_f @ 2"] == (4, 7)
    assert not any(key.startswith("â") for key in hand)  # a constant


def test_a_mapping_that_is_filled_step_by_step():
    x = Tensor([3.0, 1.0], True, "x")
    loss = (x * x).named("y").sum().named("loss")
    hand = derive(loss)
    assert hand["x"] is None and hand.todo == list(hand)
    mine = np.array([6.0, 2.0])
    hand[x] = mine
    mine[:] = 0
    assert hand["x"].tolist() == [6, 2] and "x" not in hand.todo
    assert str(hand).splitlines()[0].endswith("1 of 5 done")
    with pytest.raises(ValueError, match="read-only"):
        hand["x"][0] = 1
    hand["x via #1"] = [3, 1]
    assert hand["x via y[0]"].tolist() == [3, 1]
    hand.update({"y": [1, 1], "x": None})
    assert hand["x"] is None and hand["y"].tolist() == [1, 1]
    del hand["y"]
    assert len(hand) == 5 and len(hand.todo) == 4
    assert "x via y[1]" in hand and "nothing" not in hand


def test_what_is_not_done_yet_is_no_mistake():
    loss = NETWORKS["lstm"]()
    hand, g = derive(loss), gradients(loss)
    hand["a<3>"] = g["a<3>"]
    report = compare(g, hand)
    assert report.ok and {row.verdict for row in report.rows} == {"right", "not done yet"}


def test_bad_input():
    x = Tensor([3.0, 1.0], True, "x")
    hand = derive((x * x).named("y").sum())
    with pytest.raises(ShapeError, match=r"x: .*expected \(2,\), got \(1, 2\)"):
        hand["x"] = [[6, 2]]
    with pytest.raises(ShapeError, match="no array"):
        hand["x"] = [[1, 2], [3]]
    with pytest.raises(DtypeError, match="numbers"):
        hand["x"] = ["a", "b"]
    with pytest.raises(UnknownNameError, match="no value is called"):
        hand["xx"] = [6, 2]
    with pytest.raises(DtypeError, match="a Tensor"):
        derive(3.0)
    assert hand.todo == list(hand)
