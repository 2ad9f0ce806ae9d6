"""Exercises: nothing of the solution is in the file, and an answer gets the mark it deserves."""

import csv
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from tinygrad_lstm import DataError, UnknownNameError, gradients
from tinygrad_lstm.cli.main import main
from tinygrad_lstm.exercises import check, derives, exercise
from tinygrad_lstm.exercises.networks import NETWORKS
from tinygrad_lstm.exercises.sandbox import Limits
from tinygrad_lstm.exercises.sheet import Sheet, written

OWN = """
import numpy as np
from tinygrad_lstm import Tensor, tanh

def loss():
    x = Tensor(np.array([[1.0], [2.0]]), True, "class")
    return tanh(x * x.sum() - 1.0).sum().named("a \\"loss\\"")
"""


def solved(task, change=None):
    """An answer with the right numbers, of which some are changed."""
    g, change = gradients(task.loss), change or {}
    text = written(task)
    for asked in task.asked:
        body = ""
        for key, t in asked.keys.items():
            value = change.get(key, f"np.array({np.asarray(g[key]).tolist()!r})")
            body += f"    if t == {t}:\n        return {value}\n" * (t is not None)
            body += f"    return {value}\n" * (t is None)
        head, function, rest = text.partition(f"def {asked.function}(")
        text = head + function + rest.replace("    return None\n", body, 1)
    return text


@pytest.fixture
def mark(tmp_path):
    def marked(text, seconds=10, **options):
        (tmp_path / "answer.py").write_text(text, encoding="utf-8")
        return check(tmp_path / "answer.py", limits=Limits(seconds), **options)

    return marked


def verdicts(marks):
    return {m.name: m.verdict for m in marks.marks}


@pytest.mark.parametrize("network", NETWORKS)
def test_forward_is_the_forward_of_the_network(network):
    task = exercise(network)
    space = {}
    exec(written(task), space)
    values = Sheet(task).values
    made = {str(task.loss.tape.name(s.output)) for s in task.loss.tape.stages}
    v = {name: value for name, value in values.items() if name not in made}
    space["forward"](v)
    assert set(v) == set(values)
    for name, value in values.items():
        np.testing.assert_allclose(v[name], value, rtol=1e-12)


@pytest.mark.parametrize("level", ["chain", "forks", "all"])
def test_a_right_answer_is_right_and_an_empty_one_is_not_done(mark, level):
    task = exercise("rnn", level, steps=2)
    assert not any(str(float(v)) in written(task) for v in gradients(task.loss)["W"].ravel())
    marks = mark(solved(task))
    assert marks
    assert marks.score == 1
    empty = mark(written(task))
    assert set(verdicts(empty).values()) == {"not done yet"}
    assert not empty
    assert empty.hints(4) == ""


def test_levels():
    chain, forks, both = (set(exercise("lstm", level).keys) for level in ("chain", "forks", "all"))
    assert "c<2> via keep<3>" in forks - chain
    assert "tanh_c<2>" in chain - forks
    assert chain | forks == both
    assert {"W_f @ 2", "c<2>", "W_f"} <= forks


def test_what_is_wrong_by_itself_and_what_inherits_it(mark):
    task = exercise("rnn", steps=2)
    text = solved(task, {"h<2>": "2 * v['h<2>']", "s<2>": "d['h<2>'] * (1 - v['h<2>']**2)"})
    marks = mark(text)
    found = verdicts(marks)
    assert found["h<2>"] == "wrong by itself"
    assert found["s<2>"] == "wrong because of another"
    assert next(m.note for m in marks.marks if m.name == "s<2>") == "h<2>"
    assert found["Error<2>"] == found["W"] == "right"
    assert "h<2>" in marks.hints(1)
    assert len(marks.hints(1)) < len(marks.hints(4))


@pytest.mark.parametrize(
    ("code", "verdict", "note"),
    [
        ("1 / 0", "fails", "raises ZeroDivisionError"),
        ("exit(0)", "fails", "raises SystemExit"),
        ("__import__('os')._exit(0)", "fails", "ended by itself, with status 0|was not run"),
        ("[x for x in iter(int, 1)]", "fails", "took longer than 1 s"),
        ("'text'", "fails", "returns str, no numbers"),
        ("np.ones(7)", "fails", "has shape"),
        ("d['nothing']", "not done yet", "waits for nothing"),
        ("__import__('tinygrad_lstm')", "fails", "cannot be used here"),
        ("np.ones(10**10)", "fails", "raises .*MemoryError|Unable to allocate"),
        ("v['W'].fill(0)", "not done yet", ""),
        ("np.array([[float('nan')] * 2])", "wrong by itself", ""),
        ("print('x' * 10**8)", "not done yet|fails", ""),
        ("__import__('os').remove('plan.json')", "not done yet", ""),
    ],
)
def test_a_wrong_or_hostile_answer_harms_nothing(mark, code, verdict, note):
    task = exercise("rnn", steps=1)
    marks = mark(solved(task, {"s<1>": code}), seconds=1)
    found = next(m for m in marks.marks if m.name == "s<1>")
    assert re.fullmatch(verdict, found.verdict), found
    assert re.search(note, found.note), found
    assert verdicts(marks)["Error"] == "right"
    assert not marks


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 0)() == 0, reason="root has no such limit")
def test_an_answer_starts_no_process(mark):
    task = exercise("rnn", steps=1)
    marks = mark(solved(task, {"s<1>": "__import__('os').fork()"}))
    assert "raises BlockingIOError" in next(m for m in marks.marks if m.name == "s<1>").note


