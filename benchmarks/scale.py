"""A step of data_parallel: its time against the number of workers and the size of a shard, what is
sent for it, and what the sum costs; and what follows for many machines.

    pip install -e ".[dask,plot]"
    python benchmarks/scale.py             # --write: the table and the plot of the docs

Workers are processes with one thread each; beside them one process has the same batch, with all
threads. They take turns, so that all meet the same noise; figures are the fastest of the rounds.
"""

from __future__ import annotations

import argparse
import json
import math
import pickle
import time
from pathlib import Path

import numpy as np
from machine import machine

from tinygrad_lstm import LSTM, data_parallel
from tinygrad_lstm.parallel.payload import Loss, packed
from tinygrad_lstm.parallel.shards import cut
from tinygrad_lstm.parallel.work import Share, total

STEPS, INPUTS, UNITS = 20, 64, 128
WORKERS, ROWS = (1, 2, 4), (8, 32, 128)
ALONE = "one process, all threads"
DOCS = Path(__file__).parents[1] / "docs" / "explanation"

# What is assumed of many machines. A second of work a step, at which the sum should not show.
LINK, DELAY, WORK = 1.25e9, 50e-6, 1.0  # bytes a second (10 Gbit/s), seconds a message, seconds
TASK = 1e-3  # seconds of Dask's scheduler for a task: "about 1ms", says its documentation
MODELS = {"this LSTM": None, "25 million parameters": 100e6}  # bytes of gradients
MACHINES = (1, 10, 100, 1_000, 10_000)
SCHEDULER = "Dask's scheduler"
WAYS = {
    "all to one": lambda p, g, s: 2 * p * g / LINK + p * g / s,
    "a tree": lambda p, g, s: math.ceil(math.log2(p)) * (2 * (DELAY + g / LINK) + g / s),
    "a ring": lambda p, g, s: 2 * (p - 1) * (DELAY + g / p / LINK) + (p - 1) / p * g / s,
    SCHEDULER: lambda p, g, s: 2 * p * TASK,
}


def batch(rows):
    rng = np.random.default_rng(0)
    shapes = (STEPS, rows, INPUTS), (STEPS, rows, UNITS)
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


def seconds(step, data):
    start = time.perf_counter()
    step(*data, axis=1)
    return time.perf_counter() - start


def measured(lstm, rounds):
    """The seconds of a step, by workers and rows of a shard; and of one process with the batch."""
    found = []
    for workers in WORKERS:
        with (
            data_parallel(lstm.error, "processes", workers, workers=workers) as shared,
            data_parallel(lstm.error, "threads", 1, workers=1) as alone,
        ):
            for rows in ROWS:
                data, steps = batch(rows * workers), {"shared": shared, "alone": alone}
                times = [{n: seconds(s, data) for n, s in steps.items()} for _ in range(rounds + 1)]
                fastest = {n: min(t[n] for t in times[1:]) for n in steps}
                found.append({"workers": workers, "rows": rows, **fastest})
                print(found[-1], flush=True)
    return found


def sent(lstm, rows):
    """The bytes that travel to a worker and back, for a step."""
    values = packed(Loss(lstm.error, lstm.parameters()))[1]
    (shard,) = cut(tuple(batch(rows)), 1, 1)
    shape = {name: p.numpy() for name, p in lstm.parameters().items()}
    return {
        "parameters": len(values.content),
        "shard": len(pickle.dumps(shard)),
        "gradients": len(pickle.dumps(Share(np.float32(0), shape, 1.0))),
    }


