"""What a user's checker sees: no error in correct code, each slip found, no unknown types."""

import ast
import importlib.util
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

CORRECT = """\
import numpy as np
from tinygrad_lstm import (
    LSTM, Gradients, Tensor, add_n, block, by_hand, checkpoint, compare, concatenate, explain, grad,
    gradcheck, gradients, linear, no_grad, paths, relu, softmax, stage, sum, tanh, where,
)
from tinygrad_lstm.viz import draw

x = Tensor([1.0, -2.0], requires_grad=True, name="x")
W = Tensor(np.ones((3, 2)), requires_grad=True)
y: Tensor = tanh(linear(x, W, b=np.zeros(3))).named("y")
z: Tensor = (2 * y + y**2 - y / 3).sum()
array: np.ndarray = relu(np.array([1.0, -1.0]))
joined: Tensor = concatenate([y, np.zeros(2)])
plain: np.ndarray = concatenate([np.zeros(2), [1.0]])
chosen: Tensor = where(np.array([True, False]), x, 0.0)
total: Tensor = add_n(sum(y), softmax(y, axis=-1)[0])
g: Gradients = gradients(z)
slope: np.ndarray = g["y"]
share = g[x] + 1
z.backward()
with no_grad(), block(1):
    x += 0.5
slopes = grad(lambda v: v**2)(2.0)

@stage
def cube(x):  # type: ignore[no-untyped-def]
    return x**3

lstm = LSTM(input_size=2, hidden_size=3, rng=np.random.default_rng(0))
a, (a_T, c_T) = lstm(np.zeros((4, 1, 2)))
loss = lstm.error(np.zeros((4, 1, 2)), np.zeros((4, 1, 3)))
print(compare(gradients(loss), by_hand.lstm(lstm, np.zeros((4, 1, 2)), np.zeros((4, 1, 3)))).ok)
print(explain(loss, "W_f").evaluate(), paths(loss, "W_f").count, loss.tape.forks, a_T.shape)
print(gradcheck(tanh, x), float(loss), draw(loss, "loss.svg"))
"""

SLIPS = {
    "a seed that is a word": 'LSTM(input_size=2, hidden_size=3, rng="seed")',
    "a method that does not exist": "relu(x).bakward()",
    "a gradient that is a word": 'z.backward("nonsense")',
    "a word that is an array": 'word: str = g["x"]',
    "a number that is a Tensor": "number: int = relu(x)",
    "a derivation that is a number": "compare(g, 3)",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder elsewhere with a user's two files; the second is full of slips."""
    if find_spec_hook():
        pytest.skip("this install is one that checkers do not follow: install again")
    folder = tmp_path_factory.mktemp("user")
    (folder / "correct.py").write_text(CORRECT, encoding="utf-8")
    imports = "from tinygrad_lstm import LSTM, Tensor, compare, gradients, relu\n"
    values = 'x = Tensor(1.0, requires_grad=True, name="x")\nz = relu(x)\ng = gradients(z)\n'
    (folder / "slips.py").write_text(imports + values + "\n".join(SLIPS.values()) + "\n")
    return folder


def find_spec_hook():
    """Whether an editable install hands out the package by a hook of the import system."""
    return any("__editable__" in str(finder) for finder in sys.meta_path)


def lines_with_errors(output, file):
    found = (line.split(":") for line in output.splitlines() if ": error:" in line)
    return {int(line[1]) for line in found if line[0].endswith(file)}


SLIP_LINES = set(range(5, 5 + len(SLIPS)))


@pytest.mark.slow
def test_mypy(folder):
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", folder / "cache"]
    run = subprocess.run(
        [*command, "correct.py", "slips.py"], cwd=folder, capture_output=True, encoding="utf-8"
    )
    assert lines_with_errors(run.stdout, "correct.py") == set(), run.stdout
    assert lines_with_errors(run.stdout, "slips.py") == SLIP_LINES, run.stdout


def pyright(*arguments, folder):
    """What pyright says; it comes with pip but runs on Node.js, which may not be here."""
    if not importlib.util.find_spec("pyright"):
        pytest.skip("there is no pyright")
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-m", "pyright"]
    try:
        subprocess.run(
            [*command, "--version"], env=env, capture_output=True, timeout=120, check=True
        )
    except subprocess.SubprocessError:
        pytest.skip("pyright does not start here")
    run = subprocess.run(
        [*command, "--outputjson", *arguments],
        cwd=folder,
        env=env,
        capture_output=True,
        timeout=300,
    )
    return json.loads(run.stdout)


@pytest.mark.slow
def test_pyright(folder):
    said = pyright("correct.py", "slips.py", folder=folder)["generalDiagnostics"]
    lines = {"correct.py": set(), "slips.py": set()}
    for one in said:
        if one["severity"] == "error":
            lines[Path(one["file"]).name].add(one["range"]["start"]["line"] + 1)
    assert lines == {"correct.py": set(), "slips.py": SLIP_LINES}, said


@pytest.mark.slow
def test_the_public_names_have_known_types(folder):
    found = pyright("--verifytypes", "tinygrad_lstm", "--ignoreexternal", folder=folder)
    assert found["typeCompleteness"]["completenessScore"] >= 0.95


def test_the_stubs_are_those_of_the_functions():
    made = runpy.run_path(str(ROOT / "tests" / "project" / "make_stub.py"))["stubs"]()
    for path, text in made.items():
        kept = path.read_text(encoding="utf-8")
        assert ast.dump(ast.parse(text)) == ast.dump(ast.parse(kept)), (
            "run PYTHONPATH=. python tests/project/make_stub.py, and ruff format"
        )
