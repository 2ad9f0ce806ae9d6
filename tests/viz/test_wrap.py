"""Several rows of blocks, and the curves between them."""

import itertools

import numpy as np
import pytest
from cases import gru_loss, in_a_row, levelled, lstm_loss

from tinygrad_lstm import gradients
from tinygrad_lstm.viz import draw
from tinygrad_lstm.viz.graph.build import build
from tinygrad_lstm.viz.image.scene import measures
from tinygrad_lstm.viz.layout import cells
from tinygrad_lstm.viz.layout.curves import end_to_end, rounded, since, until
from tinygrad_lstm.viz.layout.lstm import place
from tinygrad_lstm.viz.layout.wrap import wrapped


def laid_out(make, T):
    graph = levelled(make(T))
    return graph, place(graph, measures(graph)) or cells.place(graph, measures(graph), in_a_row)


@pytest.mark.parametrize("make", [lstm_loss, gru_loss])
@pytest.mark.parametrize(("T", "most"), [(3, 1), (4, 2), (5, 2), (12, 3)])
def test_blocks_in_rows(make, T, most):
    graph, flat = laid_out(make, T)
    layout = wrapped(flat, most)
    rows = [
        list(group) for _, group in itertools.groupby(layout.frames, key=lambda frame: frame.top)
    ]
    assert [frame.block for row in rows for frame in row] == list(graph.frames)
    assert all(len(row) == most for row in rows[:-1])
    assert len({row[0].left for row in rows}) == 1
    for upper, lower in itertools.pairwise(rows):
        assert lower[0].top < upper[0].bottom
    frames = {frame.block: frame for frame in layout.frames}
    for n in graph.nodes:
        if (frame := frames.get(graph.frame(n.block))) is not None:
            box = layout.boxes[n.key]
            assert frame.left < box.left[0] < box.right[0] < frame.right
            assert frame.bottom < box.y < frame.top
    for one, other in itertools.combinations(layout.boxes.values(), 2):
        if make is lstm_loss:
            assert (
                abs(one.x - other.x) >= (one.width + other.width) / 2
                or abs(one.y - other.y) >= (one.height + other.height) / 2
            )


@pytest.mark.parametrize("make", [lstm_loss, gru_loss])
@pytest.mark.parametrize(("T", "most"), [(3, 1), (5, 2), (12, 3)])
def test_edges_go_from_row_to_row_around_the_frames(make, T, most):
    graph, flat = laid_out(make, T)
    layout = wrapped(flat, most)
    frames = {frame.block: frame for frame in layout.frames}
    own = {n.key: frames.get(graph.frame(n.block)) for n in graph.nodes}
    for edge, route in zip(graph.edges, layout.routes, strict=True):
        curve = route.curve
        assert len(curve) % 3 == 1
        assert (
            abs(curve[0][0] - layout.boxes[edge.source].x)
            <= layout.boxes[edge.source].width / 2 + 8
        )
        assert (
            abs(curve[-1][1] - layout.boxes[edge.target].y)
            <= layout.boxes[edge.target].height / 2 + 8
        )
        for x, y in curve[::3]:
            for frame in layout.frames:
                inside = (
                    frame.left + 1 < x < frame.right - 1 and frame.bottom + 1 < y < frame.top - 1
                )
                assert not inside or frame in (own[edge.source], own[edge.target])


def test_the_number_on_a_line_between_rows_is_where_it_comes_in():
    for T, N in ((2, 1), (3, 2), (4, 3)):
        loss = lstm_loss(T, N=N)
        graph = build(loss.tape, gradients(loss))
        layout = wrapped(place(graph, measures(graph)), 1)
        frames = {frame.block: frame for frame in layout.frames}
        rows = {n.key: frames.get(n.block) for n in graph.nodes}
        crossing = {
            e.key
            for e in graph.edges
            if rows[e.source] and rows[e.target] and rows[e.source] != rows[e.target]
        }
        between = [
            (e, r) for e, r in zip(graph.edges, layout.routes, strict=True) if e.key in crossing
        ]
        assert len(between) == 2 * (T - 1)
        for edge, route in between:
            frame = rows[edge.target]
            assert route.label[0] < frame.left
            assert frame.bottom < route.label[1] < frame.top


def test_a_row_that_is_long_enough_changes_nothing():
    _, flat = laid_out(lstm_loss, 3)
    assert wrapped(flat, 3) is flat
    assert draw(lstm_loss(3), wrap=9).dot == draw(lstm_loss(3)).dot


def bezier(curve, t):
    """A point of a cubic Bezier curve, by its polynomial."""
    weights = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
    return sum(w * np.array(p) for w, p in zip(weights, curve, strict=True))


def test_a_curve_in_two_is_the_same_curve():
    curve = [(0.0, 0.0), (2.0, 9.0), (5.0, -3.0), (8.0, 4.0)]
    first, second = until(curve, 3.0), since(curve, 3.0)
    assert first[-1] == pytest.approx(second[0])
    assert first[-1][0] == pytest.approx(3.0)
    points = np.array([bezier(curve, t) for t in np.linspace(0, 1, 2001)])
    for half in (first, second):
        for t in np.linspace(0, 1, 20):
            assert np.min(np.hypot(*(points - bezier(half, t)).T)) < 0.01


def test_a_curve_that_never_comes_there_is_cut_at_its_furthest_point():
    back = end_to_end(rounded([(0.0, 0.0), (5.0, 0.0)]), rounded([(5.0, 8.0), (-9.0, 8.0)]))
    assert until(back, 50.0)[-1][0] == 5.0
    assert since(back, -50.0)[0] == (-9.0, 8.0)
