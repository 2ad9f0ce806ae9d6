"""The command line: what it prints, what it writes, its exit status, and how it refuses."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from tinygrad_lstm import DrawingError, gradients
from tinygrad_lstm.cli.main import command_line, main
from tinygrad_lstm.cli.problem import Problem, problem


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys):
    def run(*words):
        try:
            status = main([str(word) for word in words])
        except SystemExit as stop:  # --help and --version
            status = stop.code
        out, err = capsys.readouterr()
        return status, out, err

    return run


@pytest.fixture
def series(folder):
    path = folder / "s.csv"
    path.write_text("year,level,other\n1,10,x\n2,30,x\n3,20,x\n4,15,x\n")
    return path


def program(*words, **options):
    return subprocess.run(
        [sys.executable, "-m", "tinygrad_lstm", *words],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        **options,
    )


# The main job.

NAMES = ["W_f", "W_u", "W_c", "W_o", "b_f", "b_u", "b_c", "b_o", "x", "a<0>", "c<0>"]


def rows(out):
    """The table's rows by name: shape, the two errors, verdict."""
    found = re.findall(r"^(\S+) +(\([\d, ]*\)) +(\S+) +(\S+) +(.*)$", out, flags=re.MULTILINE)
    return {name: rest for name, *rest in found}


def test_demo_judges_every_gradient_and_draws(run, folder):
    status, out, err = run("demo", "--out", "pictures")
    assert (status, err) == (0, "")
    table = rows(out)
    assert sorted(table) == sorted(NAMES)
    assert [shape for shape, *_ in (table["W_f"], table["b_o"], table["x"], table["c<0>"])] == [
        "(4, 7)",
        "(4,)",
        "(3, 1, 3)",
        "(1, 4)",
    ]
    assert all(
        float(hand) < 1e-9 and float(numeric) < 1e-9 and verdict == "right"
        for _, hand, numeric, verdict in table.values()
    )
    assert "11 of 11 right" in out
    assert os.listdir(folder / "pictures") == ["lstm.svg"]
    assert (folder / "pictures" / "lstm.svg").stat().st_size > 10_000


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("loss", ["every", "last"])
def test_demo_counts_the_forks_of_the_derivation(run, monkeypatch, steps, loss):
    monkeypatch.setattr("tinygrad_lstm.cli.commands.demo.draw", lambda *args, **kwargs: None)
    status, out, _ = run("demo", "--steps", steps, "--loss", loss, "--batch", 2, "--units", 2)
    forks = 3 * steps + 6 if loss == "every" else 2 * steps + 7
    branches = 16 * steps - 4 if loss == "every" else 14 * steps - 2
    if steps == 1:
        forks, branches = 1, 4
    assert status == 0
    assert re.search(rf"^{forks} forks? with {branches} branches", out, flags=re.MULTILINE)
    assert ("x too" in out) == (steps > 1)


@pytest.mark.parametrize("judge", ["by hand", "numeric"])
def test_demo_fails_if_one_judge_disagrees_in_one_entry(run, monkeypatch, judge):
    monkeypatch.setattr("tinygrad_lstm.cli.commands.demo.draw", lambda *args, **kwargs: None)
    method = Problem.by_hand if judge == "by hand" else Problem.numeric

    def planted(self):
        found = dict(method(self))
        found["b_c"] = found["b_c"] * [1, 1, 1.001, 1]
        return found

    monkeypatch.setattr(Problem, method.__name__, planted)
    status, out, _ = run("demo")
    assert status == 1
    assert [name for name, row in rows(out).items() if row[-1] != "right"] == ["b_c"]
    assert f"{judge} wrong" in out
    assert "10 of 11 right" in out


@pytest.fixture
def long(monkeypatch):
    """Words for a demo whose x is too long to be differentiated by entry by entry."""
    monkeypatch.setattr("tinygrad_lstm.cli.commands.demo.draw", lambda *args, **kwargs: None)
    monkeypatch.setattr("tinygrad_lstm.cli.problem.ENTRIES", 20)
    monkeypatch.setattr("tinygrad_lstm.cli.problem.SUMS", 4)
    return ["demo", "--steps", 7, "--inputs", 3, "--units", 2]


def test_a_long_x_is_judged_in_sums_and_demo_says_so(run, long):
    status, out, _ = run(*long)
    assert status == 0
    assert (
        "numeric differentiation by each of 52 entries, and by the 21 of x in 4 random sums, "
        "each entry in one of them\n" in out
    )
    assert "11 of 11 right" in out
    _, out, _ = run("demo", "--steps", 7, "--inputs", 2, "--units", 2)  # 14 entries
    assert "by each of 58 entries\n" in out


