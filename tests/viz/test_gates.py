"""The level between stages and blocks: a figure of the cell, in which every number follows from
those around it."""

import re

import numpy as np
import pytest
from cases import (
    EMBEDDED,
    PROGRAM,
    bidirectional_loss,
    gru_loss,
    lstm_loss,
    rnn_loss,
    squared_loss,
)

from tinygrad_lstm import Tensor, block, gradients, sigmoid, tanh
from tinygrad_lstm.viz import draw
from tinygrad_lstm.viz.graph.build import build
from tinygrad_lstm.viz.graph.levels import runs
from tinygrad_lstm.viz.graph.members import blocks_of

LOSSES = {
    "lstm": lambda: lstm_loss(3, D=2, H=3, N=2),
    "many to one": lambda: lstm_loss(3, every=False),
    "gru": lambda: gru_loss(3),
    "rnn": lambda: rnn_loss(3),
    "squared": lambda: squared_loss(3),
    "bidirectional": lambda: bidirectional_loss(3),
}


def at_gates(loss, keep=None):
    hidden = runs(blocks_of(loss.tape), "gates", (), keep)
    return build(loss.tape, gradients(loss), hidden, level="gates")


def block_of(graph, t):
    return [n.stem for n in graph.nodes if n.block == t]


@pytest.mark.parametrize(
    ("loss", "stems"),
    [
        ("lstm", ["x", "Γ_f", "Γ_u", "c~", "Γ_o", "c", "a", "Error"]),
        ("gru", ["x", "r", "u", "n", "h", "Error"]),
        ("rnn", ["h", "Error"]),
        ("bidirectional", ["x", "there", "back", "Error"]),
    ],
)
def test_a_block_shows_its_states_gates_inputs_and_loss(loss, stems):
    assert sorted(block_of(at_gates(LOSSES[loss]()), 2)) == sorted(stems)


@pytest.mark.parametrize("loss", LOSSES)
def test_what_comes_back_through_folded_stages_adds_up_to_the_gradient(loss):
    loss = LOSSES[loss]()
    graph, g = at_gates(loss), gradients(loss)
    compared = 0
    for node in graph.nodes:
        sent = [edge.gradient for edge in graph.edges if edge.source == node.key]
        if node.gradient is not None and node.key != graph.root:
            np.testing.assert_allclose(sum(sent), g[node.name], rtol=1e-9, atol=1e-14)
            assert node.fork == (len(sent) > 1)
            compared += 1
    assert compared >= 3


def test_each_number_of_a_scalar_lstm_follows_from_those_around_it():
    loss = lstm_loss(3)
    graph = at_gates(loss)
    value = {n.name: n.value.item() for n in graph.nodes}
    total = {n.name: n.gradient.item() for n in graph.nodes if n.gradient is not None}
    named = {n.key: n.name for n in graph.nodes}
    sent = {(named[e.source], named[e.target]): e.gradient for e in graph.edges}
    weight = {p.name: p.value.reshape(-1) for p in graph.parameters}
    for t in (1, 2, 3):
        f, u, o, new = (value[f"{gate}<{t}>"] for gate in ("Γ_f", "Γ_u", "Γ_o", "c~"))
        c, a, before = value[f"c<{t}>"], value[f"a<{t}>"], value[f"c<{t - 1}>"]
        target = next(n.target.item() for n in graph.nodes if n.name == f"Error<{t}>")
        assert c == pytest.approx(before * f + u * new)
        assert a == pytest.approx(np.tanh(c) * o)
        assert value[f"Error<{t}>"] == pytest.approx((target - a) ** 2 / 2)
        down = total[f"a<{t}>"] * o * (1 - np.tanh(c) ** 2)
        assert sent[f"c<{t}>", f"a<{t}>"].item() == pytest.approx(down)
        forget = total[f"c<{t}>"] * before * f * (1 - f) * weight["W_f"][0]
        assert sent[f"a<{t - 1}>", f"Γ_f<{t}>"].item() == pytest.approx(forget)
        if t > 1:
            through = sent[f"c<{t - 1}>", f"c<{t}>"].item()
            assert through == pytest.approx(total[f"c<{t}>"] * f)


def test_without_gradients_nothing_is_sent():
    loss = gru_loss(3)
    graph = build(loss.tape, level="gates")
    assert {edge.gradient for edge in graph.edges} == {None}
    assert any(edge.fork for edge in graph.edges)


def test_a_cell_without_names_keeps_what_it_hands_on():
    w, h = Tensor(0.5, True, "w"), Tensor(1.0, True, "h<0>")
    for t in (1, 2, 3):
        with block(t):
            h = tanh(sigmoid(h * w) * h)
    graph = at_gates(h)
    assert [len(block_of(graph, t)) for t in (1, 2, 3)] == [1, 1, 1]
    draw(h, gradients=gradients(h), level="gates")


def test_a_graph_without_blocks_is_what_it_is():
    x = Tensor(3.0, True, "x")
    y = x * x + x
    assert {n.op for n in at_gates(y).nodes} == {"leaf", "multiply", "add"}


def test_blocks_that_are_left_out_stay_so():
    graph = at_gates(lstm_loss(9), keep=1)
    assert [run.count for run in graph.runs] == [7]
    assert block_of(graph, 1) == block_of(graph, 9)


@pytest.mark.skipif(not (PROGRAM or EMBEDDED), reason="needs Graphviz")
def test_three_blocks_are_legible_in_a_column():
    loss = lstm_loss(3)
    svg = draw(loss, gradients=gradients(loss), level="gates")._repr_svg_()
    width = float(re.search(r'viewBox="[\d.]+ [\d.]+ ([\d.]+)', svg)[1])
    smallest = min(map(float, re.findall(r'font-size="([\d.]+)"', svg)))
    assert smallest * 830 / width >= 11.5  # README's column; numbers such as 6.11e−04 are wider


@pytest.mark.skipif(not (PROGRAM or EMBEDDED), reason="needs Graphviz")
@pytest.mark.parametrize("make", [lstm_loss, gru_loss, bidirectional_loss])
def test_a_block_is_at_most_400_points_wide(make):
    svg = draw(make(3), level="gates")._repr_svg_()
    frames = re.findall(r'id="block&#45;\d" class="cluster">.*?<path[^>]* d="([^"]*)"', svg, re.S)
    assert len(frames) == 3
    for path in frames:
        xs = [float(x) for x in re.findall(r"(-?[\d.]+),-?[\d.]+", path)]
        assert max(xs) - min(xs) <= 400
