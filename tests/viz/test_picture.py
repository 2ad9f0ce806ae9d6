"""The picture as DOT text, and as what Graphviz makes of it."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from cases import EMBEDDED, HOSTILE, PROGRAM, lstm_loss, rnn_loss, square
from rows import activation, layer, linalg, product, reduction, select, shape
from rows import loss as losses

from tinygrad_lstm import LSTM, DrawingError, Tensor, checkpoint, gradients, squared_error, stage
from tinygrad_lstm.cli.main import main
from tinygrad_lstm.viz import draw
from tinygrad_lstm.viz.graph.build import build
from tinygrad_lstm.viz.look.style import text_width
from tinygrad_lstm.viz.look.text import printable

GOLDEN = Path(__file__).with_name("golden")
SVG = "{http://www.w3.org/2000/svg}"
TITLE = "{http://www.w3.org/1999/xlink}title"


@pytest.fixture(params=["program", "embedded"])
def graphviz(request, monkeypatch):
    """Both ways to draw, one after the other."""
    if request.param == "program":
        return PROGRAM or pytest.skip("there is no dot program on this machine")
    if not EMBEDDED:
        pytest.skip("pygraphviz is not installed")
    monkeypatch.setenv("PATH", "")
    return EMBEDDED


# The text.


class Audit:
    """A comparison that finds one branch wrong, and what comes after it wrong because of it."""

    rows = tuple(
        type("Row", (), {"name": name, "verdict": verdict})
        for name, verdict in [
            ("c<2>", "right"),
            ("c<1> via keep<2>", "first wrong"),
            ("c<1>", "wrong because of c<1> via keep<2>"),
            ("W_f", "right"),
        ]
    )


GOLDENS = {  # the whole text of a picture: a change of it is looked at before it is stored
    "square": lambda: (z := square(), {"gradients": gradients(z)}),
    "many_to_one": lambda: (lstm_loss(2, every=False), {"theme": "dark"}),
    "ways": lambda: (lstm_loss(2), {"path": ["W_f", "c<1>"]}),
    "audit": lambda: (lstm_loss(2), {"comparison": Audit}),
    "folded": lambda: (lstm_loss(9), {"level": "blocks", "expand": 2, "parameters": "block"}),
}


def rounded(dot):
    """The text with numbers of few enough digits for every machine to agree on them."""
    return re.sub(r"\d+\.\d{8,}(e-?\d+)?", lambda found: f"{float(found[0]):.8g}", dot)


@pytest.mark.parametrize("name", GOLDENS)
def test_golden_text(name):
    loss, options = GOLDENS[name]()
    golden = (GOLDEN / f"{name}.dot").read_text(encoding="utf-8")
    assert rounded(draw(loss, **options).dot) == rounded(golden)


def test_the_text_is_the_same_in_every_process():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from cases import lstm_loss; from "
        "tinygrad_lstm import gradients\n"
    )
    code += "from tinygrad_lstm.viz import draw; loss = lstm_loss(9, 2, 3, 2)\n"
    code += "sys.stdout.buffer.write(draw(loss, gradients=gradients(loss)).dot.encode())"
    texts = set()
    for seed in ("0", "1", "random"):
        run = [sys.executable, "-c", code, str(Path(__file__).parents[1])]
        texts.add(
            subprocess.run(
                run, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
            ).stdout
        )
    assert len(texts) == 1
    assert texts.pop().decode().startswith("digraph")


def test_ids_are_generated_and_forks_are_double_rings():
    loss = lstm_loss(3)
    loss.tape.stages[3].output.named('"]; evil')
    dot = draw(loss, gradients=gradients(loss)).dot
    assert set(re.findall(r"^\t+(\w+) \[", dot, re.M)) - {
        "graph",
        "node",
        "edge",
        "title",
        "legend",
        "ledger",
    } == {f"n{i}" for i in range(54)}  # 15 stages a block, Error, 8 leaves
    assert (
        dot.count("peripheries=2") == len([f for f in loss.tape.forks if not f.value.is_leaf]) == 7
    )
    assert len(re.findall(r"n\d+ -> n\d+", dot)) == 66  # 21 a block, and those to Error


@pytest.mark.parametrize(
    "loss", [lstm_loss(2), rnn_loss(2), square()], ids=["lstm", "rnn", "square"]
)
def test_the_legend_lists_what_is_there(loss):
    plain, full = draw(loss).dot, draw(loss, gradients=gradients(loss)).dot
    assert "derivative of" in full
    assert "rounded" in full
    assert "derivative of" not in plain
    assert ("hexagon" in plain) == (loss.name == "Error")
    assert "dashed: goes through" not in plain
    assert "dashed: goes through" in draw(lstm_loss(9)).dot


def test_the_legend_names_the_loss():
    a = Tensor([1.0, 2.0], True, "a")
    miss, other = squared_error(a, 1.0).named("miss"), squared_error(a, 2.0).named("other")
    assert re.search(r">⬡<.*?>miss<", draw(miss).dot)
    assert re.search(r">⬡<.*?>loss<", draw(miss + other).dot)


def test_only_the_lstm_is_titled_so():
    s = Tensor(np.ones((1, 1)), True, "s")
    dot = draw(LSTM(1, 1, rng=0).error(np.ones((2, 1, 1)), np.ones((2, 1, 1)), state=(s, s))).dot
    assert "LSTM unrolled" not in dot


def test_title_themes_and_sizes():
    loss = lstm_loss(2, D=4, H=3, N=5)
    assert "LSTM unrolled over T = 2 blocks" in draw(loss).dot
    assert "N = 5, D = 4, H = 3" in draw(loss).dot
    assert "a &lt;b&gt; title" in draw(loss, title="a <b> title").dot
    light, dark = draw(loss).dot, draw(loss, theme="dark").dot
    assert re.sub("#[0-9a-f]{6}", "", light) == re.sub("#[0-9a-f]{6}", "", dark)
    assert light != dark


def test_the_ledger_adds_up():
    loss = lstm_loss(12)
    g = gradients(loss)
    row = re.search(r"<TR>(?:(?!</TR>).)*>b_o<.*?</TR>", draw(loss, gradients=g).dot)[0]
    value, *shown = [float(n.replace("−", "-")) for n in re.findall(r">([+−]?\d[^<,(]*)<", row)]
    assert value == pytest.approx(loss.tape.find("b_o").item(), abs=1e-4)
    assert shown[0] == pytest.approx(float(g["b_o"][0]), abs=1e-4)
    assert shown[0] == pytest.approx(sum(shown[1:]), abs=6e-4)
    assert len(shown) == 1 + 5  # t = 1, 2, the ones between, 11, 12


@pytest.mark.parametrize(
    "loss", [lstm_loss(1, D=3, H=4), lstm_loss(3, D=3, H=4), rnn_loss(2)], ids=["T=1", "T=3", "rnn"]
)
def test_the_columns_of_the_ledger_are_as_wide_as_their_texts(loss):
    dot = draw(loss, gradients=gradients(loss)).dot
    table = dot[dot.index("the blocks read them") :]
    table = table[table.index("<TR>") : table.index("</TABLE>")]
    rows = [
        re.findall(r'<TD WIDTH="(\d+)"[^>]*><FONT[^>]*>([^<]*)', row)
        for row in table.split("</TR>")
        if row
    ]
    columns = list(zip(*rows, strict=True))
    assert len(columns) >= 4
    for column in columns:
        assert len({width for width, _ in column}) == 1
        assert (
            int(column[0][0])
            <= max(1.06 * text_width(text, 10) for _, text in column if text != "&#160;") + 7
        )


@stage
def scaled(x, factors=None):
    return x * factors


@scaled.rule
def scaled_x(g, y, x, factors):
    return g * factors


FAMILIES = (activation, layer, linalg, losses, product, reduction, select, shape)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_every_operation_is_drawn(family):
    for row in family.ROWS:
        for make in row.makes:
            y = row.f(
                *(Tensor(a, True, f"x{i}") for i, a in enumerate(make(np.random.default_rng(0))))
            )
            if y.requires_grad:  # np.sign and its like are constants
                loss = y.sum()
                dot = draw(loss, gradients=gradients(loss)).dot
                assert len(re.findall(r"^\t+n\d+ \[", dot, re.M)) == len(loss.tape.values), row.name


def x(*values, **options):
    return Tensor(values, True, "x", **options)


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (scaled(x(1.0, 2.0), factors=np.array([2.0, 3.0])), "= scaled(x, factors=array)"),
        (checkpoint(lambda x: x * x + x)(x(1.0, 2.0)), "= checkpoint(x)"),
        (x(1 + 2j, 3j, 1.0) * 2.0, "Σ 4+10j"),
        (Tensor(np.zeros((0, 3)), True, "x") * 2.0, ">[]<"),
        (x(1.0, 2.0) * Tensor([3, -4], name="counts"), ">[+3, −4]<"),
        (x(3e38, 3e38, 3e38, dtype=np.float32) * 1, ">Σ +inf<"),
    ],
    ids=["own stage", "checkpoint", "complex", "empty", "integers", "overflow"],
)
def test_every_kind_of_value_is_drawn(y, said):
    assert said in draw(y).dot


# Through real Graphviz.


def test_every_format(graphviz, tmp_path):
    loss = lstm_loss(3, D=2, H=3, N=2)
    for suffix, start in (
        (".svg", b"<?xml"),
        (".png", b"\x89PNG\r\n\x1a\n"),
        (".pdf", b"%PDF-"),
        (".dot", b"digraph"),
        (".SVG", b"<?xml"),
    ):
        file = tmp_path / f"picture{suffix}"
        picture = draw(loss, file, gradients=gradients(loss))
        assert file.read_bytes().startswith(start)
    assert picture.dot.encode() == (tmp_path / "picture.dot").read_bytes()
    assert sorted(f.suffix for f in tmp_path.iterdir()) == sorted(
        (".svg", ".png", ".pdf", ".dot", ".SVG")
    )


def test_a_picture_too_wide_for_a_png_is_refused(graphviz, tmp_path):
    loss = lstm_loss(40)
    with pytest.raises(
        DrawingError, match="too large for a PNG: expected at most 32,767 pixels a side"
    ):
        draw(loss, tmp_path / "wide.png", blocks=None)
    assert [f.name for f in tmp_path.iterdir()] == ["wide.dot"]
    draw(loss, tmp_path / "wide.svg", blocks=None)


def test_svg_keeps_text_as_text_and_exact_values_in_tooltips(graphviz):
    loss = lstm_loss(3)
    g = gradients(loss)
    root = ET.fromstring(draw(loss, gradients=g)._repr_svg_())
    texts = [t.text for t in root.iter(f"{SVG}text")]
    assert {"c<1>", "= keep + write", "block t = 3", "How to read", "W_f"} <= set(texts)
    assert f"∂ {g['c<1>'].item():+.4f}".replace("-", "−") in texts
    tooltips = {a.get(TITLE).splitlines()[0]: a.get(TITLE) for a in root.iter(f"{SVG}a")}
    assert f"gradient {g['c<1>'].tolist()}" in tooltips["add: c<1> = keep + write, block 1"]
    assert all(
        f"sends back {b.gradient.tolist()}" in tooltips["add: c<1> = keep + write, block 1"]
        for b in g.branches("c<1>")
    )


def test_the_svg_says_what_it_is(graphviz):
    loss = lstm_loss(3)
    root = ET.fromstring(draw(loss, path="W_f", title="A <title> & more")._repr_svg_())
    assert root.get("role") == "img"
    said = {
        child.get("id"): child.text for child in root if child.tag in (f"{SVG}title", f"{SVG}desc")
    }
    assert list(said) == root.get("aria-labelledby").split()
    title, description = said.values()
    assert title == "A <title> & more"
    for part in (
        "Error = ",
        "3 blocks",
        "7 forks",
        "c<1> is read by tanh_c<1>, keep<2>",
        "Every way back to W_f is marked",
    ):
        assert part in description
    other = ET.fromstring(draw(lstm_loss(2))._repr_svg_())
    assert other.get("aria-labelledby") != root.get(
        "aria-labelledby"
    )  # several pictures on one page


def test_what_differs_in_colour_differs_in_shape_or_words():
    loss = lstm_loss(3, every=False)
    dot = re.sub("#[0-9a-f]{6}", "", draw(loss, path=["W_f", "W_c"], comparison=Audit).dot)
    assert dot.count("peripheries=2") == 5  # forks
    assert re.search(r'n\d+ -> "n\d+-zero-\d+" .*style=dotted', dot)
    for said in (
        "━━► W_f",
        "━━► W_c",
        "✗✗ first wrong",
        "✗ because of",
        "read twice",
        "····► 0",
    ):
        assert said in dot


def test_ids_in_the_svg_are_those_of_the_data(graphviz):
    loss = lstm_loss(3)
    graph = build(loss.tape)
    ids = [
        g.get("id")
        for g in ET.fromstring(draw(loss)._repr_svg_()).iter(f"{SVG}g")
        if g.get("class") in ("node", "edge", "cluster")
    ]
    keys = [drawn.key for drawn in (*graph.nodes, *graph.edges, *graph.zeros)] + [
        "block-1",
        "block-2",
        "block-3",
    ]
    keys += [f"{zero.key}-edge" for zero in graph.zeros]
    assert sorted(ids) == sorted([*keys, "title", "legend", "ledger"])
    assert len(set(ids)) == len(ids)


def test_a_narrow_graph_is_in_the_middle(graphviz):
    x = Tensor(3.0, True, "x")
    root = ET.fromstring(draw(x * x)._repr_svg_())
    width = float(root.get("viewBox").split()[2])
    shapes = [
        s
        for g in root.iter(f"{SVG}g")
        if g.get("class") == "node"
        for s in (*g.iter(f"{SVG}polygon"), *g.iter(f"{SVG}ellipse"))
    ]
    ends = [_ends(s) for s in shapes]
    title = next(t for t in root.iter(f"{SVG}text") if "computed" in t.text)
    middles = [
        (min(ends)[0] + max(e for _, e in ends)) / 2,
        float(title.get("x")) + text_width(title.text, 16, bold=True) / 2,
    ]
    np.testing.assert_allclose(middles, width / 2, atol=0.05 * width)


def _ends(drawn):
    """The left and the right end of a polygon or an ellipse."""
    if drawn.get("points"):
        xs = [float(point.split(",")[0]) for point in drawn.get("points").split()]
        return min(xs), max(xs)
    return float(drawn.get("cx")) - float(drawn.get("rx")), float(drawn.get("cx")) + float(
        drawn.get("rx")
    )


def chain(names):
    """A chain of stages with these names, and the parameters and inputs of a small LSTM with
    them."""
    value = Tensor(1.0, requires_grad=True, name=names[-1])
    for name in names:
        value = (value * 2.0).named(name)
    return value


def lstm_of(names):
    """An LSTM whose input, initial state and parameters have these names."""
    arrays = [np.ones((1, 1)), np.ones((2, 1, 1)), *[np.ones((1, 2))] * 4, *[np.ones(1)] * 4]
    start, x, *parameters = (
        Tensor(array, True, name) for array, name in zip(arrays, names, strict=True)
    )
    lstm = LSTM.from_arrays(dict(zip(LSTM(1, 1).parameters(), parameters, strict=True)))
    return lstm.error(x, np.zeros((2, 1, 1)), state=(start, np.zeros((1, 1))))


@pytest.mark.parametrize("graph", [chain, lstm_of])
def test_hostile_names_survive(graphviz, graph):
    for i in range(0, len(HOSTILE), 10):
        names = HOSTILE[i : i + 10]
        loss = graph(names)
        root = ET.fromstring(draw(loss, title=names[0], gradients=gradients(loss))._repr_svg_())
        texts = {_plain(t.text) for t in root.iter(f"{SVG}text")}
        tooltips = "\n".join(a.get(TITLE) for a in root.iter(f"{SVG}a"))
        for name in names:
            shown = printable(name)
            assert _plain(shown if len(shown) <= 48 else shown[:47] + "…") in texts
            assert graph is lstm_of or shown[:2000] in tooltips.replace("\xa0", " ")


def _plain(text):
    return (text or "").replace("\xa0", " ").strip()


@pytest.mark.skipif(not (PROGRAM and EMBEDDED), reason="needs both a dot program and pygraphviz")
def test_both_ways_put_everything_in_the_same_place(monkeypatch):
    picture = draw(lstm_loss(9))
    one = _places(picture._repr_svg_())
    monkeypatch.setenv("PATH", "")
    other = _places(picture._repr_svg_())
    assert len(one) == len(other) > 100
    for (name, numbers), (same, near) in zip(one, other, strict=True):
        assert name == same
        np.testing.assert_allclose(
            near, numbers, atol=2.5
        )  # versions differ in where the tip of an arrow is


KINDS = ("node", "edge", "cluster")


def _places(svg):
    """The nodes, edges and frames with the numbers in their first shape; not the tables, which are
    as wide as a version finds their texts."""
    found = []
    for group in ET.fromstring(svg).iter(f"{SVG}g"):
        shape = next(
            (s for s in group.iter() if s.tag in (f"{SVG}path", f"{SVG}polygon", f"{SVG}ellipse")),
            None,
        )
        is_table = group.get("id") in ("title", "legend", "ledger")
        if shape is not None and group.get("class") in KINDS and not is_table:
            written = " ".join(shape.get(a, "") for a in ("d", "points", "cx", "cy", "rx", "ry"))
            found.append(
                (
                    group.find(f"{SVG}title").text,
                    [float(n) for n in re.findall(r"-?\d+\.?\d*", written)],
                )
            )
    return found


def test_positions_are_the_ones_given(graphviz):
    root = ET.fromstring(draw(lstm_loss(20))._repr_svg_())
    centres = {
        g.find(f"{SVG}title").text: e.get("cy")
        for g in root.iter(f"{SVG}g")
        if g.get("class") == "node"
        for e in g.iter(f"{SVG}ellipse")
    }
    assert len(set(centres.values())) == 3  # the c line, the row of write, the a line
    frames = [g for g in root.iter(f"{SVG}g") if g.get("class") == "cluster"]
    assert [f.find(f".//{SVG}text").text for f in frames] == [
        "block t = 1",
        "block t = 2",
        "… 16 blocks like these, t = 3 … 18, 48 forks …",
        "block t = 19",
        "block t = 20",
    ]


# From the command line.


def test_the_command_draw_has_the_options_of_the_function(tmp_path):
    words = [
        "--steps",
        "9",
        "--path",
        "W_f",
        "--path",
        "c<3>",
        "--as-printed",
        "--level",
        "blocks",
        "--expand",
        "3",
        "--parameters",
        "block",
    ]
    assert (
        main(["draw", "-o", str(tmp_path / "lstm.dot"), "--theme", "dark", "--wrap", "2", *words])
        == 0
    )
    dot = (tmp_path / "lstm.dot").read_text(encoding="utf-8")
    for said in (
        "━━► c&lt;3&gt;",
        "first wrong",
        "block t = 8: 16 stages",
        "4 blocks like these",
        "#12161a",
    ):
        assert said in dot
    assert re.search(r'^\t+"p\d-3" \[', dot, re.M)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--path", "W_g"], "did you mean"),
        (["--expand", "9"], "no such block"),
        (["--wrap", "0"], "from 1"),
    ],
)
def test_the_command_draw_refuses_in_one_line(tmp_path, capsys, words, said):
    assert main(["draw", "-o", str(tmp_path / "lstm.dot"), *words]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