@pytest.mark.parametrize("place", range(21))
def test_one_wrong_entry_of_a_long_x_is_seen(run, long, monkeypatch, place):
    def planted(loss):
        found = gradients(loss)
        changed = found["x"].copy()
        changed.flat[place] += 1e-7 * np.max(np.abs(changed))
        found._totals[found.find("x")] = changed
        return found

    monkeypatch.setattr("tinygrad_lstm.cli.commands.demo.gradients", planted)
    status, out, _ = run(*long)
    assert status == 1
    assert [(name, row[-1]) for name, row in rows(out).items() if row[-1] != "right"] == [
        ("x", "by hand wrong, numeric wrong")
    ]


def test_the_runs_of_the_numeric_judge_are_bounded(monkeypatch):
    case = problem(
        command_line().parse_args(["demo", "--steps", "1500", "--inputs", "1", "--units", "1"])
    )
    seen = []
    monkeypatch.setattr(
        "tinygrad_lstm.cli.problem.numeric_gradients",
        lambda f, *tensors: seen.extend(tensors) or tensors,
    )
    case.numeric()
    assert sum(tensor.size for tensor in seen) == 12 + 2 + 100


def test_demo_without_graphviz_still_judges(run, monkeypatch, folder):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    status, out, err = run("demo")
    assert (status, err) == (0, "")
    assert "11 of 11 right" in out
    assert out.splitlines()[-1].startswith("picture: ")  # all its positions are known without it
    assert os.listdir(folder / "out") == ["lstm.svg"]


def test_demo_fails_if_the_picture_does(run, monkeypatch):
    def broken(*args, **kwargs):
        raise DrawingError("Graphviz failed")

    monkeypatch.setattr("tinygrad_lstm.cli.commands.demo.draw", broken)
    assert run("demo")[::2] == (2, "tinygrad-lstm: error: Graphviz failed\n")


def test_a_seed_decides_everything(run):
    first, again, other = (run("compare", "--seed", seed)[1] for seed in (1, 1, 2))
    assert first == again != other


# A series.


def test_a_series_becomes_values_and_next_values(series, monkeypatch):
    seen = []
    error = Problem.error
    monkeypatch.setattr(Problem, "error", lambda self: seen.append(self) or error(self))
    assert main(["compare", "--data", str(series), "--column", "level"]) == 0
    (case,) = seen
    assert case.x.numpy().tolist() == [[[-1.0]], [[1.0]], [[0.0]]]
    assert case.targets.tolist() == [[[1.0, 1.0]], [[0.0, 0.0]], [[-0.5, -0.5]]]


def test_a_series_is_described(run, series):
    status, out, _ = run("compare", "--data", series, "--column", "level", "--steps", 2)
    assert status == 0
    assert "T = 2 blocks, N = 1, D = 1, H = 2" in out
    assert f"column level of {series}, 4 rows, scaled linearly from [10, 30] to [-1, 1]" in out


def test_the_shipped_series_is_found_by_name(run):
    status, out, _ = run("compare", "--data", "sunspots", "--steps", 2)
    assert status == 0
    assert "column sunspots of sunspots, 309 rows, scaled linearly from [0, 190.2]" in out


@pytest.mark.slow
def test_demo_on_the_whole_shipped_series(run, folder):
    status, out, _ = run("demo", "--data", "sunspots")
    assert status == 0
    assert "T = 308 blocks" in out
    assert "11 of 11 right" in out
    assert (folder / "out" / "lstm.svg").exists()


# The other commands.


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("loss", ["every", "last"])
def test_compare_is_right_by_hand_and_wrong_as_printed(run, steps, loss):
    assert run("compare", "--steps", steps, "--loss", loss)[0] == 0
    status, out, _ = run("compare", "--steps", steps, "--loss", loss, "--as-printed")
    wrong = re.findall(r"^(\S+) .*\bwrong\b", out, flags=re.MULTILINE)
    assert status == 1
    assert "c<0>" in wrong
    assert ("W_u" in wrong) == (steps > 1)  # at T = 1 nothing but dError/dc<0> is wrong


@pytest.mark.parametrize("suffix", ["svg", "dot"])
def test_draw_writes_the_file_asked_for(run, folder, suffix):
    (folder / "p").mkdir()
    status, out, _ = run("draw", "--steps", 2, "-o", f"p/two.{suffix}")
    assert (status, out) == (0, f"picture: {os.path.join('p', 'two')}.{suffix}\n")
    assert os.listdir(folder / "p") == [f"two.{suffix}"]


def test_help_and_version(run):
    for words in (["--help"], ["demo", "--help"], ["compare", "--help"], ["draw", "--help"]):
        status, out, err = run(*words)
        assert (status, err) == (0, "")
        assert out.startswith("usage: tinygrad-lstm")
    assert re.fullmatch(r"tinygrad-lstm \d+\.\d+\.\d+\n", run("--version")[1])


