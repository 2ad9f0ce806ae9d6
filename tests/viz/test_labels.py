"""Every branch ends by itself, and its label lies on nothing: on the positions of pictures."""

import itertools

import numpy as np
import pytest
from cases import (
    EMBEDDED,
    PROGRAM,
    bidirectional_loss,
    gru_loss,
    lanes_loss,
    lstm_loss,
    rnn_loss,
    squared_loss,
)

from tinygrad_lstm import gradients
from tinygrad_lstm.viz.graph.build import build
from tinygrad_lstm.viz.graph.levels import runs
from tinygrad_lstm.viz.graph.members import blocks_of
from tinygrad_lstm.viz.image.render import render
from tinygrad_lstm.viz.image.scene import measures
from tinygrad_lstm.viz.layout.arrange import arranged

pytestmark = pytest.mark.skipif(not (PROGRAM or EMBEDDED), reason="needs Graphviz")

HEIGHT = 9.0  # of the digits of a label
LOSSES = {
    "lstm": lambda: lstm_loss(3, D=2, H=2),
    "many to one": lambda: lstm_loss(3, every=False),
    "batch": lambda: lstm_loss(2, D=3, H=4, N=2),
    "trained start": lambda: lstm_loss(2, state=(1, 1)),
    "gru": lambda: gru_loss(3),
    "rnn": lambda: rnn_loss(3),
    "squared": lambda: squared_loss(3),
    "bidirectional": lambda: bidirectional_loss(4),
    "joined": lambda: bidirectional_loss(3, joined=True),
    "lanes": lambda: lanes_loss(2),
}
CHOICES = {
    "whole": {},
    "elided": {"keep": 1},
    "folded": {"level": "blocks"},
    "gates": {"level": "gates"},
    "gates, elided": {"level": "gates", "keep": 1},
    "gates, one a row": {"level": "gates", "wrap": 1},
    "rolled": {"level": "rolled"},
    "one a row": {"wrap": 1},
    "two a row": {"wrap": 2},
}


def laid_out(loss, keep=None, level="stages", wrap=None):
    hidden = runs(blocks_of(loss.tape), level, (), keep)
    graph = build(loss.tape, gradients(loss), hidden, level=level)
    room = measures(graph)
    layout, _ = arranged(graph, room, lambda dot: render(dot, "plain", 60).decode(), wrap)
    return graph, room, layout


@pytest.fixture(scope="module", params=itertools.product(LOSSES, CHOICES), ids=" ".join)
def drawn(request):
    loss, choice = request.param
    return laid_out(LOSSES[loss](), **CHOICES[choice])


def test_every_branch_has_its_own_end(drawn):
    graph, _, layout = drawn
    ends = {}
    for edge, route in zip(graph.edges, layout.routes, strict=True):
        if edge.fork:
            at = ends.setdefault(edge.target, {})  # a loop ends where the start does
            at[edge.argument] = np.array(route.curve[-1])
    for found in ends.values():
        for one, other in itertools.combinations(found.values(), 2):
            assert np.hypot(*(one - other)) > 5


def test_no_label_lies_on_a_label_a_line_or_a_node(drawn):
    graph, room, layout = drawn
    labels = {
        edge.key: (np.array(route.label), np.array([width, HEIGHT]) * 0.9)
        for edge, route, width in zip(graph.edges, layout.routes, room.labels, strict=True)
        if width
    }
    for (a, (one, size)), (b, (other, size_b)) in itertools.combinations(labels.items(), 2):
        assert (np.abs(one - other) >= (size + size_b) / 2).any(), (a, b)
    lines = {
        edge.key: points(route.curve)
        for edge, route in zip(graph.edges, layout.routes, strict=True)
    }
    for a, (middle, size) in labels.items():
        for key, box in layout.boxes.items():
            apart = np.abs(middle - np.array([box.x, box.y]))
            assert (apart >= (size + np.array([box.width, box.height])) / 2).any(), (a, key)
        for b, line in lines.items():
            assert (np.abs(line - middle) >= size / 2).any(axis=1).all(), (a, b)


def points(curve):
    """Points along a chain of cubic Bezier curves, by their polynomial."""
    t = np.linspace(0, 1, 60)[:, None]
    pieces = [np.array(curve[i : i + 4]) for i in range(0, len(curve) - 1, 3)]
    return np.concatenate(
        [
            (1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t * t * (1 - t) * c + t**3 * d
            for a, b, c, d in pieces
        ]
    )
