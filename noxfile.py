#!/usr/bin/env -S pipx run
# /// script
# dependencies = ["nox"]
# ///
"""The sessions of nox: ``nox`` runs lint, types and tests, ``nox -l`` lists all. Python versions
that are not installed are left out."""

import nox

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False

VERSIONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]


@nox.session(python=VERSIONS)
def tests(session: nox.Session) -> None:
    """The tests; words after -- go to pytest."""
    session.install("-e", ".[dot,plot,test]")
    session.run("pytest", *session.posargs)


@nox.session(default=False)
def coverage(session: nox.Session) -> None:
    """The tests, with the lines that they do not run; below the floor of setup.cfg it fails."""
    session.install("-e", ".[dev]")
    session.run("pytest", "-m", "slow or not slow", "--cov", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Lines, imports, names and form."""
    session.install("ruff")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """mypy on the installed package, and on a user's file with pyright beside it."""
    session.install("-e", ".[dot,plot,test]", "mypy", "pyright")
    session.run("mypy", "--strict", "-p", "tinygrad_lstm")
    session.run("pytest", "-m", "slow or not slow", "tests/project/test_types.py")


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """The site, in docs/_build; a warning is an error."""
    session.install("-e", ".[docs]")
    session.run("python", "-m", "sphinx", "-W", "--keep-going", "docs", "docs/_build")


@nox.session(default=False)
def benchmarks(session: nox.Session) -> None:
    """A training step beside other libraries."""
    session.install("-e", ".[fast]", "torch", "autograd", "mygrad")
    session.run("python", "benchmarks/training_step.py", *session.posargs)


if __name__ == "__main__":
    nox.main()
