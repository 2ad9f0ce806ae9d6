"""A picture for a place where it is read: its smallest text is legible there, or it is refused."""

import re

import numpy as np
import pytest
from browser import decoded
from cases import EMBEDDED, PROGRAM, gru_loss, lstm_loss, wide_fork

from tinygrad_lstm import DrawingError, Tensor, gradients, nn, tanh
from tinygrad_lstm.viz import draw

pytestmark = pytest.mark.skipif(not (PROGRAM or EMBEDDED), reason="needs Graphviz")


def stacked(T):
    x = np.random.default_rng(0).normal(size=(T, 1, 2))
    return nn.LSTM(2, 3, num_layers=2, rng=0)(x)[0].sum()


PLACES = {  # the width and the height, and the smallest text, in their unit
    "readme": (830, 1e9, 9, "px"),
    "slide": (1920, 1080, 9, "px"),
    "a4": (482, 728, 6, "pt"),
    700: (700, 1e9, 6, "pt"),
}


def shown(svg):
    """The size on the page, its unit, and how large a point of the picture is there."""
    width, unit, height = re.search(
        r'<svg width="([\d.]+)(p[xt])" height="([\d.]+)p[xt]"', svg
    ).groups()
    drawn = float(re.search(r'viewBox="[\d.]+ [\d.]+ ([\d.]+)', svg)[1])
    return float(width), float(height), unit, float(width) / drawn


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "make",
    [lambda: lstm_loss(3), lambda: lstm_loss(3, D=3, H=4), lambda: wide_fork(40)],
    ids=["scalar", "arrays", "fork"],
)
def test_the_smallest_text_is_legible(make, place):
    loss, (width, height, smallest, unit) = make(), PLACES[place]
    svg = draw(loss, gradients=gradients(loss), width=place)._repr_svg_()
    wide, high, found, scale = shown(svg)
    assert found == unit
    assert wide <= width + 1
    assert high <= height + 1
    texts = [float(size) for size in re.findall(r'font-size="([\d.]+)"', svg)]
    assert min(texts) * scale >= smallest * 0.99


def test_a_graph_without_blocks_runs_down_a_narrow_page():
    h = Tensor(np.ones((2, 3)), name="x")
    for k in range(3):
        h = tanh(h @ Tensor(np.eye(3), True, f"W{k}")).named(f"h{k}")
    loss = (h * h).sum().named("loss")
    assert "data runs left to right" in draw(loss).dot
    dot = draw(loss, gradients=gradients(loss), width="readme", level="stages").dot
    assert "rankdir=TB" in dot
    assert "data runs down, gradients up" in dot
    assert "h0" in dot


def test_more_is_drawn_where_there_is_room():
    loss = lstm_loss(2)
    assert ">tanh_c&lt;1&gt;<" in draw(loss, width=3000).dot
    assert ">tanh_c&lt;1&gt;<" not in draw(loss, width="a4").dot


def test_what_cannot_be_legible_says_what_to_do():
    with pytest.raises(DrawingError, match="no picture of this graph is legible at that width"):
        draw(gru_loss(3), width=60)


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (lambda: gru_loss(3), {"width": 60}),
        (lambda: gru_loss(3), {"width": 60, "level": "block"}),
        (lambda: stacked(2), {"width": "a4", "level": "gates"}),
        (lambda: wide_fork(40), {"width": 30}),
    ],
)
def test_the_width_that_is_given_instead_is_enough(make, options):
    loss = make()
    with pytest.raises(DrawingError) as caught:
        draw(loss, **options)
    width, height = re.search(
        r"width=(\d+) \(points; it is ([\d,]+) high", str(caught.value)
    ).groups()
    wide, high, unit, _ = shown(draw(loss, **options | {"width": int(width)})._repr_svg_())
    assert (unit, wide) <= ("pt", int(width))
    assert high <= int(height.replace(",", "")) + 2


@pytest.mark.parametrize("level", ["blocks", "rolled"])
def test_a_slide_has_the_tables_of_a_stacked_net_beside_or_below_it(level):
    loss = stacked(2)
    svg = draw(loss, gradients=gradients(loss), width="slide", level=level)._repr_svg_()
    wide, high, _, scale = shown(svg)
    assert wide <= 1920
    assert high <= 1080
    assert min(map(float, re.findall(r'font-size="([\d.]+)"', svg))) * scale >= 9 * 0.99


def test_nothing_is_folded_unasked():
    loss = lstm_loss(3)
    assert draw(loss, width=None).dot == draw(loss).dot
    page = decoded(draw(loss, width="a4").page.html)
    assert "tanh_c<1>" in [value["name"] for value in page["values"]]


@pytest.mark.parametrize("width", ["poster", 0, -3, True, float("inf"), float("nan"), [5]])
def test_widths_that_are_none(width):
    with pytest.raises(DrawingError, match=r"draw\(width=...\): the option has no such value"):
        draw(lstm_loss(1), width=width)


def test_a_notebook_shows_the_picture_in_its_column_and_the_page_in_a_frame():
    loss = lstm_loss(2)
    picture = draw(loss, gradients=gradients(loss))
    shown = picture._repr_html_()
    assert shown.startswith('<svg style="max-width: 100%; height: auto"')
    assert "xlink:title=" in shown
    assert picture.page._repr_html_().startswith("<iframe ")
    assert "&lt;script" in picture.page._repr_html_()
