"""Arrays in pictures: their sum with their entries beside it, or one entry that is followed
through the graph."""

import re

import numpy as np
import pytest
from cases import lstm_loss

from tinygrad_lstm import DrawingError, Tensor, gradients, softmax, tanh
from tinygrad_lstm.viz import draw
from tinygrad_lstm.viz.graph.build import build
from tinygrad_lstm.viz.look.ledger import ledger
from tinygrad_lstm.viz.look.legend import legend
from tinygrad_lstm.viz.look.numbers import Reading, Strip, at_entry, span
from tinygrad_lstm.viz.look.style import THEMES
from tinygrad_lstm.viz.look.text import contribution, lines


def read(text):
    return float(text.split()[-1].replace("−", "-"))


@pytest.fixture(scope="module")
def loss():
    return lstm_loss(3, D=2, H=3)


def test_every_number_is_that_of_the_entry(loss):
    g = gradients(loss)
    graph = at_entry(build(loss.tape, g), (0, 2))
    for node in graph.nodes:
        if node.value.shape != (1, 3):
            continue
        written = {line.ink: line.text for line in lines(node, graph)}
        assert "Σ" not in "".join(written.values())
        assert read(written["value"]) == pytest.approx(node.value[0, 2], abs=1e-4)
        if node.gradient is not None:
            assert read(written["gradient"]) == pytest.approx(node.gradient[0, 2], abs=1e-4)
            sent = [r.gradient[0, 2] for r in node.readers]
            assert node.gradient[0, 2] == pytest.approx(sum(sent))
    edges = [edge for edge in graph.edges if edge.fork]
    assert edges
    for edge in edges:
        assert "Σ" not in contribution(edge, graph).text


def test_a_weight_is_the_one_from_a_unit_to_itself(loss):
    g = gradients(loss)
    table = ledger(at_entry(build(loss.tape, g), (0, 2)))
    rows = {row[0].line.text: [cell.line.text for cell in row] for row in table.rows}
    assert rows["W_f"][1] == "entry [2, 2]"
    assert read(rows["W_f"][3]) == pytest.approx(g["W_f"][2, 2], rel=1e-2)
    assert read(rows["b_o"][3]) == pytest.approx(g["b_o"][2], abs=1e-4)
    # with one row in the batch, it follows from what is drawn
    shares = [g[f"sum_f<{t}>"][0, 2] * g.tape.names[f"z<{t}>"][0]._array[0, 2] for t in (1, 2, 3)]
    assert sum(shares) == pytest.approx(g["W_f"][2, 2])


@pytest.mark.parametrize(
    ("entry", "shape", "index"),
    [
        ((0, 2), (4, 3), (0, 2)),
        ((0, 2), (3,), (2,)),
        ((0, 2), (1, 1), (0, 0)),
        ((3, 2), (1, 3), (0, 2)),
        ((0, 2), (4, 2), None),
        ((2,), (1, 3), (0, 2)),
        ((2,), (4, 3), None),
        ((0, -1), (4, 3), (0, 2)),
        ((0, 0, 0), (3,), (0,)),
        ((1,), (0,), None),
    ],
)
def test_which_entry_an_array_has(entry, shape, index):
    assert Reading(entry=entry).at(shape) == index


@pytest.mark.parametrize("entry", [(0, 9), 7, (5, 5, 9)])
def test_an_entry_that_no_array_has(loss, entry):
    with pytest.raises(DrawingError, match=r"draw\(entry=...\): no array .* shape \(1, 3\)"):
        draw(loss, entry=entry)


@pytest.mark.parametrize("entry", [(), True, "0", 1.0, [0, 1], (0, None)])
def test_what_is_no_entry(loss, entry):
    with pytest.raises(DrawingError, match=r"draw\(entry=...\): the option has no such value"):
        draw(loss, entry=entry)


def test_the_picture_says_which_entry_it_shows(loss):
    drawn = draw(loss, gradients=gradients(loss), entry=(0, 1)).dot
    assert "numbers are those of entry [0, 1]" in drawn
    assert "each number is entry [0, 1] of its array" in drawn
    assert "entry [1, 1]" in drawn


def test_small_arrays_are_cells_and_larger_ones_ranges():
    x = Tensor(np.array([[-2.0, 0.0, 1.0]]), True, "x")
    wide = Tensor(np.arange(40.0), True, "wide")
    root = (softmax(x).sum() + (x * x).sum() + (wide * wide).sum()).named("root")
    graph = build(root.tape, gradients(root))
    found = {node.name: lines(node, graph) for node in graph.nodes}
    assert next(line.strip for line in found["x"] if line.strip).shares == ((-1.0, 0.0, 0.5),)
    assert [line.text for line in found["wide"] if "‖" in line.text] == [
        "‖1.4e+02‖ 0 … 39",
        "‖2.9e+02‖ 0 … 78",
    ]


def test_a_fork_and_its_branches_share_a_scale():
    x = Tensor(np.ones(3), True, "x")
    root = (x * np.array([1.0, 0.0, 4.0]) + x * np.array([1.0, 2.0, -2.0])).sum().named("root")
    graph = build(root.tape, gradients(root), level="gates")
    (node,) = (n for n in graph.nodes if n.name == "x")
    total = lines(node, graph)[-1].strip.shares[0]
    sent = [contribution(e, graph).strip.shares[0] for e in graph.edges if e.fork]
    np.testing.assert_allclose(np.sum(sent, axis=0), total)
    assert max(map(abs, (*total, *sent[0], *sent[1]))) == 1


@pytest.mark.parametrize(
    ("array", "cells"),
    [
        (np.zeros((4, 12)), (4, 12)),
        (np.zeros((5, 2)), None),
        (np.zeros(13), None),
        (np.zeros((2, 1, 3)), (2, 3)),
        (np.float64(3.0), None),
        (np.zeros((0, 3)), None),
        (np.ones(3, complex), None),
        (np.array([True, False, True]), (1, 3)),
        (np.array([np.inf, np.nan, 1.0]), (1, 3)),
    ],
)
def test_which_arrays_are_cells(array, cells):
    strip = Strip.of(array, 1.0)
    assert (strip and (len(strip.shares), len(strip.shares[0]))) == cells
    for share in strip.shares[0] if strip else ():
        assert re.fullmatch("#[0-9a-f]{6}", THEMES["dark"].shade(share))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda x: tanh(x), "gate or activation: a function of each entry"),
        (lambda x: softmax(x), "softmax: of entries together"),
        (
            lambda x: tanh(softmax(x)),
            "gate or activation: a function of each entry; softmax: of entries together",
        ),
    ],
)
def test_a_softmax_is_no_function_of_each_entry(make, said):
    table = legend(build(make(Tensor(np.ones(3), True, "x")).sum().tape))
    assert said in {cell.line.text for row in table.rows for cell in row}


def test_a_range_has_no_minus_before_nought():
    assert span(np.array([-0.0, -0.0])) == "‖0‖ 0 … 0"
    assert span(np.array([3j, 4])) == "‖5‖"
