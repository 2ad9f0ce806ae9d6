"""The memory and the time that a series in pieces takes, by its rows: one pass that counts, and one
epoch of windows.

    pip install -e ".[dask]"
    python benchmarks/large_series.py                  # 10^6, 3 * 10^6 and 10^7 rows of CSV
    python benchmarks/large_series.py --kind parquet

Each number of rows is measured in a process of its own. What it held before, with the readers
imported and a small folder read, is subtracted from its peak.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

FILE = 1_000_000  # rows
WINDOW, BATCH = 24, 1024


def generate(folder: Path, rows: int, kind: str) -> int:
    """A folder of three columns; how many bytes it has."""
    import pyarrow as pa
    from pyarrow import csv, parquet

    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for start in range(0, rows, FILE):
        t = np.arange(start, min(start + FILE, rows))
        load = np.round(np.sin(t / 50) + rng.normal(0, 0.1, len(t)), 4)
        table = pa.table({"time": t, "other": np.round(rng.normal(size=len(t)), 4), "load": load})
        write = csv.write_csv if kind == "csv" else parquet.write_table
        write(table, folder / f"part{start // FILE}.{kind}")
    return sum(path.stat().st_size for path in folder.iterdir())


def peak() -> int:
    """The most memory that this process has had so far, in bytes."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def read(folder: Path) -> tuple[float, float]:
    """The seconds of the pass that counts, and of an epoch of windows."""
    from tinygrad_lstm.training import open_series

    start = time.perf_counter()
    series = open_series(folder, "load").scan()
    scaling, counted = series.scaling(), time.perf_counter()
    count = sum(len(x) for x, _ in series.batches(0, BATCH, WINDOW, 1, None, scaling))
    assert count == len(series) - WINDOW
    return counted - start, time.perf_counter() - counted


def measured(small: Path, folder: Path) -> None:
    """Print what a process finds."""
    read(small)
    before = peak()
    counting, epoch = read(folder)
    print(json.dumps({"memory": peak() - before, "counting": counting, "epoch": epoch}))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=float, nargs="+", default=[1e6, 3e6, 1e7])
    parser.add_argument("--kind", choices=("csv", "parquet"), default="csv")
    parser.add_argument("--process", type=Path, nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.process:
        return measured(*given.process)
    found = []
    with tempfile.TemporaryDirectory() as top:
        generate(Path(top) / "small", 1000, given.kind)
        for rows in map(int, given.rows):
            folder = Path(top) / str(rows)
            size = generate(folder, rows, given.kind)
            words = [sys.executable, __file__, "--process", f"{top}/small", str(folder)]
            run = subprocess.run(words, capture_output=True, check=True, text=True)
            m = json.loads(run.stdout)
            found.append((rows, m["memory"]))
            micro = {name: 1e6 * m[name] / rows for name in ("counting", "epoch")}
            print(
                f"{rows:>10,} rows, {size / 1e6:6.0f} MB on disk: {m['memory'] / 1e6:6.1f} MB of "
                f"memory; {micro['counting']:.3f} µs a row to count, {micro['epoch']:.3f} µs a "
                f"window for an epoch",
                flush=True,
            )
    (first, low), (last, high) = found[0], found[-1]
    slope = (high - low) / max(1, last - first)
    at = (high + slope * (1e8 - last)) / 1e6
    print(f"{slope:.2f} bytes of memory a row beyond {first:,}: {at:.0f} MB for 10^8 rows")
    return None


if __name__ == "__main__":
    main()
