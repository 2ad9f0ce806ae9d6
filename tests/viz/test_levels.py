"""How much of a graph is drawn, as data: folded and left-out blocks, zero branches, parameters in
each block."""

import numpy as np
import pytest
from cases import levelled, lstm_loss, rnn_loss

from tinygrad_lstm import (
    LSTM,
    DrawingError,
    Tensor,
    add_n,
    block,
    gradients,
)
from tinygrad_lstm.viz.graph.build import build
from tinygrad_lstm.viz.graph.levels import runs


@pytest.mark.parametrize(
    ("blocks", "options", "folded"),
    [
        (9, {}, []),
        (9, {"keep": 2}, [(3, 4, 5, 6, 7)]),
        (9, {"keep": 2, "expand": (5,)}, []),  # two pieces of two blocks are drawn
        (12, {"keep": 2, "expand": (6,)}, [(3, 4, 5), (7, 8, 9, 10)]),
        (3, {"level": "blocks"}, [(1,), (2,), (3,)]),
        (3, {"level": "blocks", "expand": (2,)}, [(1,), (3,)]),
        (9, {"level": "blocks", "keep": 1}, [(1,), (2, 3, 4, 5, 6, 7, 8), (9,)]),
        (5, {"level": "block"}, [(1,), (3, 4, 5)]),
        (5, {"level": "block", "expand": (5,)}, [(1, 2, 3, 4)]),
        (5, {"level": "block", "expand": (1, 3)}, [(2,), (4, 5)]),
        (1, {"level": "block"}, []),
        (0, {"level": "blocks"}, []),
    ],
)
def test_which_blocks_are_not_drawn_stage_by_stage(blocks, options, folded):
    assert [run.blocks for run in runs(range(1, blocks + 1), **options)] == folded


@pytest.mark.parametrize("blocks", [(), (1, 2, 3)])
def test_a_block_that_is_not_there(blocks):
    with pytest.raises(DrawingError, match="there is no such block"):
        runs(blocks, expand=(4,))


def by_name(graph):
    return {n.name: n for n in graph.nodes}


@pytest.mark.parametrize("make", [lstm_loss, rnn_loss], ids=["lstm", "rnn"])
def test_a_folded_block_keeps_what_leaves_it(make):
    loss = make(4)
    graph, g = levelled(loss, level="blocks"), gradients(loss)
    state = ["c<{}>", "a<{}>"] if make is lstm_loss else ["h<{}>"]
    starts = {name.format(0) for name in state}
    assert (
        set(by_name(graph))
        == {name.format(t) for t in range(1, 5) for name in [*state, "Error<{}>"]}
        | {"Error"}
        | starts
    )
    assert [(run.stages, run.forks) for run in graph.runs] == (
        [(15, 3)] * 3 + [(15, 1)] if make is lstm_loss else [(4, 1)] * 3 + [(4, 0)]
    )
    names = {n.key: n.name for n in graph.nodes}
    through = [(names[e.source], names[e.target]) for e in graph.edges if e.through]
    assert sorted(through) == sorted(
        (name.format(t), name.format(t + 1)) for t in range(4) for name in state
    )
    for name in state:  # what is drawn and what is not drawn is the whole gradient
        for t in range(1, 4):
            node = by_name(graph)[name.format(t)]
            sent = [e.gradient for e in graph.edges if e.source == node.key]
            np.testing.assert_allclose(sum(sent) + node.unseen, g[name.format(t)], rtol=1e-12)


def test_an_expanded_block_is_drawn_stage_by_stage():
    loss = lstm_loss(6, D=2, H=3)
    graph, whole = levelled(loss, level="blocks", expand=(3,)), build(loss.tape)
    third = [n.name for n in whole.nodes if n.block == 3]
    assert [n.name for n in graph.nodes if n.block == 3] == third
    assert len(third) == 17
    assert graph.forks == whole.forks


def test_what_is_not_drawn_costs_no_node():
    short, long = (levelled(lstm_loss(T)) for T in (20, 60))
    assert len(short.nodes) == len(long.nodes)
    assert [
        n.name.replace("58", "18").replace("59", "19").replace("60", "20") for n in long.nodes
    ] == [n.name for n in short.nodes]


# Zero branches.


def zeros_of(graph):
    names = {n.key: n.name for n in graph.nodes}
    return {(names[zero.source], zero.readers) for zero in graph.zeros}


@pytest.mark.parametrize("T", [1, 2, 4, 20])
def test_the_last_block_of_the_lstm_has_two_zero_branches(T):
    assert zeros_of(levelled(lstm_loss(T))) == {
        (f"c<{T}>", (f"keep<{T + 1}>",)),
        (f"a<{T}>", (f"z<{T + 1}>",)),
    }  # B0


