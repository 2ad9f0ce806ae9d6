"""The blocks of any cell line up: one is placed, and repeated."""

import itertools
import re

import numpy as np
import pytest
from cases import EMBEDDED, PROGRAM, gru_loss, in_a_row, levelled, lstm_loss, rnn_loss

from tinygrad_lstm import (
    DrawingError,
    Tensor,
    add_n,
    block,
    gradients,
    squared_error,
    tanh,
)
from tinygrad_lstm.viz import draw
from tinygrad_lstm.viz.graph.build import build
from tinygrad_lstm.viz.graph.levels import with_parameters
from tinygrad_lstm.viz.image.dot import source
from tinygrad_lstm.viz.image.render import render
from tinygrad_lstm.viz.image.scene import composed, measures
from tinygrad_lstm.viz.layout import cells
from tinygrad_lstm.viz.look.style import THEMES


def with_graphviz(dot):
    return render(dot, "plain", 20.0).decode()


@pytest.fixture(params=[in_a_row, with_graphviz])
def arrange(request):
    if request.param is with_graphviz and not (PROGRAM or EMBEDDED):
        pytest.skip("there is neither a dot program nor pygraphviz")
    return request.param


LOSSES = {
    "rnn": (rnn_loss, 4, {}),
    "rnn, elided": (rnn_loss, 12, {}),
    "gru": (gru_loss, 3, {}),
    "gru, folded": (gru_loss, 5, {"level": "blocks"}),
    "gru, expanded": (gru_loss, 5, {"level": "blocks", "expand": (3,)}),
    "gru, one block, wired": (gru_loss, 5, {"level": "block", "wired": True}),
    "lstm and a stage": (lambda T: (lstm_loss(T) * 2.0).named("twice"), 3, {}),
}


@pytest.mark.parametrize(("make", "T", "options"), LOSSES.values(), ids=LOSSES)
def test_blocks_line_up(make, T, options, arrange):
    graph = levelled(make(T), **options)
    layout = cells.place(graph, measures(graph), arrange)
    assert {n.key for n in graph.nodes} | {z.key for z in graph.zeros} == set(layout.boxes)
    left = {frame.block: frame.left for frame in layout.frames}
    placed = {}
    for n in graph.nodes:
        box = layout.boxes[n.key]
        if n.block in left and n.name == f"{n.stem}<{n.block}>":
            placed.setdefault(n.stem, set()).add(
                (
                    round(box.x - left[n.block], 6),
                    round(box.y, 6),
                    box.width + 2 * box.ring,
                    box.height + 2 * box.ring,
                )
            )
    assert all(len(places) == 1 for places in placed.values())
    frames = {frame.block: frame for frame in layout.frames}
    for n in graph.nodes:
        if (frame := frames.get(graph.frame(n.block))) is not None:
            box = layout.boxes[n.key]
            assert frame.left < box.left[0] < box.right[0] < frame.right
            assert frame.bottom < box.bottom[1] < box.top[1] < frame.top
    for one, other in itertools.pairwise(layout.frames):
        assert one.right < other.left
        assert (one.top, one.bottom) == (other.top, other.bottom)


@pytest.mark.parametrize(("make", "T", "options"), LOSSES.values(), ids=LOSSES)
def test_every_edge_goes_from_its_source_to_its_target(make, T, options, arrange):
    graph = levelled(make(T), **options)
    layout = cells.place(graph, measures(graph), arrange)
    for edge, route in zip(graph.edges, layout.routes, strict=True):
        assert len(route.curve) % 3 == 1
        for key, point in ((edge.source, route.curve[0]), (edge.target, route.curve[-1])):
            box = layout.boxes[key]
            inside = (
                abs(point[0] - box.x) <= box.width / 2 + box.ring + 3
                and abs(point[1] - box.y) <= box.height / 2 + box.ring + 3
            )
            assert inside, (edge, point, box)


@pytest.mark.parametrize("arrange", [with_graphviz])
def test_nothing_overlaps(arrange):
    if not (PROGRAM or EMBEDDED):
        pytest.skip("there is neither a dot program nor pygraphviz")
    for make, T, options in LOSSES.values():
        graph = levelled(make(T), **options)
        boxes = cells.place(graph, measures(graph), arrange).boxes.values()
        for a, b in itertools.combinations(boxes, 2):
            assert (
                abs(a.x - b.x) >= (a.width + b.width) / 2
                or abs(a.y - b.y) >= (a.height + b.height) / 2
            )


