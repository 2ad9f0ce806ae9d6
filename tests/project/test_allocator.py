"""Where it is asked for, memory that one step frees is there for the next; an import asks for
nothing. What lies free between things that live on is given back after a recording."""

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


SCATTERED = """
import sys
import numpy as np
import tinygrad_lstm

def in_use():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1])

def loss(w):
    return (w * w).sum()

fast = tinygrad_lstm.compile(loss, backend="numpy")
w = tinygrad_lstm.Tensor(np.ones(3), True)
if "keep" in sys.argv:
    tinygrad_lstm.keep_freed_memory()
before = in_use()
pieces = [b"." * 20_000 + bytes([i % 256]) for i in range(2_000)]
pieces = pieces[::100]
scattered = in_use()
fast(w)
print(scattered - before, in_use() - before)
"""


def faults(*arguments):
    """The page faults of the first step, and of the second."""
    return measured(PROGRAM, *arguments)


def measured(program, *arguments):
    """The numbers that a program prints in a process of its own."""
    environment = {k: value for k, value in os.environ.items() if not k.startswith("MALLOC_")}
    run = [sys.executable, "-c", program, *arguments]
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


def test_what_is_free_between_things_that_live_on_is_given_back_after_a_recording():
    scattered, after = measured(SCATTERED)
    assert after < scattered / 4
    scattered, after = measured(SCATTERED, "keep")
    assert after > scattered / 2