@pytest.mark.parametrize("T", [2, 3])
def test_many_to_one_has_a_zero_branch_for_each_loss_that_is_not_there(T):
    next_ones = {(f"c<{T}>", (f"keep<{T + 1}>",)), (f"a<{T}>", (f"z<{T + 1}>",))}
    assert zeros_of(levelled(lstm_loss(T, every=False))) == next_ones | {
        (f"a<{t}>", (f"Error<{t}>",)) for t in range(1, T)
    }


def test_blocks_after_the_last_loss_are_not_on_the_tape_and_the_branch_into_them_is_zero():
    x = np.ones((4, 1, 1))
    loss = LSTM(1, 1, rng=0).error(x, x, mask=[1, 1, 0, 0])
    assert zeros_of(build(loss.tape)) == {("c<2>", ("keep<3>",)), ("a<2>", ("z<3>",))}


def test_several_readers_that_are_not_there_are_one_zero_branch():
    h, errors = Tensor(1.0, True, "h<0>"), []
    for t in (1, 2):
        with block(t):
            h = ((h * 2.0).named("p") + (h * 3.0).named("q")).named("h")
            errors.append((h * h).named("Error"))
    assert zeros_of(build(add_n(*errors).tape)) == {("h<2>", ("p<3>", "q<3>"))}


def test_a_stage_that_only_some_blocks_have_is_no_zero_branch_unless_it_is_a_loss():
    h = Tensor(1.0, True, "h<0>")
    for t in (1, 2, 3):
        with block(t):
            s = (h * 2.0).named("s")
            h = (s * s).named("square") if t == 2 else s
            h = (h + 1.0).named("h")
    assert zeros_of(build(h.tape)) == set()


def test_a_graph_without_blocks_has_no_zero_branches():
    x = Tensor(2.0, True, "x")
    assert build((x * x).tape).zeros == ()


# Parameters in each block.


def test_parameters_in_each_block_show_their_shares():
    loss = lstm_loss(3, D=2, H=3, N=2)
    g, graph = gradients(loss), levelled(loss, wired=True)
    stages = {n.key: n.name for n in graph.nodes}
    for p in graph.parameters:
        mine = [n for n in graph.nodes if n.op == "parameter" and n.name == p.name]
        assert [n.block for n in mine] == [1, 2, 3]
        edges = [e for n in mine for e in graph.edges if e.source == n.key]
        assert [stages[e.target] for e in edges] == [f"sum_{p.name[2]}<{t}>" for t in (1, 2, 3)]
        assert all(e.fork for e in edges)
        np.testing.assert_allclose(sum(e.gradient for e in edges), g[p.name], rtol=1e-12)


def test_a_parameter_that_a_block_reads_twice_is_one_node_of_it():
    w, x = Tensor(2.0, True, "w"), Tensor(1.0, True, "x<0>")
    for t in (1, 2):
        with block(t):
            x = ((x * w).named("y") + w).named("x")
    graph = levelled(x, wired=True)
    assert [(n.name, n.block) for n in graph.nodes if n.op == "parameter"] == [("w", 1), ("w", 2)]
    assert len([e for e in graph.edges if e.source.startswith("p")]) == 4
    assert len({e.key for e in graph.edges}) == len(graph.edges)


def test_blocks_that_are_entered_again_have_one_node_of_a_parameter():
    w, x = Tensor(2.0, True, "w"), Tensor(1.0, True, "x<0>")
    for t in (1, 2, 2, 1):
        with block(t):
            x = (x * w).named(f"y{len(x.tape)}")
    graph = levelled(x, wired=True)
    assert [n.key for n in graph.nodes if n.op == "parameter"] == ["p0-1", "p0-2"]
    assert len([e for e in graph.edges if e.source.startswith("p")]) == 4


def test_an_input_of_another_name_is_listed_under_it_and_drawn_as_the_lstm():
    series = Tensor(np.ones((3, 1, 1)), True, "series")
    loss = LSTM(1, 1, rng=0).error(series, np.zeros((3, 1, 1)))
    graph = levelled(loss)
    (listed,) = [p for p in graph.parameters if p.is_input]
    assert listed.name == "series"
    np.testing.assert_array_equal(listed.gradient, gradients(loss)[series])
    assert "copy" not in {n.op for n in graph.nodes}
    assert by_name(graph)["x<1>"].formula == "series[0]"


def test_blocks_counted_by_numpy():
    h = Tensor(1.0, True, "h<0>")
    for t in np.arange(1, 4):
        with block(t):
            h = (h * Tensor(2.0)).named("h")
    graph = levelled(h, wired=True)
    assert {type(n.block) for n in graph.nodes} == {int}
    assert {type(t) for t in graph.blocks} == {int}
