"""What pictures and plots refuse, and formats that few ask for."""

import sys

import numpy as np
import pytest
from cases import EMBEDDED, PROGRAM, square

from tinygrad_lstm import LSTM, DrawingError, ShapeError, compile
from tinygrad_lstm.viz import draw, plot
from tinygrad_lstm.viz.image import render
from tinygrad_lstm.viz.series import forecasts

X, Y = np.zeros((2, 1, 1)), np.zeros((2, 1, 1))


@pytest.fixture(scope="module")
def plan():
    fast = compile(LSTM(1, 1, rng=0).error, backend="numpy")
    fast(X, Y)
    return fast.plan(X, Y)


@pytest.mark.skipif(not (PROGRAM or EMBEDDED), reason="there is no Graphviz")
@pytest.mark.parametrize(("name", "start"), [("p.png", b"\x89PNG"), ("p.svg", b"<?xml")])
def test_a_program_as_a_picture(plan, tmp_path, name, start):
    draw(plan, tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(start)


def test_a_program_as_text_and_not_as_a_page(plan, tmp_path):
    draw(plan, tmp_path / "p.dot")
    assert (tmp_path / "p.dot").read_text().startswith("digraph")
    with pytest.raises(DrawingError, match="no page that plays it"):
        draw(plan, tmp_path / "p.html")


def test_in_a_debugger():
    assert repr(draw(square())) == "<Picture, How z was computed>"
    assert repr(draw(square()).page).startswith("<Page, ")


def test_a_graphviz_that_does_not_start(monkeypatch):
    monkeypatch.setattr(render, "command", lambda format: ["/there/is/no/dot"])
    with pytest.raises(DrawingError, match="could not be started"):
        render.render("digraph {}", "svg", 10)
    assert render.render("digraph {}", "dot", 10) == b"digraph {}"


def test_a_series_has_one_axis():
    pytest.importorskip("matplotlib")
    with pytest.raises(ShapeError, match="a series has one axis"):
        forecasts(np.zeros((2, 2)), {})


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.axes", None)
    with pytest.raises(DrawingError, match="there is no matplotlib"):
        plot.loss_curves({"a": [1.0, 2.0]})