def test_a_hand_over_is_one_line_from_block_to_block(arrange):
    graph = levelled(gru_loss(3))
    layout = cells.place(graph, measures(graph), arrange)
    names = {n.key: n.name for n in graph.nodes}
    frames = {frame.block: frame for frame in layout.frames}
    crossings = set()
    for edge, route in zip(graph.edges, layout.routes, strict=True):
        if names[edge.source] == "h<1>" and names[edge.target].endswith("<2>"):
            crossings.add(next((x, y) for x, y in route.curve if abs(x - frames[1].right) < 1e-6))
    assert (
        len([e for e in graph.edges if names[e.source] == "h<1>"]) == 4
    )  # z, rh, keep, and Error<1>
    assert len(crossings) == 1


def test_one_template_whatever_the_length():
    asked = []

    def arrange(dot):
        asked.append(dot)
        return in_a_row(dot)

    for T in (20, 40):
        graph = levelled(rnn_loss(T), blocks=None)
        source(composed(graph, THEMES["light"], arrange=arrange))
    assert len(asked) == 2
    assert asked[0] == asked[1]
    assert "W" not in asked[0]  # no text of the user


def different_blocks():
    x = Tensor(1.0, True, "x")
    with block(1):
        for name in "abc":
            x = (x * 2.0).named(name)
    with block(2):
        for name in "defg":
            x = (x * 2.0).named(name)
    return x


def test_what_does_not_repeat_is_left_to_graphviz():
    graph = levelled(different_blocks())
    assert cells.place(graph, measures(graph), in_a_row) is None


def test_a_block_that_graphviz_cannot_place_is_left_to_it_as_a_whole():
    def fails(dot):
        raise DrawingError("Graphviz failed")

    graph = levelled(rnn_loss(3))
    assert cells.place(graph, measures(graph), fails) is None
    assert "layout=dot" in source(composed(graph, THEMES["light"], arrange=fails))
    assert "layout=nop2" in source(composed(graph, THEMES["light"], arrange=in_a_row))


@pytest.mark.parametrize(
    "said", ["graph", "graph 1 2 3\nstop", "graph 1 x 3", "<svg/>", "graph 1 2 3\nnode v0 1", ""]
)
def test_what_is_no_plain_format_is_no_template(said):
    graph = levelled(rnn_loss(3))
    assert cells.place(graph, measures(graph), lambda dot: said) is None


def test_many_ways_over_the_heads_of_blocks_are_left_to_graphviz():
    values, h = [], Tensor(1.0, True, "h<0>")
    for t in range(1, 20):
        with block(t):
            h = add_n(h, *values).named("h")  # reads all before it
        values.append(h)
    graph = levelled(h, blocks=None)
    assert cells.place(graph, measures(graph), in_a_row) is None
    assert "layout=dot" in draw(h, blocks=None).dot


@pytest.mark.parametrize("make", [rnn_loss, gru_loss])
def test_it_is_drawn(make):
    if not (PROGRAM or EMBEDDED):
        pytest.skip("there is neither a dot program nor pygraphviz")
    loss = make(12)
    svg = draw(loss, gradients=gradients(loss))._repr_svg_()
    assert "8 blocks like these" in svg
    assert len(re.findall(r'class="node"', svg)) > 30


def readout_loss():
    """Many to one: only what stands outside the blocks reads V and the target."""
    rng = np.random.default_rng(0)
    W, V, h = (
        Tensor(rng.normal(size=s), True, name)
        for s, name in (((2, 2), "W"), ((2, 3), "V"), ((1, 2), "h<0>"))
    )
    for t in (1, 2):
        with block(t):
            h = tanh(h @ W).named("h")
    return squared_error(h @ V, np.zeros((1, 3)))


def test_leaves_that_only_stages_outside_the_blocks_read(tmp_path):
    loss = readout_loss()
    draw(loss, tmp_path / "readout.svg", gradients=gradients(loss))
    assert ">V<" in (tmp_path / "readout.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("with_gradients", [False, True])
def test_parameters_in_their_blocks_reach_stages_without_names(with_gradients):
    loss = readout_loss()
    graph = with_parameters(build(loss.tape, gradients(loss) if with_gradients else None))
    stages = {node.key: node for node in graph.nodes}
    assert [stages[edge.target].op for edge in graph.edges if stages[edge.source].name == "W"] == [
        "matmul",
        "matmul",
    ]
