"""What runs an answer, run here; and what is said where there is no answer to run."""

import json
import sys

import numpy as np
import pytest

from tinygrad_lstm import DataError
from tinygrad_lstm.cli.main import main
from tinygrad_lstm.exercises import check, exercise, runner
from tinygrad_lstm.exercises.marks import Marks
from tinygrad_lstm.exercises.sandbox import Answer

SOURCE = """
def right(v, d): return v["x"] * 2
def block(t, v, d): return d["a"] + t
def none(v, d): return None
def text(v, d): return "text"
def later(v, d): return d["none"]
def fails(v, d): return 1 / 0
def other(v, d):
    import torch
"""
ASKED = ["right", "block", "none", "text", "later", "fails", "other", "missing"]


@pytest.fixture
def said(tmp_path, monkeypatch):
    """What the functions of a source say, by name, and where they are written."""
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))

    def run(source):
        asked = [("a" if n == "right" else n, n, 3 if n == "block" else None) for n in ASKED]
        np.savez(tmp_path / "values.npz", np.array([1.0, 2.0]))
        plan = {"values": ["x"], "asked": asked, "source": source}
        (tmp_path / "plan.json").write_text(json.dumps(plan))
        runner.main(str(tmp_path))
        return {n: (tmp_path / f"{i}.txt").read_text() for i, n in enumerate(ASKED)}

    return run


def test_every_function_is_run_and_written_at_once(said, tmp_path):
    assert said(SOURCE) == {
        "right": "",
        "block": "",
        "none": "not done yet",
        "text": "returns str, no numbers",
        "later": "waits for none",
        "fails": "raises ZeroDivisionError: division by zero, line 7",
        "other": "raises ImportError: torch cannot be used here, line 9",
        "missing": "there is no function missing",
    }
    np.testing.assert_array_equal(np.load(tmp_path / "0.npy"), [2.0, 4.0])
    np.testing.assert_array_equal(np.load(tmp_path / "1.npy"), [5.0, 7.0])


def test_a_source_that_does_not_run(said):
    assert set(said("1 +").values()) == {
        "the file does not run: SyntaxError: invalid syntax (<answer>, line 1)"
    }


def test_marks_in_a_notebook():
    task = exercise("rnn", steps=1)
    marks = Marks(task, dict.fromkeys(task.keys, Answer(None, "raises <b>")), None, "ann")
    assert marks._repr_html_().count("<tr>") == 1 + len(task.keys)
    assert "raises &lt;b&gt;" in marks._repr_html_() and "0 of" in marks._repr_html_()
    assert repr(task) == f"<Exercise {task.spec}: {len(task.keys)} derivatives>"


def test_what_cannot_be_set_or_marked(tmp_path):
    with pytest.raises(DataError, match="no value of this network is read twice"):
        exercise("mlp", "forks")
    with pytest.raises(DataError, match="no level"):
        exercise("rnn", "everything")
    (tmp_path / "large.py").write_text("#" * (1 << 21))
    with pytest.raises(DataError, match="at most 1 MiB"):
        check(tmp_path / "large.py")
    (tmp_path / "lost.py").write_text(
        "# tinygrad-lstm exercise: no.py:f --level chain --steps 1 --seed 0"
    )
    with pytest.raises(DataError):
        check(tmp_path / "lost.py")


def test_a_mark_at_the_beginning_of_the_file_and_a_space_in_its_name(tmp_path, capsys):
    path = tmp_path / "my answer.py"
    assert main(["exercise", "attention", "--level", "forks", "-o", str(path)]) == 0
    assert f"check '{path}' --hints" in capsys.readouterr().out
    path.write_text("\ufeff" + path.read_text(encoding="utf-8"), encoding="utf-8")
    assert main(["check", str(path)]) == 1
    said = capsys.readouterr().out
    assert "x" in said and "not done yet" in said and "fails" not in said


def test_words_that_fit_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    for words, what in (
        (["exercise", "rnn", "lstm"], "name one network"),
        (["exercise", "own"], "name one network"),
        (["check", "x.py", "--csv", "t.csv"], "a table is made of a folder"),
        (["check", "x.py", "--exercise", "rnn --steps many"], "make no exercise"),
        (["check", "x.py", "--exercise", "rnn --wrong"], "make no exercise"),
        (["check", "empty"], "there is no answer"),
    ):
        assert main(words) == 2
        error = capsys.readouterr().err
        assert what in error and error.count("\n") == 1


def test_a_class_on_the_standard_output(tmp_path, capsys):
    (tmp_path / "eve.py").write_text("no exercise")
    assert main(["check", str(tmp_path)]) == 1
    assert capsys.readouterr().out.startswith("answer,right")
    assert main(["check", str(tmp_path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == []
