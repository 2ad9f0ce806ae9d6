"""The pictures that the repository ships are the ones that its example makes today."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from test_viz_picture import EMBEDDED, PROGRAM

EXAMPLES = Path(__file__).parents[1] / "examples"
PICTURES = sorted(path.name for path in EXAMPLES.glob("lstm*.svg"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder with the pictures of today."""
    if not (PROGRAM or EMBEDDED):
        pytest.skip("there is neither a dot program nor pygraphviz")
    folder = tmp_path_factory.mktemp("gallery")
    subprocess.run([sys.executable, EXAMPLES / "unrolled_picture.py"], cwd=folder, check=True, capture_output=True, timeout=120)
    return folder


def content(file):
    """What a picture shows: texts, tooltips and ids. Versions of Graphviz differ in the rest."""
    svg = file.read_text(encoding="utf-8")
    said = re.sub(r"(title|desc)-[0-9a-f]{8}", r"\1", svg)
    return (
        re.findall(r"<text[^>]*>([^<]*)", said),
        re.findall(r'xlink:title="([^"]*)"', said),
        re.findall(r'<g id="([^"]*)" class="(?:node|edge)"', said),
    )


def test_every_picture_is_there(made):
    assert sorted(path.name for path in made.iterdir()) == PICTURES
    assert len(PICTURES) == 5


@pytest.mark.parametrize("name", PICTURES)
def test_a_shipped_picture_is_the_one_made_today(made, name):
    numbers = re.compile(r"\d\.\d{5,}(e-\d+)?")  # the last digits in tooltips differ between processors
    for today, shipped in zip(content(made / name), content(EXAMPLES / name), strict=True):
        assert [numbers.sub("", text) for text in today] == [numbers.sub("", text) for text in shipped]
