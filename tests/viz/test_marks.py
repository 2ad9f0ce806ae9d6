"""Marked ways and verdicts, as data and in the text of the picture."""

import re

import numpy as np
import pytest
from cases import levelled, lstm_loss

from tinygrad_lstm import LSTM, DrawingError, Tensor, UnknownNameError, by_hand, compare, gradients
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.viz import draw
from tinygrad_lstm.viz.graph.build import build
from tinygrad_lstm.viz.graph.marks import verdicts


def ways_back(loss, end):
    """Every way from the root back to a value, by walking all of them: sets of (value, reader)
    names."""
    tape, found, walks = loss.tape, set(), [((), loss)]
    stages = {id(stage.output): stage for stage in tape.stages}
    while walks:
        way, value = walks.pop()
        if value is end:
            found |= set(way)
        elif id(value) in stages:
            read = (x for x in stages[id(value)].inputs if isinstance(x, Node))
            walks += [((*way, (tape.label(x), tape.label(value))), x) for x in read]
    return found


@pytest.mark.parametrize("name", ["W_f", "b_o", "c<1>", "a<0>", "sum_c<2>", "Error<2>"])
@pytest.mark.parametrize("every", [True, False])
def test_all_ways_are_marked_and_nothing_else(name, every):
    loss = lstm_loss(2, every=every)
    graph = build(loss.tape, path=[name])
    names = {n.key: n.name for n in graph.nodes}
    marked = {(names[e.source], names[e.target]) for e in graph.edges if e.ways}
    marked |= {(p.name, names[s.node]) for p in graph.parameters for s in p.shares if p.ways}
    end = next(x for x in loss.tape.values if x.name == name)
    assert marked == ways_back(loss, end)
    assert {n.name for n in graph.nodes if n.ways} == {
        value for edge in marked for value in edge
    } - {p.name for p in graph.parameters}


def test_several_ways_are_told_apart():
    loss = lstm_loss(2)
    graph = build(loss.tape, path=["W_f", loss.tape.values[0], "W_c"])
    assert len(graph.ways) == 3
    ways = {n.name: n.ways for n in graph.nodes}
    assert ways["sum_f<1>"][0] == 0
    assert ways["sum_c<1>"][-1] == 2
    assert set(ways["Error"]) >= {0, 2}


def test_the_ways_go_on_through_blocks_that_are_left_out():
    loss = lstm_loss(20)
    graph = levelled(loss)
    assert not any(n.ways for n in graph.nodes)
    marked = build(loss.tape, None, graph.runs, path=["c<9>"])
    assert [n.name for n in marked.nodes if n.ways][:3] == [
        "c<18>",
        "a<18>",
        "Error<3> … Error<18>",
    ]
    assert not any(n.ways for n in marked.nodes if n.block in (1, 2))


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("W_g", r"draw\(path=...\): no value is called 'W_g'; did you mean"),
        (["W_f", "nothing"], "no value is called 'nothing'"),
        ("x<1>", "a constant"),
        (Tensor(1.0, True), "not on this tape"),
    ],
)
def test_a_way_to_what_is_not_there(path, said):
    with pytest.raises(UnknownNameError, match=said) as caught:
        draw(lstm_loss(2), path=path)
    assert "\n" not in str(caught.value)


def test_a_way_in_the_picture():
    loss = lstm_loss(2)
    plain, marked = draw(loss).dot, draw(loss, path="W_f").dot
    assert "wide line" not in plain
    assert "━━► W_f" in marked
    assert "every way from Error back to it" in marked
    assert marked.count("penwidth=2.8") == sum(
        bool(x.ways) for g in [build(loss.tape, path=["W_f"])] for x in (*g.nodes, *g.edges)
    )
    two = draw(loss, path=["W_f", "W_c"]).dot
    assert re.search(r'color="#[0-9a-f]{6}:#[0-9a-f]{6}"', two)  # side by side


# Verdicts.


def judged(T=3, changed=(), as_printed=False):
    rng = np.random.default_rng(0)
    x, targets = rng.normal(size=(T, 1, 1)), rng.normal(size=(T, 1, 1))
    lstm = LSTM(1, 1, rng=0)
    loss = lstm.error(x, targets)
    hand = dict(by_hand.lstm(lstm, x, targets, as_printed=as_printed))
    for name in changed:
        hand[name] = hand[name] + 1.0
    return loss, compare(gradients(loss), hand)


