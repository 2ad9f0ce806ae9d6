"""README is true: its code runs, its links lead somewhere, and what it says of the program's output
is what comes out."""

import re
from pathlib import Path

import numpy as np
import pytest

import tinygrad_lstm
from tinygrad_lstm import Tensor, gradients
from tinygrad_lstm.cli.main import main

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def table(header):
    """The cells of the table under `header`, by row."""
    _, _, rest = README.partition(f"\n{header}\n")
    rows = rest.partition("\n\n")[0].splitlines()[1:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def test_the_python_blocks_run_in_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = blocks("python")
    assert found
    shared = {"__name__": "readme"}
    for number, code in enumerate(found, 1):
        exec(compile(code, f"README.md, python block {number}", "exec"), shared)


def test_there_are_two_commands_and_each_is_one_line():
    commands = blocks("sh")
    assert [command.count("\n") for command in commands] == [1, 1]


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_links_lead_to_files(target):
    assert (ROOT / target).exists()


def test_the_table_of_dtypes():
    others = 2.5, 1j, np.ones(2, np.float32), np.ones(2)
    rows = table("| Tensor | Python number | Python complex | float32 | float64 |")
    assert len(rows) == 5
    for tensor, *results in rows:
        x = Tensor(np.ones(2), requires_grad=True, dtype=tensor)
        for y, result in zip((x * other for other in others), results, strict=True):
            assert (y.dtype, gradients(y, np.ones(2))[x].dtype) == (np.dtype(result), x.dtype)


KINKS = [
    (formula, at, expected)
    for formulas, at, expected in table("| | at | derivative |")
    for formula in re.findall("`(.*?)`", formulas)
]
assert KINKS, "README.md has no table of kinks"


@pytest.mark.parametrize(("formula", "at", "expected"), KINKS)
def test_the_table_of_kinks(formula, at, expected):
    names = {**vars(tinygrad_lstm), "inf": np.inf, "nan": np.nan}
    values = {}
    exec(at.strip("`"), {}, values)
    xs = {name: Tensor(value, requires_grad=True, dtype=float) for name, value in values.items()}
    with np.errstate(divide="ignore"):
        y = eval(formula, names, xs)
    g = gradients(y, np.ones(y.shape))
    slopes = [g[x] for x in xs.values()]
    expected = eval(expected.strip("`"), names)
    np.testing.assert_array_equal(slopes, expected if len(xs) > 1 else [expected])


@pytest.mark.parametrize("formula", ["where(x > 0, x * log(x), 0)", "log(where(x > 0, x, 1))"])
def test_the_derivative_of_the_side_not_taken(formula):
    assert f"`{formula}`" in README
    x = Tensor(0.0, requires_grad=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        y = eval(formula, {**vars(tinygrad_lstm), "x": x})
    assert gradients(y)[x] == 0


def test_contributing_names_every_module():
    modules = {path.name for path in (ROOT / "tinygrad_lstm").rglob("*.py")} - {
        "__init__.py",
        "__main__.py",
    }
    named = set(re.findall(r"`(?:\w+/)*(\w+\.py)`", CONTRIBUTING))
    assert modules - named == set()


@pytest.mark.slow
def test_the_output_shown_is_the_output(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    shown = next(text for text in blocks("text") if text.startswith("$ tinygrad-lstm demo"))
    command, _, expected = shown.partition("\n")
    assert main(command.removeprefix("$ tinygrad-lstm ").split()) == 0
    assert but_for_rounding(capsys.readouterr().out) == but_for_rounding(expected)


def but_for_rounding(text):
    """Lines of words, with numbers that are 0 but for rounding (which differs between processors)
    written as 0."""
    return [re.sub(r"\b\d(\.\d)?e-1\d\b", "0", line).split() for line in text.splitlines()]


def test_the_table_of_errata(capsys):
    assert main(["compare", "--as-printed", "all"]) == 1
    printed = [re.split(" {2,}", line) for line in capsys.readouterr().out.splitlines()]
    shown = [
        [cell.strip("`") for cell in row]
        for row in table(
            "| erratum | in the document | printed | correct | first wrong | largest error |"
        )
    ]
    assert len(shown) == 13
    assert shown == [row for row in printed if re.fullmatch(r"E\d+", row[0])]


def test_what_compare_is_said_to_print():
    rng = np.random.default_rng(0)
    x, targets = rng.standard_normal((3, 1, 3)), rng.uniform(-1, 1, (3, 1, 4))
    g = gradients(tinygrad_lstm.LSTM(input_size=3, hidden_size=4, rng=0).error(x, targets))
    said = next(text for text in blocks("text") if text.startswith("first difference"))
    assert str(
        tinygrad_lstm.compare(g, {"c<2>": g["c<2> via tanh_c<2>"], "W_f": g["W_f"]})
    ).startswith(said.rstrip())
