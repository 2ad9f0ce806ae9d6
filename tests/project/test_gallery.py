"""The pictures of the site are those that the code makes today: compared by how they look, not byte
by byte.

Versions of Graphviz and matplotlib write the same picture as different text.
"""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cases import EMBEDDED, PROGRAM, lstm_loss, square
from looks import differences, look

from tinygrad_lstm import gradients
from tinygrad_lstm.viz import draw

ROOT = Path(__file__).parents[2]
GALLERY, KEPT = ROOT / "examples" / "gallery.py", ROOT / "docs" / "pictures"
PICTURES = runpy.run_path(str(GALLERY))["PICTURES"]


def test_the_gallery_makes_every_picture_that_is_shown():
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    shown = set(re.findall(r"pictures/(\w+\.\w+)", text))
    assert shown == set(PICTURES) == {path.name for path in KEPT.iterdir()}


COLUMN = 830  # px: README's on GitHub, and about the site's
SMALLEST = {  # px of the smallest text in that column
    "lstm_gates.svg": 12,
    "lstm_gates_dark.svg": 12,
    "lstm_ways.svg": 9,
    "lstm_audit.svg": 9,
    "lstm_blocks.svg": 9,
    "lstm_rolled.svg": 9,
    "lstm_rolled_dark.svg": 9,
    "layers.svg": 9,
    "layers_dark.svg": 9,
    "directions.svg": 9,
    "layers_rolled.svg": 9,
    "lstm.svg": 6,  # every stage of three blocks, to be opened by itself
    "lstm_dark.svg": 6,
    "gradient_flow.svg": 9,
    "gates.svg": 9,
    "loss_curves.svg": 9,
}


@pytest.mark.parametrize("name", PICTURES)
def test_the_smallest_text_is_legible(name):
    svg = (KEPT / name).read_text(encoding="utf-8")
    width = float(re.search(r'viewBox="[\d.]+ [\d.]+ ([\d.]+)', svg)[1])
    sizes = re.findall(r'font-size(?:="|: )([\d.]+)', svg)
    assert min(map(float, sizes)) * min(COLUMN / width, 4 / 3) >= SMALLEST[name]


@pytest.mark.slow
def test_the_pictures_are_those_that_the_code_makes_today(tmp_path):
    pytest.importorskip("matplotlib")
    if not (PROGRAM or EMBEDDED):
        pytest.skip("there is neither a dot program nor pygraphviz")
    run = subprocess.run(
        [sys.executable, GALLERY],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert {path.name for path in tmp_path.iterdir()} == set(PICTURES)
    changed = [
        f"{name}: {line}"
        for name in PICTURES
        for line in differences(look(KEPT / name), look(tmp_path / name))
    ]
    assert changed == [], "to make them again: cd docs/pictures; python ../../examples/gallery.py"


# The comparison itself: it finds what a reader would see, and nothing else.


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    if not (PROGRAM or EMBEDDED):
        pytest.skip("there is neither a dot program nor pygraphviz")
    file = tmp_path_factory.mktemp("looks") / "square.svg"
    z = square()
    draw(z, file, gradients=gradients(z))
    return file


@pytest.mark.parametrize(
    ("pattern", "replacement", "said"),
    [
        (">z<", ">w<", r"text 'z': \d and \d times"),
        ("<ellipse[^>]*>", "", "shape: "),
        ('fill="#c00418"', 'fill="#0418c0"', r"fill \(192, 4, 24\)"),
        ('stroke="#[^"]*"', 'stroke="none"', "stroke "),
        ('transform="scale', 'transform="translate(40 0) scale', "moved by 0.0"),
        (r'viewBox="0.00 0.00 (\d+)', r'viewBox="0.00 0.00 9\1', "moved by"),
    ],
)
def test_a_change_that_can_be_seen_is_found(picture, tmp_path, pattern, replacement, said):
    before = picture.read_text(encoding="utf-8")
    after = tmp_path / "changed.svg"
    after.write_text(re.sub(pattern, replacement, before), encoding="utf-8")
    assert after.read_text(encoding="utf-8") != before
    assert any(re.search(said, line) for line in differences(look(picture), look(after)))


def test_a_change_that_cannot_be_seen_is_none(picture, tmp_path):
    text = picture.read_text(encoding="utf-8")
    other = re.sub("<!--.*?-->", "", text, flags=re.DOTALL).replace('id="node', 'id="other')
    other = re.sub('xlink:title="[^"]*"', 'xlink:title="a tooltip"', other)
    other = re.sub(r"\b(\d+\.\d\d)\b", lambda found: f"{float(found[1]) + 0.01:.3f}", other)
    assert other != text
    (tmp_path / "other.svg").write_text(other, encoding="utf-8")
    assert list(differences(look(picture), look(tmp_path / "other.svg"))) == []


def test_two_versions_of_graphviz_look_the_same(tmp_path, monkeypatch):
    if not (PROGRAM and EMBEDDED):
        pytest.skip("needs a dot program and pygraphviz")
    loss = lstm_loss(
        2
    )  # whose positions are ours; a graph that Graphviz lays out follows its fonts
    shown = draw(loss, tmp_path / "program.svg", gradients=gradients(loss))
    monkeypatch.setenv("PATH", "")
    shown.save(tmp_path / "embedded.svg")
    assert list(differences(look(tmp_path / "program.svg"), look(tmp_path / "embedded.svg"))) == []


@pytest.mark.parametrize(
    ("numbers", "title", "theme", "said"),
    [
        ([3, 2, 1, 1], "Error", "light", None),
        ([3, 2, 1, 1.02], "Error", "light", None),
        ([3, 2.3, 1, 1], "Error", "light", "shape.*moved by"),
        ([3, 2, 1, 1], "Loss", "light", "text 'Loss'"),
        ([3, 2, 1, 1], "Error", "dark", "fill"),
    ],
)
def test_a_change_of_a_plot_is_found(tmp_path, numbers, title, theme, said):
    matplotlib = pytest.importorskip("matplotlib")
    pyplot = pytest.importorskip("matplotlib.pyplot")
    from tinygrad_lstm.viz import plot

    def save(numbers, title, theme, file):
        with matplotlib.rc_context({"svg.fonttype": "none"}):
            ax = plot.loss_curves(numbers, theme=theme)
            ax.set_title(title)
            ax.figure.savefig(file)
            pyplot.close(ax.figure)
        return look(file)

    found = list(
        differences(
            save([3, 2, 1, 1], "Error", "light", tmp_path / "a.svg"),
            save(numbers, title, theme, tmp_path / "b.svg"),
        )
    )
    assert any(re.search(said, line) for line in found) if said else found == []


@pytest.mark.parametrize("gain", [1.0, 0.5])
def test_a_change_of_a_heat_map_is_found(tmp_path, gain):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    for name, factor in (("a.svg", 1.0), ("b.svg", gain)):
        figure, ax = pyplot.subplots()
        ax.imshow(factor * np.arange(12.0).reshape(3, 4), vmin=0, vmax=11)
        figure.savefig(tmp_path / name)
        pyplot.close(figure)
    found = list(differences(look(tmp_path / "a.svg"), look(tmp_path / "b.svg")))
    assert (found == []) == (gain == 1.0)
    assert gain == 1.0 or "other pixels" in found[0]
