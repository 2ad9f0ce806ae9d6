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
import subprocess
import sys
import time

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
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
GATES = "fuco"


def data(size):
    """The parameters, inputs and targets of one size, the same in every process."""
    import numpy as np

    T, N, D, H = size
    rng = np.random.default_rng(0)
    reach = H**-0.5  # the usual initial weights; larger ones drive the gates into denormal numbers
    p = {f"W_{g}": rng.uniform(-reach, reach, (H, H + D)) for g in GATES} | {
        f"b_{g}": rng.uniform(-reach, reach, H) for g in GATES
    }
    return (
        {k: v.astype("f4") for k, v in p.items()},
        rng.normal(size=(T, N, D)).astype("f4"),
        rng.normal(size=(T, N, H)).astype("f4"),
    )


def linear(z, W, b):
    """A layer's sum, for libraries that have no operation of their own for it."""
    return z @ W.T + b


def plain_error(p, x, targets, zeros, concatenate, sigmoid, tanh, linear=linear):
    """The LSTM in plain forward code, for any library with NumPy's operators."""
    a = c = zeros
    error = 0.0
    for t in range(len(x)):
        z = concatenate([a, x[t]])
        f, u, candidate, o = (linear(z, p[f"W_{g}"], p[f"b_{g}"]) for g in GATES)
        c = c * sigmoid(f) + sigmoid(u) * tanh(candidate)
        a = tanh(c) * sigmoid(o)
        error = error + 0.5 * ((targets[t] - a) ** 2).sum()
    return error


def tinygrad_lstm_step(size):
    from tinygrad_lstm import LSTM, keep_freed_memory

    keep_freed_memory()
    p, x, targets = data(size)
    lstm = LSTM.from_arrays(p)

    def step():
        lstm.zero_grad()
        lstm.error(x, targets).backward()
        return lstm.W_f.grad

    return step


def torch_step(size):
    import torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count())))
    p, x, targets = data(size)
    p = {k: torch.from_numpy(v).requires_grad_() for k, v in p.items()}
    x, targets, zeros = (
        torch.from_numpy(x),
        torch.from_numpy(targets),
        torch.zeros(targets.shape[1:]),
    )

    def step():
        for v in p.values():
            v.grad = None
        plain_error(
            p,
            x,
            targets,
            zeros,
            lambda v: torch.cat(v, -1),
            torch.sigmoid,
            torch.tanh,
            torch.nn.functional.linear,
        ).backward()
        return p["W_f"].grad.numpy()

    return step


def autograd_step(size):
    import autograd.numpy as anp
    from autograd import grad

    p, x, targets = data(size)
    zeros = anp.zeros(targets.shape[1:], "f4")

    def sigmoid(v):
        return 1 / (1 + anp.exp(-v))

    slope = grad(
        lambda p: plain_error(
            p, x, targets, zeros, lambda v: anp.concatenate(v, -1), sigmoid, anp.tanh
        )
    )
    return lambda: slope(p)["W_f"]


def mygrad_step(size):
    import mygrad as mg
    from mygrad.nnet import sigmoid

    p, x, targets = data(size)
    p = {k: mg.tensor(v) for k, v in p.items()}
    zeros = mg.zeros(targets.shape[1:], dtype="f4", constant=True)

    def step():
        for v in p.values():
            v.null_grad()
        plain_error(
            p, x, targets, zeros, lambda v: mg.concatenate(v, -1), sigmoid, mg.tanh
        ).backward()
        return p["W_f"].grad

    return step


def child(library):
    """Serve bursts: a line in is a size, a line out is the median seconds of a step."""
    import warnings

    warnings.simplefilter("ignore")
    steps = {}
    for line in sys.stdin:
        size = tuple(json.loads(line))
        if size not in steps:
            steps[size] = globals()[f"{library}_step"](size)
            print(json.dumps(float(abs(steps[size]()).sum())), flush=True)
            continue
        times = []
        for _ in range(SIZES[size]):
            start = time.perf_counter()
            steps[size]()
            times.append(time.perf_counter() - start)
        print(json.dumps(statistics.median(times)), flush=True)


class Worker:
    def __init__(self, library, threads):
        env = {**os.environ, **dict.fromkeys(THREADS, str(threads))}
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--child", library],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=env,
        )

    def ask(self, size):
        self.process.stdin.write(json.dumps(size) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


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
    workers = {k: Worker(k, threads) for k in libraries}
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
        w.process.stdin.close()
        w.process.wait()
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