def test_everything_right():
    loss, report = judged()
    graph = build(loss.tape, verdicts=verdicts(report, loss.tape))
    assert {n.verdict.kind for n in graph.nodes if n.verdict} == {"right"}
    assert {n.name for n in graph.nodes if not n.verdict} == {
        "x<1>",
        "x<2>",
        "x<3>",
        "â<1>",
        "â<2>",
        "â<3>",
    }  # constants
    assert all(p.verdict.kind == "right" for p in graph.parameters)


def test_a_wrong_branch_is_marked_on_its_edge_and_the_sum_after_it():
    loss, report = judged(changed=["c<2> via keep<3>", "c<2>", "W_f"])
    graph = build(loss.tape, verdicts=verdicts(report, loss.tape))
    names = {n.key: n.name for n in graph.nodes}
    kinds = {(names[e.source], names[e.target]): e.verdict.kind for e in graph.edges if e.verdict}
    assert kinds["c<2>", "keep<3>"] == "first"
    assert kinds["c<2>", "tanh_c<2>"] == "right"
    nodes = {n.name: n.verdict.kind for n in graph.nodes if n.verdict}
    assert nodes["c<2>"] in ("wrong", "because")
    assert nodes["c<1>"] == "right"
    assert [p.name for p in graph.parameters if p.verdict.kind != "right"] == ["W_f"]
    assert next(v.name for v in graph.verdicts if v.kind == "first") == "c<2> via keep<3>"


def test_verdicts_in_the_picture_have_a_sign_and_words():
    loss, report = judged(as_printed=True)
    picture = draw(loss, comparison=report)
    for said in ("✓ right", "✗✗", "first wrong", "the derivation by hand is right"):
        assert said in picture.dot
    assert "✓" not in draw(loss).dot
    assert (
        "The comparison finds "
        f"{next(v.name for v in verdicts(report, loss.tape).all if v.kind == 'first')}"
        in picture.description
    )


class Rows:
    """What a comparison may also say."""

    def __init__(self, *pairs):
        self.rows = [type("Row", (), {"name": name, "verdict": verdict}) for name, verdict in pairs]


def test_every_verdict_has_a_kind():
    tape = lstm_loss(2).tape
    said = {
        "c<2>": "right",
        "c<1>": "first wrong",
        "keep<1>": "wrong because of c<1>",
        "W_f": "wrong",
        "W_f @ 2": "wrong shape",
        "?": "unknown name",
    }
    report = Rows(*said.items())
    assert [v.kind for v in verdicts(report, tape).all] == [
        "right",
        "first",
        "because",
        "wrong",
        "open",
        "open",
    ]
    graph = build(tape, verdicts=verdicts(report, tape))
    assert [
        share.verdict.text if share.verdict else None for share in graph.parameters[0].shares
    ] == [None, "wrong shape"]
    assert "✗ because of c&lt;1&gt;" in draw(lstm_loss(2), comparison=report).dot


def test_the_cause_may_stand_beside_the_verdict():
    row = type(
        "Row", (), {"name": "c<1>", "verdict": "wrong because of", "because": "c<1> via keep<2>"}
    )
    missing = type("Row", (), {"name": "W_f", "verdict": "missing", "because": ""})
    report = type("Report", (), {"rows": [row, missing]})
    (found,) = verdicts(report, lstm_loss(2).tape).all
    assert (found.kind, found.text) == ("because", "wrong because of c<1> via keep<2>")


def test_a_comparison_of_another_graph():
    with pytest.raises(DrawingError, match="this comparison is one of another graph"):
        draw(lstm_loss(2), comparison=Rows(("v", "right")))


def test_more_ways_than_colours_are_refused():
    loss = lstm_loss(2)
    draw(loss, path=["W_f", "W_u", "W_c", "W_o"])
    with pytest.raises(
        DrawingError, match="too many ways to tell apart: expected up to 4 values, got 5"
    ):
        draw(loss, path=["W_f", "W_u", "W_c", "W_o", "b_f"])


def test_a_comparison_of_another_run_is_refused():
    first, again = lstm_loss(2), lstm_loss(2)
    report = compare(gradients(first), {"W_f": np.zeros_like(gradients(first)["W_f"])})
    draw(first, comparison=report)
    with pytest.raises(DrawingError, match="one of another graph"):
        draw(again, comparison=report)
