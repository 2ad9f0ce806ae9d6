"""train and forecast, as they are typed."""

import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from tinygrad_lstm import nn
from tinygrad_lstm.cli import progress
from tinygrad_lstm.cli.main import main
from tinygrad_lstm.training import Run

SMALL = "--window 6 --units 2 --batch 100 --validation 20 --test 30 --seed 1".split()


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(*words):
        status = main([str(word) for word in words])
        return status, *capsys.readouterr()

    return run


def test_train_then_forecast(run, tmp_path):
    status, out, err = run("train", "--data", "sunspots", "--epochs", 2, *SMALL)
    assert (status, err) == (0, "")
    assert "259 for training" in out and "(1979 to 2008) held out" in out
    for row in ("epoch 2 of 2", "lstm, 1 x 2 units", "persistence", "linear autoregression"):
        assert row in out
    assert "the best baseline's" in out
    assert set(os.listdir("out")) - {"loss.svg", "forecast.svg"} == {"run.ckpt"}
    status, out, _ = run("forecast", "--checkpoint", "out/run.ckpt", "--steps", 3)
    lines = out.splitlines()
    assert status == 0 and lines[0] == "time,sunspots"
    assert [line.partition(",")[0] for line in lines[1:]] == ["2009", "2010", "2011"]
    again, out, _ = run("train", "--resume", "out/run.ckpt")  # it has ended: the table again
    assert again == 0 and "2 epochs" in out


@pytest.mark.slow
def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path):
    words = [sys.executable, "-u", "-m", "tinygrad_lstm", "train"]
    arguments = ["--data", "sunspots", "--epochs", "40", *SMALL, "--patience", "40"]

    def finish(*more):
        done = subprocess.run([*words, *more], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    process = subprocess.Popen(
        [*words, *arguments, "--checkpoint", "cut.ckpt"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout:
        if line.startswith("epoch 2 "):
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert err.startswith("stopped after epoch ") and err.count("\n") == 1
    assert "tinygrad-lstm train --resume cut.ckpt" in err
    finish("--resume", "cut.ckpt")
    finish(*arguments, "--checkpoint", "whole.ckpt")
    cut, whole = (nn.load(tmp_path / name) for name in ("cut.ckpt", "whole.ckpt"))
    assert cut["history"] == whole["history"]
    for name, value in whole["model"].items():
        np.testing.assert_array_equal(cut["model"][name], value)


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["train"], ["--data", "--resume", "required"]),
        (["train", "--data", "missing.csv"], ["missing.csv", "cannot be read"]),
        (["train", "--data", "sunspots", "--column", "x"], ["one of year, sunspots"]),
        (["train", "--data", "sunspots", "--window", "400"], ["too short"]),
        (["train", "--data", "sunspots", "--rate", "0"], ["--rate", "above 0"]),
        (["train", "--resume", "x", "--units", "3"], ["--units", "begun with"]),
        (["train", "--resume", "missing"], ["missing", "cannot be read"]),
        (["forecast"], ["--checkpoint"]),
        (["forecast", "--checkpoint", "missing"], ["cannot be read"]),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(run, tmp_path, words, parts):
    status, out, err = run(*words)
    assert (status, out, err.count("\n")) == (2, "", 1)
    for part in parts:
        assert part in err
    assert os.listdir(tmp_path) == []


def test_an_interrupted_run_is_kept_and_says_how_to_go_on(run, monkeypatch):
    whole = Run.fit

    def interrupted(self, after=None, **who):
        def stop(training):
            after(training)
            raise KeyboardInterrupt

        whole(self, stop, **who)

    monkeypatch.setattr(Run, "fit", interrupted)
    status, _, err = run("train", "--data", "sunspots", "--epochs", 2, *SMALL)
    assert status == 130
    assert err == (
        "stopped after epoch 1; go on with: tinygrad-lstm train --resume out/run.ckpt\n"
    ).replace("/", os.sep)
    monkeypatch.setattr(Run, "fit", whole)
    status, out, _ = run("train", "--resume", "out/run.ckpt")
    assert status == 0 and "persistence" in out


def test_a_terminal_has_a_bar(monkeypatch, capsys):
    shown = []
    bar = SimpleNamespace(
        set_postfix_str=lambda text, refresh: shown.append(text),
        update=lambda: shown.append("+"),
        close=lambda: shown.append("closed"),
    )
    tqdm = SimpleNamespace(tqdm=lambda *args, **options: bar)
    monkeypatch.setitem(sys.modules, "tqdm", tqdm)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with progress.Progress() as view:
        view.show("epoch", 1, 2, 0.5, 0.25)
    assert shown == ["loss 0.5, validation 0.25", "+", "closed"]
    monkeypatch.setitem(sys.modules, "tqdm", None)  # is not installed
    with progress.Progress() as view:
        view.show("epoch", 1, 2, 0.5)
    assert "epoch 1 of 2: loss 0.5" in capsys.readouterr().out