def adding(size):
    """The bytes of gradients that are added in a second."""
    shares = [Share(np.zeros(()), {"W": np.ones(size // 4, np.float32)}, 1.0) for _ in range(8)]
    times = []
    for _ in range(9):
        start = time.perf_counter()
        total(shares)
        times.append(time.perf_counter() - start)
    return 7 * size / min(times)


def task():
    """The seconds that Dask's scheduler takes for a task; None without Dask."""
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        return None
    here = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**here, silence_logs=50) as cluster, Client(cluster) as client:
        times = []
        for _ in range(3):
            start = time.perf_counter()
            client.gather(client.map(abs, range(1000), pure=False))
            times.append((time.perf_counter() - start) / 1000)
    return min(times)


def limits(g, s):
    """The machines at which what a step costs beside the work is as long as that."""
    return {
        name: next((p for p in range(2, 10**6) if cost(p, g, s) >= WORK), math.inf)
        for name, cost in WAYS.items()
    }


# What is said of it.


def size(number):
    """Bytes, in words."""
    return f"{number / 1e6:.3g} MB" if number >= 1e6 else f"{number / 1e3:.3g} kB"


def table(found):
    """The times, as Markdown."""
    head = (
        "workers",
        "rows of a shard",
        "a step",
        "one process with the batch, all threads",
        "ratio",
    )
    rows = [
        (
            f"{m['workers']}",
            f"{m['rows']}",
            f"{1e3 * m['shared']:.3g} ms",
            f"{1e3 * m['alone']:.3g} ms",
            f"{m['shared'] / m['alone']:.2f}",
        )
        for m in found["times"]
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * 5, *rows))


def costs(found):
    """What a step adds to the work, by machines, as Markdown."""
    lines = [f"| gradients | machines | {' | '.join(WAYS)} |", "|---" * (len(WAYS) + 2) + "|"]
    for words, g in sizes(found).items():
        for p in MACHINES[1:]:
            cells = [cost(p, g, found["adding"]) for cost in WAYS.values()]
            shown = " | ".join(f"{c:.3g} s" for c in cells)
            lines.append(f"| {words} | {p:,} | {shown} |")
    return "\n".join(lines)


def sizes(found):
    """The bytes of gradients that are looked at, by name."""
    own = found["sent"]["gradients"]
    return {f"{name}, {size(g or own)}": g or own for name, g in MODELS.items()}


def text(found):
    """The page's own part."""
    s = found["sent"]
    per = f"{size(s['parameters'])} of parameters and {size(s['shard'])} of rows to each worker, "
    lines = [
        "<!-- written by benchmarks/scale.py --write -->",
        f"An LSTM with {UNITS} units over {STEPS} steps of {INPUTS} inputs, float32:",
        "",
        table(found),
        "",
        f"For a step with {ROWS[-1]} rows in each shard travel {per}and {size(s['gradients'])} of "
        f"gradients back. The sum adds {found['adding'] / 1e9:.2g} GB of gradients a second, "
        f"which is {1e3 * s['gradients'] / found['adding']:.2g} ms a shard."
        + (
            f" Dask's scheduler takes {1e3 * found['task']:.2g} ms a task." if found["task"] else ""
        ),
        "",
        "What a step costs beside the work of a shard:",
        "",
        costs(found),
        "",
        "The machines at which that is a second:",
        "",
        reached(found),
        "",
        f"Measured on {found['machine']}; the other tables are arithmetic.",
        "",
    ]
    return "\n".join(lines)


def reached(found):
    """Those machines, as Markdown."""
    lines = [f"| gradients | {' | '.join(WAYS)} |", "|---" * (len(WAYS) + 1) + "|"]
    for words, g in sizes(found).items():
        most = limits(g, found["adding"])
        shown = " | ".join("beyond 10⁶" if m == math.inf else f"{m:,}" for m in most.values())
        lines.append(f"| {words} | {shown} |")
    return "\n".join(lines)


def plot(found, path):
    import matplotlib.pyplot as plt

    figure, (here, there) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for workers in WORKERS:
        these = [m for m in found["times"] if m["workers"] == workers]
        rows = [m["rows"] * workers for m in these]
        shared = [1e3 * m["shared"] for m in these]
        here.plot(rows, shared, marker="o", label=f"{workers} x one thread")
        alone = [1e3 * m["alone"] for m in these]
        label = ALONE if workers == WORKERS[-1] else None
        here.plot(rows, alone, marker="x", linestyle=":", color="gray", label=label)
    here.set(xscale="log", yscale="log", xlabel="rows of the batch", ylabel="ms a step")
    here.set_title("measured", fontsize=9)
    machines = np.unique(np.geomspace(2, 1e4, 200).astype(int))
    for (words, g), style in zip(sizes(found).items(), ("-", "--"), strict=True):
        for i, (name, cost) in enumerate(WAYS.items()):
            seconds = [cost(p, g, found["adding"]) for p in machines]
            label = f"{name}, {words.split(', ')[1]}" if name != SCHEDULER else name
            if name != SCHEDULER or style == "-":  # it does not depend on the size
                there.plot(machines, seconds, style, color=f"C{i}", label=label)
    there.axhline(WORK, color="gray", linewidth=0.8)
    there.set(xscale="log", yscale="log", xlabel="machines", ylabel="seconds beside the work")
    there.set_title("extrapolated; the line is a second of work", fontsize=9)
    for axes in (here, there):
        axes.legend(fontsize=6)
    figure.savefig(path, metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--write", action="store_true", help="the table and the plot of the docs")
    given = parser.parse_args()
    lstm = LSTM(INPUTS, UNITS, rng=0, dtype=np.float32)
    found = {"times": measured(lstm, given.rounds), "sent": sent(lstm, ROWS[-1])}
    found |= {"adding": adding(1 << 24), "task": task()}
    found["machine"] = machine("numpy", "distributed")
    print(json.dumps(found, indent=1))
    if given.write:
        (DOCS / "scale.md").write_text(text(found), encoding="utf-8")
        plot(found, DOCS / "scale.svg")
    else:
        print(text(found))


if __name__ == "__main__":
    main()
