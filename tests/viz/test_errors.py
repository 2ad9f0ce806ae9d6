"""What can go wrong on the way to a picture: a clear error of one line, and no file that is not
whole."""

import os
import re
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cases import EMBEDDED, PROGRAM, rnn_loss, square

from tinygrad_lstm import DrawingError, Error, Tensor, block, gradients
from tinygrad_lstm.viz import draw
from tinygrad_lstm.viz.image import render


@pytest.fixture
def anywhere():
    """Some way to draw."""
    return PROGRAM or EMBEDDED or pytest.skip("there is neither a dot program nor pygraphviz")


def program(folder, text, monkeypatch):
    """Put a shell script in the place of the dot program."""
    script = folder / "dot"
    script.write_text(f"#!/bin/sh\n{text}\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("picture.gif", "expected .svg, .png, .pdf, .dot"),
        ("picture", "expected .svg"),
        ("missing/picture.svg", "the folder does not exist"),
        ("occupied.svg", "cannot be written"),
        (f"{'x' * 300}.svg", "cannot be written"),
    ],
)
def test_a_file_that_cannot_be_written(anywhere, tmp_path, file, said):
    (tmp_path / "occupied.svg").mkdir()
    with pytest.raises(DrawingError, match=re.escape(said)) as caught:
        draw(square(), tmp_path / file)
    assert "\n" not in str(caught.value)
    assert [f.name for f in tmp_path.iterdir()] == ["occupied.svg"]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo half a picture; echo 'Error: out of order' >&2; exit 1", "Error: out of order"),
        ("kill -SEGV $$", "exit status"),
        ("exit 0", "exit status 0"),
        ("exec sleep 30", "took too long"),
        ("sleep 30", "took too long"),
        ("printf '\\211PNG\\r\\n half'", "no whole png"),
        ("echo 'no picture at all'", "exit status 0, and no whole png"),
        (
            "echo 'dot: graph is too large for cairo-renderer bitmaps. Scaling by 0.5 to fit' "
            ">&2; echo small",
            "too large for a PNG",
        ),
    ],
)
def test_a_dot_program_that_fails(monkeypatch, tmp_path, script, said):
    out = tmp_path / "out"
    out.mkdir()
    program(tmp_path, script, monkeypatch)
    with pytest.raises(DrawingError, match=re.escape(said)) as caught:
        draw(square(), out / "picture.png", timeout=0.5)
    assert "\n" not in str(caught.value)
    assert f"its DOT text is in {out / 'picture.dot'}" in str(caught.value)
    assert [f.name for f in out.iterdir()] == ["picture.dot"]
    assert (out / "picture.dot").read_text(encoding="utf-8") == draw(square()).dot


def test_without_graphviz_the_text_is_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(render.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DrawingError, match=r'pip install "tinygrad-lstm\[dot\]"') as caught:
        draw(square(), tmp_path / "picture.svg")
    assert "picture.dot" in str(caught.value)
    assert [f.name for f in tmp_path.iterdir()] == ["picture.dot"]
    assert (tmp_path / "picture.dot").read_text(encoding="utf-8") == draw(square()).dot
    with pytest.raises(DrawingError, match="no Graphviz"):
        draw(square())._repr_svg_()


@pytest.mark.parametrize(
    ("loss", "options", "said"),
    [
        (3.0, {}, "expected a Tensor, got float"),
        (Tensor(3.0), {}, "no graph to draw"),
        (square(), {"theme": "pink"}, "expected light or dark, got 'pink'"),
        (square(), {"theme": ["light"]}, "expected light or dark, got ['light']"),
        (square(), {"blocks": 0}, "expected a whole number from 1, or None"),
        (square(), {"blocks": True}, "expected a whole number from 1, or None"),
        (
            square(),
            {"gradients": {"x": 1.0}},
            "expected what gradients(loss) returned, or None, got {'x': 1.0}",
        ),
        (square(), {"title": 5}, "expected a string, or None, got 5"),
        (
            square(),
            {"level": "stage"},
            "expected stages or gates or rolled or block or blocks, got 'stage'",
        ),
        (square(), {"expand": "2"}, "expected whole numbers of blocks, got '2'"),
        (square(), {"expand": 2}, "there is no such block"),
        (square(), {"parameters": "never"}, "expected once or block, got 'never'"),
        (square(), {"path": 5}, "expected a name or a Tensor, or several, got 5"),
        (square(), {"comparison": True}, "expected what compare(...) returned, or None, got True"),
        (square(), {"timeout": "a"}, "expected a number of seconds"),
        (square(), {"timeout": float("inf")}, "expected a number of seconds"),
        (square(), {"gradients": gradients(square())}, "belong to another graph"),
    ],
)
def test_arguments_that_make_no_sense(tmp_path, loss, options, said):
    with pytest.raises(DrawingError, match=re.escape(said)) as caught:
        draw(loss, tmp_path / "picture.svg", **options)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "file", [5, b"picture.svg", "picture\0.svg", "\ud800.svg", ["picture.svg"]]
)
def test_what_cannot_be_the_name_of_a_file(file):
    with pytest.raises(DrawingError, match="cannot be the name of a file"):
        draw(square(), file)


