"""A program in words: what it reads, what each pass did, what runs, where the time goes."""

from __future__ import annotations

import time
from collections import Counter

import numpy as np

from tinygrad_lstm.compiler.listing import Listing
from tinygrad_lstm.compiler.numpy_backend import Step
from tinygrad_lstm.compiler.passes.optimise import Done
from tinygrad_lstm.compiler.plan import Replay
from tinygrad_lstm.text import aligned

__all__ = ["report"]

SHOWN = 40  # instructions that are listed; of more, the first and the last


def report(replay: Replay) -> list[str]:
    """The lines that ``print(plan)`` shows."""
    listing = replay.listing
    lines = [
        f"program of {listing.stages} stages and their backward: "
        f"{sum(listing.counts.values())} instructions, "
        f"calls from Python: {len(replay.calls.functions)}",
        f"memory: {_bytes(replay.arena.size)} for all values, inputs and results",
        f"read at each call: {', '.join(listing.inputs)}",
    ]
    if listing.constants:
        lines.append(f"as they were when it was recorded: {', '.join(listing.constants)}")
    if listing.calls:
        named = Counter(listing.calls)
        lines.append(f"run as they are: {', '.join(f'{n} {c}' for c, n in named.items())}")
    lines += ["", "values after each pass:", *aligned(_passes(listing.done))]
    lines += ["", "what runs, and its share of the time:", *aligned(_listed(replay, listing))]
    return lines


def _passes(done: list[Done]) -> list[list[str]]:
    """A row for each pass: how many values of each kind there are then."""
    names = ("matmul", "dot", "sum", "concatenate", "cut", "place", "call")
    rows = [["", "all", "products", *names[1:]]]
    for d in done:
        counts = d.counts
        rows.append([d.name, str(sum(counts.values())), *(str(counts[n]) for n in names)])
    return rows


def _listed(replay: Replay, listing: Listing) -> list[list[str]]:
    shares = _shares(replay, sum(listing.counts.values()))
    few = len(shares) <= SHOWN
    table = [["", "what", "for", "shape", "bytes", "time"]]
    for i, row in listing.rows.items():
        if few or i < SHOWN // 2 or i >= len(shares) - SHOWN // 2:
            table.append([str(i + 1), *row, f"{shares[i]:.1%}"])
        elif i == SHOWN // 2:
            table.append(["...", f"{len(shares) - SHOWN} more", "", "", "", ""])
    return table


def _shares(replay: Replay, count: int) -> list[float]:
    """The time of each instruction, run by itself, as a part of all."""
    with replay.lock, np.errstate(all="ignore"):
        times = [_time(replay.calls.of(i)) for i in range(count)]
    total = sum(times) or 1.0
    return [t / total for t in times]


def _time(steps: list[Step]) -> float:
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        for step, args in steps:
            step(*args)
        best = min(best, time.perf_counter() - start)
    return best


def _bytes(n: int) -> str:
    for unit, size in (("MB", 1e6), ("kB", 1e3)):
        if n >= size:
            return f"{n / size:.1f} {unit}"
    return f"{n} bytes"
