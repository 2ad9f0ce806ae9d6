"""The picture as data: what is drawn, and where; no Graphviz needed."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from cases import contrast, levelled, lstm_loss, rnn_loss

from tinygrad_lstm import (
    LSTM,
    Tensor,
    block,
    concatenate,
    gradients,
    linear,
    squared_error,
)
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.viz.graph.build import build
from tinygrad_lstm.viz.graph.levels import runs
from tinygrad_lstm.viz.image.scene import measures
from tinygrad_lstm.viz.layout.lstm import place
from tinygrad_lstm.viz.layout.roles import TOTAL, roles
from tinygrad_lstm.viz.look.numbers import exact, number, summary
from tinygrad_lstm.viz.look.style import SHAPES, THEMES
from tinygrad_lstm.viz.look.text import printable

VARIANTS = {
    "one block": {"T": 1},
    "scalar": {"T": 3},
    "arrays": {"T": 3, "D": 2, "H": 3, "N": 2},
    "two units": {"T": 2, "H": 2},
    "last": {"T": 4, "every": False},
    "trained state": {"T": 2, "state": (1, 1)},
    "shared state": {"T": 2, "H": 2, "N": 3, "state": (2,)},
    "input gradient": {"T": 3, "x_gradient": True},
    "elided": {"T": 20},
    "elided, last": {"T": 9, "every": False},
    "folded": {"T": 4, "D": 2, "H": 3, "level": "blocks"},
    "expanded": {"T": 9, "level": "blocks", "expand": (5,)},
    "only one block": {"T": 4, "level": "block", "every": False},
    "only one block, wired": {"T": 3, "H": 2, "level": "block", "wired": True},
    "wired": {"T": 2, "D": 2, "H": 3, "wired": True},
}


def drawn(blocks=2, level="stages", expand=(), wired=False, **variant):
    graph = levelled(lstm_loss(**variant), blocks, level, expand, wired)
    return graph, place(graph, measures(graph))


# What is drawn.


@pytest.mark.parametrize("every", [True, False])
@pytest.mark.parametrize("T", [1, 2, 3, 4])
def test_nothing_of_the_tape_is_lost(T, every):
    tape = lstm_loss(T, D=2, H=3, every=every).tape
    graph = build(tape)
    uses = sum(isinstance(x, Node) for stage in tape.stages for x in stage.inputs)
    shared = [p for p in graph.parameters if len(p.shares) > 1]
    assert len(graph.nodes) + len(graph.parameters) == len(tape.values)
    assert len(graph.edges) + sum(len(p.shares) for p in graph.parameters) == uses
    assert (
        graph.forks == sum(n.fork for n in graph.nodes) == (3 * T - 2 if every else 2 * T - 1)
    )  # DERIVATION, section 3
    assert sum(len(n.readers) for n in graph.nodes if n.fork) == (8 * T - 4 if every else 6 * T - 2)
    assert sorted(n.name for n in (*graph.nodes, *shared) if n in shared or n.fork) == sorted(
        f.name for f in tape.forks
    )
    assert [p.name for p in graph.parameters] == [
        "W_f",
        "b_f",
        "W_u",
        "b_u",
        "W_c",
        "b_c",
        "W_o",
        "b_o",
    ]


def test_the_branches_of_every_fork_add_up_to_its_gradient():
    loss = lstm_loss(4, D=2, H=3, N=2)
    graph = build(loss.tape, gradients(loss))
    forks = [n for n in graph.nodes if n.fork]
    for node in forks:
        branches = [e.gradient for e in graph.edges if e.source == node.key]
        assert len(branches) == len(node.readers)
        assert all(e.fork for e in graph.edges if e.source == node.key)
        np.testing.assert_allclose(sum(branches), node.gradient, rtol=1e-12)
    for p in graph.parameters:
        assert [share.block for share in p.shares] == [1, 2, 3, 4]
        np.testing.assert_allclose(
            sum(share.gradient for share in p.shares), p.gradient, rtol=1e-12
        )
    assert len(forks) == 10


def test_a_value_read_twice_by_one_stage_has_two_edges():
    x = Tensor(3.0, True, name="x")
    y = (x * x).named("y")
    z = (y + y).named("z")
    graph = build(z.tape, gradients(z))
    assert [(e.source, e.target, e.argument, float(e.gradient)) for e in graph.edges] == [
        ("n0", "n1", 0, 6.0),
        ("n0", "n1", 1, 6.0),
        ("n1", "n2", 0, 1.0),
        ("n1", "n2", 1, 1.0),
    ]
    assert [(n.name, n.formula, n.fork) for n in graph.nodes] == [
        ("x", "", True),
        ("y", "x · x", True),
        ("z", "y + y", False),
    ]


def test_parameters_outside_of_blocks_are_nodes():
    W, b = Tensor([[1.0, 2.0]], True, "W"), Tensor([0.5], True, "b")
    graph = build(
        squared_error(linear(Tensor([[1.0, 1.0]], name="x"), W, b).named("out"), 1.0).tape
    )
    assert graph.parameters == ()
    assert {n.name: n.op for n in graph.nodes} == {
        "x": "constant",
        "W": "leaf",
        "b": "leaf",
        "out": "linear",
        "squared_error#1": "squared_error",
    }


@pytest.mark.parametrize("level", ["stages", "gates", "rolled"])
def test_what_a_constant_goes_into_before_the_blocks_is_a_node(level):
    a, W = Tensor([1.0, 2.0], True, "a_start"), Tensor(np.eye(2), True, "W")
    a = a + np.zeros((3, 2))  # a state for each row
    for t in (1, 2):
        with block(t):
            a = (a @ W).named("a")
    graph = build(a.sum().tape, level=level)
    assert {edge.target for edge in graph.edges} <= set(graph.by_key)
    assert [p.name for p in graph.parameters] == ["W"]


def test_what_is_made_for_blocks_of_a_leaf_that_is_read_outside_too_is_a_node():
    s = Tensor([1.0, 2.0], True, "s")
    c = (s + s).named("c")
    with block(1):
        a = (c * c).named("a")
    graph = build((a.sum() + s.sum()).tape)
    assert {edge.target for edge in graph.edges} <= set(graph.by_key)
    assert "c" in {node.name for node in graph.nodes}


def test_formulas_name_the_block_only_where_it_is_another_one():
    formulas = {n.name: n.formula for n in build(lstm_loss(4).tape).nodes}
    assert formulas["z<2>"] == "[a<1>, x]"
    assert formulas["sum_f<2>"] == "z W_fᵀ + b_f"
    assert formulas["keep<2>"] == "c<1> ∘ Γ_f"
    assert formulas["Error<2>"] == "½ Σ(â − a)²"
    assert formulas["Error"] == "Error<1> + … + Error<4>"


def test_leaves_without_a_name_have_a_word():
    a = Tensor([[1.0, 2.0]], True, "a")
    loss = squared_error(
        concatenate([a * Tensor([2.0, 2.0], True), np.ones((1, 1))], axis=-1).named("b"),
        np.zeros((1, 3)),
    )
    formulas = {n.name: n.formula for n in build(loss.tape).nodes}
    assert formulas["b"] == "[multiply#1, constant]"
    assert formulas["multiply#1"] == "a ∘ parameter"
    assert formulas["squared_error#1"] == "½ Σ(constant − b)²"
    assert formulas["parameter"] == formulas["constant"] == ""


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        (1, "1"),
        (np.int64(-1), "−1"),
        (slice(1, None), "1:"),
        ((Ellipsis, None, slice(None, None, -1)), "..., None, ::-1"),
        ([0, 1, 1], "array"),
        ((0, np.array([2, 0])), "0, array"),
        (np.array([True, False]), "mask"),
        ((), "()"),
    ],
)
def test_an_index_is_written_as_in_the_code(key, shown):
    x = Tensor(np.ones((2, 3)), True, "x")
    assert build(x[key].tape).nodes[-1].formula == f"x[{shown}]"


def test_the_middle_of_a_long_sequence_is_counted_and_stood_in_for():
    loss = lstm_loss(20)
    whole = build(loss.tape, gradients(loss))
    graph = levelled(loss, 2)
    (left_out,) = graph.runs
    assert (left_out.first, left_out.last, left_out.count, left_out.stages, left_out.forks) == (
        3,
        18,
        16,
        240,
        48,
    )
    assert graph.forks == whole.forks == 58
    by_name = {n.name: n for n in graph.nodes}
    assert [name for name, n in by_name.items() if n.block in graph.folded] == [
        "c<18>",
        "a<18>",
        "Error<3> … Error<18>",
    ]
    assert by_name["c<18>"].fork
    assert by_name["c<18>"].gradient == gradients(loss)["c<18>"]
    assert by_name["c<18>"].unseen == gradients(loss)["c<18> via tanh_c<18>"]
    errors = [n.value for n in whole.nodes if n.stem == "Error" and n.block]
    assert by_name["Error<3> … Error<18>"].value == pytest.approx(sum(errors[2:18]))
    keys = {n.key: n.name for n in graph.nodes}
    assert [(keys[e.source], keys[e.target]) for e in graph.edges if e.through] == [
        ("c<2>", "c<18>"),
        ("a<2>", "a<18>"),
    ]
    assert [keys[e.source] for e in graph.edges if keys[e.target] == "Error"] == [
        "Error<1>",
        "Error<2>",
        "Error<3> … Error<18>",
        "Error<19>",
        "Error<20>",
    ]
    for p, same in zip(graph.parameters, whole.parameters, strict=True):
        assert (p.name, len(p.shares)) == (same.name, len(same.shares)) == (p.name, 20)


@pytest.mark.parametrize(
    ("T", "blocks", "hidden"),
    [(6, 2, 0), (7, 2, 3), (4, 1, 0), (5, 1, 3), (20, None, 0), (20, 9, 0)],
)
def test_a_short_middle_is_drawn(T, blocks, hidden):
    assert sum(run.count for run in runs(range(1, T + 1), keep=blocks)) == hidden


def test_a_long_sequence_of_another_cell_is_elided_too():
    graph = levelled(rnn_loss(12))
    keys = {n.key for n in graph.nodes}
    assert [n.name for n in graph.nodes if n.block in graph.folded] == [
        "h<10>",
        "Error<3> … Error<10>",
    ]
    assert all({e.source, e.target} <= keys for e in graph.edges)


# Where it is.


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_nothing_overlaps(variant):
    graph, layout = drawn(**variant)
    rectangles = [_rectangle(layout.boxes[n.key]) for n in graph.nodes]
    widths = measures(graph).labels
    rectangles += [
        (x - w / 2, y - 5, x + w / 2, y + 5)
        for (x, y), w in zip((r.label for r in layout.routes), widths, strict=True)
        if w
    ]
    for one, other in itertools.combinations(rectangles, 2):
        assert not _overlap(one, other)


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_no_edge_crosses_a_node_or_a_number(variant):
    graph, layout = drawn(**variant)
    labels = [
        (x - w / 2, y - 4, x + w / 2, y + 4)
        for (x, y), w in zip((r.label for r in layout.routes), measures(graph).labels, strict=True)
        if w
    ]
    for edge, route in zip(graph.edges, layout.routes, strict=True):
        others = [
            _rectangle(box, 0.1)
            for key, box in layout.boxes.items()
            if key not in (edge.source, edge.target)
        ]
        for (x0, y0), (x1, y1) in itertools.pairwise(route.corners):
            assert x0 == x1 or y0 == y1
            piece = min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)
            assert not any(_overlap(piece, box) for box in (*others, *labels))


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_edges_begin_and_end_at_their_nodes(variant):
    graph, layout = drawn(**variant)
    for edge, route in zip(graph.edges, layout.routes, strict=True):
        for key, corner in ((edge.source, route.corners[0]), (edge.target, route.corners[-1])):
            box = layout.boxes[key]
            assert corner in (box.left, box.right, box.top, box.bottom) or (
                key == edge.target and edge.source[0] == "p" and on_top(corner, box)
            )


def on_top(corner, box):
    """Whether a point is on the upper side of a box: a weight and a bias are side by side above
    their sum."""
    return corner[1] == box.top[1] and box.left[0] < corner[0] < box.right[0]


def test_every_block_is_the_same_block_shifted():
    graph, layout = drawn(blocks=None, T=9, D=2, H=2)
    left = {frame.block: frame.left for frame in layout.frames}
    placed = {}
    for node in graph.nodes:
        if node.block:
            box = layout.boxes[node.key]
            placed.setdefault(node.stem, set()).add(
                (round(box.x - left[node.block], 6), box.y, box.width, box.height)
            )
    assert all(len(places) == 1 for places in placed.values())
    assert len(placed) == 17
    steps = {round(b - a, 6) for a, b in itertools.pairwise(left[t] for t in range(1, 10))}
    assert len(steps) == 1


def test_the_cell_runs_on_top_and_the_output_below():
    graph, layout = drawn(T=3)
    at = {n.name: layout.boxes[n.key] for n in graph.nodes}
    assert (
        len(
            {
                at[name].y
                for name in ("c<0>", "keep<1>", "c<1>", "keep<2>", "c<2>", "keep<3>", "c<3>")
            }
        )
        == 1
    )
    assert (
        len(
            {
                at[name].y
                for name in ("a<0>", "z<1>", "Γ_o<1>", "a<1>", "z<2>", "a<2>", "z<3>", "a<3>")
            }
        )
        == 1
    )
    assert at["c<1>"].y > at["a<1>"].y > at["x<1>"].y
    assert at["c<0>"].x < layout.frames[0].left
    assert at["Error"].x > layout.frames[-1].right


@pytest.mark.parametrize(
    "loss",
    [rnn_loss(3), lstm_loss(2) * 2.0, Tensor(2.0, True) ** 2],
    ids=["rnn", "a stage after Error", "no blocks"],
)
def test_other_graphs_are_left_to_graphviz(loss):
    assert roles(build(loss.tape)) is None


def test_one_tensor_as_both_initial_states_is_left_to_graphviz():
    s = Tensor(np.ones((1, 1)), True, "s")
    graph = build(
        LSTM(1, 1, rng=0).error(np.ones((2, 1, 1)), np.ones((2, 1, 1)), state=(s, s)).tape
    )
    assert roles(graph) is None
    assert place(graph, measures(graph)) is None


def without(graph, source, target):
    keys = {n.name: n.key for n in graph.nodes}
    edges = tuple(e for e in graph.edges if (e.source, e.target) != (keys[source], keys[target]))
    assert len(edges) == len(graph.edges) - 1
    return replace(graph, edges=edges)


def computed_by(graph, name, op):
    return replace(
        graph, nodes=tuple(replace(n, op=op) if n.name == name else n for n in graph.nodes)
    )


def with_edge(graph, source, target, argument):
    keys = {n.name: n.key for n in graph.nodes}
    return replace(
        graph,
        edges=(
            *graph.edges,
            replace(graph.edges[0], source=keys[source], target=keys[target], argument=argument),
        ),
    )


@pytest.mark.parametrize(
    "changed",
    [
        lambda g: without(g, "c<0>", "keep<1>"),
        lambda g: without(g, "a<1>", "z<2>"),
        lambda g: computed_by(g, "Γ_f<2>", "relu"),
        lambda g: computed_by(g, "Error", "multiply"),
        lambda g: with_edge(g, "c<1>", "Γ_f<2>", 1),
        lambda g: with_edge(without(g, "c<1>", "keep<2>"), "a<1>", "keep<2>", 0),
        lambda g: with_edge(g, "a<2>", "Error", 2),
    ],
)
def test_the_names_alone_make_no_lstm(changed):
    graph = build(lstm_loss(2).tape)
    assert roles(graph) is not None
    assert roles(changed(graph)) is None


def test_leaves_have_their_role_from_who_reads_them():
    x, start = (
        Tensor(np.ones((2, 1, 1)), name="series"),
        Tensor(np.ones((1, 1)), True, name="start"),
    )
    loss = LSTM(1, 1, rng=0).error(x, np.ones((2, 1, 1)), state=(start, np.zeros((1, 1))))
    graph = build(loss.tape)
    found = {n.name: roles(graph)[n.key] for n in graph.nodes}
    assert found["start"] == ("a", -1)
    assert found["a<0>"] == ("a", 0)
    assert found["Error"] == TOTAL


# What it says.


@pytest.mark.parametrize(
    ("array", "shown"),
    [
        (0.0, "0"),
        (-0.08324, "−0.0832"),
        ([[0.4789]], "+0.4789"),
        (1234.5, "+1234.5000"),
        (7, "+7"),
        ([-3, 0], "[−3, 0]"),
        (np.zeros((2, 0)), "[]"),
        (1e-5, "+1.00e−05"),
        (-2e9, "−2.00e+09"),
        (np.float32(0.5), "+0.5000"),
        ([1.0, -2.0], "[+1.0000, −2.0000]"),
        ([[3.0, -4.0], [1.0, 0.5]], "Σ +0.5000"),
        (np.nan, "+nan"),
        (-np.inf, "−inf"),
        (True, "True"),
        (1 + 2j, "1+2j"),
    ],
)
def test_numbers(array, shown):
    assert summary(array) == shown


def test_the_number_for_an_array_is_linear_so_that_forks_add_up():
    a, b = np.random.default_rng(0).normal(size=(2, 3, 4))
    assert float(summary(a + b)[2:].replace("−", "-")) == pytest.approx(a.sum() + b.sum(), abs=1e-4)


def test_exact_values_are_not_rounded():
    assert float(exact(1 / 3)) == 1 / 3
    assert exact(np.arange(100.0)).endswith("(100 entries)")
    assert number(1 / 3) == "+0.3333"


def test_control_characters_become_visible():
    assert printable("a\nb\tc\x00\x1b\x7f\ud800\ufffe") == "a␊b␉c␀␛\ufffd\ufffd\ufffd"


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def testcontrast(theme):
    surfaces = [getattr(theme, name) for name in (*SHAPES, "page", "frame")]
    texts = [getattr(theme, ink) for ink in ("text", "muted", "value", "gradient", "fork")]
    assert min(contrast(text, surface) for text in texts for surface in surfaces) >= 4.5
    assert (
        min(contrast(theme.line, surface) for surface in (theme.page, theme.frame)) >= 3.0
    )  # WCAG 2, for graphics


def _rectangle(box, inset=0.0):
    width, height = box.width / 2 + box.ring - inset, box.height / 2 + box.ring - inset
    return box.x - width, box.y - height, box.x + width, box.y + height


def _overlap(one, other):
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