# Refusals.

BAD = {
    "no command": ([], ["COMMAND"]),
    "unknown command": (["dance"], ["'dance'"]),
    "unknown option": (["demo", "--stepz", "3"], ["--stepz"]),
    "abbreviated option": (["demo", "--step", "3"], ["--step"]),
    "zero": (["demo", "--steps", "0"], ["--steps", "from 1", "'0'"]),
    "negative": (["compare", "--units", "-3"], ["--units", "from 1", "'-3'"]),
    "fraction": (["draw", "--batch", "1.5"], ["--batch", "whole number", "'1.5'"]),
    "too large": (["demo", "--inputs", "10000000"], ["--inputs", "to 1000000"]),
    "negative seed": (["demo", "--seed", "-1"], ["--seed", "from 0"]),
    "unknown loss": (["demo", "--loss", "first"], ["--loss", "'first'"]),
    "column without data": (["demo", "--column", "level"], ["--column", "--data"]),
    "no such file": (["demo", "--data", "none.csv"], ["none.csv", "No such file", "sunspots"]),
    "no such column": (
        ["demo", "--data", "s.csv", "--column", "depth"],
        ["s.csv", "year, level, other", "'depth'"],
    ),
    "not a number": (["demo", "--data", "s.csv"], ["s.csv", "line 2", "column other", "'x'"]),
    "too few rows": (
        ["demo", "--data", "s.csv", "--column", "level", "--steps", "4"],
        ["s.csv", "5", "got 4"],
    ),
    "one row": (["demo", "--data", "one.csv"], ["one.csv", "got 1"]),
    "no rows": (["demo", "--data", "head.csv"], ["head.csv", "no row"]),
    "always the same": (["demo", "--data", "flat.csv"], ["column v", "two different", "5 to 5"]),
    "ragged": (
        ["demo", "--data", "ragged.csv"],
        ["ragged.csv", "line 3", "expected 2 cells, got 1"],
    ),
    "empty cell": (["demo", "--data", "gap.csv"], ["gap.csv", "line 3", "missing"]),
    "width of a series": (["demo", "--data", "s.csv", "--inputs", "2"], ["--inputs", "got 2"]),
    "output is a file": (["demo", "--out", "s.csv"], ["s.csv", "--out"]),
    "output below a file": (["demo", "--out", "s.csv/deep"], ["s.csv", "--out"]),
    "picture below a file": (["draw", "-o", "s.csv/lstm.svg"], ["s.csv", "-o"]),
    "picture of unknown kind": (["draw", "-o", "lstm.xyz"], ["lstm.xyz"]),
    "picture of unknown kind in a new folder": (
        ["draw", "-o", "new/deep/lstm.gif"],
        ["new/deep/lstm.gif", "-o", ".svg, .png, .pdf, .dot"],
    ),
    "picture is a folder": (["draw", "-o", "taken.svg"], ["taken.svg"]),
    "no such page": (["draw", "--width", "poster"], ["--width", "readme, slide, a4", "'poster'"]),
    "no index": (["draw", "--entry", "a"], ["--entry", "such as 0,2", "'a'"]),
    "no such entry": (["draw", "--entry", "0,9"], ["entry=", "(1, 4)", "(0, 9)"]),
}


@pytest.mark.parametrize(("words", "parts"), BAD.values(), ids=BAD)
def test_bad_input_gets_one_line_and_status_2(run, folder, series, words, parts):
    for name, text in {
        "one": "v\n1\n",
        "head": "v\n",
        "flat": "v\n5\n5\n5\n",
        "ragged": "a,b\n1,2\n3\n",
        "gap": "a,b\n1,2\n3,\n4,5\n",
    }.items():
        (folder / f"{name}.csv").write_text(text)
    (folder / "taken.svg").mkdir()
    before = sorted(folder.rglob("*"))
    status, out, err = run(*words)
    assert status == 2
    assert re.fullmatch(r"tinygrad-lstm: error: [^\n]+\n", err)
    assert out == ""
    for part in parts:
        assert part in err
    assert sorted(folder.rglob("*")) == before  # nothing half-written


def test_the_folder_is_checked_before_anything_is_computed(run, folder, monkeypatch):
    monkeypatch.setattr(Problem, "error", lambda self: pytest.fail("computed first"))
    (folder / "out").write_text("in the way")
    assert run("demo")[0] == 2


@pytest.mark.parametrize(
    "words",
    [
        ["demo", "--out", "new/deep"],
        ["demo", "--out", "old/deep"],
        ["draw", "-o", "new/deep/lstm.svg"],
    ],
)
def test_a_folder_made_in_vain_is_removed(run, folder, monkeypatch, words):
    def greedy(self):
        assert (folder / words[-1]).exists() or (folder / words[-1]).parent.exists()
        raise MemoryError

    (folder / "old").mkdir()
    monkeypatch.setattr(Problem, "error", greedy)
    assert run(*words)[0] == 2
    assert list(folder.rglob("*")) == [folder / "old"]


