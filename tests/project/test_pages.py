"""The pages of docs/ are true: the code of each runs, links lead somewhere, tables say what the
code does, and the reference has every public name. Sphinx is not needed here; test_site.py builds
with it."""

import importlib
import linecache
import re
from pathlib import Path

import numpy as np
import pytest
from cases import EMBEDDED, PROGRAM

import tinygrad_lstm
from tinygrad_lstm import Tensor, gradients
from tinygrad_lstm.cli.main import main

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {
    str(path.relative_to(DOCS)): path.read_text(encoding="utf-8")
    for path in sorted(DOCS.rglob("*.md"))
    if "_build" not in path.parts
}


def cells(page):
    return re.findall(
        r"^```{(?:code-cell|run)}\n(?:---\n.*?---\n)?(.*?)^```$",
        PAGES[page],
        flags=re.MULTILINE | re.DOTALL,
    )


NOTEBOOKS = [page for page in PAGES if cells(page)]
WILD = {  # what compare says first: of which value, and which kind of mistake
    "added_tanh": ("s<3>", "another derivative"),
    "averaged": ("gamma", "factor"),
    "carousel": ("s<2>", "branch missing"),
    "copied": ("b_u", "wrong gradient"),
    "dhnext": ("h<3>", "branch missing"),
    "overwritten": ("y", "branch missing"),
    "parenthesis": ("sum_f", "parenthesis"),
    "slope": ("sum_f<2>", "local form"),
    "softmax": ("y", "term missing"),
    "tan": ("z", "local form"),
}


@pytest.mark.parametrize(
    "page",
    [pytest.param(p, marks=[pytest.mark.slow] * p.startswith("wild/")) for p in NOTEBOOKS],
)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    if "plot." in PAGES[page]:
        pytest.importorskip("matplotlib").use("agg")
    if "draw(" in PAGES[page] and not (PROGRAM or EMBEDDED):
        pytest.skip("there is no Graphviz")
    monkeypatch.chdir(tmp_path)
    shared = {"__name__": "__main__"}
    for number, code in enumerate(cells(page), 1):
        name = f"docs/{page}, cell {number}"
        linecache.cache[name] = len(code), None, code.splitlines(keepends=True), name
        exec(compile(code, name, "exec"), shared)
    if page.startswith("wild/"):
        found = shared["report"].diagnoses[0]
        assert (found.name, found.kind) == WILD[Path(page).stem]


def test_every_mistake_from_the_wild_names_its_source():
    pages = {Path(page).stem for page in PAGES if page.startswith("wild/")}
    assert pages - {"index"} == set(WILD)
    for name in WILD:
        assert "**Where:**" in PAGES[f"wild/{name}.md"]
        assert f"({name}.md)" in PAGES["wild/index.md"]


def targets():
    for page, whole in PAGES.items():
        text = re.sub(r"^```.*?^```$", "", whole, flags=re.MULTILINE | re.DOTALL)
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text):
            yield page, target


@pytest.mark.parametrize(("page", "target"), sorted(set(targets())))
def test_links_lead_to_files(page, target):
    assert (DOCS / page).parent.joinpath(target).exists()


# The tables.


