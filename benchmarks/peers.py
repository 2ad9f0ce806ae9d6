"""What the benchmarks of a training step share: the data, the plain forward code, the libraries
that run it, and the processes in which they do.

Every library gets the forward code as its users write it: where it has a layer's sum as one
operation, that is used.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
GATES = "fuco"


def data(size):
    """The parameters, inputs and targets of one size, the same in every process."""
    import numpy as np

    T, N, D, H = size
    rng = np.random.default_rng(0)
    reach = H**-0.5  # the usual initial weights; larger ones drive the gates into denormal numbers
    p = {f"W_{g}": rng.uniform(-reach, reach, (H, H + D)) for g in GATES}
    p |= {f"b_{g}": rng.uniform(-reach, reach, H) for g in GATES}
    p = {k: v.astype("f4") for k, v in p.items()}
    return p, *(rng.normal(size=(T, N, n)).astype("f4") for n in (D, H))


def linear(z, W, b):
    """A layer's sum, for libraries that have no operation of their own for it."""
    return z @ W.T + b


def plain_error(p, x, targets, zeros, concatenate, sigmoid, tanh, linear=linear):
    """The LSTM in plain forward code, for any library with NumPy's operators."""
    a = c = zeros
    error = 0.0
    for t in range(len(x)):
        z = concatenate([a, x[t]])
        keep = c * sigmoid(linear(z, p["W_f"], p["b_f"]))
        write = sigmoid(linear(z, p["W_u"], p["b_u"])) * tanh(linear(z, p["W_c"], p["b_c"]))
        c = keep + write
        a = tanh(c) * sigmoid(linear(z, p["W_o"], p["b_o"]))
        error = error + 0.5 * ((targets[t] - a) ** 2).sum()
    return error


def eager_step(size):
    from tinygrad_lstm import LSTM, keep_freed_memory

    keep_freed_memory()
    p, x, targets = data(size)
    lstm = LSTM.from_arrays(p)

    def step():
        lstm.zero_grad()
        lstm.error(x, targets).backward()
        return lstm.W_f.grad

    return step


def with_torch():
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    return torch


def torch_plain_step(size):
    torch = with_torch()
    p, x, targets = data(size)
    p = {k: torch.from_numpy(v).requires_grad_() for k, v in p.items()}
    x, targets = torch.from_numpy(x), torch.from_numpy(targets)
    zeros = torch.zeros(targets.shape[1:])

    def step():
        for v in p.values():
            v.grad = None
        plain_error(
            *(p, x, targets, zeros, lambda v: torch.cat(v, -1)),
            *(torch.sigmoid, torch.tanh, torch.nn.functional.linear),
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

    def error(p):
        return plain_error(
            p, x, targets, zeros, lambda v: anp.concatenate(v, -1), sigmoid, anp.tanh
        )

    slope = grad(error)
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


class Worker:
    """A process that serves bursts of one contestant: a line in is a size, a line out what was
    measured.

    Parameters
    ----------
    script : str
        What runs with ``--child NAME``.
    name : str
    threads : int
    pinned : bool
        Whether it stays on one core.
    """

    def __init__(self, script, name, threads, pinned=False):
        env = {**os.environ, **dict.fromkeys(THREADS, str(threads))}
        command = [sys.executable, script, "--child", name]
        if pinned and hasattr(os, "sched_setaffinity"):
            core = max(os.sched_getaffinity(0))
            pin = f"import os, sys; os.sched_setaffinity(0, {{{core}}}); "
            pin += "os.execv(sys.argv[1], sys.argv[1:])"
            command = [sys.executable, "-c", pin, *command]
        self.process = subprocess.Popen(
            command,
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

    def end(self):
        self.process.stdin.close()
        self.process.wait()