def test_a_folder_that_holds_something_stays(run, folder, monkeypatch):
    def broken(loss, path, **options):
        path.with_suffix(".dot").write_text("kept")
        raise DrawingError("Graphviz failed")

    monkeypatch.setattr("tinygrad_lstm.cli.commands.demo.draw", broken)
    assert run("demo", "--out", "new/deep")[0] == 2
    assert (folder / "new" / "deep" / "lstm.dot").read_text() == "kept"


def test_out_of_memory_is_one_line(run, monkeypatch):
    def greedy(self):
        raise MemoryError

    monkeypatch.setattr(Problem, "error", greedy)
    assert run("compare") == (2, "", "tinygrad-lstm: error: out of memory; choose smaller sizes.\n")


def test_a_closed_output_is_said(monkeypatch, capfd):
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["compare"]) == 2
    assert "the standard output is closed" in capfd.readouterr().err


def test_an_interrupt_is_quiet(run, monkeypatch):
    def interrupted(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(Problem, "error", interrupted)
    assert run("compare") == (130, "", "")


# As a process of its own.


def test_the_module_is_the_program():
    assert program("--version").stdout.startswith("tinygrad-lstm ")
    bad = program("demo", "--steps", "0")
    assert (bad.returncode, bad.stdout, bad.stderr.count("\n")) == (2, "", 1)
    assert program("compare", "--as-printed").returncode == 1


def test_a_reader_that_goes_away_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    run = subprocess.run(
        [sys.executable, "-m", "tinygrad_lstm", "compare"],
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=120,
    )
    os.close(writer)
    assert (run.returncode, run.stderr) == (141, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, which only Linux has")
def test_a_full_disk_is_one_line():
    with open("/dev/full", "w") as full:
        run = subprocess.run(
            [sys.executable, "-m", "tinygrad_lstm", "compare"],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=120,
        )
    assert run.returncode == 2
    assert run.stderr.count(b"\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="needs a shell that can close a stream")
@pytest.mark.parametrize("words", ["compare", "demo", "draw -o p/x.svg", "--help"])
def test_a_closed_output_is_one_line(folder, words):
    run = subprocess.run(
        ["sh", "-c", f'"$0" -m tinygrad_lstm {words} >&-', sys.executable],
        stderr=subprocess.PIPE,
        timeout=120,
    )
    assert run.returncode == 2
    assert re.fullmatch(rb"tinygrad-lstm: error: the standard output is closed[^\n]*\n", run.stderr)
    assert os.listdir(folder) == []


def test_a_terminal_that_knows_no_greek():
    run = program("compare", "--steps", "1", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (run.returncode, run.stderr) == (0, "")
    assert "c<0>" in run.stdout


def test_explain(capsys):
    assert main(["explain", "--wrt", "c<2>", "--units", "2", "--numbers"]) == 0
    out = capsys.readouterr().out.splitlines()
    line = "δc<2> = δtanh_c<2> ∘ (1 − tanh_c<2>²) + δkeep<3> ∘ Γ_f<3>"
    assert out[-4].startswith(line) and out[-4].endswith("  (1, 2)")
    assert out[-1].startswith("computed as written, shape (1, 2): right")
    assert main(["explain", "--view", "rolled", "--wrt", "gamma_f<2>", "--steps", "5"]) == 0
    assert "T = 5" in capsys.readouterr().out
    assert main(["explain", "--through", "c<2>", "--shapes"]) == 0
    assert ": right" in capsys.readouterr().out.splitlines()[-1]
    assert main(["explain", "--latex", "--view", "expanded", "--depth", "3"]) == 0
    assert capsys.readouterr().out.startswith("\\begin{eqnarray*}\n\\delta W_{f} & = & ")


def test_explain_python(capsys):
    assert main(["explain", "--python", "--steps", "2"]) == 0
    text = capsys.readouterr().out
    assert text.startswith('"""Backpropagation in NumPy') and "    return {" in text
    compile(text, "backward.py", "exec")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--wrt", "Wf"], "did you mean 'W_f'?"),
        (["--wrt", "c<3>", "--through", "c<1>"], "no path leads through"),
        (["--view", "expanded", "--steps", "9"], "give depth="),
        (["--view", "rolled", "--depth", "2"], "no such option"),
        (["--depth", "-1", "--view", "expanded"], "a whole number from 0"),
    ],
)
def test_what_cannot_be_explained_is_refused_in_one_line(capsys, arguments, says):
    assert main(["explain", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and says in err
