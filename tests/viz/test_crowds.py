"""Forks with more branches than a page is high."""

import re

import numpy as np
import pytest
from cases import EMBEDDED, PROGRAM, lstm_loss, wide_fork

from tinygrad_lstm import Tensor, add_n, block, gradients, tanh
from tinygrad_lstm.viz import draw
from tinygrad_lstm.viz.graph.build import build
from tinygrad_lstm.viz.graph.crowds import thinned


def graph_of(loss):
    return build(loss.tape, gradients(loss))


def test_a_wide_fork_keeps_its_first_branches_and_its_last():
    loss = wide_fork(200)
    graph = thinned(graph_of(loss))
    branches = [edge for edge in graph.edges if graph.node(edge.source).name == "x"]
    assert [graph.node(edge.target).name for edge in branches] == [
        "multiply#1",
        "multiply#2",
        "197 more, their sum",
        "multiply#200",
    ]
    assert [edge.through for edge in branches] == [False, False, True, False]
    assert sum(edge.gradient for edge in branches) == gradients(loss)["x"] == sum(range(201))


def test_two_forks_of_the_same_readers_share_what_stands_for_them():
    w, x, b = (Tensor(v, True, n) for v, n in ((2.0, "w"), (0.5, "x"), (0.1, "b")))
    loss = add_n(*[tanh(x * w * float(i) + b) for i in range(40)]).named("y")
    graph, g = thinned(graph_of(loss)), gradients(loss)
    assert len(graph.nodes) == 3 + 3 * 4 + 1 + 1  # leaves, three readers and what follows, 37, y
    for name in "wxb":
        found = [e.gradient for e in graph.edges if graph.node(e.source).name == name]
        assert len(found) == 4
        np.testing.assert_allclose(sum(found), g[name], rtol=1e-12)


@pytest.mark.parametrize("count", [2, 12])
def test_a_fork_that_fits_is_drawn_whole(count):
    graph = graph_of(wide_fork(count))
    assert thinned(graph) is graph


def test_branches_are_counted_in_each_block():
    graph = graph_of(lstm_loss(20))
    assert thinned(graph) is graph
    with block(1):
        h = Tensor(1.0, True, "h<0>") * 2.0
        loss = add_n(*[h * float(i) for i in range(30)])
    assert [n.block for n in thinned(graph_of(loss)).nodes] == [0, *[1] * 6]


def test_text_and_page_hold_every_branch():
    loss = wide_fork(40)
    picture = draw(loss, gradients=gradients(loss))
    assert len(re.findall(r"^\t+n\d+ \[", picture.dot, re.M)) == 42
    assert "more, their sum" not in picture.dot
    assert "37 more, their sum" in picture.image


@pytest.mark.skipif(not (PROGRAM or EMBEDDED), reason="needs Graphviz")
def test_a_fork_of_200_branches_is_at_most_a_page_high():
    loss = wide_fork(200)
    svg = draw(loss, gradients=gradients(loss))._repr_svg_()
    assert float(re.search(r'viewBox="[\d.]+ [\d.]+ [\d.]+ ([\d.]+)"', svg)[1]) < 842  # A4, points
