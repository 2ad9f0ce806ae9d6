"""SVG without Graphviz, beside that of Graphviz: the same texts, in the same places."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from cases import EMBEDDED, PROGRAM, gru_loss, lstm_loss

from tinygrad_lstm import DrawingError, gradients
from tinygrad_lstm.viz import draw, picture

SVG = "{http://www.w3.org/2000/svg}"
TITLE = "{http://www.w3.org/1999/xlink}title"
CASES = {
    "stages": lambda: (loss := lstm_loss(3, D=2, H=3), {"gradients": gradients(loss)}),
    "gates": lambda: (
        loss := lstm_loss(3),
        {"gradients": gradients(loss), "level": "gates", "theme": "dark"},
    ),
    "elided, in rows": lambda: (lstm_loss(9, every=False), {"wrap": 2}),
    "ways": lambda: (lstm_loss(3), {"path": ["W_f", "c<1>"]}),
    "parameters": lambda: (lstm_loss(2), {"parameters": "block"}),
    "folded": lambda: (lstm_loss(9), {"level": "blocks", "expand": 2}),
}


@pytest.fixture
def bare(monkeypatch):
    """A machine without any Graphviz."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)


def groups(svg):
    """Nodes, edges and frames by id: their texts, their tooltip, and where their shapes are."""
    root = ET.fromstring(svg)
    dx, dy = map(float, re.search(r"translate\((-?[\d.]+) (-?[\d.]+)\)", svg).groups())
    found = {}
    for g in root.iter(f"{SVG}g"):
        if g.get("class") in ("node", "edge", "cluster"):
            texts = [t.text.replace("\xa0", " ").strip() for t in g.iter(f"{SVG}text")]
            said = next(a.get(TITLE) for a in g.iter(f"{SVG}a")).replace("\xa0", " ")
            found[g.get("id")] = sorted(filter(None, texts)), said, place(g) + (dx, dy)
    return found


def place(group):
    """The middle of a shape or of a line; a title has none."""
    shape = next((e for e in group.iter() if e.tag.removeprefix(SVG) in SHAPES), None)
    if shape is None:
        return np.zeros(2)
    moved = re.findall(r"-?[\d.]+", group.get("transform", "0 0"))
    return np.array(SHAPES[shape.tag.removeprefix(SVG)](shape)) + np.array(moved, float)


def middle(points):
    xs, ys = zip(
        *(map(float, p) for p in re.findall(r"(-?[\d.]+),(-?[\d.]+)", points)), strict=True
    )
    return (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2


SHAPES = {
    "ellipse": lambda e: (float(e.get("cx")), float(e.get("cy"))),
    "polygon": lambda e: middle(e.get("points")),
    "path": lambda e: middle(e.get("d")),
    "rect": lambda e: (
        float(e.get("x")) + float(e.get("width")) / 2,
        float(e.get("y")) + float(e.get("height")) / 2,
    ),
}


@pytest.mark.skipif(not (PROGRAM or EMBEDDED), reason="needs Graphviz")
@pytest.mark.parametrize("case", CASES)
def test_both_hands_draw_the_same(case, monkeypatch):
    loss, options = CASES[case]()
    theirs = groups(draw(loss, **options)._repr_svg_())
    monkeypatch.setattr(picture, "command", lambda format: None)
    ours = groups(draw(loss, **options)._repr_svg_())
    assert ours.keys() == theirs.keys()
    tables = {"title", "legend", "ledger"}  # whose places depend on fonts there
    apart = {key: ours[key][2] - theirs[key][2] for key in ours.keys() - tables}
    moved = np.median(list(apart.values()), axis=0)  # another margin on the left or above
    for key, (texts, said, _) in ours.items():
        assert texts == theirs[key][0], key
        assert said == theirs[key][1], key
        if key not in tables:
            assert np.abs(apart[key] - moved).max() < 8, key  # a path's middle has its controls


def test_a_bare_install_draws_the_main_picture_and_makes_its_page(bare, tmp_path):
    loss = lstm_loss(3)
    for name in ("lstm.svg", "lstm.html"):
        draw(loss, tmp_path / name, gradients=gradients(loss))
    assert "c&lt;1&gt;" in (tmp_path / "lstm.svg").read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lstm.html", "lstm.svg"]


@pytest.mark.parametrize(("make", "suffix"), [(gru_loss, ".svg"), (lstm_loss, ".png")])
def test_what_needs_graphviz_says_so(bare, make, suffix, tmp_path):
    with pytest.raises(DrawingError, match="there is no Graphviz to draw with"):
        draw(make(2), tmp_path / f"picture{suffix}")
    assert [path.name for path in tmp_path.iterdir()] == ["picture.dot"]
