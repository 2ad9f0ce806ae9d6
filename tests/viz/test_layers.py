"""Layers and directions: compared, derived and drawn as what they are made of."""

import inspect
import itertools
from dataclasses import fields

import numpy as np
import pytest
from cases import levelled, lstm_loss

from tinygrad_lstm import (
    LSTM,
    Tensor,
    block,
    by_hand,
    compare,
    explain,
    gradients,
    nn,
    scope,
    tanh,
)
from tinygrad_lstm.errors import DrawingError
from tinygrad_lstm.viz import draw
from tinygrad_lstm.viz.compose import Composer
from tinygrad_lstm.viz.graph.build import build
from tinygrad_lstm.viz.graph.rolled import kept
from tinygrad_lstm.viz.image.render import render
from tinygrad_lstm.viz.image.scene import composed
from tinygrad_lstm.viz.look.style import THEMES
from tinygrad_lstm.viz.options import Options


def options(**given):
    """Those of `draw`, and what is given."""
    defaults = inspect.signature(draw).parameters
    return Options(
        **{
            f.name: given.get(f.name, defaults[f.name].default)
            for f in fields(Options)
            if f.name in defaults
        }
    )


KINDS = {"two layers": {"num_layers": 2}, "both directions": {"bidirectional": True}}


def made(options, T=3):
    model, rng = nn.LSTM(2, 2, rng=0, **options), np.random.default_rng(0)
    x, targets = (
        Tensor(rng.normal(size=(T, 1, 2)), True),
        rng.normal(size=(T, 1, 2 * model.directions)),
    )
    return model, x, targets, model.error(x, targets)


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_what_blocks_read_of_the_weights_is_listed_and_not_drawn(options):
    model, _, _, loss = made(options)
    graph = levelled(loss)
    listed = {p.name for p in graph.parameters}
    second = "layer2" if "num_layers" in options else "reverse"
    assert {*model.parameters(), "W_f", "b_o", f"{second}.W_c", f"{second}.b_u"} <= listed
    outside = {node.name for node in graph.nodes if node.block is None}
    assert outside == {"Error"}
    starts = {node.name for node in graph.nodes if node.block in (0, 4)}
    assert starts == {"a<0>", "c<0>"} | (
        {"layer2.a<0>", "layer2.c<0>"} if second == "layer2" else {"reverse.a<4>", "reverse.c<4>"}
    )


