"""Time one training step of the plain LSTM (forward, backward, all gradients; float32) beside other
libraries.

    pip install -e . torch==2.13.0 autograd mygrad      # whichever you want to compare with
    python benchmarks/training_step.py                  # one thread, then all; --quick for fewer
    rounds

Every library runs the same plain forward code in a process of its own. The processes take turns, a
burst of steps each, so that all of them meet the same noise; a ratio is taken within each round,
and its median over the rounds is printed (below 1: tinygrad-lstm is faster). Before it is timed,
each library's gradient is held against ours.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import sys
import time

from peers import Worker, autograd_step, eager_step, mygrad_step, torch_plain_step

SIZES = {
    (3, 1, 3, 4): 60,
    (50, 16, 16, 32): 10,
    (100, 64, 64, 128): 3,
    (100, 64, 256, 512): 1,
}  # (T, N, D, H): steps a burst
LIMITS = {
    (3, 1, 3, 4): 0.52,
    (50, 16, 16, 32): 0.58,
    (100, 64, 64, 128): 0.9,
    (100, 64, 256, 512): 1.1,
}  # to PyTorch, one thread
LIBRARIES = {
    "tinygrad_lstm": "tinygrad-lstm",
    "torch": "PyTorch",
    "autograd": "HIPS/autograd",
    "mygrad": "MyGrad",
}
STEPS = {
    "tinygrad_lstm": eager_step,
    "torch": torch_plain_step,
    "autograd": autograd_step,
    "mygrad": mygrad_step,
}


def child(library):
    """Serve bursts: a line in is a size, a line out is the median seconds of a step."""
    import warnings

    warnings.simplefilter("ignore")
    steps = {}
    for line in sys.stdin:
        size = tuple(json.loads(line))
        if size not in steps:
            steps[size] = STEPS[library](size)
            print(json.dumps(float(abs(steps[size]()).sum())), flush=True)
            continue
        times = []
        for _ in range(SIZES[size]):
            start = time.perf_counter()
            steps[size]()
            times.append(time.perf_counter() - start)
        print(json.dumps(statistics.median(times)), flush=True)


def compare(threads, rounds, libraries):
    print(
        f"\n{threads} thread{'s' * (threads > 1)}: milliseconds a step, and in brackets the "
        "ratio of tinygrad-lstm to the library"
    )
    print(
        "".join(
            [
                f"{'(T, N, D, H)':22}",
                *(f"{LIBRARIES[k]:>24}" for k in libraries),
                f"{'limit (PyTorch)':>18}",
            ]
        )
    )
    within = True
    workers = {k: Worker(__file__, k, threads) for k in libraries}
    for size in SIZES:
        checks = {k: w.ask(size) for k, w in workers.items()}
        wrong = [k for k, v in checks.items() if abs(v - checks["tinygrad_lstm"]) > 1e-3 * abs(v)]
        if wrong:
            sys.exit(f"the gradients of {', '.join(wrong)} differ from ours at {size}: {checks}")
        times = [{k: w.ask(size) for k, w in workers.items()} for _ in range(rounds + 1)][1:]
        ratio = {k: statistics.median(t["tinygrad_lstm"] / t[k] for t in times) for k in libraries}
        cells = [
            f"{statistics.median(t[k] for t in times) * 1e3:.3f} ({ratio[k]:.2f})"
            for k in libraries
        ]
        limit = LIMITS[size] if threads == 1 and "torch" in libraries else None
        within &= limit is None or ratio["torch"] < limit
        print(
            "".join(
                [
                    f"{size!s:22}",
                    *(f"{c:>24}" for c in cells),
                    f"{f'< {limit}' if limit else '':>18}",
                ]
            ),
            flush=True,
        )
    for w in workers.values():
        w.end()
    return within


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--quick", action="store_true", help="three rounds, one thread")
    parser.add_argument("--child", choices=LIBRARIES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        return child(args.child)
    libraries = [k for k in LIBRARIES if importlib.util.find_spec(k)]
    within = compare(1, 3 if args.quick else args.rounds, libraries)
    if not args.quick and (os.cpu_count() or 1) > 1:
        compare(os.cpu_count(), args.rounds, libraries)
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
