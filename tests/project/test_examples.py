"""Each example runs as a reader would run it, and says what it is there to say."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"

ESSENTIAL = {
    "fork.py": ["dz/dx = 6.0 (argument 0 of y) + 6.0 (argument 1 of y) = 12.0", "x.grad = 12.0"],
    "compare_by_hand.py": ["as printed, wrong:"],
    "lstm_derivation.py": ["56 lines, 37 paths"],
    "find_the_mistake.py": [
        "first difference: sum2",
        "a wrong form: 1 − y²",
        "first difference: b1",
        "a mean where the sum belongs? 4 is the number of rows of the batch",
        "everything is right",
    ],
    "unrolled_picture.py": ["15 forks"],
    "own_cell.py": ["W is shared by all blocks", "recurrent<3>", "kept<3>"],
    "own_stage.py": [
        "y = isru(x)",
        "2 rows: 2 right",
        "by numeric differentiation: right",
        "second derivative: right",
    ],
    "gradient_flow.py": [
        "both ways: from block 60 to block 1 the norm is multiplied by 1.1e+00",
        "z<t+1> alone: ",
        "by 7.9e-49",
    ],
    "training.py": ["rate 0.003: Error from 60.0", "rate 0.03: Error from 60.0 to 21.0"],
}

WITH_MATPLOTLIB = {"gradient_flow.py", "training.py"}

PICTURES = {
    "unrolled_picture.py": "lstm.svg",
    "own_stage.py": "own_stage.svg",
    "gradient_flow.py": "gradient_flow.svg",
    "training.py": "gates.svg",
}


def test_every_example_is_tested():
    assert {path.name for path in EXAMPLES.glob("*.py")} == {
        *ESSENTIAL,
        "gallery.py",
    }  # which test_gallery.py runs


@pytest.mark.parametrize("name", ESSENTIAL)
def test_example(name, tmp_path):
    if name in WITH_MATPLOTLIB:
        pytest.importorskip("matplotlib")
    run = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / name],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    assert (run.returncode, run.stderr) == (0, "")
    for line in ESSENTIAL[name]:
        assert line in run.stdout
    if name in PICTURES:
        assert (tmp_path / PICTURES[name]).read_text(encoding="utf-8").rstrip().endswith("</svg>")


def test_the_derivation_is_the_one_that_the_tape_writes_today(tmp_path):
    subprocess.run(
        [sys.executable, EXAMPLES / "lstm_derivation.py"],
        cwd=tmp_path,
        capture_output=True,
        timeout=120,
        check=True,
    )
    folders = (tmp_path, ROOT / "docs" / "explanation")
    written, kept = (folder / "lstm_derivation.md" for folder in folders)
    assert written.read_text(encoding="utf-8") == kept.read_text(encoding="utf-8"), (
        "run examples/lstm_derivation.py in docs/explanation"
    )
