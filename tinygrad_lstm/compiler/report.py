"""A program in words: what it reads, what each pass did, what runs, where the time goes."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import numpy as np

from tinygrad_lstm.compiler.graph import Value
from tinygrad_lstm.compiler.passes.optimise import Done
from tinygrad_lstm.compiler.plan import Instruction, Replay
from tinygrad_lstm.text import aligned

__all__ = ["report", "rows"]

SHOWN = 40  # instructions that are listed; of more, the first and the last


def report(replay: Replay) -> list[str]:
    """The lines that ``print(plan)`` shows."""
    program, memory = replay.program, replay.memory
    counts = replay.counts()
    lines = [
        f"program of {program.stages} stages and their backward: "
        f"{sum(counts.values())} instructions, calls from Python: {len(replay.steps)}",
        f"memory: {_bytes(memory.size)} for all values, inputs and results",
        f"read at each call: {', '.join(_inputs(replay))}",
    ]
    frozen = [v for v in replay.schedule.order if v.op == "constant"]
    if frozen:
        lines.append(f"as they were when it was recorded: {', '.join(map(_array, frozen))}")
    if program.calls:
        named = Counter(program.calls)
        lines.append(f"run as they are: {', '.join(f'{n} {c}' for c, n in named.items())}")
    lines += ["", "values after each pass:", *aligned(_passes(replay.done))]
    lines += ["", "what runs, and its share of the time:", *aligned(_listed(replay))]
    return lines


def _inputs(replay: Replay) -> list[str]:
    found = []
    for v in replay.schedule.order:
        if v.op == "input":
            source = replay.program.inputs[v.number]
            name = f"argument {source + 1}" if isinstance(source, int) else v.origin
            found.append(f"{name} {v.shape}")
    return found


def _array(v: Value) -> str:
    return f"an array {v.shape} {v.dtype}"


def _passes(done: list[Done]) -> list[list[str]]:
    """A row for each pass: how many values of each kind there are then."""
    names = ("matmul", "dot", "sum", "concatenate", "cut", "place", "call")
    rows = [["", "all", "products", *names[1:]]]
    for d in done:
        counts = d.counts
        rows.append([d.name, str(sum(counts.values())), *(str(counts[n]) for n in names)])
    return rows


def rows(replay: Replay) -> list[tuple[str, str, str, str]]:
    """What each instruction is, what it is for, its shape, and its place in memory."""
    return [_row(replay, kind, what) for kind, what in replay.instructions]


def _row(replay: Replay, kind: str, what: Any) -> tuple[str, str, str, str]:
    if kind == "kernel":
        values = f"{len(what.values)} operations, {len(what.inputs)} in, {len(what.outputs)} out"
        return "loop", values, str(what.shape), _where(replay, what.outputs[0])
    if kind == "copy":
        return "copy", what.source.origin, str(what.source.shape), f"at {what.place.offset}"
    name = what.attrs[0].name if what.op == "call" else what.op
    return name, what.origin, str(what.shape), _where(replay, what)


def _where(replay: Replay, v: Value) -> str:
    return f"at {replay.memory.where(v).offset}"


def _listed(replay: Replay) -> list[list[str]]:
    shares = _shares(replay)
    table = [
        [str(i), *row, f"{share:.1%}"]
        for i, (row, share) in enumerate(zip(rows(replay), shares, strict=True), 1)
    ]
    if len(table) > SHOWN:
        left = len(table) - SHOWN
        gap = ["...", f"{left} more", "", "", "", ""]
        table = [*table[: SHOWN // 2], gap, *table[-SHOWN // 2 :]]
    return [["", "what", "for", "shape", "bytes", "time"], *table]


def _shares(replay: Replay) -> list[float]:
    """The time of each instruction, run by itself, as a part of all."""
    with replay.lock, np.errstate(all="ignore"):
        times = [_time(replay, instruction) for instruction in replay.instructions]
    total = sum(times) or 1.0
    return [t / total for t in times]


def _time(replay: Replay, instruction: Instruction) -> float:
    steps = replay.bound([instruction])
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