def test_a_file_that_does_not_run(mark):
    task = exercise("rnn", steps=1)
    marks = mark(solved(task).replace("def d_W(", "def d_W(("))
    assert set(verdicts(marks).values()) == {"fails"}
    assert "the file does not run: SyntaxError" in marks.marks[0].note
    with pytest.raises(DataError, match="this is no exercise"):
        mark("print(1)")


def test_another_exercise_does_not_count(mark):
    easy = solved(exercise("softmax"))
    marks = mark(easy, exercise=exercise("rnn"))
    assert marks.right <= 1  # dError/dError


def test_what_is_required(mark):
    task = exercise("rnn", steps=1)
    text = solved(task, {"b": "None"})
    assert mark(text, required=["W", "h<1>"])
    assert not mark(text)
    with pytest.raises(UnknownNameError, match="does not ask for it"):
        mark(text, required=["Q"])


# The command line.


def test_commands(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["exercise", "rnn", "--steps", "2", "-o", "ex.py"]) == 0
    assert main(["exercise", "rnn", "-o", "ex.py"]) == 2
    assert "there already" in capsys.readouterr().err
    assert main(["check", "ex.py"]) == 1
    assert "0 of" in capsys.readouterr().out
    (tmp_path / "ex.py").write_text(solved(exercise("rnn", steps=2)), encoding="utf-8")
    assert main(["check", "ex.py", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["score"] == 1
    assert main(["check", "ex.py", "--exercise", "rnn --steps 3"]) == 1
    assert main(["check", "missing.py"]) == 2
    assert main(["exercise", "nonsense"]) == 2


def test_an_exercise_of_ones_own(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(OWN)
    assert main(["exercise", "own", "mine.py:loss", "--level", "all"]) == 0
    space = {}
    exec((tmp_path / "exercise.py").read_text(), space)
    task = exercise("mine.py:loss", "all")
    text = solved(task)
    (tmp_path / "exercise.py").write_text(text)
    assert main(["check", "exercise.py"]) == 0
    capsys.readouterr()
    (tmp_path / "bad.py").write_text("def loss():\n    return 3\n")
    for network in ("mine.py:missing", "no.py:loss", "bad.py:loss"):
        assert main(["exercise", "own", network, "-o", "x.py"]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert network in error
        assert not (tmp_path / "x.py").exists()


def test_a_class(tmp_path, capsys):
    folder = tmp_path / "class"
    folder.mkdir()
    task = exercise("rnn", steps=1)
    (folder / "ann.py").write_text(solved(task), encoding="utf-8")
    (folder / "bob.py").write_text(solved(task, {"s<1>": "exit()"}), encoding="utf-8")
    (folder / "=eve.py").write_text("no exercise", encoding="utf-8")
    given = ["--csv", str(tmp_path / "m.csv"), "--html", str(tmp_path / "m.html")]
    assert main(["check", str(folder), *given]) == 1
    rows = list(csv.DictReader((tmp_path / "m.csv").read_text(encoding="utf-8").splitlines()))
    assert [r["answer"] for r in rows] == ["'=eve", "ann", "bob"]
    assert [r["score"] for r in rows][:2] == ["0.000", "1.000"]
    assert rows[2]["s<1>"] == "fails"
    assert ">ann</td>" in (tmp_path / "m.html").read_text(encoding="utf-8")


# pytest.


def test_a_derivative_as_a_test():
    @derives("h<1>", lambda: exercise("rnn", steps=2).loss)
    def right(v, d):
        return (d["s<2>"] @ v["W"])[:, :2] + d["Error<1>"] * (v["h<1>"] - v["target<1>"])

    @derives("h<1>", lambda: exercise("rnn", steps=2).loss)
    def wrong(v, d):
        return (d["s<2>"] @ v["W"])[:, :2]

    right()
    with pytest.raises(AssertionError):
        wrong()


def test_pytest_runs_it(tmp_path):
    (tmp_path / "test_mine.py").write_text(
        "from tinygrad_lstm import Tensor\nfrom tinygrad_lstm.exercises import derives\n"
        "def loss():\n    return (Tensor(3.0, True, 'x') ** 2).named('y')\n"
        "@derives('x', loss)\ndef test_x(v, d):\n    return 2 * v['x'] * d['y']\n"
        "@derives('x', loss)\ndef test_wrong(v, d):\n    return v['x']\n"
    )
    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(run, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert "1 failed, 1 passed" in done.stdout