def test_what_is_computed_of_inputs_outside_of_blocks_is_drawn():
    cell = nn.LSTM(2, 2, rng=0)
    start = tanh(Tensor(np.ones((1, 1, 2)), True, "start") * 2.0).named("made")
    graph = levelled(cell(np.ones((2, 1, 2)), (start, start))[0].sum())
    assert "made" in {node.name for node in graph.nodes}


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_a_derivation_computes_what_backward_finds(options):
    model, x, targets, loss = made(options)
    g = gradients(loss)
    assert compare(g, by_hand.lstm(model, x, targets)).ok
    for name in ("weight_ih_l0", "W_f", "c<2>"):
        np.testing.assert_allclose(explain(loss, name).evaluate(), g[name], rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("suffix", ["svg", "html"])
def test_layers_are_drawn(tmp_path, options, suffix):
    model, x, targets, loss = made(options, T=2)
    g = gradients(loss)
    report = compare(g, by_hand.lstm(model, x, targets, as_printed=True))
    path = tmp_path / f"layers.{suffix}"
    marks = {"comparison": report} if suffix == "svg" else {}
    draw(loss, path, gradients=g, **marks)
    assert path.stat().st_size > 10_000


def test_what_only_folded_blocks_hand_to_the_left(tmp_path):
    w, a = Tensor(0.5, True, "w"), Tensor(1.0, True, "a_end")
    for t in (4, 3, 2):
        with scope("back"), block(t):
            a = tanh(a * w).named("a")
    with block(1):
        with scope("back"):
            b = (a * w).named("b")
        with scope("top"):
            c = (b * w).named("c")
    draw(c, tmp_path / "folded.svg", level="blocks", expand=1)
    text = (tmp_path / "folded.svg").read_text(encoding="utf-8")
    assert "back.b" in text and "top.c" in text


@pytest.mark.parametrize("cell", [nn.LSTM, nn.GRU], ids=lambda cell: cell.__name__)
def test_layers_and_directions_are_lanes_above_each_other(cell):
    model = cell(1, 1, num_layers=2, bidirectional=True, rng=0)
    states = model(np.random.default_rng(0).normal(size=(3, 1, 1)))[0]
    loss = (states * states).sum()
    graph = build(loss.tape, gradients(loss), level="gates")
    scene = composed(graph, THEMES["light"], None, lambda dot: render(dot, "plain", 60).decode())
    graph, layout = scene.graph, scene.layout
    assert all(frame.right - frame.left <= 400 for frame in layout.frames)
    spans = {}
    for node in graph.nodes:
        if node.block == 2 and node.op != "concatenate":
            box = layout.boxes[node.key]
            spans.setdefault(node.called.scope, []).append((box.bottom[1], box.top[1]))
    lanes = ["", "reverse", "layer2", "layer2.reverse"]
    assert sorted(spans, key=lambda scope: min(spans[scope])) == lanes
    for below, above in itertools.pairwise(lanes):
        assert max(top for _, top in spans[below]) < min(bottom for bottom, _ in spans[above])
    steps = {}  # which way a state is handed over
    for edge in graph.edges:
        source, target = graph.node(edge.source), graph.node(edge.target)
        if source.block in (1, 2, 3) and target.block in (1, 2, 3) and source.block != target.block:
            x = [layout.boxes[node.key].x for node in (source, target)]
            steps.setdefault(source.called.scope, set()).add(x[0] < x[1])
    assert steps == {"": {True}, "layer2": {True}, "reverse": {False}, "layer2.reverse": {False}}


def loops(graph):
    return {
        (graph.node(e.source).name, graph.node(e.target).name, e.steps)
        for e in graph.edges
        if e.steps
    }


def test_a_graph_is_rolled_up_to_one_block_with_its_loops():
    graph = build(
        nn.GRU(1, 1, bidirectional=True, rng=0)(np.ones((3, 1, 1)))[0].sum().tape, level="rolled"
    )
    read = ("Γ_r<t>", "Γ_u<t>", "h~<t>", "h<t>")
    there = {("h<t>", name, 1) for name in read}
    back = {("reverse.h<t>", f"reverse.{name}", -1) for name in read}
    assert loops(graph) == there | back
    assert sorted(e.said for e in graph.edges if e.steps and e.said) == ["h<t+1>", "h<t−1>"]


def test_a_rolled_graph_shows_what_is_true_of_every_block():
    lstm, rng = LSTM(2, 3, rng=0), np.random.default_rng(0)
    x, targets = rng.normal(size=(9, 1, 2)), rng.normal(size=(9, 1, 3))
    loss = lstm.error(x, targets, mask=[0] * 8 + [1])
    g = gradients(loss)
    graph = Composer(loss, options(gradients=g, level="rolled", path="c<5>")).graph
    said = {node.name: node.said for node in graph.nodes}
    assert said["c<t>"] == ("(1, 3)",) and said["Error<t>"] == ("()", "t = 9")
    assert said["Error"] == said["a<0>"] == () and graph.has_gradients
    assert {n.name for n in graph.nodes if not n.ways} == {"x<t>", "a<0>", "c<0>"}
    labels = {(graph.node(e.source).name, e.said) for e in graph.edges if e.said}
    ways_in, looped = {("a<0>", "t = 1"), ("c<0>", "t = 1")}, {("a<t>", "a<t−1>")}
    assert labels == ways_in | looped | {("c<t>", "c<t−1>"), ("Error<t>", "t = 9")}
    picture = draw(loss, gradients=g, level="rolled")
    assert "shape (1, 3)" in picture.dot and "Error = +" in picture.description


def test_verdicts_of_a_rolled_graph_are_the_gravest_and_say_of_which_blocks():
    lstm, rng = LSTM(1, 1, rng=0), np.random.default_rng(0)
    x, targets = rng.normal(size=(4, 1, 1)), rng.normal(size=(4, 1, 1))
    loss = lstm.error(x, targets)
    g, by = gradients(loss), by_hand.lstm(lstm, x, targets)
    by["c<2>"] = by["c<2>"] + 1.0
    graph = Composer(loss, options(gradients=g, level="rolled", comparison=compare(g, by))).graph
    verdicts = {node.name: node.verdict for node in graph.nodes if node.verdict}
    assert verdicts["c<t>"].kind == "first" and verdicts["c<t>"].text.endswith("t = 2")
    assert verdicts["a<t>"].text == "right"


def test_of_many_blocks_that_are_alike_a_few_are_rolled_up():
    def sizes(T, **given):
        loss = lstm_loss(T)
        composer = Composer(loss, options(level="rolled", **given))
        hidden = sum(run.count for run in composer._hidden(composer.options))
        return T - hidden, [(n.name, n.said) for n in composer.graph.nodes]

    (few, short), (more, long) = sizes(6), sizes(40)
    assert few == more == 6 and short == long


def test_one_block_that_differs_in_the_middle_is_found():
    W, h = Tensor(0.5, True, "W"), Tensor(0.1, True, "h<0>")
    for t in range(1, 21):
        with block(t):
            h = tanh(h * W if t != 11 else h + W).named("h")
    assert kept(h.tape, range(1, 21)) is None
    picture = draw(h, level="rolled")  # a figure of h and W alone, in which no stage is seen
    assert "h<t> of shape ()" in picture.description


def test_a_cell_of_ones_own_is_rolled_up_and_drawn_without_numbers():
    W, h = Tensor(0.5, True, "W"), Tensor(0.1, True, "h<0>")
    for t in (1, 2):
        with block(t):
            h = tanh(h * W).named("h")
    picture = draw((h * h).named("Error"), gradients=None, level="rolled")
    assert "h&lt;t−1&gt;" in picture.dot and "one block that stands for 2" in picture.description
    assert "rolled up" in picture.title


@pytest.mark.parametrize(("blocks", "said"), [((1,), "two blocks"), ((1, 2, 3), "in block 3")])
def test_blocks_that_are_not_alike_are_not_rolled_up(blocks, said):
    W, h = Tensor(0.5, True, "W"), Tensor(0.1, True, "h<0>")
    for t in blocks:
        with block(t):
            h = tanh(h * W).named("h" if t < 3 else "other")
    with pytest.raises(DrawingError, match=said):
        draw((h * h).named("Error"), level="rolled")


def test_a_value_of_one_block_that_reads_more_is_not_rolled_up():
    W, h = Tensor(0.5, True, "W"), Tensor(0.1, True, "h<0>")
    g = h
    for t in (1, 2, 3):
        with block(t):
            g, h = tanh(g * W).named("g"), tanh(h * W if t < 3 else h * W + g).named("h")
    with pytest.raises(DrawingError, match="block"):
        draw((h * h + g).named("Error"), level="rolled")
