"""README is true: its code runs, its links lead somewhere, and what it says that a report prints is
what comes out. CONTRIBUTING names every module."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest
from cases import EMBEDDED, PROGRAM

import tinygrad_lstm

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.skipif(not (PROGRAM or EMBEDDED), reason="there is no Graphviz")
def test_the_python_blocks_run_in_order_and_print_what_is_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = blocks("python")
    assert found
    shared = {"__name__": "readme"}
    for number, code in enumerate(found, 1):
        exec(compile(code, f"README.md, python block {number}", "exec"), shared)
    (said,) = blocks("text")
    assert said in str(shared["report"])
    assert {path.name for path in tmp_path.iterdir()} == {"lstm.svg", "audit.svg", "player.html"}


def test_there_are_two_commands_and_each_is_one_line():
    commands = blocks("sh")
    assert [command.count("\n") for command in commands] == [1, 1]


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_links_lead_to_files(target):
    assert (ROOT / target).exists()


def test_the_page_of_a_package_index_needs_no_file_and_its_code_runs():
    text = (ROOT / "docs" / "package_index.md").read_text(encoding="utf-8")
    assert re.findall(r"\]\((?!https:)", text) == []
    exec(re.search(r"```python\n(.*?)```", text, flags=re.DOTALL)[1], {})


def test_one_version_everywhere():
    assert tinygrad_lstm.__version__ == version("tinygrad-lstm")
    assert f"version: {tinygrad_lstm.__version__}\n" in (ROOT / "CITATION.cff").read_text()


def test_it_is_a_door():
    assert len(README.splitlines()) <= 150


def test_contributing_names_every_module():
    """By itself, or by the folder that it is in."""
    package = ROOT / "tinygrad_lstm"
    named = set(re.findall(r"`(?:\w+/)*(\w+\.py)`", CONTRIBUTING))
    folders = set(re.findall(r"`(\w+(?:/\w+)+)/`", CONTRIBUTING))
    missing = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if path.name not in named | {"__init__.py", "__main__.py"}
        and str(path.relative_to(package).parent) not in folders
    }
    assert missing == set()
