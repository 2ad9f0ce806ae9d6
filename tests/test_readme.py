"""README is true: its code runs, its links lead somewhere, and what it says of the program's output is what comes out."""

import re
from pathlib import Path

import pytest

from tinygrad_lstm._cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


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


@pytest.mark.slow
def test_the_output_shown_is_the_output(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (shown,) = blocks("text")
    command, _, expected = shown.partition("\n")
    assert main(command.removeprefix("$ tinygrad-lstm ").split()) == 0
    assert but_for_rounding(capsys.readouterr().out) == but_for_rounding(expected)


def but_for_rounding(text):
    """Lines of words, with numbers that are 0 but for rounding (which differs between processors) written as 0."""
    return [re.sub(r"\b\d(\.\d)?e-1\d\b", "0", line).split() for line in text.splitlines()]