def test_a_line_break_in_the_name_of_a_file_stays_out_of_the_message(tmp_path):
    with pytest.raises(DrawingError) as caught:
        draw(square(), tmp_path / "a\nb" / "c\nd.svg")
    assert "\n" not in str(caught.value)


def with_name(name):
    return Tensor(2.0, True, name) ** 2


def with_blocks(*numbers):
    x = Tensor(2.0, True)
    for number in numbers:
        with block(number):
            x = x * 2.0
    return x


@pytest.mark.parametrize(
    ("make", "given"),
    [(with_name, [5]), (with_blocks, ["a", 1]), (with_blocks, ["a"]), (with_blocks, [1.5])],
)
def test_names_that_are_no_text_and_blocks_that_are_no_numbers(make, given):
    with pytest.raises(Error) as caught:  # where it was given, or at the latest where it is drawn
        draw(make(*given))
    assert "\n" not in str(caught.value)


def test_an_old_picture_survives_a_failure(monkeypatch, tmp_path):
    out = tmp_path / "picture.svg"
    out.write_text("old")
    program(tmp_path, "exit 1", monkeypatch)
    with pytest.raises(DrawingError):
        draw(square(), out)
    assert out.read_text() == "old"


def test_a_file_name_without_a_folder(anywhere, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    draw(square(), "picture.svg").save("again.svg")
    assert Path("again.svg").read_bytes() == Path("picture.svg").read_bytes()


def test_two_draws_at_once_do_not_disturb_each_other(anywhere, tmp_path):
    losses = [with_name(f"x{i}") for i in range(4)]
    one, other = tmp_path / "same.svg", [tmp_path / f"own{i}.svg" for i in range(4)]
    jobs = [(loss, file) for i, loss in enumerate(losses) for file in (one, other[i])]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda job: draw(*job), jobs))
    for loss, file in zip(losses, other, strict=True):
        assert file.read_text(encoding="utf-8") == draw(loss)._repr_svg_()
    assert one.read_text(encoding="utf-8") in {
        file.read_text(encoding="utf-8") for file in other
    }  # whole, whichever was the last
    assert sorted(tmp_path.iterdir()) == sorted([one, *other])


def test_the_longest_name_of_a_file(anywhere, tmp_path):
    file = tmp_path / f"{'x' * 251}.svg"
    draw(square(), file)
    assert [f.name for f in tmp_path.iterdir()] == [file.name]


def test_where_even_the_text_cannot_be_kept(monkeypatch, tmp_path):
    out = tmp_path / "out"
    (out / "picture.dot").mkdir(parents=True)
    program(tmp_path, "exit 1", monkeypatch)
    with pytest.raises(DrawingError, match="Graphviz failed") as caught:
        draw(square(), out / "picture.svg")
    assert "picture.dot" not in str(caught.value)


def test_what_graphviz_started_ends_with_it(monkeypatch, tmp_path):
    program(tmp_path, f"(sleep 1; echo late > {tmp_path}/late) & wait", monkeypatch)
    with pytest.raises(DrawingError, match="took too long"):
        draw(square(), timeout=0.3)._repr_svg_()
    time.sleep(1.2)
    assert not (tmp_path / "late").exists()


def test_a_cell_that_takes_too_long_ends_in_the_same_error(monkeypatch, tmp_path):
    program(tmp_path, "exec sleep 30", monkeypatch)
    start = time.monotonic()
    with pytest.raises(DrawingError, match=r"took too long.*picture.dot"):
        draw(rnn_loss(3), tmp_path / "picture.svg", timeout=0.3)
    assert time.monotonic() - start < 30
