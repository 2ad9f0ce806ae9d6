"""The classic results, in a short form: each learns what it is there to show."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

CLASSIC = Path(__file__).parents[2] / "examples" / "classic"


def example(name):
    spec = importlib.util.spec_from_file_location(name, CLASSIC / f"{name}.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def beside(monkeypatch):
    """The scripts import what stands beside them."""
    monkeypatch.syspath_prepend(CLASSIC)


def quiet(line):
    """Say nothing."""


def test_a_word_of_the_grammar():
    reber = example("reber_grammar")
    rng = np.random.default_rng(0)
    for _ in range(20):
        text, may = reber.word(rng)
        assert text[1] == text[-1] and text[:1] == "B" and text[2] == "B"
        assert len(text) == len(may) and may[-1] == "E"
        assert all(later in follows for later, follows in zip(text[1:], may, strict=False))


def test_what_has_to_be_copied_and_added():
    copy, adding = example("copy_task"), example("adding_problem")
    x, said = copy.draw(np.random.default_rng(0), 4, 5, 3)
    assert x.shape == (11, 4, 10) and (x.argmax(axis=2)[:3] == said[-3:]).all()
    x, end, target = adding.draw(np.random.default_rng(0), 50, 100)
    marked = (x[..., 0] * x[..., 1]).sum(axis=0)
    np.testing.assert_allclose(target[:, 0], 0.5 + marked / 4)
    assert (x[..., 1].sum(axis=0) == 2).all() and (end.sum(axis=0) == 1).all()
    assert set(end[..., 0].argmax(axis=0) + 1) == set(range(100, 111))


@pytest.mark.slow
def test_seeds_are_trained_by_workers():
    words = [sys.executable, CLASSIC / "adding_problem.py", "--sequences=300", "--length=10"]

    def said(*more):
        run = subprocess.run([*words, "--seeds=2", *more], capture_output=True, text=True)
        assert (run.returncode, run.stderr) == (0, "")
        return run.stdout

    alone = said()
    assert said("--workers=2") == alone
    assert "ours, seed 1: " in alone


@pytest.mark.slow
def test_the_embedded_reber_grammar():
    _, _, share = example("reber_grammar").train(words=20_000, seed=1, say=quiet)
    assert share == 1


@pytest.mark.slow
def test_the_adding_problem():
    adding = example("adding_problem")
    model = adding.train(sequences=10_000, shortest=20, say=quiet)
    assert adding.wrong(model, np.random.default_rng(5), 500, 20) < 5


@pytest.mark.slow
def test_the_copy_task():
    copy = example("copy_task")
    model, *_ = copy.train(batches=1200, delay=5, count=2, say=quiet)
    assert copy.right(model, np.random.default_rng(5), 200, 5, 2) > 0.6


@pytest.mark.slow
def test_the_character_model():
    model, alphabet, numbers, _, unknown = example("character_model").train(
        epochs=3, units=32, length=20_000, rate=0.01, say=quiet
    )
    shares = np.bincount(numbers) / len(numbers)
    assert unknown < -np.sum(shares * np.log2(shares)) - 0.5
    text = example("character_model").write(model, alphabet, "Alice", 20, np.random.default_rng(0))
    assert len(text) == 25 and text.startswith("Alice")