def table(page, header):
    """The cells of the table under `header`, by row."""
    _, _, rest = PAGES[page].partition(f"\n{header}\n")
    rows = rest.partition("\n\n")[0].splitlines()[1:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_the_table_of_dtypes():
    others = 2.5, 1j, np.ones(2, np.float32), np.ones(2)
    rows = table(
        "reference/dtypes.md", "| Tensor | Python number | Python complex | float32 | float64 |"
    )
    assert len(rows) == 5
    for tensor, *results in rows:
        x = Tensor(np.ones(2), requires_grad=True, dtype=tensor)
        for y, result in zip((x * other for other in others), results, strict=True):
            assert (y.dtype, gradients(y, np.ones(2))[x].dtype) == (np.dtype(result), x.dtype)


KINKS = [
    (formula, at, expected)
    for formulas, at, expected in table("reference/kinks.md", "| | at | derivative |")
    for formula in re.findall("`(.*?)`", formulas)
]
assert KINKS, "there is no table of kinks"


@pytest.mark.parametrize(("formula", "at", "expected"), KINKS)
def test_the_table_of_kinks(formula, at, expected):
    names = {**vars(tinygrad_lstm), "inf": np.inf, "nan": np.nan}
    values = {}
    exec(at.strip("`"), {"nan": np.nan}, values)
    xs = {name: Tensor(value, requires_grad=True, dtype=float) for name, value in values.items()}
    with np.errstate(divide="ignore"):
        y = eval(formula, names, xs)
    g = gradients(y, np.ones(y.shape))
    slopes = [g[x] for x in xs.values()]
    expected = eval(expected.strip("`"), names)
    np.testing.assert_array_equal(slopes, expected if len(xs) > 1 else [expected])


@pytest.mark.parametrize("formula", ["where(x > 0, x * log(x), 0)", "log(where(x > 0, x, 1))"])
def test_the_derivative_of_the_side_not_taken(formula):
    assert f"`{formula}`" in PAGES["reference/kinks.md"]
    x = Tensor(0.0, requires_grad=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        y = eval(formula, {**vars(tinygrad_lstm), "x": x})
    assert gradients(y)[x] == 0


def test_the_table_of_errata(capsys):
    assert main(["compare", "--as-printed", "all"]) == 1
    printed = [re.split(" {2,}", line) for line in capsys.readouterr().out.splitlines()]
    shown = [
        [cell.strip("`") for cell in row]
        for row in table(
            "reference/errata.md",
            "| erratum | in the document | printed | correct | first wrong | largest error |",
        )
    ]
    assert len(shown) == 13
    assert shown == [row for row in printed if re.fullmatch(r"E\d+", row[0])]


@pytest.mark.slow
def test_the_output_shown_is_the_output(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (shown,) = re.findall(
        r"^```text\n\$ tinygrad-lstm (demo.*?)^```$",
        PAGES["explanation/checked.md"],
        flags=re.MULTILINE | re.DOTALL,
    )
    command, _, expected = shown.partition("\n")
    assert main(command.split()) == 0
    assert but_for_rounding(capsys.readouterr().out) == but_for_rounding(expected)


def but_for_rounding(text):
    """Lines of words, with numbers that are 0 but for rounding (which differs between processors)
    written as 0."""
    return [re.sub(r"\b\d(\.\d)?e-1\d\b", "0", line).split() for line in text.splitlines()]


# The reference.


def test_every_operation_has_a_card(monkeypatch):
    """An example, a formula, a derivative and a word about kinks; of each, in one second."""
    monkeypatch.syspath_prepend(DOCS / "extensions")
    card, calls = importlib.import_module("card"), importlib.import_module("calls")
    operations = card.operations()
    assert set(calls.CALLS) | set(calls.WITHIN) <= set(operations)
    assert len(operations) > 190
    silent = []
    for name in operations:
        found = card.Card(name)
        text = "\n".join(found.lines())
        assert f"{name}(" in text
        if not found.recorded:
            silent.append(name)
            continue
        assert found.formula()[-1].startswith("y = ")
        assert any(line.startswith("δ") for line in found.derivative())
        assert "Kink: " in text
    assert {n for n in silent if getattr(getattr(operations[n], "op", None), "rules", ())} == set()


def test_the_reference_has_every_public_name():
    text = "\n".join(path.read_text() for path in (DOCS / "reference" / "api").glob("*.rst"))
    listed = [m for m in re.findall(r"tinygrad_lstm(?:\.\w+)*", text) if "." in m]
    shown = {name for module in listed for name in importlib.import_module(module).__all__}
    shown |= {module.removeprefix("tinygrad_lstm.") for module in listed}
    missing = set(tinygrad_lstm.__all__) - shown
    assert missing == set(), "list their modules under a family in docs/reference/api"
