"""Where it is asked for, memory that one step frees is there for the next; an import asks for
nothing."""

import os
import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
import sys
import numpy as np
import tinygrad_lstm

def step():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    arrays = [np.ones(100_000) for _ in range(100)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

if "keep" in sys.argv:
    tinygrad_lstm.keep_freed_memory()
print(step(), step())
"""


def faults(*arguments):
    """The page faults of the first step, and of the second."""
    environment = {k: value for k, value in os.environ.items() if not k.startswith("MALLOC_")}
    run = [sys.executable, "-c", PROGRAM, *arguments]
    done = subprocess.run(run, env=environment, capture_output=True, text=True, check=True)
    return map(int, done.stdout.split())


pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only the GNU C library is asked to keep memory"
)


def test_a_second_step_finds_its_pages():
    first, second = faults("keep")
    assert second < first / 10


def test_an_import_changes_nothing():
    first, second = faults()
    assert second > first / 2
