"""Time a training step of a graph of single numbers beside micrograd: its own example, 100 points
of two moons, a network of 2, 16, 16 and 1 units, the margin loss with weight decay.

    pip install -e . micrograd
    python benchmarks/scalar_graph.py

The same code runs with either library's value, in a process of its own; the processes take turns, a
few steps each. A ratio is taken within each turn, and its median is printed (below 1: tinygrad-lstm
is faster). The seconds are of the processor, with Python's search for cycles, which is a large part
of such a step: the graph has 65,000 stages.
"""

from __future__ import annotations

import itertools
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

TURNS, STEPS, POINTS, SIZES = 7, 3, 100, (2, 16, 16, 1)
LIBRARIES = ("tinygrad_lstm", "micrograd")
LIMIT = 0.9


def value_of(library: str) -> Callable[[float], Any]:
    """What makes a parameter of a number."""
    if library == "micrograd":
        from micrograd.engine import Value

        return Value
    from tinygrad_lstm import Tensor

    return lambda x: Tensor(x, requires_grad=True)


def moons() -> tuple[list[list[float]], list[float]]:
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, np.pi, POINTS // 2)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points = np.concatenate([upper, [1, 0.5] - upper]) + rng.normal(0, 0.1, (POINTS, 2))
    return points.tolist(), [-1.0] * (POINTS // 2) + [1.0] * (POINTS // 2)


class Network:
    """micrograd's MLP: each neuron sums products, one by one."""

    def __init__(self, value: Callable[[float], Any]) -> None:
        rng = np.random.default_rng(1)
        self.layers = [
            [([value(float(w)) for w in rng.uniform(-1, 1, n)], value(0.0)) for _ in range(m)]
            for n, m in itertools.pairwise(SIZES)
        ]
        self.parameters = [p for layer in self.layers for w, b in layer for p in (*w, b)]

    def __call__(self, x: Any) -> Any:
        for layer in self.layers:
            sums = [sum((wi * xi for wi, xi in zip(w, x, strict=True)), b) for w, b in layer]
            x = sums if layer is self.layers[-1] else [s.relu() for s in sums]
        return x[0]

    def loss(self, points: list[list[float]], labels: list[float]) -> Any:
        margins = [(1 + -y * self(x)).relu() for x, y in zip(points, labels, strict=True)]
        return sum(margins) * (1 / POINTS) + 1e-4 * sum(p * p for p in self.parameters)


def child(library: str) -> None:
    """Serve turns: for each line in, the last loss and the seconds of a step come out."""
    sys.setrecursionlimit(100_000)  # micrograd goes back by recursion
    network, (points, labels) = Network(value_of(library)), moons()
    for _ in sys.stdin:
        start = time.process_time()
        for _ in range(STEPS):
            loss = network.loss(points, labels)
            for p in network.parameters:
                p.grad = 0.0
            loss.backward()
            for p in network.parameters:
                p.data = p.data - 0.5 * p.grad
        seconds = (time.process_time() - start) / STEPS
        print(json.dumps([float(loss.data), seconds]), flush=True)


def main() -> int:
    workers = [
        subprocess.Popen(
            [sys.executable, __file__, library],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for library in LIBRARIES
    ]
    ratios = []
    for _ in range(TURNS):
        found = []
        for worker in workers:
            assert worker.stdin is not None and worker.stdout is not None
            worker.stdin.write("\n")
            worker.stdin.flush()
            found.append(json.loads(worker.stdout.readline()))
        (ours, own), (theirs, other) = found
        assert abs(ours - theirs) < 1e-6 * abs(theirs), "the losses differ"
        ratios.append(own / other)
        print(f"loss {ours:.6f}  seconds a step {own:.2f} and {other:.2f}  ratio {ratios[-1]:.2f}")
    for worker in workers:
        worker.kill()
    median = statistics.median(ratios)
    print(f"tinygrad-lstm / micrograd: {median:.2f}")
    return int(median > LIMIT)


if __name__ == "__main__":
    if sys.argv[1:]:
        child(sys.argv[1])
    else:
        sys.exit(main())
